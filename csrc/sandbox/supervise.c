#include "supervise.h"

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How far apart the student's CPU time is looked at: its limit is missed by no more. */
enum { TICK_MS = 10 };

/* So long one stream is passed on before the limits are looked at again, and so long a write may block. */
enum { TURN_MS = 2 };

/* The runner ends by itself when the host has gone, or after the host's last word; it gets this long to. */
enum { FAREWELL_MS = 500 };

/* In the student's role: what it prints, on its way to the operator. More is read only when all that was read is written, so no
   more is ever kept than one buffer. */
struct stream {
    int pipe; /* the reading end; -1 before there is one, and once it has ended */
    int to;
    uint64_t counted;
    size_t next, end; /* what of the buffer isn't written yet */
};

static int signals = -1;
static int orphans = -1; /* as process 1: tells that a child ended; else -1 */
static struct stream streams[2] = { { .pipe = -1, .to = STDOUT_FILENO }, { .pipe = -1, .to = STDERR_FILENO } };
static char buffers[2][64 * 1024];

static _Noreturn void fail(const char *what) {
    report_wall("supervisor", "allow more open files and processes", "%s: %s", what, strerror(errno));
}

/* A system call that waits is interrupted: that is all SIGALRM is for. */
static void interrupt(int number) {
    (void)number;
}

/* A signal whose action is the default never reaches process 1, unless it is blocked and read: so are all that it needs. */
static int read_signals(const sigset_t *set) {
    int descriptor = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor < 0) {
        fail("signalfd");
    }
    return descriptor;
}

static void prepare_as_first(void) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &child, NULL) < 0) {
        fail("signals");
    }
    orphans = read_signals(&child);
}

void supervise_follow_parent(void) {
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) {
        fail("the parent's death");
    }
}

void supervise_prepare(void) {
    sigset_t ending, stopping, alarm;
    struct sigaction action = { .sa_handler = interrupt };
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGHUP);
    sigaddset(&ending, SIGQUIT);
    /* A supervisor that a terminal has stopped wouldn't end anything in time. */
    sigemptyset(&stopping);
    sigaddset(&stopping, SIGTSTP);
    sigaddset(&stopping, SIGTTIN);
    sigaddset(&stopping, SIGTTOU);
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    /* Failing writes say so. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (sigaction(SIGALRM, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &alarm, NULL) < 0 ||
        sigprocmask(SIG_BLOCK, &ending, NULL) < 0 || sigprocmask(SIG_BLOCK, &stopping, NULL) < 0) {
        fail("signals");
    }
    supervise_follow_parent();
    signals = read_signals(&ending);
    if (getpid() == 1) {
        prepare_as_first();
    }
}

void supervise_pipes(int ends[2]) {
    for (int i = 0; i < 2; i++) {
        int both[2];
        if (pipe2(both, O_CLOEXEC) < 0 || fcntl(both[0], F_SETFL, O_NONBLOCK) < 0) {
            fail("a pipe");
        }
        streams[i].pipe = both[0];
        ends[i] = both[1];
    }
}

static uint64_t now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* ---- passing on what is printed ---- */

enum step {
    STEP_DONE,   /* and another can be made at once */
    STEP_WAIT,   /* there is nothing to read, or nobody takes what was read */
    STEP_BEYOND, /* the limit of output is reached; what is within it is kept for writing */
    STEP_UNWRITABLE,
};

static enum step take(int which, uint64_t most) {
    struct stream *stream = &streams[which];
    if (stream->pipe < 0) {
        return STEP_WAIT;
    }
    ssize_t count = read(stream->pipe, buffers[which], sizeof buffers[which]);
    if (count < 0) {
        return errno == EINTR ? STEP_DONE : STEP_WAIT;
    }
    if (count == 0) {
        close(stream->pipe);
        stream->pipe = -1;
        return STEP_WAIT;
    }
    uint64_t room = most - stream->counted;
    stream->next = 0;
    stream->end = (uint64_t)count < room ? (size_t)count : (size_t)room;
    stream->counted += stream->end;
    return (uint64_t)count > room ? STEP_BEYOND : STEP_DONE;
}

/* Every so often from now on; 0: no more. Once could be too early, between two calls. */
static void interrupt_every(unsigned milliseconds) {
    struct itimerval timer = { 0 };
    timer.it_value.tv_usec = timer.it_interval.tv_usec = (suseconds_t)milliseconds * 1000;
    if (setitimer(ITIMER_REAL, &timer, NULL) < 0) {
        fail("a timer");
    }
}

/* The operator's descriptor is shared with others, so it isn't made non-blocking. That it can be written to is true for PIPE_BUF
   bytes of a pipe that nobody else fills, but not of a terminal: the timer ends a write that waits after all. */
static enum step give(int which, int *error) {
    struct stream *stream = &streams[which];
    struct pollfd place = { .fd = stream->to, .events = POLLOUT };
    if (poll(&place, 1, 0) <= 0) {
        return STEP_WAIT;
    }
    size_t wanted = stream->end - stream->next;
    wanted = wanted < PIPE_BUF ? wanted : PIPE_BUF;
    interrupt_every(TURN_MS);
    ssize_t count = write(stream->to, buffers[which] + stream->next, wanted);
    int reason = errno;
    interrupt_every(0);
    if (count < 0 && reason != EAGAIN && reason != EINTR) {
        *error = reason;
        return STEP_UNWRITABLE;
    }
    stream->next += count > 0 ? (size_t)count : 0;
    return count == (ssize_t)wanted ? STEP_DONE : STEP_WAIT;
}

static bool pending(int which) {
    return streams[which].next < streams[which].end;
}

/* Passes on for one turn: a pipe can be filled with packets of a byte each as fast as it is read. */
static enum step pass_on(int which, uint64_t most, int *error) {
    uint64_t started = now_ms();
    enum step step;
    do {
        step = pending(which) ? give(which, error) : take(which, most);
    } while (step == STEP_DONE && now_ms() - started < TURN_MS);
    return step;
}

/* Both streams; `*left` tells whether there may be more than could be passed on. -1 while there is no reason to end it. */
static int pass_both_on(uint64_t most, bool *left, int *error) {
    *left = false;
    for (int which = 0; which < 2; which++) {
        enum step step = pass_on(which, most, error);
        if (step == STEP_BEYOND) {
            return SUPERVISE_OUTPUT;
        }
        if (step == STEP_UNWRITABLE) {
            return SUPERVISE_UNWRITABLE;
        }
        *left |= step == STEP_DONE || pending(which);
    }
    return -1;
}

/* At a limit nobody is waited for: what was read goes as far as it is taken at once. */
static void give_last(void) {
    int error;
    for (int which = 0; which < 2; which++) {
        while (pending(which) && give(which, &error) == STEP_DONE) {
        }
    }
}

/* What the stream waits for: its reader, or the program. */
static struct pollfd place_of(int which) {
    const struct stream *stream = &streams[which];
    return pending(which) ? (struct pollfd){ .fd = stream->to, .events = POLLOUT }
                          : (struct pollfd){ .fd = stream->pipe, .events = POLLIN };
}

/* The program has ended by itself: all that is in its pipes, which nobody fills any more, is passed on. An exit code of 0 says that
   the output is complete, so a reader who is slow is waited for; but for no longer than the program itself might have taken: the
   wall limit is how long whoever started it is ready to wait, and afterwards it is told as that limit, since the exit code would
   promise what didn't arrive. That a descriptor is still under way in a socket can keep a pipe from ending, so its end isn't
   waited for. */
static enum supervise_end deliver(const struct spec *spec, uint64_t started, int *error) {
    for (;;) {
        bool left;
        int reason = pass_both_on(spec->output_bytes, &left, error);
        if (reason >= 0) {
            return (enum supervise_end)reason;
        }
        if (!left) {
            return SUPERVISE_ENDED;
        }
        if (now_ms() - started >= spec->wall_ms) {
            return SUPERVISE_WALL;
        }
        struct pollfd places[] = { { .fd = signals, .events = POLLIN }, place_of(0), place_of(1) };
        if (poll(places, sizeof places / sizeof *places, TICK_MS) < 0 && errno != EINTR) {
            fail("poll");
        }
        if (places[0].revents) {
            return SUPERVISE_ABANDONED;
        }
    }
}

/* ---- waiting ---- */

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

/* CPU time of process 1 itself: building the walls was its work, not the program's. */
static uint64_t own_cpu_us(pid_t process) {
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) < 0) {
        return 0;
    }
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static uint64_t microseconds(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

/* False while process 1 lives. `*cpu_us` is its CPU time, and that of all that it and the kernel collected for it. */
static bool collect(int descriptor, int *exit_code, uint64_t *cpu_us) {
    siginfo_t information = { 0 };
    struct rusage usage = { 0 };
    if (syscall(SYS_waitid, P_PIDFD, descriptor, &information, WEXITED | WNOHANG, &usage) < 0 ||
        information.si_pid == 0) {
        return false;
    }
    *exit_code = information.si_code == CLD_EXITED ? information.si_status : 128 + information.si_status;
    *cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
    return true;
}

static bool farewell(int descriptor, int *exit_code) {
    struct pollfd place = { .fd = descriptor, .events = POLLIN };
    uint64_t cpu_us, until = now_ms() + FAREWELL_MS;
    for (uint64_t now = now_ms(); now < until; now = now_ms()) {
        if (poll(&place, 1, (int)(until - now)) > 0) {
            return collect(descriptor, exit_code, &cpu_us);
        }
    }
    return false;
}

/* Everything but the inside's process, which is waited for by itself: a program that an operator had the engine run in the container
   beside it may have left children. */
static void reap_orphans(pid_t process) {
    struct signalfd_siginfo news;
    siginfo_t information;
    while (read(orphans, &news, sizeof news) == (ssize_t)sizeof news) {
    }
    for (;;) {
        information.si_pid = 0;
        if (waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) < 0 || information.si_pid == 0 ||
            information.si_pid == process) {
            return;
        }
        waitid(P_PID, (id_t)information.si_pid, &information, WEXITED | WNOHANG);
    }
}

/* Until the inside has ended by itself, or there is a reason to end it. */
static enum supervise_end watch(const struct spec *spec, const struct cgroup *cgroup, pid_t process, int descriptor,
                                struct supervise_outcome *outcome) {
    bool student = spec->role == SPEC_STUDENT, left;
    uint64_t cpu_us, started = now_ms(), set_up_us = own_cpu_us(process);
    for (;;) {
        /* No events are asked for of the host's stream: that it is closed is told in any case. */
        struct pollfd places[] = {
            { .fd = descriptor, .events = POLLIN },
            { .fd = signals, .events = POLLIN },
            { .fd = student ? -1 : STDIN_FILENO, .events = 0 },
            place_of(0),
            place_of(1),
            { .fd = orphans, .events = POLLIN },
        };
        if (poll(places, sizeof places / sizeof *places, student ? TICK_MS : -1) < 0 && errno != EINTR) {
            fail("poll");
        }
        if (places[5].revents) {
            reap_orphans(process);
        }
        int reason = pass_both_on(spec->output_bytes, &left, &outcome->error);
        if (reason < 0 && student) {
            reason = reason_to_end(spec, cgroup, started);
        }
        if (reason >= 0) {
            return (enum supervise_end)reason;
        }
        if ((places[0].revents & POLLIN) && collect(descriptor, &outcome->exit_code, &cpu_us)) {
            /* Without a group its CPU time is known only now: a process that went beyond was ended by SIGXCPU, if it let itself be,
               but a program that sends itself that signal didn't. */
            bool beyond = student && spec->accounting == SPEC_RLIMIT && cpu_us > set_up_us + spec->cpu_ms * 1000;
            return beyond ? SUPERVISE_CPU : deliver(spec, started, &outcome->error);
        }
        if (places[1].revents) {
            return SUPERVISE_ABANDONED;
        }
        if (places[2].revents) {
            return farewell(descriptor, &outcome->exit_code) ? SUPERVISE_ENDED : SUPERVISE_ABANDONED;
        }
    }
}

struct supervise_outcome supervise_wait(const struct spec *spec, const struct cgroup *cgroup, pid_t process,
                                        int descriptor) {
    struct supervise_outcome outcome = { 0 };
    outcome.end = watch(spec, cgroup, process, descriptor, &outcome);
    if (outcome.end != SUPERVISE_ENDED) {
        give_last();
    }
    return outcome;
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
