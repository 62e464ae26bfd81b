/* The outer process once the walls stand: waits for the inside to end, and sees to it that it does. */
#ifndef SUBMITTER_SANDBOX_SUPERVISE_H
#define SUBMITTER_SANDBOX_SUPERVISE_H

#include "cgroup.h"
#include "spec.h"

#include <sys/types.h>

/* Why the inside is over. */
enum supervise_end {
    SUPERVISE_ENDED,     /* by itself, and its output is delivered */
    SUPERVISE_ABANDONED, /* whoever started it is gone, or a signal asked for the end */
    SUPERVISE_CPU,       /* the rest in the student's role only */
    SUPERVISE_WALL,
    SUPERVISE_OUTPUT,
    SUPERVISE_MEMORY,
    SUPERVISE_UNWRITABLE, /* what it printed can't be passed on */
};

struct supervise_outcome {
    enum supervise_end end;
    int exit_code; /* with SUPERVISE_ENDED: of process 1 */
    int error;     /* with SUPERVISE_UNWRITABLE: the number of the reason */
};

/* Signals as the supervisor needs them: those that ask for the end are read from a descriptor, and the death
   of whoever started it is one of them; those by which a terminal stops its programs are put off for good. To be
   called first thing. As process 1 of a container it also reaps whoever has lost his parent there. */
void supervise_prepare(void);
/* That the death of whoever started it is one of the signals, once more: a change of user forgets it. */
void supervise_follow_parent(void);
/* In the student's role: pipes through which its output passes, so that it is counted. The inside's ends are
   given. */
void supervise_pipes(int ends[2]);
/* Waits until process 1 has ended, or there is a reason to end it, which is left to supervise_kill. */
struct supervise_outcome supervise_wait(const struct spec *spec, const struct cgroup *cgroup, pid_t process,
                                        int descriptor);
/* Kills process 1, and waits until it and with it all in its PID namespace are gone. */
void supervise_kill(pid_t process, int descriptor);

#endif
