/* Within a container: its group is the engine's, nothing can be made or set in it. Its counters can be read, and are handed to the
   runner, file by file: they lead nowhere else. Nothing here enters, bounds or removes anything. */
#include "cgroup.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The number of the first control group namespace there is, which the kernel gives it for good (PROC_CGROUP_INIT_INO). */
enum { FIRST_NAMESPACE = 0xeffffffb };

struct counter {
    const char *name, *file;
    bool needed; /* others came later, or aren't compiled into every kernel */
};

/* Where swap is counted as well, version 1 counts memory and swap together in files of their own. Its limits are hit in both
   forms. */
static const struct counter memory_v1[] = {
    { "memory.limit", "memory.limit_in_bytes", true },
    { "memory.limit_hits", "memory.failcnt", true },
    { "memory.stat", "memory.stat", true },
    { "memory.events", "memory.oom_control", true },
};
static const struct counter plain_v1[] = {
    { "memory.usage", "memory.usage_in_bytes", true },
    { "memory.peak", "memory.max_usage_in_bytes", true },
};
static const struct counter swap_v1[] = {
    { "memory.usage", "memory.memsw.usage_in_bytes", true },
    { "memory.peak", "memory.memsw.max_usage_in_bytes", true },
    { "memory.swap_limit_hits", "memory.memsw.failcnt", true },
};
static const struct counter memory_v2[] = {
    { "memory.limit", "memory.max", true },     { "memory.usage", "memory.current", true },
    { "memory.peak", "memory.peak", false },    { "memory.stat", "memory.stat", true },
    { "memory.events", "memory.events", true },
};
static const struct counter swap_v2[] = { { "memory.swap", "memory.swap.current", false } };
static const struct counter cpu_v1[] = { { "cpu.usage", "cpuacct.usage", false } };
static const struct counter cpu_v2[] = { { "cpu.usage", "cpu.stat", false } };

#define COUNT(list) (sizeof(list) / sizeof *(list))

static _Noreturn void refuse(const char *what, const char *reason) {
    report_wall(
        "container",
        "let the container see its own counters (Docker and Podman mount /sys/fs/cgroup in it, read-only, unless told "
        "otherwise), or set accounting = \"rlimit\": limits then hold for each process alone, and too much memory "
        "shows "
        "as a failed program",
        "%s: %s", what, reason);
}

static void open_counters(struct cgroup *cgroup, int group, const struct counter *counters, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int descriptor = openat(group, counters[i].file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (descriptor >= 0) {
            cgroup->counters[cgroup->counter_count].name = counters[i].name;
            cgroup->counters[cgroup->counter_count++].descriptor = descriptor;
        } else if (counters[i].needed) {
            refuse(counters[i].file, strerror(errno));
        }
    }
}

/* Of a machine's uppermost group the counters tell what the whole machine uses. */
static bool of_whole_machine(const struct cgroup_place *place) {
    struct stat namespace;
    return place->uppermost && stat("/proc/self/ns/cgroup", &namespace) == 0 && namespace.st_ino == FIRST_NAMESPACE;
}

static int open_group(const struct cgroup_place *place) {
    int group = open(place->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group < 0) {
        refuse(place->parent, strerror(errno));
    }
    return group;
}

/* Is this process the only one in the group? A worker that shares it with its sandboxes uses time of its own, and nobody could
   tell whose is whose. */
static bool alone(int group) {
    int process, others = 0, descriptor = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "re");
    while (file && fscanf(file, "%d", &process) == 1) {
        others += process != getpid();
    }
    bool known = file != NULL;
    if (file) {
        fclose(file);
    }
    return known && others == 0;
}

static void open_memory_v1(struct cgroup *cgroup, int group) {
    open_counters(cgroup, group, memory_v1, COUNT(memory_v1));
    if (faccessat(group, "memory.memsw.usage_in_bytes", R_OK, 0) == 0) {
        open_counters(cgroup, group, swap_v1, COUNT(swap_v1));
    } else {
        open_counters(cgroup, group, plain_v1, COUNT(plain_v1));
    }
}

/* Without it the runner adds up what the kernel tells of processes. */
static void open_cpu_v1(struct cgroup *cgroup) {
    struct cgroup_place place;
    if (!cgroup_find_place(&place, "cpuacct", NULL) || of_whole_machine(&place)) {
        return;
    }
    int group = open(place.parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group >= 0 && alone(group)) {
        open_counters(cgroup, group, cpu_v1, COUNT(cpu_v1));
    }
    if (group >= 0) {
        close(group);
    }
}

void cgroup_container_find(struct cgroup *cgroup) {
    struct cgroup_place place;
    bool first = cgroup_find_place(&place, "memory", NULL);
    if (!first && !cgroup_find_place(&place, "", NULL)) {
        refuse("no counters of memory",
               "neither version of control groups is mounted where this process can see its group");
    }
    if (of_whole_machine(&place)) {
        refuse(place.parent, "this process is in no container and no group of its own, but in the whole machine's");
    }
    int group = open_group(&place);
    cgroup->counter_count = 0;
    cgroup->form = first ? CGROUP_CONTAINER_V1 : CGROUP_CONTAINER_V2;
    if (first) {
        open_memory_v1(cgroup, group);
        open_cpu_v1(cgroup);
    } else {
        open_counters(cgroup, group, memory_v2, COUNT(memory_v2));
        if (cgroup_swap_in_use()) {
            open_counters(cgroup, group, swap_v2, COUNT(swap_v2));
        }
        if (alone(group)) {
            open_counters(cgroup, group, cpu_v2, COUNT(cpu_v2));
        }
    }
    close(group);
}

static void delegate(struct cgroup *cgroup, uid_t user, gid_t group) {
    (void)cgroup, (void)user, (void)group;
}

static void hand_over(struct cgroup *cgroup, struct handover *handover) {
    for (size_t i = 0; i < cgroup->counter_count; i++) {
        handover_add(handover, cgroup->counters[i].name, cgroup->counters[i].descriptor);
    }
}

static void hand_over_within(const struct cgroup *cgroup, struct handover *handover) {
    (void)cgroup, (void)handover;
}

static void enter(struct cgroup *cgroup, pid_t process) {
    (void)cgroup, (void)process;
}

static bool tell_nothing(const struct cgroup *cgroup, uint64_t *value) {
    (void)cgroup, (void)value;
    return false;
}

static bool out_of_memory(const struct cgroup *cgroup) {
    (void)cgroup;
    return false;
}

const struct cgroup_kind cgroup_kind_container = {
    .delegate = delegate,
    .hand_over = hand_over,
    .hand_over_within = hand_over_within,
    .enter = enter,
    .settle = enter,
    .cpu_us = tell_nothing,
    .out_of_memory = out_of_memory,
};
