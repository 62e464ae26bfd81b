#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

enum {
    ERRORS_KEPT_BYTES = 1024,  /* of the other side's standard error, its end */
    BUILD_PATIENCE_MS = 60000, /* for the walls to stand */
    CASE_PATIENCE_MS = 30000,  /* for a result, beyond the case's own time: large memories are slow to be torn down */
    CLOSE_PATIENCE_MS = 3000,  /* for the runner to say BYE and end */
    END_PATIENCE_MS = 10000,   /* for the other side to take everything down when it is stopped */
    WRITER_BYTES = 160 << 20,
};

/* HELLO: nothing was said yet. GREETED: nor was anything asked. */
enum phase { PHASE_HELLO, PHASE_GREETED, PHASE_BUILD, PHASE_READY, PHASE_CASE, PHASE_CLOSING, PHASE_BROKEN };

struct session {
    struct transport *transport;
    enum phase phase;
    bool build_wanted;
    struct protocol_reader reader;
    struct protocol_writer writer;
    struct protocol_limits limits;
    const char *accounting;
    char python[PROTOCOL_VERSION_BYTES + 1];
    char errors[ERRORS_KEPT_BYTES];
    size_t errors_length;
    session_done *done; /* of the request under way */
    void *context;
    uint32_t case_number;
    struct session_result result;
    struct session_error error; /* why it is broken */
    bool error_told;
    struct timer *timer; /* until when an answer, or the end, is waited for */
    bool terminated;
};

/* ---- the end of requests ---- */

static void stop_waiting(struct session *session) {
    timer_stop(session->timer);
    session->timer = NULL;
}

static void finish(struct session *session, const struct session_error *error) {
    session_done *done = session->done;
    session->done = NULL;
    stop_waiting(session);
    if (!done)
        return;
    session->error_told = session->error_told || error == &session->error;
    done(session->context, error);
}

static void set_error(struct session_error *error, const char *code, const char *message) {
    snprintf(error->code, sizeof error->code, "%s", code);
    snprintf(error->message, sizeof error->message, "%s", message);
}

static void terminate(struct session *session) {
    if (session->terminated)
        return;
    session->terminated = true;
    session->transport->class->stop(session->transport, false);
}

static void on_patience_end(void *context) {
    struct session *session = context;
    stop_waiting(session);
    if (session->transport->ended)
        return;
    if (session->terminated) {
        session->transport->class->stop(session->transport, true);
    } else {
        session->timer = timer_start(END_PATIENCE_MS, on_patience_end, session);
        terminate(session);
    }
}

/* Nothing more is expected of it; the first reason stands. One that is being closed anyway is closed less politely. */
static void fail(struct session *session, const char *code, const char *message) {
    if (session->phase == PHASE_CLOSING && !session->terminated)
        on_patience_end(session);
    if (session->phase == PHASE_CLOSING || session->phase == PHASE_BROKEN)
        return;
    session->phase = PHASE_BROKEN;
    set_error(&session->error, code, message);
    terminate(session);
    finish(session, &session->error);
}

/* The end of what came on standard error, without the line end and half a character at its beginning. */
static const char *last_errors(const struct session *session, char text[ERRORS_KEPT_BYTES + 1]) {
    size_t start = 0, end = session->errors_length;
    while (end && session->errors[end - 1] == '\n')
        end--;
    while (session->errors_length == ERRORS_KEPT_BYTES && start < end &&
           ((unsigned char)session->errors[start] & 0xc0) == 0x80)
        start++;
    for (size_t index = start; index < end; index++)
        text[index - start] = session->errors[index] ? session->errors[index] : ' ';
    text[end - start] = '\0';
    return text;
}

/* It ended although nobody asked it to. */
static void fail_by_end(struct session *session) {
    char errors[ERRORS_KEPT_BYTES + 1], message[sizeof session->error.message];
    const struct transport *transport = session->transport;
    const char *code = transport->class->explain(transport, last_errors(session, errors), message, sizeof message);
    fail(session, code, message);
}

static void on_over(void *context) {
    struct session *session = context;
    if (session->phase == PHASE_CLOSING)
        finish(session, NULL);
    else if (session->transport->drained)
        fail_by_end(session);
}

/* ---- what the runner says ---- */

static const char *accounting_name(uint8_t accounting) {
    switch (accounting) {
    case PROTOCOL_ACCOUNTING_CGROUP: return "cgroup";
    case PROTOCOL_ACCOUNTING_CONTAINER: return "container";
    default: return "rlimit";
    }
}

static void send_frames(struct session *session);

static void send_build(struct session *session) {
    session->phase = PHASE_BUILD;
    protocol_write_build(&session->writer, &session->limits);
    send_frames(session);
}

static void take_hello(struct session *session, const struct protocol_hello *hello) {
    if (session->phase != PHASE_HELLO) {
        fail(session, "protocol", "the runner said HELLO out of turn");
        return;
    }
    if (hello->version != PROTOCOL_VERSION) {
        fail(session, "environment",
             "submitter-runner speaks another version of the protocol: install the one that "
             "belongs to this host");
        return;
    }
    session->accounting = accounting_name(hello->accounting);
    snprintf(session->python, sizeof session->python, "%.*s", (int)hello->interpreter_version.length,
             (const char *)hello->interpreter_version.data);
    session->phase = PHASE_GREETED;
    if (session->build_wanted)
        send_build(session);
}

static void take_output(struct session *session, const struct protocol_output *output) {
    if (session->phase != PHASE_CASE || output->case_number != session->case_number) {
        fail(session, "protocol", "the runner sent output of a case that isn't running");
        return;
    }
    struct buffer *kept = output->stream == PROTOCOL_STDOUT ? &session->result.output : &session->result.errors;
    if (!buffer_append(kept, output->bytes.data, output->bytes.length))
        fail(session, "protocol", "the runner sent more output than the limit that it was given");
}

static void take_result(struct session *session, const struct protocol_result *result) {
    if (session->phase != PHASE_CASE || result->case_number != session->case_number) {
        fail(session, "protocol", "the runner sent the result of a case that isn't running");
        return;
    }
    session->result.result = *result;
    session->phase = PHASE_READY;
    finish(session, NULL);
}

/* The words that runners have. Others mean something on this side, "rejected" for one that the student is to blame, which
 * isn't for the other side to say. */
static const char *failure_code(const struct protocol_bytes *code) {
    static const char *const known[] = { "arguments", "cgroup", "container", "interpreter", "launcher", "memory",
                                         "protocol",  "runner", "scrub",     "submission",  "walls" };
    for (size_t index = 0; index < sizeof known / sizeof *known; index++)
        if (code->length == strlen(known[index]) && !memcmp(code->data, known[index], code->length))
            return known[index];
    return "sandbox";
}

static void take_failure(struct session *session, const struct protocol_failure *failure) {
    struct session_error error;
    snprintf(error.code, sizeof error.code, "%s", failure_code(&failure->code));
    snprintf(error.message, sizeof error.message, "%.*s", (int)failure->message.length,
             (const char *)failure->message.data);
    if (!failure->fatal && session->phase == PHASE_CASE && failure->case_number == session->case_number) {
        session->phase = PHASE_READY;
        finish(session, &error);
    } else {
        fail(session, error.code, error.message);
    }
}

static void take_message(struct session *session, const struct protocol_message *message) {
    switch (message->type) {
    case PROTOCOL_HELLO: take_hello(session, &message->hello); break;
    case PROTOCOL_READY:
        if (session->phase == PHASE_BUILD) {
            session->phase = PHASE_READY;
            finish(session, NULL);
        } else {
            fail(session, "protocol", "the runner said READY out of turn");
        }
        break;
    case PROTOCOL_OUTPUT: take_output(session, &message->output); break;
    case PROTOCOL_RESULT: take_result(session, &message->result); break;
    case PROTOCOL_FAILURE: take_failure(session, &message->failure); break;
    case PROTOCOL_BYE:
        if (session->phase != PHASE_CLOSING)
            fail(session, "protocol", "the runner said BYE unasked");
        break;
    default: fail(session, "protocol", "the runner sent a message that only the host may send");
    }
}

static void take_frames(struct session *session, const char *data, size_t length) {
    while (length && session->phase != PHASE_BROKEN) {
        size_t room;
        uint8_t *place = protocol_reader_room(&session->reader, &room);
        if (!place) {
            fail(session, "protocol", session->reader.broken ? session->reader.broken : "out of memory");
            break;
        }
        size_t taken = length < room ? length : room;
        memcpy(place, data, taken);
        protocol_reader_filled(&session->reader, taken);
        data += taken;
        length -= taken;

        struct protocol_message message;
        while (session->phase != PHASE_BROKEN && protocol_reader_next(&session->reader, &message) == PROTOCOL_MESSAGE)
            take_message(session, &message);
        if (session->reader.broken)
            fail(session, "protocol", session->reader.broken);
    }
}

/* The last words say why it ended, and there may be any number before them. */
static void keep_errors(struct session *session, const char *data, size_t length) {
    if (length > ERRORS_KEPT_BYTES) {
        data += length - ERRORS_KEPT_BYTES;
        length = ERRORS_KEPT_BYTES;
    }
    size_t kept =
        ERRORS_KEPT_BYTES - length < session->errors_length ? ERRORS_KEPT_BYTES - length : session->errors_length;
    memmove(session->errors, session->errors + session->errors_length - kept, kept);
    memcpy(session->errors + kept, data, length);
    session->errors_length = kept + length;
}

static void on_got(void *context, enum transport_stream stream, const char *data, size_t length) {
    if (stream == TRANSPORT_OUTPUT)
        take_frames(context, data, length);
    else
        keep_errors(context, data, length);
}

/* ---- requests ---- */

/* A runner that is silent, or has closed its stream and lives on, must not keep a task waiting for ever. */
static void on_silence(void *context) {
    fail(context, "sandbox", "the sandbox gave no answer in time");
}

/* Frames on their way: they have their own memory until the transport took them, whatever becomes of the session. */
static void on_written(void *context, int status) {
    struct protocol_writer *frames = context;
    (void)status; /* who doesn't read any more has ended: its end says why */
    protocol_writer_end(frames);
    free(frames);
}

static void send_frames(struct session *session) {
    if (session->writer.failed) {
        fail(session, "protocol", "the request doesn't fit the bounds of the protocol");
        return;
    }
    struct protocol_writer *frames = malloc(sizeof *frames);
    if (!frames) {
        fail(session, "sandbox", "out of memory");
        return;
    }
    *frames = session->writer;
    protocol_writer_start(&session->writer, WRITER_BYTES);
    struct transport *transport = session->transport;
    if (transport->class->write(transport, (const char *)frames->data, frames->length, on_written, frames))
        on_written(frames, 0);
}

struct session *session_open(struct transport *transport) {
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        transport->class->close(transport);
        return NULL;
    }
    session->transport = transport;
    session->accounting = "";
    protocol_reader_start(&session->reader, PROTOCOL_FROM_RUNNER);
    protocol_writer_start(&session->writer, WRITER_BYTES);
    transport->user = (struct transport_user){ on_got, on_over, session };
    transport->class->start(transport);
    return session;
}

void session_build(struct session *session, const struct protocol_limits *limits, session_done *done, void *context) {
    session->done = done;
    session->context = context;
    session->limits = *limits;
    session->build_wanted = true;
    if (session->phase == PHASE_BROKEN) {
        finish(session, &session->error);
        return;
    }
    session->timer = timer_start(BUILD_PATIENCE_MS, on_silence, session);
    if (session->phase == PHASE_GREETED)
        send_build(session);
}

const char *session_accounting(const struct session *session) {
    return session->accounting;
}

const char *session_python(const struct session *session) {
    return session->python;
}

struct protocol_writer *session_writer(struct session *session) {
    return &session->writer;
}

bool session_usable(const struct session *session) {
    return session->phase == PHASE_READY;
}

const struct session_error *session_take_error(struct session *session) {
    if (session->phase != PHASE_BROKEN || session->error_told)
        return NULL;
    session->error_told = true;
    return &session->error;
}

struct session_result *session_result(struct session *session) {
    return &session->result;
}

void session_submit(struct session *session, session_done *done, void *context) {
    session->done = done;
    session->context = context;
    send_frames(session);
    if (session->done)
        finish(session, NULL);
}

void session_case(struct session *session, uint32_t number, const struct protocol_limits *limits, session_done *done,
                  void *context) {
    session->done = done;
    session->context = context;
    session->case_number = number;
    session->phase = PHASE_CASE;
    buffer_clear(&session->result.output);
    buffer_clear(&session->result.errors);
    session->result.output.limit = limits->output_bytes ? limits->output_bytes : 1;
    session->result.errors.limit = PROTOCOL_STDERR_KEPT;
    session->timer = timer_start((long long)limits->wall_ms + CASE_PATIENCE_MS, on_silence, session);
    send_frames(session);
}

void session_abandon(struct session *session) {
    fail(session, "cancelled", "the request was cancelled");
}

void session_close(struct session *session, session_done *done, void *context) {
    bool polite = session->phase == PHASE_READY && !session->transport->ended;
    session->done = done;
    session->context = context;
    session->phase = PHASE_CLOSING;
    if (session->transport->ended) {
        finish(session, NULL);
        return;
    }
    session->timer = timer_start(polite ? CLOSE_PATIENCE_MS : END_PATIENCE_MS, on_patience_end, session);
    if (polite) {
        protocol_write_end(&session->writer);
        send_frames(session);
    } else {
        terminate(session);
    }
}

void session_free(struct session *session) {
    if (!session)
        return;
    session->done = NULL;
    session->phase = PHASE_BROKEN;
    stop_waiting(session);
    session->transport->class->close(session->transport);
    protocol_reader_end(&session->reader);
    protocol_writer_end(&session->writer);
    buffer_clear(&session->result.output);
    buffer_clear(&session->result.errors);
    free(session);
}
