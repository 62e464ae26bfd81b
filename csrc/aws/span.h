/* Bytes that belong to someone else. */
#ifndef SUBMITTER_AWS_SPAN_H
#define SUBMITTER_AWS_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *bytes;
    size_t length;
};

/* The span of a text that ends with a NUL. */
static inline struct span span_of(const char *text) {
    return (struct span){ text, strlen(text) };
}

static inline bool span_equal(struct span left, struct span right) {
    return left.length == right.length && (!left.length || !memcmp(left.bytes, right.bytes, left.length));
}

/* As in ASCII, whatever the locale says. */
static inline unsigned char span_lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : (unsigned char)byte;
}

/* Less than, equal to or more than 0, by bytes; the shorter comes first. */
static inline int span_compare(struct span left, struct span right) {
    size_t shorter = left.length < right.length ? left.length : right.length;
    int order = shorter ? memcmp(left.bytes, right.bytes, shorter) : 0;
    return order ? order : (left.length > right.length) - (left.length < right.length);
}

/* The same, upper and lower case alike. */
static inline int span_compare_names(struct span left, struct span right) {
    for (size_t index = 0; index < left.length && index < right.length; index++) {
        int order = span_lower(left.bytes[index]) - span_lower(right.bytes[index]);
        if (order)
            return order;
    }
    return (left.length > right.length) - (left.length < right.length);
}

/* Visible ASCII without what ends a part of a scope ("20130524/us-east-1/s3") or of an Authorization header? */
static inline bool span_is_identifier(struct span text) {
    for (size_t index = 0; index < text.length; index++) {
        char byte = text.bytes[index];
        if (byte <= ' ' || byte > '~' || byte == '/' || byte == ',')
            return false;
    }
    return text.length > 0;
}

/* Is it this name, upper and lower case alike? */
static inline bool span_is(struct span name, const char *text) {
    return !span_compare_names(name, span_of(text));
}

#endif
