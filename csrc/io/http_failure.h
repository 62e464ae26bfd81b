/* What a request goes to, and the words for its failures. Not of libcurl's loop: only reads and writes texts. */
#ifndef SUBMITTER_IO_HTTP_FAILURE_H
#define SUBMITTER_IO_HTTP_FAILURE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http.h"

struct http_target {
    char authority
        [280];     /* the Unix socket, or host and port as the URL has them, shortened where they are longer than any */
    char *ca_file; /* NULL: the system's */
};

/* Checks a request's URL and proxy as far as they can be without libcurl, and finds the file of authorities: the one given, or
 * by AWS_CA_BUNDLE, or SSL_CERT_FILE. False and a message (static text) if one of them can't be used. */
bool http_target_read(struct http_target *target, const struct http_request *request, const char **message);

void http_target_clear(struct http_target *target);

/* How libcurl ended a transfer. */
struct http_end {
    CURLcode result;
    const char *text;
    bool connected;   /* the connection stood, TLS and all */
    int system_error; /* errno of a failed connection, or 0 */
    int proxy_status; /* of a proxy's answer to CONNECT, or 0 */
    int64_t connect_timeout_ms;
    const char *ca_file;
};

/* The class of such an end, and what happened in words. */
enum http_failure http_failure_describe(const struct http_end *end, char *message, size_t size);

#endif
