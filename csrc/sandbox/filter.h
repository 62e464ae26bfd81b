/* System call filters. The student's refuses whatever isn't listed; the runner's only takes away what would
   reach the machine itself. */
#ifndef SUBMITTER_SANDBOX_FILTER_H
#define SUBMITTER_SANDBOX_FILTER_H

/* The student's filter as BPF in a descriptor (struct sock_filter one after the other), for whoever starts
   student code to put on just before. */
int filter_export_student(void);
/* Puts an exported filter on the calling process, which has given up new privileges. */
void filter_put_on(int descriptor);
/* Puts the runner's filter on the calling process. */
void filter_put_on_runner(void);

#endif
