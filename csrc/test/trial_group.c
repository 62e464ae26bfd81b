#include "trial_group.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool set(const char *directory, const char *file, const char *value) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    bool done = descriptor >= 0 && write(descriptor, value, strlen(value)) == (ssize_t)strlen(value);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return done;
}

static int made; /* so that one process can have several */

static bool make_v1(struct trial_group *group, const char *memory) {
    static const char *const hierarchies[] = { "memory", "pids", "cpuacct" };
    char name[32];
    snprintf(name, sizeof name, "/trial-%d-%d", (int)getpid(), ++made);
    memcpy(group->name, name, sizeof name);
    for (; group->made < 3; group->made++) {
        char *path = group->path[group->made];
        snprintf(path, sizeof group->path[0], "/sys/fs/cgroup/%s%s", hierarchies[group->made], name);
        if (mkdir(path, 0755) < 0) {
            return false;
        }
    }
    return set(group->path[0], "memory.limit_in_bytes", memory);
}

/* The group above this process's own in version 2, whose line is the only one with an empty list of controllers. */
static bool above_own(char *path, size_t size) {
    char line[512];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        found = strncmp(line, "0::/", 4) == 0;
    }
    if (file) {
        fclose(file);
    }
    char *last = found ? strrchr(line, '/') : NULL;
    if (!last) {
        return false;
    }
    *last = 0;
    int length = snprintf(path, size, "/sys/fs/cgroup%s", line + strlen("0::"));
    return length > 0 && (size_t)length < size;
}

static bool make_v2(struct trial_group *group, const char *memory) {
    char above[400];
    if (!above_own(above, sizeof above)) {
        return false;
    }
    snprintf(group->path[0], sizeof group->path[0], "%s/trial-%d-%d", above, (int)getpid(), ++made);
    memcpy(group->name, group->path[0], sizeof group->name);
    if (mkdir(group->path[0], 0755) < 0) {
        return false;
    }
    group->made = 1;
    return set(group->path[0], "memory.max", memory) && set(group->path[0], "memory.swap.max", "0");
}

static bool make(struct trial_group *group, const char *memory, bool parent) {
    bool first = access("/sys/fs/cgroup/memory", F_OK) == 0;
    *group = (struct trial_group){ .made = 0 };
    if ((first ? make_v1(group, memory) : make_v2(group, memory)) &&
        (first || !parent || set(group->path[0], "cgroup.subtree_control", "+memory +pids"))) {
        return true;
    }
    trial_group_remove(group);
    return false;
}

bool trial_group_make(struct trial_group *group, const char *memory) {
    return make(group, memory, true);
}

bool trial_group_make_container(struct trial_group *group, const char *memory) {
    return make(group, memory, false);
}

bool trial_group_enter(const struct trial_group *group) {
    for (int i = 0; i < group->made; i++) {
        if (!set(group->path[i], "cgroup.procs", "0")) {
            return false;
        }
    }
    return true;
}

bool trial_group_remove(struct trial_group *group) {
    bool removed = true;
    while (group->made > 0) {
        removed = rmdir(group->path[--group->made]) == 0 && removed;
    }
    return removed;
}
