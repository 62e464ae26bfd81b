/* Log lines on standard error, each one write(2): JSON objects, or a human form on a terminal.
 *
 *     struct log_line line;
 *     if (log_begin(&line, LOG_ERROR, "task_failed")) {
 *         log_text(&line, "task", name, strlen(name));
 *         log_end(&line);
 *     }
 */
#ifndef SUBMITTER_BASE_LOG_H
#define SUBMITTER_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_JSON, LOG_HUMAN };

struct log_line {
    struct buffer text;
    bool human;
};

/* LOG_AUTO: human if standard error is a terminal, else JSON. The start is LOG_AUTO and LOG_INFO. */
void log_configure(enum log_format format, enum log_level level);

/* False when lines of this level aren't wanted; then nothing else may be called. */
bool log_begin(struct log_line *line, enum log_level level, const char *event);
void log_text(struct log_line *line, const char *name, const char *value, size_t length);
void log_integer(struct log_line *line, const char *name, int64_t value);
void log_number(struct log_line *line, const char *name, double value);
void log_boolean(struct log_line *line, const char *name, bool value);
void log_end(struct log_line *line);

/* "2026-11-24T05:55:34.123Z" (RFC 3339) for milliseconds since the epoch; size of the array fixed by the longest year. */
#define LOG_TIME_SIZE 40
void log_time(char text[LOG_TIME_SIZE], int64_t epoch_ms);

/* Appends a JSON string (RFC 8259): quotes, escapes, and U+FFFD in place of invalid UTF-8. */
void log_json_string(struct buffer *text, const char *value, size_t length);

/* Appends text for a terminal: control characters, invalid UTF-8 and bidirectional controls as escapes. */
void log_printable(struct buffer *text, const char *value, size_t length, bool keep_newlines);

#endif
