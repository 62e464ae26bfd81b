/* The host's end of one sandbox: the protocol with the runner in it, over whatever carries it (transport.h).
 *
 * Requests follow one another: build, submit, cases one at a time, close. Each ends with its callback, called once on the
 * loop's thread. What comes from the other side is never trusted: a frame that is malformed, out of turn or beyond the limits
 * that were given breaks the session, and a broken session only closes. */
#ifndef SUBMITTER_IO_SESSION_H
#define SUBMITTER_IO_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buffer.h"
#include "../protocol/protocol.h"
#include "transport.h"

struct session;

/* Why a session can't go on. code: "protocol", "sandbox", one of the transport's, or the runner's, if it is a word that
 * runners have: what else one says becomes "sandbox". */
struct session_error {
    char code[PROTOCOL_CODE_BYTES + 1];
    char message[PROTOCOL_MESSAGE_BYTES + 256];
};

/* What a case came to. */
struct session_result {
    struct protocol_result result;
    struct buffer output; /* kept part of standard output and error */
    struct buffer errors;
};

/* A session over a transport, which is taken over and started; NULL without memory, and then the transport is closed. */
struct session *session_open(struct transport *transport);

/* error is NULL when all went well, and lives for the call only. */
typedef void session_done(void *context, const struct session_error *error);

/* Waits for the runner's greeting, if it didn't come yet, and builds; done when the walls stand and the runner is ready.
 * limits: the largest that a case will ask for. */
void session_build(struct session *session, const struct protocol_limits *limits, session_done *done, void *context);

/* "cgroup", "container" or "rlimit", as the runner said. */
const char *session_accounting(const struct session *session);

/* The version of the interpreter that the runner has of its own; "" when it said none. */
const char *session_python(const struct session *session);

/* The frames of the next request, to be filled with protocol_write_…; sent by the request. */
struct protocol_writer *session_writer(struct session *session);

/* Sends the submission that was written; done when it is on its way (the runner answers failures only). */
void session_submit(struct session *session, session_done *done, void *context);

/* Sends the case that was written, with these limits, and waits for its result, which session_result then holds. An error
 * that isn't fatal (session_usable stays true) concerns this case only. */
void session_case(struct session *session, uint32_t number, const struct protocol_limits *limits, session_done *done,
                  void *context);

/* The result of the last case; its buffers may be taken over. */
struct session_result *session_result(struct session *session);

/* Can it be used: built, not broken, and no case under way? */
bool session_usable(const struct session *session);

/* Why it is broken, while no request was told: the first to ask is. NULL when there is nothing to tell. */
const struct session_error *session_take_error(struct session *session);

/* Gives up on the request under way: the sandbox is brought down, the callback is called with code "cancelled". */
void session_abandon(struct session *session);

/* Ends the runner, or brings the sandbox down if it doesn't end soon; done when the other side ended. */
void session_close(struct session *session, session_done *done, void *context);

/* Frees the session; what still runs is brought down in the background. NULL is allowed. */
void session_free(struct session *session);

#endif
