/* Version 2: a fresh group for each case, within the one that was delegated. */
#include "leaf.h"
#include "leaf_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_US = 50000 }; /* a share of processors is given anew so often */

static bool write_text(int directory, const char *file, const char *text) {
    int descriptor = openat(directory, file, O_WRONLY | O_CLOEXEC);
    bool done = descriptor >= 0 && write(descriptor, text, strlen(text)) >= 0;
    int reason = errno;
    if (descriptor >= 0) {
        close(descriptor);
    }
    errno = reason;
    return done;
}

static bool read_file(int directory, const char *file, uint64_t *value) {
    int descriptor = openat(directory, file, O_RDONLY | O_CLOEXEC);
    bool done = descriptor >= 0 && leaf_read_number(descriptor, value);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return done;
}

static bool begin(struct leaf *leaf, const struct protocol_limits *limits, struct fault *fault) {
    char name[32], memory[32], processes[32];
    int group = leaf->walls->group;
    snprintf(name, sizeof name, "case-%" PRIu32, ++leaf->v2.number);
    snprintf(memory, sizeof memory, "%" PRIu64, limits->memory_bytes);
    snprintf(processes, sizeof processes, "%" PRIu64, limits->processes);
    if (mkdirat(group, name, 0755) < 0) {
        return fault_fatal(fault, "cgroup", "the case's group can't be made: %s", strerror(errno));
    }
    leaf->v2.directory = openat(group, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (leaf->v2.directory < 0 || !write_text(leaf->v2.directory, "memory.max", memory) ||
        !write_text(leaf->v2.directory, "memory.oom.group", "1") ||
        !write_text(leaf->v2.directory, "pids.max", processes)) {
        return fault_fatal(fault, "cgroup", "the case's limits can't be set: %s", strerror(errno));
    }
    /* Absent where the kernel has no swap accounting: then there is none to limit. */
    if (!write_text(leaf->v2.directory, "memory.swap.max", "0") && errno != ENOENT) {
        return fault_fatal(fault, "cgroup", "swap can't be forbidden: %s", strerror(errno));
    }
    if (leaf->walls->processors_percent > 0) {
        char share[64];
        snprintf(share, sizeof share, "%u %d", leaf->walls->processors_percent * (PERIOD_US / 100), PERIOD_US);
        if (!write_text(leaf->v2.directory, "cpu.max", share)) {
            return fault_fatal(fault, "cgroup", "the case's share of processors can't be set to %s: %s", share,
                               strerror(errno));
        }
    }
    leaf->v2.cpu = openat(leaf->v2.directory, "cpu.stat", O_RDONLY | O_CLOEXEC);
    leaf->v2.events = openat(leaf->v2.directory, "memory.events", O_RDONLY | O_CLOEXEC);
    if (leaf->v2.cpu < 0 || leaf->v2.events < 0) {
        return fault_fatal(fault, "cgroup", "the case's group can't be read: %s", strerror(errno));
    }
    /* A look at the file arms its alarm. */
    char text[512];
    leaf_read_text(leaf->v2.events, text, sizeof text);
    return true;
}

static bool memory_bytes(struct leaf *leaf, uint64_t *bytes) {
    uint64_t peak, file = 0;
    /* memory.peak came with Linux 5.19. */
    if (leaf->v2.directory < 0 || !read_file(leaf->v2.directory, "memory.peak", &peak)) {
        return false;
    }
    int stat = openat(leaf->v2.directory, "memory.stat", O_RDONLY | O_CLOEXEC);
    if (stat >= 0) {
        leaf_read_page_cache(stat, &file);
        close(stat);
    }
    *bytes = leaf_less(peak, file);
    return true;
}

static void close_place(int *descriptor) {
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

static bool finish(struct leaf *leaf, struct fault *fault) {
    char name[32];
    if (leaf->v2.directory < 0) {
        return true;
    }
    snprintf(name, sizeof name, "case-%" PRIu32, leaf->v2.number);
    close_place(&leaf->v2.cpu);
    close_place(&leaf->v2.events);
    close_place(&leaf->v2.directory);
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

static bool cpu_us(const struct leaf *leaf, uint64_t *value) {
    return leaf->v2.cpu >= 0 && leaf_read_word(leaf->v2.cpu, "usage_usec", value);
}

static bool counted(const struct leaf *leaf, const char *event) {
    uint64_t times = 0;
    return leaf->v2.events >= 0 && leaf_read_word(leaf->v2.events, event, &times) && times > 0;
}

/* "oom" counts the limit of this group alone, "oom_kill" the kills for any group's. */
static bool killed(const struct leaf *leaf) {
    return counted(leaf, "oom_kill");
}

static bool reached_limit(const struct leaf *leaf) {
    return counted(leaf, "oom");
}

/* cgroup.kill came with Linux 5.14; without it the kill by user, which follows in any case, does it alone. */
static void kill_all(const struct leaf *leaf) {
    if (leaf->v2.directory >= 0) {
        write_text(leaf->v2.directory, "cgroup.kill", "1");
    }
}

static bool exhausted(const struct leaf *leaf) {
    return killed(leaf) && reached_limit(leaf);
}

static void open_leaf(struct leaf *leaf) {
    leaf->v2 = (struct leaf_v2){ .directory = -1, .cpu = -1, .events = -1 };
}

const struct leaf_kind leaf_kind_v2 = {
    .open = open_leaf,
    .begin = begin,
    .alarmed = exhausted,
    .cpu_us = cpu_us,
    .killed = killed,
    .exhausted = exhausted,
    .kill = kill_all,
    .memory_bytes = memory_bytes,
    .finish = finish,
    .promise = leaf_group_promise,
};
