/* System call filters. The student's refuses whatever isn't listed; the runner's only takes away what would
   reach the machine itself. */
#ifndef SUBMITTER_SANDBOX_FILTER_H
#define SUBMITTER_SANDBOX_FILTER_H

#include <stdbool.h>

/* The student's filter as BPF in a descriptor (struct sock_filter one after the other), for whoever starts
   student code to put on just before. Files of memory are to be had only where a cgroup counts them: rlimits bound
   each by itself, so that a process could have as much in them as it may open files. */
int filter_export_student(bool memory_files);
/* Puts an exported filter on the calling process, which has given up new privileges. */
void filter_put_on(int descriptor);
/* Puts the runner's filter on the calling process. */
void filter_put_on_runner(void);

#endif
