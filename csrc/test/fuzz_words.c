/* Any bytes through what handles text that strangers wrote: the word splitter, UTF-8 repair, JSON strings, the printable
 * form, CSV fields, comparison. Not only "no crash": what each promises about its result is checked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../base/log.h"
#include "../base/utf8.h"
#include "../io/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds) {
    if (!holds)
        abort();
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n';
}

/* The words, each quoted anew as '…' and joined by blanks, split to the same words. */
static void split_again(const struct buffer *words, size_t count) {
    struct buffer line = { 0 }, again = { 0 };
    size_t again_count, position;
    const char *at = words->data;
    for (size_t index = 0; index < count; index++) {
        buffer_append_text(&line, index % 2 ? " '" : "\t\n'");
        for (; *at; at++) {
            if (*at == '\'')
                buffer_append_text(&line, "'\\''");
            else
                buffer_append_byte(&line, *at);
        }
        buffer_append_byte(&line, '\'');
        at++;
    }
    demand(text_words(line.data ? line.data : "", line.length, &again, &again_count, &position) == TEXT_WORDS_OK);
    demand(again_count == count && again.length == words->length);
    demand(!count || !memcmp(again.data, words->data, words->length));
    buffer_clear(&line);
    buffer_clear(&again);
}

static void check_words(const char *text, size_t size) {
    struct buffer words = { 0 };
    size_t count = 0, position = 0, ends = 0;
    bool special = memchr(text, '\\', size) || memchr(text, '\'', size) || memchr(text, '"', size);
    switch (text_words(text, size, &words, &count, &position)) {
    case TEXT_WORDS_OK:
        demand(!memchr(text, '\0', size));
        for (size_t index = 0; index < words.length; index++)
            ends += !words.data[index];
        demand(ends == count && (!count || !words.data[words.length - 1]));
        demand(words.length <= size + 1);
        if (!special) {
            size_t plain = 0;
            for (size_t index = 0; index < size; index++)
                plain += !is_blank(text[index]);
            demand(words.length == plain + count);
        }
        split_again(&words, count);
        break;
    case TEXT_WORDS_QUOTE: demand(position < size && (text[position] == '\'' || text[position] == '"')); break;
    case TEXT_WORDS_NUL: demand(position < size && !text[position] && !memchr(text, '\0', position)); break;
    case TEXT_WORDS_MEMORY: abort();
    }
    buffer_clear(&words);
}

static bool valid(const char *bytes, size_t length) {
    if (!length)
        return true; /* of an empty buffer, that has no bytes to point to */
    const unsigned char *at = (const unsigned char *)bytes, *end = at + length;
    while (at < end) {
        size_t width;
        uint32_t code_point;
        if (!utf8_next(at, end, &width, &code_point))
            return false;
        demand(width >= 1 && width <= 4 && width <= (size_t)(end - at));
        at += width;
    }
    return true;
}

static void check_repair(const char *text, size_t size) {
    struct buffer repaired = { 0 }, again = { 0 };
    size_t count = text_repair(text, size, &repaired);
    demand(valid(repaired.data, repaired.length));
    demand((count == 0) == valid(text, size));
    demand(count || (repaired.length == size && (!size || !memcmp(repaired.data, text, size))));
    if (repaired.length)
        demand(text_repair(repaired.data, repaired.length, &again) == 0 && again.length == repaired.length);
    demand(text_width(text, size) <= 2 * size);
    buffer_clear(&repaired);
    buffer_clear(&again);
}

/* Undoes a JSON string, strictly, into plain. */
static void read_json(const struct buffer *json, struct buffer *plain) {
    demand(json->length >= 2 && json->data[0] == '"' && json->data[json->length - 1] == '"');
    for (size_t index = 1; index < json->length - 1; index++) {
        char byte = json->data[index];
        demand((unsigned char)byte >= 0x20 && byte != '"' && byte != 0x7F);
        if (byte != '\\') {
            buffer_append_byte(plain, byte);
            continue;
        }
        demand(++index < json->length - 1);
        switch (json->data[index]) {
        case '"':
        case '\\': buffer_append_byte(plain, json->data[index]); break;
        case 'n': buffer_append_byte(plain, '\n'); break;
        case 'r': buffer_append_byte(plain, '\r'); break;
        case 't': buffer_append_byte(plain, '\t'); break;
        case 'u': {
            char digits[5] = { 0 };
            demand(index + 4 < json->length - 1);
            memcpy(digits, json->data + index + 1, 4);
            demand(strspn(digits, "0123456789abcdef") == 4 && strtoul(digits, NULL, 16) < 0x80);
            buffer_append_byte(plain, (char)strtoul(digits, NULL, 16));
            index += 4;
            break;
        }
        default: abort();
        }
    }
}

static void check_json(const char *text, size_t size) {
    struct buffer json = { 0 }, plain = { 0 }, repaired = { 0 };
    log_json_string(&json, text, size);
    demand(valid(json.data, json.length));
    read_json(&json, &plain);
    text_repair(text, size, &repaired);
    demand(plain.length == repaired.length && (!plain.length || !memcmp(plain.data, repaired.data, plain.length)));
    buffer_clear(&json);
    buffer_clear(&plain);
    buffer_clear(&repaired);
}

static void check_printable(const char *text, size_t size) {
    for (int keep_newlines = 0; keep_newlines < 2; keep_newlines++) {
        struct buffer shown = { 0 };
        log_printable(&shown, text, size, keep_newlines);
        demand(valid(shown.data, shown.length));
        for (size_t index = 0; index < shown.length; index++) {
            unsigned char byte = (unsigned char)shown.data[index];
            demand(byte >= 0x20 ? byte != 0x7F : byte == '\n' && keep_newlines);
            demand(byte != 0xC2 || (unsigned char)shown.data[index + 1] >= 0xA0);
        }
        buffer_clear(&shown);
    }
}

static void check_csv(const char *text, size_t size) {
    struct buffer field = { 0 };
    text_csv_field(text, size, &field);
    if (field.length && field.data[0] == '"') {
        size_t at = 1, read = 0;
        while (at < field.length - 1) {
            at += field.data[at] == '"';
            demand(at < field.length - 1 && read < size && field.data[at] == text[read]);
            at++;
            read++;
        }
        demand(read == size && field.data[field.length - 1] == '"');
    } else {
        demand(field.length == size && (!size || !memcmp(field.data, text, size)));
        demand(!size || (!memchr(text, ',', size) && !memchr(text, '"', size) && !memchr(text, '\n', size) &&
                         !memchr(text, '\r', size)));
    }
    buffer_clear(&field);
}

static void check_equal(const char *text, size_t size) {
    demand(text_equal_trimmed(text, size, text, size) == (!size || !strchr(" \t\n\v\f\r", text[0]) || !text[0]) ||
           strspn(text, " \t\n\v\f\r") >= size);
    size_t half = size / 2;
    text_equal_trimmed(text, half, text + half, size - half);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* A copy of the very size, ended by a NUL that strspn above needs; the functions get the part before it, of which the
     * sanitizer sees every byte read beyond in a second copy. */
    char *ended = malloc(size + 1), *exact = malloc(size ? size : 1);
    demand(ended && exact);
    memcpy(ended, data, size);
    ended[size] = '\0';
    memcpy(exact, data, size);
    check_words(exact, size);
    check_repair(exact, size);
    check_json(exact, size);
    check_printable(exact, size);
    check_csv(exact, size);
    check_equal(ended, size);
    free(ended);
    free(exact);
    return 0;
}
