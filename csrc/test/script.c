#include "script.h"

#include <stdlib.h>
#include <string.h>

enum { RUN_BYTES = 70000 };

/* What long runs of one byte are made of. */
static const uint8_t *filler(uint8_t byte) {
    static uint8_t run[RUN_BYTES];
    if (run[0] != byte)
        memset(run, byte, sizeof run);
    return run;
}

uint8_t script_byte(struct script *script) {
    if (!script->left)
        return 0;
    script->left--;
    return *script->data++;
}

uint16_t script_word(struct script *script) {
    uint8_t low = script_byte(script);
    return (uint16_t)(low | script_byte(script) << 8);
}

struct protocol_bytes script_bytes(struct script *script) {
    size_t length = script_byte(script);
    if (length > script->left)
        length = script->left;
    struct protocol_bytes bytes = { .data = script->data, .length = length };
    script->data += length;
    script->left -= length;
    return bytes;
}

const char *script_text(struct script *script) {
    static char texts[2][256];
    static int last;
    char *text = texts[last = !last];
    struct protocol_bytes bytes = script_bytes(script);
    if (bytes.length)
        memcpy(text, bytes.data, bytes.length);
    text[bytes.length] = '\0';
    return text;
}

struct protocol_limits script_limits(struct script *script) {
    unsigned sizes = script_byte(script), times = script_byte(script);
    static const uint64_t outputs[] = { 0, 1, 4096, 65536, 65537, 1 << 20, PROTOCOL_OUTPUT_MAX_BYTES, 100 };
    return (struct protocol_limits){
        .memory_bytes = PROTOCOL_MEMORY_MIN_BYTES << (sizes >> 3 & 15),
        .cpu_ms = times & 15 ? (times & 15) * 100 : PROTOCOL_TIME_MAX_MS,
        .wall_ms = times >> 4 ? (times >> 4) * 100 : PROTOCOL_TIME_MAX_MS,
        .output_bytes = outputs[sizes & 7],
        .processes = 1 + (sizes >> 4),
        .file_bytes = (uint64_t)times << 10,
    };
}

/* Appends bytes as they are. The writer knows frames only: one of them makes the room. */
static void append_raw(struct protocol_writer *stream, const uint8_t *bytes, size_t length) {
    size_t start = stream->length;
    if (!length || !protocol_write_output(stream, 1, PROTOCOL_STDOUT, bytes, length))
        return;
    memcpy(stream->data + start, bytes, length);
    stream->length = start + length;
}

static void append_run(struct script *script, struct protocol_writer *stream) {
    uint8_t byte = script_byte(script);
    append_raw(stream, filler(byte), script_word(script));
}

static void append_bytes(struct script *script, struct protocol_writer *stream) {
    struct protocol_bytes bytes = script_bytes(script);
    append_raw(stream, bytes.data, bytes.length);
}

/* ---- the runner's ---- */

static void write_hello(struct script *script, struct protocol_writer *stream) {
    uint8_t kind = script_byte(script);
    struct protocol_hello hello = {
        .version = PROTOCOL_VERSION + (kind >> 4 == 1),
        .abilities = kind >> 6,
        .accounting = (uint8_t)(kind & 3 ? kind & 3 : PROTOCOL_ACCOUNTING_CGROUP),
    };
    if (kind & 8)
        hello.interpreter_version = script_bytes(script);
    protocol_write_hello(stream, &hello);
}

static void write_output(struct script *script, struct protocol_writer *stream) {
    uint32_t number = script_byte(script);
    uint8_t kind = script_byte(script);
    enum protocol_stream which = kind & 1 ? PROTOCOL_STDERR : PROTOCOL_STDOUT;
    if (kind & 2) {
        struct protocol_bytes bytes = script_bytes(script);
        protocol_write_output(stream, number, which, bytes.data, bytes.length);
    } else {
        protocol_write_output(stream, number, which, filler('x'), script_word(script));
    }
}

static void write_result(struct script *script, struct protocol_writer *stream) {
    struct protocol_result result = {
        .case_number = script_byte(script),
        .ending = script_byte(script) % 8,
        .flags = script_byte(script) & 7,
        .exit_code = script_word(script),
        .signal = script_byte(script),
        .cpu_us = script_word(script),
        .wall_us = (uint64_t)script_word(script) << 48,
        .memory_bytes = (uint64_t)script_word(script) << 12,
        .stdout_bytes = script_word(script),
        .stderr_bytes = script_word(script),
    };
    protocol_write_result(stream, &result);
}

static void write_failure(struct script *script, struct protocol_writer *stream) {
    uint8_t kind = script_byte(script);
    uint32_t number = script_byte(script);
    const char *code = script_text(script);
    protocol_write_failure(stream, kind & 1, number, code, script_text(script));
}

void script_runner(struct script *script, struct protocol_writer *stream) {
    switch (script_byte(script) % 8) {
    case 0: append_bytes(script, stream); break;
    case 1: write_hello(script, stream); break;
    case 2: protocol_write_ready(stream); break;
    case 3: write_output(script, stream); break;
    case 4: write_result(script, stream); break;
    case 5: write_failure(script, stream); break;
    case 6: protocol_write_bye(stream); break;
    default: append_run(script, stream); break;
    }
    stream->failed = false;
}

/* ---- the host's ---- */

static void write_build(struct script *script, struct protocol_writer *stream) {
    struct protocol_limits limits = script_limits(script);
    protocol_write_build(stream, &limits);
}

/* The second piece of a file, or one that says so. */
static void write_file(struct script *script, struct protocol_writer *stream) {
    uint8_t kind = script_byte(script);
    size_t start = stream->length;
    const char *name = kind & 2 ? script_text(script) : "program.py";
    bool written;
    if (kind & 4) {
        written = protocol_write_file(stream, name, filler('x'), script_word(script));
    } else {
        struct protocol_bytes bytes = script_bytes(script);
        written = protocol_write_file(stream, name, bytes.data, bytes.length);
    }
    if (written && kind & 1)
        stream->data[start + PROTOCOL_HEADER_BYTES] = PROTOCOL_FILE_CONTINUES;
}

static void write_submission(struct script *script, struct protocol_writer *stream) {
    uint8_t kind = script_byte(script);
    struct protocol_limits limits = script_limits(script);
    const char *environment[] = { "PATH=/usr/bin", NULL, NULL, NULL }, *program = "program.py", *directory = "";
    if (kind & 1)
        program = script_text(script);
    if (kind & 2)
        environment[1] = script_text(script);
    if (kind & 4)
        environment[kind & 2 ? 2 : 1] = "EMPTY=";
    if (kind & 8)
        directory = "/tmp";
    protocol_write_submission(stream, program, kind & 16 ? "" : "/usr/bin/python3", directory, environment, &limits);
}

static void write_case(struct script *script, struct protocol_writer *stream) {
    enum { MOST_ARGUMENTS = 7 };
    struct protocol_bytes arguments[MOST_ARGUMENTS];
    uint8_t kind = script_byte(script);
    uint32_t number = script_byte(script);
    struct protocol_limits limits = script_limits(script);
    size_t count = kind & 7, input = kind & 8 ? script_word(script) : 0;
    for (size_t index = 0; index < count; index++)
        arguments[index] = script_bytes(script);
    protocol_write_case(stream, number, &limits, filler('i'), input, arguments, count);
}

/* Standard input without its case. */
static void write_input(struct script *script, struct protocol_writer *stream) {
    static const struct protocol_limits limits = {
        .memory_bytes = PROTOCOL_MEMORY_MIN_BYTES, .cpu_ms = 1, .wall_ms = 1, .processes = 1
    };
    size_t start = stream->length, input = script_word(script);
    if (input && protocol_write_case(stream, 1, &limits, filler('i'), input, NULL, 0))
        stream->length = start + PROTOCOL_HEADER_BYTES + input;
}

void script_host(struct script *script, struct protocol_writer *stream) {
    switch (script_byte(script) % 8) {
    case 0: append_bytes(script, stream); break;
    case 1: write_build(script, stream); break;
    case 2: write_file(script, stream); break;
    case 3: write_submission(script, stream); break;
    case 4: write_case(script, stream); break;
    case 5: write_input(script, stream); break;
    case 6: protocol_write_end(stream); break;
    default: append_run(script, stream); break;
    }
    stream->failed = false;
}
