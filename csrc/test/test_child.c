/* Tests of what io/child.c does with a child that can't be put on the loop. Specs show the rest (spec/core/child_spec.lua). */
#include "../io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "tap.h"

enum { NO_DESCRIPTOR = 987 };

static pid_t start_child(void) {
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

/* Adopts a child and expects an error, the child's end, and that of every descriptor. */
static void refuse(const char *what, struct child_start *start, int expected) {
    struct child *child = NULL;
    pid_t pid = start->pid;
    int pidfd = start->pidfd, output = start->pipes[CHILD_STDOUT];
    int error = child_adopt(start, &child);
    uv_run(uv_default_loop(), UV_RUN_NOWAIT);
    tap_ok(error == expected && !child, "%s: error %d", what, error);
    tap_ok(kill(pid, 0) < 0 && errno == ESRCH, "%s: the child was killed and reaped", what);
    tap_ok(!is_open(pidfd) && !is_open(output), "%s: its descriptors are closed", what);
    tap_ok(!uv_loop_alive(uv_default_loop()), "%s: nothing of it is on the loop", what);
}

static void test_end_that_cannot_be_watched(void) {
    int ends[2];
    if (!tap_ok(pipe2(ends, O_CLOEXEC) == 0, "a pipe"))
        return;
    /* In the place of a pidfd one that epoll refuses. */
    struct child_start start = { .pid = start_child(), .pidfd = open("/dev/null", O_RDONLY | O_CLOEXEC) };
    start.pipes[CHILD_STDIN] = start.pipes[CHILD_STDERR] = -1;
    start.pipes[CHILD_STDOUT] = ends[0];
    refuse("no end to be watched", &start, EPERM);
    close(ends[1]);
}

static void test_stream_that_cannot_be_read(void) {
    struct child_start start = { .pid = start_child() };
    start.pidfd = (int)syscall(SYS_pidfd_open, start.pid, 0);
    start.pipes[CHILD_STDIN] = start.pipes[CHILD_STDERR] = -1;
    start.pipes[CHILD_STDOUT] = NO_DESCRIPTOR;
    refuse("no stream to be read", &start, EBADF);
}

int main(void) {
    test_end_that_cannot_be_watched();
    test_stream_that_cannot_be_read();
    return tap_done();
}
