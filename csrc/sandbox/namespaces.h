/* Namespaces, and who the inside's users are outside. */
#ifndef SUBMITTER_SANDBOX_NAMESPACES_H
#define SUBMITTER_SANDBOX_NAMESPACES_H

#include <sys/types.h>

enum {
    NAMESPACES_RUNNER_ID = 0,
    NAMESPACES_KEEPER_ID = 1, /* whom the runner becomes in part to end the student's processes: see its scrub.c */
    NAMESPACES_STUDENT_ID = 1000,
    NAMESPACES_IDS = 3,
};

/* The users and groups outside that these three are, in that order. */
struct namespaces_identity {
    uid_t users[NAMESPACES_IDS];
    gid_t groups[NAMESPACES_IDS];
    int by_helper; /* an ordinary user's maps are written by newuidmap and newgidmap */
};

/* Chooses them: as root a pair of its own for each sandbox that runs, else from /etc/subuid and /etc/subgid.
   */
void namespaces_choose(struct namespaces_identity *identity);
/* Clones the inner process into namespaces of its own (the cgroup namespace comes later:
   namespaces_hide_cgroups), into a cgroup v2 group if one is given. 0 in the inner process. */
pid_t namespaces_clone(int group, int *process_descriptor);
/* Writes the maps of the inner process. */
void namespaces_map(const struct namespaces_identity *identity, pid_t process);
/* Inside, once mapped: becomes the inside's root, without supplementary groups. */
void namespaces_become_root(void);
/* Inside: the group that it is in becomes the root of what it can see. */
void namespaces_hide_cgroups(void);
/* Inside: no name of this machine's. */
void namespaces_name_host(void);

#endif
