/*
 * The launcher: a child of the runner that forks each case's process. It exists because
 *   - with cgroups v1 a process is in its group by being born there; moving one costs milliseconds;
 *   - what a process was forked from can be found in its memory until it executes something else. The launcher
 *     has read no argument and no input of any case: they pass it by in a descriptor that only the case's
 *     process reads. (One that replaces a launcher which the kernel took has the runner's memory, cases' inputs
 *     included. Nobody looks: until it executes, a case's process runs our code only and can't be traced.)
 * The case's process is the runner's child, not the launcher's (CLONE_PARENT), so the runner waits for it.
 */
#ifndef SUBMITTER_RUNNER_LAUNCH_H
#define SUBMITTER_RUNNER_LAUNCH_H

#include "../protocol/protocol.h"
#include "fault.h"
#include "walls.h"

#include <sys/types.h>

/* As the sandbox maps them. */
enum { LAUNCH_KEEPER_ID = 1, LAUNCH_STUDENT_ID = 1000 };

struct launcher {
    pid_t process;
    int channel;
};

/* What is to be executed, packed for the case's process: interpreter, directory, arguments, environment. */
struct launch_block {
    int descriptor;
    uint32_t argument_count, environment_count;
};

struct launch {
    struct launch_block block;
    struct protocol_limits limits;
    bool bound_memory; /* by rlimits, because no cgroup does */
    int input, output, errors;
    int group; /* into which to clone; -1 for the launcher's own */
};

struct launch_process {
    pid_t process;
    int descriptor; /* pidfd */
    int status;     /* says why it could not execute the interpreter; at its end as soon as it did */
};

/* Starts the launcher, in the case's group if it is to be entered beforehand; in the place of one that died.
   */
bool launch_start(struct launcher *launcher, const struct walls *walls, struct fault *fault);
/* Does it still run? When memory is short enough the kernel may take it for want of another victim. */
bool launch_alive(const struct launcher *launcher);
/* Packs what is to be executed. argv is the interpreter, the program, and the case's arguments. */
bool launch_pack(struct launch_block *block, const char *interpreter, const char *directory, const char *program,
                 struct protocol_list arguments, struct protocol_list environment, struct fault *fault);
/* Has the case's process started. */
bool launch_case(struct launcher *launcher, const struct launch *launch, struct launch_process *process,
                 struct fault *fault);
/* After the process has ended: true if it had executed the interpreter; otherwise why not. Closes `status`.
   */
bool launch_executed(struct launch_process *process, const char *interpreter, struct fault *fault);

#endif
