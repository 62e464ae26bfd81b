#include "log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "utf8.h"

static enum log_format chosen_format = LOG_AUTO;
static enum log_level chosen_level = LOG_INFO;

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static const char *const level_colours[] = { "\033[2m", "", "\033[33m", "\033[31m" };

void log_configure(enum log_format format, enum log_level level) {
    chosen_format = format;
    chosen_level = level;
}

void log_time(char text[LOG_TIME_SIZE], int64_t epoch_ms) {
    int64_t milliseconds = epoch_ms % 1000;
    time_t seconds = (time_t)(epoch_ms / 1000);
    if (milliseconds < 0) {
        milliseconds += 1000;
        seconds--;
    }
    struct tm parts;
    if (!gmtime_r(&seconds, &parts)) {
        snprintf(text, LOG_TIME_SIZE, "invalid time");
        return;
    }
    size_t length = strftime(text, LOG_TIME_SIZE - 8, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, LOG_TIME_SIZE - length, ".%03dZ", (int)milliseconds);
}

void log_json_string(struct buffer *text, const char *value, size_t length) {
    const unsigned char *at = (const unsigned char *)value, *end = at + length;
    buffer_append_byte(text, '"');
    while (at < end) {
        const unsigned char *plain = at;
        size_t width = 1;
        uint32_t code_point = 0;
        bool valid = true;
        while (at < end && *at >= 0x20 && *at != '"' && *at != '\\' && *at != 0x7F) {
            valid = utf8_next(at, end, &width, &code_point);
            if (!valid)
                break;
            at += width;
        }
        buffer_append(text, plain, (size_t)(at - plain));
        if (at >= end)
            break;
        if (!valid) {
            buffer_append_text(text, "\xEF\xBF\xBD");
            at += width;
            continue;
        }
        switch (*at) {
        case '"': buffer_append_text(text, "\\\""); break;
        case '\\': buffer_append_text(text, "\\\\"); break;
        case '\n': buffer_append_text(text, "\\n"); break;
        case '\r': buffer_append_text(text, "\\r"); break;
        case '\t': buffer_append_text(text, "\\t"); break;
        default: buffer_format(text, "\\u%04x", *at); break;
        }
        at++;
    }
    buffer_append_byte(text, '"');
}

/* Characters that move the cursor, hide text or turn its direction: a terminal never gets them. */
static bool deceptive(uint32_t code_point) {
    return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) || code_point == 0x061C ||
           (code_point >= 0x200B && code_point <= 0x200F) || (code_point >= 0x2028 && code_point <= 0x202E) ||
           (code_point >= 0x2060 && code_point <= 0x206F) || code_point == 0xFEFF;
}

void log_printable(struct buffer *text, const char *value, size_t length, bool keep_newlines) {
    const unsigned char *at = (const unsigned char *)value, *end = at + length;
    while (at < end) {
        size_t width;
        uint32_t code_point;
        if (!utf8_next(at, end, &width, &code_point)) {
            for (size_t index = 0; index < width; index++)
                buffer_format(text, "\\x%02x", at[index]);
        } else if (code_point == '\n' && keep_newlines) {
            buffer_append_byte(text, '\n');
        } else if (!deceptive(code_point)) {
            buffer_append(text, at, width);
        } else {
            switch (code_point) {
            case 0: buffer_append_text(text, "\\0"); break;
            case '\a': buffer_append_text(text, "\\a"); break;
            case '\b': buffer_append_text(text, "\\b"); break;
            case '\t': buffer_append_text(text, "\\t"); break;
            case '\n': buffer_append_text(text, "\\n"); break;
            case '\r': buffer_append_text(text, "\\r"); break;
            case 0x1B: buffer_append_text(text, "\\e"); break;
            default: buffer_format(text, code_point < 0x100 ? "\\x%02x" : "\\u{%04x}", (unsigned)code_point);
            }
        }
        at += width;
    }
}

static bool human_wanted(void) {
    return chosen_format == LOG_HUMAN || (chosen_format == LOG_AUTO && isatty(STDERR_FILENO));
}

bool log_begin(struct log_line *line, enum log_level level, const char *event) {
    if (level < chosen_level)
        return false;
    memset(line, 0, sizeof *line);
    line->human = human_wanted();

    struct timespec now;
    char when[LOG_TIME_SIZE];
    clock_gettime(CLOCK_REALTIME, &now);
    log_time(when, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    if (line->human) {
        bool colour = isatty(STDERR_FILENO);
        buffer_format(&line->text, "%.8s %s%-5s%s ", when + 11, colour ? level_colours[level] : "", level_names[level],
                      colour ? "\033[0m" : "");
        log_printable(&line->text, event, strlen(event), false);
    } else {
        buffer_format(&line->text, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", when, level_names[level]);
        log_json_string(&line->text, event, strlen(event));
    }
    return true;
}

static void begin_field(struct log_line *line, const char *name) {
    if (line->human) {
        buffer_append_text(&line->text, "  ");
        log_printable(&line->text, name, strlen(name), false);
        buffer_append_byte(&line->text, '=');
    } else {
        buffer_append_byte(&line->text, ',');
        log_json_string(&line->text, name, strlen(name));
        buffer_append_byte(&line->text, ':');
    }
}

/* A text of several lines (a traceback) keeps them, indented: none can pass for a log line of its own. */
static void add_lines(struct buffer *text, const char *value, size_t length) {
    const char *newline;
    while ((newline = memchr(value, '\n', length))) {
        log_printable(text, value, (size_t)(newline - value), false);
        buffer_append_text(text, "\n    ");
        length -= (size_t)(newline + 1 - value);
        value = newline + 1;
    }
    log_printable(text, value, length, false);
}

void log_text(struct log_line *line, const char *name, const char *value, size_t length) {
    begin_field(line, name);
    if (line->human)
        add_lines(&line->text, value, length);
    else
        log_json_string(&line->text, value, length);
}

void log_integer(struct log_line *line, const char *name, int64_t value) {
    begin_field(line, name);
    buffer_format(&line->text, "%lld", (long long)value);
}

void log_number(struct log_line *line, const char *name, double value) {
    begin_field(line, name);
    if (value - value != 0) /* JSON has no infinity and no NaN */
        buffer_append_text(&line->text, "null");
    else
        buffer_format(&line->text, "%.14g", value);
}

void log_boolean(struct log_line *line, const char *name, bool value) {
    begin_field(line, name);
    buffer_append_text(&line->text, value ? "true" : "false");
}

void log_end(struct log_line *line) {
    buffer_append_text(&line->text, line->human ? "\n" : "}\n");
    /* A log that can't be written (a closed pipe, a full disk) must not stop the grading. */
    const char *at = line->text.data;
    size_t left = line->text.length;
    while (left) {
        ssize_t written = write(STDERR_FILENO, at, left);
        if (written <= 0)
            break;
        at += written;
        left -= (size_t)written;
    }
    buffer_clear(&line->text);
}
