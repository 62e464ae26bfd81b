#include "inside.h"

#include "filter.h"
#include "limits.h"
#include "mounts.h"
#include "namespaces.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* For the hook, which takes no argument. */
static int channel_of_failure = -1;

static void tell_failure(void) {
    char word = INSIDE_FAILED;
    ssize_t written = write(channel_of_failure, &word, 1);
    (void)written;
}

static void say(const struct inside *inside, char word) {
    if (write(inside->channel, &word, 1) != 1) {
        _exit(REPORT_ENVIRONMENT);
    }
}

/* Nothing but the word awaited: the supervisor is gone or failed, and has said so. */
static void await(const struct inside *inside, char expected) {
    char word = 0;
    ssize_t count;
    do {
        count = read(inside->channel, &word, 1);
    } while (count < 0 && errno == EINTR);
    if (count != 1 || word != expected) {
        _exit(REPORT_ENVIRONMENT);
    }
}

/* When the supervisor dies, this process does, and with process 1 everything in its PID namespace. A change
   of user forgets it, so it comes after; that the supervisor lives still shows in its answering on the
   channel. */
static void die_with_supervisor(void) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
        report_wall("parent", "this is a fault of submitter-sandbox", "its death can't be followed: %s",
                    strerror(errno));
    }
}

/* In the first free places of its environment. */
static void tell_interpreter(const struct spec *spec, const char **variables) {
    static char path[SPEC_PATH_BYTES + 64], version[SPEC_VERSION_BYTES + 64];
    while (*variables) {
        variables++;
    }
    if (spec->interpreter) {
        snprintf(path, sizeof path, "SUBMITTER_INTERPRETER=%s", spec->interpreter);
        *variables++ = path;
    }
    if (spec->interpreter_version) {
        snprintf(version, sizeof version, "SUBMITTER_INTERPRETER_VERSION=%s", spec->interpreter_version);
        *variables = version;
    }
}

static _Noreturn void become_runner(struct inside *inside) {
    const char *words[SPEC_ARGUMENTS + 2] = { "submitter-runner" };
    const char *variables[] = { NULL, "PATH=/usr/bin:/bin", "LANG=C.UTF-8", NULL, NULL, NULL };
    memcpy(words + 1, inside->spec->arguments, inside->spec->argument_count * sizeof *words);
    handover_add(inside->handover, "channel", inside->channel);
    handover_arrange(inside->handover, &inside->program);
    /* The channel took part only to keep its place while the others were arranged. */
    inside->handover->count--;
    inside->channel = inside->handover->items[inside->handover->count].descriptor;
    channel_of_failure = inside->channel;
    if (fcntl(inside->channel, F_SETFD, FD_CLOEXEC) < 0) {
        report_wall("descriptors", "this is a fault of submitter-sandbox", "%s", strerror(errno));
    }
    variables[0] =
        handover_variable(inside->handover, cgroup_accounting(inside->cgroup), inside->cgroup->processors_percent);
    tell_interpreter(inside->spec, variables);
    limits_bound_runner();
    limits_drop_capabilities();
    limits_forbid_privileges();
    filter_put_on_runner();
    limits_reset_signals();
    syscall(SYS_execveat, inside->program, "", words, variables, AT_EMPTY_PATH);
    report_wall("program",
                "it must be an executable file that everybody may execute, linked statically or against what "
                "stands in /usr",
                "%s can't be executed: %s", inside->spec->program, strerror(errno));
}

static _Noreturn void become_student(struct inside *inside) {
    const char *words[SPEC_ARGUMENTS + 2] = { inside->spec->program };
    const char *const variables[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8", NULL };
    memcpy(words + 1, inside->spec->arguments, inside->spec->argument_count * sizeof *words);
    cgroup_enter_case(inside->cgroup);
    /* Whatever the operator has there stays his: a folder would be a way out, a terminal one to write to. The device is the one
       inside, which nothing can be changed about. */
    int input = inside->input >= 0 ? inside->input : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input < 0 || dup2(input, STDIN_FILENO) < 0 || setsid() < 0 || chdir("/tmp") < 0 ||
        dup2(inside->output[0], STDOUT_FILENO) < 0) {
        report_wall("student", "this is a fault of submitter-sandbox", "%s", strerror(errno));
    }
    limits_volunteer(inside->processes);
    limits_become_student(inside->spec);
    filter_put_on(inside->filter);
    limits_reset_signals();
    /* From here a failure must be told on the old standard error, so the new one comes last. */
    int errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(inside->output[1], STDERR_FILENO);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execve(inside->spec->program, (char *const *)words, (char *const *)variables);
    int reason = errno;
    dup2(errors, STDERR_FILENO);
    report_wall("program", "give the absolute path of a program that stands in the sandbox (--bind-ro shows more)",
                "%s can't be executed: %s", inside->spec->program, strerror(reason));
}

/* Process 1 of the student's role: waits, and ends as the student's program did; all others end with it. */
static _Noreturn void wait_for_student(pid_t student) {
    int status;
    for (;;) {
        pid_t ended = wait(&status);
        if (ended == student) {
            _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
        }
        if (ended < 0 && errno != EINTR) {
            _exit(REPORT_INTERNAL);
        }
    }
}

static _Noreturn void run_student(struct inside *inside) {
    limits_bound_runner();
    limits_drop_capabilities();
    limits_forbid_privileges();
    /* Nobody looks into process 1, in which the walls were built. */
    if (prctl(PR_SET_DUMPABLE, 0) < 0) {
        report_wall("student", "this is a fault of submitter-sandbox", "%s", strerror(errno));
    }
    pid_t student = fork();
    if (student < 0) {
        report_wall("student", "allow more processes", "no process for it: %s", strerror(errno));
    }
    if (student == 0) {
        become_student(inside);
    }
    limits_reset_signals();
    close_range(0, ~0U, 0);
    wait_for_student(student);
}

void inside_run(struct inside *inside) {
    channel_of_failure = inside->channel;
    report_on_failure(tell_failure);
    await(inside, INSIDE_MAPPED);
    namespaces_become_root();
    die_with_supervisor();
    namespaces_name_host();
    limits_leave_session();
    if (inside->spec->role == SPEC_RUNNER) {
        cgroup_hand_over_within(inside->cgroup, inside->handover);
    }
    struct mounts_opened opened = mounts_build(inside->spec);
    /* Made here because the outer process is waiting for the kernel to move this one into its cgroup. */
    inside->filter = filter_export_student();
    handover_add(inside->handover, "filter", inside->filter);
    inside->processes = opened.processes;
    handover_add(inside->handover, "processes", opened.processes);
    if (opened.last_process >= 0) {
        handover_add(inside->handover, "process.last", opened.last_process);
    }
    await(inside, INSIDE_PLACED);
    namespaces_hide_cgroups();
    say(inside, INSIDE_HIDDEN);
    await(inside, INSIDE_COMPLETE);
    if (inside->spec->role == SPEC_RUNNER) {
        become_runner(inside);
    }
    run_student(inside);
}
