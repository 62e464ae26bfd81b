/* AWS Signature Version 4: a request in, its signature out. Pure: the time is an argument, nothing is read or kept but the
 * signing keys that the credentials remember. */
#ifndef SUBMITTER_AWS_SIGV4_H
#define SUBMITTER_AWS_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buffer.h"
#include "canonical.h"
#include "keys.h"
#include "span.h"

enum {
    SIGV4_DATE_SIZE = 17, /* "20130524T000000Z" and the NUL */
    SIGV4_EXPIRES_LIMIT_S = 7 * 24 * 60 * 60,
    SIGV4_NAME_LIMIT_BYTES = 64, /* of a region, of a service */
};

struct sigv4_header {
    struct span name, value;
};

struct sigv4_request {
    struct span method;
    struct span url;
    const struct sigv4_header *headers; /* in the order in which they are sent; a value may be folded */
    size_t header_count;
    struct span body;         /* hashed, unless there is a payload_hash */
    struct span payload_hash; /* empty, or 64 hexadecimal digits, "UNSIGNED-PAYLOAD", "STREAMING-…" */
    struct span region, service;
    int64_t time_s;          /* since the epoch, from year 0 to year 9999 */
    uint32_t expires_s;      /* 0: the signature goes to headers; else to the query, for that long */
    bool normalize_path;     /* not for S3 */
    bool encode_path;        /* once more: for services other than S3, or where the URL isn't encoded */
    bool sign_body_header;   /* adds x-amz-content-sha256, as S3 wants it; in headers only */
    bool omit_session_token; /* it is sent, but not signed */
};

/* All zero to begin with; may be used for one request after the other. */
struct sigv4_signed {
    struct buffer canonical_request;
    struct buffer string_to_sign;
    char signature[KEYS_HEX_SIZE];
    struct buffer authorization; /* the header's value; empty with expires_s */
    struct buffer url;           /* with expires_s */
    char date[SIGV4_DATE_SIZE];
    char payload_hash[KEYS_HEX_SIZE]; /* a body's hash, if it was needed; else empty */

    /* What is to be sent beside the request's own headers; an empty value: nothing. They belong to the request, the keys and
     * this result. */
    struct span host, content_sha256, session_token;
    bool date_header;

    /* For work. */
    struct buffer signed_headers, canonical_headers, names, scope;
    struct canonical_query query;
};

/* Signs. Returns NULL, or what is wrong with the request: a fixed text. */
const char *sigv4_sign(struct keys *keys, const struct sigv4_request *request, struct sigv4_signed *result);

void sigv4_clear(struct sigv4_signed *result);

/* Does the service sign as S3 does: the path encoded once and never normalized, the body's hash in a header, not in signed
 * URLs? */
bool sigv4_is_s3(struct span service);

/* ISO 8601's basic form of a time in UTC. False: its year doesn't have four digits. */
bool sigv4_date(int64_t time_s, char date[SIGV4_DATE_SIZE]);

#endif
