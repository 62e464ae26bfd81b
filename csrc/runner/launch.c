#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the case's process can fail before it executes; told to the runner through its status descriptor. */
enum stage {
    STAGE_DESCRIPTORS = 1,
    STAGE_BLOCK,
    STAGE_DIRECTORY,
    STAGE_LIMITS,
    STAGE_USER,
    STAGE_FILTER,
    STAGE_EXECUTE,
};

struct failure {
    int stage, reason;
};

/* What the launcher is sent; the descriptors come with it. */
struct order {
    uint64_t cpu_ms, file_bytes, processes, memory_bytes; /* memory_bytes: 0 when a cgroup bounds it */
    uint64_t block_bytes;
    uint32_t argument_count, environment_count;
    uint32_t into_group;
};

enum { PLACE_BLOCK, PLACE_INPUT, PLACE_OUTPUT, PLACE_ERRORS, PLACE_STATUS, PLACE_GROUP, PLACES };

struct answer {
    pid_t process;
    int reason;
};

/* Read once, by the launcher, before the first case. */
static struct sock_filter filter[BPF_MAXINSNS];
static unsigned short filter_length;

/* The launcher's descriptors, in places of their own. */
enum { CHANNEL = 3, PROCESSES = 4, FIRST_FREE = 5 };

/* ---- the case's process ---- */

static _Noreturn void give_up(int status, int stage) {
    struct failure failure = { .stage = stage, .reason = errno };
    ssize_t written = write(status, &failure, sizeof failure);
    (void)written;
    _exit(127);
}

/* The kernel takes the likelier victim first when memory runs out anywhere: 1000 is the likeliest. */
static bool volunteer(int processes, const char *score) {
    const ssize_t length = (ssize_t)strlen(score);
    int descriptor = openat(processes, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    bool done = descriptor >= 0 && write(descriptor, score, (size_t)length) == length;
    if (descriptor >= 0) {
        close(descriptor);
    }
    return done;
}

static bool bound(__rlimit_resource_t resource, rlim_t soft, rlim_t hard) {
    struct rlimit now, wanted;
    if (getrlimit(resource, &now) < 0) {
        return false;
    }
    wanted.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
    wanted.rlim_cur = soft < wanted.rlim_max ? soft : wanted.rlim_max;
    return setrlimit(resource, &wanted) == 0;
}

/* A second net: of CPU time a second more than the limit, so that the runner's own measure comes first. */
static bool bound_student(const struct order *order) {
    const rlim_t mega = UINT64_C(1) << 20;
    rlim_t cpu_s = (rlim_t)(order->cpu_ms + 999) / 1000 + 1;
    rlim_t memory = order->memory_bytes;
    return bound(RLIMIT_CPU, cpu_s, cpu_s + 1) && bound(RLIMIT_FSIZE, order->file_bytes, order->file_bytes) &&
           bound(RLIMIT_NPROC, order->processes, order->processes) && bound(RLIMIT_STACK, 8 * mega, 64 * mega) &&
           bound(RLIMIT_CORE, 1, 1) && bound(RLIMIT_NOFILE, 256, 256) && bound(RLIMIT_MSGQUEUE, 0, 0) &&
           (!memory ||
            (bound(RLIMIT_DATA, memory, memory) && bound(RLIMIT_AS, memory + 64 * mega, memory + 64 * mega)));
}

static bool become_student(void) {
    const uid_t student = LAUNCH_STUDENT_ID;
    return setgroups(0, NULL) == 0 && setresgid(student, student, student) == 0 &&
           setresuid(student, student, student) == 0 && setresuid(0, 0, 0) < 0;
}

static bool put_filter_on(void) {
    struct sock_fprog program = { .len = filter_length, .filter = filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* By the launcher, once: the cases' processes inherit it, which spares each 64 system calls. */
static void reset_signals(void) {
    sigset_t none;
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGKILL && number != SIGSTOP) {
            signal(number, SIG_DFL);
        }
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Splits `count` strings off, each ended by its NUL. */
static const char *split(const char *next, const char **strings, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        strings[i] = next;
        next += strlen(next) + 1;
    }
    strings[count] = NULL;
    return next;
}

static _Noreturn void become_case(const struct order *order, const int places[PLACES]) {
    int status = places[PLACE_STATUS];
    /* The places that were received are all above 2, which the launcher keeps occupied. */
    if (dup2(places[PLACE_INPUT], 0) < 0 || dup2(places[PLACE_OUTPUT], 1) < 0 || dup2(places[PLACE_ERRORS], 2) < 0 ||
        close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0 || setsid() < 0 || !volunteer(PROCESSES, "1000")) {
        give_up(status, STAGE_DESCRIPTORS);
    }
    const char *block = mmap(NULL, order->block_bytes, PROT_READ, MAP_PRIVATE, places[PLACE_BLOCK], 0);
    size_t pointers = (size_t)order->argument_count + order->environment_count + 2;
    const char **strings =
        mmap(NULL, pointers * sizeof *strings, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED || strings == MAP_FAILED) {
        give_up(status, STAGE_BLOCK);
    }
    const char *interpreter = block, *directory = block + strlen(block) + 1;
    const char *next = split(directory + strlen(directory) + 1, strings, order->argument_count);
    split(next, strings + order->argument_count + 1, order->environment_count);
    umask(022);
    if (chdir(directory) < 0) {
        give_up(status, STAGE_DIRECTORY);
    }
    if (!bound_student(order)) {
        give_up(status, STAGE_LIMITS);
    }
    if (!become_student()) {
        give_up(status, STAGE_USER);
    }
    if (!put_filter_on()) {
        give_up(status, STAGE_FILTER);
    }
    execve(interpreter, (char *const *)strings, (char *const *)(strings + order->argument_count + 1));
    give_up(status, STAGE_EXECUTE);
}

/* ---- the launcher ---- */

static bool receive(int channel, struct order *order, int places[PLACES]) {
    union {
        char bytes[CMSG_SPACE(PLACES * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec piece = { .iov_base = order, .iov_len = sizeof *order };
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes
    };
    ssize_t length;
    do {
        length = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    } while (length < 0 && errno == EINTR);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (length != (ssize_t)sizeof *order || !header || header->cmsg_type != SCM_RIGHTS) {
        return false;
    }
    size_t expected = order->into_group ? PLACES : PLACES - 1;
    places[PLACE_GROUP] = -1;
    if (header->cmsg_len != CMSG_LEN(expected * sizeof(int))) {
        return false;
    }
    memcpy(places, CMSG_DATA(header), expected * sizeof(int));
    return true;
}

static void enter_group(const struct walls *walls) {
    const int files[] = { walls->memory_enter, walls->pids_enter, walls->cpu_enter, walls->processors_enter };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i] >= 0 && write(files[i], "0", 1) < 0) {
            _exit(1);
        }
    }
}

static void read_filter(int descriptor) {
    ssize_t length = pread(descriptor, filter, sizeof filter, 0);
    if (length <= 0 || (size_t)length % sizeof *filter) {
        _exit(1);
    }
    filter_length = (unsigned short)((size_t)length / sizeof *filter);
}

/* A limit of core dumps means never to those that a program of the host's takes through a pipe, but not to those that one takes
   through a socket (Linux 6.16): with this nothing of a process's memory is in them. Cases inherit it. */
static void keep_memory_out_of_dumps(int processes) {
    int descriptor = openat(processes, "self/coredump_filter", O_WRONLY | O_CLOEXEC);
    if (descriptor >= 0) {
        if (write(descriptor, "0", 1) != 1) {
            _exit(1);
        }
        close(descriptor);
    } else if (errno != ENOENT) {
        _exit(1);
    }
}

/* Keeps nothing of the runner's but its end of the channel and the /proc; 0, 1 and 2 stay occupied. */
static void keep_two_only(int channel, int processes) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int channel_away = fcntl(channel, F_DUPFD_CLOEXEC, FIRST_FREE);
    int processes_away = fcntl(processes, F_DUPFD_CLOEXEC, FIRST_FREE);
    if (null < 0 || channel_away < 0 || processes_away < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(null, 2) < 0 || dup3(channel_away, CHANNEL, O_CLOEXEC) < 0 ||
        dup3(processes_away, PROCESSES, O_CLOEXEC) < 0 || close_range(FIRST_FREE, ~0U, 0) < 0) {
        _exit(1);
    }
}

static _Noreturn void be_launcher(int channel, const struct walls *walls) {
    struct order order;
    int places[PLACES];
    struct answer ready = { 0 };
    keep_memory_out_of_dumps(walls->processes);
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NAME, "launcher");
    reset_signals();
    enter_group(walls);
    /* A container's limit is the runner's as well: whom the runner can replace goes before it. */
    if (walls_in_container(walls) && !volunteer(walls->processes, "500")) {
        _exit(1);
    }
    read_filter(walls->filter);
    keep_two_only(channel, walls->processes);
    if (send(CHANNEL, &ready, sizeof ready, MSG_NOSIGNAL) < 0) {
        _exit(1);
    }
    while (receive(CHANNEL, &order, places)) {
        struct clone_args arguments = { .flags = CLONE_PARENT };
        if (order.into_group) {
            arguments.flags |= CLONE_INTO_CGROUP;
            arguments.cgroup = (uint64_t)places[PLACE_GROUP];
        }
        long process = syscall(SYS_clone3, &arguments, sizeof arguments);
        if (process == 0) {
            become_case(&order, places);
        }
        struct answer answer = { .process = (pid_t)process, .reason = process < 0 ? errno : 0 };
        close_range(FIRST_FREE, ~0U, 0);
        if (send(CHANNEL, &answer, sizeof answer, MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    _exit(0);
}

/* ---- the runner's side ---- */

static bool hear(struct launcher *launcher, struct answer *answer, struct fault *fault) {
    ssize_t length;
    do {
        length = recv(launcher->channel, answer, sizeof *answer, 0);
    } while (length < 0 && errno == EINTR);
    if (length != (ssize_t)sizeof *answer) {
        return fault_fatal(fault, "launcher",
                           "the launcher is gone: it could not enter the case's group, or was killed");
    }
    return true;
}

bool launch_start(struct launcher *launcher, const struct walls *walls, struct fault *fault) {
    int ends[2];
    struct answer ready;
    if (launcher->process > 0) {
        close(launcher->channel);
        launcher->process = 0;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return fault_fatal(fault, "launcher", "no channel to it: %s", strerror(errno));
    }
    /* Without an exit signal it is no child that a plain wait sees: waiting for all children means all but
       this one. */
    struct clone_args arguments = { 0 };
    long process = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (process == 0) {
        close(ends[0]);
        be_launcher(ends[1], walls);
    }
    close(ends[1]);
    if (process < 0) {
        close(ends[0]);
        return fault_fatal(fault, "launcher", "it can't be started: %s", strerror(errno));
    }
    launcher->process = (pid_t)process;
    launcher->channel = ends[0];
    return hear(launcher, &ready, fault);
}

bool launch_alive(const struct launcher *launcher) {
    return waitpid(launcher->process, NULL, WNOHANG | __WALL) == 0;
}

/* Appends a string with its NUL; the room was counted before. */
static char *append(char *next, const void *bytes, size_t length) {
    memcpy(next, bytes, length);
    next[length] = 0;
    return next + length + 1;
}

static char *append_list(char *next, struct protocol_list list) {
    struct protocol_bytes item;
    while (protocol_list_next(&list, &item)) {
        next = append(next, item.data, item.length);
    }
    return next;
}

static bool write_all(int descriptor, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t count = write(descriptor, bytes, length);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        bytes += count > 0 ? count : 0;
        length -= count > 0 ? (size_t)count : 0;
    }
    return true;
}

bool launch_pack(struct launch_block *block, const char *interpreter, const char *directory, const char *program,
                 struct protocol_list arguments, struct protocol_list environment, struct fault *fault) {
    const char *const fixed[] = { interpreter, directory, interpreter, program };
    size_t size = arguments.bytes + arguments.count + environment.bytes + environment.count;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        size += strlen(fixed[i]) + 1;
    }
    char *text = malloc(size), *next = text;
    int descriptor = memfd_create("case", MFD_CLOEXEC);
    if (text && descriptor >= 0) {
        for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
            next = append(next, fixed[i], strlen(fixed[i]));
        }
        append_list(append_list(next, arguments), environment);
    }
    bool done = text && descriptor >= 0 && write_all(descriptor, text, size);
    if (!done) {
        fault_fatal(fault, "memory", "the case's arguments can't be kept: %s", strerror(errno));
        if (descriptor >= 0) {
            close(descriptor);
        }
    } else {
        *block = (struct launch_block){ .descriptor = descriptor,
                                        .argument_count = arguments.count + 2,
                                        .environment_count = environment.count };
    }
    free(text);
    return done;
}

static bool order_case(struct launcher *launcher, const struct launch *launch, int status, struct fault *fault) {
    struct stat block;
    if (fstat(launch->block.descriptor, &block) < 0) {
        return fault_fatal(fault, "launcher", "the case's arguments are lost: %s", strerror(errno));
    }
    struct order order = {
        .cpu_ms = launch->limits.cpu_ms,
        .file_bytes = launch->limits.file_bytes,
        .processes = launch->limits.processes,
        .memory_bytes = launch->bound_memory ? launch->limits.memory_bytes : 0,
        .block_bytes = (uint64_t)block.st_size,
        .argument_count = launch->block.argument_count,
        .environment_count = launch->block.environment_count,
        .into_group = launch->group >= 0,
    };
    const int places[PLACES] = { launch->block.descriptor, launch->input, launch->output,
                                 launch->errors,           status,        launch->group };
    size_t count = launch->group >= 0 ? PLACES : PLACES - 1;
    union {
        char bytes[CMSG_SPACE(PLACES * sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    struct iovec piece = { .iov_base = &order, .iov_len = sizeof order };
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), places, count * sizeof(int));
    if (sendmsg(launcher->channel, &message, MSG_NOSIGNAL) != (ssize_t)sizeof order) {
        return fault_fatal(fault, "launcher", "it can't be told: %s", strerror(errno));
    }
    return true;
}

bool launch_case(struct launcher *launcher, const struct launch *launch, struct launch_process *process,
                 struct fault *fault) {
    int status[2];
    struct answer answer;
    if (pipe2(status, O_CLOEXEC | O_NONBLOCK) < 0) {
        return fault_fatal(fault, "launcher", "no pipe: %s", strerror(errno));
    }
    bool told = order_case(launcher, launch, status[1], fault) && hear(launcher, &answer, fault);
    close(status[1]);
    if (!told) {
        close(status[0]);
        return false;
    }
    if (answer.process < 0) {
        close(status[0]);
        return fault_fatal(fault, "launcher", "the case's process can't be made: %s", strerror(answer.reason));
    }
    int descriptor = (int)syscall(SYS_pidfd_open, answer.process, 0);
    if (descriptor < 0) {
        close(status[0]);
        return fault_fatal(fault, "launcher", "the case's process can't be watched: %s", strerror(errno));
    }
    *process = (struct launch_process){ .process = answer.process, .descriptor = descriptor, .status = status[0] };
    return true;
}

bool launch_executed(struct launch_process *process, const char *interpreter, struct fault *fault) {
    static const char *const stages[] = {
        [STAGE_DESCRIPTORS] = "its descriptors", [STAGE_BLOCK] = "its arguments", [STAGE_DIRECTORY] = "its directory",
        [STAGE_LIMITS] = "its limits",           [STAGE_USER] = "its user",       [STAGE_FILTER] = "its system calls",
    };
    struct failure failure;
    ssize_t length = read(process->status, &failure, sizeof failure);
    close(process->status);
    process->status = -1;
    if (length == 0) {
        return true;
    }
    if (length != (ssize_t)sizeof failure || failure.stage < STAGE_DESCRIPTORS || failure.stage > STAGE_EXECUTE) {
        return fault_fatal(fault, "launcher", "the case's process ended without a word");
    }
    const char *reason = strerror(failure.reason);
    if (failure.stage != STAGE_EXECUTE) {
        return fault_fatal(fault, "launcher", "the case's process can't be set up, %s: %s", stages[failure.stage],
                           reason);
    }
    if (failure.reason == E2BIG) {
        return fault_case(fault, "arguments",
                          "the arguments are too long for the system (E2BIG): a single one may have "
                          "131,071 bytes, all together a little under 2 MiB; give them on standard input instead");
    }
    return fault_case(fault, "interpreter", "%s can't be executed inside: %s; show its folder read-only to the sandbox",
                      interpreter, reason);
}
