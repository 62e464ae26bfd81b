/* The host's end of one sandbox: submitter-sandbox as a child, submitter-runner within it, and the protocol between.
 *
 * Requests follow one another: launch, adopt (until the walls stand), submit, cases one at a time, close. Each ends with
 * its callback, called once on the loop's thread. What comes from the other side is never trusted: a frame that is
 * malformed, out of turn or beyond the limits that were given breaks the session, and a broken session only closes. */
#ifndef SUBMITTER_IO_SESSION_H
#define SUBMITTER_IO_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buffer.h"
#include "../protocol/protocol.h"
#include "child.h"

struct session;

struct session_options {
    const char *programs;          /* folder of submitter-sandbox and submitter-runner */
    const char *cgroup_parent;     /* or NULL */
    unsigned processors_percent;   /* what a case gets of processors, in hundredths of one; 0: all there are */
    bool rlimit;                   /* accounting without cgroups */
    struct protocol_limits limits; /* the largest that a case will ask for */
    const char *const *read_only;  /* more paths to show, ended by NULL; or NULL */
};

/* Why a session can't go on. code: "environment" (a wall can't be built), "protocol", "sandbox", or the runner's own word. */
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

/* Starts submitter-sandbox; any thread, blocks for about a millisecond. Returns 0 or a positive errno value; ENOENT when the
 * programs are missing, EINVAL when a path holds a line break. */
int session_launch(const struct session_options *options, struct child_start *start);

/* error is NULL when all went well, and lives for the call only. */
typedef void session_done(void *context, const struct session_error *error);

/* Takes over what was launched and builds; done when the walls stand and the runner is ready. 0 or a positive
 * errno value: then there is no session, and done isn't called. */
int session_adopt(struct child_start *start, const struct session_options *options, session_done *done, void *context,
                  struct session **adopted);

/* "cgroup", "container" or "rlimit", as the runner said. */
const char *session_accounting(const struct session *session);

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

/* Can it still be used? */
bool session_usable(const struct session *session);

/* Gives up on the request under way: the sandbox is brought down, the callback is called with code "cancelled". */
void session_abandon(struct session *session);

/* Ends the runner, or brings the sandbox down if it doesn't end soon; done when its supervisor ended, which is after
 * everything within ended and its cgroups are gone. */
void session_close(struct session *session, session_done *done, void *context);

/* Frees the session; what still runs is brought down in the background. NULL is allowed. */
void session_free(struct session *session);

#endif
