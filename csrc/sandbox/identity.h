/* Who the inside's users are outside. */
#ifndef SUBMITTER_SANDBOX_IDENTITY_H
#define SUBMITTER_SANDBOX_IDENTITY_H

#include <sys/types.h>

enum {
    IDENTITY_RUNNER_ID = 0,
    IDENTITY_KEEPER_ID = 1, /* whom the runner becomes in part to end the student's processes: see its scrub.c */
    IDENTITY_STUDENT_ID = 1000,
    IDENTITY_IDS = 3,
};

/* The users and groups outside that these three are, in that order. */
struct identity {
    uid_t users[IDENTITY_IDS];
    gid_t groups[IDENTITY_IDS];
    uid_t supervisor_user; /* started by root: one more, for the supervisor itself where it needn't be root */
    gid_t supervisor_group;
    int by_helper; /* an ordinary user's maps are written by newuidmap and newgidmap */
};

/* Chooses them: as root some of its own for each sandbox that runs, as far as this namespace has users; else from /etc/subuid and
   /etc/subgid. */
void identity_choose(struct identity *identity);
/* Where nothing of root's is needed any more, in a container: the calling process is another user from here on, with the two
   capabilities that writing maps takes. The user namespace that it makes then is that user's, who may signal what is in it. */
void identity_leave_root(const struct identity *identity);
/* Writes the maps of the inner process. */
void identity_map(const struct identity *identity, pid_t process);
/* After identity_leave_root and identity_map: gives the two up as well. */
void identity_give_up_capabilities(void);

#endif
