/* Watches a directory (inotify through the loop). */
#ifndef SUBMITTER_IO_WATCH_H
#define SUBMITTER_IO_WATCH_H

#include <stdbool.h>

struct watch;

/* changed(context) is called on the loop's thread after entries appeared, vanished or changed; bursts may come as one call.
 * Returns 0 or a positive errno value. The descriptor is needed for this call only. */
int watch_start(int directory, void (*changed)(void *context), void *context, struct watch **watch);

/* Only a watch that is awaited keeps the loop (and so the process) waiting. */
void watch_await(struct watch *watch, bool awaited);

/* Ends it; changed isn't called any more. NULL is allowed. */
void watch_stop(struct watch *watch);

#endif
