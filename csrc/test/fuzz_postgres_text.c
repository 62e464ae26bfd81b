/* Fuzz target: values as PostgreSQL writes them, io/postgres_text.c. The input is one value, read as each type. Checked are what
 * each promises of its result, that a list that was read says the same when it is written anew, and that any bytes come back from
 * an array and from COPY as they were. */
#include "../io/postgres_text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds) {
    if (!holds)
        abort();
}

static bool same(const struct buffer *one, const struct buffer *other) {
    return one->length == other->length && (!one->length || !memcmp(one->data, other->data, one->length));
}

static void check_scalars(const char *text, size_t size) {
    int64_t integer = 0, milliseconds = 0;
    double number = 0;
    char again[32];
    if (postgres_text_integer(text, size, &integer)) {
        snprintf(again, sizeof again, "%lld", (long long)integer);
        /* Zeros before it, and of zero the sign, are all that may be lost. */
        demand(strlen(again) <= size && (*again == '-') == (*text == '-' && integer != 0));
    }
    if (postgres_text_float(text, size, &number) && isfinite(number))
        demand(!memchr(text, ' ', size) && !memchr(text, 'x', size));
    if (postgres_text_time(text, size, &milliseconds) == POSTGRES_TIME_FINITE) {
        const int64_t million_years = 1000000LL * 366 * 86400 * 1000;
        demand(size >= 19 && milliseconds > -million_years && milliseconds < million_years);
    }
}

static void check_bytes(const char *text, size_t size) {
    struct buffer bytes = { 0 }, again = { 0 };
    if (postgres_text_bytes(text, size, &bytes)) {
        demand(bytes.length == size / 2 - 1);
        demand(postgres_hex(&again, bytes.data ? bytes.data : "", bytes.length, false));
        demand(again.length == size && !memcmp(again.data, text, size));
    } else {
        demand(!bytes.length);
    }
    buffer_clear(&bytes);
    buffer_clear(&again);
}

/* The elements, written as an array and read again, are the same. */
static void write_and_read(const struct buffer *elements) {
    struct buffer array = { 0 }, again = { 0 };
    const char *element;
    size_t place = 0, length;
    demand(postgres_array_begin(&array));
    while (postgres_unpack(elements, &place, &element, &length)) {
        demand(!element || !element[length]);
        demand(postgres_array_add(&array, element, length));
    }
    demand(place == elements->length && postgres_array_end(&array));
    demand(postgres_text_array(array.data, array.length, &again) == POSTGRES_ARRAY_LIST);
    demand(same(elements, &again));
    buffer_clear(&array);
    buffer_clear(&again);
}

static void check_array(const char *text, size_t size) {
    struct buffer elements = { 0 };
    if (postgres_text_array(text, size, &elements) == POSTGRES_ARRAY_LIST) {
        demand(elements.length <= (size + 1) * (POSTGRES_PACK_BYTES + 1));
        write_and_read(&elements);
    } else {
        demand(!elements.length);
    }
    buffer_clear(&elements);
}

static void check_element(const char *text, size_t size) {
    struct buffer elements = { 0 };
    demand(postgres_pack(&elements, text, size) && postgres_pack(&elements, NULL, 0) &&
           postgres_pack(&elements, text, size / 2));
    write_and_read(&elements);
    buffer_clear(&elements);
}

/* What the server does with a value of COPY's text format: copyfromparse.c, CopyReadAttributesText, without the escapes that are
 * never written. */
static void read_copy(const struct buffer *written, struct buffer *value) {
    for (size_t at = 0; at < written->length; at++) {
        char byte = written->data[at];
        demand(byte != '\t' && byte != '\n' && byte != '\r');
        if (byte == '\\') {
            demand(++at < written->length);
            byte = written->data[at];
            demand(byte == '\\' || byte == 't' || byte == 'n' || byte == 'r');
            byte = byte == 't' ? '\t' : byte == 'n' ? '\n' : byte == 'r' ? '\r' : '\\';
        }
        buffer_append_byte(value, byte);
    }
}

static void check_copy(const char *text, size_t size) {
    struct buffer written = { 0 }, value = { 0 };
    demand(postgres_copy_value(&written, text, size));
    read_copy(&written, &value);
    demand(value.length == size && (!size || !memcmp(value.data, text, size)));
    buffer_clear(&written);
    buffer_clear(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    check_scalars(text, size);
    check_bytes(text, size);
    check_array(text, size);
    if (size) { /* without one there are no bytes to point to */
        check_element(text, size);
        check_copy(text, size);
    }
    return 0;
}
