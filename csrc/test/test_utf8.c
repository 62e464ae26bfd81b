/* Tests of base/utf8.c, against an independent reading of Unicode 15, chapter 3.9: every code point, every
   start of three bytes, and the tables of the chapter. */
#include "../base/utf8.h"

#include <string.h>

#include "tap.h"

static size_t encode(uint32_t code_point, unsigned char *bytes) {
    if (code_point < 0x80) {
        bytes[0] = (unsigned char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        bytes[0] = (unsigned char)(0xC0 | code_point >> 6);
        bytes[1] = (unsigned char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        bytes[0] = (unsigned char)(0xE0 | code_point >> 12);
        bytes[1] = (unsigned char)(0x80 | (code_point >> 6 & 0x3F));
        bytes[2] = (unsigned char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    bytes[0] = (unsigned char)(0xF0 | code_point >> 18);
    bytes[1] = (unsigned char)(0x80 | (code_point >> 12 & 0x3F));
    bytes[2] = (unsigned char)(0x80 | (code_point >> 6 & 0x3F));
    bytes[3] = (unsigned char)(0x80 | (code_point & 0x3F));
    return 4;
}

static void test_code_points(void) {
    uint32_t wrong = 0, first_wrong = 0;
    for (uint32_t expected = 0; expected < 0x200000; expected++) {
        unsigned char bytes[4];
        size_t size = encode(expected, bytes), length;
        uint32_t code_point;
        bool scalar = expected <= 0x10FFFF && (expected < 0xD800 || expected > 0xDFFF);
        bool valid = utf8_next(bytes, bytes + size, &length, &code_point);
        bool right = valid == scalar && (valid ? length == size && code_point == expected : length == 1);
        if (!right && !wrong++)
            first_wrong = expected;
    }
    tap_ok(!wrong, "every code point is read, surrogates and what is beyond U+10FFFF are refused (%u wrong, first %X)",
           wrong, first_wrong);
}

static void test_truncated(void) {
    bool good = true;
    for (uint32_t code_point = 0x80; code_point <= 0x10FFFF; code_point += 37) {
        unsigned char bytes[4];
        size_t size = encode(code_point, bytes);
        if (code_point >= 0xD800 && code_point <= 0xDFFF)
            continue;
        for (size_t end = 1; end < size; end++) {
            size_t length;
            uint32_t read;
            good = good && !utf8_next(bytes, bytes + end, &length, &read) && length == end;
        }
    }
    tap_ok(good, "a character cut off is one invalid part, as long as what there is of it");
}

/* Can these bytes be the start of a character, by trying all? */
static bool starts(const unsigned char *bytes, size_t count) {
    unsigned char character[4];
    for (uint32_t low = 0; low < 0x110000;) {
        if (low == 0xD800)
            low = 0xE000;
        size_t size = encode(low, character);
        if (size > count && !memcmp(character, bytes, count))
            return true;
        /* All code points that share the first two bytes have the same start of two. */
        low += size == 4 ? 0x1000 : size == 3 ? 0x40 : 1;
    }
    return false;
}

static void test_parts(void) {
    bool good = true;
    for (unsigned first = 0x80; first <= 0xFF; first++) {
        for (unsigned second = 0; second <= 0xFF; second++) {
            unsigned char bytes[3] = { (unsigned char)first, (unsigned char)second, 'A' };
            size_t length, expected = starts(bytes, 1) && starts(bytes, 2) ? 2 : 1;
            uint32_t code_point;
            if (first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF)
                continue; /* a character */
            bool valid = utf8_next(bytes, bytes + 3, &length, &code_point);
            if (valid || length != expected) {
                good = false;
                tap_note("%02X %02X: %s, length %zu instead of %zu", first, second, valid ? "valid" : "invalid", length,
                         expected);
            }
        }
    }
    tap_ok(good, "an invalid part is the longest that could have begun a character, else one byte");
}

static void check_table(const char *name, const char *bytes, size_t length, const char *pattern) {
    const unsigned char *at = (const unsigned char *)bytes, *end = at + length;
    char found[64];
    size_t count = 0;
    while (at < end) {
        size_t width;
        uint32_t code_point;
        found[count++] = utf8_next(at, end, &width, &code_point) ? (char)code_point : '?';
        at += width;
    }
    found[count] = '\0';
    tap_ok(!strcmp(found, pattern), "table %s: %s", name, found);
}

int main(void) {
    test_code_points();
    test_truncated();
    test_parts();
#define TABLE(name, bytes, pattern) check_table(name, bytes, sizeof bytes - 1, pattern)
    TABLE("3-8", "\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", "????????A");
    TABLE("3-9", "\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", "????????A");
    TABLE("3-10", "\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", "?????A??B");
    TABLE("3-11", "\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "????A");
    return tap_done();
}
