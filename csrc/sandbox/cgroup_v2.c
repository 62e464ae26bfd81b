/* Version 2: one hierarchy. The group is delegated to the runner, who makes a leaf for each case. */
#include "cgroup.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Besides `runner` one for the case, and room for such as are on their way out. */
enum { GROUPS_WITHIN = 4 };

/* Without swap accounting a limit of memory is none as long as there is swap. */
static void limit_swap(int leaf) {
    if (faccessat(leaf, "memory.swap.max", F_OK, 0) == 0) {
        cgroup_write(leaf, "memory.swap.max", "0");
    } else if (cgroup_swap_in_use()) {
        cgroup_refuse(
            "there is swap on this machine, and the kernel doesn't count it: boot with swapaccount=1, or swapoff -a");
    }
}

static void limit_processors(int leaf, uint64_t percent) {
    char share[64];
    snprintf(share, sizeof share, "%" PRIu64 " %d", percent * CGROUP_PERIOD_US / 100, CGROUP_PERIOD_US);
    cgroup_write_share(leaf, "cpu.max", share);
}

/* In the student's role nobody within makes leaves, so both are made here, and nothing is delegated. */
static void make_case(struct cgroup *cgroup, const struct spec *spec) {
    int group = cgroup->places[0].group;
    cgroup->clone_target = cgroup_make_leaf(group, "runner");
    cgroup_write(group, "cgroup.subtree_control", cgroup_controllers(cgroup->processors_percent > 0));
    int leaf = cgroup_make_leaf(group, "case");
    cgroup_write_number(leaf, "memory.max", spec->memory_bytes);
    limit_swap(leaf);
    cgroup_write(leaf, "memory.oom.group", "1");
    cgroup_write_number(leaf, "pids.max", spec->processes);
    if (spec->processors_percent > 0) {
        limit_processors(leaf, spec->processors_percent);
    }
    cgroup->enter[0] = cgroup_open(leaf, "cgroup.procs", O_WRONLY);
    close(leaf);
}

static void make(struct cgroup *cgroup, const struct spec *spec) {
    if (spec->role == SPEC_STUDENT) {
        make_case(cgroup, spec);
        return;
    }
    cgroup->clone_target = cgroup->places[0].group;
    cgroup_write(cgroup->places[0].group, "cgroup.max.depth", "1");
    cgroup_write_number(cgroup->places[0].group, "cgroup.max.descendants", GROUPS_WITHIN);
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
    (void)cgroup, (void)handover;
}

/* The group as a mount of its own that hangs nowhere: a descriptor of the directory itself would lead, by "..", to all that
   whoever started us can see, whatever the runner's root is. Mounts are cloned where they are seen, and that is here, in the
   inner process's copy of the host's. */
static void hand_over_within(const struct cgroup *cgroup, struct handover *handover) {
    char path[CGROUP_PATH_BYTES + CGROUP_NAME_BYTES + 1];
    struct stat made, cloned;
    snprintf(path, sizeof path, "%s/%s", cgroup->places[0].parent, cgroup->name);
    int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) {
        cgroup_refuse("the group can't be shown to the runner: %s", strerror(errno));
    }
    if (fstat(cgroup->places[0].group, &made) < 0 || fstat(tree, &cloned) < 0 || made.st_ino != cloned.st_ino ||
        made.st_dev != cloned.st_dev) {
        cgroup_refuse("%s isn't the group that was made", path);
    }
    handover_add(handover, "group", tree);
}

static void enter(struct cgroup *cgroup, pid_t process) {
    /* It was cloned into the group itself, which is to be the root of its cgroup namespace: only then may the
       runner, where the hierarchy is mounted with nsdelegate, clone from one leaf into another. */
    (void)cgroup, (void)process;
}

/* The runner is trusted, but what it could do if it were taken over is bounded as well. */
static void settle(struct cgroup *cgroup, pid_t process) {
    if (cgroup->clone_target != cgroup->places[0].group) {
        return;
    }
    int runner = cgroup_make_leaf(cgroup->places[0].group, "runner");
    cgroup_write_number(runner, "cgroup.procs", (uint64_t)process);
    cgroup_write(cgroup->places[0].group, "cgroup.subtree_control", cgroup_controllers(cgroup->processors_percent > 0));
    cgroup_write_number(runner, "memory.max", cgroup->runner_bytes);
    cgroup_write_number(runner, "pids.max", CGROUP_RUNNER_PROCESSES);
    limit_swap(runner);
    close(runner);
}

static bool cpu_us(const struct cgroup *cgroup, uint64_t *value) {
    return cgroup_number(cgroup->places[0].group, "cpu.stat", "usage_usec", value);
}

/* A kill also comes when a group above, or the machine, has no more; "oom" counts limits of this group and those within. */
static bool out_of_memory(const struct cgroup *cgroup) {
    uint64_t kills = 0, limits = 0;
    int group = cgroup->places[0].group;
    return cgroup_number(group, "memory.events", "oom_kill", &kills) && kills > 0 &&
           cgroup_number(group, "memory.events", "oom", &limits) && limits > 0;
}

const struct cgroup_kind cgroup_kind_v2 = {
    .make = make,
    .delegate = delegate,
    .hand_over = hand_over,
    .hand_over_within = hand_over_within,
    .enter = enter,
    .settle = settle,
    .cpu_us = cpu_us,
    .out_of_memory = out_of_memory,
};
