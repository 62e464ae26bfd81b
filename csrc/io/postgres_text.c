#include "postgres_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cleanup.h"

/* ---- packing ---- */

bool postgres_pack(struct buffer *packed, const char *value, size_t length) {
    int32_t stored = value ? (int32_t)length : -1;
    size_t before = packed->length;
    if (value && length > INT32_MAX)
        packed->failed = true;
    else if (buffer_append(packed, &stored, sizeof stored) &&
             (!value || (buffer_append(packed, value, length) && buffer_append_byte(packed, '\0'))))
        return true;
    packed->length = before;
    return false;
}

bool postgres_unpack(const struct buffer *packed, size_t *place, const char **value, size_t *length) {
    int32_t stored;
    if (*place >= packed->length)
        return false;
    memcpy(&stored, packed->data + *place, sizeof stored);
    *place += sizeof stored;
    *value = stored < 0 ? NULL : packed->data + *place;
    *length = stored < 0 ? 0 : (size_t)stored;
    if (stored >= 0)
        *place += *length + 1;
    return true;
}

/* ---- numbers ---- */

bool postgres_text_integer(const char *text, size_t length, int64_t *value) {
    const char *at = text, *end = text + length;
    bool negative = at < end && *at == '-';
    at += negative;
    if (at == end)
        return false;
    int64_t sum = 0; /* negated: there is one more of these */
    for (; at < end; at++) {
        if (*at < '0' || *at > '9' || __builtin_mul_overflow(sum, (int64_t)10, &sum) ||
            __builtin_sub_overflow(sum, (int64_t)(*at - '0'), &sum))
            return false;
    }
    if (!negative && sum == INT64_MIN)
        return false;
    *value = negative ? sum : -sum;
    return true;
}

static bool is(const char *text, size_t length, const char *word) {
    return length == strlen(word) && !memcmp(text, word, length);
}

bool postgres_text_float(const char *text, size_t length, double *value) {
    char copy[64], *end;
    if (is(text, length, "NaN")) {
        *value = NAN;
        return true;
    }
    if (is(text, length, "Infinity") || is(text, length, "-Infinity")) {
        *value = *text == '-' ? -INFINITY : INFINITY;
        return true;
    }
    /* strtod alone would take white space, hexadecimal digits and names in any case. */
    if (!length || length >= sizeof copy)
        return false;
    for (size_t index = 0; index < length; index++)
        if (!text[index] || !strchr("0123456789+-.e", text[index]))
            return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    double read = strtod(copy, &end);
    if (*end || !isfinite(read))
        return false;
    *value = read;
    return true;
}

/* ---- bytes ---- */

static int hex_digit(char byte) {
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return -1;
}

bool postgres_text_bytes(const char *text, size_t length, struct buffer *bytes) {
    size_t before = bytes->length;
    if (length < 2 || length % 2 || text[0] != '\\' || text[1] != 'x')
        return false;
    for (size_t at = 2; at < length; at += 2) {
        int high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
        if (high < 0 || low < 0 || !buffer_append_byte(bytes, (char)(high << 4 | low))) {
            bytes->length = before;
            return false;
        }
    }
    return true;
}

bool postgres_hex(struct buffer *text, const char *bytes, size_t length, bool for_copy) {
    static const char digits[] = "0123456789abcdef";
    bool good = buffer_append_text(text, for_copy ? "\\\\x" : "\\x");
    for (size_t at = 0; good && at < length; at++) {
        unsigned char byte = (unsigned char)bytes[at];
        const char pair[2] = { digits[byte >> 4], digits[byte & 15] };
        good = buffer_append(text, pair, sizeof pair);
    }
    return good;
}

/* ---- times ---- */

struct reader {
    const char *at, *end;
};

static bool take(struct reader *reader, char byte) {
    bool there = reader->at < reader->end && *reader->at == byte;
    reader->at += there;
    return there;
}

/* A number of at least so many digits, and at most so many. */
static bool take_number(struct reader *reader, int least, int most, int *value) {
    int digits = 0, sum = 0;
    while (digits < most && reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
        sum = sum * 10 + (*reader->at++ - '0');
        digits++;
    }
    *value = sum;
    return digits >= least;
}

static bool take_within(struct reader *reader, int least, int most, int *value) {
    return take_number(reader, 2, 2, value) && *value >= least && *value <= most;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; year 0 is 1 BC. */
static int64_t days_from_civil(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int days_of_month(int64_t year, int month) {
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* ".123456": what is behind the third digit is cut off, which for a time of day is downwards. */
static bool take_fraction(struct reader *reader, int *milliseconds) {
    *milliseconds = 0;
    if (!take(reader, '.'))
        return true;
    const char *begin = reader->at;
    int unused;
    if (!take_number(reader, 1, 6, &unused))
        return false;
    for (int place = 0, weight = 100; place < 3 && begin + place < reader->at; place++, weight /= 10)
        *milliseconds += (begin[place] - '0') * weight;
    return true;
}

/* "+00", "-03:30", "+00:53:28": the seconds by which the clock there is ahead. */
static bool take_offset(struct reader *reader, int *seconds) {
    int hours, minutes = 0, rest = 0;
    *seconds = 0;
    bool behind = take(reader, '-');
    if (!behind && !take(reader, '+'))
        return true;
    if (!take_within(reader, 0, 15, &hours) || (take(reader, ':') && !take_within(reader, 0, 59, &minutes)) ||
        (take(reader, ':') && !take_within(reader, 0, 59, &rest)))
        return false;
    *seconds = (hours * 3600 + minutes * 60 + rest) * (behind ? -1 : 1);
    return true;
}

enum postgres_time postgres_text_time(const char *text, size_t length, int64_t *epoch_ms) {
    struct reader reader = { text, text + length };
    int year, month, day, hour, minute, second, milliseconds, offset;
    if (is(text, length, "infinity"))
        return POSTGRES_TIME_LATEST;
    if (is(text, length, "-infinity"))
        return POSTGRES_TIME_EARLIEST;
    if (!take_number(&reader, 4, 6, &year) || !year || !take(&reader, '-') || !take_within(&reader, 1, 12, &month) ||
        !take(&reader, '-') || !take_within(&reader, 1, 31, &day) || !take(&reader, ' ') ||
        !take_within(&reader, 0, 23, &hour) || !take(&reader, ':') || !take_within(&reader, 0, 59, &minute) ||
        !take(&reader, ':') || !take_within(&reader, 0, 59, &second) || !take_fraction(&reader, &milliseconds) ||
        !take_offset(&reader, &offset))
        return POSTGRES_TIME_BAD;
    int64_t astronomical = year;
    if (is(reader.at, (size_t)(reader.end - reader.at), " BC"))
        astronomical = 1 - (int64_t)year;
    else if (reader.at != reader.end)
        return POSTGRES_TIME_BAD;
    if (day > days_of_month(astronomical, month))
        return POSTGRES_TIME_BAD;
    int64_t seconds = days_from_civil(astronomical, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    *epoch_ms = seconds * 1000 + milliseconds;
    return POSTGRES_TIME_FINITE;
}

/* ---- arrays ---- */

/* "[-1:2]", once for each dimension: bounds that don't begin at 1. */
static bool take_bounds(struct reader *reader, int *dimensions) {
    int unused;
    *dimensions = 0;
    while (take(reader, '[')) {
        take(reader, '-');
        if (!take_number(reader, 1, 9, &unused) || !take(reader, ':'))
            return false;
        take(reader, '-');
        if (!take_number(reader, 1, 9, &unused) || !take(reader, ']'))
            return false;
        ++*dimensions;
    }
    return !*dimensions || take(reader, '=');
}

/* "…" with backslashes before what is meant as it is; the opening quote was taken. */
static bool take_quoted(struct reader *reader, struct buffer *element) {
    for (; reader->at < reader->end; reader->at++) {
        if (*reader->at == '"') {
            reader->at++;
            return true;
        }
        if (*reader->at == '\\' && ++reader->at == reader->end)
            return false;
        if (!buffer_append_byte(element, *reader->at))
            return false;
    }
    return false;
}

/* Without quotes there is nothing that would need them (array_out of the server's arrayfuncs.c). */
static bool take_plain(struct reader *reader, struct buffer *element) {
    const char *begin = reader->at;
    for (; reader->at < reader->end && *reader->at != ',' && *reader->at != '}'; reader->at++)
        if (!*reader->at || strchr("\"\\{ \t\n\r\v\f", *reader->at))
            return false;
    return reader->at > begin && buffer_append(element, begin, (size_t)(reader->at - begin));
}

static bool take_element(struct reader *reader, struct buffer *element, struct buffer *elements) {
    bool quoted = take(reader, '"');
    element->length = 0;
    if (!(quoted ? take_quoted(reader, element) : take_plain(reader, element)))
        return false;
    if (!quoted && is(element->data, element->length, "NULL"))
        return postgres_pack(elements, NULL, 0);
    return postgres_pack(elements, element->length ? element->data : "", element->length);
}

static enum postgres_array take_elements(struct reader *reader, struct buffer *element, struct buffer *elements) {
    bool good = true;
    if (!take(reader, '}')) {
        do
            good = take_element(reader, element, elements);
        while (good && take(reader, ','));
        good = good && take(reader, '}');
    }
    if (element->failed || elements->failed)
        return POSTGRES_ARRAY_MEMORY;
    return good && reader->at == reader->end ? POSTGRES_ARRAY_LIST : POSTGRES_ARRAY_BAD;
}

enum postgres_array postgres_text_array(const char *text, size_t length, struct buffer *elements) {
    struct reader reader = { text, text + length };
    _cleanup_(buffer_clear) struct buffer element = { 0 };
    size_t before = elements->length;
    int dimensions;
    if (!take_bounds(&reader, &dimensions) || !take(&reader, '{'))
        return POSTGRES_ARRAY_BAD;
    if (dimensions > 1 || (reader.at < reader.end && *reader.at == '{'))
        return POSTGRES_ARRAY_NESTED;
    enum postgres_array status = take_elements(&reader, &element, elements);
    if (status != POSTGRES_ARRAY_LIST)
        elements->length = before;
    return status;
}

bool postgres_array_begin(struct buffer *array) {
    return buffer_append_byte(array, '{');
}

static bool needs_comma(const struct buffer *array) {
    return array->length && array->data[array->length - 1] != '{';
}

bool postgres_array_add(struct buffer *array, const char *element, size_t length) {
    /* An element's own last byte can't be taken for the opening brace: it stands between quotes. */
    if (needs_comma(array) && !buffer_append_byte(array, ','))
        return false;
    if (!element)
        return buffer_append_text(array, "NULL");
    bool good = buffer_append_byte(array, '"');
    for (size_t at = 0; good && at < length; at++) {
        if (element[at] == '"' || element[at] == '\\')
            good = buffer_append_byte(array, '\\');
        good = good && buffer_append_byte(array, element[at]);
    }
    return good && buffer_append_byte(array, '"');
}

bool postgres_array_end(struct buffer *array) {
    return buffer_append_byte(array, '}');
}

/* ---- COPY ---- */

static const char *copy_escape(char byte) {
    switch (byte) {
    case '\\': return "\\\\";
    case '\t': return "\\t";
    case '\n': return "\\n";
    case '\r': return "\\r";
    default: return NULL;
    }
}

bool postgres_copy_value(struct buffer *rows, const char *value, size_t length) {
    bool good = true;
    size_t plain = 0;
    if (!value)
        return buffer_append_text(rows, "\\N");
    for (size_t at = 0; good && at < length; at++) {
        const char *escape = copy_escape(value[at]);
        if (!escape)
            continue;
        good = buffer_append(rows, value + plain, at - plain) && buffer_append_text(rows, escape);
        plain = at + 1;
    }
    return good && buffer_append(rows, value + plain, length - plain);
}
