#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

enum {
    SPECIFICATION_DESCRIPTOR = 3,
    ERROR_TEXT_BYTES = 2048,   /* of the sandbox's standard error */
    BUILD_PATIENCE_MS = 60000, /* for the walls to stand */
    CASE_PATIENCE_MS = 30000,  /* for a result, beyond the case's own time: large memories are slow to be torn down */
    CLOSE_PATIENCE_MS = 3000,  /* for the runner to say BYE and end */
    END_PATIENCE_MS = 10000,   /* for the supervisor to take everything down after SIGTERM */
    SANDBOX_ENVIRONMENT = 3,   /* its exit code when a wall can't be built */
    WRITER_BYTES = 160 << 20,
};

enum phase { PHASE_HELLO, PHASE_BUILD, PHASE_READY, PHASE_CASE, PHASE_CLOSING, PHASE_BROKEN };

struct session {
    struct child *child;
    enum phase phase;
    struct protocol_reader reader;
    struct protocol_writer writer;
    struct protocol_limits limits;
    const char *accounting;
    struct buffer error_text;
    bool output_ended, errors_ended, process_ended;
    session_done *done; /* of the request under way */
    void *context;
    uint32_t case_number;
    uint64_t output_limit;
    struct session_result result;
    struct session_error error; /* why it is broken */
    struct timer *timer;        /* until when an answer, or the end, is waited for */
    bool terminated;
};

/* ---- starting ---- */

static bool add_path(struct buffer *text, const char *key, const char *path) {
    if (strchr(path, '\n'))
        return false;
    return buffer_format(text, "%s=%s\n", key, path);
}

static bool write_specification(const struct session_options *options, struct buffer *text) {
    const struct protocol_limits *limits = &options->limits;
    buffer_format(text, "version=1\nprogram=%s/submitter-runner\naccounting=%s\n", options->programs,
                  options->rlimit ? "rlimit" : "cgroup");
    buffer_format(text, "memory_bytes=%llu\ncpu_ms=%llu\nwall_ms=%llu\n", (unsigned long long)limits->memory_bytes,
                  (unsigned long long)limits->cpu_ms, (unsigned long long)limits->wall_ms);
    buffer_format(text, "output_bytes=%llu\nprocesses=%llu\nfile_bytes=%llu\n",
                  (unsigned long long)limits->output_bytes, (unsigned long long)limits->processes,
                  (unsigned long long)limits->file_bytes);
    if (options->processors_percent)
        buffer_format(text, "processors_percent=%u\n", options->processors_percent);
    if (strchr(options->programs, '\n') ||
        (options->cgroup_parent && !add_path(text, "cgroup_parent", options->cgroup_parent)))
        return false;
    for (const char *const *path = options->read_only; path && *path; path++)
        if (!add_path(text, "bind_ro", *path))
            return false;
    return !text->failed;
}

int session_launch(const struct session_options *options, struct child_start *start) {
    struct buffer text = { 0 }, program = { 0 };
    int error = EINVAL;
    if (write_specification(options, &text) &&
        buffer_format(&program, "%s/submitter-sandbox%c", options->programs, 0)) {
        char *const arguments[] = { program.data, (char[]){ "--spec-fd" }, (char[]){ "3" }, NULL };
        char *const environment[] = { NULL };
        struct child_descriptor specification = { SPECIFICATION_DESCRIPTOR, text.data, text.length };
        struct child_options child = {
            .program = program.data,
            .arguments = arguments,
            .environment = environment,
            .directory = -1,
            .streams = { CHILD_PIPE, CHILD_PIPE, CHILD_PIPE },
            .descriptors = &specification,
            .descriptor_count = 1,
            .new_session = true,
        };
        error = child_start(&child, start);
    }
    buffer_clear(&text);
    buffer_clear(&program);
    return error;
}

/* ---- the end of requests ---- */

static void stop_waiting(struct session *session) {
    timer_stop(session->timer);
    session->timer = NULL;
}

static void finish(struct session *session, const struct session_error *error) {
    session_done *done = session->done;
    session->done = NULL;
    stop_waiting(session);
    if (done)
        done(session->context, error);
}

static void set_error(struct session_error *error, const char *code, const char *message) {
    snprintf(error->code, sizeof error->code, "%s", code);
    snprintf(error->message, sizeof error->message, "%s", message);
}

static void terminate(struct session *session) {
    if (!session->terminated)
        child_kill(session->child, SIGTERM); /* the supervisor takes down all, itself last */
    session->terminated = true;
}

static void on_patience_end(void *context) {
    struct session *session = context;
    stop_waiting(session);
    if (session->process_ended)
        return;
    if (session->terminated) {
        child_kill(session->child, SIGKILL);
    } else {
        terminate(session);
        session->timer = timer_start(END_PATIENCE_MS, on_patience_end, session);
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

/* The sandbox ended although nobody asked it to: its exit code and its standard error say why. */
static void fail_by_end(struct session *session) {
    struct child_end end;
    char message[sizeof session->error.message];
    if (!child_ended(session->child, &end))
        return;
    int length = (int)session->error_text.length;
    while (length && session->error_text.data[length - 1] == '\n')
        length--;
    if (end.exited && end.code == SANDBOX_ENVIRONMENT && length)
        snprintf(message, sizeof message, "%.*s", length, session->error_text.data);
    else
        snprintf(message, sizeof message, "the sandbox ended unexpectedly (%s %d)%s%.*s",
                 end.exited ? "exit code" : "signal", end.code, length ? ": " : "", length,
                 length ? session->error_text.data : "");
    fail(session, end.exited && end.code == SANDBOX_ENVIRONMENT ? "environment" : "sandbox", message);
}

static void check_end(struct session *session) {
    if (!session->process_ended)
        return;
    if (session->phase == PHASE_CLOSING) {
        finish(session, NULL);
    } else if (session->output_ended && session->errors_ended) {
        fail_by_end(session);
    }
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
    session->phase = PHASE_BUILD;
    protocol_write_build(&session->writer, &session->limits);
    send_frames(session);
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

static void take_failure(struct session *session, const struct protocol_failure *failure) {
    struct session_error error;
    snprintf(error.code, sizeof error.code, "%.*s", (int)failure->code.length, (const char *)failure->code.data);
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

static void on_output(void *context, const char *data, ssize_t length) {
    struct session *session = context;
    if (length <= 0) {
        session->output_ended = true;
        check_end(session);
        return;
    }
    while (length > 0 && session->phase != PHASE_BROKEN) {
        size_t room;
        uint8_t *place = protocol_reader_room(&session->reader, &room);
        if (!place) {
            fail(session, "protocol", session->reader.broken ? session->reader.broken : "out of memory");
            break;
        }
        size_t taken = (size_t)length < room ? (size_t)length : room;
        memcpy(place, data, taken);
        protocol_reader_filled(&session->reader, taken);
        data += taken;
        length -= (ssize_t)taken;

        struct protocol_message message;
        while (session->phase != PHASE_BROKEN && protocol_reader_next(&session->reader, &message) == PROTOCOL_MESSAGE)
            take_message(session, &message);
        if (session->reader.broken)
            fail(session, "protocol", session->reader.broken);
    }
    child_read(session->child, CHILD_STDOUT, on_output, session);
}

static void on_errors(void *context, const char *data, ssize_t length) {
    struct session *session = context;
    if (length <= 0) {
        session->errors_ended = true;
        check_end(session);
        return;
    }
    buffer_fill(&session->error_text, data, (size_t)length);
    child_read(session->child, CHILD_STDERR, on_errors, session);
}

static void on_end(void *context) {
    struct session *session = context;
    session->process_ended = true;
    check_end(session);
}

/* ---- requests ---- */

/* A runner that is silent, or has closed its stream and lives on, must not keep a task waiting for ever. */
static void on_silence(void *context) {
    fail(context, "sandbox", "the sandbox gave no answer in time");
}

/* Frames on their way: they have their own memory until the pipe took them, whatever becomes of the session. */
static void on_written(void *context, int status) {
    struct protocol_writer *frames = context;
    (void)status; /* a sandbox that doesn't read any more has ended: its end says why */
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
    if (child_write(session->child, (const char *)frames->data, frames->length, on_written, frames))
        on_written(frames, 0);
}

int session_adopt(struct child_start *start, const struct session_options *options, session_done *done, void *context,
                  struct session **adopted) {
    struct session *session = calloc(1, sizeof *session);
    struct child *child = NULL;
    int error = child_adopt(start, &child);
    if (error || !session) {
        free(session);
        child_close(child, SIGTERM);
        return error ? error : ENOMEM;
    }
    session->child = child;
    session->limits = options->limits;
    session->accounting = "";
    session->done = done;
    session->context = context;
    session->error_text.limit = ERROR_TEXT_BYTES;
    protocol_reader_start(&session->reader, PROTOCOL_FROM_RUNNER);
    protocol_writer_start(&session->writer, WRITER_BYTES);
    session->timer = timer_start(BUILD_PATIENCE_MS, on_silence, session);
    child_wait(child, on_end, session);
    child_read(child, CHILD_STDERR, on_errors, session);
    child_read(child, CHILD_STDOUT, on_output, session);
    *adopted = session;
    return 0;
}

const char *session_accounting(const struct session *session) {
    return session->accounting;
}

struct protocol_writer *session_writer(struct session *session) {
    return &session->writer;
}

bool session_usable(const struct session *session) {
    return session->phase == PHASE_READY;
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
    bool polite = session->phase == PHASE_READY && !session->process_ended;
    session->done = done;
    session->context = context;
    session->phase = PHASE_CLOSING;
    if (session->process_ended) {
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
    child_close(session->child, SIGTERM);
    protocol_reader_end(&session->reader);
    protocol_writer_end(&session->writer);
    buffer_clear(&session->error_text);
    buffer_clear(&session->result.output);
    buffer_clear(&session->result.errors);
    free(session);
}
