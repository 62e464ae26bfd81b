#include "canonical.h"

#include <stdlib.h>

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool is_unreserved(char byte) {
    unsigned char lower = span_lower(byte);
    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' ||
           byte == '_' || byte == '~';
}

/* ---- paths ---- */

void canonical_encode(struct buffer *buffer, struct span text, bool is_path) {
    static const char digits[] = "0123456789ABCDEF";
    size_t kept = 0;
    if (!text.length)
        return;
    for (size_t index = 0; index < text.length; index++) {
        char byte = text.bytes[index];
        if (is_unreserved(byte) || (is_path && byte == '/'))
            continue;
        char encoded[3] = { '%', digits[(unsigned char)byte >> 4], digits[byte & 15] };
        buffer_append(buffer, text.bytes + kept, index - kept);
        buffer_append(buffer, encoded, sizeof encoded);
        kept = index + 1;
    }
    buffer_append(buffer, text.bytes + kept, text.length - kept);
}

/* Writes the path without what normalizing takes away; beginning with "/", and ending with one if it did. */
static void normalize_path(struct buffer *buffer, struct span path) {
    size_t start = buffer->length, at = 0;
    while (at < path.length) {
        size_t end = at;
        while (end < path.length && path.bytes[end] != '/')
            end++;
        struct span segment = { path.bytes + at, end - at };
        if (span_equal(segment, span_of(".."))) {
            while (buffer->length > start && buffer->data[--buffer->length] != '/')
                ;
        } else if (segment.length && !span_equal(segment, span_of("."))) {
            buffer_append_byte(buffer, '/');
            buffer_append(buffer, segment.bytes, segment.length);
        }
        at = end + 1;
    }
    if (buffer->length == start || (path.length && path.bytes[path.length - 1] == '/'))
        buffer_append_byte(buffer, '/');
}

void canonical_path(struct buffer *buffer, struct span path, bool normalize, bool encode) {
    struct buffer normal = { 0 };
    if (!path.length)
        path = span_of("/");
    if (normalize) {
        normalize_path(&normal, path);
        buffer->failed = buffer->failed || normal.failed;
        path = (struct span){ normal.data, normal.length };
    }
    if (encode)
        canonical_encode(buffer, path, true);
    else
        buffer_append(buffer, path.bytes, path.length);
    buffer_clear(&normal);
}

/* ---- queries ---- */

static int hexadecimal(char byte) {
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    unsigned char lower = span_lower(byte);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Appends the text decoded and encoded anew, so that all ways to write it are one. False: a "%" begins nothing. */
static bool encode_again(struct buffer *buffer, struct span text) {
    for (size_t index = 0; index < text.length; index++) {
        char byte = text.bytes[index];
        if (byte == '%') {
            int high = index + 2 < text.length ? hexadecimal(text.bytes[index + 1]) : -1;
            int low = high >= 0 ? hexadecimal(text.bytes[index + 2]) : -1;
            if (low < 0)
                return false;
            byte = (char)(high << 4 | low);
            index += 2;
        }
        if (is_unreserved(byte))
            buffer_append_byte(buffer, byte);
        else
            canonical_encode(buffer, (struct span){ &byte, 1 }, false);
    }
    return true;
}

static void keep_parameter(struct canonical_query *query, size_t name_at, size_t value_at) {
    struct canonical_parameter parameter = { name_at, value_at - name_at, value_at, query->text.length - value_at };
    buffer_append(&query->parameters, &parameter, sizeof parameter);
}

const char *canonical_query_read(struct canonical_query *query, struct span text) {
    size_t at = 0;
    while (at < text.length) {
        const char *piece = text.bytes + at;
        const char *ampersand = memchr(piece, '&', text.length - at);
        size_t length = ampersand ? (size_t)(ampersand - piece) : text.length - at;
        at += length + 1;
        if (!length)
            continue;
        const char *equals = memchr(piece, '=', length);
        size_t name_length = equals ? (size_t)(equals - piece) : length;
        size_t value_from = equals ? name_length + 1 : length;
        size_t name_at = query->text.length;
        bool good = encode_again(&query->text, (struct span){ piece, name_length });
        size_t value_at = query->text.length;
        if (!good || !encode_again(&query->text, (struct span){ piece + value_from, length - value_from }))
            return "the URL's query has a \"%\" that isn't followed by two hexadecimal digits: write it as %25";
        keep_parameter(query, name_at, value_at);
    }
    return NULL;
}

void canonical_query_add(struct canonical_query *query, struct span name, struct span value) {
    size_t name_at = query->text.length;
    canonical_encode(&query->text, name, false);
    size_t value_at = query->text.length;
    canonical_encode(&query->text, value, false);
    keep_parameter(query, name_at, value_at);
}

static size_t parameter_count(const struct canonical_query *query) {
    return query->parameters.length / sizeof(struct canonical_parameter);
}

bool canonical_query_is_signed(const struct canonical_query *query) {
    static const char *const names[] = { "X-Amz-Algorithm",     "X-Amz-Credential",    "X-Amz-Date",
                                         "X-Amz-Expires",       "X-Amz-SignedHeaders", "X-Amz-Signature",
                                         "X-Amz-Security-Token" };
    const struct canonical_parameter *parameters = (const void *)query->parameters.data;
    const char *text = query->text.data ? query->text.data : "";
    for (size_t index = 0; index < parameter_count(query); index++)
        for (size_t known = 0; known < sizeof names / sizeof *names; known++)
            /* None of them has a byte that encoding would change. */
            if (span_is((struct span){ text + parameters[index].name_at, parameters[index].name_length }, names[known]))
                return true;
    return false;
}

static int compare_parameters(const void *left, const void *right, void *text) {
    const struct canonical_parameter *one = left, *other = right;
    const char *bytes = text;
    int order = span_compare((struct span){ bytes + one->name_at, one->name_length },
                             (struct span){ bytes + other->name_at, other->name_length });
    return order ? order
                 : span_compare((struct span){ bytes + one->value_at, one->value_length },
                                (struct span){ bytes + other->value_at, other->value_length });
}

void canonical_query_write(struct canonical_query *query, struct buffer *buffer) {
    struct canonical_parameter *parameters = (void *)query->parameters.data;
    size_t count = parameter_count(query);
    const char *text = query->text.data ? query->text.data : "";
    buffer->failed = buffer->failed || query->text.failed || query->parameters.failed;
    if (buffer->failed || !count)
        return;
    qsort_r(parameters, count, sizeof *parameters, compare_parameters, (void *)text);
    for (size_t index = 0; index < count; index++) {
        if (index)
            buffer_append_byte(buffer, '&');
        buffer_append(buffer, text + parameters[index].name_at, parameters[index].name_length);
        buffer_append_byte(buffer, '=');
        buffer_append(buffer, text + parameters[index].value_at, parameters[index].value_length);
    }
}

void canonical_query_clear(struct canonical_query *query) {
    buffer_clear(&query->text);
    buffer_clear(&query->parameters);
}

/* ---- headers ---- */

bool canonical_is_unsigned(struct span name) {
    /* As @smithy/signature-v4; aws-c-auth's and botocore's lists are parts of it. Sorted. */
    static const char *const names[] = {
        "authorization", "cache-control",     "connection", "expect",     "from",
        "keep-alive",    "max-forwards",      "pragma",     "referer",    "te",
        "trailer",       "transfer-encoding", "upgrade",    "user-agent", "x-amzn-trace-id"
    };
    static const char *const starts[] = { "proxy-", "sec-" };
    for (size_t index = 0; index < sizeof starts / sizeof *starts; index++) {
        size_t length = strlen(starts[index]);
        if (name.length >= length && span_is((struct span){ name.bytes, length }, starts[index]))
            return true;
    }
    for (size_t index = 0; index < sizeof names / sizeof *names; index++)
        if (span_is(name, names[index]))
            return true;
    return false;
}

bool canonical_is_token(struct span text) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t index = 0; index < text.length; index++) {
        unsigned char lower = span_lower(text.bytes[index]);
        if (!(lower >= 'a' && lower <= 'z') && !(lower >= '0' && lower <= '9') && (!lower || !strchr(others, lower)))
            return false;
    }
    return text.length > 0;
}

bool canonical_is_value(struct span value) {
    for (size_t index = 0; index < value.length; index++) {
        unsigned char byte = (unsigned char)value.bytes[index];
        char next = index + 1 < value.length ? value.bytes[index + 1] : '\0';
        bool good = (byte >= ' ' && byte != 0x7F) || byte == '\t' || (byte == '\r' && next == '\n') ||
                    (byte == '\n' && (next == ' ' || next == '\t'));
        if (!good)
            return false;
    }
    return true;
}

struct span canonical_trim(struct span value) {
    while (value.length && is_blank(value.bytes[0])) {
        value.bytes++;
        value.length--;
    }
    while (value.length && is_blank(value.bytes[value.length - 1]))
        value.length--;
    return value;
}

bool canonical_is_folded(struct span value) {
    return value.length && memchr(value.bytes, '\n', value.length);
}

void canonical_unfold(struct buffer *buffer, struct span value) {
    size_t at = 0;
    while (at < value.length) {
        char byte = value.bytes[at++];
        if (byte != '\r' && byte != '\n') {
            buffer_append_byte(buffer, byte);
            continue;
        }
        while (at < value.length && is_blank(value.bytes[at]))
            at++;
        buffer_append_byte(buffer, ' ');
    }
}

static int compare_headers(const void *left, const void *right) {
    const struct canonical_header *one = left, *other = right;
    int order = span_compare_names(one->name, other->name);
    return order ? order : (one->order > other->order) - (one->order < other->order);
}

static void append_name(struct buffer *buffer, struct span name) {
    for (size_t index = 0; index < name.length; index++)
        buffer_append_byte(buffer, (char)span_lower(name.bytes[index]));
}

/* Without blanks at both ends; runs of blanks within are one. */
static void append_value(struct buffer *buffer, struct span value) {
    value = canonical_trim(value);
    size_t at = 0, end = value.length;
    while (at < end) {
        size_t from = at;
        while (at < end && !is_blank(value.bytes[at]))
            at++;
        buffer_append(buffer, value.bytes + from, at - from);
        from = at;
        while (at < end && is_blank(value.bytes[at]))
            at++;
        if (at > from)
            buffer_append_byte(buffer, ' ');
    }
}

void canonical_headers(struct canonical_header *headers, size_t count, struct buffer *buffer, struct buffer *names) {
    if (count)
        qsort(headers, count, sizeof *headers, compare_headers);
    for (size_t index = 0; index < count; index++) {
        if (index && !span_compare_names(headers[index - 1].name, headers[index].name)) {
            buffer_append_byte(buffer, ',');
        } else {
            if (index) {
                buffer_append_byte(buffer, '\n');
                buffer_append_byte(names, ';');
            }
            append_name(names, headers[index].name);
            append_name(buffer, headers[index].name);
            buffer_append_byte(buffer, ':');
        }
        append_value(buffer, headers[index].value);
    }
    if (count)
        buffer_append_byte(buffer, '\n');
}
