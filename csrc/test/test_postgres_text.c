/* Tests of io/postgres_text.c. What PostgreSQL writes was taken from a server (15). */
#include "../io/postgres_text.h"

#include <math.h>
#include <string.h>

#include "tap.h"

static void integer(const char *text, bool good, int64_t expected) {
    int64_t value = 77;
    bool read = postgres_text_integer(text, strlen(text), &value);
    tap_ok(read == good && value == (good ? expected : 77), "integer \"%s\"", text);
}

static void test_integers(void) {
    integer("0", true, 0);
    integer("-1", true, -1);
    integer("32767", true, 32767);
    integer("9223372036854775807", true, INT64_MAX);
    integer("-9223372036854775808", true, INT64_MIN);
    integer("9223372036854775808", false, 0);
    integer("-9223372036854775809", false, 0);
    integer("99999999999999999999", false, 0);
    integer("", false, 0);
    integer("-", false, 0);
    integer(" 1", false, 0);
    integer("1.0", false, 0);
    integer("+1", false, 0);
}

static void number(const char *text, bool good, double expected) {
    double value = 77;
    bool read = postgres_text_float(text, strlen(text), &value);
    bool same = isnan(expected) ? isnan(value) : value == expected;
    tap_ok(read == good && (good ? same : value == 77), "float \"%s\"", text);
}

static void test_floats(void) {
    number("0.1", true, 0.1);
    number("1e+300", true, 1e300);
    number("-2.2250738585072014e-308", true, -2.2250738585072014e-308);
    number("5e-324", true, 5e-324);
    number("1.7976931348623157e+308", true, 1.7976931348623157e308);
    number("-0", true, -0.0);
    number("Infinity", true, INFINITY);
    number("-Infinity", true, -INFINITY);
    number("NaN", true, NAN);
    number("1e999", false, 0);
    number("inf", false, 0);
    number("0x10", false, 0);
    number(" 1", false, 0);
    number("1 ", false, 0);
    number("1,5", false, 0);
    number("", false, 0);
    number("0000000000000000000000000000000000000000000000000000000000000000001", false, 0);
}

static void test_bytes(void) {
    struct buffer bytes = { 0 };
    tap_ok(postgres_text_bytes("\\x00ff5c", 8, &bytes) && bytes.length == 3 && !memcmp(bytes.data, "\0\xff\\", 3),
           "bytea of three bytes");
    tap_ok(postgres_text_bytes("\\x", 2, &bytes) && bytes.length == 3, "bytea without bytes");
    static const char *const wrong[] = { "", "\\", "x00", "\\x0", "\\x0g", "\\xFF", "\\000", "ab" };
    for (size_t index = 0; index < sizeof wrong / sizeof *wrong; index++)
        tap_ok(!postgres_text_bytes(wrong[index], strlen(wrong[index]), &bytes) && bytes.length == 3, "no bytea: %s",
               wrong[index]);
    buffer_clear(&bytes);
    postgres_hex(&bytes, "\0\xff", 2, false);
    tap_ok(bytes.length == 6 && !memcmp(bytes.data, "\\x00ff", 6), "bytes as hexadecimal digits");
    buffer_clear(&bytes);
    postgres_hex(&bytes, "\x0a", 1, true);
    tap_ok(bytes.length == 5 && !memcmp(bytes.data, "\\\\x0a", 5), "bytes for COPY");
    buffer_clear(&bytes);
}

static void moment(const char *text, enum postgres_time expected, int64_t milliseconds) {
    int64_t value = 77;
    enum postgres_time kind = postgres_text_time(text, strlen(text), &value);
    tap_ok(kind == expected && value == (kind == POSTGRES_TIME_FINITE ? milliseconds : 77), "time \"%s\": %lld", text,
           (long long)value);
}

static void test_times(void) {
    const enum postgres_time fine = POSTGRES_TIME_FINITE, bad = POSTGRES_TIME_BAD;
    /* extract(epoch …) of the server for each. */
    moment("1970-01-01 00:00:00+00", fine, 0);
    moment("1970-01-01 00:00:00", fine, 0);
    moment("2026-11-24 15:21:03.5+00", fine, 1795533663500);
    moment("2026-11-24 15:21:03.123999+00", fine, 1795533663123);
    moment("2000-02-29 23:59:59.999999", fine, 951868799999);
    moment("1969-12-31 23:59:59.9995+00", fine, -1);
    moment("1900-02-28 12:00:00+00", fine, -2203934400000);
    moment("0044-03-15 00:00:00 BC", fine, -63517824000000);
    moment("0001-01-01 00:00:00+00 BC", fine, -62167219200000);
    moment("0001-01-01 00:00:00+00", fine, -62135596800000);
    moment("4714-11-24 00:00:00+00 BC", fine, -210866803200000);
    moment("294276-12-31 23:59:59.999999+00", fine, 9224318015999999);
    moment("2026-11-24 20:51:03+05:30", fine, 1795533663000);
    moment("1880-01-01 00:00:00-00:25:21", fine, -2840139279000);
    moment("infinity", POSTGRES_TIME_LATEST, 0);
    moment("-infinity", POSTGRES_TIME_EARLIEST, 0);
    static const char *const wrong[] = { "",
                                         "2026-11-24",
                                         "2026-13-01 00:00:00",
                                         "2026-02-29 00:00:00",
                                         "1900-02-29 00:00:00",
                                         "2026-11-24 24:00:00",
                                         "2026-11-24 00:60:00",
                                         "2026-11-24 00:00:60",
                                         "2026-11-24T00:00:00",
                                         "24/11/2026 00:00:00",
                                         "2026-11-24 00:00:00.",
                                         "2026-11-24 00:00:00 UTC",
                                         "2026-11-24 00:00:00+0",
                                         "2026-11-24 00:00:00+00 AD",
                                         "0000-11-24 00:00:00",
                                         "1234567-01-01 00:00:00",
                                         "Infinity" };
    for (size_t index = 0; index < sizeof wrong / sizeof *wrong; index++)
        moment(wrong[index], bad, 0);
}

/* expected: each element in [], NULL as ~. */
static void array(const char *text, enum postgres_array expected, const char *elements) {
    struct buffer packed = { 0 };
    char shown[256] = "";
    const char *element;
    size_t place = 0, length, at = 0;
    enum postgres_array kind = postgres_text_array(text, strlen(text), &packed);
    while (postgres_unpack(&packed, &place, &element, &length))
        at += (size_t)snprintf(shown + at, sizeof shown - at, element ? "[%s]" : "~", element);
    tap_ok(kind == expected && !strcmp(shown, elements), "array %s: %s", tap_plain(text, strlen(text)),
           tap_plain(shown, strlen(shown)));
    buffer_clear(&packed);
}

static void test_arrays(void) {
    const enum postgres_array list = POSTGRES_ARRAY_LIST, bad = POSTGRES_ARRAY_BAD, nested = POSTGRES_ARRAY_NESTED;
    array("{}", list, "");
    array("{a}", list, "[a]");
    array("{a,b c}", bad, "");
    array("{a,\"b c\",NULL,\"NULL\",\"\"}", list, "[a][b c]~[NULL][]");
    array("{\"q\\\"uo\\\\te\",\"{}\",\"a,b\"}", list, "[q\"uo\\te][{}][a,b]");
    array("{\"a\nb\",\xc3\xa4}", list, "[a\nb][\xc3\xa4]");
    array("[0:1]={a,b}", list, "[a][b]");
    array("[-3:-2]={a,b}", list, "[a][b]");
    array("{{a,b},{c,d}}", nested, "");
    array("[1:1][2:3]={{a,b}}", nested, "");
    array("{{}", nested, "");
    static const char *const wrong[] = { "",       "{",        "}",        "a",        "{a",       "{a,}",  "{,a}",
                                         "{a}b",   "{\"a}",    "{\"a\\",   "{\"a\"b}", "{a\"b\"}", "{a{b}", "{a\\b}",
                                         "[1:2]{", "[1:2={a}", "[:2]={a}", "[1]={a}",  "{a}}",     " {a}",  "{\"a\" }",
                                         "{,}",    "[1:2]=",   "={a}",     "(a)",      "{a }" };
    for (size_t index = 0; index < sizeof wrong / sizeof *wrong; index++)
        array(wrong[index], bad, "");
}

static void test_array_writing(void) {
    struct buffer array = { 0 };
    postgres_array_begin(&array);
    postgres_array_end(&array);
    tap_ok(array.length == 2 && !memcmp(array.data, "{}", 2), "an empty list");
    buffer_clear(&array);
    postgres_array_begin(&array);
    postgres_array_add(&array, "{", 1);
    postgres_array_add(&array, "a\"b\\", 4);
    postgres_array_add(&array, NULL, 0);
    postgres_array_add(&array, "", 0);
    postgres_array_end(&array);
    static const char expected[] = "{\"{\",\"a\\\"b\\\\\",NULL,\"\"}";
    tap_ok(array.length == strlen(expected) && !memcmp(array.data, expected, array.length),
           "a list with all that needs care");
    buffer_clear(&array);
}

static void copied(const char *value, size_t length, const char *expected) {
    struct buffer rows = { 0 };
    bool good = postgres_copy_value(&rows, value, length);
    tap_ok(good && rows.length == strlen(expected) && (!rows.length || !memcmp(rows.data, expected, rows.length)),
           "COPY writes %s", expected);
    buffer_clear(&rows);
}

static void test_copy(void) {
    copied("plain", 5, "plain");
    copied("", 0, "");
    copied(NULL, 0, "\\N");
    copied("\\N", 2, "\\\\N");
    copied("\\.", 2, "\\\\.");
    copied("a\tb\nc\rd\\e", 9, "a\\tb\\nc\\rd\\\\e");
    copied("\t\t", 2, "\\t\\t");
    copied("\b\v\x7f\xff", 4, "\b\v\x7f\xff");
}

static void test_packing(void) {
    struct buffer packed = { .limit = 64 };
    const char *value;
    char large[64] = { 0 };
    size_t place = 0, length;
    postgres_pack(&packed, "ab", 2);
    postgres_pack(&packed, NULL, 0);
    postgres_pack(&packed, "", 0);
    size_t before = packed.length;
    tap_ok(!postgres_pack(&packed, large, sizeof large) && packed.failed && packed.length == before,
           "what doesn't fit isn't kept in part");
    bool good = postgres_unpack(&packed, &place, &value, &length) && length == 2 && !strcmp(value, "ab");
    good = good && postgres_unpack(&packed, &place, &value, &length) && !value;
    good = good && postgres_unpack(&packed, &place, &value, &length) && value && !length && !*value;
    tap_ok(good && !postgres_unpack(&packed, &place, &value, &length), "values come back in order");
    buffer_clear(&packed);
}

int main(void) {
    test_integers();
    test_floats();
    test_bytes();
    test_times();
    test_arrays();
    test_array_writing();
    test_copy();
    test_packing();
    return tap_done();
}
