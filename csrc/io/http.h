/* HTTP requests by libcurl on the process's loop: one transfer a request, connections kept for the next.
 *
 * A transfer is either whole (body in, body out: changed is called once, when it ended) or streamed (bodies piece by piece:
 * changed is called whenever its user may be able to go on). Callbacks come on the loop's thread, from inside libcurl: they must
 * not call anything here but http_answer. */
#ifndef SUBMITTER_IO_HTTP_H
#define SUBMITTER_IO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buffer.h"
#include "http_fields.h"

struct http_field {
    const char *name;  /* a token (RFC 9110, section 5.6.2): the caller has checked it */
    const char *value; /* without control characters: checked as well */
};

enum { HTTP_URL_LIMIT_BYTES = 256 << 10 };

/* What is asked. All of it is copied but body, which must stay until the transfer is closed. */
struct http_request {
    const char *method;
    const char *url; /* as it goes on the wire: nothing is normalised */
    const struct http_field *fields;
    size_t field_count;
    const char *body; /* NULL: none */
    size_t body_length;
    bool streamed;
    int64_t upload_bytes; /* streamed: the length of the body that http_write will give; -1: no body */
    int64_t timeout_ms, connect_timeout_ms, stall_ms;
    size_t limit_bytes;      /* of the answer's body */
    const char *unix_socket; /* NULL; or connects to this path, never by a proxy, and sends nothing twice */
    const char *proxy;       /* NULL: by environment; "": none; or its URL */
    const char *ca_file;     /* NULL: by environment, or the system's */
};

enum http_failure {
    HTTP_FINE,
    HTTP_CONNECT, /* no connection: name resolution, refused, no route, a proxy that declines */
    HTTP_TLS,     /* handshake or verification */
    HTTP_TIMEOUT, /* one of the three */
    HTTP_CUT,     /* the connection ended before the answer was whole, or the answer is none */
    HTTP_TOO_LARGE, /* more than limit_bytes, more than HTTP_FIELDS_LIMIT_BYTES of header, or a line longer than libcurl takes */
    HTTP_URL,     /* no URL, one that is too long, or of another scheme */
    HTTP_LIBRARY, /* libcurl can't be used */
    HTTP_MEMORY,  /* there was none to begin with */
};

struct http_answer {
    bool ended; /* nothing more will change */
    enum http_failure failure;
    char message[1024]; /* of the failure: host and what happened, never a query or a header */
    bool headed;        /* status and fields are there */
    int status;
    int version; /* 10, 11, 20 */
    bool reused;
    bool
        resent; /* a kept connection ended without a word, so the request went out once more: it may have been carried out twice */
    struct http_fields fields;
    struct buffer body; /* all of it, or what was not taken yet */
};

struct http_transfer;

/* Begins a transfer. It may have ended when this returns (then changed isn't called): see its answer. NULL without memory. */
struct http_transfer *http_start(const struct http_request *request, void (*changed)(void *context), void *context);

const struct http_answer *http_answer(const struct http_transfer *transfer);

/* Streamed, down: moves what is there of the body into the caller's (empty) buffer, and lets more come. */
void http_read(struct http_transfer *transfer, struct buffer *into);

/* Streamed, up: gives the next piece of the body, which must stay until http_written. One at a time, and never more than
 * upload_bytes in all. */
void http_write(struct http_transfer *transfer, const char *data, size_t length);

/* Was the piece taken wholly? */
bool http_written(const struct http_transfer *transfer);

/* Takes the piece back that wasn't taken wholly; the transfer can't go on after that but to its end. */
void http_write_stop(struct http_transfer *transfer);

/* Ends it, wherever it is, and frees it. changed isn't called any more. NULL is allowed. */
void http_close(struct http_transfer *transfer);

/* Closes the connections that are kept, for the end of the process. There must be no transfer. */
void http_shutdown(void);

#endif
