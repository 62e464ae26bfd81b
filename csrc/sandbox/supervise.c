#include "supervise.h"

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How far apart the student's CPU time is looked at: its limit is missed by no more. */
enum { TICK_MS = 10 };

/* The runner ends by itself when the host has gone, or after the host's last word; it gets this long to. */
enum { FAREWELL_MS = 500 };

static int signals = -1;
static int output_pipes[2] = { -1, -1 }; /* the reading ends */
static uint64_t output_counted[2];

static _Noreturn void fail(const char *what) {
    report_wall("supervisor", "allow more open files and processes", "%s: %s", what, strerror(errno));
}

void supervise_prepare(void) {
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGHUP);
    sigaddset(&ending, SIGQUIT);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &ending, NULL) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) {
        fail("signals");
    }
    signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) {
        fail("signalfd");
    }
}

void supervise_pipes(int ends[2]) {
    for (int i = 0; i < 2; i++) {
        int both[2];
        if (pipe2(both, O_CLOEXEC) < 0 || fcntl(both[0], F_SETFL, O_NONBLOCK) < 0) {
            fail("a pipe");
        }
        output_pipes[i] = both[0];
        ends[i] = both[1];
    }
}

static uint64_t now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* So often it reads before it looks at the clock again: a pipe can be filled with packets of a byte each as fast as it is read. */
enum { READS_AT_ONCE = 16 };

/* Passes on what there is, or, while the program runs, only so much of it; false once the stream has gone beyond its limit or nobody reads it any more. */
static bool pass_on(int which, uint64_t most, bool all) {
    static char bytes[64 * 1024];
    for (int reads = 0; output_pipes[which] >= 0 && (all || reads < READS_AT_ONCE); reads++) {
        ssize_t count = read(output_pipes[which], bytes, sizeof bytes);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return true;
        }
        if (count == 0) {
            close(output_pipes[which]);
            output_pipes[which] = -1;
            return true;
        }
        uint64_t room = most - output_counted[which];
        size_t wanted = (uint64_t)count < room ? (size_t)count : (size_t)room;
        output_counted[which] += wanted;
        for (size_t written = 0; written < wanted;) {
            ssize_t more = write(STDOUT_FILENO + which, bytes + written, wanted - written);
            if (more < 0 && errno != EINTR) {
                return false;
            }
            written += more > 0 ? (size_t)more : 0;
        }
        if ((uint64_t)count > room) {
            return false;
        }
    }
    return true;
}

/* -1 while there is no reason to end it. */
static int reason_to_end(const struct spec *spec, const struct cgroup *cgroup, uint64_t started) {
    uint64_t cpu_us;
    if (cgroup_out_of_memory(cgroup)) {
        return SUPERVISE_MEMORY;
    }
    if (cgroup_cpu_us(cgroup, &cpu_us) && cpu_us > spec->cpu_ms * 1000) {
        return SUPERVISE_CPU;
    }
    if (now_ms() - started >= spec->wall_ms) {
        return SUPERVISE_WALL;
    }
    return -1;
}

static bool collect(int descriptor, int *exit_code) {
    siginfo_t information = { 0 };
    if (waitid(P_PIDFD, (id_t)descriptor, &information, WEXITED | WNOHANG) < 0 || information.si_pid == 0) {
        return false;
    }
    *exit_code = information.si_code == CLD_EXITED ? information.si_status : 128 + information.si_status;
    return true;
}

static bool farewell(int descriptor, int *exit_code) {
    struct pollfd place = { .fd = descriptor, .events = POLLIN };
    uint64_t until = now_ms() + FAREWELL_MS;
    for (uint64_t now = now_ms(); now < until; now = now_ms()) {
        if (poll(&place, 1, (int)(until - now)) > 0) {
            return collect(descriptor, exit_code);
        }
    }
    return false;
}

enum supervise_end supervise_wait(const struct spec *spec, const struct cgroup *cgroup, pid_t process, int descriptor,
                                  int *exit_code) {
    bool student = spec->role == SPEC_STUDENT;
    uint64_t started = now_ms();
    (void)process;
    for (;;) {
        /* No events are asked for of the host's stream: that it is closed is told in any case. */
        struct pollfd places[] = {
            { .fd = descriptor, .events = POLLIN },
            { .fd = signals, .events = POLLIN },
            { .fd = student ? -1 : STDIN_FILENO, .events = 0 },
            { .fd = output_pipes[0], .events = POLLIN },
            { .fd = output_pipes[1], .events = POLLIN },
        };
        if (poll(places, sizeof places / sizeof *places, student ? TICK_MS : -1) < 0 && errno != EINTR) {
            fail("poll");
        }
        for (int which = 0; which < 2; which++) {
            if (!pass_on(which, spec->output_bytes, false)) {
                return SUPERVISE_OUTPUT;
            }
        }
        int reason = student ? reason_to_end(spec, cgroup, started) : -1;
        if (reason >= 0) {
            return (enum supervise_end)reason;
        }
        if ((places[0].revents & POLLIN) && collect(descriptor, exit_code)) {
            return pass_on(0, spec->output_bytes, true) && pass_on(1, spec->output_bytes, true) ? SUPERVISE_ENDED
                                                                                                : SUPERVISE_OUTPUT;
        }
        if (places[1].revents) {
            return SUPERVISE_ABANDONED;
        }
        if (places[2].revents) {
            return farewell(descriptor, exit_code) ? SUPERVISE_ENDED : SUPERVISE_ABANDONED;
        }
    }
}

/* Sockets that were sent through each other hold each other, their namespace, memory and locks, until the kernel looks for such. It
   does when a socket ends, here or elsewhere; the runner has done so unless it was killed in the middle of a case. */
static void collect_sockets(void) {
    int one = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (one >= 0) {
        close(one);
    }
}

void supervise_kill(pid_t process, int descriptor) {
    siginfo_t information;
    syscall(SYS_pidfd_send_signal, descriptor, SIGKILL, NULL, 0);
    while (waitid(P_PIDFD, (id_t)descriptor, &information, WEXITED) < 0 && errno == EINTR) {
    }
    (void)process;
    collect_sockets();
}
