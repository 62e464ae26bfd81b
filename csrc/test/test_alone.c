/*
 * submitter-sandbox by hand: one program, once. What it reads, how its output gets out, what the exit code says.
 * `test_alone [--accounting cgroup|rlimit]`, like test_runner.
 */
#include "tap.h"
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPTIONS = 16, PATIENCE_MS = 30000, TEXT_BYTES = 4096 };

static char sandbox_path[PATH_MAX + 32];
static char folder[] = "/tmp/test_alone.XXXXXX";

/* One run: what is to be set, and what came of it. */
struct alone {
    const char *options[OPTIONS]; /* ended by NULL */
    const char *code;             /* Python */
    int input;                    /* the sandbox's own standard input; 0: nothing is in it */
    int output;                   /* its standard output; 0: to be collected */
    pid_t process;
    int from_output, from_errors;
    char text[TEXT_BYTES], errors[TEXT_BYTES]; /* the beginning */
    size_t length, errors_length;
    double started;
};

static _Noreturn void become_sandbox(const struct alone *alone, int output, int errors) {
    const char *words[OPTIONS + 16] = { "submitter-sandbox", "--accounting", trial_accounting };
    const char *parent = getenv("SUBMITTER_CGROUP_PARENT");
    size_t count = 3;
    if (parent) {
        words[count++] = "--cgroup-parent";
        words[count++] = parent;
    }
    for (size_t i = 0; alone->options[i]; i++) {
        words[count++] = alone->options[i];
    }
    words[count++] = "--";
    words[count++] = trial_interpreter;
    words[count++] = "-c";
    words[count] = alone->code;
    int input = alone->input ? alone->input : open("/dev/null", O_RDONLY);
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0) {
        _exit(126);
    }
    execv(sandbox_path, (char *const *)words);
    _exit(127);
}

static bool start(struct alone *alone) {
    int output[2] = { -1, -1 }, errors[2];
    alone->from_output = -1;
    alone->started = driver_now_ms();
    if (pipe2(errors, O_CLOEXEC) < 0 || (!alone->output && pipe2(output, O_CLOEXEC) < 0)) {
        return tap_ok(false, "pipes");
    }
    alone->process = fork();
    if (alone->process == 0) {
        become_sandbox(alone, alone->output ? alone->output : output[1], errors[1]);
    }
    driver_note(alone->process);
    close(errors[1]);
    if (!alone->output) {
        close(output[1]);
    }
    alone->from_output = output[0];
    alone->from_errors = errors[0];
    return alone->process > 0;
}

/* Reads once; false at the end. */
static bool gather(int *from, char *text, size_t *length) {
    char bytes[64 * 1024];
    ssize_t count = read(*from, bytes, sizeof bytes);
    if (count <= 0) {
        close(*from);
        *from = -1;
        return false;
    }
    size_t kept = *length < TEXT_BYTES - 1 ? TEXT_BYTES - 1 - *length : 0;
    kept = (size_t)count < kept ? (size_t)count : kept;
    memcpy(text + *length, bytes, kept);
    if (kept) {
        text[*length + kept] = 0;
    }
    *length += (size_t)count;
    return true;
}

/* Reads both streams to their end, waits; the exit code, 128 and the signal's number, or -1 when it had to be killed. */
static int finish(struct alone *alone) {
    double until = driver_now_ms() + PATIENCE_MS * driver_slowness();
    const struct timespec pause = { .tv_nsec = 1000000 };
    int status;
    while ((alone->from_output >= 0 || alone->from_errors >= 0) && driver_now_ms() < until) {
        struct pollfd places[2] = { { .fd = alone->from_output, .events = POLLIN },
                                    { .fd = alone->from_errors, .events = POLLIN } };
        poll(places, 2, 100);
        if (places[0].revents) {
            gather(&alone->from_output, alone->text, &alone->length);
        }
        if (places[1].revents) {
            gather(&alone->from_errors, alone->errors, &alone->errors_length);
        }
    }
    for (; driver_now_ms() < until; nanosleep(&pause, NULL)) {
        if (waitpid(alone->process, &status, WNOHANG) == alone->process) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
    kill(alone->process, SIGKILL);
    waitpid(alone->process, &status, 0);
    return -1;
}

static int run(struct alone *alone) {
    return start(alone) ? finish(alone) : -1;
}

static void judge(const struct alone *alone, int code, int expected, const char *says, const char *name) {
    bool good = code == expected && (says ? strstr(alone->errors, says) != NULL : alone->errors[0] == 0);
    if (!tap_ok(good, "%s: exit code %d%s%s", name, expected, says ? ", told: " : "", says ? says : "")) {
        tap_note("exit code %d, standard error: %.500s", code, alone->errors);
    }
}

static void ends(const char *name, struct alone alone, int expected, const char *says) {
    int code = run(&alone);
    judge(&alone, code, expected, says, name);
}

static void prints(const char *name, struct alone alone, const char *expected) {
    int code = run(&alone);
    if (!tap_ok(code == 0 && strcmp(alone.text, expected) == 0, "%s", name)) {
        tap_note("exit code %d, printed: %.500s, standard error: %.500s", code, alone.text, alone.errors);
    }
}

static const char *within(const char *name) {
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static bool write_file(const char *name, const char *text) {
    FILE *file = fopen(within(name), "we");
    return file && fputs(text, file) >= 0 && fclose(file) == 0;
}

/* A time that a slow machine gets more of. */
static const char *milliseconds(char text[24], unsigned value) {
    snprintf(text, 24, "%ums", value * driver_slowness());
    return text;
}

#define READS_ALL "import sys; print(repr(sys.stdin.read()))"

static void test_input(void) {
    int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), pieces[2];
    prints("input: a folder that the operator has there isn't passed on",
           (struct alone){ .input = directory,
                           .code = "import os, sys\n"
                                   "try: os.fchdir(0); print('a way out')\n"
                                   "except OSError: print(repr(sys.stdin.read()))\n" },
           "''\n");
    tap_ok(write_file("file", "one\ntwo\n"), "input: a file");
    int file = open(within("file"), O_RDWR | O_CLOEXEC);
    prints("input: nor a file", (struct alone){ .input = file, .code = READS_ALL }, "''\n");
    prints("input: a file by its name", (struct alone){ .options = { "--input", within("file") }, .code = READS_ALL },
           "'one\\ntwo\\n'\n");
    tap_ok(lseek(file, 4, SEEK_SET) == 4, "input: a file that was read in part");
    prints("input: its own, from where it stands",
           (struct alone){ .options = { "--input", "/dev/stdin" }, .input = file, .code = READS_ALL }, "'two\\n'\n");
    tap_ok(pipe2(pieces, O_CLOEXEC | O_NONBLOCK) == 0, "input: a pipe");
    struct alone piped = { .options = { "--input", "/dev/stdin" }, .input = pieces[0], .code = READS_ALL };
    const struct timespec pause = { .tv_nsec = 50000000 };
    bool good = start(&piped);
    close(pieces[0]);
    for (int i = 0; i < 3; i++) {
        nanosleep(&pause, NULL);
        good = write(pieces[1], "ab", 2) == 2 && good;
    }
    close(pieces[1]);
    tap_ok(finish(&piped) == 0 && good && strcmp(piped.text, "'ababab'\n") == 0,
           "input: a pipe's end is waited for, though it be non-blocking");
    prints("input: is a copy that can't be written, changed or executed",
           (struct alone){ .options = { "--input", within("file") },
                           .code = "import os\n"
                                   "for attempt in (lambda: os.write(0, b'x'), lambda: os.ftruncate(0, 0),\n"
                                   "                lambda: os.open('/proc/self/fd/0', os.O_RDWR),\n"
                                   "                lambda: os.fchmod(0, 0o777), lambda: os.utime(0),\n"
                                   "                lambda: os.execv('/proc/self/fd/0', ['x'])):\n"
                                   "  try: attempt(); print('went through')\n  except OSError: pass\n" },
           "");
    close(directory);
    close(file);
}

static void test_fifo(void) {
    if (!tap_ok(mkfifo(within("fifo"), 0600) == 0, "input: a FIFO")) {
        return;
    }
    struct alone alone = { .options = { "--input", within("fifo") }, .code = READS_ALL };
    bool good = start(&alone);
    int writer = open(within("fifo"), O_WRONLY | O_CLOEXEC);
    good = good && write(writer, "late\n", 5) == 5;
    close(writer);
    tap_ok(finish(&alone) == 0 && good && strcmp(alone.text, "'late\\n'\n") == 0,
           "input: a FIFO's writer is waited for");
    struct alone ended = { .options = { "--input", within("fifo") }, .code = READS_ALL };
    const struct timespec pause = { .tv_nsec = 100000000 };
    good = start(&ended);
    nanosleep(&pause, NULL);
    kill(ended.process, SIGINT);
    tap_ok(finish(&ended) == 128 + SIGINT && good, "input: and can be waited for no longer");
}

static void test_refused_input(void) {
    static const char usage[] = "give a file or FIFO";
    ends("input: a directory", (struct alone){ .options = { "--input", folder }, .code = "" }, 2, "is a directory");
    ends("input: a device", (struct alone){ .options = { "--input", "/dev/zero" }, .code = "" }, 2, usage);
    ends("input: its own device", (struct alone){ .options = { "--input", "/dev/stdin" }, .code = "" }, 2, usage);
    ends("input: what isn't there", (struct alone){ .options = { "--input", within("nothing") }, .code = "" }, 2,
         "No such file");
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char terminal[64] = "";
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
        ptsname_r(master, terminal, sizeof terminal) != 0) {
        tap_skip("input: there are no terminals here");
    } else {
        ends("input: a terminal", (struct alone){ .options = { "--input", terminal }, .code = "" }, 2, usage);
    }
    if (master >= 0) {
        close(master);
    }
    int large = open(within("large"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    tap_ok(ftruncate(large, (64 << 20) + 1) == 0, "input: a large file");
    ends("input: too much", (struct alone){ .options = { "--input", within("large") }, .code = "" }, 2,
         "more than 64 MiB");
    tap_ok(ftruncate(large, 64 << 20) == 0, "input: as much as there may be");
    prints("input: is passed on",
           (struct alone){ .options = { "--input", within("large") },
                           .code = "import os\ncount = 0\n"
                                   "while piece := os.read(0, 1 << 20): count += len(piece)\nprint(count)\n" },
           "67108864\n");
    close(large);
    unlink(within("large"));
}

static void test_exit_codes(void) {
    char wall[24], cpu[24];
    milliseconds(wall, 700);
    milliseconds(cpu, 300);
    ends("ends well", (struct alone){ .code = "" }, 0, NULL);
    ends("exit code", (struct alone){ .code = "raise SystemExit(7)" }, 7, NULL);
    ends("own kill", (struct alone){ .code = "import os; os.kill(os.getpid(), 9)" }, 137, NULL);
    ends("own SIGXCPU", (struct alone){ .code = "import os; os.kill(os.getpid(), 24)" }, 152, NULL);
    ends("wall", (struct alone){ .options = { "--wall", wall }, .code = "import time; time.sleep(60)" }, 124,
         "limit of time by the clock");
    ends("CPU time", (struct alone){ .options = { "--cpu", cpu, "--wall", "60s" }, .code = "while True: pass" }, 124,
         "limit of CPU time");
    ends("CPU time, SIGXCPU ignored",
         (struct alone){ .options = { "--cpu", cpu, "--wall", "60s" },
                         .code = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass" },
         124, "limit of CPU time");
    /* Beyond the limit, but ending by itself: without groups that is known only then. */
    char code[256];
    snprintf(code, sizeof code,
             "import os, time\nif os.fork() == 0:\n  while time.process_time() < %u: pass\n  os._exit(0)\nos.wait()\n",
             driver_slowness());
    ends("CPU time of a child", (struct alone){ .options = { "--cpu", cpu, "--wall", "60s" }, .code = code }, 124,
         "limit of CPU time");
    ends("output", (struct alone){ .options = { "--output", "4K" }, .code = "print('x' * 4096)" }, 124,
         "limit of output");
    if (strcmp(trial_accounting, "cgroup") == 0) {
        ends("memory", (struct alone){ .options = { "--memory", "64M" }, .code = "bytearray(200 << 20)" }, 124,
             "limit of memory");
    }
    struct alone errors = { .options = { "--output", "4K" }, .code = "import os\nos.write(2, b'e' * 4096)" };
    tap_ok(run(&errors) == 0 && errors.errors_length == 4096 && errors.length == 0,
           "standard error is counted by itself");
}

/* A pipe that is full, of one page. */
static bool full_pipe(int ends_of[2]) {
    static const char bytes[4096];
    if (pipe2(ends_of, O_CLOEXEC) < 0 || fcntl(ends_of[1], F_SETPIPE_SZ, 4096) < 0) {
        return false;
    }
    return write(ends_of[1], bytes, sizeof bytes) == (ssize_t)sizeof bytes;
}

static const char flood[] = "import sys\nwhile True: sys.stdout.write('x' * 1000)\n";

static void test_stalled_reader(void) {
    char wall[24];
    int stalled[2];
    milliseconds(wall, 300);
    if (!tap_ok(full_pipe(stalled), "stalled reader: a full pipe")) {
        return;
    }
    double most = 1500 * driver_slowness();
    struct alone alone = { .options = { "--wall", wall }, .output = stalled[1], .code = flood };
    int code = run(&alone);
    judge(&alone, code, 124, "limit of time by the clock", "stalled reader");
    double took = driver_now_ms() - alone.started;
    tap_ok(took < most, "stalled reader: ends in time (%.0f ms)", took);
    alone = (struct alone){ .options = { "--wall", wall }, .output = stalled[1], .code = "print('done')" };
    code = run(&alone);
    judge(&alone, code, 124, "limit of time by the clock", "stalled reader, program ended");
    took = driver_now_ms() - alone.started;
    tap_ok(took < most, "stalled reader, program ended: ends in time (%.0f ms)", took);
    /* A signal gets through all the same. */
    alone = (struct alone){ .options = { "--wall", "60s" }, .output = stalled[1], .code = flood };
    const struct timespec pause = { .tv_nsec = 300000000 };
    bool good = start(&alone);
    nanosleep(&pause, NULL);
    kill(alone.process, SIGTERM);
    tap_ok(finish(&alone) == 4 && good, "stalled reader: a signal ends it");
    took = driver_now_ms() - alone.started;
    tap_ok(took < most, "stalled reader: a signal ends it in time (%.0f ms)", took);
    close(stalled[0]);
    close(stalled[1]);
}

/* A terminal is writable as long as there is a place for one byte, and a write of more waits. */
static void test_stalled_terminal(void) {
    char wall[24], name[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof name) != 0) {
        tap_skip("stalled terminal: there are none here");
        return;
    }
    milliseconds(wall, 300);
    int terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    /* In odd pieces, each read alone, so that the last place isn't as large as a write. */
    struct alone alone = { .options = { "--wall", wall },
                           .output = terminal,
                           .code = "import os, time\nwhile True:\n  os.write(1, b'x' * 4095); time.sleep(0.01)\n" };
    int code = run(&alone);
    judge(&alone, code, 124, "limit of time by the clock", "stalled terminal");
    double took = driver_now_ms() - alone.started;
    tap_ok(took < 1500 * driver_slowness(), "stalled terminal: ends in time (%.0f ms)", took);
    close(terminal);
    close(master);
}

static void test_readers(void) {
    int gone[2];
    tap_ok(pipe2(gone, O_CLOEXEC) == 0 && close(gone[0]) == 0, "reader gone: a pipe");
    ends("reader gone", (struct alone){ .output = gone[1], .code = flood }, 4,
         "the output can't be written: Broken pipe");
    close(gone[1]);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ends("disk full", (struct alone){ .output = full, .code = "print(1)" }, 4,
         "the output can't be written: No space left");
    close(full);
    char wall[24];
    milliseconds(wall, 20000);
    struct alone slow = { .options = { "--wall", wall }, .code = "import os\nos.write(1, b'x' * (1 << 20))\n" };
    const struct timespec pause = { .tv_nsec = 5000000 };
    bool more = start(&slow);
    for (int i = 0; i < 20 && more; i++) {
        nanosleep(&pause, NULL);
        more = gather(&slow.from_output, slow.text, &slow.length);
    }
    int code = finish(&slow);
    tap_ok(code == 0 && slow.length == 1 << 20, "slow reader: as much as there may be arrives (%zu bytes)",
           slow.length);
    /* Standard output and error in one pipe, both in floods. */
    int shared[2];
    tap_ok(pipe2(shared, O_CLOEXEC) == 0, "shared pipe");
    struct alone both = { .options = { "--wall", wall }, .output = shared[1] };
    both.code = "import os, threading\n"
                "def flood(to):\n  for i in range(256): os.write(to, b'x' * 4096)\n"
                "threads = [threading.Thread(target=flood, args=(to,)) for to in (1, 2)]\n"
                "[t.start() for t in threads]; [t.join() for t in threads]\n";
    more = start(&both);
    close(shared[1]);
    both.from_output = shared[0];
    code = finish(&both);
    tap_ok(code == 0 && more && both.length == 1 << 20 && both.errors_length == 1 << 20,
           "both streams arrive (%zu + %zu bytes)", both.length, both.errors_length);
}

static int processes_of(const struct alone *alone, int least) {
    const struct timespec pause = { .tv_nsec = 5000000 };
    int count = 0;
    for (unsigned i = 0; i < 1000 * driver_slowness() && count < least; i++) {
        nanosleep(&pause, NULL);
        count = trial_count_descendants(alone->process);
    }
    return count;
}

/* Orphans become this test's: they are collected, and none may stay. */
static bool all_gone(void) {
    const struct timespec pause = { .tv_nsec = 5000000 };
    for (unsigned i = 0; i < 400 * driver_slowness(); i++) {
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
        if (trial_count_descendants(getpid()) == 0) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

static void test_survivors(void) {
    struct alone daemon = { .code = "import os, time\n"
                                    "if os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n"
                                    "    while True: time.sleep(1)\n  os._exit(0)\nos.wait()\nprint('parent')\n" };
    int code = run(&daemon);
    tap_ok(code == 0 && strcmp(daemon.text, "parent\n") == 0 &&
               driver_now_ms() - daemon.started < 3000 * driver_slowness(),
           "daemon: isn't waited for");
    tap_ok(all_gone(), "daemon: is gone");
    static const int signals[] = { SIGINT, SIGTERM, SIGKILL };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        /* Process 1 inside, the program and its child. */
        struct alone alone = { .options = { "--wall", "60s" },
                               .code = "import os, signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
                                       "os.fork()\ntime.sleep(60)\n" };
        bool good = start(&alone);
        int count = processes_of(&alone, 3);
        kill(alone.process, signals[i]);
        code = finish(&alone);
        tap_ok(good && count == 3 && code == (signals[i] == SIGKILL ? 137 : 4), "%s: ends it (%d)",
               strsignal(signals[i]), code);
        tap_ok(all_gone(), "%s: and all inside", strsignal(signals[i]));
    }
    char wall[24];
    struct alone stopped = { .options = { "--wall", milliseconds(wall, 700) }, .code = "import time; time.sleep(60)" };
    bool good = start(&stopped);
    bool running = processes_of(&stopped, 2) == 2;
    kill(stopped.process, SIGTSTP);
    code = finish(&stopped);
    tap_ok(good && running, "a terminal's stop: a program runs");
    judge(&stopped, code, 124, "limit of time by the clock", "a terminal's stop doesn't stop the clock");
    /* What a killed one left of groups the next removes. */
    ends("the next", (struct alone){ .code = "" }, 0, NULL);
}

static bool prepare(void) {
    char place[PATH_MAX];
    const char *given = getenv("SUBMITTER_BUILD");
    if (!realpath(given ? given : "build", place)) {
        return tap_ok(false, "the folder of the programs: %s", strerror(errno));
    }
    snprintf(sandbox_path, sizeof sandbox_path, "%s/submitter-sandbox", place);
    return mkdtemp(folder) || tap_ok(false, "a folder: %s", strerror(errno));
}

int main(int count, char **words) {
    if (!trial_options(count, words) || !prepare()) {
        return tap_done();
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    test_input();
    test_fifo();
    test_refused_input();
    test_exit_codes();
    test_stalled_reader();
    test_stalled_terminal();
    test_readers();
    test_survivors();
    unlink(within("file"));
    unlink(within("fifo"));
    tap_ok(rmdir(folder) == 0, "the folder is empty");
    tap_ok(trial_count_groups("/sys/fs/cgroup", 4, 0) == 0, "no cgroup is left");
    tap_ok(all_gone(), "no process is left");
    return tap_done();
}
