#include "http_failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "curl_library.h"
#include "loop.h"

/* ---- the target ---- */

static bool starts_with(const char *text, const char *start) {
    return !strncasecmp(text, start, strlen(start));
}

/* Bytes that no URL has as they are (RFC 3986, section 2): white space, control characters. */
static bool has_forbidden(const char *url) {
    for (const char *at = url; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return true;
    return false;
}

static const char *url_problem(const char *url, const char *authority, size_t length) {
    /* libcurl has no words of its own for a head that is longer than 1 MiB. */
    if (strlen(url) > HTTP_URL_LIMIT_BYTES)
        return "the URL is longer than 262144 bytes";
    if (!authority)
        return "the URL must begin with http:// or https://";
    if (!length || *authority == ':')
        return "the URL names no host";
    if (memchr(authority, '@', length))
        return "the URL must not hold a user's name or password";
    if (has_forbidden(url))
        return "the URL holds white space or a control character: encode it";
    if (strchr(url, '#'))
        return "the URL holds a #: encode it as %23";
    return NULL;
}

static bool proxy_fits(const char *proxy) {
    static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://" };
    if (!proxy || !*proxy)
        return true;
    for (size_t index = 0; index < sizeof schemes / sizeof *schemes; index++)
        if (starts_with(proxy, schemes[index]))
            return !has_forbidden(proxy);
    return false;
}

static const char *by_environment(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

bool http_target_read(struct http_target *target, const struct http_request *request, const char **message) {
    const char *url = request->url, *ca_file = request->ca_file;
    const char *authority = starts_with(url, "https://") ? url + 8 : starts_with(url, "http://") ? url + 7 : NULL;
    size_t length = authority ? strcspn(authority, "/?#") : 0;
    const char *problem = url_problem(url, authority, length);
    /* A URL that is refused isn't repeated: what it has in the place of a host may be a password. */
    if (problem) {
        snprintf(target->authority, sizeof target->authority, "HTTP");
    } else {
        const char *place = request->unix_socket ? request->unix_socket : authority;
        length = request->unix_socket ? strlen(place) : length;
        snprintf(target->authority, sizeof target->authority, "%.*s", (int)(length < 256 ? length : 256), place);
        if (!proxy_fits(request->proxy))
            problem = "the proxy must be a URL that begins with http://, https://, socks5:// or socks5h://";
    }
    if (problem) {
        *message = problem;
        return false;
    }
    if (!ca_file)
        ca_file = by_environment("AWS_CA_BUNDLE");
    if (!ca_file)
        ca_file = by_environment("SSL_CERT_FILE");
    if (ca_file && !(target->ca_file = strdup(ca_file))) {
        *message = "out of memory";
        return false;
    }
    return true;
}

void http_target_clear(struct http_target *target) {
    free(target->ca_file);
    target->ca_file = NULL;
}

/* ---- failures ---- */

/* A line of the other side's is longer than libcurl takes: before 8.6 it calls that to be out of memory. */
static bool is_too_large(CURLcode result) {
    const int too_large = 100; /* CURLE_TOO_LARGE, which headers older than the library don't have */
    return result == CURLE_OUT_OF_MEMORY || (int)result == too_large;
}

static enum http_failure classify(const struct http_end *end) {
    if (is_too_large(end->result) && end->connected)
        return HTTP_TOO_LARGE;
    if (curl_result_is_tls(end->result))
        return HTTP_TLS;
    switch (end->result) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
    case CURLE_INTERFACE_FAILED:
        /* Also when a kept connection ended without a word, and no other could be had to send the request once more. */
        return end->connected ? HTTP_CUT : HTTP_CONNECT;
    case CURLE_OPERATION_TIMEDOUT: return HTTP_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED: return HTTP_URL;
    default:
        /* What ends a connection before any request was sent on it, such as a proxy's refusal of CONNECT. */
        return end->connected ? HTTP_CUT : HTTP_CONNECT;
    }
}

static void describe_connect(const struct http_end *end, char *message, size_t size) {
    if (end->proxy_status >= 300)
        snprintf(message, size, "no connection: the proxy answered CONNECT with status %d", end->proxy_status);
    else if (strstr(end->text, "Unsupported proxy"))
        /* These words of curl's repeat the whole URL, and so a password in it. */
        snprintf(message, size, "no connection: the URL of the proxy, given or from the environment, can't be used");
    else if (is_too_large(end->result))
        snprintf(message, size, "no connection: the proxy's answer is larger than libcurl takes (or memory is short)");
    else if (end->result == CURLE_COULDNT_CONNECT && end->system_error)
        snprintf(message, size, "no connection: %s (%s)", loop_error_text(end->system_error), end->text);
    else
        snprintf(message, size, "no connection: %s", end->text);
}

static void describe_tls(const struct http_end *end, char *message, size_t size) {
    const char *file = end->ca_file ? end->ca_file : "the system's file";
    if (end->result == CURLE_SSL_CACERT_BADFILE)
        snprintf(message, size,
                 "TLS: the certificate authorities of %s can't be read; ca_file, AWS_CA_BUNDLE or "
                 "SSL_CERT_FILE must name a PEM file",
                 file);
    else if (end->result == CURLE_PEER_FAILED_VERIFICATION)
        snprintf(message, size,
                 "TLS: the server can't be trusted: %s (authorities of %s; AWS_CA_BUNDLE or SSL_CERT_FILE "
                 "can name another file)",
                 end->text, file);
    else
        snprintf(message, size, "TLS: no handshake (1.2 or newer): %s", end->text);
}

enum http_failure http_failure_describe(const struct http_end *end, char *message, size_t size) {
    enum http_failure failure = classify(end);
    switch (failure) {
    case HTTP_CONNECT: describe_connect(end, message, size); break;
    case HTTP_TLS: describe_tls(end, message, size); break;
    case HTTP_TIMEOUT:
        snprintf(message, size, "timed out: no connection within %lld ms", (long long)end->connect_timeout_ms);
        break;
    case HTTP_URL: snprintf(message, size, "the URL is malformed: %s", end->text); break;
    case HTTP_TOO_LARGE:
        snprintf(message, size, "the answer has a line that is longer than libcurl takes (or memory is short)");
        break;
    default: snprintf(message, size, "the connection was cut: %s", end->text);
    }
    return failure;
}
