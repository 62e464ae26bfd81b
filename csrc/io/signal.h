/* Signals of the process, as calls on the loop. */
#ifndef SUBMITTER_IO_SIGNAL_H
#define SUBMITTER_IO_SIGNAL_H

struct signal_watch;

/* Calls came(context, number) on the loop's thread each time the process gets the signal. Returns 0 or a positive errno
 * value. The loop waits for a signal that is watched, so a process that only does that doesn't end. */
int signal_watch_start(int number, void (*came)(void *context, int number), void *context, struct signal_watch **watch);

/* Ends it; came isn't called any more. NULL is allowed. */
void signal_watch_stop(struct signal_watch *watch);

#endif
