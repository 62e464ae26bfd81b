/* Tests of base/log.c. */
#include "../base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

static void time_is(int64_t epoch_ms, const char *expected) {
    char text[LOG_TIME_SIZE];
    memset(text, 'x', sizeof text);
    log_time(text, epoch_ms);
    tap_ok(!strcmp(text, expected), "time %lld is %s", (long long)epoch_ms, text);
}

static void test_time(void) {
    time_is(0, "1970-01-01T00:00:00.000Z");
    time_is(1795499734123, "2026-11-24T05:55:34.123Z");
    time_is(-1, "1969-12-31T23:59:59.999Z");
    time_is(-1000, "1969-12-31T23:59:59.000Z");
    time_is(-1001, "1969-12-31T23:59:58.999Z");
    time_is(INT64_MAX, "292278994-08-17T07:12:55.807Z");
    time_is(INT64_MIN, "-292275055-05-16T16:47:04.192Z");
}

static void json_is(const char *value, size_t length, const char *expected) {
    struct buffer buffer = { 0 };
    log_json_string(&buffer, value, length);
    tap_ok(buffer.length == strlen(expected) && !memcmp(buffer.data, expected, buffer.length), "JSON string of %s",
           tap_plain(value, length));
    buffer_clear(&buffer);
}

static void test_json(void) {
#define JSON(value, expected) json_is(value, sizeof value - 1, expected)
    JSON("", "\"\"");
    JSON("plain \xC3\xA9", "\"plain \xC3\xA9\"");
    JSON("\"\\/", "\"\\\"\\\\/\"");
    JSON("\n\r\t", "\"\\n\\r\\t\"");
    JSON("\0\1\37\177", "\"\\u0000\\u0001\\u001f\\u007f\"");
    JSON("a\xFFz", "\"a\xEF\xBF\xBDz\"");
    JSON("\xE1\x80", "\"\xEF\xBF\xBD\"");
    JSON("\xE1\x80\"", "\"\xEF\xBF\xBD\\\"\"");
    json_is("ab", 1, "\"a\"");
}

static void printable_is(const char *value, size_t length, bool keep_newlines, const char *expected) {
    struct buffer buffer = { 0 };
    log_printable(&buffer, value, length, keep_newlines);
    tap_ok(buffer.length == strlen(expected) && !memcmp(buffer.data, expected, buffer.length), "printable form of %s",
           tap_plain(value, length));
    buffer_clear(&buffer);
}

static void test_printable(void) {
#define PRINTABLE(value, expected) printable_is(value, sizeof value - 1, false, expected)
    PRINTABLE("plain \xC3\xA9", "plain \xC3\xA9");
    PRINTABLE("\33[31m", "\\e[31m");
    PRINTABLE("\0\a\b\t\n\r\1\177", "\\0\\a\\b\\t\\n\\r\\x01\\x7f");
    PRINTABLE("\xC2\x9B", "\\x9b");
    PRINTABLE("\x9B\xFF", "\\x9b\\xff");
    PRINTABLE("\xE2\x80\xAE", "\\u{202e}");
    PRINTABLE("\xEF\xBB\xBF", "\\u{feff}");
    printable_is("a\nb\r", 4, true, "a\nb\\r");
}

/* What one line is, as it comes out of standard error. */
static size_t line_of(enum log_format format, enum log_level level, char *text, size_t size) {
    int ends[2];
    if (pipe(ends) < 0)
        return 0;
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_configure(format, LOG_INFO);
    struct log_line line;
    if (log_begin(&line, level, "event\33")) {
        log_text(&line, "text", "one\n12:00:00 two\33", 17);
        log_integer(&line, "integer", INT64_MIN);
        log_number(&line, "number", 0.5);
        log_number(&line, "infinite", 1e308 * 10);
        log_boolean(&line, "boolean", true);
        log_text(&line, "na\nme", "", 0);
        log_end(&line);
    }
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t length = read(ends[0], text, size - 1);
    close(ends[0]);
    text[length > 0 ? length : 0] = '\0';
    return length > 0 ? (size_t)length : 0;
}

static void test_lines(void) {
    char text[1024];
    line_of(LOG_JSON, LOG_WARN, text, sizeof text);
    const char *rest = strstr(text, "\"level\"");
    tap_ok(!strncmp(text, "{\"time\":\"2", 10) && rest &&
               !strcmp(rest, "\"level\":\"warn\",\"event\":\"event\\u001b\",\"text\":\"one\\n12:00:00 two\\u001b\","
                             "\"integer\":-9223372036854775808,\"number\":0.5,\"infinite\":null,\"boolean\":true,"
                             "\"na\\nme\":\"\"}\n"),
           "a line of JSON");
    line_of(LOG_HUMAN, LOG_ERROR, text, sizeof text);
    tap_ok(!strcmp(text + 8, " error event\\e  text=one\n    12:00:00 two\\e  integer=-9223372036854775808  number=0.5"
                             "  infinite=null  boolean=true  na\\nme=\n"),
           "a line for people");
    tap_ok(line_of(LOG_AUTO, LOG_INFO, text, sizeof text) && *text == '{', "JSON where there is no terminal");
    tap_ok(!line_of(LOG_JSON, LOG_DEBUG, text, sizeof text), "nothing below the level");
}

static void test_closed(void) {
    struct log_line line;
    int saved = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    log_configure(LOG_JSON, LOG_INFO);
    bool begun = log_begin(&line, LOG_ERROR, "event");
    if (begun)
        log_end(&line);
    dup2(saved, STDERR_FILENO);
    close(saved);
    tap_ok(begun, "a closed standard error is survived");
}

int main(void) {
    test_time();
    test_json();
    test_printable();
    test_lines();
    test_closed();
    return tap_done();
}
