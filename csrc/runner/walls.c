#include "walls.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
} places[] = {
    { "filter", offsetof(struct walls, filter) },
    { "processes", offsetof(struct walls, processes) },
    { "process.last", offsetof(struct walls, last_process) },
    { "memory.limit", offsetof(struct walls, memory_limit) },
    { "memory.swap_limit", offsetof(struct walls, memory_swap_limit) },
    { "memory.usage", offsetof(struct walls, memory_usage) },
    { "memory.peak", offsetof(struct walls, memory_peak) },
    { "memory.stat", offsetof(struct walls, memory_stat) },
    { "memory.events", offsetof(struct walls, memory_events) },
    { "memory.alarm", offsetof(struct walls, memory_alarm) },
    { "memory.swap", offsetof(struct walls, memory_swap) },
    { "memory.limit_hits", offsetof(struct walls, memory_limit_hits) },
    { "memory.swap_limit_hits", offsetof(struct walls, memory_swap_limit_hits) },
    { "memory.enter", offsetof(struct walls, memory_enter) },
    { "pids.limit", offsetof(struct walls, pids_limit) },
    { "pids.enter", offsetof(struct walls, pids_enter) },
    { "cpu.usage", offsetof(struct walls, cpu_usage) },
    { "cpu.enter", offsetof(struct walls, cpu_enter) },
    { "processors.enter", offsetof(struct walls, processors_enter) },
    { "group", offsetof(struct walls, group) },
};
enum { PLACES = sizeof places / sizeof *places };

static int *place_of(struct walls *walls, size_t index) {
    return (int *)(void *)((char *)walls + places[index].offset);
}

static bool take_accounting(struct walls *walls, const char *value) {
    static const char *const words[] = { "rlimit", "cgroup-v1", "cgroup-v2", "container-v1", "container-v2" };
    for (int i = 0; i < (int)(sizeof words / sizeof *words); i++) {
        if (strcmp(value, words[i]) == 0) {
            walls->accounting = (enum walls_accounting)i;
            return true;
        }
    }
    return false;
}

static bool take_processors(struct walls *walls, const char *value) {
    char *end;
    unsigned long percent = strtoul(value, &end, 10);
    walls->processors_percent = (unsigned)percent;
    return *value && *end == 0 && percent <= 1000000;
}

static bool take(struct walls *walls, const char *name, const char *value) {
    if (strcmp(name, "processors") == 0) {
        return take_processors(walls, value);
    }
    if (strcmp(name, "accounting") == 0) {
        return take_accounting(walls, value);
    }
    for (size_t i = 0; i < PLACES; i++) {
        if (strcmp(name, places[i].name) == 0) {
            char *end;
            long descriptor = strtol(value, &end, 10);
            if (*end || descriptor < 3 || descriptor > 65535 || fcntl((int)descriptor, F_SETFD, FD_CLOEXEC) < 0) {
                return false;
            }
            *place_of(walls, i) = (int)descriptor;
            return true;
        }
    }
    return false;
}

/* Is everything there that this kind of accounting needs? */
static bool complete(const struct walls *walls) {
    switch (walls->accounting) {
    case WALLS_CGROUP_V1:
        return walls->memory_limit >= 0 && walls->memory_usage >= 0 && walls->memory_peak >= 0 &&
               walls->memory_stat >= 0 && walls->memory_events >= 0 && walls->memory_enter >= 0 &&
               walls->pids_limit >= 0 && walls->pids_enter >= 0 && walls->cpu_usage >= 0 && walls->cpu_enter >= 0;
    case WALLS_CGROUP_V2: return walls->group >= 0;
    case WALLS_CONTAINER_V1:
        if (walls->memory_limit_hits < 0) {
            return false;
        }
        /* fall through */
    case WALLS_CONTAINER_V2:
        return walls->memory_limit >= 0 && walls->memory_usage >= 0 && walls->memory_stat >= 0 &&
               walls->memory_events >= 0;
    case WALLS_RLIMIT: return true;
    }
    return false;
}

bool walls_in_container(const struct walls *walls) {
    return walls->accounting == WALLS_CONTAINER_V1 || walls->accounting == WALLS_CONTAINER_V2;
}

bool walls_read(struct walls *walls, const char *text, struct fault *fault) {
    char copy[1024];
    for (size_t i = 0; i < PLACES; i++) {
        *place_of(walls, i) = -1;
    }
    walls->accounting = WALLS_RLIMIT;
    walls->processors_percent = 0;
    size_t length = text ? strlen(text) : sizeof copy;
    if (length >= sizeof copy) {
        return fault_fatal(fault, "walls",
                           "SUBMITTER_WALLS is missing: submitter-runner is started by submitter-sandbox");
    }
    memcpy(copy, text, length + 1);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *sign = strchr(word, '=');
        if (!sign) {
            return fault_fatal(fault, "walls", "SUBMITTER_WALLS: \"%s\" has no value", word);
        }
        *sign = 0;
        if (!take(walls, word, sign + 1)) {
            return fault_fatal(fault, "walls", "SUBMITTER_WALLS: %s=%s is not understood", word, sign + 1);
        }
    }
    if (walls->filter < 0 || walls->processes < 0 || !complete(walls)) {
        return fault_fatal(fault, "walls",
                           "SUBMITTER_WALLS lacks a descriptor: sandbox and runner are of different versions");
    }
    return true;
}
