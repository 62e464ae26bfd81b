#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <uv.h>

#include "curl_loop.h"
#include "http_failure.h"
#include "loop.h"

/* What a streamed answer may hold that nobody read yet; then curl stops reading from the connection. */
enum { STREAM_BUFFER_BYTES = 256 << 10 };

struct http_transfer {
    CURL *easy;
    struct curl_slist *lines;
    struct http_answer answer;
    struct http_target target;
    char error[CURL_ERROR_SIZE];
    CURLcode refused; /* of the options */
    int open_error;   /* why the last socket couldn't be opened, which curl doesn't tell */
    void (*changed)(void *context);
    void *context;
    bool starting, active, head_only, streamed;
    bool connected; /* the request went out, or is about to */
    bool once;      /* whatever happens */
    size_t limit_bytes, received_bytes;
    /* deadlines, in milliseconds of the monotonic clock */
    uv_timer_t timer;
    int64_t timeout_ms, connect_timeout_ms, stall_ms;
    int64_t begun_ms, moved_ms;
    curl_off_t moved_bytes;
    /* streamed up */
    const char *piece;
    size_t piece_left;
    bool up_paused, down_paused;
};

static const struct curl_library *curl;
static unsigned transfers; /* not closed yet */

/* ---- the end of a transfer ---- */

static void tell(struct http_transfer *transfer) {
    if (!transfer->starting && (transfer->streamed || transfer->answer.ended))
        transfer->changed(transfer->context);
}

static void end(struct http_transfer *transfer) {
    struct http_answer *answer = &transfer->answer;
    long connections = 0;
    transfer->active = false;
    uv_timer_stop(&transfer->timer);
    curl->easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connections);
    answer->reused = connections == 0;
    answer->ended = true;
    tell(transfer);
}

static void fail(struct http_transfer *transfer, enum http_failure failure, const char *message) {
    struct http_answer *answer = &transfer->answer;
    if (answer->failure)
        return;
    answer->failure = failure;
    snprintf(answer->message, sizeof answer->message, "%s: %s", transfer->target.authority, message);
}

/* It ended by itself. */
static void on_ended(void *owner, CURLcode result) {
    struct http_transfer *transfer = owner;
    long connect_status = 0, system_error = 0;
    if (result == CURLE_OK && !transfer->answer.headed)
        fail(transfer, HTTP_CUT, "the connection was cut: it ended in the middle of the answer's head");
    if (result != CURLE_OK && !transfer->answer.failure) {
        curl->easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
        curl->easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &system_error);
        struct http_end description = {
            .result = result,
            .text = *transfer->error ? transfer->error : curl->easy_strerror(result),
            .connected = transfer->connected,
            .system_error = transfer->open_error ? transfer->open_error : (int)system_error,
            .proxy_status = (int)connect_status,
            .connect_timeout_ms = transfer->connect_timeout_ms,
            .ca_file = transfer->target.ca_file,
        };
        char message[704];
        enum http_failure failure = http_failure_describe(&description, message, sizeof message);
        fail(transfer, failure, message);
    }
    end(transfer);
}

/* ---- deadlines ---- */

static int64_t now_ms(void) {
    return (int64_t)(uv_hrtime() / 1000000);
}

static void moved(struct http_transfer *transfer) {
    transfer->moved_ms = now_ms();
}

/* Time in which the peer waits for us is no stall of its. */
static bool waits_for_us(const struct http_transfer *transfer) {
    return transfer->up_paused || transfer->down_paused;
}

static int64_t stage_due(const struct http_transfer *transfer) {
    if (!transfer->connected)
        return transfer->begun_ms + transfer->connect_timeout_ms;
    return transfer->moved_ms + transfer->stall_ms;
}

static void on_deadline(uv_timer_t *timer);

static void arm(struct http_transfer *transfer) {
    int64_t due = transfer->begun_ms + transfer->timeout_ms;
    if (stage_due(transfer) < due)
        due = stage_due(transfer);
    int64_t left = due - now_ms();
    uv_update_time(loop_get());
    uv_timer_start(&transfer->timer, on_deadline, left > 0 ? (uint64_t)left : 0, 0);
}

static void time_out(struct http_transfer *transfer, const char *what, int64_t milliseconds) {
    char message[128];
    snprintf(message, sizeof message, "timed out: %s %lld ms", what, (long long)milliseconds);
    fail(transfer, HTTP_TIMEOUT, message);
}

/* Is there time left? If not, it has failed, and is to be ended. */
static bool in_time(struct http_transfer *transfer) {
    int64_t now = now_ms();
    if (waits_for_us(transfer))
        transfer->moved_ms = now;
    if (now >= transfer->begun_ms + transfer->timeout_ms)
        time_out(transfer, "no whole answer within", transfer->timeout_ms);
    else if (now < stage_due(transfer))
        return true;
    else if (transfer->connected)
        time_out(transfer, "not a byte either way for", transfer->stall_ms);
    else
        time_out(transfer, "no connection within", transfer->connect_timeout_ms);
    return false;
}

static void on_deadline(uv_timer_t *timer) {
    struct http_transfer *transfer = timer->data;
    if (in_time(transfer)) {
        arm(transfer);
        return;
    }
    /* A connection of HTTP/2 outlives a stream that is given up. One on which nothing comes may be dead, and would be the next
     * request's, and the one's after that. */
    curl->easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
    curl_loop_remove(transfer->easy);
    end(transfer);
}

/* ---- what curl asks and tells ---- */

/* As curl would, but not for programs that somebody starts meanwhile. */
static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    struct http_transfer *transfer = context;
    (void)purpose;
    int descriptor = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    transfer->open_error = descriptor < 0 ? errno : 0;
    return descriptor;
}

static int on_connected(void *context, char *peer, char *own, int peer_port, int own_port) {
    struct http_transfer *transfer = context;
    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    if (transfer->connected && transfer->once) {
        fail(transfer, HTTP_CUT, "the connection was cut: a kept one ended without a word, and nothing is sent twice");
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->answer.resent = transfer->connected;
    transfer->connected = true;
    moved(transfer);
    arm(transfer);
    return CURL_PREREQFUNC_OK;
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up) {
    struct http_transfer *transfer = context;
    (void)down_total;
    (void)up_total;
    if (down + up != transfer->moved_bytes) {
        transfer->moved_bytes = down + up;
        moved(transfer);
    }
    /* The timer doesn't come while curl reads on and on, as it does what a proxy says after it declined. */
    return in_time(transfer) ? 0 : 1;
}

static void too_large(struct http_transfer *transfer, const char *what, size_t limit) {
    char message[128];
    snprintf(message, sizeof message, "the answer's %s is larger than the %zu bytes allowed", what, limit);
    fail(transfer, HTTP_TOO_LARGE, message);
}

/* Status and fields are whole, those of an answer that is no mere 100. */
static bool head_complete(struct http_transfer *transfer) {
    struct http_answer *answer = &transfer->answer;
    long status = 0, version = 0;
    curl_off_t length = -1;
    curl->easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return true;
    curl->easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
    curl->easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    answer->status = (int)status;
    answer->version = version == CURL_HTTP_VERSION_1_0 ? 10 : version >= CURL_HTTP_VERSION_2_0 ? 20 : 11;
    bool has_body = !transfer->head_only && status != 204 && status != 304;
    if (has_body && length > 0 && (uint64_t)length > transfer->limit_bytes) {
        too_large(transfer, "body", transfer->limit_bytes);
        return false;
    }
    answer->headed = answer->fields.last = true;
    tell(transfer);
    return true;
}

static size_t on_line(char *line, size_t size, size_t count, void *context) {
    struct http_transfer *transfer = context;
    struct http_fields *fields = &transfer->answer.fields;
    size_t length = size * count;
    moved(transfer);
    if (!http_fields_take(fields, line, length)) {
        if (fields->text.failed)
            fail(transfer, HTTP_MEMORY, "out of memory");
        else
            too_large(transfer, "header", HTTP_FIELDS_LIMIT_BYTES);
        return 0;
    }
    if (fields->complete && !transfer->answer.headed && !head_complete(transfer))
        return 0;
    return length;
}

static size_t on_body(char *data, size_t size, size_t count, void *context) {
    struct http_transfer *transfer = context;
    struct buffer *body = &transfer->answer.body;
    size_t length = size * count;
    if (transfer->streamed && body->length >= STREAM_BUFFER_BYTES) {
        transfer->down_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    moved(transfer);
    if (length > transfer->limit_bytes - transfer->received_bytes) {
        too_large(transfer, "body", transfer->limit_bytes);
        return 0;
    }
    if (!buffer_append(body, data, length)) {
        fail(transfer, HTTP_MEMORY, "out of memory");
        return 0;
    }
    transfer->received_bytes += length;
    tell(transfer);
    return length;
}

static size_t on_wanted(char *into, size_t size, size_t count, void *context) {
    struct http_transfer *transfer = context;
    size_t length = size * count;
    if (!transfer->piece_left) {
        transfer->up_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    moved(transfer);
    if (length > transfer->piece_left)
        length = transfer->piece_left;
    memcpy(into, transfer->piece, length);
    transfer->piece += length;
    transfer->piece_left -= length;
    if (!transfer->piece_left)
        tell(transfer);
    return length;
}

/* ---- options ---- */

static bool add_line(struct http_transfer *transfer, const char *line) {
    struct curl_slist *longer = curl->slist_append(transfer->lines, line);
    if (longer)
        transfer->lines = longer;
    return longer != NULL;
}

static bool has_field(const struct http_request *request, const char *name) {
    for (size_t index = 0; index < request->field_count; index++)
        if (!strcasecmp(request->fields[index].name, name))
            return true;
    return false;
}

/* "Name: value"; "Name;" is how curl is told to send a name without a value, and "Name:" to leave a header of its own out. */
static bool add_fields(struct http_transfer *transfer, const struct http_request *request) {
    static const char *const unwanted[] = { "Accept", "Content-Type", "Expect" };
    struct buffer line = { 0 };
    bool good = true;
    for (size_t index = 0; good && index < request->field_count; index++) {
        const struct http_field *field = &request->fields[index];
        bool empty = !field->value[strspn(field->value, " \t")];
        line.length = 0;
        good = (empty ? buffer_format(&line, "%s;", field->name)
                      : buffer_format(&line, "%s: %s", field->name, field->value)) &&
               buffer_append_byte(&line, '\0') && add_line(transfer, line.data);
    }
    buffer_clear(&line);
    for (size_t index = 0; good && index < sizeof unwanted / sizeof *unwanted; index++) {
        char removed[32];
        snprintf(removed, sizeof removed, "%s:", unwanted[index]);
        good = has_field(request, unwanted[index]) || add_line(transfer, removed);
    }
    return good;
}

/* Notes why not. */
static bool was_set(struct http_transfer *transfer, CURLcode result) {
    if (result != CURLE_OK)
        transfer->refused = result;
    return result == CURLE_OK;
}

#define SET(option, value) was_set(transfer, curl->easy_setopt(transfer->easy, option, value))

static bool set_method(struct http_transfer *transfer, const struct http_request *request) {
    bool good = true;
    transfer->head_only = !strcmp(request->method, "HEAD");
    if (transfer->head_only)
        return SET(CURLOPT_NOBODY, 1L);
    if (request->streamed && request->upload_bytes >= 0)
        good = SET(CURLOPT_UPLOAD, 1L) && SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->upload_bytes) &&
               SET(CURLOPT_READFUNCTION, on_wanted) && SET(CURLOPT_READDATA, transfer);
    else if (request->body)
        good = SET(CURLOPT_POST, 1L) && SET(CURLOPT_POSTFIELDS, request->body) &&
               SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    return good && SET(CURLOPT_CUSTOMREQUEST, request->method);
}

/* Of other protocols there is no URL that gets this far (http_target_read): a second wall. */
static bool set_protocols(struct http_transfer *transfer) {
    if (curl->has_protocol_names)
        return SET(CURLOPT_PROTOCOLS_STR, "http,https");
    return SET(CURLOPT_PROTOCOL_BITS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
}

static bool set_peer(struct http_transfer *transfer, const struct http_request *request) {
    /* A stream of HTTP/2 that waits for its reader isn't held back: libcurl takes in as much as its window is large, 32 MiB. */
    const long version = request->streamed ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;
    bool good = SET(CURLOPT_URL, request->url) && SET(CURLOPT_PATH_AS_IS, 1L) && set_protocols(transfer) &&
                SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) && SET(CURLOPT_HTTP_VERSION, version) &&
                SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
                SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
                SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (good && request->unix_socket)
        /* libcurl keeps connections apart by it. */
        good = SET(CURLOPT_UNIX_SOCKET_PATH, request->unix_socket) && SET(CURLOPT_PROXY, "");
    else if (good && request->proxy)
        /* A proxy that was named is used for every host, whatever no_proxy says; "" is none. */
        good = SET(CURLOPT_PROXY, request->proxy) && SET(CURLOPT_NOPROXY, "");
    const char *ca_file = transfer->target.ca_file;
    if (good && ca_file)
        /* Without a folder beside it: a folder would be searched as well, and keeps curl from caching the file's authorities. */
        good = SET(CURLOPT_CAINFO, ca_file) && SET(CURLOPT_CAPATH, NULL) && SET(CURLOPT_PROXY_CAINFO, ca_file) &&
               SET(CURLOPT_PROXY_CAPATH, NULL);
    return good && (!curl->has_cache_and_exit || SET(CURLOPT_CA_CACHE_TIMEOUT, 600L));
}

static bool set_course(struct http_transfer *transfer) {
    return SET(CURLOPT_PRIVATE, transfer) && SET(CURLOPT_ERRORBUFFER, transfer->error) && SET(CURLOPT_NOSIGNAL, 1L) &&
           /* A resolver's thread that is still at work when the transfer is given up must not be waited for. */
           (!curl->has_cache_and_exit || SET(CURLOPT_QUICK_EXIT, 1L)) && SET(CURLOPT_TCP_KEEPALIVE, 1L) &&
           /* Divides the time among a host's addresses; the deadline itself is kept here. */
           SET(CURLOPT_CONNECTTIMEOUT_MS, (long)transfer->connect_timeout_ms) && SET(CURLOPT_NOPROGRESS, 0L) &&
           SET(CURLOPT_XFERINFOFUNCTION, on_progress) && SET(CURLOPT_XFERINFODATA, transfer) &&
           SET(CURLOPT_OPENSOCKETFUNCTION, on_open) && SET(CURLOPT_OPENSOCKETDATA, transfer) &&
           SET(CURLOPT_PREREQFUNCTION, on_connected) && SET(CURLOPT_PREREQDATA, transfer) &&
           SET(CURLOPT_HEADERFUNCTION, on_line) && SET(CURLOPT_HEADERDATA, transfer) &&
           SET(CURLOPT_WRITEFUNCTION, on_body) && SET(CURLOPT_WRITEDATA, transfer);
}

static bool prepare(struct http_transfer *transfer, const struct http_request *request) {
    transfer->easy = curl->easy_init();
    return transfer->easy && set_method(transfer, request) && set_peer(transfer, request) && set_course(transfer) &&
           add_fields(transfer, request) && SET(CURLOPT_HTTPHEADER, transfer->lines);
}

#undef SET

/* ---- life ---- */

static void start(struct http_transfer *transfer, const struct http_request *request) {
    const char *message;
    if (!http_target_read(&transfer->target, request, &message)) {
        fail(transfer, HTTP_URL, message);
    } else if (!(curl = curl_library(&message))) {
        fail(transfer, HTTP_LIBRARY, message);
    } else if (!curl_loop_open(curl, on_ended)) {
        fail(transfer, HTTP_MEMORY, "out of memory");
    } else if (!prepare(transfer, request)) {
        if (transfer->refused && transfer->refused != CURLE_OUT_OF_MEMORY)
            fail(transfer, HTTP_LIBRARY,
                 "libcurl is built without something that is needed: install Debian's libcurl4");
        else
            fail(transfer, HTTP_MEMORY, "out of memory");
    } else {
        transfer->active = true;
        arm(transfer);
        if (curl_loop_add(transfer->easy))
            return;
        transfer->active = false;
        fail(transfer, HTTP_MEMORY, "out of memory");
    }
    transfer->answer.ended = true;
}

struct http_transfer *http_start(const struct http_request *request, void (*changed)(void *context), void *context) {
    struct http_transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer)
        return NULL;
    transfers++;
    transfer->changed = changed;
    transfer->context = context;
    transfer->streamed = request->streamed;
    transfer->once = request->unix_socket != NULL;
    transfer->limit_bytes = request->limit_bytes;
    transfer->timeout_ms = request->timeout_ms;
    transfer->connect_timeout_ms = request->connect_timeout_ms;
    transfer->stall_ms = request->stall_ms;
    transfer->begun_ms = transfer->moved_ms = now_ms();
    uv_timer_init(loop_get(), &transfer->timer);
    transfer->timer.data = transfer;
    transfer->starting = true;
    start(transfer, request);
    transfer->starting = false;
    return transfer;
}

const struct http_answer *http_answer(const struct http_transfer *transfer) {
    return &transfer->answer;
}

/* Tells curl in which directions the transfer goes on. */
static void go_on(struct http_transfer *transfer) {
    int paused = (transfer->up_paused ? CURLPAUSE_SEND : 0) | (transfer->down_paused ? CURLPAUSE_RECV : 0);
    moved(transfer);
    /* It may hand over what it held back, and that may be too large. */
    CURLcode result = curl->easy_pause(transfer->easy, paused);
    if (result != CURLE_OK) {
        curl_loop_remove(transfer->easy);
        on_ended(transfer, result);
        return;
    }
    curl_loop_run();
}

void http_read(struct http_transfer *transfer, struct buffer *into) {
    struct buffer *body = &transfer->answer.body;
    *into = *body;
    *body = (struct buffer){ 0 };
    if (transfer->active && transfer->down_paused) {
        transfer->down_paused = false;
        go_on(transfer);
    }
}

void http_write(struct http_transfer *transfer, const char *data, size_t length) {
    transfer->piece = data;
    transfer->piece_left = length;
    if (transfer->active && transfer->up_paused) {
        transfer->up_paused = false;
        go_on(transfer);
    }
}

bool http_written(const struct http_transfer *transfer) {
    return !transfer->piece_left;
}

void http_write_stop(struct http_transfer *transfer) {
    transfer->piece = NULL;
    transfer->piece_left = 0;
}

static void on_timer_closed(uv_handle_t *handle) {
    free(handle->data);
}

void http_close(struct http_transfer *transfer) {
    if (!transfer)
        return;
    if (transfer->active)
        curl_loop_remove(transfer->easy);
    if (transfer->easy)
        curl->easy_cleanup(transfer->easy);
    if (transfer->lines)
        curl->slist_free_all(transfer->lines);
    http_target_clear(&transfer->target);
    http_fields_clear(&transfer->answer.fields);
    buffer_clear(&transfer->answer.body);
    transfers--;
    uv_close((uv_handle_t *)&transfer->timer, on_timer_closed);
}

void http_shutdown(void) {
    if (!transfers)
        curl_loop_close();
}
