#include "target.h"

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

/* reg-name and IPv6 literals of RFC 3986, without percent-encoding: no host name has that. */
static bool is_host_byte(char byte) {
    unsigned char lower = span_lower(byte);
    return (lower >= 'a' && lower <= 'z') || is_digit(byte) || byte == '-' || byte == '.' || byte == '_';
}

static size_t skip_scheme(struct span url, bool *secure) {
    static const char plain[] = "http://", with_tls[] = "https://";
    *secure = url.length >= sizeof with_tls - 1 && span_is((struct span){ url.bytes, sizeof with_tls - 1 }, with_tls);
    if (*secure)
        return sizeof with_tls - 1;
    if (url.length >= sizeof plain - 1 && span_is((struct span){ url.bytes, sizeof plain - 1 }, plain))
        return sizeof plain - 1;
    return 0;
}

/* The length of the host name at the start, 0 if there is none. */
static size_t host_length(struct span authority) {
    size_t length = 0;
    if (authority.length && authority.bytes[0] == '[') {
        for (length = 1; length < authority.length && authority.bytes[length] != ']'; length++) {
            unsigned char lower = span_lower(authority.bytes[length]);
            if (!is_digit((char)lower) && (lower < 'a' || lower > 'f') && lower != ':' && lower != '.')
                return 0;
        }
        return length > 1 && length < authority.length ? length + 1 : 0;
    }
    while (length < authority.length && is_host_byte(authority.bytes[length]))
        length++;
    return length;
}

/* HOST[:PORT] to what the Host header says. */
static bool take_host(struct span authority, bool secure, struct span *host) {
    size_t length = host_length(authority), at = length;
    unsigned port = 0;
    *host = authority;
    if (!length)
        return false;
    if (at == authority.length)
        return true;
    if (authority.bytes[at++] != ':')
        return false;
    bool given = at < authority.length;
    for (; at < authority.length; at++) {
        if (!is_digit(authority.bytes[at]))
            return false;
        port = port * 10 + (unsigned)(authority.bytes[at] - '0');
        if (port > 65535)
            return false;
    }
    if (given && !port)
        return false;
    if (!given || port == (secure ? 443U : 80U))
        host->length = length;
    return true;
}

static const char *check_bytes(struct span text, bool raw) {
    for (size_t index = 0; index < text.length; index++) {
        unsigned char byte = (unsigned char)text.bytes[index];
        if (byte < ' ' || byte == 0x7F)
            return "the URL holds a control character: percent-encode it";
        if (raw)
            continue;
        if (byte == '#')
            return "the URL has a fragment, which is never sent: percent-encode the \"#\" as %23";
        if (byte == ' ' || byte > '~')
            return "the URL's path holds a byte that no URL may: percent-encode it, or set encode_path for a raw "
                   "target";
    }
    return NULL;
}

const char *target_parse(struct span url, bool raw, struct target *target) {
    bool secure;
    struct target found = { .path = { "", 0 }, .query = { "", 0 } };
    size_t start = skip_scheme(url, &secure), at = start;
    if (!start)
        return "the URL doesn't begin with http:// or https://";
    while (at < url.length && url.bytes[at] != '/' && url.bytes[at] != '?')
        at++;
    if (!take_host((struct span){ url.bytes + start, at - start }, secure, &found.host))
        return "the URL's host isn't NAME or NAME:PORT";
    found.path.bytes = url.bytes + at;
    while (at < url.length && url.bytes[at] != '?')
        at++;
    found.path.length = (size_t)(url.bytes + at - found.path.bytes);
    const char *problem = check_bytes(found.path, raw);
    if (problem)
        return problem;
    found.has_query = at < url.length;
    if (found.has_query)
        found.query = (struct span){ url.bytes + at + 1, url.length - at - 1 };
    for (size_t index = 0; index < found.query.length; index++) {
        unsigned char byte = (unsigned char)found.query.bytes[index];
        if (byte < ' ' || byte == 0x7F)
            return "the URL holds a control character: percent-encode it";
        if (byte == '#' && !raw)
            return "the URL has a fragment, which is never sent: percent-encode the \"#\" as %23";
    }
    *target = found;
    return NULL;
}
