#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "../base/cleanup.h"
#include "loop.h"

/* Sources of descriptors are kept above the numbers that a child may be given, so that no dup2 hits a later source. */
enum { HIGH_DESCRIPTOR = 100, READ_SIZE = 65536 };

struct stream {
    uv_pipe_t handle;
    struct child *child;
    bool open;
    void (*got)(void *context, const char *data, ssize_t length);
    void *context;
};

struct child {
    pid_t pid;
    int pidfd;
    uv_poll_t poll;
    struct stream streams[3];
    unsigned handles; /* open on the loop: the memory stays until all are closed */
    bool ended, closed;
    struct child_end end;
    void (*on_end)(void *context);
    void *end_context;
};

/* ---- starting ---- */

static int raise_descriptor(int *fd) {
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
    if (high < 0)
        return errno;
    close(*fd);
    *fd = high;
    return 0;
}

static int make_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) < 0)
        return errno;
    int error = raise_descriptor(&ends[0]);
    return error ? error : raise_descriptor(&ends[1]);
}

/* A memory file, sealed: nobody can write to it any more. */
static int make_data(const struct child_descriptor *descriptor, int *fd) {
    _cleanup_(close_fd) int writable = memfd_create("submitter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (writable < 0)
        return errno;
    for (size_t at = 0; at < descriptor->length;) {
        ssize_t written = write(writable, descriptor->data + at, descriptor->length - at);
        if (written < 0)
            return errno;
        at += (size_t)written;
    }
    if (fcntl(writable, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0 ||
        lseek(writable, 0, SEEK_SET) < 0)
        return errno;
    int error = raise_descriptor(&writable);
    if (!error)
        *fd = take_fd(&writable);
    return error;
}

static bool is_given(const struct child_options *options, int number) {
    for (size_t index = 0; index < options->descriptor_count; index++)
        if (options->descriptors[index].number == number)
            return true;
    return false;
}

/* Closes what nobody named: files of io.open and what the host itself inherited have no close-on-exec. */
static int close_others(const struct child_options *options, posix_spawn_file_actions_t *actions) {
    int error = 0;
    int number = STDERR_FILENO + 1;
    for (; number < HIGH_DESCRIPTOR && options->descriptor_count && !error; number++)
        if (!is_given(options, number))
            error = posix_spawn_file_actions_addclose(actions, number);
    return error ? error : posix_spawn_file_actions_addclosefrom_np(actions, number);
}

static void close_all(int *fds, size_t count) {
    for (size_t index = 0; index < count; index++)
        close_fd(&fds[index]);
}

static int start_attributes(const struct child_options *options, posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF; /* the host ignores SIGPIPE; a program must not */
    if (options->new_session)
        flags |= POSIX_SPAWN_SETSID;
    int error = posix_spawnattr_setsigmask(attributes, &none);
    if (!error)
        error = posix_spawnattr_setsigdefault(attributes, &all);
    return error ? error : posix_spawnattr_setflags(attributes, flags);
}

/* Names what each descriptor of the child is; theirs[] are its ends of the pipes, data[] the extra ones. */
static int start_actions(const struct child_options *options, const int theirs[3], const int *data,
                         posix_spawn_file_actions_t *actions) {
    for (int stream = 0; stream < 3; stream++) {
        int error = 0;
        if (options->streams[stream] == CHILD_PIPE)
            error = posix_spawn_file_actions_adddup2(actions, theirs[stream], stream);
        else if (options->streams[stream] == CHILD_NULL)
            error = posix_spawn_file_actions_addopen(actions, stream, "/dev/null", stream ? O_WRONLY : O_RDONLY, 0);
        if (error)
            return error;
    }
    for (size_t index = 0; index < options->descriptor_count; index++) {
        int error = posix_spawn_file_actions_adddup2(actions, data[index], options->descriptors[index].number);
        if (error)
            return error;
    }
    int error = options->directory >= 0 ? posix_spawn_file_actions_addfchdir_np(actions, options->directory) : 0;
    return error ? error : close_others(options, actions);
}

static int spawn(const struct child_options *options, const int theirs[3], const int *data, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (!error) {
        error = start_attributes(options, &attributes);
        if (!error)
            error = start_actions(options, theirs, data, &actions);
        if (!error)
            error = posix_spawn(pid, options->program, &actions, &attributes, options->arguments, options->environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int child_start(const struct child_options *options, struct child_start *start) {
    enum { MAXIMUM_DESCRIPTORS = 16 };
    int ours[3] = { -1, -1, -1 }, theirs[3] = { -1, -1, -1 }, data[MAXIMUM_DESCRIPTORS];
    int error = options->descriptor_count > MAXIMUM_DESCRIPTORS ? E2BIG : 0;
    memset(data, -1, sizeof data);
    for (int stream = 0; stream < 3 && !error; stream++) {
        int ends[2] = { -1, -1 };
        if (options->streams[stream] != CHILD_PIPE)
            continue;
        error = make_pipe(ends);
        ours[stream] = ends[stream == CHILD_STDIN];
        theirs[stream] = ends[stream != CHILD_STDIN];
    }
    for (size_t index = 0; index < options->descriptor_count && !error; index++)
        error = make_data(&options->descriptors[index], &data[index]);
    pid_t pid = -1;
    if (!error)
        error = spawn(options, theirs, data, &pid);
    if (!error) {
        /* No race: it is our child, and nobody else reaps it. */
        int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0) {
            error = errno;
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        } else {
            fcntl(pidfd, F_SETFD, FD_CLOEXEC);
            *start = (struct child_start){ .pid = pid, .pidfd = pidfd, .pipes = { ours[0], ours[1], ours[2] } };
        }
    }
    close_all(theirs, 3);
    close_all(data, options->descriptor_count < MAXIMUM_DESCRIPTORS ? options->descriptor_count : MAXIMUM_DESCRIPTORS);
    if (error)
        close_all(ours, 3);
    return error;
}

/* ---- life on the loop ---- */

static void drop_handle(struct child *child) {
    if (--child->handles == 0 && child->closed) {
        close(child->pidfd);
        free(child);
    }
}

static void on_stream_closed(uv_handle_t *handle) {
    drop_handle(((struct stream *)handle->data)->child);
}

static void on_poll_closed(uv_handle_t *handle) {
    drop_handle(handle->data);
}

static void close_stream(struct stream *stream) {
    if (!stream->open)
        return;
    stream->open = false;
    uv_close((uv_handle_t *)&stream->handle, on_stream_closed);
}

static int open_stream(struct child *child, int index, int fd) {
    struct stream *stream = &child->streams[index];
    stream->child = child;
    if (fd < 0)
        return 0;
    uv_pipe_init(loop_get(), &stream->handle, 0);
    stream->handle.data = stream;
    stream->open = true;
    child->handles++;
    int status = uv_pipe_open(&stream->handle, fd);
    if (status < 0) {
        close(fd);
        close_stream(stream);
    }
    return -status;
}

/* waitid(2) as the kernel has it: the fifth argument, which glibc hides, is the usage. */
static bool reap(struct child *child) {
    siginfo_t info;
    struct rusage usage;
    memset(&info, 0, sizeof info);
    memset(&usage, 0, sizeof usage);
    if (syscall(SYS_waitid, P_PIDFD, child->pidfd, &info, WEXITED | WNOHANG, &usage) < 0 || info.si_pid == 0)
        return false;
    child->ended = true;
    child->end = (struct child_end){
        .exited = info.si_code == CLD_EXITED,
        .code = info.si_status,
        .user_us = (int64_t)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec,
        .system_us = (int64_t)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec,
        .max_rss_bytes = (int64_t)usage.ru_maxrss * 1024,
    };
    return true;
}

static void on_pidfd(uv_poll_t *poll, int status, int events) {
    struct child *child = poll->data;
    (void)status;
    (void)events;
    if (!reap(child))
        return;
    uv_poll_stop(poll);
    uv_close((uv_handle_t *)poll, on_poll_closed);
    if (child->on_end) {
        void (*on_end)(void *) = child->on_end;
        child->on_end = NULL;
        on_end(child->end_context);
    }
}

static int open_poll(struct child *child) {
    int status = uv_poll_init(loop_get(), &child->poll, child->pidfd);
    if (status < 0)
        return -status;
    child->poll.data = child;
    child->handles++;
    status = uv_poll_start(&child->poll, UV_READABLE, on_pidfd);
    if (status < 0)
        uv_close((uv_handle_t *)&child->poll, on_poll_closed);
    return -status;
}

/* Of a child that can't be put on the loop, where its end would be told. No race: nobody else reaps it. */
static void kill_and_reap(pid_t pid) {
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int child_adopt(struct child_start *start, struct child **adopted) {
    struct child *child = calloc(1, sizeof *child);
    if (!child) {
        kill_and_reap(start->pid);
        close_all(start->pipes, 3);
        close_fd(&start->pidfd);
        return ENOMEM;
    }
    child->pid = start->pid;
    child->pidfd = take_fd(&start->pidfd);
    int error = 0;
    for (int index = 0; index < 3; index++) {
        int failed = open_stream(child, index, take_fd(&start->pipes[index]));
        error = error ? error : failed;
    }
    error = error ? error : open_poll(child);
    if (error) {
        kill_and_reap(child->pid);
        child->ended = true;
        child_close(child, SIGKILL);
        return error;
    }
    *adopted = child;
    return 0;
}

pid_t child_pid(const struct child *child) {
    return child->pid;
}

void child_wait(struct child *child, void (*ended)(void *context), void *context) {
    if (child->ended) {
        ended(context);
        return;
    }
    child->on_end = ended;
    child->end_context = context;
}

void child_wait_stop(struct child *child) {
    child->on_end = NULL;
}

bool child_awaited(const struct child *child) {
    return child->on_end != NULL;
}

bool child_ended(const struct child *child, struct child_end *end) {
    if (child->ended)
        *end = child->end;
    return child->ended;
}

int child_kill(struct child *child, int signal) {
    if (child->ended)
        return ESRCH;
    return syscall(SYS_pidfd_send_signal, child->pidfd, signal, NULL, 0) < 0 ? errno : 0;
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    static char block[READ_SIZE]; /* one thread, and each read is handed on before the next */
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(block, sizeof block);
}

static void on_read(uv_stream_t *handle, ssize_t length, const uv_buf_t *buffer) {
    struct stream *stream = handle->data;
    if (length == 0) /* EAGAIN */
        return;
    uv_read_stop(handle);
    void (*got)(void *, const char *, ssize_t) = stream->got;
    stream->got = NULL;
    if (length == UV_EOF)
        length = 0;
    if (length <= 0)
        close_stream(stream);
    if (got)
        got(stream->context, buffer->base, length);
}

void child_read(struct child *child, enum child_stream index, void (*got)(void *, const char *, ssize_t),
                void *context) {
    struct stream *stream = &child->streams[index];
    if (!stream->open) {
        got(context, NULL, 0);
        return;
    }
    stream->got = got;
    stream->context = context;
    int status = uv_read_start((uv_stream_t *)&stream->handle, on_allocate, on_read);
    if (status < 0) {
        stream->got = NULL;
        got(context, NULL, status);
    }
}

void child_read_stop(struct child *child, enum child_stream index) {
    struct stream *stream = &child->streams[index];
    if (stream->open && stream->got)
        uv_read_stop((uv_stream_t *)&stream->handle);
    stream->got = NULL;
}

bool child_reading(const struct child *child, enum child_stream index) {
    return child->streams[index].got != NULL;
}

int child_write(struct child *child, const char *data, size_t length, void (*written)(void *, int), void *context) {
    struct stream *stream = &child->streams[CHILD_STDIN];
    if (!stream->open)
        return EPIPE;
    return loop_write((struct uv_stream_s *)&stream->handle, data, length, written, context);
}

void child_close_input(struct child *child) {
    close_stream(&child->streams[CHILD_STDIN]);
}

void child_close(struct child *child, int signal) {
    if (!child || child->closed)
        return;
    child->closed = true;
    child->on_end = NULL;
    child->handles++;
    for (int index = 0; index < 3; index++) {
        child->streams[index].got = NULL;
        close_stream(&child->streams[index]);
    }
    if (!child->ended)
        child_kill(child, signal); /* on_pidfd reaps it and closes the poll */
    drop_handle(child);
}
