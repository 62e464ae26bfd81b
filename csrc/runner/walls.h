/* What the sandbox handed over: descriptors by name, told in the environment variable SUBMITTER_WALLS as
   "accounting=cgroup-v1 processors=0 filter=3 memory.limit=4 …". */
#ifndef SUBMITTER_RUNNER_WALLS_H
#define SUBMITTER_RUNNER_WALLS_H

#include "fault.h"

enum walls_accounting { WALLS_RLIMIT, WALLS_CGROUP_V1, WALLS_CGROUP_V2 };

/* -1 where there is none. */
struct walls {
    enum walls_accounting accounting;
    unsigned processors_percent; /* v2: the share of processors that each case's group gets; 0: all there are */
    int filter;                  /* the student's system call filter */
    int processes;               /* a /proc that can be written */
    int last_process;            /* the setting from which the next process number follows */
    int memory_limit, memory_swap_limit, memory_usage, memory_peak, memory_stat, memory_events, memory_alarm;
    int pids_limit, cpu_usage;
    int memory_enter, pids_enter, cpu_enter, processors_enter; /* by which a process enters the case's group */
    int group;                                                 /* v2: the delegated group */
};

/* Reads them from the variable's text. Descriptors are marked to be closed by execve. */
bool walls_read(struct walls *walls, const char *text, struct fault *fault);
#endif
