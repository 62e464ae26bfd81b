#include "attach_frames.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/utf8.h"

/* ---- the head ---- */

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

static enum attach_step break_head(struct attach_head *head, const char *why) {
    head->broken = why;
    return ATTACH_BROKEN;
}

/* "HTTP/1.1 101 UPGRADED": RFC 9112, section 4. */
static bool read_status(struct attach_head *head) {
    const char *line = head->line.data;
    size_t length = head->line.length;
    while (length && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    if (length < 12 || memcmp(line, "HTTP/1.", 7) || !is_digit(line[7]) || line[8] != ' ' || line[9] < '1' ||
        line[9] > '5' || !is_digit(line[10]) || !is_digit(line[11]) || (length > 12 && line[12] != ' '))
        return false;
    head->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    return true;
}

/* ATTACH_READY at the empty line of a final answer. */
static enum attach_step take_line(struct attach_head *head) {
    if (!head->status && !read_status(head))
        return break_head(head, "the answer is no HTTP/1.1");
    if (!http_fields_take(&head->fields, head->line.data, head->line.length))
        return break_head(head, "out of memory");
    head->line.length = 0;
    if (!head->fields.complete)
        return ATTACH_MORE;
    if (head->status >= 200 || head->status == 101)
        return ATTACH_READY;
    head->status = 0; /* of this one; another follows */
    return ATTACH_MORE;
}

enum attach_step attach_head_take(struct attach_head *head, const char **data, size_t *length) {
    while (*length) {
        const char *end = memchr(*data, '\n', *length);
        size_t taken = end ? (size_t)(end - *data) + 1 : *length;
        if (taken > ATTACH_HEAD_BYTES - head->taken_bytes)
            return break_head(head, "the answer's head is larger than 16384 bytes");
        if (!buffer_append(&head->line, *data, taken))
            return break_head(head, "out of memory");
        head->taken_bytes += taken;
        *data += taken;
        *length -= taken;
        enum attach_step step = end ? take_line(head) : ATTACH_MORE;
        if (step != ATTACH_MORE)
            return step;
    }
    return ATTACH_MORE;
}

static const char *find_field(const struct attach_head *head, const char *wanted) {
    size_t place = 0, length;
    const char *name, *value;
    while (http_fields_next(&head->fields, &place, &name, &value, &length))
        if (!strcmp(name, wanted))
            return value;
    return NULL;
}

bool attach_head_opens(const struct attach_head *head) {
    return head->status == 101 ||
           (head->status == 200 && !find_field(head, "content-length") && !find_field(head, "transfer-encoding"));
}

int64_t attach_head_body_bytes(const struct attach_head *head) {
    const char *value = find_field(head, "content-length");
    size_t digits = value ? strspn(value, "0123456789") : 0;
    if (!digits || digits > 15 || value[digits])
        return -1;
    return strtoll(value, NULL, 10);
}

void attach_head_clear(struct attach_head *head) {
    buffer_clear(&head->line);
    http_fields_clear(&head->fields);
    *head = (struct attach_head){ 0 };
}

/* ---- a refusal ---- */

struct reason {
    char *text;
    size_t length;
};

/* One character, encoded; what doesn't fit any more is left out. */
static void add_character(struct reason *reason, const char *bytes, size_t length) {
    if (reason->length + length >= ATTACH_REASON_BYTES)
        return;
    memcpy(reason->text + reason->length, bytes, length);
    reason->length += length;
}

static void add_byte(struct reason *reason, char byte) {
    add_character(reason, (unsigned char)byte < ' ' || byte == 0x7f ? " " : &byte, 1);
}

static bool hex_value(const char *digits, unsigned *value) {
    *value = 0;
    for (int index = 0; index < 4; index++) {
        char digit = digits[index];
        unsigned one;
        if (is_digit(digit))
            one = (unsigned)(digit - '0');
        else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
            one = (unsigned)((digit | 0x20) - 'a') + 10;
        else
            return false;
        *value = *value * 16 + one;
    }
    return true;
}

/* Go writes <, > and & as \u003c and so on. Halves of surrogate pairs are of no use alone: they become "?". */
static void add_escaped(struct reason *reason, unsigned value) {
    if (value < 0x80) {
        add_byte(reason, (char)value);
    } else if (value < 0x800) {
        add_character(reason, (char[]){ (char)(0xc0 | value >> 6), (char)(0x80 | (value & 0x3f)) }, 2);
    } else if (value >= 0xd800 && value < 0xe000) {
        add_byte(reason, '?');
    } else {
        char bytes[] = { (char)(0xe0 | value >> 12), (char)(0x80 | (value >> 6 & 0x3f)),
                         (char)(0x80 | (value & 0x3f)) };
        add_character(reason, bytes, 3);
    }
}

/* A JSON string, from behind its first quote. False when its end isn't there, or it is none. */
static bool add_string(struct reason *reason, const char *at, const char *end) {
    for (; at < end && *at != '"'; at++) {
        unsigned value;
        if (*at != '\\') {
            add_byte(reason, *at);
        } else if (++at == end) {
            return false;
        } else if (*at == 'u') {
            if (end - at < 5 || !hex_value(at + 1, &value))
                return false;
            add_escaped(reason, value);
            at += 4;
        } else {
            add_byte(reason, strchr("bfnrt", *at) && *at ? ' ' : *at);
        }
    }
    return at < end;
}

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at;
}

/* Looks for "message": "…". A refusal is a flat object of the engine's, and this is words for people: a whole reader of JSON
 * would tell no more. */
static bool add_message(struct reason *reason, const char *body, size_t length) {
    static const char key[] = "\"message\"";
    const char *end = body + length, *at = memmem(body, length, key, sizeof key - 1);
    if (!at)
        return false;
    at = skip_space(at + sizeof key - 1, end);
    if (at == end || *at != ':')
        return false;
    at = skip_space(at + 1, end);
    return at < end && *at == '"' && add_string(reason, at + 1, end);
}

/* A message is UTF-8: what isn't becomes "?". Returns the length that is left. */
static size_t make_valid(char *text, size_t length) {
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    size_t kept = 0, width;
    for (uint32_t code_point; at < end; at += width) {
        bool valid = utf8_next(at, end, &width, &code_point);
        memmove(text + kept, valid ? (const char *)at : "?", valid ? width : 1);
        kept += valid ? width : 1;
    }
    return kept;
}

bool attach_refusal_reason(const char *body, size_t length, bool finished, char result[ATTACH_REASON_BYTES]) {
    char text[ATTACH_REASON_BYTES];
    struct reason reason = { text, 0 };
    if (!length)
        return false;
    if (!add_message(&reason, body, length)) {
        reason.length = 0;
        for (size_t index = 0; finished && index < length; index++)
            add_byte(&reason, body[index]);
    }
    while (reason.length && text[reason.length - 1] == ' ')
        reason.length--;
    reason.length = make_valid(text, reason.length);
    if (!reason.length)
        return false;
    memcpy(result, text, reason.length);
    result[reason.length] = '\0';
    return true;
}

/* ---- the frames ---- */

/* Byte 0: 0 standard input (which is written where output is), 1 output, 2 error; three bytes of 0; the length, big endian. */
static bool read_header(struct attach_frames *frames) {
    const unsigned char *header = frames->header;
    if (header[0] > 2 || header[1] || header[2] || header[3]) {
        frames->broken = "what the engine sends isn't in frames: does the container have a terminal?";
        return false;
    }
    frames->left = (uint32_t)header[4] << 24 | (uint32_t)header[5] << 16 | (uint32_t)header[6] << 8 | header[7];
    return true;
}

/* True when the header is whole and good. */
static bool take_header(struct attach_frames *frames, const char **data, size_t *length) {
    while (*length && frames->header_length < ATTACH_FRAME_HEADER_BYTES) {
        frames->header[frames->header_length++] = (unsigned char)*(*data)++;
        (*length)--;
    }
    return frames->header_length == ATTACH_FRAME_HEADER_BYTES && read_header(frames);
}

enum attach_step attach_frames_next(struct attach_frames *frames, const char **data, size_t *length,
                                    struct attach_piece *piece) {
    while (*length && !frames->broken) {
        if (!frames->left) {
            frames->header_length %= ATTACH_FRAME_HEADER_BYTES;
            if (!take_header(frames, data, length))
                break;
            continue; /* an empty frame has no piece */
        }
        size_t taken = *length < frames->left ? *length : frames->left;
        *piece = (struct attach_piece){ frames->header[0] == 2 ? TRANSPORT_ERRORS : TRANSPORT_OUTPUT, *data, taken };
        frames->left -= (uint32_t)taken;
        *data += taken;
        *length -= taken;
        return ATTACH_READY;
    }
    return frames->broken ? ATTACH_BROKEN : ATTACH_MORE;
}

bool attach_frames_whole(const struct attach_frames *frames) {
    return !frames->left && frames->header_length % ATTACH_FRAME_HEADER_BYTES == 0;
}
