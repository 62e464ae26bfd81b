/* The place where a case is bounded and measured as a whole: a cgroup of version 1 or 2, or, without one,
   nothing but what the kernel tells of processes (usage.h). */
#ifndef SUBMITTER_RUNNER_LEAF_H
#define SUBMITTER_RUNNER_LEAF_H

#include "../protocol/protocol.h"
#include "fault.h"
#include "walls.h"

struct leaf {
    const struct walls *walls;
    uint64_t memory_limit; /* v1: as it stands in the group */
    uint64_t pids_limit;   /* v1: as it stands in the group */
    uint64_t idle_bytes;   /* v1: the least that was ever there between cases */
    uint64_t base_bytes;   /* v1: what the launcher and the kernel hold there before the case */
    uint64_t file_bytes;   /* v1: page cache charged to the group, as of the last look */
    uint64_t base_kills;   /* v1: out-of-memory kills before the case */
    uint64_t base_cpu_us;  /* v1: CPU time before the case */
    uint32_t number;       /* v2: of the leaf; counts the cases */
    int directory;         /* v2: the case's leaf */
    int cpu, events;       /* v2: its files */
};

void leaf_open(struct leaf *leaf, const struct walls *walls);
/* Before a case: sets its limits, starts measuring. */
bool leaf_begin(struct leaf *leaf, const struct protocol_limits *limits, struct fault *fault);
/* The group into which the case's process is to be cloned; -1 where it is born in the right place anyway. */
int leaf_clone_target(const struct leaf *leaf);
/* A descriptor that becomes ready (`*events`: in which way) when memory may have run out; -1 for none. */
int leaf_alarm(const struct leaf *leaf, short *events);
/* The alarm became ready: has memory run out? The kernel may be about to kill, so this can be true a little
   before leaf_exhausted. */
bool leaf_alarmed(const struct leaf *leaf);
/* CPU time of the case so far. False without a cgroup. */
bool leaf_cpu_us(const struct leaf *leaf, uint64_t *cpu_us);
/* Did the kernel kill one of its processes because the memory limit was reached? */
bool leaf_exhausted(const struct leaf *leaf);
/* Did the kernel kill one of its processes although it wasn't, because a group above or the machine ran out? */
bool leaf_robbed(const struct leaf *leaf);
/* Kills all in the leaf at once, where there is a way to. */
void leaf_kill(const struct leaf *leaf);
/* The peak of its memory, without page cache of the system's files. To be called when all its processes are
   gone. False without a cgroup. */
bool leaf_memory_bytes(struct leaf *leaf, uint64_t *memory_bytes);
/* After a case. */
bool leaf_finish(struct leaf *leaf, struct fault *fault);

#endif
