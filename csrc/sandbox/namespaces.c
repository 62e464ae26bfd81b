#include "namespaces.h"

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char wall[] = "user namespace";

/* Above the ranges that distributions and systemd hand out (the last ends at 0x6fffffff), below the sign bit. With 16 for each
   process number no two sandboxes that run at the same time share a user, so neither can touch the other even if a wall
   between them fell. Process numbers are below 2^22. */
enum { ROOT_BASE = 0x70000000, ROOT_STEP = 16, ROOT_SLOTS = 1 << 22 };

static void choose_as_root(struct namespaces_identity *identity) {
    unsigned slot = (unsigned)getpid() % ROOT_SLOTS;
    identity->runner_uid = ROOT_BASE + ROOT_STEP * slot;
    identity->student_uid = identity->runner_uid + 1;
    identity->runner_gid = identity->runner_uid;
    identity->student_gid = identity->student_uid;
}

/* The first subordinate id of this user in a file of lines "user:first:count", the user by name or number; 0 for none. */
static uint32_t subordinate(const char *path, const char *user, uid_t uid) {
    char line[512], name[256];
    unsigned long first, count;
    uint32_t found = 0;
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%255[^:]:%lu:%lu", name, &first, &count) != 3 || count < 1 || first == 0 ||
            first > 0xfffffffeUL) {
            continue;
        }
        char *end;
        bool ours = user && strcmp(name, user) == 0;
        ours = ours || (strtoul(name, &end, 10) == uid && *end == 0 && *name);
        found = ours ? (uint32_t)first : 0;
    }
    if (file) {
        fclose(file);
    }
    return found;
}

static void choose_as_user(struct namespaces_identity *identity) {
    static const char remedy[] = "as root: apt-get install uidmap, and a line \"USER:100000:65536\" in /etc/subuid and "
                                 "/etc/subgid; or start it as root";
    struct passwd *entry = getpwuid(geteuid());
    const char *user = entry ? entry->pw_name : NULL;
    identity->by_helper = 1;
    identity->runner_uid = geteuid();
    identity->runner_gid = getegid();
    identity->student_uid = subordinate("/etc/subuid", user, geteuid());
    identity->student_gid = subordinate("/etc/subgid", user, geteuid());
    if (!identity->student_uid || !identity->student_gid) {
        report_wall(wall, remedy, "user %u has no subordinate users for the student to be", (unsigned)geteuid());
    }
    if (access("/usr/bin/newuidmap", X_OK) < 0 || access("/usr/bin/newgidmap", X_OK) < 0) {
        report_wall(wall, remedy, "newuidmap and newgidmap are not installed");
    }
}

void namespaces_choose(struct namespaces_identity *identity) {
    *identity = (struct namespaces_identity){0};
    if (geteuid() == 0) {
        choose_as_root(identity);
    } else {
        choose_as_user(identity);
    }
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
        const char *remedy = "allow user namespaces: sysctl user.max_user_namespaces=65536, and "
                             "kernel.unprivileged_userns_clone=1 or kernel.apparmor_restrict_unprivileged_userns=0 "
                             "where there is such a setting; in a container, start it privileged";
        report_wall("namespaces", remedy, "the kernel refuses them: %s", strerror(errno));
    }
    if (process > 0) {
        *process_descriptor = descriptor;
    }
    return (pid_t)process;
}

static void write_map(pid_t process, const char *file, const char *text) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)process, file);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0 || write(descriptor, text, strlen(text)) < 0) {
        report_wall(wall, "start it where root has the whole range of users, not in a container that maps only some",
                    "%s can't be written: %s", file, strerror(errno));
    }
    close(descriptor);
}

static void run_helper(const char *helper, pid_t process, unsigned inside_runner, unsigned inside_student) {
    char numbers[3][16];
    snprintf(numbers[0], sizeof numbers[0], "%d", (int)process);
    snprintf(numbers[1], sizeof numbers[1], "%u", inside_runner);
    snprintf(numbers[2], sizeof numbers[2], "%u", inside_student);
    pid_t child = fork();
    if (child == 0) {
        char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
        char *const words[] = {(char *)helper, numbers[0], "0", numbers[1], "1", "1000", numbers[2], "1", NULL};
        execve(helper, words, environment);
        _exit(127);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        report_wall(wall, "check that /etc/subuid and /etc/subgid give this user a range", "%s refused", helper);
    }
}

void namespaces_map(const struct namespaces_identity *identity, pid_t process) {
    char text[96];
    if (identity->by_helper) {
        run_helper("/usr/bin/newuidmap", process, identity->runner_uid, identity->student_uid);
        run_helper("/usr/bin/newgidmap", process, identity->runner_gid, identity->student_gid);
        return;
    }
    snprintf(text, sizeof text, "%d %u 1\n%d %u 1\n", NAMESPACES_RUNNER_ID, identity->runner_uid, NAMESPACES_STUDENT_ID,
             identity->student_uid);
    write_map(process, "uid_map", text);
    snprintf(text, sizeof text, "%d %u 1\n%d %u 1\n", NAMESPACES_RUNNER_ID, identity->runner_gid, NAMESPACES_STUDENT_ID,
             identity->student_gid);
    write_map(process, "gid_map", text);
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
