/*
 * submitter-runner: process 1 within the walls, and the only one there that is trusted. It speaks the protocol
 * (../protocol/protocol.h) with the host on its standard input and output, takes one submission, and runs its
 * program once for each case.
 *
 * THEORY OF OPERATION
 *
 * For a case the launcher (launch.h) forks a process, which becomes the student's user, puts the system call
 * filter on and executes the interpreter. The runner watches it with one ppoll over its pidfd, its two
 * streams, the alarm of its memory and the host's stream (case.c). What ended a case is told from evidence
 * alone: the cgroup's counters of CPU time and out-of-memory kills, the clock, the bytes counted, the status
 * it was reaped with. When the main process has ended, or a limit is reached, everything of the student's
 * user is killed to the last descendant (scrub.c) before what is left of the output is read, so nothing can
 * keep a case from ending; then the writable places are made as new.
 *
 * The student can't reach the runner: another user, not dumpable, hidden in /proc, and none of its
 * descriptors: the protocol's streams are held by the runner alone, not even by the launcher. So whatever a
 * program prints, only the runner writes frames.
 *
 * A failure of ours is told in a FAILURE frame. A host that breaks the protocol, or goes away, ends the
 * runner, and with it everything in its PID namespace.
 */
#include "../protocol/protocol.h"
#include "case.h"
#include "fault.h"
#include "submission.h"
#include "walls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { FIRST_WORD_SECONDS = 30 };

enum phase { PHASE_BUILD, PHASE_SUBMISSION, PHASE_CASES };

struct runner {
    enum phase phase;
    const char *interpreter; /* its own, "" for none */
    struct walls walls;
    struct case_room room;
    struct submission submission;
    struct protocol_limits most;
    int input; /* what came of the next case's standard input; -1 for nothing */
    uint64_t input_bytes;
};

/* ---- to the host ---- */

/* Sends what was written. The host's going away ends everything: there is nobody to run cases for. */
static void send_all(struct protocol_writer *writer) {
    for (size_t sent = 0; sent < writer->length;) {
        ssize_t count = write(STDOUT_FILENO, writer->data + sent, writer->length - sent);
        if (count < 0 && errno != EINTR) {
            _exit(0);
        }
        sent += count > 0 ? (size_t)count : 0;
    }
    writer->length = 0;
}

static void writer_check(const struct protocol_writer *writer) {
    if (writer->failed) {
        static const char line[] = "submitter-runner: out of memory while answering the host\n";
        ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
        (void)written;
        _exit(1);
    }
}

static void send_fault(struct protocol_writer *writer, const struct fault *fault, uint32_t case_number) {
    protocol_write_failure(writer, fault->fatal, case_number, fault->code, fault->message);
    writer_check(writer);
    send_all(writer);
    if (fault->fatal) {
        _exit(1);
    }
}

/* Chunk by chunk, so that what was kept isn't held twice. */
static void send_output(struct protocol_writer *writer, uint32_t number, enum protocol_stream stream,
                        const struct case_output *output) {
    for (size_t sent = 0; sent < output->length;) {
        size_t piece = output->length - sent;
        piece = piece < PROTOCOL_OUTPUT_CHUNK ? piece : (size_t)PROTOCOL_OUTPUT_CHUNK;
        protocol_write_output(writer, number, stream, output->bytes + sent, piece);
        writer_check(writer);
        sent += piece;
        /* Small outputs go together with the result, in one write. */
        if (writer->length > PROTOCOL_OUTPUT_CHUNK) {
            send_all(writer);
        }
    }
}

static void send_outcome(struct protocol_writer *writer, const struct case_outcome *outcome) {
    uint32_t number = outcome->result.case_number;
    send_output(writer, number, PROTOCOL_STDOUT, &outcome->output);
    send_output(writer, number, PROTOCOL_STDERR, &outcome->errors);
    protocol_write_result(writer, &outcome->result);
    writer_check(writer);
    send_all(writer);
}

static uint8_t accounting_of(const struct walls *walls) {
    if (walls_in_container(walls)) {
        return PROTOCOL_ACCOUNTING_CONTAINER;
    }
    return walls->accounting == WALLS_RLIMIT ? PROTOCOL_ACCOUNTING_RLIMIT : PROTOCOL_ACCOUNTING_CGROUP;
}

static void send_hello(struct protocol_writer *writer, const struct walls *walls, const char *interpreter_version) {
    struct protocol_hello hello = {
        .version = PROTOCOL_VERSION,
        .abilities = PROTOCOL_ABILITY_EXEC,
        .accounting = accounting_of(walls),
        .interpreter_version = { (const uint8_t *)interpreter_version, strlen(interpreter_version) },
    };
    protocol_write_hello(writer, &hello);
    writer_check(writer);
    send_all(writer);
}

/* ---- standard input of a case ---- */

static bool add_input(struct runner *runner, struct protocol_bytes piece, struct fault *fault) {
    if (runner->input < 0) {
        runner->input = memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (runner->input < 0) {
            return fault_fatal(fault, "memory", "standard input can't be kept: %s", strerror(errno));
        }
    }
    runner->input_bytes += piece.length;
    if (runner->input_bytes > PROTOCOL_STDIN_BYTES) {
        return fault_fatal(fault, "protocol", "more standard input than there may be");
    }
    for (size_t written = 0; written < piece.length;) {
        ssize_t count = write(runner->input, piece.data + written, piece.length - written);
        if (count < 0 && errno != EINTR) {
            return fault_fatal(fault, "memory", "standard input can't be kept: %s", strerror(errno));
        }
        written += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static void forget_input(struct runner *runner) {
    if (runner->input >= 0) {
        close(runner->input);
    }
    runner->input = -1;
    runner->input_bytes = 0;
}

/* A descriptor that only reads, from the beginning, of a file that nobody can write any more. */
static bool open_input(struct runner *runner, int *descriptor, struct fault *fault) {
    char path[48];
    *descriptor = -1;
    if (runner->input < 0) {
        return true;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", runner->input);
    if (fcntl(runner->input, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0 ||
        fchmod(runner->input, 0444) < 0 || (*descriptor = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
        return fault_fatal(fault, "memory", "standard input can't be given: %s", strerror(errno));
    }
    return true;
}

/* ---- the host's messages ---- */

static bool on_build(struct runner *runner, const struct protocol_limits *most, struct protocol_writer *writer,
                     struct fault *fault) {
    if (runner->phase != PHASE_BUILD) {
        return fault_fatal(fault, "protocol", "BUILD comes first, and once");
    }
    runner->most = *most;
    if (!case_prepare(&runner->room, &runner->walls, most, fault) || !submission_open(&runner->submission, fault)) {
        return false;
    }
    runner->phase = PHASE_SUBMISSION;
    protocol_write_ready(writer);
    writer_check(writer);
    send_all(writer);
    return true;
}

static bool on_submission(struct runner *runner, const struct protocol_submission *message, struct fault *fault) {
    if (runner->phase != PHASE_SUBMISSION) {
        return fault_fatal(fault, "protocol", "SUBMISSION comes after BUILD, and once");
    }
    if (!protocol_limits_within(&message->limits, &runner->most)) {
        return fault_fatal(fault, "protocol", "the submission's limits are larger than those of BUILD");
    }
    if (message->interpreter.length == 0 && !runner->interpreter[0]) {
        return fault_fatal(fault, "interpreter",
                           "the submission names no interpreter, and this runner was told of none: name one, or give "
                           "submitter-sandbox a specification with one");
    }
    runner->phase = PHASE_CASES;
    return submission_complete(&runner->submission, message, runner->interpreter, fault);
}

static bool run_case(struct runner *runner, const struct protocol_case *test, struct case_outcome *outcome,
                     struct fault *fault) {
    struct submission *submission = &runner->submission;
    struct launch_block block;
    char program[sizeof SUBMISSION_DIRECTORY + PROTOCOL_NAME_BYTES + 1];
    int input;
    snprintf(program, sizeof program, "%s/%s", SUBMISSION_DIRECTORY, submission->program);
    if (!launch_pack(&block, submission->interpreter, submission->directory, program, test->arguments,
                     submission->environment, fault)) {
        return false;
    }
    if (!open_input(runner, &input, fault)) {
        close(block.descriptor);
        return false;
    }
    bool done = case_run(&runner->room, test, block, submission->interpreter, input, outcome, fault);
    if (input >= 0) {
        close(input);
    }
    return done;
}

static bool on_case(struct runner *runner, const struct protocol_case *test, struct protocol_writer *writer,
                    struct fault *fault) {
    struct case_outcome outcome;
    if (runner->phase != PHASE_CASES) {
        return fault_fatal(fault, "protocol", "CASE comes after SUBMISSION");
    }
    if (!protocol_limits_within(&test->limits, &runner->most)) {
        return fault_fatal(fault, "protocol", "the case's limits are larger than those of BUILD");
    }
    if (test->stdin_bytes != runner->input_bytes) {
        return fault_fatal(fault, "protocol", "the case's standard input is not of the size announced");
    }
    bool done = run_case(runner, test, &outcome, fault);
    forget_input(runner);
    if (done) {
        send_outcome(writer, &outcome);
        case_outcome_end(&outcome);
    }
    return done;
}

static bool on_message(struct runner *runner, const struct protocol_message *message, struct protocol_writer *writer,
                       struct fault *fault) {
    switch (message->type) {
    case PROTOCOL_BUILD: return on_build(runner, &message->build, writer, fault);
    case PROTOCOL_FILE:
        if (runner->phase != PHASE_SUBMISSION) {
            return fault_fatal(fault, "protocol", "FILE comes between BUILD and SUBMISSION");
        }
        return submission_file(&runner->submission, &message->file, fault);
    case PROTOCOL_SUBMISSION: return on_submission(runner, &message->submission, fault);
    case PROTOCOL_STDIN:
        if (runner->phase != PHASE_CASES) {
            return fault_fatal(fault, "protocol", "STDIN comes after SUBMISSION");
        }
        return add_input(runner, message->stdin_piece, fault);
    case PROTOCOL_CASE: return on_case(runner, &message->test, writer, fault);
    case PROTOCOL_END:
        protocol_write_bye(writer);
        writer_check(writer);
        send_all(writer);
        _exit(0);
    default: return fault_fatal(fault, "protocol", "a message that the host never sends");
    }
}

static void answer_all(struct runner *runner, struct protocol_reader *reader, struct protocol_writer *writer) {
    struct protocol_message message;
    enum protocol_next next;
    while ((next = protocol_reader_next(reader, &message)) == PROTOCOL_MESSAGE) {
        struct fault fault = { 0 };
        if (!on_message(runner, &message, writer, &fault)) {
            send_fault(writer, &fault, message.type == PROTOCOL_CASE ? message.test.number : 0);
        }
    }
    if (next == PROTOCOL_BROKEN) {
        struct fault fault;
        fault_fatal(&fault, "protocol", "the host's stream is broken: %s", reader->broken);
        send_fault(writer, &fault, 0);
    }
}

/* An engine that dies while it starts a container may never have taken hold of our standard input, whose end then never comes, and
   forgets us. So a host that has said nothing for so long has gone away. */
static bool host_never_came(const struct runner *runner) {
    if (runner->phase != PHASE_BUILD || !walls_in_container(&runner->walls)) {
        return false;
    }
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    return ppoll(&input, 1, &(struct timespec){ .tv_sec = FIRST_WORD_SECONDS }, NULL) == 0;
}

static _Noreturn void serve(struct runner *runner, struct protocol_writer *writer) {
    struct protocol_reader reader;
    protocol_reader_start(&reader, PROTOCOL_FROM_HOST);
    for (;;) {
        size_t room;
        uint8_t *place = protocol_reader_room(&reader, &room);
        if (!place) {
            struct fault fault;
            fault_fatal(&fault, "memory", "no room for what the host sends");
            send_fault(writer, &fault, 0);
            _exit(1);
        }
        if (host_never_came(runner)) {
            _exit(0);
        }
        ssize_t count = read(STDIN_FILENO, place, room);
        if (count == 0 || (count < 0 && errno != EINTR)) {
            _exit(0);
        }
        protocol_reader_filled(&reader, count > 0 ? (size_t)count : 0);
        answer_all(runner, &reader, writer);
    }
}

/* What the sandbox was told to tell, within the protocol's bounds as it has seen to; "" when it wasn't. */
static const char *told(const char *variable, size_t most) {
    const char *value = getenv(variable);
    return value && strlen(value) <= most ? value : "";
}

int main(void) {
    static struct runner runner = { .input = -1, .interpreter = "" };
    struct protocol_writer writer;
    struct fault fault = { 0 };
    signal(SIGPIPE, SIG_IGN);
    protocol_writer_start(&writer, 4 * PROTOCOL_OUTPUT_CHUNK);
    /* Nobody of another user looks into this process, whatever it executed as. */
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
        fault_fatal(&fault, "runner", "it can't be hidden: %s", strerror(errno));
        send_fault(&writer, &fault, 0);
    }
    if (!walls_read(&runner.walls, getenv("SUBMITTER_WALLS"), &fault)) {
        send_fault(&writer, &fault, 0);
    }
    runner.interpreter = told("SUBMITTER_INTERPRETER", PROTOCOL_PATH_BYTES);
    send_hello(&writer, &runner.walls, told("SUBMITTER_INTERPRETER_VERSION", PROTOCOL_VERSION_BYTES));
    serve(&runner, &writer);
}
