/* What the sandbox handed over: descriptors by name, told in the environment variable SUBMITTER_WALLS as
   "accounting=cgroup-v1 processors=0 filter=3 memory.limit=4 …". */
#ifndef SUBMITTER_RUNNER_WALLS_H
#define SUBMITTER_RUNNER_WALLS_H

#include "fault.h"

enum walls_accounting { WALLS_RLIMIT, WALLS_CGROUP_V1, WALLS_CGROUP_V2, WALLS_CONTAINER_V1, WALLS_CONTAINER_V2 };

/* -1 where there is none. In a container the files of memory and CPU time are its own, and can only be read. */
struct walls {
    enum walls_accounting accounting;
    unsigned processors_percent; /* v2: the share of processors that each case's group gets; 0: all there are */
    int filter;                  /* the student's system call filter */
    int processes;               /* a /proc that can be written */
    int last_process;            /* the setting from which the next process number follows */
    int memory_limit, memory_swap_limit, memory_usage, memory_peak, memory_stat, memory_events, memory_alarm;
    int memory_swap;                               /* container, v2: what is swapped out, where there is swap */
    int memory_limit_hits, memory_swap_limit_hits; /* container, v1: how often it was at its limit */
    int pids_limit, cpu_usage;
    int memory_enter, pids_enter, cpu_enter, processors_enter; /* by which a process enters the case's group */
    int group;                                                 /* v2: the delegated group */
};

bool walls_in_container(const struct walls *walls);
/* Reads them from the variable's text. Descriptors are marked to be closed by execve. */
bool walls_read(struct walls *walls, const char *text, struct fault *fault);
#endif
