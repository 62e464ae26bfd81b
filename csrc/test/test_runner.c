/*
 * Sandbox and runner together, with a real interpreter: what cases are given, how they end, what is told of them.
 * `test_runner [--accounting cgroup|rlimit|container]`; the programs are taken from the folder that SUBMITTER_BUILD names, or build. Needs
 * what the sandbox needs: root, or an ordinary user with subordinate users and a cgroup (SUBMITTER_CGROUP_PARENT).
 */
#include "driver.h"
#include "tap.h"
#include "trial.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_words(void) {
    struct driver driver;
    const char *const arguments[] = { "one two", "", "\"'\\$*;", "caf\xc3\xa9 \xe2\x82\xac", "-x", "\xff\xfe", NULL };
    if (!tap_ok(trial_start(&driver, "import sys, os\n"
                                     "for word in sys.argv[1:]: print(os.fsencode(word).hex())\n"
                                     "print(sys.argv[0], os.getcwd(), dict(os.environ))\n"),
                "words: sandbox starts")) {
        return;
    }
    struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, arguments);
    const char *expected = "6f6e652074776f\n\n22275c242a3b\n636166c3a920e282ac\n2d78\nfffe\n"
                           "/usr/src/submitter/program.py /usr/src/submitter {'PATH': '/usr/local/bin:/usr/bin:/bin', "
                           "'HOME': '/tmp', 'LANG': 'C.UTF-8'}\n";
    bool same = !outcome.failed && strcmp(outcome.output, expected) == 0;
    if (!tap_ok(same, "words: arguments, directory and environment arrive as given")) {
        trial_tell(&driver, &outcome);
        tap_note("%s", outcome.output);
    }
    driver_outcome_end(&outcome);
    tap_ok(driver_end(&driver) == 0, "words: sandbox ends");
}

static void test_long_arguments(void) {
    struct driver driver;
    static char longest[PROTOCOL_ARGUMENT_BYTES + 2];
    const char *const arguments[] = { longest, NULL };
    if (!tap_ok(trial_start(&driver, "import sys\nprint(len(sys.argv[1]))\n"), "long argument: sandbox starts")) {
        return;
    }
    memset(longest, 'x', PROTOCOL_ARGUMENT_BYTES);
    longest[PROTOCOL_ARGUMENT_BYTES] = 0;
    struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, arguments);
    if (!tap_ok(!outcome.failed && strcmp(outcome.output, "131071\n") == 0, "long argument: 131,071 bytes arrive")) {
        trial_tell(&driver, &outcome);
    }
    driver_outcome_end(&outcome);
    longest[PROTOCOL_ARGUMENT_BYTES] = 'x';
    outcome = driver_case(&driver, NULL, NULL, 0, arguments);
    tap_ok(outcome.failed && !driver.last_fatal && strstr(driver.last_failure, "arguments: "),
           "long argument: one byte more is a failure of this case");
    driver_outcome_end(&outcome);
    longest[10] = 0;
    outcome = driver_case(&driver, NULL, NULL, 0, arguments);
    tap_ok(!outcome.failed && strcmp(outcome.output, "10\n") == 0, "long argument: the next case runs");
    driver_outcome_end(&outcome);
    tap_ok(driver_end(&driver) == 0, "long argument: sandbox ends");
}

static void test_input(void) {
    struct driver driver;
    const size_t large = 5 << 20;
    char *input = malloc(large);
    if (!input || !tap_ok(trial_start(&driver, "import sys\n"
                                               "data = sys.stdin.buffer.read()\n"
                                               "print(len(data), data[:5])\n"
                                               "try:\n  open('/proc/self/fd/0', 'r+b').write(b'x')\n"
                                               "except OSError as error: print('refused')\n"),
                          "input: sandbox starts")) {
        free(input);
        return;
    }
    memset(input, 'a', large);
    struct driver_outcome outcome = driver_case(&driver, NULL, input, large, NULL);
    tap_ok(!outcome.failed && strcmp(outcome.output, "5242880 b'aaaaa'\nrefused\n") == 0, "input: 5 MiB arrive");
    driver_outcome_end(&outcome);
    outcome = driver_case(&driver, NULL, "12\n", 3, NULL);
    tap_ok(!outcome.failed && strcmp(outcome.output, "3 b'12\\n'\nrefused\n") == 0, "input: each case has its own");
    driver_outcome_end(&outcome);
    tap_ok(driver_end(&driver) == 0, "input: sandbox ends");
    free(input);
    trial_prints("no input", "try:\n  input()\nexcept EOFError: print('end')\n", "end\n");
}

static void test_exits(void) {
    struct driver_outcome outcome = trial_once("exit code", "import sys\nsys.exit(7)\n", NULL, PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.result.exit_code == 7, "exit code: 7 is told");
    driver_outcome_end(&outcome);
    outcome = trial_once("exception", "print('so far')\n1/0\n", NULL, PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.result.exit_code == 1 && outcome.output && strcmp(outcome.output, "so far\n") == 0 &&
               strstr(outcome.errors, "ZeroDivisionError"),
           "exception: exit code, output and traceback are told");
    driver_outcome_end(&outcome);
    outcome = trial_once("crash", "import ctypes\nctypes.string_at(0)\n", NULL, PROTOCOL_ENDING_SIGNAL);
    tap_ok(outcome.result.signal == SIGSEGV, "crash: the signal is told");
    driver_outcome_end(&outcome);
    outcome = trial_once("own SIGKILL", "import os\nos.kill(os.getpid(), 9)\n", NULL, PROTOCOL_ENDING_SIGNAL);
    tap_ok(outcome.result.signal == SIGKILL, "own SIGKILL: it is neither memory nor time");
    driver_outcome_end(&outcome);
}

/* Ends by its limit of 300 ms, within 50 ms of it. A busy machine may keep the runner waiting that long: up to three tries,
 * each of which must end by the limit and not before. */
static void test_limit(const char *name, const char *program, enum protocol_ending ending) {
    enum { TRIES = 3 };
    const unsigned limit_ms = 300 * driver_slowness(), late_ms = 50 * driver_slowness();
    struct protocol_limits limits = driver_limits();
    if (ending == PROTOCOL_ENDING_CPU) {
        limits.cpu_ms = limit_ms;
    } else {
        limits.wall_ms = limit_ms;
    }
    uint64_t used_us = UINT64_MAX;
    bool early = false;
    for (int i = 0; i < TRIES && used_us >= (limit_ms + late_ms) * 1000; i++) {
        struct driver_outcome outcome = trial_once(name, program, &limits, ending);
        used_us = ending == PROTOCOL_ENDING_CPU ? outcome.result.cpu_us : outcome.result.wall_us;
        early = early || used_us < limit_ms * 1000;
        driver_outcome_end(&outcome);
    }
    tap_ok(!early && used_us < (limit_ms + late_ms) * 1000, "%s: ended within %u ms of its limit (%.1f ms)", name,
           late_ms, (double)used_us / 1e3);
}

static void test_time(void) {
    test_limit("endless loop", "while True: pass\n", PROTOCOL_ENDING_CPU);
    test_limit("loops of children, together", "import os\nfor i in range(3): os.fork()\nwhile True: pass\n",
               PROTOCOL_ENDING_CPU);
    test_limit("sleep", "import time\ntime.sleep(60)\n", PROTOCOL_ENDING_WALL);
    struct protocol_limits limits = driver_limits();
    limits.wall_ms = 300 * driver_slowness();
    struct driver_outcome outcome;
    outcome = trial_once("stops itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n", &limits,
                         PROTOCOL_ENDING_WALL);
    driver_outcome_end(&outcome);
    outcome = trial_once("ignores signals",
                         "import signal, time\n"
                         "for n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, "
                         "ValueError): pass\n"
                         "while True: time.sleep(1)\n",
                         &limits, PROTOCOL_ENDING_WALL);
    driver_outcome_end(&outcome);
}

/* What is told is as near to what is true as was promised: within 5 %, or this much. */
static bool near(double told, double true_value, double least) {
    double most = true_value * 0.05 > least ? true_value * 0.05 : least;
    return told >= true_value - most && told <= true_value + most;
}

/* The truth is the program's own measure of itself and its child as its last act; what it takes to end comes on top, some 2 ms
   of the 450. */
static void test_cpu_accuracy(void) {
    struct driver_outcome outcome =
        trial_once("CPU time",
                   "import os, resource, time\n"
                   "def burn():\n  start = time.process_time()\n  while time.process_time() < start + 0.2: pass\n"
                   "if os.fork() == 0:\n  burn()\n  os._exit(0)\n"
                   "os.wait()\nburn()\n"
                   "used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]\n"
                   "print(sum(one.ru_utime + one.ru_stime for one in used), flush=True)\nos._exit(0)\n",
                   NULL, PROTOCOL_ENDING_EXIT);
    double told = (double)outcome.result.cpu_us / 1e6, own = outcome.output ? atof(outcome.output) : 0;
    tap_ok(own > 0.4 && near(told, own, 0.005), "CPU time: %.3f s told, %.3f s by its own measure", told, own);
    driver_outcome_end(&outcome);
}

/* The truth is what the program knows of its own memory while it has most. What it shares with others, its interpreter's code,
   is the system's. */
static void test_memory_accuracy(void) {
    struct driver_outcome outcome =
        trial_once("memory in use",
                   "data = bytearray(50 << 20)\nfor i in range(0, len(data), 4096): data[i] = 1\n"
                   "lines = dict(line.split(':') for line in open('/proc/self/status'))\n"
                   "print(sum(int(lines[name].split()[0]) for name in ('RssAnon', 'RssShmem', 'VmPTE')) / 1024)\n",
                   NULL, PROTOCOL_ENDING_EXIT);
    double told = (double)outcome.result.memory_bytes / 1048576.0, own = outcome.output ? atof(outcome.output) : 0;
    if (trial_bounds_memory()) {
        tap_ok(own > 50 && near(told, own, 1), "memory in use: %.1f MiB told, %.1f MiB by its own measure", told, own);
    } else {
        /* Without a group, resident memory is told, code and all. */
        tap_ok(told > 50 && told < own + 16, "memory in use: 50 MiB and the interpreter are told as %.1f MiB", told);
    }
    driver_outcome_end(&outcome);
}

static void test_memory(void) {
    enum protocol_ending ending = trial_bounds_memory() ? PROTOCOL_ENDING_MEMORY : PROTOCOL_ENDING_EXIT;
    /* In a container it goes on until it is looked at, and has no more than the container. */
    uint64_t most = (strcmp(trial_accounting, "container") == 0 ? UINT64_C(256) : UINT64_C(140)) << 20;
    struct driver_outcome outcome =
        trial_once("memory hog", "hoard = []\nwhile True: hoard.append(bytearray(1 << 20))\n", NULL, ending);
    tap_ok(outcome.result.memory_bytes > (90 << 20) && outcome.result.memory_bytes < most,
           "memory hog: its peak is told (%.1f MiB)", (double)outcome.result.memory_bytes / 1048576.0);
    driver_outcome_end(&outcome);
    if (trial_bounds_memory()) {
        outcome = trial_once("hog of a child",
                             "import os, time\nif os.fork() == 0:\n  hoard = []\n"
                             "  while True: hoard.append(bytearray(1 << 20))\ntime.sleep(60)\n",
                             NULL, PROTOCOL_ENDING_MEMORY);
        driver_outcome_end(&outcome);
    }
}

static void test_page_cache(void) {
    struct driver_outcome outcome = trial_once("page cache",
                                               "import os\ntotal = 0\n"
                                               "for folder, _, names in os.walk('/usr/lib'):\n"
                                               "  for name in names:\n"
                                               "    try:\n      with open(os.path.join(folder, name), 'rb') as file:\n"
                                               "        while data := file.read(1 << 20): total += len(data)\n"
                                               "    except OSError: pass\n"
                                               "    if total > 300 << 20: print('read'); os._exit(0)\n"
                                               "print('read')\n",
                                               NULL, PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.result.memory_bytes < (30 << 20), "page cache: not counted as the student's (%.1f MiB)",
           (double)outcome.result.memory_bytes / 1048576.0);
    driver_outcome_end(&outcome);
}

static void test_output(void) {
    struct driver_outcome outcome =
        trial_once("flood", "while True: print('y' * 1000)\n", NULL, PROTOCOL_ENDING_OUTPUT);
    tap_ok(outcome.output_length == 1 << 20 && (outcome.result.flags & PROTOCOL_STDOUT_TRUNCATED),
           "flood: cut at its limit");
    driver_outcome_end(&outcome);
    outcome = trial_once("flood of errors", "import sys\nwhile True: print('y' * 1000, file=sys.stderr)\n", NULL,
                         PROTOCOL_ENDING_OUTPUT);
    tap_ok(outcome.errors_length == PROTOCOL_STDERR_KEPT && (outcome.result.flags & PROTOCOL_STDERR_TRUNCATED),
           "flood of errors: kept to 64 KiB");
    driver_outcome_end(&outcome);
    outcome =
        trial_once("exactly the limit", "import sys\nsys.stdout.write('z' * (1 << 20))\n", NULL, PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.output_length == 1 << 20 && outcome.result.flags == 0, "exactly the limit: whole");
    driver_outcome_end(&outcome);
    outcome = trial_once("one byte more", "import sys\nsys.stdout.write('z' * ((1 << 20) + 1))\n", NULL,
                         PROTOCOL_ENDING_OUTPUT);
    driver_outcome_end(&outcome);
    trial_prints("opens /dev/stdout", "open('/dev/stdout', 'w').write('anew\\n')\n", "anew\n");
}

static void test_small_limits(void) {
    struct protocol_limits limits = driver_limits();
    if (strcmp(trial_accounting, "cgroup") == 0) {
        limits.memory_bytes = 1 << 20;
        struct driver_outcome outcome = trial_once("1 MiB of memory", "print(1)\n", &limits, PROTOCOL_ENDING_MEMORY);
        driver_outcome_end(&outcome);
    }
    limits = driver_limits();
    limits.output_bytes = 0;
    struct driver_outcome outcome = trial_once("no output allowed", "print(1)\n", &limits, PROTOCOL_ENDING_OUTPUT);
    tap_ok(outcome.output_length == 0, "no output allowed: none is kept");
    driver_outcome_end(&outcome);
    limits = driver_limits();
    limits.wall_ms = 1;
    outcome = trial_once("1 ms", "print(1)\n", &limits, PROTOCOL_ENDING_WALL);
    driver_outcome_end(&outcome);
    limits = driver_limits();
    limits.processes = 1;
    outcome = trial_once("one process", "import os\ntry: os.fork()\nexcept OSError: print('refused')\n", &limits,
                         PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.output && strcmp(outcome.output, "refused\n") == 0, "one process: no second one");
    driver_outcome_end(&outcome);
    limits = driver_limits();
    limits.file_bytes = 0;
    outcome = trial_once("no files", "try:\n  open('/tmp/x', 'wb', 0).write(b'x')\nexcept OSError: print('refused')\n",
                         &limits, PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.output && strcmp(outcome.output, "refused\n") == 0, "no files: nothing can be written");
    driver_outcome_end(&outcome);
}

/* Three loops for half a second by the clock with half a processor: together they get a quarter of a second. */
static void test_processors(void) {
    struct protocol_limits limits = driver_limits();
    limits.wall_ms = 500 * driver_slowness();
    limits.cpu_ms = 400 * driver_slowness();
    driver_processors_percent = 50;
    struct driver_outcome outcome =
        trial_once("half a processor", "import os\nfor i in range(2): os.fork()\nwhile True: pass\n", &limits,
                   PROTOCOL_ENDING_WALL);
    driver_processors_percent = 0;
    tap_ok(outcome.result.cpu_us < limits.wall_ms * 1000 * 65 / 100, "half a processor: %.0f ms of CPU time in %.0f ms",
           (double)outcome.result.cpu_us / 1e3, (double)outcome.result.wall_us / 1e3);
    driver_outcome_end(&outcome);
}

static void test_many(int cases) {
    struct driver driver;
    if (!tap_ok(trial_start(&driver, "import sys\nprint(int(sys.argv[1]) * 2)\n"), "many cases: sandbox starts")) {
        return;
    }
    int right = 0;
    double before = driver_now_ms();
    for (int i = 0; i < cases; i++) {
        char word[16], expected[16];
        const char *const arguments[] = { word, NULL };
        snprintf(word, sizeof word, "%d", i);
        snprintf(expected, sizeof expected, "%d\n", i * 2);
        struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, arguments);
        right += !outcome.failed && outcome.result.ending == PROTOCOL_ENDING_EXIT && outcome.result.exit_code == 0 &&
                 strcmp(outcome.output, expected) == 0;
        driver_outcome_end(&outcome);
    }
    tap_ok(right == cases, "many cases: all %d right", cases);
    tap_note("%.2f ms a case", (driver_now_ms() - before) / cases);
    tap_ok(driver_end(&driver) == 0, "many cases: sandbox ends");
}

static void test_missing_interpreter(void) {
    struct driver driver;
    struct protocol_limits most = driver_limits();
    if (!driver_start(&driver, trial_accounting, "/usr/bin/no-such-python", &most) ||
        !driver_submit(&driver, "pass\n")) {
        tap_ok(false, "missing interpreter: sandbox starts");
        return;
    }
    struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, NULL);
    tap_ok(outcome.failed && strstr(driver.last_failure, "interpreter: /usr/bin/no-such-python"),
           "missing interpreter: is told (%s)", driver.last_failure);
    driver_outcome_end(&outcome);
    tap_ok(driver_end(&driver) == 0, "missing interpreter: sandbox ends");
}

static void test_all(void) {
    trial_prints("right answer", "print('hello')\n", "hello\n");
    test_words();
    test_long_arguments();
    test_input();
    test_exits();
    test_time();
    test_cpu_accuracy();
    test_memory();
    test_memory_accuracy();
    test_page_cache();
    test_output();
    test_small_limits();
    test_missing_interpreter();
}

int main(int count, char **words) {
    if (!trial_options(count, words)) {
        return tap_done();
    }
    signal(SIGPIPE, SIG_IGN);
    test_all();
    if (strcmp(trial_accounting, "cgroup") == 0) {
        test_processors();
        test_many(300 / (int)driver_slowness());
    }
    trial_end();
    return tap_done();
}
