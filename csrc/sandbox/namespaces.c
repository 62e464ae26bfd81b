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

/* Above the ranges that distributions and systemd hand out (the last ends at 0x6fffffff), below the sign bit.
   With 16 for each process number no two sandboxes that run at the same time share a user, so neither can
   touch the other even if a wall between them fell. Process numbers are below 2^22. Those of workers in containers,
   whose PID namespaces count each for itself, may coincide, and then nothing but this net below the walls is lost. */
enum { ROOT_BASE = 0x70000000, ROOT_STEP = 16, ROOT_SLOTS = 1 << 22 };

static void choose_as_root(struct namespaces_identity *identity) {
    unsigned slot = (unsigned)getpid() % ROOT_SLOTS;
    for (unsigned i = 0; i < NAMESPACES_IDS; i++) {
        identity->users[i] = ROOT_BASE + ROOT_STEP * slot + i;
        identity->groups[i] = identity->users[i];
    }
}

static const unsigned inside_ids[NAMESPACES_IDS] = { NAMESPACES_RUNNER_ID, NAMESPACES_KEEPER_ID,
                                                     NAMESPACES_STUDENT_ID };

/* What of the subordinate ids a sandbox takes: the keeper and the student. The runner is the user himself. */
enum { SUBORDINATE_STEP = NAMESPACES_IDS - 1 };

/* Ids for this sandbox out of the range that a file of lines "user:first:count" gives this user, by name or number; 0 for
   none. By process number, as for root: the kernel bounds much by user (descriptors in flight over sockets, pages of
   pipes), and a sandbox that shared its student with another could use that up under it. Which numbers share one
   depends on the size of the range. */
static uint32_t subordinate(const char *path, const char *user, uid_t uid) {
    char line[512], name[256];
    unsigned long first, count;
    uint32_t found = 0;
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%255[^:]:%lu:%lu", name, &first, &count) != 3 || count < SUBORDINATE_STEP || first == 0 ||
            first > 0xfffffff0UL || count > 0xfffffff0UL - first) {
            continue;
        }
        char *end;
        bool ours = user && strcmp(name, user) == 0;
        ours = ours || (strtoul(name, &end, 10) == uid && *end == 0 && *name);
        unsigned long slot = (unsigned long)getpid() % (count / SUBORDINATE_STEP);
        found = ours ? (uint32_t)(first + SUBORDINATE_STEP * slot) : 0;
    }
    if (file) {
        fclose(file);
    }
    return found;
}

static void choose_as_user(struct namespaces_identity *identity) {
    static const char remedy[] =
        "as root: apt-get install uidmap, and a line \"USER:FIRST:65536\" in /etc/subuid and "
        "/etc/subgid with ids that nobody else has (submitter doctor says which); or start it as root";
    struct passwd *entry = getpwuid(geteuid());
    const char *user = entry ? entry->pw_name : NULL;
    identity->by_helper = 1;
    uint32_t user_ids = subordinate("/etc/subuid", user, geteuid());
    uint32_t group_ids = subordinate("/etc/subgid", user, geteuid());
    if (!user_ids || !group_ids) {
        report_wall(wall, remedy, "user %u has no subordinate users for the student to be", (unsigned)geteuid());
    }
    /* The runner is the user himself, to whom his cgroup belongs. */
    for (unsigned i = 0; i < NAMESPACES_IDS; i++) {
        identity->users[i] = i == 0 ? geteuid() : user_ids + i - 1;
        identity->groups[i] = i == 0 ? getegid() : group_ids + i - 1;
    }
    if (access("/usr/bin/newuidmap", X_OK) < 0 || access("/usr/bin/newgidmap", X_OK) < 0) {
        report_wall(wall, remedy, "newuidmap and newgidmap are not installed");
    }
}

void namespaces_choose(struct namespaces_identity *identity) {
    *identity = (struct namespaces_identity){ 0 };
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
                             "kernel.unprivileged_userns_clone=1 where there is such a setting; on Ubuntu load the "
                             "AppArmor profile that submitter doctor names; in a container, start it privileged";
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

static void run_helper(const char *helper, pid_t process, const unsigned outside[NAMESPACES_IDS]) {
    char numbers[1 + 3 * NAMESPACES_IDS][16];
    char *words[2 + 3 * NAMESPACES_IDS + 1] = { (char *)helper, numbers[0] };
    char *const environment[] = { "PATH=/usr/bin:/bin", NULL };
    snprintf(numbers[0], sizeof numbers[0], "%d", (int)process);
    for (int i = 0; i < NAMESPACES_IDS; i++) {
        const unsigned values[3] = { inside_ids[i], outside[i], 1 };
        for (int part = 0; part < 3; part++) {
            int place = 1 + 3 * i + part;
            snprintf(numbers[place], sizeof numbers[place], "%u", values[part]);
            words[1 + place] = numbers[place];
        }
    }
    pid_t child = fork();
    if (child == 0) {
        execve(helper, words, environment);
        _exit(127);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        report_wall(wall, "check that /etc/subuid and /etc/subgid give this user a range", "%s refused", helper);
    }
}

static void write_ids(pid_t process, const char *file, const unsigned outside[NAMESPACES_IDS]) {
    char text[128];
    int length = 0;
    for (int i = 0; i < NAMESPACES_IDS; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length, "%u %u 1\n", inside_ids[i], outside[i]);
    }
    write_map(process, file, text);
}

void namespaces_map(const struct namespaces_identity *identity, pid_t process) {
    if (identity->by_helper) {
        run_helper("/usr/bin/newuidmap", process, identity->users);
        run_helper("/usr/bin/newgidmap", process, identity->groups);
    } else {
        write_ids(process, "uid_map", identity->users);
        write_ids(process, "gid_map", identity->groups);
    }
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
