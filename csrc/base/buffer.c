#include "buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct buffer *buffer, size_t length) {
    if (buffer->limit && (length > buffer->limit || buffer->length > buffer->limit - length))
        return false;
    if (length > buffer->capacity - buffer->length) {
        size_t capacity = buffer->capacity ? buffer->capacity : 256;
        while (capacity - buffer->length < length) {
            if (capacity > (size_t)-1 / 4)
                return false;
            capacity *= 2;
        }
        char *data = realloc(buffer->data, capacity);
        if (!data)
            return false;
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return true;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t length) {
    if (!reserve(buffer, length)) {
        buffer->failed = true;
        return false;
    }
    if (length)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    return true;
}

bool buffer_append_text(struct buffer *buffer, const char *text) {
    return buffer_append(buffer, text, strlen(text));
}

bool buffer_append_byte(struct buffer *buffer, char byte) {
    return buffer_append(buffer, &byte, 1);
}

bool buffer_format(struct buffer *buffer, const char *format, ...) {
    char small[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->failed = true;
        return false;
    }
    if ((size_t)length < sizeof small)
        return buffer_append(buffer, small, (size_t)length);
    char *large = malloc((size_t)length + 1);
    if (!large) {
        buffer->failed = true;
        return false;
    }
    va_start(arguments, format);
    vsnprintf(large, (size_t)length + 1, format, arguments);
    va_end(arguments);
    bool done = buffer_append(buffer, large, (size_t)length);
    free(large);
    return done;
}

size_t buffer_fill(struct buffer *buffer, const void *bytes, size_t length) {
    size_t room = buffer->limit ? buffer->limit - buffer->length : length;
    size_t taken = length < room ? length : room;
    if (!buffer_append(buffer, bytes, taken))
        return 0;
    if (taken < length)
        buffer->failed = true;
    return taken;
}

void buffer_clear(struct buffer *buffer) {
    free(buffer->data);
    buffer->data = NULL;
    buffer->length = buffer->capacity = 0;
    buffer->failed = false;
}
