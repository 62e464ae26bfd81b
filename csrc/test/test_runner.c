/*
 * Sandbox and runner together, with a real interpreter: `test_runner [INTERPRETER]`. The programs are taken
 * from the folder that SUBMITTER_BUILD names, or build. Needs what the sandbox needs: root, or an ordinary
 * user with subordinate users and a cgroup.
 */
#include "driver.h"
#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char interpreter[256];
static const char *accounting = "cgroup";

/* ---- helpers ---- */

static long version_of(const char *name) {
    long minor = 0;
    int used = 0;
    if (strcmp(name, "python3") == 0) {
        return 0;
    }
    return sscanf(name, "python3.%ld%n", &minor, &used) == 1 && name[used] == 0 ? minor : -1;
}

static bool find_interpreter(int count, char **words) {
    if (count > 1) {
        snprintf(interpreter, sizeof interpreter, "%s", words[1]);
        return true;
    }
    DIR *listing = opendir("/usr/bin");
    struct dirent *entry;
    long best = -1;
    while (listing && (entry = readdir(listing))) {
        long version = version_of(entry->d_name);
        if (version > best) {
            best = version;
            snprintf(interpreter, sizeof interpreter, "/usr/bin/%.200s", entry->d_name);
        }
    }
    if (listing) {
        closedir(listing);
    }
    return best >= 0;
}

static bool start(struct driver *driver, const char *source) {
    struct protocol_limits most = driver_limits();
    if (driver_start(driver, accounting, interpreter, &most) && driver_submit(driver, source)) {
        return true;
    }
    tap_note("the sandbox failed: %s", driver->last_failure);
    return false;
}

static const char *const endings[] = {"none", "exit", "signal", "cpu", "wall", "memory", "output"};

static void tell(const struct driver *driver, const struct driver_outcome *outcome) {
    if (outcome->failed) {
        tap_note("failed: %s", driver->last_failure);
        return;
    }
    const struct protocol_result *result = &outcome->result;
    tap_note("ending %s, exit %u, signal %u, cpu %.1f ms, wall %.1f ms, memory %.1f MiB, %llu + %llu bytes",
             endings[result->ending], result->exit_code, result->signal, (double)result->cpu_us / 1e3,
             (double)result->wall_us / 1e3, (double)result->memory_bytes / 1048576.0,
             (unsigned long long)result->stdout_bytes, (unsigned long long)result->stderr_bytes);
    if (outcome->errors_length) {
        tap_note("stderr: %.300s", outcome->errors);
    }
}

/* A case of a sandbox of its own, without arguments and input, that is to end in a certain way. Gives the
 * outcome. */
static struct driver_outcome once(const char *name, const char *source, const struct protocol_limits *limits,
                                  enum protocol_ending ending) {
    struct driver driver;
    struct driver_outcome outcome = {.failed = true};
    if (!tap_ok(start(&driver, source), "%s: sandbox starts", name)) {
        driver_wait(&driver);
        return outcome;
    }
    outcome = driver_case(&driver, limits, NULL, 0, NULL);
    bool good = !outcome.failed && outcome.result.ending == ending;
    if (!tap_ok(good, "%s: ends with %s", name, endings[ending])) {
        tell(&driver, &outcome);
    }
    /* The next case finds everything as it was. */
    struct driver_outcome again = driver_case(&driver, limits, NULL, 0, NULL);
    if (!tap_ok(!again.failed && again.result.ending == ending, "%s: and so again", name)) {
        tell(&driver, &again);
    }
    driver_outcome_end(&again);
    tap_ok(driver_end(&driver) == 0, "%s: sandbox ends", name);
    return outcome;
}

/* The same, and everything must have gone well and this be printed. */
static void prints(const char *name, const char *source, const char *expected) {
    struct driver_outcome outcome = once(name, source, NULL, PROTOCOL_ENDING_EXIT);
    bool good = !outcome.failed && outcome.result.exit_code == 0 && strcmp(outcome.output, expected) == 0;
    if (!tap_ok(good, "%s: prints what it should", name) && outcome.output) {
        tap_note("printed: %.500s", outcome.output);
        tap_note("stderr: %.500s", outcome.errors);
    }
    driver_outcome_end(&outcome);
}

/* ---- what is left behind ---- */

/* Control groups of sandboxes that this test started; others may run on the same machine. */
static int count_groups_of(const char *folder, int depth, pid_t only) {
    DIR *listing = opendir(folder);
    struct dirent *entry;
    int count = 0;
    while (listing && (entry = readdir(listing))) {
        char path[PATH_MAX];
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (strncmp(entry->d_name, "submitter-", 10) == 0) {
            pid_t process = (pid_t)strtol(entry->d_name + 10, NULL, 10);
            count += only ? process == only : driver_started(process);
        } else if (depth > 0) {
            count += count_groups_of(path, depth - 1, only);
        }
    }
    if (listing) {
        closedir(listing);
    }
    return count;
}

static int count_groups(const char *folder, int depth) {
    return count_groups_of(folder, depth, 0);
}

/* Processes below this one, at any depth, that it can see by their parents' numbers. */
static int count_descendants(pid_t ancestor) {
    DIR *listing = opendir("/proc");
    struct dirent *entry;
    int count = 0;
    while (listing && (entry = readdir(listing))) {
        char path[64], text[512];
        long process = strtol(entry->d_name, NULL, 10);
        if (process <= 0) {
            continue;
        }
        snprintf(path, sizeof path, "/proc/%ld/stat", process);
        FILE *file = fopen(path, "re");
        size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
        text[length] = 0;
        if (file) {
            fclose(file);
        }
        char *fields = strrchr(text, ')');
        int parent;
        if (fields && sscanf(fields, ") %*c %d", &parent) == 1 && parent == ancestor) {
            count += 1 + count_descendants((pid_t)process);
        }
    }
    if (listing) {
        closedir(listing);
    }
    return count;
}

/* ---- the tests ---- */

static void test_words(void) {
    struct driver driver;
    const char *const arguments[] = {"one two", "",         "\"'\\$*;", "caf\xc3\xa9 \xe2\x82\xac",
                                     "-x",      "\xff\xfe", NULL};
    if (!tap_ok(start(&driver, "import sys, os\n"
                               "for word in sys.argv[1:]: print(os.fsencode(word).hex())\n"
                               "print(sys.argv[0], os.getcwd(), dict(os.environ))\n"),
                "words: sandbox starts")) {
        return;
    }
    struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, arguments);
    const char *expected =
        "6f6e652074776f\n\n22275c242a3b\n636166c3a920e282ac\n2d78\nfffe\n"
        "/usr/src/submitter/program.py /usr/src/submitter {'PATH': '/usr/local/bin:/usr/bin:/bin', "
        "'HOME': '/tmp', 'LANG': 'C.UTF-8'}\n";
    bool same = !outcome.failed && strcmp(outcome.output, expected) == 0;
    if (!tap_ok(same, "words: arguments, directory and environment arrive as given")) {
        tell(&driver, &outcome);
        tap_note("%s", outcome.output);
    }
    driver_outcome_end(&outcome);
    tap_ok(driver_end(&driver) == 0, "words: sandbox ends");
}

static void test_long_arguments(void) {
    struct driver driver;
    static char longest[PROTOCOL_ARGUMENT_BYTES + 2];
    const char *const arguments[] = {longest, NULL};
    if (!tap_ok(start(&driver, "import sys\nprint(len(sys.argv[1]))\n"), "long argument: sandbox starts")) {
        return;
    }
    memset(longest, 'x', PROTOCOL_ARGUMENT_BYTES);
    longest[PROTOCOL_ARGUMENT_BYTES] = 0;
    struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, arguments);
    if (!tap_ok(!outcome.failed && strcmp(outcome.output, "131071\n") == 0,
                "long argument: 131,071 bytes arrive")) {
        tell(&driver, &outcome);
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
    if (!input || !tap_ok(start(&driver, "import sys\n"
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
    tap_ok(!outcome.failed && strcmp(outcome.output, "5242880 b'aaaaa'\nrefused\n") == 0,
           "input: 5 MiB arrive");
    driver_outcome_end(&outcome);
    outcome = driver_case(&driver, NULL, "12\n", 3, NULL);
    tap_ok(!outcome.failed && strcmp(outcome.output, "3 b'12\\n'\nrefused\n") == 0,
           "input: each case has its own");
    driver_outcome_end(&outcome);
    tap_ok(driver_end(&driver) == 0, "input: sandbox ends");
    free(input);
    prints("no input", "try:\n  input()\nexcept EOFError: print('end')\n", "end\n");
}

static void test_exits(void) {
    struct driver_outcome outcome =
        once("exit code", "import sys\nsys.exit(7)\n", NULL, PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.result.exit_code == 7, "exit code: 7 is told");
    driver_outcome_end(&outcome);
    outcome = once("exception", "print('so far')\n1/0\n", NULL, PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.result.exit_code == 1 && outcome.output && strcmp(outcome.output, "so far\n") == 0 &&
               strstr(outcome.errors, "ZeroDivisionError"),
           "exception: exit code, output and traceback are told");
    driver_outcome_end(&outcome);
    outcome = once("crash", "import ctypes\nctypes.string_at(0)\n", NULL, PROTOCOL_ENDING_SIGNAL);
    tap_ok(outcome.result.signal == SIGSEGV, "crash: the signal is told");
    driver_outcome_end(&outcome);
    outcome = once("own SIGKILL", "import os\nos.kill(os.getpid(), 9)\n", NULL, PROTOCOL_ENDING_SIGNAL);
    tap_ok(outcome.result.signal == SIGKILL, "own SIGKILL: it is neither memory nor time");
    driver_outcome_end(&outcome);
}

static void test_time(void) {
    struct protocol_limits limits = driver_limits();
    limits.cpu_ms = 300;
    struct driver_outcome outcome = once("endless loop", "while True: pass\n", &limits, PROTOCOL_ENDING_CPU);
    tap_ok(outcome.result.cpu_us >= 300000 && outcome.result.cpu_us < 350000,
           "endless loop: ended within 50 ms of its "
           "limit (%.1f ms)",
           (double)outcome.result.cpu_us / 1e3);
    driver_outcome_end(&outcome);
    outcome = once("loops of children", "import os\nfor i in range(3): os.fork()\nwhile True: pass\n",
                   &limits, PROTOCOL_ENDING_CPU);
    tap_ok(outcome.result.cpu_us >= 300000 && outcome.result.cpu_us < 350000,
           "loops of children: counted together "
           "(%.1f ms)",
           (double)outcome.result.cpu_us / 1e3);
    driver_outcome_end(&outcome);
    limits = driver_limits();
    limits.wall_ms = 300;
    outcome = once("sleep", "import time\ntime.sleep(60)\n", &limits, PROTOCOL_ENDING_WALL);
    tap_ok(outcome.result.wall_us >= 300000 && outcome.result.wall_us < 350000,
           "sleep: ended within 50 ms of its limit "
           "(%.1f ms)",
           (double)outcome.result.wall_us / 1e3);
    driver_outcome_end(&outcome);
    outcome = once("stops itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n", &limits,
                   PROTOCOL_ENDING_WALL);
    driver_outcome_end(&outcome);
    outcome = once("ignores signals",
                   "import signal, time\n"
                   "for n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, "
                   "ValueError): pass\n"
                   "while True: time.sleep(1)\n",
                   &limits, PROTOCOL_ENDING_WALL);
    driver_outcome_end(&outcome);
}

static void test_cpu_accuracy(void) {
    struct driver_outcome outcome =
        once("CPU time",
             "import time, os\n"
             "def burn():\n  while time.process_time() < 0.2: pass\n"
             "if os.fork() == 0:\n  start = time.process_time()\n  burn()\n  os._exit(0)\n"
             "os.wait()\nburn()\nprint(sum(os.times()[:4]))\n",
             NULL, PROTOCOL_ENDING_EXIT);
    double told = (double)outcome.result.cpu_us / 1e6, own = outcome.output ? atof(outcome.output) : 0;
    tap_ok(told > own - 0.02 && told < own + 0.05, "CPU time: %.3f s told, %.3f s by its own measure", told,
           own);
    driver_outcome_end(&outcome);
}

static void test_memory(void) {
    bool cgroup = strcmp(accounting, "cgroup") == 0;
    enum protocol_ending ending = cgroup ? PROTOCOL_ENDING_MEMORY : PROTOCOL_ENDING_EXIT;
    struct driver_outcome outcome =
        once("memory hog", "hoard = []\nwhile True: hoard.append(bytearray(1 << 20))\n", NULL, ending);
    tap_ok(outcome.result.memory_bytes > (90 << 20) && outcome.result.memory_bytes < (140 << 20),
           "memory hog: its peak is told (%.1f MiB)", (double)outcome.result.memory_bytes / 1048576.0);
    driver_outcome_end(&outcome);
    if (cgroup) {
        outcome = once("hog of a child",
                       "import os, time\nif os.fork() == 0:\n  hoard = []\n"
                       "  while True: hoard.append(bytearray(1 << 20))\ntime.sleep(60)\n",
                       NULL, PROTOCOL_ENDING_MEMORY);
        driver_outcome_end(&outcome);
        outcome = once(
            "memory file",
            "import os\nfile = os.memfd_create('x')\n"
            "while True: os.write(file, bytes(1 << 20)) if os.fstat(file).st_size < 1 << 30 else exit()\n",
            NULL, PROTOCOL_ENDING_EXIT);
        tap_ok(outcome.result.memory_bytes < (40 << 20), "memory file: it is bounded like other files");
        driver_outcome_end(&outcome);
        outcome = once("memory files",
                       "import os\nfiles = []\nwhile True:\n  files.append(os.memfd_create('x'))\n"
                       "  os.write(files[-1], bytes(8 << 20))\n",
                       NULL, PROTOCOL_ENDING_MEMORY);
        driver_outcome_end(&outcome);
    }
    outcome =
        once("memory in use", "data = bytearray(50 << 20)\nfor i in range(0, len(data), 4096): data[i] = 1\n",
             NULL, PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.result.memory_bytes > (50 << 20) && outcome.result.memory_bytes < (66 << 20),
           "memory in use: 50 MiB and the interpreter are told as %.1f MiB",
           (double)outcome.result.memory_bytes / 1048576.0);
    driver_outcome_end(&outcome);
}

static void test_page_cache(void) {
    struct driver_outcome outcome =
        once("page cache",
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
        once("flood", "while True: print('y' * 1000)\n", NULL, PROTOCOL_ENDING_OUTPUT);
    tap_ok(outcome.output_length == 1 << 20 && (outcome.result.flags & PROTOCOL_STDOUT_TRUNCATED),
           "flood: cut at its limit");
    driver_outcome_end(&outcome);
    outcome = once("flood of errors", "import sys\nwhile True: print('y' * 1000, file=sys.stderr)\n", NULL,
                   PROTOCOL_ENDING_OUTPUT);
    tap_ok(outcome.errors_length == PROTOCOL_STDERR_KEPT &&
               (outcome.result.flags & PROTOCOL_STDERR_TRUNCATED),
           "flood of errors: kept to 64 KiB");
    driver_outcome_end(&outcome);
    outcome = once("exactly the limit", "import sys\nsys.stdout.write('z' * (1 << 20))\n", NULL,
                   PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.output_length == 1 << 20 && outcome.result.flags == 0, "exactly the limit: whole");
    driver_outcome_end(&outcome);
    outcome = once("one byte more", "import sys\nsys.stdout.write('z' * ((1 << 20) + 1))\n", NULL,
                   PROTOCOL_ENDING_OUTPUT);
    driver_outcome_end(&outcome);
    prints("opens /dev/stdout", "open('/dev/stdout', 'w').write('anew\\n')\n", "anew\n");
}

static void test_processes(void) {
    struct protocol_limits limits = driver_limits();
    limits.cpu_ms = 500;
    struct driver_outcome outcome =
        once("fork bomb", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass\n", &limits,
             PROTOCOL_ENDING_CPU);
    driver_outcome_end(&outcome);
    double before = driver_now_ms();
    prints("daemon",
           "import os, time\n"
           "if os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    for n in range(3): os.close(n)\n"
           "    while True: time.sleep(1)\n  os._exit(0)\nos.wait()\nprint('parent')\n",
           "parent\n");
    prints("child keeps the output", "import os, time\nif os.fork() == 0: time.sleep(60)\nprint('parent')\n",
           "parent\n");
    tap_ok(driver_now_ms() - before < 2500, "daemon and child: nobody was waited for");
    prints("many zombies",
           "import os, signal\n"
           "for i in range(100):\n  if os.fork() == 0:\n    if os.fork() == 0: os._exit(0)\n    os._exit(0)\n"
           "  os.wait()\nprint('done')\n",
           "done\n");
    prints("subprocess and pool",
           "import subprocess, multiprocessing, threading\n"
           "def square(x): return x * x\n"
           "if __name__ == '__main__':\n"
           "  print(subprocess.run(['echo', 'hello'], capture_output=True, text=True).stdout.strip())\n"
           "  with multiprocessing.Pool(2) as pool: print(pool.map(square, range(4)))\n"
           "  threads = [threading.Thread(target=lambda: None) for _ in range(5)]\n"
           "  [t.start() for t in threads]; [t.join() for t in threads]; print('threads')\n",
           "hello\n[0, 1, 4, 9]\nthreads\n");
}

static void test_walls(void) {
    prints("no network",
           "import socket\n"
           "for address in [('127.0.0.1', 80), ('169.254.169.254', 80), ('1.1.1.1', 53)]:\n"
           "  try: socket.create_connection(address, 1); print('connected')\n"
           "  except OSError: print('refused')\n"
           "for family in (16, 17, 38, 40):\n"
           "  try: socket.socket(family, socket.SOCK_DGRAM); print('made', family)\n"
           "  except OSError: pass\n",
           "refused\nrefused\nrefused\n");
    prints(
        "no host files",
        "import os\n"
        "try: open('/proc/self/oom_score_adj', 'w').write('0'); print('safe')\nexcept OSError: pass\n"
        "for path in ['/root', '/home', '/sys', '/proc/sys', '/proc/kcore', '/etc/shadow', '/var', '/run',\n"
        "             '/work', '/proc/1', '/proc/1/environ', '/dev/tty', '/dev/sda', '/dev/kmsg', '/boot']:\n"
        "  if os.path.exists(path): print('there is', path)\n"
        "try: os.listdir('/scratch'); print('scratch')\nexcept OSError: pass\n",
        "");
    prints("no other processes",
           "import os\n"
           "print([p for p in os.listdir('/proc') if p.isdigit()] == [str(os.getpid())])\n"
           "for p in range(1, 50):\n  if p != os.getpid():\n"
           "    try: os.kill(p, 9); print('killed', p)\n    except OSError: pass\n",
           "True\n");
    prints("no capabilities",
           "status = open('/proc/self/status').read()\nimport os\n"
           "print([line.split()[1] for line in status.splitlines() if line.startswith(('CapPrm', 'CapEff',"
           " 'NoNewPrivs', 'Seccomp:'))], os.getuid(), os.getgid(), os.getgroups())\n",
           "['0000000000000000', '0000000000000000', '1', '2'] 1000 1000 []\n");
    prints("source stays",
           "import os\n"
           "for attempt in (lambda: open(__file__, 'a'), lambda: os.remove(__file__),\n"
           "                lambda: os.rename(__file__, __file__ + 'x'), lambda: os.chmod(__file__, 0o777),\n"
           "                lambda: open('helper.py', 'w'), lambda: os.mkdir('__pycache__'),\n"
           "                lambda: os.symlink('x', 'y'), lambda: open('/usr/lib/x', 'w')):\n"
           "  try: attempt(); print('done')\n  except OSError: pass\n",
           "");
    prints("no descriptors", "import os\nprint(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])\n",
           "[0, 1, 2]\n");
    prints(
        "refused calls",
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "calls = {'unshare': (272, 0x10000000), 'mount': (165, 0, 0, 0, 0, 0), 'ptrace': (101, 0, 0, 0, 0),\n"
        "  'bpf': (321, 0, 0, 0), 'keyctl': (250, 0, 0), 'setns': (308, 0, 0), 'clone3': (435, 0, 0),\n"
        "  'userns': (56, 0x10000011, 0, 0, 0, 0), 'io_uring': (425, 1, 0), 'chroot': (161, b'/tmp'),\n"
        "  'ioctl': (16, 0, 0x100005412, b'x'), 'shmget': (29, 1, 4096, 0o1777), 'msgget': (68, 1, 0o1777),\n"
        "  'perf': (298, 0, 0, -1, -1, 0), 'userfaultfd': (323, 0), 'personality': (135, 8),\n"
        "  'open_by_handle': (304, 0, 0, 0), 'mq_open': (240, b'x', 0o100, 0o777, 0)}\n"
        "for name, call in calls.items():\n"
        "  if libc.syscall(*call) != -1: print(name, 'went through')\n"
        "  elif ctypes.get_errno() not in (1, 38, 25): print(name, ctypes.get_errno())\n"
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); print(resource.getrlimit(resource.RLIMIT_CORE))\n"
        "os.mkfifo('/tmp/fifo')\n"
        "try: os.mknod('/tmp/device', 0o20666, os.makedev(1, 3)); print('device')\nexcept OSError: pass\n",
        "(1, 1)\n");
    struct driver_outcome outcome = once("foreign calls",
                                         "import ctypes, mmap\n"
                                         "code = mmap.mmap(-1, 4096, prot=7)\n"
                                         "code.write(bytes.fromhex('b814000000cd80c3'))\n"
                                         "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_"
                                         "buffer(code)))()\nprint('went on')\n",
                                         NULL, PROTOCOL_ENDING_SIGNAL);
    tap_ok(outcome.result.signal == SIGSYS, "foreign calls: killed for int 0x80");
    driver_outcome_end(&outcome);
}

static void test_residue(void) {
    prints("residue",
           "import os\n"
           "print(os.listdir('/tmp'), os.listdir('/dev/shm'))\n"
           "os.makedirs('/tmp/a/b/c')\nopen('/tmp/a/b/c/file', 'w').write('secret')\n"
           "open('/dev/shm/note', 'w').write('secret')\n"
           "os.mkfifo('/tmp/fifo')\nos.symlink('/usr', '/tmp/link')\n"
           "path = '/tmp/deep'\nos.mkdir(path)\nos.chdir(path)\n"
           "for i in range(300): os.mkdir('d' * 200); os.chdir('d' * 200)\n"
           "os.chmod('/tmp/a/b', 0)\n",
           "[] []\n");
    prints("file limit",
           "import errno\n"
           "def fill(path):\n  try:\n    with open(path, 'wb', 0) as file:\n"
           "      while True: file.write(bytes(1 << 20))\n"
           "  except OSError as error: return errno.errorcode[error.errno]\n"
           "print(fill('/tmp/one') in ('ENOSPC', 'EFBIG'), fill('/dev/shm/two'))\n"
           "import os\ncount = 0\n"
           "try:\n  while True: open(f'/tmp/{count}', 'w').close(); count += 1\n"
           "except OSError as error: print(errno.errorcode[error.errno], count < 100000)\n",
           "True ENOSPC\nENOSPC True\n");
    prints("process numbers",
           "import os\nfrom random import randrange\n"
           "print(os.getpid() < 10)\nfor i in range(randrange(20)):\n"
           "  if os.fork() == 0: os._exit(0)\n  os.wait()\n",
           "True\n");
}

static void test_many(int cases) {
    struct driver driver;
    if (!tap_ok(start(&driver, "import sys\nprint(int(sys.argv[1]) * 2)\n"), "many cases: sandbox starts")) {
        return;
    }
    int right = 0;
    double before = driver_now_ms();
    for (int i = 0; i < cases; i++) {
        char word[16], expected[16];
        const char *const arguments[] = {word, NULL};
        snprintf(word, sizeof word, "%d", i);
        snprintf(expected, sizeof expected, "%d\n", i * 2);
        struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, arguments);
        right += !outcome.failed && outcome.result.ending == PROTOCOL_ENDING_EXIT &&
                 outcome.result.exit_code == 0 && strcmp(outcome.output, expected) == 0;
        driver_outcome_end(&outcome);
    }
    tap_ok(right == cases, "many cases: all %d right", cases);
    tap_note("%.2f ms a case", (driver_now_ms() - before) / cases);
    tap_ok(driver_end(&driver) == 0, "many cases: sandbox ends");
}

/* A host that is killed outright, in the middle of a case, leaves nothing. */
static void test_killed_host(void) {
    int told[2];
    if (pipe2(told, O_CLOEXEC) < 0) {
        return;
    }
    pid_t host = fork();
    if (host == 0) {
        struct driver driver;
        if (!start(&driver, "import os, time\nos.fork()\nopen('/tmp/x', 'w')\ntime.sleep(60)\n")) {
            _exit(1);
        }
        ssize_t written = write(told[1], &driver.process, sizeof driver.process);
        (void)written;
        driver_case(&driver, NULL, NULL, 0, NULL);
        _exit(1);
    }
    pid_t sandbox = -1;
    close(told[1]);
    bool started = read(told[0], &sandbox, sizeof sandbox) == (ssize_t)sizeof sandbox;
    close(told[0]);
    struct timespec pause = {.tv_nsec = 200000000};
    nanosleep(&pause, NULL);
    int within = count_descendants(sandbox);
    kill(host, SIGKILL);
    waitpid(host, NULL, 0);
    bool gone = false;
    driver_note(sandbox);
    for (int i = 0; i < 1000 && !gone; i++) {
        struct timespec shorter = {.tv_nsec = 2000000};
        gone = waitpid(sandbox, NULL, WNOHANG) == sandbox;
        nanosleep(&shorter, NULL);
    }
    tap_ok(started && within >= 4 && gone, "killed host: %d processes ended with it", within);
}

/* The supervisor killed outright: everything within dies with it, and the next sandbox removes its groups. */
static void test_killed_supervisor(void) {
    struct driver driver, next;
    struct protocol_message message;
    if (!tap_ok(start(&driver, "pass\n"), "killed supervisor: sandbox starts")) {
        return;
    }
    pid_t process = driver.process;
    kill(process, SIGKILL);
    tap_ok(!driver_next(&driver, &message) && strstr(driver.last_failure, "ended"),
           "killed supervisor: the runner dies too");
    tap_ok(driver_wait(&driver) == 128 + SIGKILL, "killed supervisor: is reaped");
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    tap_ok(start(&next, "pass\n") && driver_end(&next) == 0, "killed supervisor: the next sandbox works");
    tap_ok(count_groups_of("/sys/fs/cgroup", 4, process) == 0,
           "killed supervisor: and removes what was left");
}

static void test_small_limits(void) {
    struct protocol_limits limits = driver_limits();
    if (strcmp(accounting, "cgroup") == 0) {
        limits.memory_bytes = 1 << 20;
        struct driver_outcome outcome =
            once("1 MiB of memory", "print(1)\n", &limits, PROTOCOL_ENDING_MEMORY);
        driver_outcome_end(&outcome);
    }
    limits = driver_limits();
    limits.output_bytes = 0;
    struct driver_outcome outcome = once("no output allowed", "print(1)\n", &limits, PROTOCOL_ENDING_OUTPUT);
    tap_ok(outcome.output_length == 0, "no output allowed: none is kept");
    driver_outcome_end(&outcome);
    limits = driver_limits();
    limits.wall_ms = 1;
    outcome = once("1 ms", "print(1)\n", &limits, PROTOCOL_ENDING_WALL);
    driver_outcome_end(&outcome);
    limits = driver_limits();
    limits.processes = 1;
    outcome = once("one process", "import os\ntry: os.fork()\nexcept OSError: print('refused')\n", &limits,
                   PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.output && strcmp(outcome.output, "refused\n") == 0, "one process: no second one");
    driver_outcome_end(&outcome);
    limits = driver_limits();
    limits.file_bytes = 0;
    outcome =
        once("no files", "try:\n  open('/tmp/x', 'wb', 0).write(b'x')\nexcept OSError: print('refused')\n",
             &limits, PROTOCOL_ENDING_EXIT);
    tap_ok(outcome.output && strcmp(outcome.output, "refused\n") == 0, "no files: nothing can be written");
    driver_outcome_end(&outcome);
}

static void test_hostile_host(void) {
    struct driver driver;
    struct protocol_message message;
    if (!tap_ok(start(&driver, "pass\n"), "hostile host: sandbox starts")) {
        return;
    }
    tap_ok(driver_send(&driver, "\x45\xff\xff\xff\xff", 5) && driver_next(&driver, &message) &&
               message.type == PROTOCOL_FAILURE && message.failure.fatal,
           "hostile host: told that its stream is broken");
    tap_ok(driver_wait(&driver) == 4, "hostile host: the sandbox ends");
    if (start(&driver, "pass\n")) {
        struct protocol_writer writer;
        struct protocol_limits limits = driver_limits();
        protocol_writer_start(&writer, 4096);
        protocol_write_build(&writer, &limits);
        tap_ok(driver_send(&driver, writer.data, writer.length) && driver_next(&driver, &message) &&
                   message.type == PROTOCOL_FAILURE && message.failure.fatal,
               "hostile host: a second BUILD is refused");
        protocol_writer_end(&writer);
        driver_wait(&driver);
    }
    if (start(&driver, "pass\n")) {
        struct protocol_limits limits = driver_limits();
        limits.memory_bytes *= 2;
        struct driver_outcome outcome = driver_case(&driver, &limits, NULL, 0, NULL);
        tap_ok(outcome.failed && driver.last_fatal, "hostile host: limits beyond those of BUILD are refused");
        driver_outcome_end(&outcome);
        driver_wait(&driver);
    }
}

static void test_missing_interpreter(void) {
    struct driver driver;
    struct protocol_limits most = driver_limits();
    if (!driver_start(&driver, accounting, "/usr/bin/no-such-python", &most) ||
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

/* What a sandbox and a case cost, beside a bare fork and execve of the same. */
static void measure(void) {
    const int rounds = 20, cases = 50;
    double built = 0, ended = 0, bare = 0, within = 0;
    char *const words[] = {interpreter, "-c", "pass", NULL}, *const environment[] = {"LANG=C.UTF-8", NULL};
    for (int i = 0; i < rounds; i++) {
        struct driver driver;
        double before = driver_now_ms();
        if (!start(&driver, "pass\n")) {
            return;
        }
        double ready = driver_now_ms();
        driver_end(&driver);
        built += ready - before;
        ended += driver_now_ms() - ready;
    }
    struct driver driver;
    if (!start(&driver, "pass\n")) {
        return;
    }
    for (int i = 0; i < cases; i++) {
        double before = driver_now_ms();
        struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, NULL);
        within += driver_now_ms() - before;
        driver_outcome_end(&outcome);
        before = driver_now_ms();
        pid_t child = fork();
        if (child == 0) {
            execve(interpreter, words, environment);
            _exit(127);
        }
        waitpid(child, NULL, 0);
        bare += driver_now_ms() - before;
    }
    driver_end(&driver);
    tap_note("%s: a sandbox: %.2f ms to build, %.2f ms to take down; a case: %.2f ms, bare %.2f ms",
             accounting, built / rounds, ended / rounds, within / cases, bare / cases);
}

static void test_all(void) {
    tap_note("accounting = %s", accounting);
    prints("right answer", "print('hello')\n", "hello\n");
    test_words();
    test_long_arguments();
    test_input();
    test_exits();
    test_time();
    test_cpu_accuracy();
    test_memory();
    test_page_cache();
    test_output();
    test_processes();
    test_walls();
    test_residue();
    test_hostile_host();
    test_missing_interpreter();
    test_small_limits();
    test_killed_host();
    test_killed_supervisor();
}

int main(int count, char **words) {
    if (!find_interpreter(count, words)) {
        tap_ok(false, "no interpreter: give one as argument");
        return tap_done();
    }
    tap_note("interpreter %s", interpreter);
    signal(SIGPIPE, SIG_IGN);
    /* The orphans of a killed host become ours, so that their end can be seen. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    test_all();
    test_many(300);
    measure();
    accounting = "rlimit";
    test_all();
    measure();
    tap_ok(count_groups("/sys/fs/cgroup", 4) == 0, "no cgroup is left");
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    tap_ok(count_descendants(getpid()) == 0, "no process is left");
    return tap_done();
}
