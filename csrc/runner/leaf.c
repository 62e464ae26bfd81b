#include "leaf.h"

#include <poll.h>

/* By rlimits alone. */
static const struct leaf_kind none;

const char leaf_group_promise[] =
    "the machine, or a control group around the sandbox, ran out of memory, and the kernel took the program, which had "
    "kept to its limit: start fewer workers, or give them more";

void leaf_open(struct leaf *leaf, const struct walls *walls) {
    static const struct leaf_kind *const kinds[] = {
        [WALLS_RLIMIT] = &none,
        [WALLS_CGROUP_V1] = &leaf_kind_v1,
        [WALLS_CGROUP_V2] = &leaf_kind_v2,
        [WALLS_CONTAINER_V1] = &leaf_kind_container,
        [WALLS_CONTAINER_V2] = &leaf_kind_container,
    };
    *leaf = (struct leaf){ .walls = walls, .kind = kinds[walls->accounting] };
    if (leaf->kind->open) {
        leaf->kind->open(leaf);
    }
}

bool leaf_begin(struct leaf *leaf, const struct protocol_case *test, pid_t launcher, struct fault *fault) {
    leaf->launcher = launcher;
    leaf->input_bytes = test->stdin_bytes;
    leaf->held_bytes = 0;
    return !leaf->kind->begin || leaf->kind->begin(leaf, &test->limits, fault);
}

int leaf_clone_target(const struct leaf *leaf) {
    return leaf->walls->accounting == WALLS_CGROUP_V2 ? leaf->v2.directory : -1;
}

int leaf_alarm(const struct leaf *leaf, short *events) {
    *events = leaf->walls->accounting == WALLS_CGROUP_V2 ? POLLPRI : POLLIN;
    return leaf->walls->accounting == WALLS_CGROUP_V2 ? leaf->v2.events : leaf->walls->memory_alarm;
}

bool leaf_alarmed(const struct leaf *leaf) {
    return leaf->kind->alarmed && leaf->kind->alarmed(leaf);
}

bool leaf_needs_looks(const struct leaf *leaf) {
    return leaf->kind->look != NULL;
}

bool leaf_look(struct leaf *leaf) {
    return leaf->kind->look && leaf->kind->look(leaf);
}

bool leaf_cpu_us(const struct leaf *leaf, uint64_t *cpu_us) {
    return leaf->kind->cpu_us && leaf->kind->cpu_us(leaf, cpu_us);
}

bool leaf_exhausted(const struct leaf *leaf) {
    return leaf->kind->exhausted && leaf->kind->exhausted(leaf);
}

bool leaf_keeps_promise(const struct leaf *leaf, struct fault *fault) {
    if (!leaf->kind->killed || !leaf->kind->killed(leaf) || leaf_exhausted(leaf)) {
        return true;
    }
    return fault_case(fault, "memory", "%s", leaf->kind->promise);
}

void leaf_kill(const struct leaf *leaf) {
    if (leaf->kind->kill) {
        leaf->kind->kill(leaf);
    }
}

bool leaf_memory_bytes(struct leaf *leaf, uint64_t *memory_bytes) {
    return leaf->kind->memory_bytes && leaf->kind->memory_bytes(leaf, memory_bytes);
}

bool leaf_finish(struct leaf *leaf, struct fault *fault) {
    return !leaf->kind->finish || leaf->kind->finish(leaf, fault);
}
