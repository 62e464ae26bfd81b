#include "case.h"

#include "usage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* CPU time is looked at again no sooner than this: it bounds both what looking costs and how far a limit is
   missed. */
enum { LOOK_AGAIN_US = 2000 };

/* Memory, where nothing else bounds it: as much can be filled in this time as its limit is missed by. */
enum { LOOK_AT_MEMORY_US = 2000 };

/* Whoever couldn't look for so long, because the machine had others to run, may have missed the most. */
enum { BLIND_US = 5 * LOOK_AT_MEMORY_US };

/* So many are reaped, and so often, and so much, is read before the clock is looked at again: a pipe can be filled with packets of
   a byte each as fast as it is read. */
enum { REAP_AT_ONCE = 256, READS_AT_ONCE = 16, READ_BYTES_AT_ONCE = 256 * 1024 };

/* A stream of the program's. */
struct stream {
    int descriptor; /* -1 at its end */
    uint64_t counted, most, kept_most;
    struct case_output *kept;
};

/* A case that runs. */
struct run {
    struct case_room *room;
    const struct protocol_limits *limits;
    struct launch_process process;
    struct stream streams[2];
    struct usage usage;
    uint64_t started_us, ended_us, look_us, memory_us; /* the last two: when to look again */
    uint64_t looked_us, blind_us;                      /* at memory: when last, and the longest time without */
    int reason;                                        /* enum protocol_ending that we ended it for; 0 for none */
    bool over;                                         /* the main process has ended and was reaped */
    bool more;                                         /* others may have ended that were not reaped yet */
    int status;
};

static uint64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* ---- output ---- */

static bool keep(struct case_output *kept, const uint8_t *bytes, size_t length) {
    if (length == 0) {
        return true;
    }
    if (length > kept->capacity - kept->length) {
        size_t capacity = kept->capacity ? kept->capacity : 4096;
        while (capacity < kept->length + length) {
            capacity *= 2;
        }
        uint8_t *larger = realloc(kept->bytes, capacity);
        if (!larger) {
            return false;
        }
        kept->bytes = larger;
        kept->capacity = capacity;
    }
    memcpy(kept->bytes + kept->length, bytes, length);
    kept->length += length;
    return true;
}

/* Takes what there is; while the case runs (`all` is false) only so much of it. */
static bool drain(struct run *run, struct stream *stream, bool all, struct fault *fault) {
    static uint8_t bytes[64 * 1024];
    size_t taken = 0;
    for (int reads = 0; stream->descriptor >= 0 && stream->counted <= stream->most; reads++) {
        if (!all && (reads == READS_AT_ONCE || taken >= READ_BYTES_AT_ONCE)) {
            break;
        }
        ssize_t count = read(stream->descriptor, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            if (count == 0) {
                close(stream->descriptor);
                stream->descriptor = -1;
            }
            return true;
        }
        taken += (size_t)count;
        stream->counted += (uint64_t)count;
        uint64_t room = stream->kept_most - stream->kept->length;
        size_t wanted = (uint64_t)count < room ? (size_t)count : (size_t)room;
        if (!keep(stream->kept, bytes, wanted)) {
            return fault_case(fault, "memory", "the program's output can't be kept: out of memory");
        }
        run->room->leaf.held_bytes += wanted;
    }
    if (stream->counted > stream->most && !run->reason) {
        run->reason = PROTOCOL_ENDING_OUTPUT;
    }
    return true;
}

static bool open_streams(struct run *run, struct case_outcome *outcome, int ends[2], struct fault *fault) {
    const uint64_t most = run->limits->output_bytes;
    struct case_output *const kept[2] = { &outcome->output, &outcome->errors };
    for (int i = 0; i < 2; i++) {
        int both[2];
        if (pipe2(both, O_CLOEXEC) < 0) {
            return fault_fatal(fault, "runner", "no pipe: %s", strerror(errno));
        }
        run->streams[i] = (struct stream){ .descriptor = both[0], .most = most, .kept_most = most, .kept = kept[i] };
        ends[i] = both[1];
        /* The pipe is ours; a program that opens /dev/stdout anew must be let in, to write. */
        if (fcntl(both[0], F_SETFL, O_NONBLOCK) < 0 || fchmod(both[1], 0622) < 0) {
            return fault_fatal(fault, "runner", "a pipe can't be set up: %s", strerror(errno));
        }
    }
    if (run->streams[1].kept_most > PROTOCOL_STDERR_KEPT) {
        run->streams[1].kept_most = PROTOCOL_STDERR_KEPT;
    }
    return true;
}

/* ---- watching ---- */

static uint64_t cpu_us(const struct run *run) {
    uint64_t used;
    if (leaf_cpu_us(&run->room->leaf, &used)) {
        return used;
    }
    return usage_living_cpu_us(&run->usage, run->room->launcher.process);
}

static void note_look(struct run *run, uint64_t now) {
    if (now - run->looked_us > run->blind_us) {
        run->blind_us = now - run->looked_us;
    }
    run->looked_us = now;
}

static void look_at_memory(struct run *run) {
    uint64_t now = now_us();
    if (now < run->memory_us) {
        return;
    }
    note_look(run, now);
    run->memory_us = now + LOOK_AT_MEMORY_US;
    if (leaf_look(&run->room->leaf)) {
        run->reason = PROTOCOL_ENDING_MEMORY;
    }
}

static void look_at_time(struct run *run) {
    uint64_t now = now_us(), limit = run->limits->cpu_ms * 1000;
    if (now >= run->look_us) {
        uint64_t used = cpu_us(run);
        if (used >= limit) {
            run->reason = PROTOCOL_ENDING_CPU;
            return;
        }
        /* On all processors at once it could get there in this time, no sooner. */
        uint64_t least = (limit - used) / run->room->processors;
        run->look_us = now + (least < LOOK_AGAIN_US ? LOOK_AGAIN_US : least);
    }
    if (now - run->started_us >= run->limits->wall_ms * 1000) {
        run->reason = PROTOCOL_ENDING_WALL;
    }
}

/* Reaps whoever ended, at most so many at a time: where there are many processors, children can end as fast as
   they are reaped. Those that lost their parents are ours to reap, or they would count as processes of the case. */
static void reap_ended(struct run *run) {
    struct signalfd_siginfo information[8];
    struct rusage used;
    int status;
    while (read(run->room->signals, information, sizeof information) > 0) {
    }
    run->more = false;
    for (int reaped = 0;; reaped++) {
        if (reaped == REAP_AT_ONCE) {
            run->more = true;
            return;
        }
        pid_t process = wait4(-1, &status, WNOHANG, &used);
        if (process <= 0) {
            return;
        }
        usage_add(&run->usage, &used);
        if (process == run->process.process) {
            run->over = true;
            run->status = status;
        }
    }
}

/* The main process by its number: until it has executed something it is, like the launcher, no child that a
   plain wait sees. */
static void reap_main(struct run *run) {
    struct rusage used;
    int status;
    if (!run->over && wait4(run->process.process, &status, __WALL | WNOHANG, &used) == run->process.process) {
        usage_add(&run->usage, &used);
        run->over = true;
        run->status = status;
    }
}

static struct timespec until(const struct run *run) {
    uint64_t now = now_us(), deadline = run->started_us + run->limits->wall_ms * 1000;
    uint64_t next = run->look_us < deadline ? run->look_us : deadline;
    next = run->memory_us < next ? run->memory_us : next;
    uint64_t wait = next > now && !run->more ? next - now : 0;
    return (struct timespec){ .tv_sec = (time_t)(wait / 1000000), .tv_nsec = (long)(wait % 1000000) * 1000 };
}

/* Until the main process has ended or there is a reason to end it. */
static bool watch(struct run *run, struct fault *fault) {
    short alarm_events;
    int alarm = leaf_alarm(&run->room->leaf, &alarm_events);
    while (!run->over && !run->reason) {
        struct pollfd places[] = {
            { .fd = run->process.descriptor, .events = POLLIN },
            { .fd = run->room->signals, .events = POLLIN },
            { .fd = alarm, .events = alarm_events },
            { .fd = run->streams[0].descriptor, .events = POLLIN },
            { .fd = run->streams[1].descriptor, .events = POLLIN },
            /* No events are asked for: the host may have sent more, but that it has gone is told in any case.
               */
            { .fd = STDIN_FILENO, .events = 0 },
        };
        struct timespec wait = until(run);
        if (ppoll(places, sizeof places / sizeof *places, &wait, NULL) < 0 && errno != EINTR) {
            return fault_fatal(fault, "runner", "waiting failed: %s", strerror(errno));
        }
        if (places[5].revents) {
            _exit(0);
        }
        if ((places[2].revents & alarm_events) && leaf_alarmed(&run->room->leaf)) {
            run->reason = PROTOCOL_ENDING_MEMORY;
        }
        for (int i = 0; i < 2; i++) {
            if (places[3 + i].revents && !drain(run, &run->streams[i], false, fault)) {
                return false;
            }
        }
        if (places[1].revents || run->more) {
            reap_ended(run);
        }
        if (places[0].revents) {
            reap_main(run);
        }
        if (!run->over && !run->reason) {
            look_at_memory(run);
        }
        if (!run->over && !run->reason) {
            look_at_time(run);
        }
    }
    return true;
}

/* ---- ending ---- */

/* By its own descriptor first, because before it has become the student it is not among the student's
   processes. */
static void end_main(struct run *run) {
    siginfo_t information;
    struct rusage used;
    if (run->over) {
        return;
    }
    syscall(SYS_pidfd_send_signal, run->process.descriptor, SIGKILL, NULL, 0);
    while (waitid(P_PID, (id_t)run->process.process, &information, WEXITED | WNOWAIT | __WALL) < 0 && errno == EINTR) {
    }
    if (wait4(run->process.process, &run->status, __WALL, &used) == run->process.process) {
        usage_add(&run->usage, &used);
        run->over = true;
    }
}

static void tell_ending(struct run *run, struct protocol_result *result) {
    const struct protocol_limits *limits = run->limits;
    if (run->reason != PROTOCOL_ENDING_OUTPUT && leaf_exhausted(&run->room->leaf)) {
        run->reason = PROTOCOL_ENDING_MEMORY;
    }
    /* It may have ended by itself in the moment between its limit and our look at it. */
    if (!run->reason && result->cpu_us > limits->cpu_ms * 1000) {
        run->reason = PROTOCOL_ENDING_CPU;
    }
    if (!run->reason && result->wall_us > limits->wall_ms * 1000) {
        run->reason = PROTOCOL_ENDING_WALL;
    }
    if (run->reason) {
        result->ending = (uint8_t)run->reason;
    } else if (WIFSIGNALED(run->status)) {
        result->ending = PROTOCOL_ENDING_SIGNAL;
        result->signal = (uint32_t)WTERMSIG(run->status);
    } else {
        result->ending = PROTOCOL_ENDING_EXIT;
        result->exit_code = (uint32_t)WEXITSTATUS(run->status);
    }
}

/* The largest process's resident memory, its code and all, which isn't told where it isn't needed; and of what nobody saw it isn't
   said that it was more than allowed. */
static void tell_unseen_memory(struct run *run, struct protocol_result *result) {
    uint64_t peak = run->usage.peak_bytes, most = run->limits->memory_bytes;
    note_look(run, run->ended_us);
    peak = peak < most ? peak : most;
    if (run->blind_us > BLIND_US && peak > result->memory_bytes) {
        result->memory_bytes = peak;
    }
}

static void tell_usage(struct run *run, struct protocol_result *result) {
    result->wall_us = run->ended_us - run->started_us;
    /* A counter of a group tells what runs at this moment a tick late; what was reaped is certain. */
    if (!leaf_cpu_us(&run->room->leaf, &result->cpu_us) ||
        (walls_in_container(run->room->walls) && result->cpu_us < run->usage.cpu_us)) {
        result->cpu_us = run->usage.cpu_us;
    }
    if (!leaf_memory_bytes(&run->room->leaf, &result->memory_bytes)) {
        result->memory_bytes = run->usage.peak_bytes;
    } else if (leaf_needs_looks(&run->room->leaf)) {
        tell_unseen_memory(run, result);
    }
}

static void tell_output(struct run *run, struct protocol_result *result) {
    result->stdout_bytes = run->streams[0].counted;
    result->stderr_bytes = run->streams[1].counted;
    if (run->streams[0].counted > run->streams[0].kept->length) {
        result->flags |= PROTOCOL_STDOUT_TRUNCATED;
    }
    if (run->streams[1].counted > run->streams[1].kept->length) {
        result->flags |= PROTOCOL_STDERR_TRUNCATED;
    }
}

/* Everything that is left is ended before the rest of the output is taken: nobody can keep us waiting for it.
   */
static bool finish(struct run *run, struct protocol_result *result, struct fault *fault) {
    run->ended_us = now_us();
    end_main(run);
    if (!scrub_processes(&run->room->leaf, &run->usage, fault)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (!drain(run, &run->streams[i], true, fault)) {
            return false;
        }
    }
    tell_usage(run, result);
    tell_ending(run, result);
    tell_output(run, result);
    return leaf_keeps_promise(&run->room->leaf, fault);
}

static bool clean(struct case_room *room, uint64_t file_bytes, struct fault *fault) {
    return leaf_finish(&room->leaf, fault) && scrub_ipc(fault) && scrub_sockets(room->sockets, fault) &&
           scrub_scratch(&room->scratch, file_bytes, fault);
}

static void close_one(int *descriptor) {
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

/* Opened anew for each case: what an open file has of its own, flags for one, the next case would find as this one
   left it. */
static bool open_empty(int *input, struct fault *fault) {
    *input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return *input >= 0 || fault_fatal(fault, "runner", "/dev/null can't be opened: %s", strerror(errno));
}

static bool start(struct run *run, const struct protocol_case *test, struct launch_block block, int input,
                  struct case_outcome *outcome, struct fault *fault) {
    struct case_room *room = run->room;
    int ends[2] = { -1, -1 }, empty = -1;
    bool done = (launch_alive(&room->launcher) || launch_start(&room->launcher, room->walls, fault)) &&
                scrub_scratch(&room->scratch, test->limits.file_bytes, fault) &&
                leaf_begin(&room->leaf, test, room->launcher.process, fault) &&
                scrub_numbers(room->walls, room->launcher.process, fault) && open_streams(run, outcome, ends, fault) &&
                (input >= 0 || open_empty(&empty, fault));
    if (done) {
        struct launch launch = {
            .block = block,
            .limits = test->limits,
            .bound_memory = room->walls->accounting == WALLS_RLIMIT,
            .input = input >= 0 ? input : empty,
            .output = ends[0],
            .errors = ends[1],
            .group = leaf_clone_target(&room->leaf),
        };
        run->started_us = now_us();
        run->look_us = run->started_us + test->limits.cpu_ms * 1000 / room->processors;
        run->memory_us = leaf_needs_looks(&room->leaf) ? run->started_us : UINT64_MAX;
        run->looked_us = run->started_us;
        done = launch_case(&room->launcher, &launch, &run->process, fault);
    }
    close_one(&ends[0]);
    close_one(&ends[1]);
    close_one(&empty);
    return done;
}

/* The launcher died of want of memory while it made the case's process: the limit is too small for a process
   to begin at all. That is a verdict, not a failure of ours; the next case gets a new launcher. */
static bool stillborn(struct run *run, struct protocol_result *result, struct fault *fault) {
    if (!leaf_exhausted(&run->room->leaf) || launch_alive(&run->room->launcher)) {
        return false;
    }
    if (!scrub_everything(&run->usage, fault)) {
        return false;
    }
    run->ended_us = now_us();
    tell_usage(run, result);
    result->ending = PROTOCOL_ENDING_MEMORY;
    return true;
}

/* Watches the case to its end. Whatever goes wrong meanwhile, it is ended and measured. */
static bool follow(struct run *run, const char *interpreter, struct protocol_result *result, struct fault *fault) {
    struct fault watching = { 0 }, executing = { 0 };
    bool watched = watch(run, &watching);
    bool done = finish(run, result, fault);
    bool executed = launch_executed(&run->process, interpreter, &executing);
    if (done && !(watched && executed)) {
        *fault = watched ? executing : watching;
        done = false;
    }
    return done;
}

bool case_run(struct case_room *room, const struct protocol_case *test, struct launch_block block,
              const char *interpreter, int input, struct case_outcome *outcome, struct fault *fault) {
    struct run run = { .room = room,
                       .limits = &test->limits,
                       .process = { .process = -1, .descriptor = -1, .status = -1 },
                       .streams = { { .descriptor = -1 }, { .descriptor = -1 } } };
    struct fault cleaning = { 0 };
    *outcome = (struct case_outcome){ .result = { .case_number = test->number } };
    bool done = start(&run, test, block, input, outcome, fault);
    close_one(&block.descriptor);
    done = done ? follow(&run, interpreter, &outcome->result, fault) : stillborn(&run, &outcome->result, fault);
    if ((done || !fault->fatal) && !clean(room, test->limits.file_bytes, &cleaning)) {
        *fault = cleaning;
        done = false;
    }
    close_one(&run.process.descriptor);
    close_one(&run.streams[0].descriptor);
    close_one(&run.streams[1].descriptor);
    if (!done) {
        case_outcome_end(outcome);
    }
    return done;
}

void case_outcome_end(struct case_outcome *outcome) {
    free(outcome->output.bytes);
    free(outcome->errors.bytes);
    outcome->output = outcome->errors = (struct case_output){ 0 };
}

bool case_prepare(struct case_room *room, const struct walls *walls, const struct protocol_limits *most,
                  struct fault *fault) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    *room = (struct case_room){ .walls = walls, .scratch = { .file_bytes = UINT64_MAX } };
    room->processors = usage_processors();
    leaf_open(&room->leaf, walls);
    if (sigprocmask(SIG_BLOCK, &child, NULL) < 0) {
        return fault_fatal(fault, "runner", "signals can't be blocked: %s", strerror(errno));
    }
    if (!launch_start(&room->launcher, walls, fault)) {
        return false;
    }
    room->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (room->signals < 0) {
        return fault_fatal(fault, "runner", "signals can't be read: %s", strerror(errno));
    }
    return scrub_count_sockets(&room->sockets, fault) && scrub_scratch(&room->scratch, most->file_bytes, fault);
}
