#include "text.h"

#include <string.h>
#include <wchar.h>

#include "../base/utf8.h"

enum text_words_status text_words(const char *line, size_t length, struct buffer *words, size_t *count,
                                  size_t *position) {
    const char *nul = memchr(line, '\0', length);
    *count = 0;
    if (nul) {
        *position = (size_t)(nul - line);
        return TEXT_WORDS_NUL;
    }
    size_t at = 0;
    bool in_word = false;
    while (at < length) {
        char byte = line[at];
        if (byte == ' ' || byte == '\t' || byte == '\n') { /* the <blank>s of the POSIX locale, and newline */
            if (in_word) {
                buffer_append_byte(words, '\0');
                ++*count;
            }
            in_word = false;
            at++;
        } else if (byte == '\\') {
            /* 2.2.1: the next character stands for itself; <backslash><newline> is removed; at the end it is itself. */
            if (at + 1 >= length) {
                buffer_append_byte(words, '\\');
                in_word = true;
            } else if (line[at + 1] != '\n') {
                buffer_append_byte(words, line[at + 1]);
                in_word = true;
            }
            at += 2;
        } else if (byte == '\'') { /* 2.2.2 */
            const char *end = memchr(line + at + 1, '\'', length - at - 1);
            if (!end) {
                *position = at;
                return TEXT_WORDS_QUOTE;
            }
            size_t start = at + 1;
            at = (size_t)(end - line) + 1;
            buffer_append(words, line + start, at - 1 - start);
            in_word = true;
        } else if (byte == '"') { /* 2.2.3: a backslash counts before $ ` " \ and newline only */
            size_t start = at++;
            while (at < length && line[at] != '"') {
                if (line[at] == '\\' && at + 1 < length && strchr("$`\"\\\n", line[at + 1])) {
                    if (line[at + 1] != '\n')
                        buffer_append_byte(words, line[at + 1]);
                    at += 2;
                } else {
                    buffer_append_byte(words, line[at++]);
                }
            }
            if (at >= length) {
                *position = start;
                return TEXT_WORDS_QUOTE;
            }
            at++;
            in_word = true;
        } else {
            size_t start = at;
            while (at < length && !strchr(" \t\n\\'\"", line[at]))
                at++;
            buffer_append(words, line + start, at - start);
            in_word = true;
        }
    }
    if (in_word) {
        buffer_append_byte(words, '\0');
        ++*count;
    }
    return words->failed ? TEXT_WORDS_MEMORY : TEXT_WORDS_OK;
}

size_t text_repair(const char *bytes, size_t length, struct buffer *repaired) {
    const unsigned char *at = (const unsigned char *)bytes, *end = at + length, *plain = at;
    size_t count = 0;
    while (at < end) {
        size_t width;
        uint32_t code_point;
        if (!utf8_next(at, end, &width, &code_point)) {
            buffer_append(repaired, plain, (size_t)(at - plain));
            buffer_append_text(repaired, "\xEF\xBF\xBD");
            plain = at + width;
            count++;
        }
        at += width;
    }
    buffer_append(repaired, plain, (size_t)(at - plain));
    return count;
}

void text_csv_field(const char *field, size_t length, struct buffer *row) {
    bool quoted = memchr(field, '"', length) || memchr(field, ',', length) || memchr(field, '\n', length) ||
                  memchr(field, '\r', length);
    if (!quoted) {
        buffer_append(row, field, length);
        return;
    }
    buffer_append_byte(row, '"');
    const char *at = field, *end = field + length;
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        size_t span = (size_t)((quote ? quote + 1 : end) - at);
        buffer_append(row, at, span);
        if (quote)
            buffer_append_byte(row, '"');
        at += span;
    }
    buffer_append_byte(row, '"');
}

static bool is_space(char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

void text_trim_start(const char **bytes, size_t *length) {
    while (*length && is_space(**bytes)) {
        ++*bytes;
        --*length;
    }
}

void text_trim_end(const char *bytes, size_t *length) {
    while (*length && is_space(bytes[*length - 1]))
        --*length;
}

bool text_equal_trimmed(const char *actual, size_t actual_length, const char *expected, size_t expected_length) {
    text_trim_end(actual, &actual_length);
    text_trim_start(&expected, &expected_length);
    text_trim_end(expected, &expected_length);
    return actual_length == expected_length && !memcmp(actual, expected, actual_length);
}

size_t text_width(const char *bytes, size_t length) {
    const unsigned char *at = (const unsigned char *)bytes, *end = at + length;
    size_t columns = 0;
    while (at < end) {
        size_t width;
        uint32_t code_point;
        int cells = 1;
        if (utf8_next(at, end, &width, &code_point)) {
            cells = wcwidth((wchar_t)code_point);
            if (cells < 0)
                cells = 1;
        }
        columns += (size_t)cells;
        at += width;
    }
    return columns;
}
