/*
 * submitter-sandbox within a container, and accounting by the container's counters: made in little, without an engine. Needs root,
 * and control groups.
 */
#include "driver.h"
#include "tap.h"
#include "trial.h"
#include "trial_container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* AddressSanitizer keeps memory that was given back, and at the end traces the process, which the profile refuses. The programs are built
   with it when this is. */
#ifdef __has_feature
#define SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static const uint64_t mega = 1 << 20;

static struct trial_group group, small_group;
static struct trial_container plain = { .group = &group };
static struct trial_container first = { .group = &group, .first = true };
static char own_interpreter[512];

static void pause_ms(long milliseconds) {
    struct timespec time = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

/* ---- what the runner is told ---- */

static void test_hello(void) {
    struct driver driver;
    struct protocol_limits most = driver_limits();
    driver_more_lines = own_interpreter;
    trial_container(&first);
    if (tap_ok(driver_start(&driver, "container", "", &most) && driver_submit(&driver, "print('hello')\n"),
               "own interpreter: sandbox starts")) {
        tap_ok(driver.told_accounting == PROTOCOL_ACCOUNTING_CONTAINER, "own interpreter: HELLO says container");
        tap_ok(strcmp(driver.interpreter_version, "3.98 of a test") == 0, "own interpreter: and its version");
        struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, NULL);
        tap_ok(!outcome.failed && strcmp(outcome.output, "hello\n") == 0,
               "own interpreter: it is used where none is named");
        driver_outcome_end(&outcome);
    }
    tap_ok(driver_end(&driver) == 0, "own interpreter: sandbox ends");
    driver_more_lines = NULL;
    trial_container(&plain);
    tap_ok(driver_start(&driver, "container", "", &most) && driver_submit(&driver, "print('hello')\n"),
           "no interpreter: sandbox starts");
    tap_ok(driver.interpreter_version[0] == 0, "no interpreter: HELLO has no version");
    struct protocol_message message;
    tap_ok(driver_next(&driver, &message) && message.type == PROTOCOL_FAILURE && message.failure.fatal &&
               memcmp(message.failure.code.data, "interpreter", message.failure.code.length) == 0,
           "no interpreter: told so");
    tap_ok(driver_wait(&driver) == 4, "no interpreter: sandbox ends");
}

/* A specification in a file, as an image's entry point has it. */
static void test_file(void) {
    char path[] = "/tmp/test_container.XXXXXX", program[PATH_MAX + 32], command[3 * PATH_MAX], text[64] = "";
    const char *given = getenv("SUBMITTER_BUILD");
    int file = mkstemp(path);
    bool written =
        file >= 0 && realpath(given ? given : "build", program) &&
        dprintf(file, "version=1\nprogram=%s/submitter-runner\naccounting=rlimit\n%s", program, own_interpreter) > 0;
    snprintf(command, sizeof command, "%s/submitter-sandbox --spec %s </dev/null", program, path);
    FILE *output = written ? popen(command, "re") : NULL;
    size_t length = output ? fread(text, 1, sizeof text, output) : 0;
    tap_ok(output && pclose(output) == 0 && length > 5 && text[0] == PROTOCOL_HELLO, "file: the runner says HELLO");
    if (file >= 0) {
        close(file);
        unlink(path);
    }
}

/* ---- process 1 ---- */

static bool is_zombie_of(const char *process, pid_t parent) {
    char path[64 + NAME_MAX], text[512];
    snprintf(path, sizeof path, "/proc/%s/stat", process);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[length] = 0;
    if (file) {
        fclose(file);
    }
    char state;
    int above;
    const char *fields = strrchr(text, ')');
    return fields && sscanf(fields, ") %c %d", &state, &above) == 2 && state == 'Z' && above == parent;
}

static bool has_zombies(pid_t parent) {
    char number[32];
    for (int process = parent + 1; process < parent + 64; process++) {
        snprintf(number, sizeof number, "%d", process);
        if (is_zombie_of(number, parent)) {
            return true;
        }
    }
    return false;
}

/* As an operator has the engine run something in the container, which leaves a child: that has ended, and process 1 is its parent. */
static bool leave_orphan(pid_t process) {
    char path[64];
    int status = 1;
    pid_t outside = fork();
    if (outside == 0) {
        snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)process);
        int namespace = open(path, O_RDONLY | O_CLOEXEC);
        if (namespace < 0 || setns(namespace, CLONE_NEWPID) < 0) {
            _exit(1);
        }
        pid_t within = fork();
        if (within == 0) {
            pid_t orphan = fork();
            if (orphan == 0) {
                pause_ms(50);
            }
            _exit(orphan < 0);
        }
        waitpid(within, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    waitpid(outside, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_first(void) {
    const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
    trial_container(&first);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct driver driver;
        if (!tap_ok(trial_start(&driver, "pass\n"), "process 1: sandbox starts")) {
            continue;
        }
        pid_t process = trial_container_child(driver.process);
        struct protocol_message message;
        double before = driver_now_ms();
        /* It ends while the host's end is still open. */
        tap_ok(process > 0 && kill(process, numbers[i]) == 0 && !driver_next(&driver, &message) &&
                   driver_wait(&driver) == 4 && driver_now_ms() - before < 3000 * driver_slowness(),
               "process 1: signal %d ends it", numbers[i]);
    }
    struct driver driver;
    if (!tap_ok(trial_start(&driver, "print('hello')\n"), "process 1: sandbox starts")) {
        return;
    }
    pid_t process = trial_container_child(driver.process);
    bool left = leave_orphan(process), zombies = true;
    pause_ms(100);
    for (unsigned i = 0; i < 200 * driver_slowness() && zombies; i++) {
        pause_ms(10);
        zombies = has_zombies(process);
    }
    tap_ok(left && !zombies, "process 1: reaps who lost his parent");
    struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, NULL);
    tap_ok(!outcome.failed && strcmp(outcome.output, "hello\n") == 0, "process 1: and goes on");
    driver_outcome_end(&outcome);
    tap_ok(driver_end(&driver) == 0, "process 1: sandbox ends");
}

/* The runner's user as the machine knows it; 0 when it isn't known. */
static unsigned runner_user(const struct driver *driver) {
    char path[64];
    unsigned inside, outside = 0;
    snprintf(path, sizeof path, "/proc/%d/uid_map", (int)trial_container_child(trial_container_child(driver->process)));
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%u %u", &inside, &outside) != 2) {
        outside = 0;
    }
    if (file) {
        fclose(file);
    }
    return outside;
}

/* The supervisor's real user and its capabilities; false when they aren't known. */
static bool look_at_supervisor(const struct driver *driver, unsigned *user, unsigned long long *capabilities) {
    char path[64], line[256];
    int found = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)trial_container_child(driver->process));
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        found += sscanf(line, "Uid: %u", user) == 1 || sscanf(line, "CapPrm: %llx", capabilities) == 1;
    }
    if (file) {
        fclose(file);
    }
    return found == 2;
}

/* Nobody in the container is its root once the walls stand. */
static void check_supervisor(const char *name, const struct driver *driver) {
    unsigned user = 0;
    unsigned long long capabilities = 1;
    bool known = look_at_supervisor(driver, &user, &capabilities);
    tap_ok(known && user == runner_user(driver) + 3 && capabilities == 0,
           "%s: the supervisor is user %u, without capabilities", name, user);
}

static void test_users(void) {
    static const struct {
        const char *name;
        bool few;
        unsigned least, most;
    } forms[] = {
        { "all users", false, 0x74000000, 0x77ffffff },
        { "few users", true, TRIAL_FIRST_USER + TRIAL_USERS / 4, TRIAL_FIRST_USER + TRIAL_USERS - 3 },
    };
    for (size_t i = 0; i < 2; i++) {
        struct trial_container form = { .group = &group, .first = true, .few_users = forms[i].few };
        struct driver drivers[3];
        unsigned users[3];
        int right = 0;
        trial_container(&form);
        for (int k = 0; k < 3; k++) {
            if (!tap_ok(trial_start(&drivers[k], "import os\nprint(os.getuid(), os.getgid(), os.getgroups())\n"),
                        "%s: sandbox starts", forms[i].name)) {
                return;
            }
            users[k] = runner_user(&drivers[k]);
            check_supervisor(forms[i].name, &drivers[k]);
            struct driver_outcome outcome = driver_case(&drivers[k], NULL, NULL, 0, NULL);
            right += !outcome.failed && strcmp(outcome.output, "1000 1000 []\n") == 0 && users[k] >= forms[i].least &&
                     users[k] <= forms[i].most;
            driver_outcome_end(&outcome);
        }
        tap_ok(right == 3, "%s: cases run, as users of the range for it", forms[i].name);
        /* One draw of 12,288 twice is rare; all three the same is a fault. */
        tap_ok(users[0] != users[1] || users[1] != users[2], "%s: %u, %u and %u are drawn", forms[i].name, users[0],
               users[1], users[2]);
        for (int k = 0; k < 3; k++) {
            tap_ok(driver_end(&drivers[k]) == 0, "%s: sandbox ends", forms[i].name);
        }
    }
}

static void test_masked(void) {
    struct trial_container form = { .group = &group, .first = true, .masked = true };
    struct driver driver;
    char text[1024] = "";
    driver_errors = memfd_create("errors", MFD_CLOEXEC);
    trial_container(&form);
    bool started = trial_start(&driver, "pass\n");
    int code = driver_wait(&driver);
    ssize_t length = pread(driver_errors, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = 0;
    tap_ok(!started && code == 3 && strstr(text, "/proc") && strstr(text, "systempaths=unconfined") &&
               strstr(text, "unmask=ALL") && strstr(text, "procMount: Unmasked"),
           "masked /proc: says what to do");
    tap_note("exit code %d: %s", code, text);
    close(driver_errors);
    driver_errors = -1;
}

/* ---- memory ---- */

static struct driver_outcome run(struct driver *driver, uint64_t memory_bytes, const char *word) {
    struct protocol_limits limits = driver_limits();
    const char *const arguments[] = { word, NULL };
    limits.memory_bytes = memory_bytes;
    return driver_case(driver, &limits, NULL, 0, arguments);
}

static const char fills[] =
    "import sys\nimport time\ndata = bytearray(int(sys.argv[1]) << 20)\n"
    "for place in range(0, len(data), 4096): data[place] = 1\ntime.sleep(0.05)\nprint(len(data) >> 20)\n";

static bool told_about(const struct driver_outcome *outcome, uint64_t least, uint64_t most) {
    return !outcome->failed && outcome->result.memory_bytes >= least * mega &&
           outcome->result.memory_bytes <= most * mega;
}

static void test_memory(void) {
    static const struct {
        unsigned limit, size;
        enum protocol_ending ending;
    } cases[] = {
        { 128, 100, PROTOCOL_ENDING_EXIT },   { 128, 50, PROTOCOL_ENDING_EXIT },  { 1, 8, PROTOCOL_ENDING_MEMORY },
        { 20, 60, PROTOCOL_ENDING_MEMORY },   { 128, 20, PROTOCOL_ENDING_EXIT },  { 60, 40, PROTOCOL_ENDING_EXIT },
        { 128, 900, PROTOCOL_ENDING_MEMORY }, { 128, 110, PROTOCOL_ENDING_EXIT }, { 100, 115, PROTOCOL_ENDING_MEMORY },
    };
    struct driver driver;
    trial_container(&plain);
    if (!tap_ok(trial_start(&driver, fills), "memory: sandbox starts")) {
        return;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char word[16];
        snprintf(word, sizeof word, "%u", cases[i].size);
        struct driver_outcome outcome = run(&driver, cases[i].limit * mega, word);
        bool memory = cases[i].ending == PROTOCOL_ENDING_MEMORY;
        if (!tap_ok(
                !outcome.failed && outcome.result.ending == cases[i].ending &&
                    told_about(&outcome, memory ? cases[i].limit : cases[i].size, memory ? 256 : cases[i].size + 12),
                "memory: %u MiB with a limit of %u", cases[i].size, cases[i].limit)) {
            trial_tell(&driver, &outcome);
        }
        driver_outcome_end(&outcome);
    }
    tap_ok(driver_end(&driver) == 0, "memory: sandbox ends");
}

/* What is reserved isn't used; and what the runner keeps of the output isn't the program's. */
static void test_not_memory(void) {
    struct protocol_limits most = driver_limits();
    struct driver driver;
    trial_container(&plain);
    trial_prints("reserved",
                 "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.mmap.restype = ctypes.c_void_p\n"
                 "place = libc.mmap(None, ctypes.c_size_t(8 << 30), 3, 0x4022, -1, ctypes.c_long(0))\n"
                 "ctypes.memset(place, 1, 4096)\nprint(place != 2**64 - 1)\n",
                 "True\n");
    most.output_bytes = 64 * mega;
    if (SANITIZED) {
        tap_skip("kept output: not with a sanitizer");
        return;
    }
    if (tap_ok(driver_start(&driver, "container", trial_interpreter, &most) &&
                   driver_submit(&driver, "import sys\nfor i in range(40): sys.stdout.write('z' * (1 << 20))\n"),
               "kept output: sandbox starts")) {
        struct protocol_limits limits = most;
        limits.memory_bytes = 24 * mega;
        struct driver_outcome outcome = driver_case(&driver, &limits, NULL, 0, NULL);
        if (!tap_ok(outcome.result.ending == PROTOCOL_ENDING_EXIT && outcome.output_length == 40 * mega &&
                        told_about(&outcome, 1, 16),
                    "kept output: isn't the program's memory")) {
            trial_tell(&driver, &outcome);
        }
        driver_outcome_end(&outcome);
        tap_ok(driver_end(&driver) == 0, "kept output: sandbox ends");
    }
}

/* A container that hasn't got what a case was promised: that the kernel takes the program for it is no verdict. */
static void test_too_small(void) {
    struct trial_container form = { .group = &small_group };
    struct driver driver;
    trial_container(&form);
    if (!tap_ok(trial_start(&driver, fills), "too small: sandbox starts")) {
        return;
    }
    struct driver_outcome outcome = run(&driver, 128 * mega, "120");
    tap_ok(outcome.failed && !driver.last_fatal && strstr(driver.last_failure, "memory: the container"),
           "too small: is our failure (%s)", outcome.failed ? driver.last_failure : "it was a verdict");
    driver_outcome_end(&outcome);
    outcome = run(&driver, 128 * mega, "20");
    tap_ok(!outcome.failed && strcmp(outcome.output, "20\n") == 0, "too small: the next case runs");
    driver_outcome_end(&outcome);
    /* With room for what it may have, being taken at the container's limit is the program's end by its own. */
    outcome = run(&driver, 20 * mega, "120");
    tap_ok(!outcome.failed && outcome.result.ending == PROTOCOL_ENDING_MEMORY, "too small: but not for a small case");
    driver_outcome_end(&outcome);
    tap_ok(driver_end(&driver) == 0, "too small: sandbox ends");
}

static long score_of(pid_t process) {
    char path[64];
    long score = -1;
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)process);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%ld", &score) != 1) {
        score = -1;
    }
    if (file) {
        fclose(file);
    }
    return score;
}

/* The runner outlives its container's getting to its limit. */
static void test_victims(void) {
    struct driver driver;
    trial_container(&plain);
    if (tap_ok(trial_start(&driver, "import os\nprint(open('/proc/self/oom_score_adj').read())\n"),
               "victims: sandbox starts")) {
        pid_t runner = trial_container_child(driver.process);
        struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, NULL);
        long supervisor_score = score_of(driver.process), launcher_score = score_of(trial_container_child(runner));
        tap_ok(!outcome.failed && strcmp(outcome.output, "1000\n\n") == 0 && launcher_score == 500 &&
                   score_of(runner) == supervisor_score && supervisor_score < launcher_score,
               "victims: program first, then launcher (%ld)", launcher_score);
        driver_outcome_end(&outcome);
        tap_ok(driver_end(&driver) == 0, "victims: sandbox ends");
    }
}

/* ---- time, processes ---- */

/* Children that nobody waits for, whose time the kernel adds to nobody's. */
static void test_lost_children(void) {
    struct protocol_limits limits = driver_limits();
    limits.cpu_ms = 300 * driver_slowness();
    trial_container(&plain);
    struct driver_outcome outcome =
        trial_once("lost children",
                   "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
                   "while True:\n  if os.fork() == 0:\n    end = time.process_time() + 0.05\n"
                   "    while time.process_time() < end: pass\n    os._exit(0)\n  time.sleep(0.06)\n",
                   &limits, PROTOCOL_ENDING_CPU);
    driver_outcome_end(&outcome);
}

static void test_processes(void) {
    struct protocol_limits limits = driver_limits();
    limits.processes = 5;
    trial_container(&plain);
    struct driver_outcome outcome = trial_once(
        "processes",
        "import os, time\ncount = 1\ntry:\n  while True:\n    if os.fork() == 0: time.sleep(60)\n    count += 1\n"
        "except OSError: print(count)\n",
        &limits, PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.output && strcmp(outcome.output, "5\n") == 0, "processes: as many as there may be");
    driver_outcome_end(&outcome);
}

/* ---- who else is in the container ---- */

/* A process that was there before shares the counters: its time is nobody's case's. */
static void test_neighbour(void) {
    pid_t neighbour = fork();
    if (neighbour == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!trial_group_enter(&group)) {
            _exit(1);
        }
        for (;;) {
        }
    }
    pause_ms(50);
    trial_container(&plain);
    struct driver_outcome outcome =
        trial_once("neighbour", "import time\ntime.sleep(0.4)\n", NULL, PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.result.cpu_us < UINT64_C(150000) * driver_slowness(),
           "neighbour: its time isn't the case's (%.1f ms)", (double)outcome.result.cpu_us / 1e3);
    driver_outcome_end(&outcome);
    kill(neighbour, SIGKILL);
    waitpid(neighbour, NULL, 0);
}

static bool send_case(struct driver *driver, uint32_t number, uint64_t memory_bytes) {
    struct protocol_limits limits = driver_limits();
    struct protocol_writer writer;
    const struct protocol_bytes word = { (const uint8_t *)"80", 2 };
    limits.memory_bytes = memory_bytes;
    protocol_writer_start(&writer, 4096);
    bool sent = protocol_write_case(&writer, number, &limits, NULL, 0, &word, 1) &&
                driver_send(driver, writer.data, writer.length);
    protocol_writer_end(&writer);
    return sent;
}

/* Two sandboxes in one container take turns, or each would be told what both use. */
static void test_turns(void) {
    struct driver drivers[2];
    trial_container(&plain);
    if (!tap_ok(trial_start(&drivers[0], fills) && trial_start(&drivers[1], fills), "turns: sandboxes start")) {
        return;
    }
    tap_ok(send_case(&drivers[0], 7001, 100 * mega) && send_case(&drivers[1], 7001, 100 * mega),
           "turns: both get a case");
    for (int i = 0; i < 2; i++) {
        struct protocol_message message;
        bool told = false;
        while (!told && driver_next(&drivers[i], &message) && message.type != PROTOCOL_FAILURE) {
            told = message.type == PROTOCOL_RESULT;
        }
        tap_ok(told && message.result.ending == PROTOCOL_ENDING_EXIT && message.result.memory_bytes < 90 * mega,
               "turns: %d used %.1f MiB", i + 1, told ? (double)message.result.memory_bytes / 1048576.0 : -1.0);
    }
    tap_ok(driver_end(&drivers[0]) == 0 && driver_end(&drivers[1]) == 0, "turns: sandboxes end");
}

/* ---- the outer profile ---- */

static const char *try_calls(void) {
    if (syscall(SYS_bpf, 0, NULL, 0) != -1 || errno != EPERM) {
        return "bpf";
    }
    if (syscall(SYS_keyctl, 0, 0, 0) != -1 || errno != EPERM) {
        return "keyctl";
    }
    if (socket(AF_INET, SOCK_STREAM, 0) != -1 || errno != EPERM) {
        return "socket";
    }
    if (syscall(451, 0, 0, 0, 0) != -1 || errno != ENOSYS) {
        return "cachestat";
    }
    return syscall(SYS_clone3, NULL, 0) == -1 && errno != ENOSYS && errno != EPERM ? "" : "clone3";
}

static void test_profile(void) {
    struct trial_container form = { .group = &group, .first = true, .filtered = true };
    int status = 1;
    pid_t process = fork();
    if (process == 0) {
        const char *wrong = trial_container_filter() ? try_calls() : "putting it on";
        if (wrong[0]) {
            tap_note("profile: %s", wrong);
        }
        _exit(wrong[0] != 0);
    }
    waitpid(process, &status, 0);
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "profile: refuses what nobody in a container needs");
    if (SANITIZED) {
        tap_skip("profile: not with a sanitizer");
        return;
    }
    trial_container(&form);
    trial_prints(
        "profile: sandbox, runner and program",
        "import os, socket, threading, subprocess, tempfile\n"
        "with tempfile.TemporaryFile() as file: file.write(bytes(100000))\n"
        "thread = threading.Thread(target=lambda: print('thread', flush=True)); thread.start(); thread.join()\n"
        "print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout.strip())\n"
        "one, other = socket.socketpair(); one.send(b'x'); print(other.recv(1))\n",
        "thread\nchild\nb'x'\n");
    struct driver_outcome outcome = trial_once(
        "profile: memory", "hoard = []\nwhile True: hoard.append(bytearray(1 << 20))\n", NULL, PROTOCOL_ENDING_MEMORY);
    driver_outcome_end(&outcome);
}

static void test_all(void) {
    test_hello();
    test_file();
    test_first();
    test_users();
    test_masked();
    test_memory();
    test_not_memory();
    test_too_small();
    test_victims();
    test_lost_children();
    test_processes();
    test_neighbour();
    test_turns();
    test_profile();
}

int main(void) {
    static char name[] = "test_container";
    char *words[] = { name, NULL };
    if (!trial_options(1, words)) {
        return tap_done();
    }
    trial_accounting = "container";
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    snprintf(own_interpreter, sizeof own_interpreter, "interpreter=%s\ninterpreter_version=3.98 of a test\n",
             trial_interpreter);
    if (!trial_group_make_container(&group, "256M") || !trial_group_make_container(&small_group, "100M")) {
        trial_group_remove(&group);
        tap_skip("container: no control group can be made here");
        return tap_done();
    }
    test_all();
    trial_container(NULL);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    tap_ok(trial_count_descendants(getpid()) == 0, "no process is left");
    tap_ok(trial_group_remove(&group) && trial_group_remove(&small_group), "nothing is left in the containers' groups");
    return tap_done();
}
