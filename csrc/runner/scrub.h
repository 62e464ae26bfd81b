/* Between cases: nothing that the last one started lives, nothing that it wrote is left. */
#ifndef SUBMITTER_RUNNER_SCRUB_H
#define SUBMITTER_RUNNER_SCRUB_H

#include "fault.h"
#include "leaf.h"
#include "usage.h"

#include <sys/stat.h>

/* The writable places as they were made, to see whether anything was touched since. */
struct scrub_scratch {
    uint64_t file_bytes; /* what they may hold together; UINT64_MAX before the first were made */
    uint64_t next_file, free_files, free_blocks;
    struct stat tmp, shm;
};

/* Kills all that the student's user runs and reaps them, adding up what they used. Only the launcher is left
   then. */
bool scrub_processes(const struct leaf *leaf, struct usage *usage, struct fault *fault);
/* The same for all processes there are, the launcher too: for when it died and what it was about to do is not
   known. */
bool scrub_everything(struct usage *usage, struct fault *fault);
/* Removes System V objects. The student's filter lets none be made; this stands behind it. */
bool scrub_ipc(struct fault *fault);
/* How many local sockets there are in this network namespace, whoever holds them, and the line above their list. */
bool scrub_count_sockets(unsigned *count, struct fault *fault);
/* Has the kernel collect the sockets that a case left in flight: sent through each other they hold each other when nobody else does,
   and with them whatever else was sent, its memory and its locks, and names that the next case could read. `own` is what
   scrub_count_sockets told when nothing had run yet. */
bool scrub_sockets(unsigned own, struct fault *fault);
/* Gives /tmp and /dev/shm as new, for so many bytes: the same if nobody touched them, else fresh ones. */
bool scrub_scratch(struct scrub_scratch *scratch, uint64_t file_bytes, struct fault *fault);
/* The next process gets the same number in each case, so that numbers tell nothing of how many there were
   before. */
bool scrub_numbers(const struct walls *walls, pid_t launcher, struct fault *fault);

#endif
