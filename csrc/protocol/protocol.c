#include "protocol.h"

#include <stdlib.h>
#include <string.h>

/* How much the reader asks for at least when it makes room. */
enum { READ_STEP = 64 * 1024 };

/* ---- writing ---- */

void protocol_writer_start(struct protocol_writer *writer, size_t limit) {
    *writer = (struct protocol_writer){ .limit = limit };
}

void protocol_writer_end(struct protocol_writer *writer) {
    free(writer->data);
    *writer = (struct protocol_writer){ 0 };
}

void protocol_writer_sent(struct protocol_writer *writer, size_t count) {
    if (count > writer->length) {
        count = writer->length;
    }
    if (count < writer->length) {
        memmove(writer->data, writer->data + count, writer->length - count);
    }
    writer->length -= count;
}

static bool writer_fail(struct protocol_writer *writer) {
    writer->failed = true;
    return false;
}

static bool writer_reserve(struct protocol_writer *writer, size_t count) {
    if (writer->failed || count > writer->limit - writer->length) {
        return writer_fail(writer);
    }
    size_t needed = writer->length + count;
    if (needed <= writer->capacity) {
        return true;
    }
    size_t capacity = writer->capacity < 4096 ? 4096 : writer->capacity;
    while (capacity < needed) {
        capacity += capacity / 2;
    }
    if (capacity > writer->limit) {
        capacity = writer->limit;
    }
    uint8_t *data = realloc(writer->data, capacity);
    if (!data) {
        return writer_fail(writer);
    }
    writer->data = data;
    writer->capacity = capacity;
    return true;
}

static void store(uint8_t *place, uint64_t value, size_t width) {
    for (size_t i = 0; i < width; i++) {
        place[i] = (uint8_t)(value >> (8 * i));
    }
}

static bool put(struct protocol_writer *writer, const void *bytes, size_t length) {
    if (!writer_reserve(writer, length)) {
        return false;
    }
    if (length) {
        memcpy(writer->data + writer->length, bytes, length);
    }
    writer->length += length;
    return true;
}

static bool put_integer(struct protocol_writer *writer, uint64_t value, size_t width) {
    uint8_t bytes[8];
    store(bytes, value, width);
    return put(writer, bytes, width);
}

static bool put_string(struct protocol_writer *writer, const void *bytes, size_t length) {
    return put_integer(writer, length, 4) && put(writer, bytes, length);
}

static bool put_limits(struct protocol_writer *writer, const struct protocol_limits *limits) {
    return protocol_limits_valid(limits) && put_integer(writer, limits->memory_bytes, 8) &&
           put_integer(writer, limits->cpu_ms, 8) && put_integer(writer, limits->wall_ms, 8) &&
           put_integer(writer, limits->output_bytes, 8) && put_integer(writer, limits->processes, 8) &&
           put_integer(writer, limits->file_bytes, 8);
}

/* Begins a frame; its length is filled in by frame_end. */
static bool frame_start(struct protocol_writer *writer, enum protocol_type type, size_t *start) {
    *start = writer->length;
    return put_integer(writer, type, 1) && put_integer(writer, 0, 4);
}

/* Takes back a frame that couldn't be completed, so that no half frame is ever sent. */
static bool frame_end(struct protocol_writer *writer, size_t start, bool complete) {
    size_t payload = writer->length - start - PROTOCOL_HEADER_BYTES;
    if (!complete || writer->failed || payload > PROTOCOL_FRAME_BYTES) {
        writer->length = start;
        return writer_fail(writer);
    }
    store(writer->data + start + 1, payload, 4);
    return true;
}

static bool write_empty(struct protocol_writer *writer, enum protocol_type type) {
    size_t start;
    return frame_start(writer, type, &start) ? frame_end(writer, start, true) : writer_fail(writer);
}

static bool without_nul(const void *bytes, size_t length) {
    return length == 0 || memchr(bytes, 0, length) == NULL;
}

bool protocol_write_hello(struct protocol_writer *writer, const struct protocol_hello *hello) {
    size_t start;
    if (!frame_start(writer, PROTOCOL_HELLO, &start)) {
        return false;
    }
    const struct protocol_bytes *version = &hello->interpreter_version;
    return frame_end(writer, start,
                     version->length <= PROTOCOL_VERSION_BYTES && without_nul(version->data, version->length) &&
                         put_integer(writer, hello->version, 4) && put_integer(writer, hello->abilities, 4) &&
                         put_integer(writer, hello->accounting, 1) &&
                         put_string(writer, version->data, version->length));
}

bool protocol_write_ready(struct protocol_writer *writer) {
    return write_empty(writer, PROTOCOL_READY);
}

bool protocol_write_output(struct protocol_writer *writer, uint32_t case_number, enum protocol_stream stream,
                           const void *bytes, size_t length) {
    const uint8_t *next = bytes;
    while (length > 0) {
        size_t piece = length < PROTOCOL_OUTPUT_CHUNK ? length : (size_t)PROTOCOL_OUTPUT_CHUNK;
        size_t start;
        if (!frame_start(writer, PROTOCOL_OUTPUT, &start) ||
            !frame_end(writer, start,
                       put_integer(writer, case_number, 4) && put_integer(writer, stream, 1) &&
                           put(writer, next, piece))) {
            return false;
        }
        next += piece;
        length -= piece;
    }
    return !writer->failed;
}

bool protocol_write_result(struct protocol_writer *writer, const struct protocol_result *result) {
    size_t start;
    if (!frame_start(writer, PROTOCOL_RESULT, &start)) {
        return false;
    }
    return frame_end(writer, start,
                     put_integer(writer, result->case_number, 4) && put_integer(writer, result->ending, 1) &&
                         put_integer(writer, result->flags, 1) && put_integer(writer, result->exit_code, 4) &&
                         put_integer(writer, result->signal, 4) && put_integer(writer, result->cpu_us, 8) &&
                         put_integer(writer, result->wall_us, 8) && put_integer(writer, result->memory_bytes, 8) &&
                         put_integer(writer, result->stdout_bytes, 8) && put_integer(writer, result->stderr_bytes, 8));
}

bool protocol_write_failure(struct protocol_writer *writer, bool fatal, uint32_t case_number, const char *code,
                            const char *message) {
    size_t start;
    if (!frame_start(writer, PROTOCOL_FAILURE, &start)) {
        return false;
    }
    return frame_end(writer, start,
                     put_integer(writer, fatal, 1) && put_integer(writer, case_number, 4) &&
                         put_string(writer, code, strnlen(code, PROTOCOL_CODE_BYTES)) &&
                         put_string(writer, message, strnlen(message, PROTOCOL_MESSAGE_BYTES)));
}

bool protocol_write_bye(struct protocol_writer *writer) {
    return write_empty(writer, PROTOCOL_BYE);
}

bool protocol_write_build(struct protocol_writer *writer, const struct protocol_limits *limits) {
    size_t start;
    return frame_start(writer, PROTOCOL_BUILD, &start) && frame_end(writer, start, put_limits(writer, limits));
}

bool protocol_write_file(struct protocol_writer *writer, const char *name, const void *bytes, size_t length) {
    if (!protocol_name_valid(name, strlen(name)) || length > PROTOCOL_FILE_BYTES) {
        return writer_fail(writer);
    }
    const uint8_t *next = bytes;
    uint8_t flags = 0;
    do {
        size_t piece = length < PROTOCOL_FILE_CHUNK ? length : (size_t)PROTOCOL_FILE_CHUNK;
        size_t start;
        if (!frame_start(writer, PROTOCOL_FILE, &start) ||
            !frame_end(writer, start,
                       put_integer(writer, flags, 1) && put_string(writer, name, strlen(name)) &&
                           put(writer, next, piece))) {
            return false;
        }
        flags = PROTOCOL_FILE_CONTINUES;
        next = next ? next + piece : NULL;
        length -= piece;
    } while (length > 0);
    return true;
}

static bool put_environment(struct protocol_writer *writer, const char *const *environment) {
    size_t count = 0, bytes = 0;
    while (environment[count]) {
        bytes += strlen(environment[count]);
        if (++count > PROTOCOL_ENVIRONMENT || bytes > PROTOCOL_ENVIRONMENT_BYTES) {
            return false;
        }
    }
    if (!put_integer(writer, count, 4)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!strchr(environment[i], '=') || environment[i][0] == '=' ||
            !put_string(writer, environment[i], strlen(environment[i]))) {
            return false;
        }
    }
    return true;
}

bool protocol_write_submission(struct protocol_writer *writer, const char *program, const char *interpreter,
                               const char *directory, const char *const *environment,
                               const struct protocol_limits *limits) {
    size_t start;
    if (!frame_start(writer, PROTOCOL_SUBMISSION, &start)) {
        return false;
    }
    bool valid = protocol_name_valid(program, strlen(program)) && (interpreter[0] == '/' || interpreter[0] == 0) &&
                 strlen(interpreter) <= PROTOCOL_PATH_BYTES && (directory[0] == '/' || directory[0] == 0) &&
                 strlen(directory) <= PROTOCOL_PATH_BYTES;
    return frame_end(writer, start,
                     valid && put_string(writer, program, strlen(program)) &&
                         put_string(writer, interpreter, strlen(interpreter)) &&
                         put_string(writer, directory, strlen(directory)) && put_environment(writer, environment) &&
                         put_limits(writer, limits));
}

static bool write_stdin(struct protocol_writer *writer, const uint8_t *input, size_t length) {
    if (length > PROTOCOL_STDIN_BYTES) {
        return writer_fail(writer);
    }
    for (size_t sent = 0; sent < length;) {
        size_t piece = length - sent < PROTOCOL_STDIN_CHUNK ? length - sent : (size_t)PROTOCOL_STDIN_CHUNK;
        size_t start;
        if (!frame_start(writer, PROTOCOL_STDIN, &start) ||
            !frame_end(writer, start, put(writer, input + sent, piece))) {
            return false;
        }
        sent += piece;
    }
    return !writer->failed;
}

static bool put_arguments(struct protocol_writer *writer, const struct protocol_bytes *arguments, size_t count) {
    size_t bytes = 0;
    if (count > PROTOCOL_ARGUMENTS || !put_integer(writer, count, 4)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        bytes += arguments[i].length;
        if (bytes > PROTOCOL_ARGUMENTS_BYTES || !without_nul(arguments[i].data, arguments[i].length) ||
            !put_string(writer, arguments[i].data, arguments[i].length)) {
            return false;
        }
    }
    return true;
}

bool protocol_write_case(struct protocol_writer *writer, uint32_t number, const struct protocol_limits *limits,
                         const void *input, size_t input_length, const struct protocol_bytes *arguments,
                         size_t argument_count) {
    size_t start;
    if (number == 0) {
        return writer_fail(writer);
    }
    if (!write_stdin(writer, input, input_length) || !frame_start(writer, PROTOCOL_CASE, &start)) {
        return false;
    }
    return frame_end(writer, start,
                     put_integer(writer, number, 4) && put_limits(writer, limits) &&
                         put_integer(writer, input_length, 8) && put_arguments(writer, arguments, argument_count));
}

bool protocol_write_end(struct protocol_writer *writer) {
    return write_empty(writer, PROTOCOL_END);
}

/* ---- reading ---- */

/* A payload that is being taken apart. Once a field doesn't fit, `wrong` says so and all that follows yields
   zeros. */
struct payload {
    const uint8_t *next;
    size_t left;
    bool wrong;
};

static uint64_t take_integer(struct payload *payload, size_t width) {
    if (payload->wrong || payload->left < width) {
        payload->wrong = true;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++) {
        value |= (uint64_t)payload->next[i] << (8 * i);
    }
    payload->next += width;
    payload->left -= width;
    return value;
}

static struct protocol_bytes take_bytes(struct payload *payload, size_t length) {
    if (payload->wrong || payload->left < length) {
        payload->wrong = true;
        return (struct protocol_bytes){ 0 };
    }
    struct protocol_bytes bytes = { .data = payload->next, .length = length };
    payload->next += length;
    payload->left -= length;
    return bytes;
}

static struct protocol_bytes take_string(struct payload *payload, size_t most) {
    size_t length = (size_t)take_integer(payload, 4);
    if (length > most) {
        payload->wrong = true;
    }
    struct protocol_bytes bytes = take_bytes(payload, length);
    if (!without_nul(bytes.data, bytes.length)) {
        payload->wrong = true;
    }
    return bytes;
}

static struct protocol_list take_list(struct payload *payload, size_t most, size_t most_bytes) {
    struct protocol_list list = { .count = (uint32_t)take_integer(payload, 4) };
    if (list.count > most) {
        payload->wrong = true;
    }
    list.data = payload->next;
    size_t before = payload->left;
    for (uint32_t i = 0; i < list.count && !payload->wrong; i++) {
        list.bytes += take_string(payload, most_bytes).length;
        if (list.bytes > most_bytes) {
            payload->wrong = true;
        }
    }
    if (payload->wrong) {
        return (struct protocol_list){ 0 };
    }
    list.length = before - payload->left;
    return list;
}

static struct protocol_limits take_limits(struct payload *payload) {
    struct protocol_limits limits;
    limits.memory_bytes = take_integer(payload, 8);
    limits.cpu_ms = take_integer(payload, 8);
    limits.wall_ms = take_integer(payload, 8);
    limits.output_bytes = take_integer(payload, 8);
    limits.processes = take_integer(payload, 8);
    limits.file_bytes = take_integer(payload, 8);
    if (!protocol_limits_valid(&limits)) {
        payload->wrong = true;
    }
    return limits;
}

static bool within(uint64_t value, uint64_t least, uint64_t most) {
    return value >= least && value <= most;
}

static void take_hello(struct payload *payload, struct protocol_hello *hello) {
    hello->version = (uint32_t)take_integer(payload, 4);
    hello->abilities = (uint32_t)take_integer(payload, 4);
    hello->accounting = (uint8_t)take_integer(payload, 1);
    hello->interpreter_version = take_string(payload, PROTOCOL_VERSION_BYTES);
    payload->wrong |= !within(hello->accounting, PROTOCOL_ACCOUNTING_CGROUP, PROTOCOL_ACCOUNTING_RLIMIT);
}

static void take_output(struct payload *payload, struct protocol_output *output) {
    output->case_number = (uint32_t)take_integer(payload, 4);
    output->stream = (uint8_t)take_integer(payload, 1);
    payload->wrong |= output->case_number == 0 || !within(output->stream, PROTOCOL_STDOUT, PROTOCOL_STDERR) ||
                      !within(payload->left, 1, PROTOCOL_OUTPUT_CHUNK);
    output->bytes = take_bytes(payload, payload->left);
}

static void take_result(struct payload *payload, struct protocol_result *result) {
    result->case_number = (uint32_t)take_integer(payload, 4);
    result->ending = (uint8_t)take_integer(payload, 1);
    result->flags = (uint8_t)take_integer(payload, 1);
    result->exit_code = (uint32_t)take_integer(payload, 4);
    result->signal = (uint32_t)take_integer(payload, 4);
    result->cpu_us = take_integer(payload, 8);
    result->wall_us = take_integer(payload, 8);
    result->memory_bytes = take_integer(payload, 8);
    result->stdout_bytes = take_integer(payload, 8);
    result->stderr_bytes = take_integer(payload, 8);
    payload->wrong |=
        result->case_number == 0 || !within(result->ending, PROTOCOL_ENDING_EXIT, PROTOCOL_ENDING_OUTPUT) ||
        result->flags > (PROTOCOL_STDOUT_TRUNCATED | PROTOCOL_STDERR_TRUNCATED) || result->exit_code > 255 ||
        result->signal > 64 || result->cpu_us > INT64_MAX || result->wall_us > INT64_MAX ||
        result->memory_bytes > INT64_MAX || result->stdout_bytes > INT64_MAX || result->stderr_bytes > INT64_MAX;
}

static void take_failure(struct payload *payload, struct protocol_failure *failure) {
    uint64_t fatal = take_integer(payload, 1);
    failure->fatal = fatal != 0;
    failure->case_number = (uint32_t)take_integer(payload, 4);
    failure->code = take_string(payload, PROTOCOL_CODE_BYTES);
    failure->message = take_string(payload, PROTOCOL_MESSAGE_BYTES);
    payload->wrong |= fatal > 1 || failure->code.length == 0;
}

static void take_file(struct payload *payload, struct protocol_file *file) {
    file->flags = (uint8_t)take_integer(payload, 1);
    file->name = take_string(payload, PROTOCOL_NAME_BYTES);
    payload->wrong |= file->flags > PROTOCOL_FILE_CONTINUES || payload->left > PROTOCOL_FILE_CHUNK ||
                      !protocol_name_valid(file->name.data, file->name.length);
    file->bytes = take_bytes(payload, payload->left);
}

static void take_submission(struct payload *payload, struct protocol_submission *submission) {
    submission->program = take_string(payload, PROTOCOL_NAME_BYTES);
    submission->interpreter = take_string(payload, PROTOCOL_PATH_BYTES);
    submission->directory = take_string(payload, PROTOCOL_PATH_BYTES);
    submission->environment = take_list(payload, PROTOCOL_ENVIRONMENT, PROTOCOL_ENVIRONMENT_BYTES);
    submission->limits = take_limits(payload);
    if (payload->wrong || !protocol_name_valid(submission->program.data, submission->program.length) ||
        (submission->interpreter.length > 0 && submission->interpreter.data[0] != '/') ||
        (submission->directory.length > 0 && submission->directory.data[0] != '/')) {
        payload->wrong = true;
        return;
    }
    struct protocol_list pairs = submission->environment;
    struct protocol_bytes pair;
    while (protocol_list_next(&pairs, &pair)) {
        const uint8_t *sign = pair.length ? memchr(pair.data, '=', pair.length) : NULL;
        payload->wrong |= sign == NULL || sign == pair.data;
    }
}

static void take_stdin(struct payload *payload, struct protocol_bytes *piece) {
    payload->wrong |= !within(payload->left, 1, PROTOCOL_STDIN_CHUNK);
    *piece = take_bytes(payload, payload->left);
}

static void take_case(struct payload *payload, struct protocol_case *test) {
    test->number = (uint32_t)take_integer(payload, 4);
    test->limits = take_limits(payload);
    test->stdin_bytes = take_integer(payload, 8);
    test->arguments = take_list(payload, PROTOCOL_ARGUMENTS, PROTOCOL_ARGUMENTS_BYTES);
    payload->wrong |= test->number == 0 || test->stdin_bytes > PROTOCOL_STDIN_BYTES;
}

/* The most bytes that a payload of this type can have; -1 for a type that the sender may not send. Looked at
   before anything is allocated for it. */
static long payload_most(enum protocol_side sender, uint8_t type) {
    const long limits = 48;
    if (sender == PROTOCOL_FROM_RUNNER) {
        switch (type) {
        case PROTOCOL_HELLO: return 4 + 4 + 1 + 4 + PROTOCOL_VERSION_BYTES;
        case PROTOCOL_READY:
        case PROTOCOL_BYE: return 0;
        case PROTOCOL_OUTPUT: return 4 + 1 + PROTOCOL_OUTPUT_CHUNK;
        case PROTOCOL_RESULT: return 4 + 1 + 1 + 4 + 4 + 5 * 8;
        case PROTOCOL_FAILURE: return 1 + 4 + 4 + PROTOCOL_CODE_BYTES + 4 + PROTOCOL_MESSAGE_BYTES;
        default: return -1;
        }
    }
    switch (type) {
    case PROTOCOL_BUILD: return limits;
    case PROTOCOL_FILE: return 1 + 4 + PROTOCOL_NAME_BYTES + PROTOCOL_FILE_CHUNK;
    case PROTOCOL_SUBMISSION:
        return 3 * 4 + PROTOCOL_NAME_BYTES + 2 * PROTOCOL_PATH_BYTES + 4 + 4 * PROTOCOL_ENVIRONMENT +
               PROTOCOL_ENVIRONMENT_BYTES + limits;
    case PROTOCOL_STDIN: return PROTOCOL_STDIN_CHUNK;
    case PROTOCOL_CASE: return 4 + limits + 8 + 4 + 4 * PROTOCOL_ARGUMENTS + PROTOCOL_ARGUMENTS_BYTES;
    case PROTOCOL_END: return 0;
    default: return -1;
    }
}

static bool take_message(struct payload *payload, struct protocol_message *message) {
    switch (message->type) {
    case PROTOCOL_HELLO: take_hello(payload, &message->hello); break;
    case PROTOCOL_OUTPUT: take_output(payload, &message->output); break;
    case PROTOCOL_RESULT: take_result(payload, &message->result); break;
    case PROTOCOL_FAILURE: take_failure(payload, &message->failure); break;
    case PROTOCOL_BUILD: message->build = take_limits(payload); break;
    case PROTOCOL_FILE: take_file(payload, &message->file); break;
    case PROTOCOL_SUBMISSION: take_submission(payload, &message->submission); break;
    case PROTOCOL_STDIN: take_stdin(payload, &message->stdin_piece); break;
    case PROTOCOL_CASE: take_case(payload, &message->test); break;
    case PROTOCOL_READY:
    case PROTOCOL_BYE:
    case PROTOCOL_END: break;
    }
    return !payload->wrong && payload->left == 0;
}

void protocol_reader_start(struct protocol_reader *reader, enum protocol_side sender) {
    *reader = (struct protocol_reader){ .sender = sender };
}

void protocol_reader_end(struct protocol_reader *reader) {
    free(reader->data);
    reader->data = NULL;
    reader->start = reader->length = reader->capacity = 0;
}

uint8_t *protocol_reader_room(struct protocol_reader *reader, size_t *room) {
    if (reader->broken) {
        return NULL;
    }
    if (reader->start > 0) {
        memmove(reader->data, reader->data + reader->start, reader->length);
        reader->start = 0;
    }
    /* Made anew for each half step only, so that a stream in tiny pieces isn't copied for each of them. What a
       large frame needed is given back as soon as only small things are left, so that a long series of
       small cases doesn't keep the room of the largest. */
    size_t step = reader->length + READ_STEP;
    if (reader->capacity - reader->length < READ_STEP / 2 ||
        (reader->capacity > 4 * READ_STEP && step < reader->capacity / 4)) {
        uint8_t *data = realloc(reader->data, step);
        if (!data) {
            return NULL;
        }
        reader->data = data;
        reader->capacity = step;
    }
    *room = reader->capacity - reader->length;
    return reader->data + reader->length;
}

void protocol_reader_filled(struct protocol_reader *reader, size_t count) {
    size_t room = reader->capacity - reader->start - reader->length;
    reader->length += count < room ? count : room;
}

static enum protocol_next reader_break(struct protocol_reader *reader, const char *what) {
    reader->broken = what;
    return PROTOCOL_BROKEN;
}

enum protocol_next protocol_reader_next(struct protocol_reader *reader, struct protocol_message *message) {
    if (reader->broken) {
        return PROTOCOL_BROKEN;
    }
    if (reader->length == 0) {
        return PROTOCOL_NEED_MORE;
    }
    const uint8_t *frame = reader->data + reader->start;
    long most = payload_most(reader->sender, frame[0]);
    if (most < 0) {
        return reader_break(reader, "a frame of a type that this side never sends");
    }
    if (reader->length < PROTOCOL_HEADER_BYTES) {
        return PROTOCOL_NEED_MORE;
    }
    struct payload header = { .next = frame + 1, .left = 4 };
    size_t length = (size_t)take_integer(&header, 4);
    if (length > (size_t)most) {
        return reader_break(reader, "a frame longer than its type can be");
    }
    if (reader->length - PROTOCOL_HEADER_BYTES < length) {
        return PROTOCOL_NEED_MORE;
    }
    struct protocol_message taken = { .type = (enum protocol_type)frame[0] };
    struct payload payload = { .next = frame + PROTOCOL_HEADER_BYTES, .left = length };
    if (!take_message(&payload, &taken)) {
        return reader_break(reader, "a frame whose fields are out of bounds");
    }
    reader->start += PROTOCOL_HEADER_BYTES + length;
    reader->length -= PROTOCOL_HEADER_BYTES + length;
    *message = taken;
    return PROTOCOL_MESSAGE;
}

/* ---- fields ---- */

bool protocol_list_next(struct protocol_list *list, struct protocol_bytes *item) {
    if (list->count == 0) {
        return false;
    }
    struct payload payload = { .next = list->data, .left = list->length };
    size_t length = (size_t)take_integer(&payload, 4);
    struct protocol_bytes bytes = take_bytes(&payload, length);
    if (payload.wrong) {
        return false;
    }
    *item = bytes;
    list->data = payload.next;
    list->length = payload.left;
    list->count--;
    return true;
}

bool protocol_limits_valid(const struct protocol_limits *limits) {
    return within(limits->memory_bytes, PROTOCOL_MEMORY_MIN_BYTES, PROTOCOL_MEMORY_MAX_BYTES) &&
           within(limits->cpu_ms, 1, PROTOCOL_TIME_MAX_MS) && within(limits->wall_ms, 1, PROTOCOL_TIME_MAX_MS) &&
           limits->output_bytes <= PROTOCOL_OUTPUT_MAX_BYTES && within(limits->processes, 1, PROTOCOL_PROCESSES_MAX) &&
           limits->file_bytes <= PROTOCOL_FILES_MAX_BYTES;
}

bool protocol_limits_within(const struct protocol_limits *limits, const struct protocol_limits *most) {
    return limits->memory_bytes <= most->memory_bytes && limits->cpu_ms <= most->cpu_ms &&
           limits->wall_ms <= most->wall_ms && limits->output_bytes <= most->output_bytes &&
           limits->processes <= most->processes && limits->file_bytes <= most->file_bytes;
}

bool protocol_name_valid(const void *name, size_t length) {
    const char *text = name;
    if (length == 0 || length > PROTOCOL_NAME_BYTES || !without_nul(name, length) || memchr(name, '/', length)) {
        return false;
    }
    return !(text[0] == '.' && (length == 1 || (length == 2 && text[1] == '.')));
}
