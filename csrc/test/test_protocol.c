/* The codec: what goes in comes out, whatever pieces it arrives in; nothing hostile gets through. */
#include "../protocol/protocol.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static const struct protocol_limits limits = { .memory_bytes = 256 << 20,
                                               .cpu_ms = 2000,
                                               .wall_ms = 6000,
                                               .output_bytes = 1 << 20,
                                               .processes = 16,
                                               .file_bytes = 16 << 20 };

static bool same(struct protocol_bytes bytes, const char *text) {
    return bytes.length == strlen(text) && memcmp(bytes.data, text, bytes.length) == 0;
}

static bool same_limits(const struct protocol_limits *one, const struct protocol_limits *other) {
    return protocol_limits_within(one, other) && protocol_limits_within(other, one);
}

/* Puts bytes into a reader, as many as it has room for at a time. */
/* Field by field: what lies between them in memory is anything. */
static bool same_result(const struct protocol_result *one, const struct protocol_result *other) {
    return one->case_number == other->case_number && one->ending == other->ending && one->flags == other->flags &&
           one->exit_code == other->exit_code && one->signal == other->signal && one->cpu_us == other->cpu_us &&
           one->wall_us == other->wall_us && one->memory_bytes == other->memory_bytes &&
           one->stdout_bytes == other->stdout_bytes && one->stderr_bytes == other->stderr_bytes;
}

static bool feed(struct protocol_reader *reader, const uint8_t *bytes, size_t length) {
    while (length > 0) {
        size_t room;
        uint8_t *place = protocol_reader_room(reader, &room);
        if (!place) {
            return false;
        }
        size_t piece = length < room ? length : room;
        memcpy(place, bytes, piece);
        protocol_reader_filled(reader, piece);
        bytes += piece;
        length -= piece;
    }
    return true;
}

/* ---- what goes in comes out ---- */

static void test_runner_messages(void) {
    struct protocol_writer writer;
    struct protocol_reader reader;
    struct protocol_message message;
    const struct protocol_hello hello = { .version = PROTOCOL_VERSION,
                                          .abilities = PROTOCOL_ABILITY_EXEC,
                                          .accounting = PROTOCOL_ACCOUNTING_RLIMIT,
                                          .interpreter_version = { (const uint8_t *)"3.11.2", 6 } };
    const struct protocol_result result = { .case_number = 7,
                                            .ending = PROTOCOL_ENDING_SIGNAL,
                                            .flags = PROTOCOL_STDERR_TRUNCATED,
                                            .exit_code = 255,
                                            .signal = 11,
                                            .cpu_us = 1234567,
                                            .wall_us = INT64_MAX,
                                            .memory_bytes = UINT64_C(1) << 40,
                                            .stdout_bytes = 5,
                                            .stderr_bytes = 99999 };
    protocol_writer_start(&writer, 4096);
    tap_ok(protocol_write_hello(&writer, &hello) && protocol_write_ready(&writer) &&
               protocol_write_output(&writer, 7, PROTOCOL_STDOUT, "ab\0cd", 5) &&
               protocol_write_output(&writer, 7, PROTOCOL_STDERR, "", 0) && protocol_write_result(&writer, &result) &&
               protocol_write_failure(&writer, true, 9, "launcher", "gone") && protocol_write_bye(&writer),
           "runner: all messages can be written");
    protocol_reader_start(&reader, PROTOCOL_FROM_RUNNER);
    feed(&reader, writer.data, writer.length);
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_HELLO &&
               message.hello.version == 1 && message.hello.abilities == 1 && message.hello.accounting == 3 &&
               same(message.hello.interpreter_version, "3.11.2"),
           "runner: HELLO comes out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_READY,
           "runner: READY comes out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_OUTPUT &&
               message.output.case_number == 7 && message.output.stream == PROTOCOL_STDOUT &&
               message.output.bytes.length == 5 && memcmp(message.output.bytes.data, "ab\0cd", 5) == 0,
           "runner: OUTPUT comes out, NUL and all; an empty one is none");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_RESULT &&
               same_result(&message.result, &result),
           "runner: RESULT comes out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_FAILURE &&
               message.failure.fatal && message.failure.case_number == 9 && same(message.failure.code, "launcher") &&
               same(message.failure.message, "gone"),
           "runner: FAILURE comes out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_BYE,
           "runner: BYE comes out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_NEED_MORE, "runner: and no more");
    protocol_reader_end(&reader);
    protocol_writer_end(&writer);
}

static void write_host_messages(struct protocol_writer *writer) {
    static const char *const environment[] = { "PATH=/bin", "EMPTY=", "LANG=C.UTF-8", NULL };
    static const struct protocol_bytes arguments[] = { { (const uint8_t *)"one two", 7 },
                                                       { (const uint8_t *)"", 0 },
                                                       { (const uint8_t *)"\xff\xc3\xa9", 3 } };
    tap_ok(protocol_write_build(writer, &limits) && protocol_write_file(writer, "program.py", "pass\n", 5) &&
               protocol_write_file(writer, "empty", NULL, 0) &&
               protocol_write_submission(writer, "program.py", "/usr/bin/python3", "", environment, &limits) &&
               protocol_write_case(writer, 1, &limits, "in\0put", 6, arguments, 3) &&
               protocol_write_case(writer, 2, &limits, NULL, 0, NULL, 0) && protocol_write_end(writer),
           "host: all messages can be written");
}

static void test_host_messages(void) {
    struct protocol_writer writer;
    struct protocol_reader reader;
    struct protocol_message message;
    struct protocol_bytes item = { 0 };
    protocol_writer_start(&writer, 4096);
    write_host_messages(&writer);
    protocol_reader_start(&reader, PROTOCOL_FROM_HOST);
    feed(&reader, writer.data, writer.length);
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_BUILD &&
               same_limits(&message.build, &limits),
           "host: BUILD comes out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_FILE &&
               message.file.flags == 0 && same(message.file.name, "program.py") && same(message.file.bytes, "pass\n"),
           "host: FILE comes out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_FILE &&
               same(message.file.name, "empty") && message.file.bytes.length == 0,
           "host: an empty FILE comes out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_SUBMISSION &&
               same(message.submission.program, "program.py") &&
               same(message.submission.interpreter, "/usr/bin/python3") && message.submission.directory.length == 0 &&
               message.submission.environment.count == 3 && same_limits(&message.submission.limits, &limits),
           "host: SUBMISSION comes out");
    tap_ok(protocol_list_next(&message.submission.environment, &item) && same(item, "PATH=/bin") &&
               protocol_list_next(&message.submission.environment, &item) && same(item, "EMPTY=") &&
               protocol_list_next(&message.submission.environment, &item) && same(item, "LANG=C.UTF-8") &&
               !protocol_list_next(&message.submission.environment, &item),
           "host: its environment comes out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_STDIN &&
               message.stdin_piece.length == 6 && memcmp(message.stdin_piece.data, "in\0put", 6) == 0,
           "host: STDIN comes out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_CASE &&
               message.test.number == 1 && message.test.stdin_bytes == 6 && message.test.arguments.count == 3 &&
               message.test.arguments.bytes == 10 && same_limits(&message.test.limits, &limits),
           "host: CASE comes out");
    tap_ok(protocol_list_next(&message.test.arguments, &item) && same(item, "one two") &&
               protocol_list_next(&message.test.arguments, &item) && item.length == 0 &&
               protocol_list_next(&message.test.arguments, &item) && same(item, "\xff\xc3\xa9") &&
               !protocol_list_next(&message.test.arguments, &item),
           "host: its arguments come out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_CASE &&
               message.test.number == 2 && message.test.stdin_bytes == 0 && message.test.arguments.count == 0,
           "host: a CASE without anything comes out");
    tap_ok(protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE && message.type == PROTOCOL_END,
           "host: END comes out");
    protocol_reader_end(&reader);
    protocol_writer_end(&writer);
}

/* ---- in pieces ---- */

static int count_messages(struct protocol_reader *reader) {
    struct protocol_message message;
    int count = 0;
    enum protocol_next next;
    while ((next = protocol_reader_next(reader, &message)) == PROTOCOL_MESSAGE) {
        count++;
    }
    return next == PROTOCOL_BROKEN ? -1 : count;
}

static void test_pieces(void) {
    struct protocol_writer writer;
    struct protocol_reader reader;
    const int expected = 8;
    protocol_writer_start(&writer, 4096);
    write_host_messages(&writer);
    protocol_reader_start(&reader, PROTOCOL_FROM_HOST);
    int count = 0;
    for (size_t i = 0; i < writer.length; i++) {
        feed(&reader, writer.data + i, 1);
        count += count_messages(&reader);
    }
    tap_ok(count == expected, "pieces: byte by byte (%d messages)", count);
    protocol_reader_end(&reader);
    int whole = 0;
    for (size_t cut = 0; cut <= writer.length; cut++) {
        protocol_reader_start(&reader, PROTOCOL_FROM_HOST);
        feed(&reader, writer.data, cut);
        int first = count_messages(&reader);
        feed(&reader, writer.data + cut, writer.length - cut);
        int second = count_messages(&reader);
        whole += first >= 0 && second >= 0 && first + second == expected && (cut == writer.length || first < expected);
        protocol_reader_end(&reader);
    }
    tap_ok(whole == (int)writer.length + 1, "pieces: cut at every byte, nothing comes early and nothing is lost");
    protocol_writer_end(&writer);
}

static void test_large(void) {
    struct protocol_writer writer;
    struct protocol_reader reader;
    struct protocol_message message;
    const size_t size = PROTOCOL_FILE_BYTES;
    char *data = malloc(size + 1);
    protocol_writer_start(&writer, 64 << 20);
    if (!data || !tap_ok(protocol_write_file(&writer, "large", memset(data, 'd', size), size),
                         "large: a file of 16 MiB can be written")) {
        free(data);
        return;
    }
    protocol_reader_start(&reader, PROTOCOL_FROM_HOST);
    size_t arrived = 0, frames = 0, sent = 0;
    while (sent < writer.length) {
        size_t piece = writer.length - sent < 10000 ? writer.length - sent : 10000;
        feed(&reader, writer.data + sent, piece);
        sent += piece;
        while (protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE) {
            arrived += message.file.bytes.length;
            arrived += message.file.flags == (frames++ > 0 ? PROTOCOL_FILE_CONTINUES : 0) ? 0 : size;
        }
    }
    tap_ok(arrived == size && frames == 16, "large: it arrives in 16 frames");
    tap_ok(reader.capacity < (2 << 20) && protocol_reader_room(&reader, &frames) && reader.capacity < (256 << 10),
           "large: the reader never holds more than a frame, and gives it back");
    protocol_reader_end(&reader);
    tap_ok(!protocol_write_file(&writer, "larger", data, size + 1) && writer.failed, "large: a byte more is refused");
    protocol_writer_end(&writer);
    free(data);
}

/* ---- what is out of bounds ---- */

static void test_writer_bounds(void) {
    static char longest[PROTOCOL_PATH_BYTES + 3];
    static const char *const none[] = { NULL }, *const nameless[] = { "=x", NULL }, *const signless[] = { "x", NULL };
    struct protocol_writer writer;
    struct protocol_limits bad = limits;
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
#define REFUSED(call, name)                                                                 \
    protocol_writer_start(&writer, 1 << 20);                                                \
    tap_ok(!(call) && writer.failed && writer.length == 0, "refused to be written: " name); \
    protocol_writer_end(&writer)
    bad.processes = 0;
    REFUSED(protocol_write_build(&writer, &bad), "no processes");
    REFUSED(protocol_write_file(&writer, "a/b", "", 0), "a file with a slash");
    REFUSED(protocol_write_file(&writer, "..", "", 0), "a file named ..");
    REFUSED(protocol_write_file(&writer, "", "", 0), "a file without a name");
    protocol_writer_start(&writer, 1 << 20);
    tap_ok(protocol_write_submission(&writer, "p", "", "", none, &limits), "written: the runner's own interpreter");
    protocol_writer_end(&writer);
    REFUSED(protocol_write_submission(&writer, "p", "python3", "", none, &limits), "a relative interpreter");
    REFUSED(protocol_write_submission(&writer, "p", longest, "", none, &limits), "an interpreter that is too long");
    REFUSED(protocol_write_submission(&writer, "p", "/x", "tmp", none, &limits), "a relative directory");
    REFUSED(protocol_write_submission(&writer, "p", "/x", "", nameless, &limits), "a variable without a name");
    REFUSED(protocol_write_submission(&writer, "p", "/x", "", signless, &limits), "a variable without a sign");
    REFUSED(protocol_write_case(&writer, 0, &limits, NULL, 0, NULL, 0), "a case number 0");
    const struct protocol_bytes nul = { (const uint8_t *)"a\0b", 3 };
    REFUSED(protocol_write_case(&writer, 1, &limits, NULL, 0, &nul, 1), "an argument with a NUL");
    protocol_writer_start(&writer, 10);
    tap_ok(protocol_write_end(&writer) && protocol_write_end(&writer) && !protocol_write_end(&writer) &&
               writer.length == 10 && writer.failed,
           "a full writer takes no more, and sends no half frame");
    protocol_writer_end(&writer);
    protocol_writer_start(&writer, 1 << 20);
    tap_ok(protocol_write_failure(&writer, false, 1, longest, longest) && writer.length < 1200,
           "a failure that is too long is cut, never lost");
    protocol_writer_end(&writer);
}

static void put_u32(uint8_t *place, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        place[i] = (uint8_t)(value >> (8 * i));
    }
}

static bool breaks(enum protocol_side sender, const void *frame, size_t length) {
    struct protocol_reader reader;
    struct protocol_message message = { .type = PROTOCOL_END };
    protocol_reader_start(&reader, sender);
    feed(&reader, frame, length);
    enum protocol_next next = protocol_reader_next(&reader, &message);
    size_t room;
    bool broken = next == PROTOCOL_BROKEN && reader.broken && message.type == PROTOCOL_END &&
                  protocol_reader_next(&reader, &message) == PROTOCOL_BROKEN && !protocol_reader_room(&reader, &room);
    protocol_reader_end(&reader);
    return broken;
}

static void test_hostile(void) {
    int broken = 0;
    for (int type = 0; type < 256; type++) {
        uint8_t frame[5] = { (uint8_t)type, 0xff, 0xff, 0xff, 0xff };
        broken += breaks(PROTOCOL_FROM_RUNNER, frame, 5) && breaks(PROTOCOL_FROM_HOST, frame, 5);
    }
    tap_ok(broken == 256, "hostile: a length of 4 GiB breaks the stream for every type");
    tap_ok(breaks(PROTOCOL_FROM_RUNNER, "\x45", 1) && breaks(PROTOCOL_FROM_HOST, "\x04", 1),
           "hostile: one side can't speak as the other, and its first byte shows it");
    tap_ok(breaks(PROTOCOL_FROM_RUNNER, "\x02\x01\0\0\0x", 6), "hostile: READY with something in it");
    tap_ok(breaks(PROTOCOL_FROM_RUNNER, "\x03\x05\0\0\0\x01\0\0\0\x01", 10), "hostile: OUTPUT of nothing");
    tap_ok(breaks(PROTOCOL_FROM_RUNNER, "\x03\x06\0\0\0\x01\0\0\0\x03x", 11), "hostile: OUTPUT of a third stream");
    tap_ok(breaks(PROTOCOL_FROM_HOST, "\x42\x07\0\0\0\0\x02\0\0\0..", 12), "hostile: FILE named ..");
    tap_ok(breaks(PROTOCOL_FROM_HOST, "\x42\x08\0\0\0\0\x03\0\0\0a/b", 13), "hostile: FILE with a slash");
    tap_ok(breaks(PROTOCOL_FROM_HOST, "\x42\x08\0\0\0\0\x03\0\0\0a\0b", 13), "hostile: FILE with a NUL");
    tap_ok(breaks(PROTOCOL_FROM_HOST, "\x42\x06\0\0\0\0\xff\0\0\0a", 11), "hostile: FILE whose name is cut off");
    tap_ok(breaks(PROTOCOL_FROM_HOST, "\x44\0\0\0\0", 5), "hostile: STDIN of nothing");
    tap_ok(breaks(PROTOCOL_FROM_HOST, "\x46\x01\0\0\0x", 6), "hostile: END with something in it");
}

/* A CASE with one field changed at a time. */
static void test_hostile_case(void) {
    struct protocol_writer writer;
    uint8_t frame[128];
    const struct protocol_bytes argument = { (const uint8_t *)"word", 4 };
    protocol_writer_start(&writer, sizeof frame);
    protocol_write_case(&writer, 1, &limits, NULL, 0, &argument, 1);
    const size_t length = writer.length, count_at = 5 + 4 + 48 + 8, length_at = count_at + 4;
    struct {
        const char *name;
        size_t at;
        uint32_t value;
    } const changes[] = {
        { "number 0", 5, 0 },
        { "no memory", 9, 0 },
        { "memory beyond all bounds", 13, 0xffffffff },
        { "a CPU time beyond all bounds", 21, 1 },
        { "no clock time", 25, 0 },
        { "65,537 arguments", count_at, 65537 },
        { "more arguments than there are", count_at, 2 },
        { "fewer arguments than there are", count_at, 0 },
        { "an argument longer than the frame", length_at, 5 },
        { "an argument shorter than what is there", length_at, 3 },
        { "an argument of 4 GiB", length_at, 0xffffffff },
        { "more input than there may be", count_at - 8, PROTOCOL_STDIN_BYTES + 1 },
    };
    memcpy(frame, writer.data, length);
    tap_ok(!breaks(PROTOCOL_FROM_HOST, frame, length), "hostile CASE: as it is, it is fine");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        memcpy(frame, writer.data, length);
        put_u32(frame + changes[i].at, changes[i].value);
        tap_ok(breaks(PROTOCOL_FROM_HOST, frame, length), "hostile CASE: %s", changes[i].name);
    }
    memcpy(frame, writer.data, length);
    frame[length - 2] = 0;
    tap_ok(breaks(PROTOCOL_FROM_HOST, frame, length), "hostile CASE: an argument with a NUL");
    protocol_writer_end(&writer);
}

static void test_names(void) {
    tap_ok(protocol_name_valid("a", 1) && protocol_name_valid("..a", 3) && protocol_name_valid(".a", 2) &&
               protocol_name_valid("...", 3),
           "names: plain ones are fine");
    char longest[PROTOCOL_NAME_BYTES + 1];
    memset(longest, 'n', sizeof longest);
    tap_ok(protocol_name_valid(longest, 255) && !protocol_name_valid(longest, 256), "names: 255 bytes and no more");
}

static void test_sent(void) {
    struct protocol_writer writer;
    protocol_writer_start(&writer, 64);
    protocol_write_end(&writer);
    protocol_write_ready(&writer);
    protocol_writer_sent(&writer, 5);
    tap_ok(writer.length == 5 && writer.data[0] == PROTOCOL_READY, "sent bytes are forgotten");
    protocol_writer_sent(&writer, 99);
    tap_ok(writer.length == 0, "no more than there are");
    protocol_writer_end(&writer);
}

int main(void) {
    test_runner_messages();
    test_host_messages();
    test_pieces();
    test_large();
    test_writer_bounds();
    test_hostile();
    test_hostile_case();
    test_names();
    test_sent();
    return tap_done();
}
