/* Where the hierarchies are, which group in them is this process's own, and in which ours can be made. */
#include "cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Is this word one of a list that commas separate? */
static bool listed(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *item = list; item; item = strchr(item, ',') ? strchr(item, ',') + 1 : NULL) {
        if (strncmp(item, word, length) == 0 && (item[length] == ',' || item[length] == 0)) {
            return true;
        }
    }
    return false;
}

/* The group that this process is in, in the hierarchy of a v1 controller, or of v2 for "". */
static bool own_group(const char *controller, char path[CGROUP_PATH_BYTES]) {
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[CGROUP_PATH_BYTES + 128];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) {
            continue;
        }
        *controllers++ = 0;
        *group++ = 0;
        found = *controller ? listed(controllers, controller) : strcmp(line, "0") == 0;
        if (found) {
            snprintf(path, CGROUP_PATH_BYTES, "%s", group);
        }
    }
    if (file) {
        fclose(file);
    }
    return found;
}

/* Where a hierarchy is mounted, and which of its groups stands there. */
static bool find_mount(const char *controller, char mount[CGROUP_PATH_BYTES], char root[CGROUP_PATH_BYTES]) {
    FILE *file = fopen("/proc/self/mountinfo", "re");
    static char line[3 * CGROUP_PATH_BYTES];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        char *rest = strstr(line, " - ");
        char type[32], options[1024];
        if (!rest || sscanf(rest, " - %31s %*s %1023s", type, options) != 2 ||
            sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) != 2) {
            continue;
        }
        found = *controller ? strcmp(type, "cgroup") == 0 && listed(options, controller) : strcmp(type, "cgroup2") == 0;
    }
    if (file) {
        fclose(file);
    }
    return found;
}

/* A path below another, or NULL: what is left of it. */
static const char *beneath(const char *path, const char *directory) {
    size_t length = strlen(directory);
    if (length == 1) {
        return path;
    }
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == 0) ? path + length : NULL;
}

/* The place for our group in the hierarchy of a controller. The parent is given as a path below the root of
   each hierarchy, or, which is handy where there is one only, as the directory's own path. */
bool cgroup_find_place(struct cgroup_place *place, const char *controller, const char *given) {
    char root[CGROUP_PATH_BYTES], own[CGROUP_PATH_BYTES];
    place->group = -1;
    if (!find_mount(controller, place->mount, root)) {
        return false;
    }
    const char *group = NULL;
    if (given) {
        const char *whole = beneath(given, place->mount);
        group = whole && place->mount[1] ? whole : given;
    } else if (own_group(controller, own)) {
        group = beneath(own, root);
    }
    if (!group) {
        return false;
    }
    place->uppermost = !given && strcmp(own, "/") == 0;
    bool top = strcmp(group, "/") == 0 || *group == 0;
    int length = snprintf(place->parent, sizeof place->parent, "%s%s", place->mount, top ? "" : group);
    return length > 0 && (size_t)length < sizeof place->parent;
}

bool cgroup_find_v1(struct cgroup *cgroup, const char *given, bool processors) {
    static const char *const controllers[CGROUP_HIERARCHIES] = { "memory", "pids", "cpuacct", "cpu" };
    cgroup->places[CGROUP_HIERARCHIES - 1].borrowed = !processors;
    for (int i = 0; i < CGROUP_HIERARCHIES - !processors; i++) {
        if (!cgroup_find_place(&cgroup->places[i], controllers[i], given)) {
            return false;
        }
        for (int earlier = 0; earlier < i; earlier++) {
            if (strcmp(cgroup->places[earlier].mount, cgroup->places[i].mount) == 0) {
                cgroup->places[i].borrowed = true;
            }
        }
    }
    return true;
}

/* Does a file hold all of these words? */
static bool has_words(const char *group, const char *file, const char *const wanted[]) {
    char path[CGROUP_PATH_BYTES + 64], line[512] = "", *rest = line;
    size_t found = 0, count = 0;
    snprintf(path, sizeof path, "%s/%s", group, file);
    FILE *stream = fopen(path, "re");
    bool read = stream && fgets(line, sizeof line, stream);
    if (stream) {
        fclose(stream);
    }
    while (wanted[count]) {
        count++;
    }
    for (char *word; read && (word = strsep(&rest, " \n"));) {
        for (size_t i = 0; i < count; i++) {
            found += strcmp(word, wanted[i]) == 0;
        }
    }
    return found == count;
}

const char *cgroup_controllers(bool processors) {
    return processors ? "+memory +pids +cpu" : "+memory +pids";
}

/* Can groups be made in this one that have these controllers? Version 2 lets a group hand its controllers down only while no
   process lives in it. */
static bool hand_down(const char *group, bool processors) {
    const char *const wanted[] = { "memory", "pids", processors ? "cpu" : NULL, NULL };
    char path[CGROUP_PATH_BYTES + 64];
    if (access(group, W_OK) < 0 || !has_words(group, "cgroup.controllers", wanted)) {
        return false;
    }
    if (has_words(group, "cgroup.subtree_control", wanted)) {
        return true;
    }
    snprintf(path, sizeof path, "%s/cgroup.subtree_control", group);
    int control = open(path, O_WRONLY | O_CLOEXEC);
    const char *controllers = cgroup_controllers(processors);
    bool done = control >= 0 && write(control, controllers, strlen(controllers)) > 0;
    if (control >= 0) {
        close(control);
    }
    return done;
}

/* The group given, or the nearest above this process that can have groups with controllers: its own can't,
   this process being in it. */
bool cgroup_find_v2(struct cgroup *cgroup, const char *given, bool processors) {
    struct cgroup_place *place = &cgroup->places[0];
    if (!cgroup_find_place(place, "", given)) {
        return false;
    }
    while (!hand_down(place->parent, processors)) {
        char *last = strrchr(place->parent, '/');
        if (given || !last || strlen(place->parent) <= strlen(place->mount)) {
            return false;
        }
        *last = 0;
    }
    return true;
}
