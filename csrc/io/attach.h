/* The streams of a container, handed over by its engine: one connection to its Unix socket, a request to attach, and what was an
 * HTTP connection is the container's standard input one way, its standard output and error, multiplexed, the other way (Docker
 * Engine API, "Attach to a container"). Once opened it is a transport (transport.h).
 *
 * Half of the connection closed by us is the end of the container's standard input. */
#ifndef SUBMITTER_IO_ATTACH_H
#define SUBMITTER_IO_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "transport.h"

struct attach_options {
    const char *socket; /* a path */
    const char *
        path; /* what is asked for: begins with "/", without white space and control characters: checked by the caller */
    int64_t timeout_ms; /* until the engine has answered */
};

enum attach_failure {
    ATTACH_FINE,
    ATTACH_CONNECT, /* nobody listens, or not to this user */
    ATTACH_TIMEOUT,
    ATTACH_CUT,     /* the connection ended before the answer was whole, or the answer is none */
    ATTACH_REFUSED, /* the engine answered otherwise */
    ATTACH_MEMORY,
};

struct attach_answer {
    bool ended; /* the engine has answered, or won't */
    enum attach_failure failure;
    int status;         /* of a refusal */
    char message[1024]; /* of a failure */
};

struct attach;

/* Begins. done is called once, on the loop's thread and never from inside this, unless it has ended when this returns (then it
 * isn't called: see its answer) or is closed before. NULL without memory. */
struct attach *attach_start(const struct attach_options *options, void (*done)(void *context), void *context);

const struct attach_answer *attach_answer(const struct attach *attach);

/* What was opened; to be asked for from within done, or before whatever may let the loop run. Whoever has it closes it, and no
 * longer the attach. */
struct transport *attach_transport(struct attach *attach);

/* Ends it, wherever it is, and frees it. NULL is allowed. */
void attach_close(struct attach *attach);

#endif
