/* Version 2: one hierarchy. The group is delegated to the runner, who makes a leaf for each case. */
#include "cgroup.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char controllers[] = "+memory +pids";

/* In the student's role nobody within makes leaves, so both are made here, and nothing is delegated. */
static void make_case(struct cgroup *cgroup, const struct spec *spec) {
    char number[32];
    int group = cgroup->places[0].group;
    cgroup->clone_target = cgroup_make_leaf(group, "runner");
    cgroup_write(group, "cgroup.subtree_control", controllers);
    int leaf = cgroup_make_leaf(group, "case");
    snprintf(number, sizeof number, "%" PRIu64, spec->memory_bytes);
    cgroup_write(leaf, "memory.max", number);
    if (faccessat(leaf, "memory.swap.max", F_OK, 0) == 0) {
        cgroup_write(leaf, "memory.swap.max", "0");
    }
    cgroup_write(leaf, "memory.oom.group", "1");
    snprintf(number, sizeof number, "%" PRIu64, spec->processes);
    cgroup_write(leaf, "pids.max", number);
    cgroup->enter[0] = cgroup_open(leaf, "cgroup.procs", O_WRONLY);
    close(leaf);
}

static void limit_processors(struct cgroup *cgroup, uint64_t percent) {
    char share[64];
    snprintf(share, sizeof share, "%" PRIu64 " %d", percent * CGROUP_PERIOD_US / 100, CGROUP_PERIOD_US);
    cgroup_write(cgroup->places[0].group, "cpu.max", share);
}

static void make(struct cgroup *cgroup, const struct spec *spec) {
    if (spec->processors_percent > 0) {
        limit_processors(cgroup, spec->processors_percent);
    }
    if (spec->role == SPEC_STUDENT) {
        make_case(cgroup, spec);
    } else {
        cgroup->clone_target = cgroup->places[0].group;
    }
}

static void delegate(struct cgroup *cgroup, uid_t user, gid_t group) {
    static const char *const files[] = { "", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int flags = files[i][0] ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
        if (geteuid() == 0 && fchownat(cgroup->places[0].group, files[i], user, group, flags) < 0) {
            cgroup_refuse("the group can't be given to the runner: %s", strerror(errno));
        }
    }
}

static void hand_over(struct cgroup *cgroup, struct handover *handover) {
    int copy = fcntl(cgroup->places[0].group, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
        cgroup_refuse("the group's descriptor can't be copied: %s", strerror(errno));
    }
    handover_add(handover, "group", copy);
}

static void enter(struct cgroup *cgroup, pid_t process) {
    /* It was cloned into the group itself, which is to be the root of its cgroup namespace: only then may the
       runner, where the hierarchy is mounted with nsdelegate, clone from one leaf into another. */
    (void)cgroup, (void)process;
}

static void settle(struct cgroup *cgroup, pid_t process) {
    char number[32];
    if (cgroup->clone_target != cgroup->places[0].group) {
        return;
    }
    int runner = cgroup_make_leaf(cgroup->places[0].group, "runner");
    snprintf(number, sizeof number, "%d", (int)process);
    cgroup_write(runner, "cgroup.procs", number);
    close(runner);
    cgroup_write(cgroup->places[0].group, "cgroup.subtree_control", controllers);
}

static bool cpu_us(const struct cgroup *cgroup, uint64_t *value) {
    return cgroup_number(cgroup->places[0].group, "cpu.stat", "usage_usec", value);
}

static bool out_of_memory(const struct cgroup *cgroup) {
    uint64_t kills = 0;
    return cgroup_number(cgroup->places[0].group, "memory.events", "oom_kill", &kills) && kills > 0;
}

const struct cgroup_kind cgroup_kind_v2 = {
    .make = make,
    .delegate = delegate,
    .hand_over = hand_over,
    .enter = enter,
    .settle = settle,
    .cpu_us = cpu_us,
    .out_of_memory = out_of_memory,
};
