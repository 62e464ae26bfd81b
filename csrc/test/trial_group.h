/* For tests: a control group with less memory than the sandboxes within it may have. */
#ifndef SUBMITTER_TEST_TRIAL_GROUP_H
#define SUBMITTER_TEST_TRIAL_GROUP_H

#include <stdbool.h>

struct trial_group {
    char name[512];    /* how a sandbox is told of it (cgroup_parent) */
    char path[3][512]; /* its directories: of v1's memory, pids, cpuacct; of v2 one */
    int made;
};

/* Makes it where this process may, with a limit such as "64M"; false, with nothing left, where it can't. */
bool trial_group_make(struct trial_group *group, const char *memory);
/* False when it couldn't be removed: something is left within. */
bool trial_group_remove(struct trial_group *group);

#endif
