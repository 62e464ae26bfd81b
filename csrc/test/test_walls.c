/*
 * Sandbox and runner together, with hostile programs and hosts: nothing gets out, nothing is left behind.
 * `test_walls [--accounting cgroup|rlimit|container]`, like test_runner.
 */
#include "driver.h"
#include "tap.h"
#include "trial.h"
#include "trial_group.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void test_processes(void) {
    struct protocol_limits limits = driver_limits();
    limits.cpu_ms = 500 * driver_slowness();
    struct driver_outcome outcome =
        trial_once("fork bomb", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass\n", &limits,
                   PROTOCOL_ENDING_CPU);
    driver_outcome_end(&outcome);
    double before = driver_now_ms();
    trial_prints("daemon",
                 "import os, time\n"
                 "if os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    for n in range(3): os.close(n)\n"
                 "    while True: time.sleep(1)\n  os._exit(0)\nos.wait()\nprint('parent')\n",
                 "parent\n");
    trial_prints("child keeps the output", "import os, time\nif os.fork() == 0: time.sleep(60)\nprint('parent')\n",
                 "parent\n");
    tap_ok(driver_now_ms() - before < 2500 * driver_slowness(), "daemon and child: nobody was waited for");
    trial_prints("many zombies",
                 "import os, signal\n"
                 "for i in range(100):\n  if os.fork() == 0:\n    if os.fork() == 0: os._exit(0)\n    os._exit(0)\n"
                 "  os.wait()\nprint('done')\n",
                 "done\n");
    trial_prints("subprocess and pool",
                 "import subprocess, multiprocessing, threading\n"
                 "def square(x): return x * x\n"
                 "if __name__ == '__main__':\n"
                 "  print(subprocess.run(['echo', 'hello'], capture_output=True, text=True).stdout.strip())\n"
                 "  with multiprocessing.Pool(2) as pool: print(pool.map(square, range(4)))\n"
                 "  threads = [threading.Thread(target=lambda: None) for _ in range(5)]\n"
                 "  [t.start() for t in threads]; [t.join() for t in threads]; print('threads')\n",
                 "hello\n[0, 1, 4, 9]\nthreads\n");
}

/* A group around the sandbox that is smaller than the case's limit: the program is the kernel's first victim, but it
   kept to its limit, so that is no verdict about it. */
static void trial_beneath(const struct trial_group *group) {
    const char *const large[] = { "90", NULL }, *const small[] = { "1", NULL };
    struct driver driver;
    setenv("SUBMITTER_CGROUP_PARENT", group->name, 1);
    if (tap_ok(trial_start(&driver, "import sys\ndata = bytearray(int(sys.argv[1]) << 20)\nprint(len(data))\n"),
               "group above: sandbox starts")) {
        struct driver_outcome outcome = driver_case(&driver, NULL, NULL, 0, large);
        tap_ok(outcome.failed && !driver.last_fatal && strstr(driver.last_failure, "memory: the machine"),
               "group above: out of memory is no verdict (%s)", outcome.failed ? driver.last_failure : "it was one");
        driver_outcome_end(&outcome);
        outcome = driver_case(&driver, NULL, NULL, 0, small);
        tap_ok(!outcome.failed && strcmp(outcome.output, "1048576\n") == 0, "group above: the next case runs");
        driver_outcome_end(&outcome);
        tap_ok(driver_end(&driver) == 0, "group above: sandbox ends");
    }
    unsetenv("SUBMITTER_CGROUP_PARENT");
}

static void test_group_above(void) {
    struct trial_group group;
    if (getenv("SUBMITTER_CGROUP_PARENT") || !trial_group_make(&group, "64M")) {
        tap_skip("group above: none can be made here");
        return;
    }
    trial_beneath(&group);
    tap_ok(trial_group_remove(&group), "group above: it can be removed");
}

/* Groups that dead sandboxes left are removed, whoever has their number now; others, whatever they are called, are not. */
static void test_sweep(void) {
    struct trial_group group;
    struct driver driver;
    char dead[1024], others[2][1024];
    if (getenv("SUBMITTER_CGROUP_PARENT") || !trial_group_make(&group, "256M")) {
        tap_skip("sweep: no group can be made here");
        return;
    }
    snprintf(dead, sizeof dead, "%s/submitter-%d-0123456789ab", group.path[0], (int)getpid());
    snprintf(others[0], sizeof others[0], "%s/submitter-test.service", group.path[0]);
    snprintf(others[1], sizeof others[1], "%s/submitter-%d-0123456789xy", group.path[0], (int)getpid());
    setenv("SUBMITTER_CGROUP_PARENT", group.name, 1);
    if (tap_ok(mkdir(dead, 0755) == 0 && mkdir(others[0], 0755) == 0 && mkdir(others[1], 0755) == 0,
               "sweep: groups are made") &&
        tap_ok(trial_start(&driver, "pass\n") && driver_end(&driver) == 0, "sweep: a sandbox is built")) {
        tap_ok(access(dead, F_OK) < 0, "sweep: what a dead one left is gone");
        tap_ok(access(others[0], F_OK) == 0 && access(others[1], F_OK) == 0, "sweep: others are not touched");
    }
    unsetenv("SUBMITTER_CGROUP_PARENT");
    rmdir(dead), rmdir(others[0]), rmdir(others[1]);
    tap_ok(trial_group_remove(&group), "sweep: nothing else is left");
}

/* Whoever starts sandboxes may be allowed what no student is. */
static void test_priorities(void) {
    struct rlimit before[2], generous = { .rlim_cur = 40, .rlim_max = 40 };
    const __rlimit_resource_t kinds[2] = { RLIMIT_RTPRIO, RLIMIT_NICE };
    for (int i = 0; i < 2; i++) {
        if (getrlimit(kinds[i], &before[i]) < 0 || setrlimit(kinds[i], &generous) < 0) {
            tap_note("priorities: limits can't be raised here");
            return;
        }
    }
    trial_prints("no priority by inheritance",
                 "import os\n"
                 "for attempt in (lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),\n"
                 "                lambda: os.nice(-5)):\n"
                 "  try: attempt(); print('went through')\n  except OSError: print('refused')\n",
                 "refused\nrefused\n");
    for (int i = 0; i < 2; i++) {
        setrlimit(kinds[i], &before[i]);
    }
}

static void test_walls(void) {
    trial_prints("no network",
                 "import socket\n"
                 "for address in [('127.0.0.1', 80), ('169.254.169.254', 80), ('1.1.1.1', 53)]:\n"
                 "  try: socket.create_connection(address, 1); print('connected')\n"
                 "  except OSError: print('refused')\n"
                 "for family in (16, 17, 38, 40):\n"
                 "  try: socket.socket(family, socket.SOCK_DGRAM); print('made', family)\n"
                 "  except OSError: pass\n",
                 "refused\nrefused\nrefused\n");
    trial_prints("no host files",
                 "import os\n"
                 "try: open('/proc/self/oom_score_adj', 'w').write('0'); print('safe')\nexcept OSError: pass\n"
                 "for path in ['/root', '/home', '/sys', '/proc/sys', '/proc/kcore', '/etc/shadow', '/var', '/run',\n"
                 "             '/srv', '/proc/1', '/proc/1/environ', '/dev/tty', '/dev/sda', '/dev/kmsg', '/boot']:\n"
                 "  if os.path.exists(path): print('there is', path)\n"
                 "try: os.listdir('/scratch'); print('scratch')\nexcept OSError: pass\n",
                 "");
    trial_prints("no other processes",
                 "import os\n"
                 "print([p for p in os.listdir('/proc') if p.isdigit()] == [str(os.getpid())])\n"
                 "for p in range(1, 50):\n  if p != os.getpid():\n"
                 "    try: os.kill(p, 9); print('killed', p)\n    except OSError: pass\n",
                 "True\n");
    trial_prints("no capabilities",
                 "status = open('/proc/self/status').read()\nimport os\n"
                 "print([line.split()[1] for line in status.splitlines() if line.startswith(('CapPrm', 'CapEff',"
                 " 'NoNewPrivs', 'Seccomp:'))], os.getuid(), os.getgid(), os.getgroups())\n",
                 "['0000000000000000', '0000000000000000', '1', '2'] 1000 1000 []\n");
    trial_prints("source stays",
                 "import os\n"
                 "for attempt in (lambda: open(__file__, 'a'), lambda: os.remove(__file__),\n"
                 "                lambda: os.rename(__file__, __file__ + 'x'), lambda: os.chmod(__file__, 0o777),\n"
                 "                lambda: open('helper.py', 'w'), lambda: os.mkdir('__pycache__'),\n"
                 "                lambda: os.symlink('x', 'y'), lambda: open('/usr/lib/x', 'w')):\n"
                 "  try: attempt(); print('done')\n  except OSError: pass\n",
                 "");
    trial_prints("no descriptors", "import os\nprint(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])\n",
                 "[0, 1, 2]\n");
    trial_prints("refused calls",
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
    struct driver_outcome outcome = trial_once("foreign calls",
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
    trial_prints("residue",
                 "import os\n"
                 "print(os.listdir('/tmp'), os.listdir('/dev/shm'))\n"
                 "os.makedirs('/tmp/a/b/c')\nopen('/tmp/a/b/c/file', 'w').write('secret')\n"
                 "open('/dev/shm/note', 'w').write('secret')\n"
                 "os.mkfifo('/tmp/fifo')\nos.symlink('/usr', '/tmp/link')\n"
                 "path = '/tmp/deep'\nos.mkdir(path)\nos.chdir(path)\n"
                 "for i in range(300): os.mkdir('d' * 200); os.chdir('d' * 200)\n"
                 "os.chmod('/tmp/a/b', 0)\n",
                 "[] []\n");
    trial_prints("file limit",
                 "import errno\n"
                 "def fill(path):\n  try:\n    with open(path, 'wb', 0) as file:\n"
                 "      while True: file.write(bytes(1 << 20))\n"
                 "  except OSError as error: return errno.errorcode[error.errno]\n"
                 "print(fill('/tmp/one') in ('ENOSPC', 'EFBIG'), fill('/dev/shm/two'))\n"
                 "import os\ncount = 0\n"
                 "try:\n  while True: open(f'/tmp/{count}', 'w').close(); count += 1\n"
                 "except OSError as error: print(errno.errorcode[error.errno], count < 100000)\n",
                 "True ENOSPC\nENOSPC True\n");
    trial_prints("process numbers",
                 "import os\nfrom random import randrange\n"
                 "print(os.getpid() < 10)\nfor i in range(randrange(20)):\n"
                 "  if os.fork() == 0: os._exit(0)\n  os.wait()\n",
                 "True\n");
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
        if (!trial_start(&driver, "import os, time\nos.fork()\nopen('/tmp/x', 'w')\ntime.sleep(60)\n")) {
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
    /* Inner process, launcher, the program and its child. */
    const struct timespec pause = { .tv_nsec = 2000000 };
    int within = 0;
    for (unsigned i = 0; i < 1000 * driver_slowness() && within < 4; i++) {
        within = trial_count_descendants(sandbox);
        nanosleep(&pause, NULL);
    }
    kill(host, SIGKILL);
    waitpid(host, NULL, 0);
    bool gone = false;
    driver_note(sandbox);
    for (unsigned i = 0; i < 1000 * driver_slowness() && !gone; i++) {
        gone = waitpid(sandbox, NULL, WNOHANG) == sandbox;
        nanosleep(&pause, NULL);
    }
    tap_ok(started && within >= 4 && gone, "killed host: %d processes ended with it", within);
}

/* The supervisor killed outright: everything within dies with it, and the next sandbox removes its groups. */
static void test_killed_supervisor(void) {
    struct driver driver, next;
    struct protocol_message message;
    if (!tap_ok(trial_start(&driver, "pass\n"), "killed supervisor: sandbox starts")) {
        return;
    }
    pid_t process = driver.process;
    kill(process, SIGKILL);
    tap_ok(!driver_next(&driver, &message) && strstr(driver.last_failure, "ended"),
           "killed supervisor: the runner dies too");
    tap_ok(driver_wait(&driver) == 128 + SIGKILL, "killed supervisor: is reaped");
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    tap_ok(trial_start(&next, "pass\n") && driver_end(&next) == 0, "killed supervisor: the next sandbox works");
    tap_ok(trial_count_groups("/sys/fs/cgroup", 4, process) == 0, "killed supervisor: and removes what was left");
}

static void test_hostile_host(void) {
    struct driver driver;
    struct protocol_message message;
    if (!tap_ok(trial_start(&driver, "pass\n"), "hostile host: sandbox starts")) {
        return;
    }
    tap_ok(driver_send(&driver, "\x45\xff\xff\xff\xff", 5) && driver_next(&driver, &message) &&
               message.type == PROTOCOL_FAILURE && message.failure.fatal,
           "hostile host: told that its stream is broken");
    tap_ok(driver_wait(&driver) == 4, "hostile host: the sandbox ends");
    if (trial_start(&driver, "pass\n")) {
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
    if (trial_start(&driver, "pass\n")) {
        struct protocol_limits limits = driver_limits();
        limits.memory_bytes *= 2;
        struct driver_outcome outcome = driver_case(&driver, &limits, NULL, 0, NULL);
        tap_ok(outcome.failed && driver.last_fatal, "hostile host: limits beyond those of BUILD are refused");
        driver_outcome_end(&outcome);
        driver_wait(&driver);
    }
}

static void test_all(void) {
    test_processes();
    test_walls();
    test_priorities();
    if (strcmp(trial_accounting, "cgroup") == 0) {
        test_group_above();
        test_sweep();
    }
    test_residue();
    test_hostile_host();
    test_killed_host();
    test_killed_supervisor();
}

int main(int count, char **words) {
    if (!trial_options(count, words)) {
        return tap_done();
    }
    signal(SIGPIPE, SIG_IGN);
    /* The orphans of a killed host become ours, so that their end can be seen. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    test_all();
    tap_ok(trial_count_groups("/sys/fs/cgroup", 4, 0) == 0, "no cgroup is left");
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    tap_ok(trial_count_descendants(getpid()) == 0, "no process is left");
    trial_end();
    return tap_done();
}
