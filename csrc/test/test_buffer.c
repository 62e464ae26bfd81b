/* Tests of base/buffer.c. */
#include "../base/buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static bool holds(const struct buffer *buffer, const char *text) {
    return buffer->length == strlen(text) && !memcmp(buffer->data, text, buffer->length);
}

static void test_append(void) {
    struct buffer buffer = { 0 };
    tap_ok(buffer_append(&buffer, "a\0b", 3) && buffer.length == 3 && !memcmp(buffer.data, "a\0b", 3),
           "any bytes are appended");
    tap_ok(buffer_append_text(&buffer, "text") && buffer_append_byte(&buffer, '!') && buffer.length == 8,
           "texts and bytes are appended");
    tap_ok(buffer_append(&buffer, NULL, 0) && buffer.length == 8, "nothing may be appended, from nowhere");
    buffer_clear(&buffer);
    tap_ok(!buffer.data && !buffer.length && !buffer.capacity, "clearing leaves nothing");
    tap_ok(buffer_append_text(&buffer, "again") && holds(&buffer, "again"), "it may be used again");
    buffer_clear(&buffer);
}

static void test_growth(void) {
    struct buffer buffer = { 0 };
    bool good = true;
    size_t moves = 0, capacity = 0;
    for (int index = 0; index < 100000; index++) {
        good = good && buffer_append_byte(&buffer, (char)index);
        moves += buffer.capacity != capacity;
        capacity = buffer.capacity;
    }
    for (int index = 0; index < 100000; index++)
        good = good && buffer.data[index] == (char)index;
    tap_ok(good && buffer.length == 100000, "bytes stay in their order while it grows");
    tap_ok(moves < 20, "it grows by doubling (%zu times)", moves);
    tap_ok(!buffer_append(&buffer, "", SIZE_MAX / 2) && buffer.failed && buffer.length == 100000,
           "what no memory holds fails, and what was there stays");
    buffer_clear(&buffer);
    tap_ok(!buffer.failed, "clearing forgets the failure");
}

static void test_limit(void) {
    struct buffer buffer = { .limit = 5 };
    tap_ok(buffer_append_text(&buffer, "12345") && !buffer.failed, "it holds exactly its limit");
    tap_ok(!buffer_append_byte(&buffer, '6') && buffer.failed && holds(&buffer, "12345"), "one byte more fails");
    buffer_clear(&buffer);
    tap_ok(buffer.limit == 5, "the limit outlives clearing");
    tap_ok(!buffer_append_text(&buffer, "123456") && buffer.length == 0, "of what doesn't fit nothing is kept");
    tap_ok(!buffer_append(&buffer, "", SIZE_MAX), "a length near the largest fails");
    buffer_clear(&buffer);
}

static void test_fill(void) {
    struct buffer buffer = { .limit = 5 };
    tap_ok(buffer_fill(&buffer, "123", 3) == 3 && !buffer.failed, "what fits is filled in");
    tap_ok(buffer_fill(&buffer, "45", 2) == 2 && !buffer.failed, "up to the limit");
    tap_ok(buffer_fill(&buffer, "", 0) == 0 && !buffer.failed, "nothing more is no failure");
    tap_ok(buffer_fill(&buffer, "6", 1) == 0 && buffer.failed && holds(&buffer, "12345"),
           "what is beyond is dropped, and told");
    buffer_clear(&buffer);
    tap_ok(buffer_fill(&buffer, "123456789", 9) == 5 && buffer.failed && holds(&buffer, "12345"), "a part is taken");
    buffer_clear(&buffer);
    struct buffer endless = { 0 };
    tap_ok(buffer_fill(&endless, "123456789", 9) == 9 && !endless.failed, "without a limit all is taken");
    buffer_clear(&endless);
}

static void test_format(void) {
    struct buffer buffer = { 0 };
    tap_ok(buffer_format(&buffer, "%s=%d", "x", 5) && holds(&buffer, "x=5"), "formats are filled in");
    buffer_clear(&buffer);
    /* Around the size of the block on the stack. */
    char expected[1025];
    for (int length = 510; length <= 514; length++) {
        memset(expected, 'y', sizeof expected);
        expected[length] = '\0';
        tap_ok(buffer_format(&buffer, "%s", expected) && holds(&buffer, expected), "a format of %d bytes", length);
        buffer_clear(&buffer);
    }
    buffer.limit = 3;
    tap_ok(!buffer_format(&buffer, "%d", 12345) && buffer.failed && buffer.length == 0,
           "a format beyond the limit fails");
    buffer_clear(&buffer);
    buffer.limit = 600;
    memset(expected, 'y', sizeof expected);
    expected[1024] = '\0';
    tap_ok(!buffer_format(&buffer, "%s", expected) && buffer.failed && buffer.length == 0, "so does a long one");
    buffer_clear(&buffer);
}

int main(void) {
    test_append();
    test_growth();
    test_limit();
    test_fill();
    test_format();
    return tap_done();
}
