/* A growing byte buffer with a cap. */
#ifndef SUBMITTER_BASE_BUFFER_H
#define SUBMITTER_BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data;
    size_t length;
    size_t capacity;
    size_t limit; /* bytes it may hold; 0: no cap */
    bool failed;  /* an append did not fit the cap or the memory; what was there stays */
};

/* Appends bytes. False, and failed is set, when they don't fit; nothing of them is kept then. */
bool buffer_append(struct buffer *buffer, const void *bytes, size_t length);

bool buffer_append_text(struct buffer *buffer, const char *text);

bool buffer_append_byte(struct buffer *buffer, char byte);

bool buffer_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends as much as fits. Returns how many bytes that was; failed is set when it was not all. */
size_t buffer_fill(struct buffer *buffer, const void *bytes, size_t length);

/* Frees what it holds; the buffer may be used again (its limit stays). */
void buffer_clear(struct buffer *buffer);

#endif
