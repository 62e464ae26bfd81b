/* Namespaces: made, and entered for good. */
#ifndef SUBMITTER_SANDBOX_NAMESPACES_H
#define SUBMITTER_SANDBOX_NAMESPACES_H

#include <sys/types.h>

/* Clones the inner process into namespaces of its own (the cgroup namespace comes later:
   namespaces_hide_cgroups), into a cgroup v2 group if one is given. 0 in the inner process. */
pid_t namespaces_clone(int group, int *process_descriptor);
/* Inside, once mapped: becomes the inside's root, without supplementary groups. */
void namespaces_become_root(void);
/* Inside: the group that it is in becomes the root of what it can see. */
void namespaces_hide_cgroups(void);
/* Inside: no name of this machine's. */
void namespaces_name_host(void);

#endif
