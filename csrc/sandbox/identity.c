#include "identity.h"

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char wall[] = "user namespace";
static const char map_remedy[] = "start it as a root that may map users; in a container give it two capabilities, "
                                 "--cap-add SETUID --cap-add SETGID (in "
                                 "Kubernetes capabilities.add)";

enum { NAME_BYTES = 256 };

/* ---- started by root ---- */

/* Above the ranges that distributions and systemd hand out (the last ends at 0x6fffffff), below the sign bit.
   With 16 for each process number no two sandboxes that run at the same time share a user, so neither can
   touch the other even if a wall between them fell. Process numbers are below 2^22. Those of workers in containers,
   whose PID namespaces count each for itself, may coincide, and then nothing but this net below the walls is lost.
   A container's process 1 is that in each container: it draws its number, of as many in a range of their own. */
enum { ROOT_BASE = 0x70000000, DRAWN_BASE = 0x74000000, ROOT_STEP = 16, ROOT_SLOTS = 1 << 22 };

/* In a user namespace that has few users only, such as an engine gives its containers: the smallest that is enough, and what each
   sandbox takes of it. */
enum { FEW_LEAST = 1024, FEW_STEP = IDENTITY_IDS + 1, OVERFLOW_ID = 65534 };

struct range {
    uint64_t first, count;
};

/* The number by which a sandbox's users are chosen. */
static uint32_t choose_slot(void) {
    uint32_t drawn;
    if (getpid() != 1) {
        return (uint32_t)getpid();
    }
    if (getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn) {
        report_wall(wall, "a kernel with getrandom is needed", "no random number: %s", strerror(errno));
    }
    return drawn;
}

/* What there is of users in this namespace: whether all of a range is, and the largest range. */
static bool read_map(const char *file, const struct range *wanted, struct range *largest) {
    unsigned long first, outside, count;
    bool held = false;
    FILE *map = fopen(file, "re");
    *largest = (struct range){ 0 };
    while (map && fscanf(map, "%lu %lu %lu", &first, &outside, &count) == 3) {
        held = held || (first <= wanted->first && wanted->first - first + wanted->count <= count);
        if (count > largest->count) {
            *largest = (struct range){ .first = first, .count = count };
        }
    }
    if (map) {
        fclose(map);
    }
    return held;
}

/* Out of the upper three quarters: below are those that an image gives out. Never the one that stands for all who have no number. */
static uint32_t among_few(const struct range *range, uint32_t slot) {
    if (range->count < FEW_LEAST) {
        report_wall(wall,
                    "have the container's engine map 65,536 users and groups (/etc/subuid, /etc/subgid; in Kubernetes "
                    "hostUsers: false does), or none",
                    "this process sees only %llu users, and sandboxes need %d", (unsigned long long)range->count,
                    FEW_LEAST);
    }
    uint64_t first = range->first + range->count / 4;
    uint64_t slots = (range->count - range->count / 4) / FEW_STEP;
    uint64_t chosen = first + FEW_STEP * (slot % slots);
    bool overflows = chosen <= OVERFLOW_ID && OVERFLOW_ID < chosen + FEW_STEP;
    return (uint32_t)(overflows ? chosen - FEW_STEP : chosen);
}

static void choose_as_root(struct identity *identity) {
    const uint32_t slot = choose_slot(), base = getpid() == 1 ? DRAWN_BASE : ROOT_BASE;
    const struct range wanted = { .first = base, .count = (uint64_t)ROOT_STEP * ROOT_SLOTS };
    struct range users, groups;
    bool all = read_map("/proc/self/uid_map", &wanted, &users);
    all = read_map("/proc/self/gid_map", &wanted, &groups) && all;
    uint32_t own = base + ROOT_STEP * (slot % ROOT_SLOTS);
    uint32_t user = all ? own : among_few(&users, slot), group = all ? own : among_few(&groups, slot);
    for (unsigned i = 0; i < IDENTITY_IDS; i++) {
        identity->users[i] = user + i;
        identity->groups[i] = group + i;
    }
    identity->supervisor_user = user + IDENTITY_IDS;
    identity->supervisor_group = group + IDENTITY_IDS;
}

/* ---- started by an ordinary user ---- */

/* What of the subordinate ids a sandbox takes: the keeper and the student. The runner is the user himself. */
enum { SUBORDINATE_STEP = IDENTITY_IDS - 1 };

/* Ids for this sandbox out of the range that a file of lines "user:first:count" gives this user, by name or number; 0 for
   none. By process number, as for root: the kernel bounds much by user (descriptors in flight over sockets, pages of
   pipes), and a sandbox that shared its student with another could use that up under it. Which numbers share one
   depends on the size of the range. */
static uint32_t subordinate(const char *path, const char *user, uid_t uid) {
    char line[512], name[NAME_BYTES];
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

/* The name of a user. From the file alone: the C library would load what belongs to the system's own, which this program, linked
   statically, needn't fit. A user of a directory's is named by his number in /etc/subuid. */
static bool name_of(uid_t uid, char name[NAME_BYTES]) {
    char line[1024], *end;
    bool found = false;
    FILE *file = fopen("/etc/passwd", "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        char *rest = line, *user = strsep(&rest, ":");
        /* The password, which may be empty. */
        strsep(&rest, ":");
        const char *number = strsep(&rest, ":");
        found = number && *number && strtoul(number, &end, 10) == uid && *end == 0 && strlen(user) < NAME_BYTES;
        if (found) {
            snprintf(name, NAME_BYTES, "%s", user);
        }
    }
    if (file) {
        fclose(file);
    }
    return found;
}

static void choose_as_user(struct identity *identity) {
    static const char remedy[] = "as root: apt-get install uidmap, and a line \"USER:FIRST:65536\" in /etc/subuid and "
                                 "/etc/subgid with ids that nobody else has (submitter doctor says which); or start it "
                                 "as root, in a container as its root";
    char name[NAME_BYTES];
    const char *user = name_of(geteuid(), name) ? name : NULL;
    identity->by_helper = 1;
    uint32_t user_ids = subordinate("/etc/subuid", user, geteuid());
    uint32_t group_ids = subordinate("/etc/subgid", user, geteuid());
    if (!user_ids || !group_ids) {
        report_wall(wall, remedy, "user %u has no subordinate users for the student to be", (unsigned)geteuid());
    }
    /* The runner is the user himself, to whom his cgroup belongs. */
    for (unsigned i = 0; i < IDENTITY_IDS; i++) {
        identity->users[i] = i == 0 ? geteuid() : user_ids + i - 1;
        identity->groups[i] = i == 0 ? getegid() : group_ids + i - 1;
    }
    if (access("/usr/bin/newuidmap", X_OK) < 0 || access("/usr/bin/newgidmap", X_OK) < 0) {
        report_wall(wall, remedy, "newuidmap and newgidmap are not installed");
    }
}

void identity_choose(struct identity *identity) {
    *identity = (struct identity){ 0 };
    if (geteuid() == 0) {
        choose_as_root(identity);
    } else {
        choose_as_user(identity);
    }
}

/* ---- not root any more ---- */

static bool set_capabilities(uint32_t capabilities) {
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { .effective = capabilities, .permitted = capabilities }, { 0 } };
    return syscall(SYS_capset, &header, data) == 0;
}

/* A change of user hides a process's files in /proc from himself, and its child's with them, whose maps are to be written. */
void identity_leave_root(const struct identity *identity) {
    const gid_t group = identity->supervisor_group;
    const uid_t user = identity->supervisor_user;
    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 ||
        setresuid(user, user, user) < 0 || !set_capabilities(1U << CAP_SETUID | 1U << CAP_SETGID) ||
        prctl(PR_SET_DUMPABLE, 1) < 0) {
        report_wall(wall, map_remedy, "root can't be left: %s", strerror(errno));
    }
}

void identity_give_up_capabilities(void) {
    if (!set_capabilities(0) || prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        setresuid(0, 0, 0) == 0) {
        report_wall(wall, "this is a fault of submitter-sandbox", "capabilities can't be given up: %s",
                    strerror(errno));
    }
}

/* ---- written down ---- */

static const unsigned inside_ids[IDENTITY_IDS] = { IDENTITY_RUNNER_ID, IDENTITY_KEEPER_ID, IDENTITY_STUDENT_ID };

static void write_map(pid_t process, const char *file, const char *text) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)process, file);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0 || write(descriptor, text, strlen(text)) < 0) {
        report_wall(wall, map_remedy, "%s can't be written: %s", file, strerror(errno));
    }
    close(descriptor);
}

static void run_helper(const char *helper, pid_t process, const unsigned outside[IDENTITY_IDS]) {
    char numbers[1 + 3 * IDENTITY_IDS][16];
    char *words[2 + 3 * IDENTITY_IDS + 1] = { (char *)helper, numbers[0] };
    char *const environment[] = { "PATH=/usr/bin:/bin", NULL };
    snprintf(numbers[0], sizeof numbers[0], "%d", (int)process);
    for (int i = 0; i < IDENTITY_IDS; i++) {
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

static void write_ids(pid_t process, const char *file, const unsigned outside[IDENTITY_IDS]) {
    char text[128];
    int length = 0;
    for (int i = 0; i < IDENTITY_IDS; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length, "%u %u 1\n", inside_ids[i], outside[i]);
    }
    write_map(process, file, text);
}

void identity_map(const struct identity *identity, pid_t process) {
    if (identity->by_helper) {
        run_helper("/usr/bin/newuidmap", process, identity->users);
        run_helper("/usr/bin/newgidmap", process, identity->groups);
    } else {
        write_ids(process, "uid_map", identity->users);
        write_ids(process, "gid_map", identity->groups);
    }
}
