/* A thread of its own for what may block for as long as the network likes, in libpq: connecting (names, password and service files,
 * certificates) and asking a server to cancel. The loop's pool has four threads, and a database that is away must not hold up
 * files.
 *
 * Who waits for an errand may give it up at any moment: that wakes the thread, which ends as soon as it can, perhaps much later
 * (a name server that is silent), and disposes of what it made. */
#ifndef SUBMITTER_IO_POSTGRES_ERRAND_H
#define SUBMITTER_IO_POSTGRES_ERRAND_H

#include <stdbool.h>

/* Embedded in what the errand is about, which its dispose function frees. */
struct postgres_errand {
    void (*run)(struct postgres_errand *errand);      /* on the thread: touches nothing else */
    void (*finished)(struct postgres_errand *errand); /* on the loop's thread, once, unless it was given up */
    void (*dispose)(struct postgres_errand *errand);  /* on either, once, when neither side needs it any more */
    int wake;                                         /* readable from when it was given up; for the thread's poll */
    bool given_up;                                    /* guarded, as what follows: */
    bool ended;
    struct postgres_errand *next;
};

/* Starts it. 0, or a positive errno value: then no function is called, and it is still the caller's. An errand doesn't keep the
 * loop alive: whoever waits has a timer besides. */
int postgres_errand_start(struct postgres_errand *errand);

/* Nobody waits any more: finished isn't called. Not after finished was. */
void postgres_errand_give_up(struct postgres_errand *errand);

/* The end of an errand that finished was called for. */
void postgres_errand_done(struct postgres_errand *errand);

/* Was it given up? On its thread. */
bool postgres_errand_given_up(struct postgres_errand *errand);

/* For the end of the process: waits for the threads that were given up, but not long. They may be amid TLS, whose library is
 * taken down then. */
void postgres_errand_settle(void);

#endif
