/* Fuzz target: the runner's end of the protocol (runner/main.c) and its taking of the submission (runner/submission.c)
 * against whatever a host says, in any order and in any pieces, and however soon it goes away. The input is a script
 * (script.h).
 *
 * Both files are included as they are, with the system calls by which they meet the outside replaced: what is read on
 * standard input, what is written on standard output, the end of the process, the submission's folder, and the freezing of
 * it. Cases are stood in for, so no walls are needed. Checked is what protocol.h promises the host: READY once, an answer
 * to each case in order, nothing after a fatal FAILURE or BYE; that a case is run only after a submission was taken
 * and within the limits of BUILD, with the arguments, environment and input that were sent; that no file is written once
 * they are frozen; and that no descriptor is lost. */
#include "../runner/case.h"
#include "../runner/launch.h"
#include "../runner/submission.h"
#include "script.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { HEARD_BYTES = 4 << 20, ANSWERED_BYTES = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds) {
    if (!holds) {
        abort();
    }
}

/* ---- the outside ---- */

static struct {
    jmp_buf end; /* of the runner's process */
    int code;
    struct protocol_reader *reader;
    struct protocol_writer heard; /* what the host says */
    size_t heard_sent, piece;
    uint8_t *answered; /* what the runner says */
    size_t answered_length, patience;
    int folder;
    bool interpreter; /* has the runner one of its own? */
    bool frozen;
    struct case_outcome *outcome; /* held by the runner at this moment */
} outside;

static _Noreturn void outside_exit(int code) {
    outside.code = code;
    /* What its stack holds, which is about to go. */
    protocol_reader_end(outside.reader);
    if (outside.outcome) {
        case_outcome_end(outside.outcome);
    }
    longjmp(outside.end, 1);
}

static ssize_t outside_read(int descriptor, void *place, size_t room) {
    demand(descriptor == STDIN_FILENO && room > 0);
    size_t length = outside.heard.length - outside.heard_sent;
    length = length < outside.piece ? length : outside.piece;
    length = length < room ? length : room;
    if (length > 0) {
        memcpy(place, outside.heard.data + outside.heard_sent, length);
    }
    outside.heard_sent += length;
    return (ssize_t)length;
}

/* A host takes so many bytes, then it is gone. */
static ssize_t outside_write(int descriptor, const void *bytes, size_t length) {
    demand(descriptor != STDERR_FILENO); /* out of memory, while answering */
    if (descriptor != STDOUT_FILENO) {
        return write(descriptor, bytes, length);
    }
    if (outside.patience == 0) {
        errno = EPIPE;
        return -1;
    }
    length = length < outside.patience ? length : outside.patience;
    outside.patience -= length;
    demand(length <= ANSWERED_BYTES - outside.answered_length);
    memcpy(outside.answered + outside.answered_length, bytes, length);
    outside.answered_length += length;
    return (ssize_t)length;
}

static int outside_open(const char *path, int flags) {
    if (strcmp(path, SUBMISSION_DIRECTORY) == 0) {
        return dup(outside.folder);
    }
    return open(path, flags); /* what the runner opens below /proc */
}

/* Nothing but new files, in this folder itself. */
static int outside_openat(int folder, const char *name, int flags, mode_t mode) {
    demand(!outside.frozen && flags & O_CREAT && flags & O_EXCL && flags & O_NOFOLLOW);
    demand(name[0] && strlen(name) <= 255 && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    return openat(folder, name, flags, mode);
}

static int outside_freeze(const char *path, const struct mount_attr *attributes) {
    demand(strcmp(path, "/usr/src") == 0 && attributes->attr_set == MOUNT_ATTR_RDONLY && !outside.frozen);
    outside.frozen = true;
    return 0;
}

/* The stream's reader, to be freed at the end that the runner's process would have been. */
static void outside_reader(struct protocol_reader *reader, enum protocol_side sender) {
    outside.reader = reader;
    protocol_reader_start(reader, sender);
}

#define main runner_main
#define _exit(code) outside_exit(code)
#define read(descriptor, place, room) outside_read(descriptor, place, room)
#define write(descriptor, bytes, length) outside_write(descriptor, bytes, length)
#define open(path, flags) outside_open(path, flags)
#define openat(folder, name, flags, mode) outside_openat(folder, name, flags, mode)
#define mount_setattr(folder, path, flags, attributes, size) outside_freeze(path, attributes)
#define protocol_reader_start(reader, sender) outside_reader(reader, sender)
int runner_main(void);
#include "../runner/main.c"
#include "../runner/submission.c"
#undef main
#undef _exit
#undef read
#undef write
#undef open
#undef openat
#undef mount_setattr
#undef protocol_reader_start

/* ---- the rooms that stand behind ---- */

static struct runner runner;

/* One that can't be prepared is among them. */
static bool can_prepare(const struct protocol_limits *most) {
    return most->processes != 16;
}

bool case_prepare(struct case_room *room, const struct walls *walls, const struct protocol_limits *most,
                  struct fault *fault) {
    room->walls = walls;
    demand(protocol_limits_valid(most));
    return can_prepare(most) || fault_fatal(fault, "memory", "no scratch");
}

static const char *skip_item(const char *next, const char *end, const void *bytes, size_t length) {
    demand(length < (size_t)(end - next) && next[length] == 0 && memcmp(next, bytes, length) == 0);
    return next + length + 1;
}

static const char *skip_list(const char *next, const char *end, struct protocol_list list) {
    struct protocol_bytes item;
    while (protocol_list_next(&list, &item)) {
        next = skip_item(next, end, item.length ? (const void *)item.data : "", item.length);
    }
    return next;
}

/* What is to be executed is what was sent. */
static void check_block(const struct launch_block *block, const struct protocol_case *test) {
    const struct submission *submission = &runner.submission;
    struct stat status;
    demand(fstat(block->descriptor, &status) == 0 && status.st_size > 0);
    char *text = malloc((size_t)status.st_size);
    demand(text && pread(block->descriptor, text, (size_t)status.st_size, 0) == status.st_size);
    const char *end = text + status.st_size, *next = text;
    demand(submission->interpreter[0] == '/');
    next = skip_item(next, end, submission->interpreter, strlen(submission->interpreter));
    next = skip_item(next, end, submission->directory, strlen(submission->directory));
    next = skip_item(next, end, submission->interpreter, strlen(submission->interpreter));
    demand(strncmp(next, SUBMISSION_DIRECTORY "/", sizeof SUBMISSION_DIRECTORY) == 0);
    next += sizeof SUBMISSION_DIRECTORY;
    next = skip_item(next, end, submission->program, strlen(submission->program));
    next = skip_list(skip_list(next, end, test->arguments), end, submission->environment);
    demand(next == end && block->argument_count == test->arguments.count + 2 &&
           block->environment_count == submission->environment.count);
    free(text);
}

/* The input has the announced size, is read from its beginning, and nobody can change it. */
static void check_input(int input, uint64_t announced) {
    struct stat status;
    char byte = 0;
    demand((input >= 0) == (announced > 0));
    if (input >= 0) {
        demand(fstat(input, &status) == 0 && (uint64_t)status.st_size == announced);
        demand(lseek(input, 0, SEEK_CUR) == 0 && write(input, &byte, 1) < 0);
        demand(fcntl(input, F_GET_SEALS) & F_SEAL_WRITE);
    }
}

static void keep_output(struct case_output *output, size_t length) {
    *output = (struct case_output){ .bytes = calloc(1, length ? length : 1), .length = length, .capacity = length };
    demand(output->bytes);
}

/* One whose first argument is "fail" is a failure of ours. */
static bool fails(const struct protocol_case *test) {
    struct protocol_list arguments = test->arguments;
    struct protocol_bytes first;
    return protocol_list_next(&arguments, &first) && first.length == 4 && memcmp(first.data, "fail", 4) == 0;
}

/* Others print as much as they may, up to a bit more than a frame holds. */
bool case_run(struct case_room *room, const struct protocol_case *test, struct launch_block block,
              const char *interpreter, int input, struct case_outcome *outcome, struct fault *fault) {
    demand(room->walls == &runner.walls && outside.frozen && interpreter[0] == '/');
    demand(test->number > 0 && protocol_limits_valid(&test->limits) &&
           protocol_limits_within(&test->limits, &runner.most));
    check_block(&block, test);
    close(block.descriptor);
    check_input(input, test->stdin_bytes);
    if (fails(test)) {
        return fault_case(fault, "interpreter", "it can't be executed");
    }
    size_t most = PROTOCOL_OUTPUT_CHUNK + 100;
    size_t length = test->limits.output_bytes < most ? (size_t)test->limits.output_bytes : most;
    outcome->result = (struct protocol_result){ .case_number = test->number, .ending = PROTOCOL_ENDING_EXIT };
    keep_output(&outcome->output, length);
    keep_output(&outcome->errors, length % 100);
    outside.outcome = outcome;
    return true;
}

void case_outcome_end(struct case_outcome *outcome) {
    free(outcome->output.bytes);
    free(outcome->errors.bytes);
    outside.outcome = NULL;
}

/* ---- the answers ---- */

/* What the runner said, and what it should have said, counted. */
struct answers {
    size_t ready, results, failures; /* of single cases */
    bool fatal, bye;
};

/* The submission as the host means it. */
struct intended {
    enum phase phase;
    struct protocol_limits most;
    char names[PROTOCOL_FILES][PROTOCOL_NAME_BYTES + 1];
    size_t files;
    uint64_t input_bytes;
};

static bool is_among(const struct intended *intended, struct protocol_bytes name) {
    for (size_t i = 0; i < intended->files; i++) {
        if (strlen(intended->names[i]) == name.length && memcmp(intended->names[i], name.data, name.length) == 0) {
            return true;
        }
    }
    return false;
}

static bool intend_file(struct intended *intended, const struct protocol_file *file) {
    if (file->flags & PROTOCOL_FILE_CONTINUES) {
        const char *last = intended->files ? intended->names[intended->files - 1] : "";
        return strlen(last) == file->name.length && memcmp(last, file->name.data, file->name.length) == 0;
    }
    if (is_among(intended, file->name) || intended->files == PROTOCOL_FILES) {
        return false;
    }
    memcpy(intended->names[intended->files], file->name.data, file->name.length);
    intended->names[intended->files++][file->name.length] = 0;
    return true;
}

static bool intend_case(struct intended *intended, const struct protocol_case *test, struct answers *answers) {
    if (intended->phase != PHASE_CASES || !protocol_limits_within(&test->limits, &intended->most) ||
        test->stdin_bytes != intended->input_bytes) {
        return false;
    }
    intended->input_bytes = 0;
    *(fails(test) ? &answers->failures : &answers->results) += 1;
    return true;
}

/* The phases as protocol.h has them. False for what ends the sandbox. */
static bool intend(struct intended *intended, const struct protocol_message *message, struct answers *answers) {
    const enum phase phase = intended->phase;
    switch (message->type) {
    case PROTOCOL_BUILD:
        intended->most = message->build;
        intended->phase = PHASE_SUBMISSION;
        answers->ready += phase == PHASE_BUILD && can_prepare(&message->build);
        return phase == PHASE_BUILD && can_prepare(&message->build);
    case PROTOCOL_FILE: return phase == PHASE_SUBMISSION && intend_file(intended, &message->file);
    case PROTOCOL_SUBMISSION:
        intended->phase = PHASE_CASES;
        return phase == PHASE_SUBMISSION && is_among(intended, message->submission.program) &&
               (message->submission.interpreter.length > 0 || runner.interpreter[0]) &&
               protocol_limits_within(&message->submission.limits, &intended->most);
    case PROTOCOL_STDIN: intended->input_bytes += message->stdin_piece.length; return phase == PHASE_CASES;
    case PROTOCOL_CASE: return intend_case(intended, &message->test, answers);
    default: answers->bye = true; return true;
    }
}

/* Takes a stream message by message until `take` says that nothing follows. True if it broke. */
static bool walk(enum protocol_side sender, const uint8_t *bytes, size_t length,
                 bool (*take)(const struct protocol_message *message, void *context), void *context, size_t *cut) {
    struct protocol_reader reader;
    struct protocol_message message;
    bool goes_on = true;
    protocol_reader_start(&reader, sender);
    while (goes_on && length > 0 && !reader.broken) {
        size_t room;
        uint8_t *place = protocol_reader_room(&reader, &room);
        demand(place);
        size_t taken = length < room ? length : room;
        memcpy(place, bytes, taken);
        protocol_reader_filled(&reader, taken);
        bytes += taken;
        length -= taken;
        while (goes_on && protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE) {
            goes_on = take(&message, context);
        }
    }
    bool broken = goes_on && reader.broken;
    *cut = length + reader.length;
    protocol_reader_end(&reader);
    return broken;
}

struct expectation {
    struct intended intended;
    struct answers answers;
};

static bool expect(const struct protocol_message *message, void *context) {
    struct expectation *expectation = context;
    if (!intend(&expectation->intended, message, &expectation->answers)) {
        expectation->answers.fatal = true;
    }
    return !expectation->answers.fatal && !expectation->answers.bye;
}

struct said {
    struct answers answers;
    uint32_t running; /* the case whose output comes */
};

/* Each output belongs to the result that follows; a failure comes instead of both. */
static bool hear(const struct protocol_message *message, void *context) {
    struct said *said = context;
    struct answers *answers = &said->answers;
    demand(!answers->fatal && !answers->bye && (answers->ready || message->type != PROTOCOL_RESULT));
    switch (message->type) {
    case PROTOCOL_READY: answers->ready++; break;
    case PROTOCOL_OUTPUT:
        demand(!said->running || said->running == message->output.case_number);
        said->running = message->output.case_number;
        break;
    case PROTOCOL_RESULT:
        demand(!said->running || said->running == message->result.case_number);
        said->running = 0;
        answers->results++;
        break;
    case PROTOCOL_FAILURE:
        demand(message->failure.message.length > 0 && !said->running);
        answers->fatal = message->failure.fatal;
        answers->failures += !message->failure.fatal;
        break;
    default: demand(message->type == PROTOCOL_BYE), answers->bye = true;
    }
    return true;
}

static void check_answers(bool host_stayed) {
    static struct expectation expectation;
    struct said said = { .running = 0 };
    size_t cut;
    demand(!walk(PROTOCOL_FROM_RUNNER, outside.answered, outside.answered_length, hear, &said, &cut));
    if (!host_stayed) {
        return; /* its last answer may be cut off */
    }
    demand(cut == 0 && !said.running);
    expectation = (struct expectation){ .intended = { .phase = PHASE_BUILD } };
    size_t unread;
    bool broken = walk(PROTOCOL_FROM_HOST, outside.heard.data, outside.heard.length, expect, &expectation, &unread);
    const struct answers *expected = &expectation.answers, *answers = &said.answers;
    demand(answers->ready == expected->ready && answers->results == expected->results);
    demand(answers->failures == expected->failures && answers->bye == expected->bye);
    demand(answers->fatal == (expected->fatal || broken) && outside.code == (answers->fatal ? 1 : 0));
    demand(answers->fatal || answers->bye || outside.heard_sent == outside.heard.length);
}

/* ---- the folder ---- */

static char folder_path[] = "/tmp/fuzz_runner.XXXXXX";
static pid_t folder_owner;

static void remove_folder(void) {
    if (folder_owner == getpid()) {
        rmdir(folder_path);
    }
}

static void make_folder(void) {
    outside.folder = -1;
    demand(mkdtemp(folder_path));
    folder_owner = getpid();
    atexit(remove_folder);
    outside.folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    demand(outside.folder >= 0);
}

/* Empties it. The files were plain ones, and no more than there may be. */
static void empty_folder(void) {
    DIR *directory = opendir(folder_path);
    struct dirent *entry;
    size_t files = 0;
    demand(directory);
    while ((entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            files++;
            demand(unlinkat(outside.folder, entry->d_name, 0) == 0);
        }
    }
    demand(files <= PROTOCOL_FILES);
    closedir(directory);
}

/* ---- one run ---- */

static void close_runner(void) {
    const int descriptors[] = { runner.input, runner.submission.place, runner.submission.file };
    for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
    free(runner.submission.environment_bytes);
}

static void read_script(struct script *script) {
    outside.piece = (size_t)script_byte(script) * 16 + 1;
    uint8_t patience = script_byte(script);
    outside.patience = patience & 1 ? (size_t)patience * 8 : ANSWERED_BYTES;
    outside.interpreter = patience & 2;
    protocol_writer_start(&outside.heard, HEARD_BYTES);
    while (script->left) {
        script_host(script, &outside.heard);
    }
    outside.heard_sent = outside.answered_length = 0;
    outside.frozen = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct script script = { data, size };
    static struct protocol_writer writer;
    if (!outside.answered) {
        outside.answered = malloc(ANSWERED_BYTES);
        demand(outside.answered);
        make_folder();
    }
    int free_descriptor = dup(outside.folder);
    close(free_descriptor);
    read_script(&script);
    /* As main() starts it, without walls. */
    runner = (struct runner){ .input = -1,
                              .interpreter = outside.interpreter ? "/usr/bin/python3.11" : "",
                              .submission = { .place = -1, .file = -1 } };
    protocol_writer_start(&writer, 4 * PROTOCOL_OUTPUT_CHUNK);
    if (setjmp(outside.end) == 0) {
        serve(&runner, &writer);
    }
    check_answers(outside.patience > 0);
    close_runner();
    protocol_writer_end(&writer);
    protocol_writer_end(&outside.heard);
    empty_folder();
    int descriptor = dup(outside.folder);
    demand(descriptor == free_descriptor); /* none was left open */
    close(descriptor);
    return 0;
}
