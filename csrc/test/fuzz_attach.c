/* Fuzz target: what a container engine answers (io/attach_frames.c). The input: a byte that says how long the pieces are in which
 * the rest comes, and where the head is left out; then the stream.
 *
 * Checked are the bounds, that the pieces make no difference, that the frames' payloads are what an independent reader of the
 * whole finds, and that a reason is UTF-8 without control characters. */
#include "../base/utf8.h"
#include "../io/attach_frames.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

/* What came of a stream. */
struct outcome {
    struct attach_head head;
    struct attach_frames frames;
    enum attach_step step;
    bool headed;
    size_t taken; /* of the stream, when it is broken or a refusal: where that was seen */
    struct buffer streams[2], body;
};

static void take_pieces(struct outcome *outcome, const char **data, size_t *length) {
    struct attach_piece piece;
    const char *end = *data + *length;
    while ((outcome->step = attach_frames_next(&outcome->frames, data, length, &piece)) == ATTACH_READY) {
        check(piece.length > 0 && piece.data + piece.length == *data && *data + *length == end);
        check(piece.stream == TRANSPORT_OUTPUT || piece.stream == TRANSPORT_ERRORS);
        check(buffer_append(&outcome->streams[piece.stream], piece.data, piece.length));
    }
    check(outcome->step == ATTACH_BROKEN || !*length);
}

static void take(struct outcome *outcome, const char *data, size_t length) {
    size_t before = length;
    if (!outcome->headed) {
        outcome->step = attach_head_take(&outcome->head, &data, &length);
        check(outcome->head.taken_bytes <= ATTACH_HEAD_BYTES && outcome->head.line.length <= ATTACH_HEAD_BYTES);
        check((outcome->step == ATTACH_BROKEN) == (outcome->head.broken != NULL));
        outcome->headed = outcome->step == ATTACH_READY;
    }
    if (outcome->headed && attach_head_opens(&outcome->head)) {
        take_pieces(outcome, &data, &length);
    } else if (outcome->headed) {
        check(buffer_append(&outcome->body, data, length));
        length = 0;
    }
    outcome->taken += before - length;
}

static void run(struct outcome *outcome, bool headless, const char *data, size_t size, size_t piece_bytes) {
    memset(outcome, 0, sizeof *outcome);
    if (headless) {
        outcome->headed = true;
        outcome->head.status = 101;
    }
    while (size && outcome->step != ATTACH_BROKEN) {
        size_t length = size < piece_bytes ? size : piece_bytes;
        char *copy = malloc(length); /* of its exact size, so that a byte too far is seen */
        check(copy != NULL);
        memcpy(copy, data, length);
        take(outcome, copy, length);
        free(copy);
        data += length;
        size -= length;
    }
}

static bool same(const struct buffer *one, const struct buffer *other) {
    return one->length == other->length && (!one->length || !memcmp(one->data, other->data, one->length));
}

/* The frames read once more, all at once. */
static void check_frames(const struct outcome *outcome, const uint8_t *data, size_t size) {
    size_t kept[2] = { 0, 0 };
    while (size >= ATTACH_FRAME_HEADER_BYTES) {
        if (data[0] > 2 || data[1] | data[2] | data[3]) {
            check(outcome->step == ATTACH_BROKEN && outcome->frames.broken);
            size = 0;
            break;
        }
        struct buffer const *stream = &outcome->streams[data[0] == 2];
        size_t *at = &kept[data[0] == 2];
        size_t length = (size_t)data[4] << 24 | (size_t)data[5] << 16 | (size_t)data[6] << 8 | data[7];
        size -= ATTACH_FRAME_HEADER_BYTES;
        size_t there = length < size ? length : size;
        check(*at + there <= stream->length);
        check(!there || !memcmp(stream->data + *at, data + ATTACH_FRAME_HEADER_BYTES, there));
        *at += there;
        data += ATTACH_FRAME_HEADER_BYTES + there;
        size -= there;
        if (there < length) {
            check(!attach_frames_whole(&outcome->frames));
            break;
        }
        check(size || attach_frames_whole(&outcome->frames));
    }
    check(kept[0] == outcome->streams[0].length && kept[1] == outcome->streams[1].length);
    check(!size || !attach_frames_whole(&outcome->frames));
}

static void check_reason(const struct buffer *body, bool finished) {
    char reason[ATTACH_REASON_BYTES];
    memset(reason, 'x', sizeof reason);
    if (!attach_refusal_reason(body->data, body->length, finished, reason)) {
        check(reason[0] == 'x' && reason[sizeof reason - 1] == 'x');
        return;
    }
    size_t length = strnlen(reason, sizeof reason), width;
    uint32_t code_point;
    check(length > 0 && length < sizeof reason);
    for (size_t at = 0; at < length; at += width) {
        const unsigned char *place = (const unsigned char *)reason + at;
        check(utf8_next(place, (const unsigned char *)reason + length, &width, &code_point));
        check(code_point >= ' ' && code_point != 0x7f);
    }
}

static void clear(struct outcome *outcome) {
    attach_head_clear(&outcome->head);
    buffer_clear(&outcome->streams[0]);
    buffer_clear(&outcome->streams[1]);
    buffer_clear(&outcome->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct outcome whole, pieces;
    if (!size)
        return 0;
    bool headless = *data & 128;
    size_t piece_bytes = 1 + (*data & 127);
    const char *stream = (const char *)++data;
    size--;
    run(&whole, headless, stream, size, size);
    run(&pieces, headless, stream, size, piece_bytes);

    check(whole.step == pieces.step && whole.headed == pieces.headed);
    check(whole.head.status == pieces.head.status && same(&whole.head.fields.text, &pieces.head.fields.text));
    check(same(&whole.streams[0], &pieces.streams[0]) && same(&whole.streams[1], &pieces.streams[1]));
    check(same(&whole.body, &pieces.body) && !whole.frames.broken == !pieces.frames.broken);
    if (whole.headed) {
        size_t head_bytes = whole.head.taken_bytes;
        check(attach_head_body_bytes(&whole.head) >= -1);
        if (attach_head_opens(&whole.head))
            check_frames(&whole, data + head_bytes, size - head_bytes);
        check_reason(&whole.body, false);
        check_reason(&whole.body, true);
    }
    clear(&whole);
    clear(&pieces);
    return 0;
}
