/* The place where a case is bounded and measured as a whole: a cgroup of version 1 or 2; within a container the
   container's own, whose counters can be read and nothing else; or, without any, nothing but what the kernel tells of
   processes (usage.h). */
#ifndef SUBMITTER_RUNNER_LEAF_H
#define SUBMITTER_RUNNER_LEAF_H

#include "../protocol/protocol.h"
#include "fault.h"
#include "walls.h"

#include <sys/types.h>

/* One group for all cases, in which the launcher lives. */
struct leaf_v1 {
    uint64_t memory_limit; /* as it stands in the group */
    uint64_t pids_limit;   /* as it stands in the group */
    uint64_t idle_bytes;   /* the least that was ever there between cases */
    uint64_t base_bytes;   /* what the launcher and the kernel hold there before the case */
    uint64_t file_bytes;   /* page cache charged to the group, as of the last look */
    uint64_t base_kills;   /* out-of-memory kills before the case */
    uint64_t base_cpu_us;  /* CPU time before the case */
};

/* A fresh group for each case. */
struct leaf_v2 {
    uint32_t number; /* of the group; counts the cases */
    int directory;
    int cpu, events; /* its files */
};

/* The container's counters; "before" is before the case. */
struct leaf_container {
    uint64_t container_bytes; /* the container's own limit */
    uint64_t most_bytes;      /* the case's */
    uint64_t slack_bytes;     /* how exact the counters are */
    uint64_t idle_bytes;      /* the least that was ever there between cases, without page cache and input */
    uint64_t base_bytes;      /* what there was before this case and isn't counted as its own */
    uint64_t file_bytes;      /* the most page cache that was seen during the case */
    uint64_t seen_bytes;      /* the most that was seen, page cache and what was there before and all */
    uint64_t certain_bytes;   /* the most that was seen without both: surely the case's */
    uint64_t base_peak, base_hits, base_ooms, base_kills;
    uint64_t base_cpu_us, base_own_us;
    bool beyond; /* it was seen beyond its limit */
};

struct leaf {
    const struct walls *walls;
    const struct leaf_kind *kind;
    pid_t launcher;
    /* What the runner holds of the case's input and output: where it is counted it isn't the case's. The latter is set by it. */
    uint64_t input_bytes, held_bytes;
    union {
        struct leaf_v1 v1;
        struct leaf_v2 v2;
        struct leaf_container container;
    };
};

void leaf_open(struct leaf *leaf, const struct walls *walls);
/* Before a case, which this launcher will start: sets its limits, starts measuring. Its input is there already. */
bool leaf_begin(struct leaf *leaf, const struct protocol_case *test, pid_t launcher, struct fault *fault);
/* The group into which the case's process is to be cloned; -1 where it is born in the right place anyway. */
int leaf_clone_target(const struct leaf *leaf);
/* A descriptor that becomes ready (`*events`: in which way) when memory may have run out; -1 for none. */
int leaf_alarm(const struct leaf *leaf, short *events);
/* The alarm became ready: has memory run out? The kernel may be about to kill, so this can be true a little
   before leaf_exhausted. */
bool leaf_alarmed(const struct leaf *leaf);
/* Must memory be looked at while the case runs, because nothing else ends a case at its limit? */
bool leaf_needs_looks(const struct leaf *leaf);
/* Looks at it: is more used than the case may have? */
bool leaf_look(struct leaf *leaf);
/* CPU time of the case so far. False where there is nothing to tell it. */
bool leaf_cpu_us(const struct leaf *leaf, uint64_t *cpu_us);
/* Is memory what ended the case: was its limit reached? */
bool leaf_exhausted(const struct leaf *leaf);
/* False, which is a failure of ours, when the kernel killed one of its processes although the limit wasn't reached, because a group
   above or the machine ran out. */
bool leaf_keeps_promise(const struct leaf *leaf, struct fault *fault);
/* Kills all in the leaf at once, where there is a way to. */
void leaf_kill(const struct leaf *leaf);
/* The peak of its memory, without page cache of the system's files. To be called when all its processes are
   gone, before leaf_exhausted. False where there is nothing to tell it. */
bool leaf_memory_bytes(struct leaf *leaf, uint64_t *memory_bytes);
/* After a case. */
bool leaf_finish(struct leaf *leaf, struct fault *fault);

/* ---- shared by leaf_v1.c, leaf_v2.c and leaf_container.c ---- */

/* What each does its own way. What is NULL there is nothing to be done for. */
struct leaf_kind {
    void (*open)(struct leaf *leaf);
    bool (*begin)(struct leaf *leaf, const struct protocol_limits *limits, struct fault *fault);
    bool (*alarmed)(const struct leaf *leaf);
    bool (*look)(struct leaf *leaf);
    bool (*cpu_us)(const struct leaf *leaf, uint64_t *cpu_us);
    bool (*killed)(const struct leaf *leaf); /* did the kernel kill for want of memory, the case's own or anybody's? */
    bool (*exhausted)(const struct leaf *leaf);
    void (*kill)(const struct leaf *leaf);
    bool (*memory_bytes)(struct leaf *leaf, uint64_t *memory_bytes);
    bool (*finish)(struct leaf *leaf, struct fault *fault);
    const char *promise; /* what to say when it wasn't kept */
};
extern const struct leaf_kind leaf_kind_v1, leaf_kind_v2, leaf_kind_container;
extern const char leaf_group_promise[];

#endif
