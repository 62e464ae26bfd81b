/* Fuzz target: the header of an HTTP answer. The input is its lines. Checked are the bounds, that names and values hold nothing
 * that could be taken for the end of one, that what was taken, written anew, is read the same, and that trailers change nothing. */
#include "../io/http_fields.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition) {
    if (!condition)
        abort();
}

/* Line by line, each in memory of its exact size, so that a byte too far is seen. */
static bool take_lines(struct http_fields *fields, const char *text, size_t size) {
    bool taken = true;
    while (taken && size) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) + 1 : size;
        char *line = malloc(length);
        check(line != NULL);
        memcpy(line, text, length);
        taken = http_fields_take(fields, line, length);
        free(line);
        text += length;
        size -= length;
    }
    return taken;
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t';
}

static void check_field(const char *name, const char *value, size_t value_length) {
    check(*name && strlen(value) == value_length);
    for (const char *at = name; *at; at++)
        check((unsigned char)*at > ' ' && *at != 0x7f && *at != ':' && !(*at >= 'A' && *at <= 'Z'));
    check(!strpbrk(value, "\r\n"));
    check(!value_length || (!is_blank(value[0]) && !is_blank(value[value_length - 1])));
}

/* Checks every field and writes it to text as a server would. */
static void write_anew(const struct http_fields *fields, struct buffer *text) {
    const char *name, *value;
    size_t place = 0, value_length, count = 0;
    while (http_fields_next(fields, &place, &name, &value, &value_length)) {
        check_field(name, value, value_length);
        check(buffer_format(text, "%s: %s\r\n", name, value));
        count++;
    }
    check(count == fields->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct http_fields fields = { 0 }, again = { 0 };
    struct buffer text = { 0 };
    bool taken = take_lines(&fields, (const char *)data, size);
    check(taken || size > HTTP_FIELDS_LIMIT_BYTES);
    check(fields.taken_bytes <= HTTP_FIELDS_LIMIT_BYTES);
    write_anew(&fields, &text);
    if (taken && fields.complete) {
        size_t before = fields.text.length;
        fields.last = true;
        take_lines(&fields, (const char *)data, size);
        check(fields.complete && fields.text.length == before);
    }
    if (taken && text.length <= HTTP_FIELDS_LIMIT_BYTES) {
        check(take_lines(&again, text.data, text.length));
        check(again.count == fields.count && again.text.length == fields.text.length);
        check(!again.count || !memcmp(again.text.data, fields.text.data, again.text.length));
    }
    http_fields_clear(&fields);
    http_fields_clear(&again);
    buffer_clear(&text);
    return 0;
}
