#include "attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#include "attach_frames.h"
#include "loop.h"

enum { READ_SIZE = 65536 };

/* ANSWER: its head is awaited; REFUSAL: the body of one; OPEN: the streams. */
enum phase { PHASE_CONNECT, PHASE_ANSWER, PHASE_REFUSAL, PHASE_OPEN, PHASE_OVER };

struct attach {
    struct transport transport;
    uv_pipe_t pipe;
    uv_connect_t connecting;
    uv_write_t asking;
    enum phase phase;
    bool starting, released, closed; /* released: by its user; closed: libuv is through with the pipe */
    bool heard;                      /* the container has said something */
    char socket[sizeof((struct sockaddr_un *)0)->sun_path];
    struct buffer request;
    struct attach_head head;
    struct buffer body; /* of a refusal; or what came behind the head before anybody wanted it */
    struct attach_frames frames;
    int error; /* that ended the streams: an errno value, 0 for their end in good order */
    struct timer *timer;
    int64_t timeout_ms;
    struct attach_answer answer;
    void (*done)(void *context);
    void *context;
};

/* ---- the end of it ---- */

static void destroy(struct attach *attach) {
    buffer_clear(&attach->request);
    buffer_clear(&attach->body);
    attach_head_clear(&attach->head);
    free(attach);
}

static void on_closed(uv_handle_t *handle) {
    struct attach *attach = handle->data;
    attach->closed = true;
    if (attach->released)
        destroy(attach);
}

static void stop_timer(struct attach *attach) {
    timer_stop(attach->timer);
    attach->timer = NULL;
}

static void disconnect(struct attach *attach) {
    stop_timer(attach);
    if (attach->phase != PHASE_OVER)
        uv_close((uv_handle_t *)&attach->pipe, on_closed);
    attach->phase = PHASE_OVER;
}

void attach_close(struct attach *attach) {
    if (!attach)
        return;
    attach->released = true;
    disconnect(attach);
    if (attach->closed)
        destroy(attach);
}

static void tell(struct attach *attach) {
    attach->answer.ended = true;
    if (!attach->starting)
        attach->done(attach->context);
}

static void fail(struct attach *attach, enum attach_failure failure, const char *message) {
    attach->answer.failure = failure;
    snprintf(attach->answer.message, sizeof attach->answer.message, "%s: %s", attach->socket, message);
    disconnect(attach);
    tell(attach);
}

static void fail_by_error(struct attach *attach, enum attach_failure failure, const char *what, int error) {
    char message[256];
    const char *hint = error == EACCES                            ? "; this user may not use the socket"
                       : error == ENOENT || error == ECONNREFUSED ? "; is the container engine running?"
                                                                  : "";
    snprintf(message, sizeof message, "%s: %s (%s)%s", what, loop_error_text(error), loop_error_name(error), hint);
    fail(attach, failure, message);
}

/* ---- a refusal ---- */

static void refuse(struct attach *attach, const char *reason) {
    char message[ATTACH_REASON_BYTES + 96];
    const char *what = attach->head.status == 200 ? " without the container's streams" : "";
    attach->answer.status = attach->head.status;
    snprintf(message, sizeof message, "the container engine answered with status %d%s%s%s", attach->head.status, what,
             *reason ? ": " : "", reason);
    fail(attach, ATTACH_REFUSED, message);
}

/* finished: no more of the body comes, or is waited for. */
static void check_refusal(struct attach *attach, bool finished) {
    char reason[ATTACH_REASON_BYTES] = "";
    int64_t announced = attach_head_body_bytes(&attach->head);
    finished = finished || attach->body.failed || (announced >= 0 && (uint64_t)announced <= attach->body.length);
    if (attach_refusal_reason(attach->body.data, attach->body.length, finished, reason) || finished)
        refuse(attach, reason);
}

/* ---- the streams ---- */

static void end_streams(struct attach *attach, int error) {
    attach->error = error;
    disconnect(attach);
    attach->transport.ended = attach->transport.drained = true;
    attach->transport.user.over(attach->transport.user.context);
}

static void take_streams(struct attach *attach, const char *data, size_t length) {
    const struct transport_user *user = &attach->transport.user;
    struct attach_piece piece;
    enum attach_step step = ATTACH_MORE;
    while (attach->phase == PHASE_OPEN &&
           (step = attach_frames_next(&attach->frames, &data, &length, &piece)) == ATTACH_READY) {
        attach->heard = true;
        user->got(user->context, piece.stream, piece.data, piece.length);
    }
    if (attach->phase == PHASE_OPEN && step == ATTACH_BROKEN)
        end_streams(attach, EPROTO);
}

/* ---- what comes ---- */

/* Nothing is given before somebody wants it: what came behind the head waits in the body, the rest in the socket. */
static void open_streams(struct attach *attach, const char *data, size_t length) {
    uv_read_stop((uv_stream_t *)&attach->pipe);
    stop_timer(attach);
    if (!buffer_append(&attach->body, data, length)) {
        fail(attach, ATTACH_MEMORY, "out of memory");
        return;
    }
    attach->phase = PHASE_OPEN;
    tell(attach);
}

static void take_answer(struct attach *attach, const char *data, size_t length) {
    enum attach_step step = attach_head_take(&attach->head, &data, &length);
    if (step == ATTACH_BROKEN) {
        char message[128];
        snprintf(message, sizeof message, "whoever listens there is no container engine: %s", attach->head.broken);
        fail(attach, ATTACH_CUT, message);
    } else if (step == ATTACH_READY && attach_head_opens(&attach->head)) {
        open_streams(attach, data, length);
    } else if (step == ATTACH_READY) {
        attach->phase = PHASE_REFUSAL;
        attach->body.limit = ATTACH_REFUSAL_BYTES;
        buffer_fill(&attach->body, data, length);
        check_refusal(attach, false);
    }
}

/* error: an errno value, 0 for an end in good order. */
static void take_end(struct attach *attach, int error) {
    if (attach->phase == PHASE_OPEN)
        end_streams(attach, error);
    else if (attach->phase == PHASE_REFUSAL)
        check_refusal(attach, true);
    else if (error)
        fail_by_error(attach, ATTACH_CUT, "the container engine cut the connection before it answered", error);
    else
        fail(attach, ATTACH_CUT, "the container engine closed the connection before it answered");
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    static char block[READ_SIZE]; /* one thread, and each read is handed on before the next */
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(block, sizeof block);
}

static void on_read(uv_stream_t *handle, ssize_t length, const uv_buf_t *buffer) {
    struct attach *attach = handle->data;
    if (length < 0) {
        take_end(attach, length == UV_EOF ? 0 : (int)-length);
    } else if (attach->phase == PHASE_OPEN) {
        take_streams(attach, buffer->base, (size_t)length);
    } else if (attach->phase == PHASE_REFUSAL) {
        buffer_fill(&attach->body, buffer->base, (size_t)length);
        check_refusal(attach, false);
    } else {
        take_answer(attach, buffer->base, (size_t)length);
    }
}

/* ---- the request ---- */

static void on_asked(uv_write_t *request, int status) {
    (void)request;
    (void)status; /* who doesn't take the request has closed the connection, or answered: reading tells which */
}

static void on_connected(uv_connect_t *request, int status) {
    struct attach *attach = request->data;
    if (attach->phase == PHASE_OVER)
        return;
    if (status < 0) {
        fail_by_error(attach, ATTACH_CONNECT, "no connection to the container engine", -status);
        return;
    }
    uv_stream_t *stream = (uv_stream_t *)&attach->pipe;
    uv_buf_t text = { .base = attach->request.data, .len = attach->request.length };
    attach->phase = PHASE_ANSWER;
    status = uv_write(&attach->asking, stream, &text, 1, on_asked);
    if (status == 0)
        status = uv_read_start(stream, on_allocate, on_read);
    if (status < 0)
        fail_by_error(attach, ATTACH_CUT, "the container engine can't be asked", -status);
}

static void on_deadline(void *context) {
    struct attach *attach = context;
    char message[96];
    if (attach->phase == PHASE_REFUSAL) {
        check_refusal(attach, true);
        return;
    }
    snprintf(message, sizeof message, "timed out: no answer of the container engine within %lld ms",
             (long long)attach->timeout_ms);
    fail(attach, ATTACH_TIMEOUT, message);
}

/* ---- as a transport ---- */

static void start_transport(struct transport *transport) {
    struct attach *attach = (struct attach *)transport;
    int status = uv_read_start((uv_stream_t *)&attach->pipe, on_allocate, on_read);
    take_streams(attach, attach->body.data, attach->body.length);
    buffer_clear(&attach->body);
    if (status < 0 && attach->phase == PHASE_OPEN)
        end_streams(attach, -status);
}

static int write_transport(struct transport *transport, const char *data, size_t length, void (*written)(void *, int),
                           void *context) {
    struct attach *attach = (struct attach *)transport;
    if (attach->phase != PHASE_OPEN)
        return EPIPE;
    return loop_write((struct uv_stream_s *)&attach->pipe, data, length, written, context);
}

/* Not uv_shutdown, which lets everything be written first: somebody who doesn't read would never be stopped. Of a container that
 * has said nothing, and may never have been started, no end would be told. */
static void stop_transport(struct transport *transport, bool hard) {
    struct attach *attach = (struct attach *)transport;
    uv_os_fd_t descriptor;
    if (attach->phase != PHASE_OPEN)
        return;
    if (hard || !attach->heard || uv_fileno((uv_handle_t *)&attach->pipe, &descriptor) < 0 ||
        shutdown(descriptor, SHUT_WR) < 0)
        end_streams(attach, ECANCELED);
}

static const char *explain_end(const struct transport *transport, const char *errors, char *message, size_t size) {
    const struct attach *attach = (const struct attach *)transport;
    const char *reason = attach->frames.broken;
    if (!reason && attach->error)
        reason = loop_error_text(attach->error);
    else if (!reason && !attach_frames_whole(&attach->frames))
        reason = "in the middle of a frame";
    snprintf(message, size, "the container's stream ended unexpectedly%s%s%s%s%s", reason ? " (" : "",
             reason ? reason : "", reason ? ")" : "", *errors ? ": " : "", errors);
    return attach->frames.broken ? "protocol" : "cut";
}

static void close_transport(struct transport *transport) {
    attach_close((struct attach *)transport);
}

struct transport *attach_transport(struct attach *attach) {
    static const struct transport_class attach_class = {
        .start = start_transport,
        .write = write_transport,
        .stop = stop_transport,
        .explain = explain_end,
        .close = close_transport,
    };
    attach->transport.class = &attach_class;
    return &attach->transport;
}

/* ---- the beginning ---- */

static void start(struct attach *attach, const struct attach_options *options) {
    if (strlen(options->socket) >= sizeof attach->socket) {
        fail_by_error(attach, ATTACH_CONNECT, "no connection to the container engine", ENAMETOOLONG);
        return;
    }
    if (!buffer_format(&attach->request,
                       "POST %s HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                       "Content-Length: 0\r\n\r\n",
                       options->path) ||
        !(attach->timer = timer_start(options->timeout_ms, on_deadline, attach))) {
        fail(attach, ATTACH_MEMORY, "out of memory");
        return;
    }
    uv_pipe_connect(&attach->connecting, &attach->pipe, attach->socket, on_connected);
}

struct attach *attach_start(const struct attach_options *options, void (*done)(void *context), void *context) {
    struct attach *attach = calloc(1, sizeof *attach);
    if (!attach)
        return NULL;
    snprintf(attach->socket, sizeof attach->socket, "%s", options->socket);
    attach->timeout_ms = options->timeout_ms;
    attach->done = done;
    attach->context = context;
    uv_pipe_init(loop_get(), &attach->pipe, 0);
    attach->pipe.data = attach->connecting.data = attach;
    attach->starting = true;
    start(attach, options);
    attach->starting = false;
    return attach;
}

const struct attach_answer *attach_answer(const struct attach *attach) {
    return &attach->answer;
}
