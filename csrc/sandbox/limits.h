/* What a process may: limits, capabilities, privileges, signals. */
#ifndef SUBMITTER_SANDBOX_LIMITS_H
#define SUBMITTER_SANDBOX_LIMITS_H

#include "spec.h"

#include <stddef.h>

/* A session of its own without a terminal, a keyring of its own. */
void limits_leave_session(void);
/* Limits of the program that runs as process 1. */
void limits_bound_runner(void);
/* Leaves the runner's capabilities only, for good. */
void limits_drop_capabilities(void);
/* Nothing that it executes gives it more than it has. */
void limits_forbid_privileges(void);
/* Signals as a new process expects them. */
void limits_reset_signals(void);
/* In the student's role: first to go when memory runs out anywhere. `processes` is a /proc that can be
   written. */
void limits_volunteer(int processes);
/* In the student's role: the limits of a single process, the student's user, no capability at all. */
void limits_become_student(const struct spec *spec);

#endif
