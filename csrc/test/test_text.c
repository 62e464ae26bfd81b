/* Tests of io/text.c. */
#include "../io/text.h"

#include <locale.h>
#include <string.h>

#include "tap.h"

/* expected: the words, each ended by "|"; or the status and position. */
static void words(const char *line, size_t length, const char *expected) {
    struct buffer buffer = { 0 };
    size_t count = 99, position = 99, ends = 0;
    char shown[256];
    enum text_words_status status = text_words(line, length, &buffer, &count, &position);
    if (status == TEXT_WORDS_OK) {
        for (size_t index = 0; index < buffer.length; index++) {
            shown[index] = buffer.data[index] ? buffer.data[index] : '|';
            ends += !buffer.data[index];
        }
        shown[buffer.length] = '\0';
    } else {
        snprintf(shown, sizeof shown, "%s %zu",
                 status == TEXT_WORDS_QUOTE ? "quote"
                 : status == TEXT_WORDS_NUL ? "nul"
                                            : "memory",
                 position);
        ends = count;
    }
    tap_ok(!strcmp(shown, expected) && ends == count, "words of <%s>", tap_plain(line, length));
    buffer_clear(&buffer);
}

static void test_words(void) {
#define WORDS(line, expected) words(line, sizeof line - 1, expected)
    WORDS("", "");
    WORDS(" \t\n ", "");
    WORDS("a  b\tc\nd", "a|b|c|d|");
    WORDS("''", "|");
    WORDS("\"\" x", "|x|");
    WORDS("a'b c'\"d e\"f", "ab cd ef|");
    WORDS("'\\\"'", "\\\"|");
    WORDS("\"\\a\\\"\\\\\\$\\`\"", "\\a\"\\$`|");
    WORDS("\"a\\\nb\" c\\\nd", "ab|cd|");
    WORDS("\\\n", "");
    WORDS("\\", "\\|");
    WORDS("a\\ b", "a b|");
    WORDS("$(x) `y` *", "$(x)|`y`|*|");
    WORDS("a 'b", "quote 2");
    WORDS("'a'\"", "quote 3");
    WORDS("\"\\", "quote 0");
    WORDS("\"\\\"", "quote 0");
    WORDS("a\0b", "nul 1");
    WORDS("'\0", "nul 1");
    words("'a'b", 2, "quote 0"); /* no byte beyond the length counts */
    words("\\a", 1, "\\|");
    words("\"a\\\"", 3, "quote 0");
}

static void test_memory(void) {
    struct buffer buffer = { .limit = 3 };
    size_t count, position;
    tap_ok(text_words("abcdef", 6, &buffer, &count, &position) == TEXT_WORDS_MEMORY,
           "words that don't fit the buffer are told");
    buffer_clear(&buffer);
}

static void repair(const char *bytes, size_t length, const char *expected, size_t expected_length, size_t parts) {
    struct buffer buffer = { 0 };
    size_t count = text_repair(bytes, length, &buffer);
    tap_ok(count == parts && buffer.length == expected_length &&
               (!expected_length || !memcmp(buffer.data, expected, expected_length)),
           "repair of %zu bytes with %zu invalid parts", length, parts);
    buffer_clear(&buffer);
}

static void test_repair(void) {
#define BAD "\xEF\xBF\xBD"
#define REPAIR(bytes, expected, parts) repair(bytes, sizeof bytes - 1, expected, sizeof expected - 1, parts)
    REPAIR("", "", 0);
    REPAIR("a\0b\xC3\xA9", "a\0b\xC3\xA9", 0);
    REPAIR("\xFF", BAD, 1);
    REPAIR("a\xE1\x80z", "a" BAD "z", 1);
    REPAIR("\xF0\x90\x80", BAD, 1);
    REPAIR("\xC0\xAFz\xED\xA0\x80", BAD BAD "z" BAD BAD BAD, 5);
}

static void csv(const char *field, size_t length, const char *expected) {
    struct buffer buffer = { 0 };
    text_csv_field(field, length, &buffer);
    size_t size = strlen(expected);
    tap_ok(buffer.length == size && (!size || !memcmp(buffer.data, expected, size)), "CSV field %s",
           tap_plain(field, length));
    buffer_clear(&buffer);
}

static void test_csv(void) {
    csv("", 0, "");
    csv("plain", 5, "plain");
    csv(" a b ", 5, " a b ");
    csv("a,b", 3, "\"a,b\"");
    csv("\"", 1, "\"\"\"\"");
    csv("a\"b\"", 4, "\"a\"\"b\"\"\"");
    csv("\r", 1, "\"\r\"");
    csv("a\nb", 3, "\"a\nb\"");
    csv("a,b", 1, "a");
}

static bool equal(const char *actual, const char *expected) {
    return text_equal_trimmed(actual, strlen(actual), expected, strlen(expected));
}

static void test_trim(void) {
    const char *text = " \t\v\f\r\nx y \n";
    size_t length = strlen(text);
    text_trim_start(&text, &length);
    tap_ok(length == 5 && !memcmp(text, "x y \n", 5), "the start is trimmed");
    text_trim_end(text, &length);
    tap_ok(length == 3, "the end is trimmed");
    text = " \n";
    length = 2;
    text_trim_start(&text, &length);
    tap_ok(length == 0, "nothing but white space is trimmed to nothing");
    text_trim_end(text, &length);
    tap_ok(length == 0, "and nothing stays nothing");
    tap_ok(equal("42 \n", "  42") && equal("", " ") && equal("\n", ""),
           "white space at the end, and before what is expected, is nothing");
    tap_ok(!equal(" 42", "42") && !equal("42", "43") && !equal("4", "42") && !equal("42", "4"), "all else counts");
    tap_ok(!text_equal_trimmed("a\0", 2, "a", 1) && text_equal_trimmed("a\0b\n", 4, "a\0b", 3), "a NUL counts");
}

static void test_width(void) {
    tap_ok(text_width("", 0) == 0 && text_width("abc", 3) == 3, "ASCII is one column each");
    tap_ok(text_width("\xE6\x97\xA5", 3) == 2, "a wide character is two");
    tap_ok(text_width("e\xCC\x81", 3) == 1, "a combining one is none");
    tap_ok(text_width("\xFF\x01", 2) == 2, "what nobody knows is one");
}

int main(void) {
    setlocale(LC_CTYPE, "C.UTF-8");
    test_words();
    test_memory();
    test_repair();
    test_csv();
    test_trim();
    test_width();
    return tap_done();
}
