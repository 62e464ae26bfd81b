/* For tests: control groups around sandboxes. */
#ifndef SUBMITTER_TEST_TRIAL_GROUP_H
#define SUBMITTER_TEST_TRIAL_GROUP_H

#include <stdbool.h>

struct trial_group {
    char name[512];    /* how a sandbox is told of it (cgroup_parent) */
    char path[3][512]; /* its directories: of v1's memory, pids, cpuacct; of v2 one */
    int made;
};

/* One in which sandboxes make theirs, with a limit such as "64M", less perhaps than they may have themselves. Where this process may;
   false, with nothing left, where it can't. */
bool trial_group_make(struct trial_group *group, const char *memory);
/* One in which sandboxes live, as in a container's. */
bool trial_group_make_container(struct trial_group *group, const char *memory);
/* Moves the calling process into it. */
bool trial_group_enter(const struct trial_group *group);
/* False when it couldn't be removed: something is left within. */
bool trial_group_remove(struct trial_group *group);

#endif
