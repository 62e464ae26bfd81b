/* What processes used, as far as the kernel tells of processes: the whole truth where there is no cgroup, and
   the sum over all that was reaped. */
#ifndef SUBMITTER_RUNNER_USAGE_H
#define SUBMITTER_RUNNER_USAGE_H

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct usage {
    uint64_t cpu_us;     /* of processes that were reaped, with the children that they reaped themselves */
    uint64_t peak_bytes; /* resident memory of the largest of them */
};

/* Adds a process that wait4 told of. */
void usage_add(struct usage *usage, const struct rusage *reaped);
/* CPU time of those reaped and of all that live, but for process 1 and the launcher. */
uint64_t usage_living_cpu_us(const struct usage *usage, pid_t launcher);
/* CPU time of a process itself, to the microsecond; 0 when it is gone. */
uint64_t usage_process_cpu_us(pid_t process);
/* Processors that the case can use at the same time. */
unsigned usage_processors(void);

#endif
