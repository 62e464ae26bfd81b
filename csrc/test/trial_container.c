#include "trial_container.h"

#include "../sandbox/rules/container.h"
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct trial_container *wanted;

/* ---- the outer profile ---- */

struct loading {
    scmp_filter_ctx filter;
    bool done;
};

static void load_name(const char *name, int answer, void *context) {
    struct loading *loading = context;
    int number = seccomp_syscall_resolve_name(name);
    uint32_t action = answer ? SCMP_ACT_ERRNO((unsigned)answer) : SCMP_ACT_ALLOW;
    if (number != __NR_SCMP_ERROR) {
        loading->done = seccomp_rule_add(loading->filter, action, number, 0) == 0 && loading->done;
    }
}

bool trial_container_filter(void) {
    struct loading loading = { .filter = seccomp_init(SCMP_ACT_ERRNO(EPERM)), .done = true };
    if (!loading.filter) {
        return false;
    }
    container_visit(load_name, &loading);
    for (const struct container_condition *one = container_conditions; one->name; one++) {
        struct scmp_arg_cmp argument = SCMP_CMP(one->argument, SCMP_CMP_EQ, one->value, 0);
        int number = seccomp_syscall_resolve_name(one->name);
        loading.done =
            seccomp_rule_add_array(loading.filter, SCMP_ACT_ALLOW, number, 1, &argument) == 0 && loading.done;
    }
    bool done = loading.done && seccomp_load(loading.filter) == 0;
    seccomp_release(loading.filter);
    return done;
}

/* ---- process 1 ---- */

static _Noreturn void give_up(const char *what) {
    dprintf(STDERR_FILENO, "# container: %s\n", what);
    _exit(126);
}

static bool write_map(pid_t process, const char *file) {
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)process, file);
    int length = snprintf(text, sizeof text, "0 %d %d\n", TRIAL_FIRST_USER, TRIAL_USERS);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    bool done = descriptor >= 0 && write(descriptor, text, (size_t)length) == length;
    if (descriptor >= 0) {
        close(descriptor);
    }
    return done;
}

/* Stays outside, as an engine does, and ends as process 1 did. */
static _Noreturn void stay(pid_t process, int go) {
    int status;
    if (wanted->few_users && (!write_map(process, "uid_map") || !write_map(process, "gid_map"))) {
        kill(process, SIGKILL);
        give_up("users can't be mapped");
    }
    close(go);
    close_range(0, 1, 0);
    close_range(3, ~0U, 0);
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void become_first(void) {
    const unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | (wanted->few_users ? CLONE_NEWUSER : 0UL) | SIGCHLD;
    int go[2];
    char nothing;
    if (pipe2(go, O_CLOEXEC) < 0) {
        give_up("no pipe");
    }
    long process = syscall(SYS_clone, flags, 0, 0, 0, 0);
    if (process < 0) {
        give_up("no namespaces");
    }
    if (process > 0) {
        close(go[0]);
        stay((pid_t)process, go[1]);
    }
    close(go[1]);
    if (read(go[0], &nothing, 1) != 0 ||
        (wanted->few_users && (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))) {
        give_up("no root of its own");
    }
    close(go[0]);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0 ||
        (wanted->masked && mount("/dev/null", "/proc/meminfo", NULL, MS_BIND, NULL) < 0)) {
        give_up("no /proc");
    }
}

static void enter(void) {
    if (wanted->group && !trial_group_enter(wanted->group)) {
        give_up("its group can't be entered");
    }
    if (wanted->first) {
        become_first();
    }
    if (wanted->filtered && !trial_container_filter()) {
        give_up("the profile can't be put on");
    }
}

void trial_container(const struct trial_container *container) {
    wanted = container;
    driver_before = container ? enter : NULL;
}

pid_t trial_container_child(pid_t process) {
    char path[64];
    int child = -1;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)process, (int)process);
    FILE *file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%d", &child) != 1) {
            child = -1;
        }
        fclose(file);
    }
    return child;
}
