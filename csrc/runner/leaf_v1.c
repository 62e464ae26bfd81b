/* Version 1: one group for all cases, in which the launcher lives. */
#include "leaf.h"
#include "leaf_files.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 4096,
    /* As near as memory comes to what it was before: the kernel keeps up to 256 KiB in stock for each processor that the
     * group ran on. What a case used is told within a MiB, so no more than that may be given back during it. */
    SETTLED_BYTES = 1024 * 1024,
    SETTLE_MS = 10,
    STALLED_MS = 10,                /* without any progress of the squeezing */
    NEARLY_BYTES = 2 * 1024 * 1024, /* how far below its limit memory may be seen when the kernel finds none left */
};

/* Memory and swap together may never be below memory alone, so the order depends on the direction. */
static bool set_memory(struct leaf *leaf, uint64_t bytes) {
    const struct walls *walls = leaf->walls;
    bool swap = walls->memory_swap_limit >= 0, raise = bytes > leaf->v1.memory_limit;
    if ((swap && raise && !leaf_write_number(walls->memory_swap_limit, bytes)) ||
        !leaf_write_number(walls->memory_limit, bytes) ||
        (swap && !raise && !leaf_write_number(walls->memory_swap_limit, bytes))) {
        return false;
    }
    leaf->v1.memory_limit = bytes;
    return true;
}

/* What the last case left is freed a little after its processes are gone; until then a lower limit may be
   refused. */
static bool limit_memory(struct leaf *leaf, uint64_t bytes) {
    for (int attempt = 0; attempt < 200; attempt++) {
        if (bytes == leaf->v1.memory_limit || set_memory(leaf, bytes)) {
            return true;
        }
        if (errno != EBUSY && errno != EINVAL) {
            return false;
        }
        struct timespec pause = { .tv_nsec = 5000000 };
        nanosleep(&pause, NULL);
    }
    return false;
}

/* What is still there then the kernel keeps until it needs the room, names of files that were looked for and aren't there for one; a
   case could leave much of it, to be added to the next one's limit. A limit below it makes the kernel need the room. One try
   gives up only what nobody used since the last, and that is free only after a grace period of RCU: whoever asks again, while
   there is progress, gets all of it. */
static void squeeze(struct leaf *leaf) {
    const uint64_t bytes = (leaf->v1.idle_bytes + SETTLED_BYTES) / PAGE_BYTES * PAGE_BYTES;
    if (leaf_write_number(leaf->walls->memory_limit, bytes)) {
        leaf->v1.memory_limit = bytes;
    }
}

/* What is there before the case, apart from page cache. Much of what the last one left in the kernel (its
   files' inodes for one) is given back some milliseconds after it is gone; it would be taken for ours, so it
   is waited for. */
static bool look_at_base(struct leaf *leaf) {
    uint64_t least = UINT64_MAX;
    for (int waited = 0, stalled = 0;; waited++) {
        uint64_t usage;
        if (!leaf_read_number(leaf->walls->memory_usage, &usage)) {
            return false;
        }
        leaf->v1.base_bytes = leaf_less(usage, leaf->v1.file_bytes);
        if (leaf->v1.base_bytes < leaf->v1.idle_bytes) {
            leaf->v1.idle_bytes = leaf->v1.base_bytes;
        }
        stalled = leaf->v1.base_bytes < least ? 0 : stalled + 1;
        least = leaf->v1.base_bytes < least ? leaf->v1.base_bytes : least;
        if (leaf->v1.base_bytes - leaf->v1.idle_bytes <= SETTLED_BYTES ||
            (waited >= SETTLE_MS + STALLED_MS && stalled >= STALLED_MS)) {
            return true;
        }
        if (waited >= SETTLE_MS) {
            squeeze(leaf);
        }
        struct timespec pause = { .tv_nsec = 1000000 };
        nanosleep(&pause, NULL);
    }
}

static bool begin(struct leaf *leaf, const struct protocol_limits *limits, struct fault *fault) {
    const struct walls *walls = leaf->walls;
    uint64_t cpu_ns, alarms;
    if (walls->memory_alarm >= 0) {
        ssize_t stale = read(walls->memory_alarm, &alarms, sizeof alarms);
        (void)stale;
    }
    if (!look_at_base(leaf) || !leaf_read_word(walls->memory_events, "oom_kill", &leaf->v1.base_kills) ||
        !leaf_read_number(walls->cpu_usage, &cpu_ns)) {
        return fault_fatal(fault, "cgroup", "the case's group can't be read: %s", strerror(errno));
    }
    leaf->v1.base_cpu_us = cpu_ns / 1000;
    /* The student gets what was promised, on top of what is ours. */
    uint64_t limit = (limits->memory_bytes + leaf->v1.base_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    if (!limit_memory(leaf, limit)) {
        return fault_fatal(fault, "cgroup", "the memory limit can't be set to %" PRIu64 ": %s", limit, strerror(errno));
    }
    if (leaf->v1.pids_limit != limits->processes + 1) {
        if (!leaf_write_number(walls->pids_limit, limits->processes + 1)) {
            return fault_fatal(fault, "cgroup", "the limit of processes can't be set: %s", strerror(errno));
        }
        leaf->v1.pids_limit = limits->processes + 1;
    }
    if (!leaf_write_number(walls->memory_peak, 0)) {
        return fault_fatal(fault, "cgroup", "the peak of memory can't be reset: %s", strerror(errno));
    }
    return true;
}

static bool memory_bytes(struct leaf *leaf, uint64_t *bytes) {
    uint64_t peak;
    if (!leaf_read_number(leaf->walls->memory_peak, &peak) ||
        !leaf_read_page_cache(leaf->walls->memory_stat, &leaf->v1.file_bytes)) {
        return false;
    }
    *bytes = leaf_less(peak, leaf->v1.file_bytes + leaf->v1.base_bytes);
    return true;
}

/* Did the case's memory get to its own limit? A kill, and the alarm too, also come when a group above this one, or the
   machine, has no more: that is the fault of whoever sized it, not of a program that kept to its limit. */
static bool reached_limit(const struct leaf *leaf) {
    uint64_t peak;
    return leaf_read_number(leaf->walls->memory_peak, &peak) && peak + NEARLY_BYTES >= leaf->v1.memory_limit;
}

static bool alarmed(const struct leaf *leaf) {
    uint64_t count;
    return read(leaf->walls->memory_alarm, &count, sizeof count) == (ssize_t)sizeof count && reached_limit(leaf);
}

static bool cpu_us(const struct leaf *leaf, uint64_t *value) {
    uint64_t nanoseconds;
    if (!leaf_read_number(leaf->walls->cpu_usage, &nanoseconds)) {
        return false;
    }
    *value = leaf_less(nanoseconds / 1000, leaf->v1.base_cpu_us);
    return true;
}

static bool killed(const struct leaf *leaf) {
    uint64_t kills = 0;
    return leaf_read_word(leaf->walls->memory_events, "oom_kill", &kills) && kills > leaf->v1.base_kills;
}

static bool exhausted(const struct leaf *leaf) {
    return killed(leaf) && reached_limit(leaf);
}

static void open_leaf(struct leaf *leaf) {
    leaf->v1 = (struct leaf_v1){ .memory_limit = UINT64_MAX, .idle_bytes = UINT64_MAX };
}

const struct leaf_kind leaf_kind_v1 = {
    .open = open_leaf,
    .begin = begin,
    .alarmed = alarmed,
    .cpu_us = cpu_us,
    .killed = killed,
    .exhausted = exhausted,
    .memory_bytes = memory_bytes,
    .promise = leaf_group_promise,
};
