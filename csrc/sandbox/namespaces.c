#include "namespaces.h"

#include "report.h"

#include <errno.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char wall[] = "user namespace";

static const char *remedy_of(int reason) {
    if (reason == ENOSPC || reason == EUSERS) {
        return "allow more of them: sysctl user.max_user_namespaces=65536, and the same for the other kinds";
    }
    if (reason == ENOSYS || getpid() == 1) {
        return "have the container's engine allow the system calls of sandboxes: --security-opt seccomp=FILE with the "
               "seccomp.json "
               "that belongs to this program (in Kubernetes seccompProfile, type Localhost)";
    }
    return "allow user namespaces: sysctl user.max_user_namespaces=65536, and kernel.unprivileged_userns_clone=1 where "
           "there is such a setting; on Ubuntu load the AppArmor profile that submitter doctor names; in a container "
           "give its "
           "engine the seccomp.json that belongs to this program";
}

pid_t namespaces_clone(int group, int *process_descriptor) {
    int descriptor = -1;
    struct clone_args arguments = {
        .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&descriptor,
        .exit_signal = SIGCHLD,
    };
    if (group >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)group;
    }
    long process = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (process < 0) {
        report_wall("namespaces", remedy_of(errno), "the kernel refuses them: %s", strerror(errno));
    }
    if (process > 0) {
        *process_descriptor = descriptor;
    }
    return (pid_t)process;
}

void namespaces_become_root(void) {
    if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
        report_wall(wall, "this is a fault of submitter-sandbox", "its users can't be taken on: %s", strerror(errno));
    }
}

void namespaces_hide_cgroups(void) {
    if (unshare(CLONE_NEWCGROUP) < 0) {
        report_wall("cgroup namespace", "Linux 4.6 or newer with cgroups is needed", "the kernel refuses it: %s",
                    strerror(errno));
    }
}

void namespaces_name_host(void) {
    static const char name[] = "submitter";
    if (sethostname(name, sizeof name - 1) < 0 || setdomainname("", 0) < 0) {
        report_wall("host name", "this is a fault of submitter-sandbox", "it can't be set: %s", strerror(errno));
    }
}
