#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, STARTED = 4096 };

unsigned driver_processors_percent;
const char *driver_more_lines;
void (*driver_before)(void);
int driver_errors = -1;

static uint32_t next_number = 1;
static pid_t started[STARTED];
static size_t started_count;

void driver_note(pid_t process) {
    if (started_count < STARTED) {
        started[started_count++] = process;
    }
}

bool driver_started(pid_t process) {
    for (size_t i = 0; i < started_count; i++) {
        if (started[i] == process) {
            return true;
        }
    }
    return false;
}

double driver_now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

unsigned driver_slowness(void) {
    const char *given = getenv("SUBMITTER_TEST_SLOWNESS");
    long slowness = given ? strtol(given, NULL, 10) : 1;
    return slowness >= 1 && slowness <= 1000 ? (unsigned)slowness : 1;
}

struct protocol_limits driver_limits(void) {
    return (struct protocol_limits){ .memory_bytes = UINT64_C(128) << 20,
                                     .cpu_ms = UINT64_C(2000) * driver_slowness(),
                                     .wall_ms = UINT64_C(5000) * driver_slowness(),
                                     .output_bytes = UINT64_C(1) << 20,
                                     .processes = 16,
                                     .file_bytes = UINT64_C(16) << 20 };
}

static bool fail(struct driver *driver, const char *what) {
    snprintf(driver->last_failure, sizeof driver->last_failure, "%s: %s", what, strerror(errno));
    return false;
}

static int make_specification(const struct driver *driver, const char *folder, const struct protocol_limits *most) {
    char text[3 * PATH_MAX], processors[64] = "";
    const char *parent = getenv("SUBMITTER_CGROUP_PARENT");
    if (driver_processors_percent) {
        snprintf(processors, sizeof processors, "processors_percent=%u\n", driver_processors_percent);
    }
    int length =
        snprintf(text, sizeof text,
                 "version=1\nprogram=%s/submitter-runner\naccounting=%s\nfile_bytes=%llu\nprocesses=%llu\n%s%s%s%s%s",
                 folder, driver->accounting, (unsigned long long)most->file_bytes, (unsigned long long)most->processes,
                 processors, parent ? "cgroup_parent=" : "", parent ? parent : "", parent ? "\n" : "",
                 driver_more_lines ? driver_more_lines : "");
    int descriptor = memfd_create("specification", MFD_CLOEXEC);
    if (descriptor < 0 || write(descriptor, text, (size_t)length) != length || lseek(descriptor, 0, SEEK_SET) != 0) {
        return -1;
    }
    return descriptor;
}

static _Noreturn void become_sandbox(const char *folder, int specification, int input, int output) {
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/submitter-sandbox", folder);
    int away = fcntl(specification, F_DUPFD, 10);
    if (away < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || (driver_errors >= 0 && dup2(driver_errors, 2) < 0) ||
        dup2(away, 3) < 0) {
        _exit(126);
    }
    if (driver_before) {
        driver_before();
    }
    execl(path, "submitter-sandbox", "--spec-fd", "3", (char *)NULL);
    _exit(127);
}

bool driver_send(struct driver *driver, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        ssize_t count = write(driver->to, next, length);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        next += count > 0 ? count : 0;
        length -= count > 0 ? (size_t)count : 0;
    }
    return true;
}

bool driver_next(struct driver *driver, struct protocol_message *message) {
    for (;;) {
        enum protocol_next next = protocol_reader_next(&driver->reader, message);
        if (next == PROTOCOL_MESSAGE) {
            return true;
        }
        if (next == PROTOCOL_BROKEN) {
            snprintf(driver->last_failure, sizeof driver->last_failure, "broken: %s", driver->reader.broken);
            return false;
        }
        struct pollfd place = { .fd = driver->from, .events = POLLIN };
        if (poll(&place, 1, (int)(PATIENCE_MS * driver_slowness())) <= 0) {
            snprintf(driver->last_failure, sizeof driver->last_failure, "no answer");
            return false;
        }
        size_t room;
        uint8_t *bytes = protocol_reader_room(&driver->reader, &room);
        ssize_t count = bytes ? read(driver->from, bytes, room) : -1;
        if (count <= 0) {
            snprintf(driver->last_failure, sizeof driver->last_failure, "the stream ended");
            return false;
        }
        protocol_reader_filled(&driver->reader, (size_t)count);
    }
}

static void note_failure(struct driver *driver, const struct protocol_failure *failure) {
    driver->last_fatal = failure->fatal;
    snprintf(driver->last_failure, sizeof driver->last_failure, "%.*s: %.*s", (int)failure->code.length,
             (const char *)failure->code.data, (int)failure->message.length, (const char *)failure->message.data);
}

static void note_hello(struct driver *driver, const struct protocol_hello *hello) {
    driver->told_accounting = hello->accounting;
    snprintf(driver->interpreter_version, sizeof driver->interpreter_version, "%.*s",
             (int)hello->interpreter_version.length, (const char *)hello->interpreter_version.data);
}

static bool expect(struct driver *driver, enum protocol_type type) {
    struct protocol_message message;
    if (!driver_next(driver, &message)) {
        return false;
    }
    if (message.type == PROTOCOL_FAILURE) {
        note_failure(driver, &message.failure);
        return false;
    }
    if (message.type != type) {
        snprintf(driver->last_failure, sizeof driver->last_failure, "message %d instead of %d", message.type, type);
        return false;
    }
    if (type == PROTOCOL_HELLO) {
        note_hello(driver, &message.hello);
    }
    return true;
}

bool driver_start(struct driver *driver, const char *accounting, const char *interpreter,
                  const struct protocol_limits *most) {
    int to[2], from[2];
    char folder[PATH_MAX];
    const char *given = getenv("SUBMITTER_BUILD");
    *driver = (struct driver){ .process = -1, .to = -1, .from = -1, .accounting = accounting };
    snprintf(driver->interpreter, sizeof driver->interpreter, "%s", interpreter);
    if (!realpath(given ? given : "build", folder)) {
        return fail(driver, "the folder of the programs");
    }
    int specification = make_specification(driver, folder, most);
    if (specification < 0 || pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0) {
        return fail(driver, "descriptors");
    }
    driver->process = fork();
    if (driver->process == 0) {
        become_sandbox(folder, specification, to[0], from[1]);
    }
    driver_note(driver->process);
    close(specification);
    close(to[0]);
    close(from[1]);
    driver->to = to[1];
    driver->from = from[0];
    protocol_reader_start(&driver->reader, PROTOCOL_FROM_RUNNER);
    struct protocol_writer writer;
    protocol_writer_start(&writer, 4096);
    protocol_write_build(&writer, most);
    bool done = driver->process > 0 && expect(driver, PROTOCOL_HELLO) &&
                driver_send(driver, writer.data, writer.length) && expect(driver, PROTOCOL_READY);
    protocol_writer_end(&writer);
    return done;
}

bool driver_submit(struct driver *driver, const char *source) {
    static const char *const environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8", NULL };
    struct protocol_limits limits = driver_limits();
    struct protocol_writer writer;
    protocol_writer_start(&writer, 8 << 20);
    bool done = protocol_write_file(&writer, "program.py", source, strlen(source)) &&
                protocol_write_submission(&writer, "program.py", driver->interpreter, "", environment, &limits) &&
                driver_send(driver, writer.data, writer.length);
    protocol_writer_end(&writer);
    return done;
}

static void gather(char **text, size_t *length, struct protocol_bytes bytes) {
    char *larger = realloc(*text, *length + bytes.length + 1);
    if (!larger) {
        abort();
    }
    memcpy(larger + *length, bytes.data, bytes.length);
    *length += bytes.length;
    larger[*length] = 0;
    *text = larger;
}

static struct driver_outcome receive(struct driver *driver, uint32_t number) {
    struct driver_outcome outcome = { .output = calloc(1, 1), .errors = calloc(1, 1) };
    struct protocol_message message;
    while (driver_next(driver, &message)) {
        if (message.type == PROTOCOL_OUTPUT && message.output.stream == PROTOCOL_STDOUT) {
            gather(&outcome.output, &outcome.output_length, message.output.bytes);
        } else if (message.type == PROTOCOL_OUTPUT) {
            gather(&outcome.errors, &outcome.errors_length, message.output.bytes);
        } else if (message.type == PROTOCOL_RESULT && message.result.case_number == number) {
            outcome.result = message.result;
            return outcome;
        } else {
            if (message.type == PROTOCOL_FAILURE) {
                note_failure(driver, &message.failure);
            }
            break;
        }
    }
    outcome.failed = true;
    return outcome;
}

struct driver_outcome driver_case(struct driver *driver, const struct protocol_limits *limits, const void *input,
                                  size_t input_length, const char *const *arguments) {
    struct protocol_limits standard = driver_limits();
    struct protocol_bytes words[1024];
    size_t count = 0;
    for (; arguments && arguments[count] && count < 1024; count++) {
        words[count] = (struct protocol_bytes){ (const uint8_t *)arguments[count], strlen(arguments[count]) };
    }
    struct protocol_writer writer;
    uint32_t number = next_number++;
    protocol_writer_start(&writer, 128 << 20);
    bool sent = protocol_write_case(&writer, number, limits ? limits : &standard, input, input_length, words, count) &&
                driver_send(driver, writer.data, writer.length);
    protocol_writer_end(&writer);
    if (!sent) {
        fail(driver, "the case can't be sent");
        return (struct driver_outcome){ .failed = true, .output = calloc(1, 1), .errors = calloc(1, 1) };
    }
    return receive(driver, number);
}

void driver_outcome_end(struct driver_outcome *outcome) {
    free(outcome->output);
    free(outcome->errors);
    outcome->output = outcome->errors = NULL;
}

static int collect(struct driver *driver) {
    int status;
    if (driver->process <= 0) {
        return -1;
    }
    for (int waited = 0; waited < PATIENCE_MS; waited++) {
        if (waitpid(driver->process, &status, WNOHANG) == driver->process) {
            driver->process = -1;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        struct timespec pause = { .tv_nsec = 1000000 };
        nanosleep(&pause, NULL);
    }
    kill(driver->process, SIGKILL);
    waitpid(driver->process, &status, 0);
    driver->process = -1;
    return -1;
}

int driver_wait(struct driver *driver) {
    close(driver->to);
    close(driver->from);
    protocol_reader_end(&driver->reader);
    return collect(driver);
}

int driver_end(struct driver *driver) {
    struct protocol_writer writer;
    protocol_writer_start(&writer, 64);
    protocol_write_end(&writer);
    bool good = driver_send(driver, writer.data, writer.length) && expect(driver, PROTOCOL_BYE);
    protocol_writer_end(&writer);
    int code = driver_wait(driver);
    return good ? code : -1;
}
