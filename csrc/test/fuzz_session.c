/* Fuzz target: the host's end of a sandbox (io/session.c over io/sandbox_child.c) against whatever a runner says, in any phase and
 * in any pieces, while the process ends, its streams close, time passes and the host makes its requests. The input is a script
 * (script.h).
 *
 * The session's neighbours, child.h and loop.h, are stood in for here: a process that the script moves and a clock that it
 * turns, so that no input waits and each runs alike every time. Checked is what session.h promises: each request ends with
 * one callback; a request under way always has something that will end it; what a case leaves is within its limits; what
 * the host itself says is a valid stream; closing ends whatever came before; nothing is left. */
#include "../io/child.h"
#include "../io/loop.h"
#include "../io/sandbox_child.h"
#include "../io/session.h"
#include "script.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum {
    PIECE_BYTES = 65536, /* no read of libuv's gives more */
    ERROR_BYTES = 2048,
    WRITES = 64,
    SAID_BYTES = 4 << 20, /* what the runner says without being read */
    END_TIMERS = 3,       /* so many patiences later anything has ended */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds) {
    if (!holds)
        abort();
}

/* Gives a reader as much as it takes. False when there is nothing left, or it is broken. */
static bool give(struct protocol_reader *reader, const char **data, size_t *length) {
    size_t room;
    if (!*length || reader->broken)
        return false;
    uint8_t *place = protocol_reader_room(reader, &room);
    demand(place);
    size_t taken = *length < room ? *length : room;
    memcpy(place, *data, taken);
    protocol_reader_filled(reader, taken);
    *data += taken;
    *length -= taken;
    return true;
}

/* ---- the process ---- */

struct child {
    struct {
        bool open;
        void (*got)(void *context, const char *data, ssize_t length);
        void *context;
    } streams[3];
    void (*ended)(void *context);
    void *end_context;
    bool over, told, killed, closed;
    struct child_end end;
    struct {
        void (*written)(void *context, int status);
        void *context;
    } writes[WRITES];
    size_t write_count;
    struct protocol_reader heard; /* what the host says */
    size_t heard_count;
};

static struct child process;

int child_start(const struct child_options *options, struct child_start *start) {
    (void)options;
    (void)start;
    return ENOENT; /* children are adopted here, never launched */
}

int child_adopt(struct child_start *start, struct child **child) {
    (void)start;
    process = (struct child){ .streams = { { .open = true }, { .open = true }, { .open = true } } };
    protocol_reader_start(&process.heard, PROTOCOL_FROM_HOST);
    *child = &process;
    return 0;
}

void child_wait(struct child *child, void (*ended)(void *context), void *context) {
    child->ended = ended;
    child->end_context = context;
}

bool child_ended(const struct child *child, struct child_end *end) {
    if (child->over)
        *end = child->end;
    return child->over;
}

int child_kill(struct child *child, int signal) {
    demand(!child->closed && (signal == SIGTERM || signal == SIGKILL));
    if (child->over)
        return ESRCH;
    demand(signal == SIGTERM || child->told); /* the supervisor is asked before it is killed */
    child->told = true;
    child->killed = child->killed || signal == SIGKILL;
    return 0;
}

void child_read(struct child *child, enum child_stream index, void (*got)(void *, const char *, ssize_t),
                void *context) {
    demand(!child->closed && !child->streams[index].got);
    if (!child->streams[index].open) {
        got(context, NULL, 0);
        return;
    }
    child->streams[index].got = got;
    child->streams[index].context = context;
}

static void hear(struct child *child, const char *data, size_t length) {
    struct protocol_message message;
    while (give(&child->heard, &data, &length))
        while (protocol_reader_next(&child->heard, &message) == PROTOCOL_MESSAGE)
            demand((message.type == PROTOCOL_BUILD) == (child->heard_count++ == 0));
    demand(!child->heard.broken && !child->heard.length); /* whole frames only */
}

int child_write(struct child *child, const char *data, size_t length, void (*written)(void *context, int status),
                void *context) {
    demand(!child->closed);
    if (!child->streams[CHILD_STDIN].open || child->write_count == WRITES)
        return EPIPE;
    hear(child, data, length);
    child->writes[child->write_count].written = written;
    child->writes[child->write_count++].context = context;
    return 0;
}

static void finish_writes(int status) {
    size_t count = process.write_count;
    process.write_count = 0;
    for (size_t index = 0; index < count; index++)
        process.writes[index].written(process.writes[index].context, status);
}

void child_close(struct child *child, int signal) {
    if (!child)
        return;
    demand(!child->closed && signal == SIGTERM);
    child->closed = true;
}

/* One piece, or its end (length 0) or an error of it. False when nobody reads. */
static bool deliver(enum child_stream index, const char *data, ssize_t length) {
    void (*got)(void *, const char *, ssize_t) = process.streams[index].got;
    if (!got || process.closed)
        return false;
    process.streams[index].got = NULL;
    if (length <= 0)
        process.streams[index].open = false;
    got(process.streams[index].context, data, length);
    return true;
}

static void end_process(bool exited, int code) {
    if (process.over || process.closed)
        return;
    process.over = true;
    process.end = (struct child_end){ .exited = exited, .code = code };
    if (process.ended)
        process.ended(process.end_context);
}

/* ---- the clock ---- */

struct timer {
    void (*expired)(void *context);
    void *context;
    bool fired;
};

static struct timer *timer; /* a session has one at a time */

struct timer *timer_start(long long milliseconds, void (*expired)(void *context), void *context) {
    demand(!timer && milliseconds > 0);
    timer = malloc(sizeof *timer);
    demand(timer);
    *timer = (struct timer){ expired, context, false };
    return timer;
}

void timer_stop(struct timer *stopped) {
    if (!stopped)
        return;
    demand(stopped == timer);
    timer = NULL;
    free(stopped);
}

static void pass_time(void) {
    if (!timer || timer->fired)
        return;
    timer->fired = true; /* once */
    timer->expired(timer->context);
    if (process.killed)
        end_process(false, SIGKILL);
}

/* ---- the host ---- */

enum request { REQUEST_NONE, REQUEST_BUILD, REQUEST_SUBMIT, REQUEST_CASE, REQUEST_CLOSE };

struct host {
    struct session *session;
    enum request pending;
    unsigned requests; /* counted, so that a callback belongs to the last one */
    bool built, submitted, closed;
    uint32_t number;
    struct protocol_limits limits, case_limits;
};

static struct host host;

/* The runner can't say more than words of its own, and none that blames the student. */
static bool is_code(const char *code) {
    static const char *const codes[] = { "arguments",   "cgroup",   "cancelled",  "container", "environment",
                                         "interpreter", "launcher", "memory",     "protocol",  "runner",
                                         "sandbox",     "scrub",    "submission", "walls" };
    for (size_t index = 0; index < sizeof codes / sizeof *codes; index++)
        if (!strcmp(code, codes[index]))
            return true;
    return false;
}

static void check_result(void) {
    const struct session_result *result = session_result(host.session);
    demand(result->result.case_number == host.number);
    demand(result->result.ending >= PROTOCOL_ENDING_EXIT && result->result.ending <= PROTOCOL_ENDING_OUTPUT);
    demand(result->result.exit_code < 256 && result->result.signal <= 64);
}

/* However it ends, no more is kept than was allowed. */
static void check_room(void) {
    const struct session_result *result = session_result(host.session);
    size_t most = host.case_limits.output_bytes ? host.case_limits.output_bytes : 1;
    demand(result->output.length <= most && result->output.capacity <= 2 * most + PIECE_BYTES);
    demand(result->errors.length <= PROTOCOL_STDERR_KEPT && result->errors.capacity <= 2 * PROTOCOL_STDERR_KEPT);
}

static void done(void *context, const struct session_error *error) {
    enum request ended = host.pending;
    demand(ended != REQUEST_NONE && context == (void *)(uintptr_t)host.requests);
    host.pending = REQUEST_NONE;
    if (error) {
        demand(ended != REQUEST_CLOSE);
        demand(is_code(error->code) && strnlen(error->message, sizeof error->message) < sizeof error->message);
    } else if (ended == REQUEST_CLOSE) {
        demand(process.over);
    } else {
        const char *accounting = session_accounting(host.session);
        demand(session_usable(host.session));
        demand(!strcmp(accounting, "cgroup") || !strcmp(accounting, "container") || !strcmp(accounting, "rlimit"));
        if (ended == REQUEST_CASE)
            check_result();
    }
}

static void *begin(enum request request) {
    host.pending = request;
    return (void *)(uintptr_t)++host.requests;
}

static void build(void) {
    host.built = true;
    session_build(host.session, &host.limits, done, begin(REQUEST_BUILD));
}

static void submit(struct script *script) {
    static const char *const environment[] = { "LANG=C.UTF-8", NULL };
    struct protocol_writer *writer = session_writer(host.session);
    struct protocol_bytes source = script_bytes(script);
    /* One in so many doesn't fit the protocol's bounds. */
    const char *name = script_byte(script) % 8 == 7 ? ".." : "program.py";
    protocol_write_file(writer, name, source.data, source.length);
    protocol_write_submission(writer, name, "/usr/bin/python3", "", environment, &host.limits);
    host.submitted = true;
    session_submit(host.session, done, begin(REQUEST_SUBMIT));
    demand(!host.pending);
}

static void start_case(struct script *script) {
    uint8_t kind = script_byte(script);
    struct protocol_bytes input = script_bytes(script);
    host.number = 1 + kind % 4;
    host.case_limits = host.limits;
    if (kind & 128)
        host.case_limits.output_bytes = kind & 64 ? host.limits.output_bytes / 2 : 0;
    protocol_write_case(session_writer(host.session), host.number, &host.case_limits, input.data, input.length, NULL,
                        0);
    session_case(host.session, host.number, &host.case_limits, done, begin(REQUEST_CASE));
}

static void close_session(void) {
    host.closed = true;
    session_close(host.session, done, begin(REQUEST_CLOSE));
}

/* Why it broke is told once. */
static void check_untold(void) {
    const struct session_error *error = session_take_error(host.session);
    demand(!error || is_code(error->code));
    demand(!session_take_error(host.session));
}

/* What the binding's callers can do: one request at a time, in order; giving up on one but for closing. */
static void request(struct script *script) {
    switch (script_byte(script) % 4) {
    case 0:
        if (host.pending && host.pending != REQUEST_CLOSE)
            session_abandon(host.session);
        break;
    case 1:
        if (!host.pending && !host.closed)
            close_session();
        break;
    default:
        if (!host.built && !host.closed) {
            build();
            break;
        }
        if (host.pending || host.closed)
            break;
        if (!session_usable(host.session)) {
            check_untold();
            break;
        }
        if (host.submitted)
            start_case(script);
        else
            submit(script);
    }
}

/* ---- the script ---- */

/* What the runner has said and nobody has read yet; and what was read, as the protocol sees it. */
static struct protocol_writer said;
static struct protocol_reader judge;

/* A stream that broke is given up at once, not when time runs out. */
static void check_unbroken(const char *data, size_t length) {
    struct protocol_message message;
    while (give(&judge, &data, &length))
        while (protocol_reader_next(&judge, &message) == PROTOCOL_MESSAGE)
            continue;
    demand(!judge.broken || host.closed || (!host.pending && !session_usable(host.session)));
}

static bool read_some(size_t most) {
    char piece[PIECE_BYTES];
    size_t length = said.length < most ? said.length : most;
    length = length < sizeof piece ? length : sizeof piece;
    if (!length)
        return false;
    memcpy(piece, said.data, length);
    protocol_writer_sent(&said, length);
    if (!deliver(CHILD_STDOUT, piece, (ssize_t)length))
        return false;
    check_unbroken(piece, length);
    return true;
}

static void step(struct script *script) {
    struct protocol_bytes bytes;
    switch (script_byte(script) % 16) {
    case 0:
    case 1:
    case 2:
    case 3: script_runner(script, &said); break;
    case 4:
    case 5:
    case 6: read_some(PIECE_BYTES); break;
    case 7: read_some(script_byte(script)); break;
    case 8:
    case 9:
    case 10: request(script); break;
    case 11: pass_time(); break;
    case 12: finish_writes(script_byte(script) & 1 ? -EPIPE : 0); break;
    case 13:
        bytes = script_bytes(script);
        if (bytes.length)
            deliver(CHILD_STDERR, (const char *)bytes.data, (ssize_t)bytes.length);
        break;
    case 14:
        deliver(script_byte(script) & 1 ? CHILD_STDERR : CHILD_STDOUT, NULL, script_byte(script) & 1 ? -EIO : 0);
        break;
    default: {
        uint8_t how = script_byte(script);
        process.streams[CHILD_STDIN].open = false;
        end_process(how & 1, how & 1 ? how >> 5 : SIGKILL);
    }
    }
}

/* A request under way ends: by an answer, or by the clock, or because the process can't outlive SIGKILL. */
static void check_progress(void) {
    demand(!host.pending || (timer && !timer->fired) || (process.killed && !process.over));
    check_room();
}

/* Nobody says anything any more. */
static void wait_for_end(void) {
    for (int expired = 0; host.pending && expired < END_TIMERS; expired++)
        pass_time();
    demand(!host.pending);
}

static void close_all(void) {
    while (read_some(PIECE_BYTES))
        check_progress();
    wait_for_end();
    if (!host.closed) {
        close_session();
        check_progress();
        wait_for_end();
    }
    demand(process.over);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct script script = { data, size };
    struct child_start start = { .pid = -1, .pidfd = -1, .pipes = { -1, -1, -1 } };
    host = (struct host){ .limits = script_limits(&script) };
    host.case_limits = host.limits;
    uint8_t course = script_byte(&script);
    bool closes = course & 1, builds_later = course & 2;
    struct transport *transport;
    protocol_writer_start(&said, SAID_BYTES);
    protocol_reader_start(&judge, PROTOCOL_FROM_RUNNER);

    demand(sandbox_child_adopt(&start, &transport) == 0);
    host.session = session_open(transport);
    demand(host.session);
    if (!builds_later)
        build();
    while (script.left) {
        step(&script);
        check_progress();
    }
    if (closes)
        close_all(); /* otherwise it is freed as it stands */
    host.pending = REQUEST_NONE;
    session_free(host.session);
    finish_writes(-ECANCELED);
    demand(process.closed && !timer);
    protocol_reader_end(&process.heard);
    protocol_reader_end(&judge);
    protocol_writer_end(&said);
    return 0;
}
