/*
 * Within a container: its counters, to be read. No limit can be set and no peak be set back, so memory is looked at every few
 * milliseconds while a case runs, and the case is ended when it is seen beyond its limit. What is the case's is what there is
 * more than before it, apart from the page cache of files and from the output that the runner itself keeps.
 *
 * The container's own limit is the last net: larger than a case's by what the runner needs, it is met only between two looks. Then
 * the kernel kills, by oom_score_adj, the case's processes first, then the launcher.
 *
 * There are two measures. What was seen at one moment together with its page cache is certain. The peak that the kernel kept,
 * where it rose during the case, and what was seen without looking at the page cache are less the most page cache that there
 * was: that is never more than the truth unless the kernel had to take page cache back, and then the peak isn't used.
 */
#include "leaf.h"
#include "leaf_files.h"
#include "usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
    SETTLED_BYTES = 1024 * 1024, /* as near as memory comes to what it was before */
    SETTLE_MS = 3,               /* without any progress */
    SETTLE_MOST_MS = 200,
    /* What cases leave is theirs in the next one, too, beyond this: an honest program leaves the kernel's memory of the modules that it
       looked for. */
    LEFT_BYTES = 16 * 1024 * 1024,
    LEFT_MOST_MS = 500,
    TURN_MS = 20000, /* how long another's case in the same container is waited for: less than the host waits for us */
    TURN_STEP_MS = 2,
    /* What each processor has of the group's memory in stock, or not told of yet, at most. */
    STOCK_BYTES = 256 * 1024,
    SLACK_MOST_BYTES = 16 * 1024 * 1024,
};

static bool first_version(const struct leaf *leaf) {
    return leaf->walls->accounting == WALLS_CONTAINER_V1;
}

static void pause_ms(long milliseconds) {
    struct timespec time = { .tv_nsec = milliseconds * 1000000 };
    nanosleep(&time, NULL);
}

/* ---- the counters ---- */

/* A limit that isn't a number is none. */
static uint64_t read_limit(const struct leaf *leaf) {
    uint64_t bytes;
    return leaf_read_number(leaf->walls->memory_limit, &bytes) ? bytes : UINT64_MAX;
}

static bool read_usage(const struct leaf *leaf, uint64_t *bytes) {
    uint64_t swap = 0;
    bool told = leaf_read_number(leaf->walls->memory_usage, bytes) &&
                (leaf->walls->memory_swap < 0 || leaf_read_number(leaf->walls->memory_swap, &swap));
    *bytes += told ? swap : 0;
    return told;
}

/* How often the container was at its limit, whether the kernel then found something to take back or not. */
static uint64_t read_hits(const struct leaf *leaf) {
    uint64_t hits = 0, swap_hits = 0;
    if (!first_version(leaf)) {
        leaf_read_word(leaf->walls->memory_events, "max", &hits);
        return hits;
    }
    leaf_read_number(leaf->walls->memory_limit_hits, &hits);
    leaf_read_number(leaf->walls->memory_swap_limit_hits, &swap_hits);
    return hits + swap_hits;
}

/* How often it found nothing. Version 1 doesn't tell it from the above. */
static uint64_t read_ooms(const struct leaf *leaf) {
    uint64_t ooms = 0;
    if (first_version(leaf)) {
        return read_hits(leaf);
    }
    leaf_read_word(leaf->walls->memory_events, "oom", &ooms);
    return ooms;
}

static uint64_t read_kills(const struct leaf *leaf) {
    uint64_t kills = 0;
    leaf_read_word(leaf->walls->memory_events, "oom_kill", &kills);
    return kills;
}

static uint64_t read_peak(const struct leaf *leaf) {
    uint64_t bytes = 0;
    leaf_read_number(leaf->walls->memory_peak, &bytes);
    return bytes;
}

static bool read_cpu_us(const struct leaf *leaf, uint64_t *value) {
    if (!first_version(leaf)) {
        return leaf_read_word(leaf->walls->cpu_usage, "usage_usec", value);
    }
    bool told = leaf_read_number(leaf->walls->cpu_usage, value);
    *value /= 1000;
    return told;
}

/* What of the container's CPU time is the runner's and its launcher's. The supervisor sleeps while cases run. */
static uint64_t own_cpu_us(const struct leaf *leaf) {
    return usage_process_cpu_us(getpid()) + usage_process_cpu_us(leaf->launcher);
}

/* ---- before a case ---- */

/* Two sandboxes can be in one container, a worker's own: each would take the other's case for its own. So cases run one at a time in
   a container: the kernel's file of its usage is the same for all. */
static bool take_turn(const struct leaf *leaf, struct fault *fault) {
    for (int waited = 0; flock(leaf->walls->memory_usage, LOCK_EX | LOCK_NB) < 0; waited += TURN_STEP_MS) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return fault_fatal(fault, "container", "the container's counters can't be locked: %s", strerror(errno));
        }
        if (waited >= TURN_MS) {
            return fault_case(
                fault, "container",
                "another sandbox has been running a case in this container for %d seconds, and only one at a time "
                "can be measured there: give each container one slot",
                TURN_MS / 1000);
        }
        pause_ms(TURN_STEP_MS);
    }
    return true;
}

/* What there is now apart from page cache and the case's input. */
static bool read_base(struct leaf_container *container, const struct leaf *leaf, uint64_t *bytes) {
    uint64_t usage, file;
    if (!read_usage(leaf, &usage) || !leaf_read_page_cache(leaf->walls->memory_stat, &file)) {
        return false;
    }
    container->file_bytes = file;
    *bytes = leaf_less(usage, file + leaf->input_bytes);
    if (*bytes < container->idle_bytes) {
        container->idle_bytes = *bytes;
    }
    return true;
}

/* Who else lives in the container may take what he likes meanwhile. The counter of CPU time is there where nobody does. */
static bool is_alone(const struct leaf *leaf) {
    return leaf->walls->cpu_usage >= 0;
}

static uint64_t left_most(const struct leaf *leaf) {
    return is_alone(leaf) ? LEFT_BYTES : UINT64_MAX / 2;
}

static bool is_settled(const struct leaf *leaf, uint64_t left, int waited, int stalled) {
    return left <= SETTLED_BYTES || waited >= LEFT_MOST_MS ||
           (left <= left_most(leaf) && (stalled >= SETTLE_MS || waited >= SETTLE_MOST_MS));
}

/* What the last case left in the kernel is given back some milliseconds after it is gone; it would be taken for ours, so it is waited
   for as long as it gets less. What then is left the kernel keeps until it needs the room, names that were looked for and aren't there
   for one; no room can be made short here, as a group's limit would. Taken for what was there anyway, it would be added to the limit of
   the case that makes the kernel need the room. */
static bool look_at_base(struct leaf_container *container, const struct leaf *leaf) {
    uint64_t now, least = UINT64_MAX;
    for (int waited = 0, stalled = 0;; waited++) {
        if (!read_base(container, leaf, &now)) {
            return false;
        }
        stalled = now < least ? 0 : stalled + 1;
        least = now < least ? now : least;
        if (is_settled(leaf, now - container->idle_bytes, waited, stalled)) {
            break;
        }
        pause_ms(1);
    }
    uint64_t most = container->idle_bytes + left_most(leaf);
    container->base_bytes = (now < most ? now : most) + leaf->input_bytes;
    return true;
}

static uint64_t slack_bytes(void) {
    uint64_t bytes = SETTLED_BYTES + (uint64_t)usage_processors() * STOCK_BYTES;
    return bytes < SLACK_MOST_BYTES ? bytes : SLACK_MOST_BYTES;
}

static bool begin(struct leaf *leaf, const struct protocol_limits *limits, struct fault *fault) {
    struct leaf_container *container = &leaf->container;
    const uint64_t idle_bytes = container->idle_bytes;
    *container = (struct leaf_container){ .idle_bytes = idle_bytes, .most_bytes = limits->memory_bytes };
    if (!take_turn(leaf, fault)) {
        return false;
    }
    container->container_bytes = read_limit(leaf);
    container->slack_bytes = slack_bytes();
    if (!look_at_base(container, leaf) ||
        (leaf->walls->cpu_usage >= 0 && !read_cpu_us(leaf, &container->base_cpu_us))) {
        return fault_fatal(fault, "container", "the container's counters can't be read: %s", strerror(errno));
    }
    container->base_peak = read_peak(leaf);
    container->base_hits = read_hits(leaf);
    container->base_ooms = read_ooms(leaf);
    container->base_kills = read_kills(leaf);
    container->base_own_us = own_cpu_us(leaf);
    return true;
}

/* ---- during a case ---- */

static bool is_beyond(const struct leaf_container *container, uint64_t bytes) {
    return bytes > container->most_bytes + container->slack_bytes;
}

/* One file is read, and only near the limit the other, which takes the kernel longer. */
static bool look(struct leaf *leaf) {
    struct leaf_container *container = &leaf->container;
    uint64_t usage, again, file;
    if (!read_usage(leaf, &usage)) {
        return false;
    }
    usage = leaf_less(usage, leaf->held_bytes);
    if (usage > container->seen_bytes) {
        container->seen_bytes = usage;
    }
    if (!is_beyond(container, leaf_less(usage, container->base_bytes))) {
        return false;
    }
    if (!leaf_read_page_cache(leaf->walls->memory_stat, &file) || !read_usage(leaf, &again)) {
        return false;
    }
    /* The kernel may have taken page cache back between the two. */
    again = leaf_less(again, leaf->held_bytes);
    usage = again < usage ? again : usage;
    uint64_t certain = leaf_less(usage, container->base_bytes + file);
    if (file > container->file_bytes) {
        container->file_bytes = file;
    }
    if (certain > container->certain_bytes) {
        container->certain_bytes = certain;
    }
    container->beyond = container->beyond || is_beyond(container, certain);
    return container->beyond;
}

static bool cpu_us(const struct leaf *leaf, uint64_t *value) {
    uint64_t all;
    if (leaf->walls->cpu_usage < 0 || !read_cpu_us(leaf, &all)) {
        return false;
    }
    uint64_t own = leaf_less(own_cpu_us(leaf), leaf->container.base_own_us);
    *value = leaf_less(leaf_less(all, leaf->container.base_cpu_us), own);
    return true;
}

/* ---- after a case ---- */

static bool killed(const struct leaf *leaf) {
    return read_kills(leaf) > leaf->container.base_kills;
}

/* Had the container room for what the case may have? What earlier cases of the same program left is no part of what they couldn't
   help: a program that fills its container with it would else be our failure in the next one, each time that it is tried again. */
static bool is_roomy(const struct leaf *leaf) {
    const struct leaf_container *container = &leaf->container;
    uint64_t ours = is_alone(leaf) ? container->idle_bytes + leaf->input_bytes : container->base_bytes;
    return leaf_less(container->container_bytes, ours + leaf->held_bytes) >= container->most_bytes;
}

/* A kill for the container's own limit is the case's fault, unless the container is too small. */
static bool exhausted(const struct leaf *leaf) {
    const struct leaf_container *container = &leaf->container;
    return container->beyond || (is_roomy(leaf) && killed(leaf) && read_ooms(leaf) > container->base_ooms);
}

static bool memory_bytes(struct leaf *leaf, uint64_t *bytes) {
    struct leaf_container *container = &leaf->container;
    uint64_t peak = read_peak(leaf), seen = container->seen_bytes, file;
    if (!leaf_read_page_cache(leaf->walls->memory_stat, &file)) {
        return false;
    }
    container->file_bytes = file > container->file_bytes ? file : container->file_bytes;
    if (peak > container->base_peak && read_hits(leaf) == container->base_hits) {
        peak = leaf_less(peak, leaf->held_bytes);
        seen = peak > seen ? peak : seen;
    }
    *bytes = leaf_less(seen, container->file_bytes + container->base_bytes);
    *bytes = *bytes > container->certain_bytes ? *bytes : container->certain_bytes;
    container->beyond = container->beyond || is_beyond(container, *bytes);
    /* Gone before it was looked at. */
    return *bytes > 0;
}

static bool finish(struct leaf *leaf, struct fault *fault) {
    if (flock(leaf->walls->memory_usage, LOCK_UN) < 0) {
        return fault_fatal(fault, "container", "the container's counters can't be unlocked: %s", strerror(errno));
    }
    return true;
}

static void open_leaf(struct leaf *leaf) {
    leaf->container = (struct leaf_container){ .idle_bytes = UINT64_MAX };
}

const struct leaf_kind leaf_kind_container = {
    .open = open_leaf,
    .begin = begin,
    .look = look,
    .cpu_us = cpu_us,
    .killed = killed,
    .exhausted = exhausted,
    .memory_bytes = memory_bytes,
    .finish = finish,
    .promise = "the container, or the machine, ran out of memory, and the kernel took the program, which had kept to "
               "its limit: "
               "give the container more than the largest limit (memory_reserve), or start fewer at once",
};
