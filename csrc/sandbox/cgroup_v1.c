/* Version 1: a hierarchy a controller. Groups stay root's; the runner gets the files it needs, opened. */
#include "cgroup.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MEMORY, PIDS, CPU, PROCESSORS };

static int leaf(const struct cgroup *cgroup, int which, const char *name) {
    return cgroup_open(cgroup->places[which].group, name, O_RDONLY | O_DIRECTORY);
}

static bool counts_swap(int memory) {
    return faccessat(memory, "memory.memsw.limit_in_bytes", W_OK, 0) == 0;
}

/* A case's memory that is swapped out counts as its memory, or else isn't swapped out. */
static void limit_swap(struct cgroup *cgroup) {
    int memory = leaf(cgroup, MEMORY, "case");
    if (!counts_swap(memory) && cgroup_swap_in_use()) {
        cgroup_write(memory, "memory.swappiness", "0");
    }
    close(memory);
}

/* The runner is trusted, but what it could do if it were taken over is bounded as well. */
static void limit_runner(struct cgroup *cgroup) {
    int memory = leaf(cgroup, MEMORY, "runner"), pids = leaf(cgroup, PIDS, "runner");
    cgroup_write_number(memory, "memory.limit_in_bytes", cgroup->runner_bytes);
    cgroup_write_number(pids, "pids.max", CGROUP_RUNNER_PROCESSES);
    close(memory);
    close(pids);
}

/* In the student's role nobody within sets limits, so they are set here. */
static void limit_case(struct cgroup *cgroup, const struct spec *spec) {
    int memory = leaf(cgroup, MEMORY, "case");
    cgroup_write_number(memory, "memory.limit_in_bytes", spec->memory_bytes);
    if (counts_swap(memory)) {
        cgroup_write_number(memory, "memory.memsw.limit_in_bytes", spec->memory_bytes);
    }
    close(memory);
    for (int i = 0; i < CGROUP_HIERARCHIES; i++) {
        if (!cgroup->places[i].borrowed) {
            int group = leaf(cgroup, i, "case");
            cgroup->enter[i] = cgroup_open(group, "cgroup.procs", O_WRONLY);
            close(group);
        }
    }
}

static void limit_processors(struct cgroup *cgroup, uint64_t percent) {
    char period[32], quota[32];
    int group = leaf(cgroup, PROCESSORS, "case");
    snprintf(period, sizeof period, "%d", CGROUP_PERIOD_US);
    snprintf(quota, sizeof quota, "%" PRIu64, percent * CGROUP_PERIOD_US / 100);
    cgroup_write_share(group, "cpu.cfs_period_us", period);
    cgroup_write_share(group, "cpu.cfs_quota_us", quota);
    close(group);
}

static void make(struct cgroup *cgroup, const struct spec *spec) {
    for (int i = 0; i < CGROUP_HIERARCHIES; i++) {
        if (!cgroup->places[i].borrowed) {
            close(cgroup_make_leaf(cgroup->places[i].group, "runner"));
            close(cgroup_make_leaf(cgroup->places[i].group, "case"));
        }
    }
    /* The launcher lives in the case's group and is one of its processes. */
    int pids = leaf(cgroup, PIDS, "case");
    cgroup_write_number(pids, "pids.max", spec->processes + 1);
    close(pids);
    limit_swap(cgroup);
    limit_runner(cgroup);
    if (spec->processors_percent > 0) {
        limit_processors(cgroup, spec->processors_percent);
    }
    int cpu = leaf(cgroup, CPU, "case");
    cgroup->cpu = cgroup_open(cpu, "cpuacct.usage", O_RDONLY);
    close(cpu);
    if (spec->role == SPEC_STUDENT) {
        limit_case(cgroup, spec);
    }
}

static void delegate(struct cgroup *cgroup, uid_t user, gid_t group) {
    (void)cgroup, (void)user, (void)group;
}

/* The kernel tells at once when the group is out of memory. Newer kernels may be built without; then the
   counter is looked at instead, a little later. */
static int memory_event(int memory) {
    char text[64];
    int control = cgroup_open(memory, "memory.oom_control", O_RDONLY);
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int registration = openat(memory, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
    if (event >= 0 && registration >= 0) {
        int length = snprintf(text, sizeof text, "%d %d", event, control);
        if (write(registration, text, (size_t)length) < 0) {
            close(event);
            event = -1;
        }
    } else if (event >= 0) {
        close(event);
        event = -1;
    }
    if (registration >= 0) {
        close(registration);
    }
    close(control);
    return event;
}

static void add(struct handover *handover, const char *name, int group, const char *file, int flags) {
    handover_add(handover, name, cgroup_open(group, file, flags));
}

static void hand_over(struct cgroup *cgroup, struct handover *handover) {
    int memory = leaf(cgroup, MEMORY, "case"), pids = leaf(cgroup, PIDS, "case"), cpu = leaf(cgroup, CPU, "case");
    bool swap = faccessat(memory, "memory.memsw.limit_in_bytes", W_OK, 0) == 0;
    add(handover, "memory.limit", memory, "memory.limit_in_bytes", O_RDWR);
    if (swap) {
        /* The same limit for memory and swap together: nothing is gained by being swapped out. */
        add(handover, "memory.swap_limit", memory, "memory.memsw.limit_in_bytes", O_RDWR);
    }
    add(handover, "memory.usage", memory, swap ? "memory.memsw.usage_in_bytes" : "memory.usage_in_bytes", O_RDONLY);
    add(handover, "memory.peak", memory, swap ? "memory.memsw.max_usage_in_bytes" : "memory.max_usage_in_bytes",
        O_RDWR);
    add(handover, "memory.stat", memory, "memory.stat", O_RDONLY);
    add(handover, "memory.events", memory, "memory.oom_control", O_RDONLY);
    add(handover, "memory.enter", memory, "cgroup.procs", O_WRONLY);
    int event = memory_event(memory);
    if (event >= 0) {
        handover_add(handover, "memory.alarm", event);
    }
    add(handover, "pids.limit", pids, "pids.max", O_RDWR);
    add(handover, "pids.enter", pids, "cgroup.procs", O_WRONLY);
    add(handover, "cpu.usage", cpu, "cpuacct.usage", O_RDONLY);
    add(handover, "cpu.enter", cpu, "cgroup.procs", O_WRONLY);
    if (!cgroup->places[PROCESSORS].borrowed) {
        int processors = leaf(cgroup, PROCESSORS, "case");
        add(handover, "processors.enter", processors, "cgroup.procs", O_WRONLY);
        close(processors);
    }
    close(memory);
    close(pids);
    close(cpu);
}

/* Files alone are handed over, which lead nowhere else. */
static void hand_over_within(const struct cgroup *cgroup, struct handover *handover) {
    (void)cgroup, (void)handover;
}

static void enter_leaf(struct cgroup *cgroup, const char *name, pid_t process) {
    char number[32];
    snprintf(number, sizeof number, "%d", (int)process);
    for (int i = 0; i < CGROUP_HIERARCHIES; i++) {
        if (!cgroup->places[i].borrowed) {
            int group = leaf(cgroup, i, name);
            cgroup_write(group, "cgroup.procs", number);
            close(group);
        }
    }
}

static void enter(struct cgroup *cgroup, pid_t process) {
    enter_leaf(cgroup, "runner", process);
}

static void settle(struct cgroup *cgroup, pid_t process) {
    (void)cgroup, (void)process;
}

static bool cpu_us(const struct cgroup *cgroup, uint64_t *value) {
    char text[32];
    ssize_t length = pread(cgroup->cpu, text, sizeof text - 1, 0);
    uint64_t nanoseconds;
    if (length <= 0) {
        return false;
    }
    text[length] = 0;
    if (sscanf(text, "%" SCNu64, &nanoseconds) != 1) {
        return false;
    }
    *value = nanoseconds / 1000;
    return true;
}

/* A kill also comes when a group above, or the machine, has no more; then the case wasn't at its own limit. */
static bool out_of_memory(const struct cgroup *cgroup) {
    enum { NEARLY_BYTES = 2 << 20 };
    int memory = openat(cgroup->places[MEMORY].group, "case", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t kills = 0, peak = 0, limit = 0;
    bool told = memory >= 0 && cgroup_number(memory, "memory.oom_control", "oom_kill", &kills) && kills > 0;
    if (told) {
        bool swap = counts_swap(memory);
        told =
            cgroup_number(memory, swap ? "memory.memsw.max_usage_in_bytes" : "memory.max_usage_in_bytes", "", &peak) &&
            cgroup_number(memory, "memory.limit_in_bytes", "", &limit) && peak + NEARLY_BYTES >= limit;
    }
    if (memory >= 0) {
        close(memory);
    }
    return told;
}

const struct cgroup_kind cgroup_kind_v1 = {
    .make = make,
    .delegate = delegate,
    .hand_over = hand_over,
    .hand_over_within = hand_over_within,
    .enter = enter,
    .settle = settle,
    .cpu_us = cpu_us,
    .out_of_memory = out_of_memory,
};
