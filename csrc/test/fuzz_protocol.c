/* Fuzz target: any bytes, in any pieces, from either side. No crash and no allocation beyond a frame; each field of what
 * was taken within its bounds; and what was taken, written anew, is the same bytes. The first byte chooses the side, the
 * second the size of the pieces. */
#include "../protocol/protocol.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_BYTES = 256 * 1024, WRITTEN_BYTES = 2 * PROTOCOL_FRAME_BYTES };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds) {
    if (!holds) {
        abort();
    }
}

/* ---- bounds ---- */

static volatile uint8_t sink;

/* Reads each byte of it, so that the sanitizer sees one that isn't there. */
static void check_bytes(struct protocol_bytes bytes, size_t least, size_t most) {
    demand(bytes.length >= least && bytes.length <= most);
    for (size_t i = 0; i < bytes.length; i++) {
        sink += bytes.data[i];
    }
}

static void check_string(struct protocol_bytes bytes, size_t least, size_t most) {
    check_bytes(bytes, least, most);
    demand(bytes.length == 0 || !memchr(bytes.data, 0, bytes.length));
}

/* A name that stays where it is put. */
static void check_name(struct protocol_bytes name) {
    check_string(name, 1, PROTOCOL_NAME_BYTES);
    demand(!memchr(name.data, '/', name.length) && (name.length > 2 || memcmp(name.data, "..", name.length) != 0));
}

static void check_limits(const struct protocol_limits *limits) {
    demand(limits->memory_bytes >= UINT64_C(1) << 20 && limits->memory_bytes <= UINT64_C(1) << 40);
    demand(limits->cpu_ms >= 1 && limits->cpu_ms <= 86400000 && limits->wall_ms >= 1 && limits->wall_ms <= 86400000);
    demand(limits->output_bytes <= 256 << 20 && limits->processes >= 1 && limits->processes <= 65536);
    demand(limits->file_bytes <= UINT64_C(1) << 40);
}

static void check_list(struct protocol_list list, size_t most, size_t most_bytes) {
    struct protocol_bytes item;
    size_t count = 0, bytes = 0;
    const uint32_t announced = list.count;
    const size_t summed = list.bytes;
    demand(list.length == list.bytes + 4 * (size_t)list.count);
    while (protocol_list_next(&list, &item)) {
        check_string(item, 0, most_bytes);
        bytes += item.length;
        count++;
    }
    demand(count == announced && bytes == summed && count <= most && bytes <= most_bytes && list.length == 0);
}

static void check_submission(const struct protocol_submission *submission) {
    check_name(submission->program);
    check_string(submission->interpreter, 0, PROTOCOL_PATH_BYTES);
    check_string(submission->directory, 0, PROTOCOL_PATH_BYTES);
    check_list(submission->environment, PROTOCOL_ENVIRONMENT, PROTOCOL_ENVIRONMENT_BYTES);
    check_limits(&submission->limits);
    demand((!submission->interpreter.length || submission->interpreter.data[0] == '/') &&
           (!submission->directory.length || submission->directory.data[0] == '/'));
}

static void check_bounds(const struct protocol_message *message) {
    switch (message->type) {
    case PROTOCOL_HELLO:
        check_string(message->hello.interpreter_version, 0, PROTOCOL_VERSION_BYTES);
        demand(message->hello.accounting >= PROTOCOL_ACCOUNTING_CGROUP &&
               message->hello.accounting <= PROTOCOL_ACCOUNTING_RLIMIT);
        break;
    case PROTOCOL_OUTPUT:
        check_bytes(message->output.bytes, 1, PROTOCOL_OUTPUT_CHUNK);
        demand(message->output.case_number && message->output.stream >= PROTOCOL_STDOUT &&
               message->output.stream <= PROTOCOL_STDERR);
        break;
    case PROTOCOL_RESULT:
        demand(message->result.case_number && message->result.ending >= PROTOCOL_ENDING_EXIT &&
               message->result.ending <= PROTOCOL_ENDING_OUTPUT && message->result.exit_code < 256 &&
               message->result.signal <= 64 && message->result.cpu_us <= INT64_MAX);
        break;
    case PROTOCOL_FAILURE:
        check_string(message->failure.code, 1, PROTOCOL_CODE_BYTES);
        check_string(message->failure.message, 0, PROTOCOL_MESSAGE_BYTES);
        break;
    case PROTOCOL_BUILD: check_limits(&message->build); break;
    case PROTOCOL_FILE:
        check_name(message->file.name);
        check_bytes(message->file.bytes, 0, PROTOCOL_FILE_CHUNK);
        break;
    case PROTOCOL_SUBMISSION: check_submission(&message->submission); break;
    case PROTOCOL_STDIN: check_bytes(message->stdin_piece, 1, PROTOCOL_STDIN_CHUNK); break;
    case PROTOCOL_CASE:
        check_list(message->test.arguments, PROTOCOL_ARGUMENTS, PROTOCOL_ARGUMENTS_BYTES);
        check_limits(&message->test.limits);
        demand(message->test.number && message->test.stdin_bytes <= PROTOCOL_STDIN_BYTES);
        break;
    case PROTOCOL_READY:
    case PROTOCOL_BYE:
    case PROTOCOL_END: break;
    }
}

/* ---- written anew ---- */

static char *text(struct protocol_bytes bytes) {
    char *copy = calloc(1, bytes.length + 1);
    demand(copy);
    if (bytes.length) {
        memcpy(copy, bytes.data, bytes.length);
    }
    return copy;
}

static bool write_failure(struct protocol_writer *writer, const struct protocol_failure *failure) {
    char *code = text(failure->code), *words = text(failure->message);
    bool done = protocol_write_failure(writer, failure->fatal, failure->case_number, code, words);
    free(code);
    free(words);
    return done;
}

/* That a file goes on is told in the flags; a writer says so from the second frame of a file on. */
static bool write_file(struct protocol_writer *writer, const struct protocol_file *file) {
    char *name = text(file->name);
    bool done = protocol_write_file(writer, name, file->bytes.data, file->bytes.length);
    free(name);
    if (done) {
        demand(writer->data[PROTOCOL_HEADER_BYTES] == 0);
        writer->data[PROTOCOL_HEADER_BYTES] = file->flags;
    }
    return done;
}

static bool write_submission(struct protocol_writer *writer, const struct protocol_submission *submission) {
    char *program = text(submission->program), *interpreter = text(submission->interpreter);
    char *directory = text(submission->directory), *environment[PROTOCOL_ENVIRONMENT + 1];
    struct protocol_list list = submission->environment;
    struct protocol_bytes item;
    size_t count = 0;
    while (protocol_list_next(&list, &item)) {
        environment[count++] = text(item);
    }
    environment[count] = NULL;
    bool done = protocol_write_submission(writer, program, interpreter, directory, (const char *const *)environment,
                                          &submission->limits);
    while (count) {
        free(environment[--count]);
    }
    free(directory);
    free(interpreter);
    free(program);
    return done;
}

/* A writer sends a case's input before it: only the part that is the frame in question stays. */
static bool write_case(struct protocol_writer *writer, const struct protocol_case *test) {
    static const uint8_t input[4096];
    struct protocol_list list = test->arguments;
    struct protocol_bytes *arguments = calloc((size_t)list.count + 1, sizeof *arguments);
    size_t count = 0;
    demand(arguments);
    while (protocol_list_next(&list, &arguments[count])) {
        count++;
    }
    bool small = test->stdin_bytes <= sizeof input;
    bool done = protocol_write_case(writer, test->number, &test->limits, input, small ? (size_t)test->stdin_bytes : 0,
                                    arguments, count);
    free(arguments);
    if (done && small && test->stdin_bytes) {
        protocol_writer_sent(writer, PROTOCOL_HEADER_BYTES + (size_t)test->stdin_bytes);
    } else if (done && !small) {
        /* 64 MiB are too much to be written each time: the number alone. */
        for (size_t i = 0; i < 8; i++) {
            writer->data[PROTOCOL_HEADER_BYTES + 4 + 48 + i] = (uint8_t)(test->stdin_bytes >> 8 * i);
        }
    }
    return done;
}

static bool write_stdin(struct protocol_writer *writer, struct protocol_bytes piece) {
    static const struct protocol_limits limits = {
        .memory_bytes = PROTOCOL_MEMORY_MIN_BYTES, .cpu_ms = 1, .wall_ms = 1, .processes = 1
    };
    bool done = protocol_write_case(writer, 1, &limits, piece.data, piece.length, NULL, 0);
    if (done) {
        writer->length = PROTOCOL_HEADER_BYTES + piece.length; /* without the case */
    }
    return done;
}

static bool write_message(struct protocol_writer *writer, const struct protocol_message *message) {
    switch (message->type) {
    case PROTOCOL_HELLO: return protocol_write_hello(writer, &message->hello);
    case PROTOCOL_READY: return protocol_write_ready(writer);
    case PROTOCOL_OUTPUT:
        return protocol_write_output(writer, message->output.case_number, message->output.stream,
                                     message->output.bytes.data, message->output.bytes.length);
    case PROTOCOL_RESULT: return protocol_write_result(writer, &message->result);
    case PROTOCOL_FAILURE: return write_failure(writer, &message->failure);
    case PROTOCOL_BYE: return protocol_write_bye(writer);
    case PROTOCOL_BUILD: return protocol_write_build(writer, &message->build);
    case PROTOCOL_FILE: return write_file(writer, &message->file);
    case PROTOCOL_SUBMISSION: return write_submission(writer, &message->submission);
    case PROTOCOL_STDIN: return write_stdin(writer, message->stdin_piece);
    case PROTOCOL_CASE: return write_case(writer, &message->test);
    case PROTOCOL_END: return protocol_write_end(writer);
    }
    return false;
}

static void check_written(const struct protocol_message *message, const uint8_t *frame, size_t length) {
    struct protocol_writer writer;
    protocol_writer_start(&writer, WRITTEN_BYTES);
    demand(write_message(&writer, message));
    demand(writer.length == length && memcmp(writer.data, frame, length) == 0);
    protocol_writer_end(&writer);
}

/* ---- reading ---- */

static void take_messages(struct protocol_reader *reader) {
    for (;;) {
        struct protocol_message message;
        memset(&message, 0xA5, sizeof message);
        const struct protocol_message untouched = message;
        const uint8_t *frame = reader->data + reader->start;
        const size_t before = reader->length;
        enum protocol_next next = protocol_reader_next(reader, &message);
        if (next != PROTOCOL_MESSAGE) {
            demand((next == PROTOCOL_BROKEN) == (reader->broken != NULL));
            demand(memcmp(&message, &untouched, sizeof message) == 0);
            demand(!reader->broken || protocol_reader_next(reader, &message) == PROTOCOL_BROKEN);
            return;
        }
        check_bounds(&message);
        check_written(&message, frame, before - reader->length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct protocol_reader reader;
    if (size < 2) {
        return 0;
    }
    size_t step = (size_t)data[1] * 64 + 1;
    protocol_reader_start(&reader, data[0] & 1 ? PROTOCOL_FROM_HOST : PROTOCOL_FROM_RUNNER);
    data += 2;
    size -= 2;
    while (size > 0) {
        size_t room, piece = size < step ? size : step;
        uint8_t *place = protocol_reader_room(&reader, &room);
        if (!place) {
            demand(reader.broken);
            break;
        }
        demand(room > 0);
        piece = piece < room ? piece : room;
        memcpy(place, data, piece);
        protocol_reader_filled(&reader, piece);
        data += piece;
        size -= piece;
        take_messages(&reader);
        demand(reader.capacity <= (size_t)PROTOCOL_FRAME_BYTES + ROOM_BYTES);
    }
    protocol_reader_end(&reader);
    return 0;
}
