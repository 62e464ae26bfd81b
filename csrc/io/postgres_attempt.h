/* Connecting, on a thread that may block: all of libpq's own settings, several hosts, and the session's settings. */
#ifndef SUBMITTER_IO_POSTGRES_ATTEMPT_H
#define SUBMITTER_IO_POSTGRES_ATTEMPT_H

#include "postgres.h"
#include "pq_library.h"

struct postgres_attempt {
    const struct pq_library *pq;
    const char *url, *application_name;
    int64_t timeout_ms; /* of the whole, to be divided among several hosts; the end is the caller's to watch */
    int wake;           /* readable: give up */
    void (*at_host)(struct postgres_attempt *attempt, const char *host, const char *port); /* turns to this one */
    PGconn *connection; /* what came of it, non-blocking, or NULL: */
    enum postgres_failure failure;
    char message[1024];
};

/* Runs an attempt to its end. */
void postgres_attempt_run(struct postgres_attempt *attempt);

#endif
