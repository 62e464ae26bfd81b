/* Tests of io/attach_frames.c: what container engines answer, whole and in crumbs, and what must not be taken for it. What is done
 * with a connection is shown by spec/core/attach_spec.lua. */
#include "../io/attach_frames.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

/* ---- heads ---- */

/* Takes a head in pieces of so many bytes, each in memory of its exact size; tells how much of the text was left. */
static enum attach_step take_head(struct attach_head *head, const char *text, size_t length, size_t piece_bytes,
                                  size_t *left) {
    enum attach_step step = ATTACH_MORE;
    *left = length;
    while (step == ATTACH_MORE && *left) {
        size_t piece = *left < piece_bytes ? *left : piece_bytes, rest = piece;
        char *copy = malloc(piece);
        memcpy(copy, text + length - *left, piece);
        const char *data = copy;
        step = attach_head_take(head, &data, &rest);
        *left -= piece - rest;
        free(copy);
    }
    return step;
}

static void head(const char *what, const char *text, enum attach_step expected, int status, bool opens, size_t behind) {
    static const size_t pieces[] = { 1, 2, 7, 1 << 20 };
    for (size_t index = 0; index < sizeof pieces / sizeof *pieces; index++) {
        struct attach_head head = { 0 };
        size_t left;
        enum attach_step step = take_head(&head, text, strlen(text), pieces[index], &left);
        bool good =
            step == expected &&
            (step != ATTACH_READY || (head.status == status && left == behind && attach_head_opens(&head) == opens));
        tap_ok(good && !head.broken == (step != ATTACH_BROKEN), "%s, %zu bytes a piece", what, pieces[index]);
        attach_head_clear(&head);
    }
}

static void test_heads(void) {
    head("Docker's 101",
         "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n"
         "Upgrade: tcp\r\n\r\n\x01",
         ATTACH_READY, 101, true, 1);
    head("200 of an engine that doesn't upgrade",
         "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nxyz", ATTACH_READY, 200, true, 3);
    head("a status without words, and bare line ends", "HTTP/1.0 200\n\n", ATTACH_READY, 200, true, 0);
    head("a 100 before the answer", "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 101 UPGRADED\r\n\r\n", ATTACH_READY,
         101, true, 0);
    head("200 with a length", "HTTP/1.1 200 OK\r\ncontent-LENGTH: 0\r\n\r\n", ATTACH_READY, 200, false, 0);
    head("200 in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0", ATTACH_READY, 200, false, 1);
    head("204", "HTTP/1.1 204 No Content\r\n\r\n", ATTACH_READY, 204, false, 0);
    head("a refusal", "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello", ATTACH_READY, 404, false, 5);
    head("a head that isn't whole", "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n", ATTACH_MORE, 0, false, 0);
    head("HTTP/2", "HTTP/2 200\r\n\r\n", ATTACH_BROKEN, 0, false, 0);
    head("another protocol", "220 mail.example ESMTP\r\n", ATTACH_BROKEN, 0, false, 0);
    head("an empty line", "\r\n", ATTACH_BROKEN, 0, false, 0);
    head("a status of four digits", "HTTP/1.1 1010 X\r\n", ATTACH_BROKEN, 0, false, 0);
    head("a status that is none", "HTTP/1.1 999 X\r\n", ATTACH_BROKEN, 0, false, 0);
    head("a second answer that is no HTTP", "HTTP/1.1 100 Continue\r\n\r\n\r\n", ATTACH_BROKEN, 0, false, 0);
}

static void test_large_heads(void) {
    enum { LONG = ATTACH_HEAD_BYTES + 1 };
    char *text = malloc(LONG);
    size_t left;
    struct attach_head head = { 0 };
    memset(text, 'x', LONG);
    tap_ok(take_head(&head, text, ATTACH_HEAD_BYTES, 1000, &left) == ATTACH_MORE, "a long line that may end yet");
    const char *data = text;
    size_t length = 1;
    tap_ok(attach_head_take(&head, &data, &length) == ATTACH_BROKEN && length == 1,
           "one byte more than a head may have");
    tap_ok(head.line.capacity <= 2 * ATTACH_HEAD_BYTES, "no more than that is held");
    attach_head_clear(&head);

    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    enum attach_step step = ATTACH_MORE;
    for (int count = 0; count < 10000 && step == ATTACH_MORE; count++)
        step = take_head(&head, interim, sizeof interim - 1, sizeof interim - 1, &left);
    tap_ok(step == ATTACH_BROKEN, "answers of status 100 without end");
    attach_head_clear(&head);
    free(text);
}

static void body_bytes(const char *what, const char *value, int64_t expected) {
    char text[256];
    size_t left;
    struct attach_head head = { 0 };
    snprintf(text, sizeof text, "HTTP/1.1 404 X\r\n%s\r\n\r\n", value);
    take_head(&head, text, strlen(text), sizeof text, &left);
    tap_ok(attach_head_body_bytes(&head) == expected, "the body's length: %s", what);
    attach_head_clear(&head);
}

/* ---- refusals ---- */

static void reason(const char *what, const char *body, bool finished, const char *expected) {
    char text[ATTACH_REASON_BYTES] = "untouched";
    bool found = attach_refusal_reason(body, strlen(body), finished, text);
    tap_ok(found == (expected != NULL) && !strcmp(text, expected ? expected : "untouched"),
           "a refusal's reason: %s (%s)", what, tap_plain(text, strlen(text)));
}

static void test_reasons(void) {
    char text[ATTACH_REASON_BYTES], *large = malloc(5000);
    reason("Docker's", "{\"message\":\"No such container: x\"}\n", false, "No such container: x");
    reason("Podman's",
           "{\"cause\":\"no such container\",\"message\":\"no container with name \\\"x\\\"\",\"response\":404}", false,
           "no container with name \"x\"");
    reason("after a failed upgrade", "No such container: x\r\n", true, "No such container: x");
    reason("text that isn't whole", "No such cont", false, NULL);
    reason("JSON that isn't whole", "{\"message\":\"No such cont", false, NULL);
    reason("JSON that never will be", "{\"message\":\"No such cont", true, "{\"message\":\"No such cont");
    reason("in a chunk", "22\r\n{\"message\" : \"No such container\"}\r\n0\r\n\r\n", false, "No such container");
    reason("escapes", "{\"message\":\"a\\u003cb\\u00e4\\u20ac\\n\\/\\\\ \\ud83d\"}", false,
           "a<b\xc3\xa4\xe2\x82\xac /\\ ?");
    reason("a broken escape", "{\"message\":\"a\\u00\"}", false, NULL);
    reason("no text", "{\"message\":404}", false, NULL);
    reason("nothing", "", true, NULL);
    reason("nothing but space", " \r\n ", true, NULL);
    reason("control characters", "a\x1b[31mb\x7f", true, "a [31mb");
    reason("no UTF-8", "\xff\xc3", true, "??");
    memset(large, 'x', 5000);
    tap_ok(attach_refusal_reason(large, 5000, true, text) && strlen(text) == ATTACH_REASON_BYTES - 1,
           "a long one is cut");
    tap_ok(attach_refusal_reason("a\0b", 3, true, text) && !strcmp(text, "a b"), "a NUL");
    free(large);
}

/* ---- frames ---- */

struct sink {
    struct buffer streams[2];
};

static enum attach_step take_frames(struct attach_frames *frames, struct sink *sink, const void *bytes, size_t length,
                                    size_t piece_bytes) {
    enum attach_step step = ATTACH_MORE;
    for (size_t at = 0; at < length && step != ATTACH_BROKEN; at += piece_bytes) {
        size_t rest = length - at < piece_bytes ? length - at : piece_bytes;
        const char *data = (const char *)bytes + at;
        struct attach_piece piece;
        while ((step = attach_frames_next(frames, &data, &rest, &piece)) == ATTACH_READY)
            buffer_append(&sink->streams[piece.stream], piece.data, piece.length);
    }
    return step;
}

static bool holds(const struct buffer *buffer, const char *text) {
    return buffer->length == strlen(text) && !memcmp(buffer->data ? buffer->data : "", text, buffer->length);
}

static void clear(struct sink *sink) {
    buffer_clear(&sink->streams[0]);
    buffer_clear(&sink->streams[1]);
}

static void test_frames(void) {
    static const char stream[] =
        "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\1E\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2de\2\0\0\0\0\0\0\2RR";
    for (size_t piece = 1; piece <= sizeof stream; piece++) {
        struct attach_frames frames = { 0 };
        struct sink sink = { 0 };
        enum attach_step step = take_frames(&frames, &sink, stream, sizeof stream - 1, piece);
        tap_ok(step == ATTACH_MORE && attach_frames_whole(&frames) && holds(&sink.streams[TRANSPORT_OUTPUT], "abcde") &&
                   holds(&sink.streams[TRANSPORT_ERRORS], "ERR"),
               "frames of both streams, empty ones, standard input's; %zu bytes a piece", piece);
        clear(&sink);
    }
    for (size_t length = 1; length < 11; length++) {
        struct attach_frames frames = { 0 };
        struct sink sink = { 0 };
        take_frames(&frames, &sink, stream, length, 3);
        tap_ok(!attach_frames_whole(&frames), "the first frame isn't whole after %zu bytes", length);
        clear(&sink);
    }
}

static void test_largest_frame(void) {
    enum { PIECE = 1 << 16 };
    static char block[PIECE];
    struct attach_frames frames = { 0 };
    struct attach_piece piece;
    const char *data = "\1\0\0\0\xff\xff\xff\xff";
    size_t length = ATTACH_FRAME_HEADER_BYTES;
    tap_ok(attach_frames_next(&frames, &data, &length, &piece) == ATTACH_MORE, "the header of a frame of 4 GiB - 1");
    uint64_t got = 0;
    for (int count = 0; count < PIECE; count++) {
        data = block;
        length = count == PIECE - 1 ? PIECE - 1 : PIECE;
        if (attach_frames_next(&frames, &data, &length, &piece) != ATTACH_READY || piece.data != block)
            break;
        got += piece.length;
    }
    tap_ok(got == UINT32_MAX && attach_frames_whole(&frames), "it is given piece by piece, none of it copied");
    data = "\3\0\0\0\0\0\0\1";
    length = ATTACH_FRAME_HEADER_BYTES;
    tap_ok(attach_frames_next(&frames, &data, &length, &piece) == ATTACH_BROKEN && frames.broken,
           "and what follows it is a header");
}

static void broken(const char *what, const char *header) {
    struct attach_frames frames = { 0 };
    struct sink sink = { 0 };
    tap_ok(take_frames(&frames, &sink, header, ATTACH_FRAME_HEADER_BYTES, 1) == ATTACH_BROKEN && frames.broken,
           "broken by %s", what);
    tap_ok(take_frames(&frames, &sink, "\1\0\0\0\0\0\0\1x", 9, 9) == ATTACH_BROKEN && !sink.streams[0].length,
           "and broken for good");
    clear(&sink);
}

int main(void) {
    test_heads();
    test_large_heads();
    body_bytes("told", "Content-Length: 123", 123);
    body_bytes("not told", "X: y", -1);
    body_bytes("no number", "Content-Length: -1", -1);
    body_bytes("words behind it", "Content-Length: 1 2", -1);
    body_bytes("beyond any", "Content-Length: 99999999999999999999", -1);
    test_reasons();
    test_frames();
    test_largest_frame();
    broken("a stream of another number", "\3\0\0\0\0\0\0\1");
    broken("a terminal's output", "Python 3");
    broken("something in the padding", "\1\0\1\0\0\0\0\1");
    return tap_done();
}
