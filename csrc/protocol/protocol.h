/*
 * The protocol between the host and submitter-runner, complete: one byte stream each way, no descriptor passing,
 * so that pipes, a socket pair and a container's attached streams carry it alike.
 *
 * Frames
 *   u8 type, u32 length of the payload, payload. Integers are unsigned and little endian. A "string" is u32
 *   length and that many bytes; a "list" is u32 count and that many strings. Nothing may follow the last field
 *   of a payload. Every field has a bound, below; a frame beyond one breaks the stream, and a broken stream
 *   stays broken: whoever reads it gives up on the sandbox. Strings hold no NUL; "bytes" may hold anything, and
 *   reach to the end of their payload.
 *
 * Phases
 *   1. runner: HELLO, unasked.
 *   2. host: BUILD with the largest limits that the submission may have, before there is one; runner: READY.
 *   3. host: FILE …, SUBMISSION, once.
 *   4. host: STDIN …, CASE; runner: OUTPUT …, RESULT, or FAILURE with the case's number. The host may send the
 *      next case before the last one's result came: they run one at a time, in order.
 *   5. host: END; runner: BYE, and it ends.
 *   At any time FAILURE with `fatal` set says that the sandbox can't go on; the runner ends after it.
 *   The host keeps its end open until BYE: closing it earlier ends the sandbox at once.
 *
 * Messages of the runner
 *   HELLO       u32 version, u32 abilities (PROTOCOL_ABILITY_…), u8 accounting,
 *               string interpreter version (what the runner was told of its own interpreter; else empty)
 *   READY       nothing
 *   OUTPUT      u32 case, u8 stream, bytes (1 to PROTOCOL_OUTPUT_CHUNK): the next piece of what was written
 *   RESULT      u32 case, u8 ending, u8 flags, u32 exit code, u32 signal, u64 cpu µs, u64 wall µs,
 *               u64 memory bytes (peak), u64 bytes written to standard output, u64 to standard error
 *               (counted, not only those kept)
 *   FAILURE     u8 fatal, u32 case (0: no case), string code (a word), string message: ours, never the student's
 *   BYE         nothing
 *
 * Messages of the host
 *   BUILD       limits
 *   FILE        u8 flags (1: goes on where the last FILE ended, same name), string name, bytes
 *   SUBMISSION  string program (one of the files),
 *               string interpreter (absolute path, or "" for the runner's own, which an image's runner has),
 *               string working directory ("" for the submission's own), list of "NAME=value", limits
 *   STDIN       bytes (1 to PROTOCOL_STDIN_CHUNK): the next piece of the coming case's standard input
 *   CASE        u32 number (not 0), limits, u64 bytes of standard input sent before, list of arguments
 *   END         nothing
 *   limits      u64 each: memory bytes, cpu ms, wall ms, output bytes, processes, file bytes
 */
#ifndef SUBMITTER_PROTOCOL_H
#define SUBMITTER_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROTOCOL_VERSION = 1 };

enum {
    PROTOCOL_HEADER_BYTES = 5,
    PROTOCOL_OUTPUT_CHUNK = 64 * 1024,
    PROTOCOL_STDIN_CHUNK = 1024 * 1024,
    PROTOCOL_FILE_CHUNK = 1024 * 1024,
    PROTOCOL_FILE_BYTES = 16 * 1024 * 1024,
    PROTOCOL_FILES = 64,
    PROTOCOL_FILES_BYTES = 64 * 1024 * 1024,
    PROTOCOL_STDIN_BYTES = 64 * 1024 * 1024,
    PROTOCOL_NAME_BYTES = 255,
    PROTOCOL_PATH_BYTES = 4095,
    PROTOCOL_ARGUMENTS = 65536,
    PROTOCOL_ARGUMENTS_BYTES = 2 * 1024 * 1024,
    /* The kernel refuses a single argument of 128 KiB with its NUL. */
    PROTOCOL_ARGUMENT_BYTES = 128 * 1024 - 1,
    PROTOCOL_ENVIRONMENT = 256,
    PROTOCOL_ENVIRONMENT_BYTES = 128 * 1024,
    PROTOCOL_CODE_BYTES = 32,
    PROTOCOL_MESSAGE_BYTES = 1024,
    PROTOCOL_VERSION_BYTES = 64,
    PROTOCOL_STDERR_KEPT = 64 * 1024,
    /* No frame is larger: a CASE with as many and as long arguments as allowed, each with its length. */
    PROTOCOL_FRAME_BYTES = PROTOCOL_ARGUMENTS_BYTES + 4 * PROTOCOL_ARGUMENTS + 1024,
};

/* Limits beyond these are refused: they bound what either side ever computes with. */
#define PROTOCOL_MEMORY_MIN_BYTES (UINT64_C(1) << 20)
#define PROTOCOL_MEMORY_MAX_BYTES (UINT64_C(1) << 40)
#define PROTOCOL_TIME_MAX_MS UINT64_C(86400000)
#define PROTOCOL_OUTPUT_MAX_BYTES (UINT64_C(256) << 20)
#define PROTOCOL_PROCESSES_MAX UINT64_C(65536)
#define PROTOCOL_FILES_MAX_BYTES (UINT64_C(1) << 40)

enum protocol_type {
    PROTOCOL_HELLO = 1,
    PROTOCOL_READY = 2,
    PROTOCOL_OUTPUT = 3,
    PROTOCOL_RESULT = 4,
    PROTOCOL_FAILURE = 5,
    PROTOCOL_BYE = 6,
    PROTOCOL_BUILD = 65,
    PROTOCOL_FILE = 66,
    PROTOCOL_SUBMISSION = 67,
    PROTOCOL_STDIN = 68,
    PROTOCOL_CASE = 69,
    PROTOCOL_END = 70,
};

enum protocol_side { PROTOCOL_FROM_RUNNER, PROTOCOL_FROM_HOST };

enum protocol_ability {
    PROTOCOL_ABILITY_EXEC = 1, /* a fresh interpreter for each case */
    PROTOCOL_ABILITY_WARM = 2, /* forked from a warm one */
};

enum protocol_accounting {
    PROTOCOL_ACCOUNTING_CGROUP = 1,
    PROTOCOL_ACCOUNTING_CONTAINER = 2,
    PROTOCOL_ACCOUNTING_RLIMIT = 3,
};

enum protocol_stream { PROTOCOL_STDOUT = 1, PROTOCOL_STDERR = 2 };

enum protocol_ending {
    PROTOCOL_ENDING_EXIT = 1,
    PROTOCOL_ENDING_SIGNAL = 2,
    PROTOCOL_ENDING_CPU = 3,
    PROTOCOL_ENDING_WALL = 4,
    PROTOCOL_ENDING_MEMORY = 5,
    PROTOCOL_ENDING_OUTPUT = 6,
};

enum protocol_result_flag {
    PROTOCOL_STDOUT_TRUNCATED = 1,
    PROTOCOL_STDERR_TRUNCATED = 2,
};

enum { PROTOCOL_FILE_CONTINUES = 1 };

/* A view into the reader's buffer: never ends with a NUL of its own. */
struct protocol_bytes {
    const uint8_t *data;
    size_t length;
};

/* A checked list; walked with protocol_list_next. */
struct protocol_list {
    const uint8_t *data;
    size_t length;
    uint32_t count;
    size_t bytes; /* of the strings alone */
};

struct protocol_limits {
    uint64_t memory_bytes, cpu_ms, wall_ms, output_bytes, processes, file_bytes;
};

struct protocol_hello {
    uint32_t version, abilities;
    uint8_t accounting;
    struct protocol_bytes interpreter_version;
};

struct protocol_output {
    uint32_t case_number;
    uint8_t stream;
    struct protocol_bytes bytes;
};

struct protocol_result {
    uint32_t case_number;
    uint8_t ending, flags;
    uint32_t exit_code, signal;
    uint64_t cpu_us, wall_us, memory_bytes, stdout_bytes, stderr_bytes;
};

struct protocol_failure {
    bool fatal;
    uint32_t case_number;
    struct protocol_bytes code, message;
};

struct protocol_file {
    uint8_t flags;
    struct protocol_bytes name, bytes;
};

struct protocol_submission {
    struct protocol_bytes program, interpreter, directory;
    struct protocol_list environment;
    struct protocol_limits limits;
};

struct protocol_case {
    uint32_t number;
    struct protocol_limits limits;
    uint64_t stdin_bytes;
    struct protocol_list arguments;
};

struct protocol_message {
    enum protocol_type type;
    union {
        struct protocol_hello hello;
        struct protocol_output output;
        struct protocol_result result;
        struct protocol_failure failure;
        struct protocol_limits build;
        struct protocol_file file;
        struct protocol_submission submission;
        struct protocol_bytes stdin_piece;
        struct protocol_case test;
    };
};

/* Bytes to be sent. Grows up to its limit; what doesn't fit, or isn't within the bounds above, marks it as
   failed for good, so that a series of writes is checked once. */
struct protocol_writer {
    uint8_t *data;
    size_t length, capacity, limit;
    bool failed;
};

/* A writer that holds at most `limit` bytes. Nothing is allocated yet. */
void protocol_writer_start(struct protocol_writer *writer, size_t limit);
/* Frees what it holds. */
void protocol_writer_end(struct protocol_writer *writer);
/* Forgets the first `count` bytes, which were sent. */
void protocol_writer_sent(struct protocol_writer *writer, size_t count);

/* Each appends whole frames; false, and the writer failed, when a field is out of bounds or there is no room.
   */
bool protocol_write_hello(struct protocol_writer *writer, const struct protocol_hello *hello);
bool protocol_write_ready(struct protocol_writer *writer);
/* As many OUTPUT frames as the bytes need; none for no bytes. */
bool protocol_write_output(struct protocol_writer *writer, uint32_t case_number, enum protocol_stream stream,
                           const void *bytes, size_t length);
bool protocol_write_result(struct protocol_writer *writer, const struct protocol_result *result);
/* A code or message that is too long is cut, not refused: a failure must always come through. */
bool protocol_write_failure(struct protocol_writer *writer, bool fatal, uint32_t case_number, const char *code,
                            const char *message);
bool protocol_write_bye(struct protocol_writer *writer);
bool protocol_write_build(struct protocol_writer *writer, const struct protocol_limits *limits);
/* As many FILE frames as the file needs. */
bool protocol_write_file(struct protocol_writer *writer, const char *name, const void *bytes, size_t length);
/* interpreter: absolute path, or "" for the runner's own. environment: NULL-terminated "NAME=value" strings. */
bool protocol_write_submission(struct protocol_writer *writer, const char *program, const char *interpreter,
                               const char *directory, const char *const *environment,
                               const struct protocol_limits *limits);
/* The standard input in STDIN frames, then CASE. arguments: without argv[0]. */
bool protocol_write_case(struct protocol_writer *writer, uint32_t number, const struct protocol_limits *limits,
                         const void *input, size_t input_length, const struct protocol_bytes *arguments,
                         size_t argument_count);
bool protocol_write_end(struct protocol_writer *writer);

/* The receiving end: takes bytes as they come, gives messages as they are complete. */
struct protocol_reader {
    enum protocol_side sender;
    uint8_t *data;
    size_t start, length, capacity;
    const char *broken; /* what was wrong, once it is broken */
};

enum protocol_next { PROTOCOL_NEED_MORE, PROTOCOL_MESSAGE, PROTOCOL_BROKEN };

/* A reader of what `sender` says; a type that only the other side may send breaks it. */
void protocol_reader_start(struct protocol_reader *reader, enum protocol_side sender);
void protocol_reader_end(struct protocol_reader *reader);
/* A place for the next bytes of the stream, of `*room` bytes (at least 1); NULL when memory ran out or the
   stream is broken. Views that protocol_reader_next gave are void afterwards. Holds at most one frame and
   what came with it: call protocol_reader_next until PROTOCOL_NEED_MORE before the next call. */
uint8_t *protocol_reader_room(struct protocol_reader *reader, size_t *room);
/* So many bytes were put there. */
void protocol_reader_filled(struct protocol_reader *reader, size_t count);
/* The next message; its views hold until protocol_reader_room is called. `message` is untouched unless
   PROTOCOL_MESSAGE is returned. */
enum protocol_next protocol_reader_next(struct protocol_reader *reader, struct protocol_message *message);

/* The next string of a list: true and the view, false at the end. The list itself is moved on. */
bool protocol_list_next(struct protocol_list *list, struct protocol_bytes *item);
/* Within the bounds above? */
bool protocol_limits_valid(const struct protocol_limits *limits);
/* Is every limit at most the one of `most`? */
bool protocol_limits_within(const struct protocol_limits *limits, const struct protocol_limits *most);
/* A file's name: 1 to 255 bytes, no "/", no NUL, neither "." nor "..". */
bool protocol_name_valid(const void *name, size_t length);

#endif
