/* For tests: what a container's engine makes around a sandbox, in little. */
#ifndef SUBMITTER_TEST_TRIAL_CONTAINER_H
#define SUBMITTER_TEST_TRIAL_CONTAINER_H

#include "trial_group.h"

#include <stdbool.h>
#include <sys/types.h>

/* The users of a user namespace as engines make them, of those outside. */
enum { TRIAL_FIRST_USER = 200000, TRIAL_USERS = 65536 };

struct trial_container {
    const struct trial_group *group; /* in which it lives; NULL: where the test does */
    bool first;                      /* the sandbox is process 1 of a PID namespace, with a /proc of it */
    bool few_users;                  /* and there are no more than TRIAL_USERS; only with `first` */
    bool masked;                     /* part of that /proc is hidden; only with `first` */
    bool filtered;                   /* the outer profile is on */
};

/* Sandboxes that a driver starts from now on are in such a one; NULL: in none. */
void trial_container(const struct trial_container *container);
/* Puts the outer profile on the calling process. */
bool trial_container_filter(void);
/* The first child of a process, by its number out here; -1 for none. */
pid_t trial_container_child(pid_t process);

#endif
