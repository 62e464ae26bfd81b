#include "leaf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 4096,
    PERIOD_US = 50000, /* a share of processors is given anew so often */
    /* As near as memory comes to what it was before: the kernel keeps up to 256 KiB in stock for each processor that the
     * group ran on. What a case used is told within a MiB, so no more than that may be given back during it. */
    SETTLED_BYTES = 1024 * 1024,
    SETTLE_MS = 10,
    STALLED_MS = 10,                /* without any progress of the squeezing */
    NEARLY_BYTES = 2 * 1024 * 1024, /* how far below its limit memory may be seen when the kernel finds none left */
};

/* ---- files of numbers ---- */

static ssize_t read_text(int descriptor, char *text, size_t size) {
    ssize_t length = pread(descriptor, text, size - 1, 0);
    text[length > 0 ? length : 0] = 0;
    return length;
}

static bool read_number(int descriptor, uint64_t *value) {
    char text[32], *end;
    if (read_text(descriptor, text, sizeof text) <= 0) {
        return false;
    }
    *value = strtoull(text, &end, 10);
    return end != text;
}

/* The number after a word, in lines of "word number". */
static bool find_number(const char *text, const char *word, uint64_t *value) {
    size_t length = strlen(word);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, word, length) == 0 && line[length] == ' ') {
            *value = strtoull(line + length, NULL, 10);
            return true;
        }
    }
    return false;
}

static bool read_word(int descriptor, const char *word, uint64_t *value) {
    char text[8192];
    return read_text(descriptor, text, sizeof text) > 0 && find_number(text, word, value);
}

static bool write_number(int descriptor, uint64_t value) {
    char text[32];
    int length = snprintf(text, sizeof text, "%" PRIu64, value);
    return pwrite(descriptor, text, (size_t)length, 0) == length;
}

static uint64_t less(uint64_t value, uint64_t part) {
    return value > part ? value - part : 0;
}

/* ---- version 1: one group for all cases, in which the launcher lives ---- */

/* Page cache that was charged to the group because a case was the first to touch a file. It isn't the
   student's, and the kernel gives it up before anything else. */
static bool v1_file_bytes(const struct walls *walls, uint64_t *bytes) {
    char text[8192];
    uint64_t active, inactive;
    if (read_text(walls->memory_stat, text, sizeof text) <= 0 || !find_number(text, "active_file", &active) ||
        !find_number(text, "inactive_file", &inactive)) {
        return false;
    }
    *bytes = active + inactive;
    return true;
}

/* Memory and swap together may never be below memory alone, so the order depends on the direction. */
static bool v1_set_memory(struct leaf *leaf, uint64_t bytes) {
    const struct walls *walls = leaf->walls;
    bool swap = walls->memory_swap_limit >= 0, raise = bytes > leaf->memory_limit;
    if ((swap && raise && !write_number(walls->memory_swap_limit, bytes)) ||
        !write_number(walls->memory_limit, bytes) ||
        (swap && !raise && !write_number(walls->memory_swap_limit, bytes))) {
        return false;
    }
    leaf->memory_limit = bytes;
    return true;
}

/* What the last case left is freed a little after its processes are gone; until then a lower limit may be
   refused. */
static bool v1_limit_memory(struct leaf *leaf, uint64_t bytes) {
    for (int attempt = 0; attempt < 200; attempt++) {
        if (bytes == leaf->memory_limit || v1_set_memory(leaf, bytes)) {
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
static void v1_squeeze(struct leaf *leaf) {
    const uint64_t bytes = (leaf->idle_bytes + SETTLED_BYTES) / PAGE_BYTES * PAGE_BYTES;
    if (write_number(leaf->walls->memory_limit, bytes)) {
        leaf->memory_limit = bytes;
    }
}

/* What is there before the case, apart from page cache. Much of what the last one left in the kernel (its
   files' inodes for one) is given back some milliseconds after it is gone; it would be taken for ours, so it
   is waited for. */
static bool v1_look_at_base(struct leaf *leaf) {
    uint64_t least = UINT64_MAX;
    for (int waited = 0, stalled = 0;; waited++) {
        uint64_t usage;
        if (!read_number(leaf->walls->memory_usage, &usage)) {
            return false;
        }
        leaf->base_bytes = less(usage, leaf->file_bytes);
        if (leaf->base_bytes < leaf->idle_bytes) {
            leaf->idle_bytes = leaf->base_bytes;
        }
        stalled = leaf->base_bytes < least ? 0 : stalled + 1;
        least = leaf->base_bytes < least ? leaf->base_bytes : least;
        if (leaf->base_bytes - leaf->idle_bytes <= SETTLED_BYTES ||
            (waited >= SETTLE_MS + STALLED_MS && stalled >= STALLED_MS)) {
            return true;
        }
        if (waited >= SETTLE_MS) {
            v1_squeeze(leaf);
        }
        struct timespec pause = { .tv_nsec = 1000000 };
        nanosleep(&pause, NULL);
    }
}

static bool v1_begin(struct leaf *leaf, const struct protocol_limits *limits, struct fault *fault) {
    const struct walls *walls = leaf->walls;
    uint64_t cpu_ns, alarms;
    if (walls->memory_alarm >= 0) {
        ssize_t stale = read(walls->memory_alarm, &alarms, sizeof alarms);
        (void)stale;
    }
    if (!v1_look_at_base(leaf) || !read_word(walls->memory_events, "oom_kill", &leaf->base_kills) ||
        !read_number(walls->cpu_usage, &cpu_ns)) {
        return fault_fatal(fault, "cgroup", "the case's group can't be read: %s", strerror(errno));
    }
    leaf->base_cpu_us = cpu_ns / 1000;
    /* The student gets what was promised, on top of what is ours. */
    uint64_t limit = (limits->memory_bytes + leaf->base_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    if (!v1_limit_memory(leaf, limit)) {
        return fault_fatal(fault, "cgroup", "the memory limit can't be set to %" PRIu64 ": %s", limit, strerror(errno));
    }
    if (leaf->pids_limit != limits->processes + 1) {
        if (!write_number(walls->pids_limit, limits->processes + 1)) {
            return fault_fatal(fault, "cgroup", "the limit of processes can't be set: %s", strerror(errno));
        }
        leaf->pids_limit = limits->processes + 1;
    }
    if (!write_number(walls->memory_peak, 0)) {
        return fault_fatal(fault, "cgroup", "the peak of memory can't be reset: %s", strerror(errno));
    }
    return true;
}

static bool v1_memory_bytes(struct leaf *leaf, uint64_t *bytes) {
    uint64_t peak;
    if (!read_number(leaf->walls->memory_peak, &peak) || !v1_file_bytes(leaf->walls, &leaf->file_bytes)) {
        return false;
    }
    *bytes = less(peak, leaf->file_bytes + leaf->base_bytes);
    return true;
}

/* Did the case's memory get to its own limit? A kill, and the alarm too, also come when a group above this one, or the
   machine, has no more: that is the fault of whoever sized it, not of a program that kept to its limit. */
static bool v1_reached_limit(const struct leaf *leaf) {
    uint64_t peak;
    return read_number(leaf->walls->memory_peak, &peak) && peak + NEARLY_BYTES >= leaf->memory_limit;
}

/* ---- version 2: a fresh leaf for each case ---- */

static bool v2_write(int directory, const char *file, const char *text) {
    int descriptor = openat(directory, file, O_WRONLY | O_CLOEXEC);
    bool done = descriptor >= 0 && write(descriptor, text, strlen(text)) >= 0;
    int reason = errno;
    if (descriptor >= 0) {
        close(descriptor);
    }
    errno = reason;
    return done;
}

static bool v2_number(int directory, const char *file, uint64_t *value) {
    int descriptor = openat(directory, file, O_RDONLY | O_CLOEXEC);
    bool done = descriptor >= 0 && read_number(descriptor, value);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return done;
}

static bool v2_begin(struct leaf *leaf, const struct protocol_limits *limits, struct fault *fault) {
    char name[32], memory[32], processes[32];
    int group = leaf->walls->group;
    snprintf(name, sizeof name, "case-%" PRIu32, ++leaf->number);
    snprintf(memory, sizeof memory, "%" PRIu64, limits->memory_bytes);
    snprintf(processes, sizeof processes, "%" PRIu64, limits->processes);
    if (mkdirat(group, name, 0755) < 0) {
        return fault_fatal(fault, "cgroup", "the case's group can't be made: %s", strerror(errno));
    }
    leaf->directory = openat(group, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (leaf->directory < 0 || !v2_write(leaf->directory, "memory.max", memory) ||
        !v2_write(leaf->directory, "memory.oom.group", "1") || !v2_write(leaf->directory, "pids.max", processes)) {
        return fault_fatal(fault, "cgroup", "the case's limits can't be set: %s", strerror(errno));
    }
    /* Absent where the kernel has no swap accounting: then there is none to limit. */
    if (!v2_write(leaf->directory, "memory.swap.max", "0") && errno != ENOENT) {
        return fault_fatal(fault, "cgroup", "swap can't be forbidden: %s", strerror(errno));
    }
    if (leaf->walls->processors_percent > 0) {
        char share[64];
        snprintf(share, sizeof share, "%u %d", leaf->walls->processors_percent * (PERIOD_US / 100), PERIOD_US);
        if (!v2_write(leaf->directory, "cpu.max", share)) {
            return fault_fatal(fault, "cgroup", "the case's share of processors can't be set to %s: %s", share,
                               strerror(errno));
        }
    }
    leaf->cpu = openat(leaf->directory, "cpu.stat", O_RDONLY | O_CLOEXEC);
    leaf->events = openat(leaf->directory, "memory.events", O_RDONLY | O_CLOEXEC);
    if (leaf->cpu < 0 || leaf->events < 0) {
        return fault_fatal(fault, "cgroup", "the case's group can't be read: %s", strerror(errno));
    }
    /* A look at the file arms its alarm. */
    char text[512];
    read_text(leaf->events, text, sizeof text);
    return true;
}

static bool v2_memory_bytes(struct leaf *leaf, uint64_t *bytes) {
    uint64_t peak, file = 0;
    /* memory.peak came with Linux 5.19. */
    if (!v2_number(leaf->directory, "memory.peak", &peak)) {
        return false;
    }
    int stat = openat(leaf->directory, "memory.stat", O_RDONLY | O_CLOEXEC);
    if (stat >= 0) {
        uint64_t active = 0, inactive = 0;
        if (read_word(stat, "active_file", &active) && read_word(stat, "inactive_file", &inactive)) {
            file = active + inactive;
        }
        close(stat);
    }
    *bytes = less(peak, file);
    return true;
}

static void close_place(int *descriptor) {
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

static bool v2_finish(struct leaf *leaf, struct fault *fault) {
    char name[32];
    snprintf(name, sizeof name, "case-%" PRIu32, leaf->number);
    close_place(&leaf->cpu);
    close_place(&leaf->events);
    close_place(&leaf->directory);
    /* Tasks that were reaped may still be on their way out of the group. */
    for (int attempt = 0; attempt < 1000; attempt++) {
        if (unlinkat(leaf->walls->group, name, AT_REMOVEDIR) == 0) {
            return true;
        }
        if (errno != EBUSY) {
            break;
        }
        struct timespec pause = { .tv_nsec = attempt < 20 ? 100000 : 5000000 };
        nanosleep(&pause, NULL);
    }
    return fault_fatal(fault, "cgroup", "the case's group can't be removed: %s", strerror(errno));
}

/* ---- either ---- */

void leaf_open(struct leaf *leaf, const struct walls *walls) {
    *leaf = (struct leaf){
        .walls = walls, .memory_limit = UINT64_MAX, .idle_bytes = UINT64_MAX, .directory = -1, .cpu = -1, .events = -1
    };
}

bool leaf_begin(struct leaf *leaf, const struct protocol_limits *limits, struct fault *fault) {
    switch (leaf->walls->accounting) {
    case WALLS_CGROUP_V1: return v1_begin(leaf, limits, fault);
    case WALLS_CGROUP_V2: return v2_begin(leaf, limits, fault);
    case WALLS_RLIMIT: break;
    }
    return true;
}

int leaf_clone_target(const struct leaf *leaf) {
    return leaf->directory;
}

int leaf_alarm(const struct leaf *leaf, short *events) {
    *events = leaf->walls->accounting == WALLS_CGROUP_V2 ? POLLPRI : POLLIN;
    return leaf->walls->accounting == WALLS_CGROUP_V2 ? leaf->events : leaf->walls->memory_alarm;
}

bool leaf_alarmed(const struct leaf *leaf) {
    uint64_t count;
    if (leaf->walls->accounting == WALLS_CGROUP_V1) {
        return read(leaf->walls->memory_alarm, &count, sizeof count) == (ssize_t)sizeof count && v1_reached_limit(leaf);
    }
    return leaf_exhausted(leaf);
}

bool leaf_cpu_us(const struct leaf *leaf, uint64_t *cpu_us) {
    uint64_t value;
    switch (leaf->walls->accounting) {
    case WALLS_CGROUP_V1:
        if (!read_number(leaf->walls->cpu_usage, &value)) {
            return false;
        }
        *cpu_us = less(value / 1000, leaf->base_cpu_us);
        return true;
    case WALLS_CGROUP_V2: return leaf->cpu >= 0 && read_word(leaf->cpu, "usage_usec", cpu_us);
    case WALLS_RLIMIT: break;
    }
    return false;
}

/* Did the kernel kill any of its processes for want of memory, its own or anybody's? */
static bool killed(const struct leaf *leaf) {
    uint64_t kills = 0;
    switch (leaf->walls->accounting) {
    case WALLS_CGROUP_V1: return read_word(leaf->walls->memory_events, "oom_kill", &kills) && kills > leaf->base_kills;
    case WALLS_CGROUP_V2: return leaf->events >= 0 && read_word(leaf->events, "oom_kill", &kills) && kills > 0;
    case WALLS_RLIMIT: break;
    }
    return false;
}

static bool reached_limit(const struct leaf *leaf) {
    uint64_t times = 0;
    if (leaf->walls->accounting == WALLS_CGROUP_V1) {
        return v1_reached_limit(leaf);
    }
    /* "oom" counts the limit of this group alone, "oom_kill" the kills for any group's. */
    return leaf->events >= 0 && read_word(leaf->events, "oom", &times) && times > 0;
}

bool leaf_exhausted(const struct leaf *leaf) {
    return killed(leaf) && reached_limit(leaf);
}

bool leaf_robbed(const struct leaf *leaf) {
    return killed(leaf) && !reached_limit(leaf);
}

void leaf_kill(const struct leaf *leaf) {
    /* cgroup.kill came with Linux 5.14; without it the kill by user, which follows in any case, does it
       alone. */
    if (leaf->directory >= 0) {
        v2_write(leaf->directory, "cgroup.kill", "1");
    }
}

bool leaf_memory_bytes(struct leaf *leaf, uint64_t *memory_bytes) {
    switch (leaf->walls->accounting) {
    case WALLS_CGROUP_V1: return v1_memory_bytes(leaf, memory_bytes);
    case WALLS_CGROUP_V2: return leaf->directory >= 0 && v2_memory_bytes(leaf, memory_bytes);
    case WALLS_RLIMIT: break;
    }
    return false;
}

bool leaf_finish(struct leaf *leaf, struct fault *fault) {
    return leaf->directory >= 0 ? v2_finish(leaf, fault) : true;
}
