#include "cgroup.h"

#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char prefix[] = "submitter-";

/* Groups within groups that are removed. Version 2 is told to let no more than one level be made, which a runner that is an ordinary
   user could take back. */
enum { REMOVED_LEVELS = 32 };

/* Of the random part of a name. */
enum { RANDOM_DIGITS = 12 };

void cgroup_refuse(const char *format, ...) {
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    report_wall("cgroup",
                "start it in a group of its own (under systemd: Delegate=yes, by hand systemd-run --user --scope "
                "-p Delegate=yes), or name one that may be written with cgroup_parent, or set accounting = \"rlimit\": "
                "limits then hold for each process alone, and too much memory shows as a failed program",
                "%s", reason);
}

int cgroup_open(int group, const char *file, int flags) {
    int descriptor = openat(group, file, flags | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0) {
        cgroup_refuse("%s can't be opened: %s", file, strerror(errno));
    }
    return descriptor;
}

void cgroup_write(int group, const char *file, const char *value) {
    int descriptor = cgroup_open(group, file, O_WRONLY);
    if (write(descriptor, value, strlen(value)) < 0) {
        cgroup_refuse("%s can't be set to %s: %s", file, value, strerror(errno));
    }
    close(descriptor);
}

void cgroup_write_number(int group, const char *file, uint64_t value) {
    char number[32];
    snprintf(number, sizeof number, "%" PRIu64, value);
    cgroup_write(group, file, number);
}

void cgroup_write_share(int group, const char *file, const char *value) {
    int descriptor = cgroup_open(group, file, O_WRONLY);
    if (write(descriptor, value, strlen(value)) < 0) {
        report_wall("processors", "ask for less of them, a group above may have no more, or for none",
                    "%s can't be set to %s: %s", file, value, strerror(errno));
    }
    close(descriptor);
}

bool cgroup_swap_in_use(void) {
    char line[512];
    int lines = 0;
    FILE *file = fopen("/proc/swaps", "re");
    while (file && fgets(line, sizeof line, file)) {
        lines++;
    }
    if (file) {
        fclose(file);
    }
    return lines > 1;
}

int cgroup_make_leaf(int group, const char *name) {
    if (mkdirat(group, name, 0755) < 0) {
        cgroup_refuse("group %s can't be made: %s", name, strerror(errno));
    }
    return cgroup_open(group, name, O_RDONLY | O_DIRECTORY);
}

bool cgroup_number(int group, const char *file, const char *word, uint64_t *value) {
    char text[8192];
    int descriptor = openat(group, file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    ssize_t length = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    if (length <= 0) {
        return false;
    }
    text[length] = 0;
    size_t word_length = strlen(word);
    for (char *line = text; line && *line;) {
        if (strncmp(line, word, word_length) == 0 && (word_length == 0 || line[word_length] == ' ')) {
            char *end;
            *value = strtoull(line + word_length, &end, 10);
            return end != line + word_length;
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return false;
}

/* ---- what dead sandboxes left ---- */

static void pause_ms(long milliseconds) {
    struct timespec time = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

static void kill_members(int group) {
    int descriptor = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "re");
    int process;
    while (file && fscanf(file, "%d", &process) == 1) {
        if (process > 1 && process != getpid()) {
            kill(process, SIGKILL);
        }
    }
    if (file) {
        fclose(file);
    }
}

/* Removes the groups within a group, and kills who lives in it. */
static void empty_group(int group, int depth) {
    int again = openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again < 0 ? NULL : fdopendir(again);
    struct dirent *entry;
    while (listing && (entry = readdir(listing))) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.') {
            continue;
        }
        int leaf = openat(group, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (leaf >= 0) {
            if (depth > 0) {
                empty_group(leaf, depth - 1);
            }
            close(leaf);
        }
        unlinkat(group, entry->d_name, AT_REMOVEDIR);
    }
    if (listing) {
        closedir(listing);
    } else if (again >= 0) {
        close(again);
    }
    kill_members(group);
}

/* Removes a group and all within: two levels of our own making, and what else a runner made that was taken over. True when it is
   gone. */
static bool remove_group(int parent, const char *name, int attempts) {
    for (int attempt = 0; attempt < attempts; attempt++) {
        int group = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (group < 0) {
            return errno == ENOENT;
        }
        empty_group(group, REMOVED_LEVELS);
        close(group);
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
            return true;
        }
        /* Tasks that were killed leave their group only when they are quite gone. */
        pause_ms(attempt < 20 ? 1 : 10);
    }
    return false;
}

/* Is it a name as we give them, "submitter-<process>-<12 hexadecimal digits>"? A service of systemd's may well be called
   "submitter-…" too, and what is swept is killed. */
static bool is_ours(const char *name) {
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) != 0) {
        return false;
    }
    name += length;
    length = strspn(name, "0123456789");
    return length > 0 && name[length] == '-' && strspn(name + length + 1, "0123456789abcdef") == RANDOM_DIGITS &&
           name[length + 1 + RANDOM_DIGITS] == 0;
}

/* A sandbox whose supervisor was killed outright removes nothing; the next one does. The supervisor holds a
   lock on its group as long as it lives; its number in the name tells nothing, it may be used again, or be another
   PID namespace's. */
static void sweep(const struct cgroup_place *place) {
    int parent = open(place->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = parent < 0 ? NULL : fdopendir(parent);
    struct dirent *entry;
    while (listing && (entry = readdir(listing))) {
        if (!is_ours(entry->d_name)) {
            continue;
        }
        int group = openat(parent, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (group >= 0 && flock(group, LOCK_EX | LOCK_NB) == 0) {
            remove_group(parent, entry->d_name, 3);
        }
        if (group >= 0) {
            close(group);
        }
    }
    if (listing) {
        closedir(listing);
    } else if (parent >= 0) {
        close(parent);
    }
}

/* ---- ours ---- */

static const struct cgroup_kind *kind_of(const struct cgroup *cgroup) {
    static const struct cgroup_kind *const kinds[] = {
        [CGROUP_V1] = &cgroup_kind_v1,
        [CGROUP_V2] = &cgroup_kind_v2,
        [CGROUP_CONTAINER_V1] = &cgroup_kind_container,
        [CGROUP_CONTAINER_V2] = &cgroup_kind_container,
    };
    return kinds[cgroup->form];
}

const char *cgroup_accounting(const struct cgroup *cgroup) {
    static const char *const words[] = {
        [CGROUP_NONE] = "rlimit",
        [CGROUP_V1] = "cgroup-v1",
        [CGROUP_V2] = "cgroup-v2",
        [CGROUP_CONTAINER_V1] = "container-v1",
        [CGROUP_CONTAINER_V2] = "container-v2",
    };
    return words[cgroup->form];
}

/* False when somebody who sweeps took the group for a dead one's: he may see it before it is locked. */
static bool make_group(struct cgroup *cgroup, struct cgroup_place *place) {
    struct stat opened, named;
    int parent = open(place->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0) {
        cgroup_refuse("%s can't be opened: %s", place->parent, strerror(errno));
    }
    if (mkdirat(parent, cgroup->name, 0755) < 0) {
        cgroup_refuse("no group can be made in %s: %s", place->parent, strerror(errno));
    }
    place->group = openat(parent, cgroup->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    bool ours = place->group >= 0 && flock(place->group, LOCK_SH | LOCK_NB) == 0 && fstat(place->group, &opened) == 0 &&
                fstatat(parent, cgroup->name, &named, AT_SYMLINK_NOFOLLOW) == 0 && opened.st_ino == named.st_ino;
    if (!ours && errno != EWOULDBLOCK && errno != ENOENT && errno != ENODEV) {
        cgroup_refuse("the new group in %s can't be locked: %s", place->parent, strerror(errno));
    }
    close(parent);
    return ours;
}

static void lend_group(struct cgroup *cgroup, struct cgroup_place *place) {
    for (int i = 0; i < CGROUP_HIERARCHIES; i++) {
        if (!cgroup->places[i].borrowed && strcmp(cgroup->places[i].mount, place->mount) == 0) {
            place->group = cgroup->places[i].group;
        }
    }
}

/* Under a name that nobody has, in all hierarchies. */
static bool make_groups(struct cgroup *cgroup) {
    uint64_t random;
    int used = cgroup->form == CGROUP_V1 ? CGROUP_HIERARCHIES : 1;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        cgroup_refuse("no random bytes: %s", strerror(errno));
    }
    snprintf(cgroup->name, sizeof cgroup->name, "%s%d-%012" PRIx64, prefix, (int)getpid(), random & 0xffffffffffff);
    for (int i = 0; i < used; i++) {
        if (!cgroup->places[i].borrowed && !make_group(cgroup, &cgroup->places[i])) {
            cgroup_remove(cgroup);
            return false;
        }
    }
    return true;
}

/* What the runner keeps at once: the submission's files and a case's input, as much of each as the protocol allows, a case's output
   while it is gathered, and its own. */
static uint64_t runner_bytes(const struct spec *spec) {
    return (UINT64_C(384) << 20) + 2 * spec->output_bytes;
}

void cgroup_make(struct cgroup *cgroup, const struct spec *spec) {
    cgroup->cpu = -1;
    cgroup->clone_target = -1;
    for (int i = 0; i < CGROUP_HIERARCHIES; i++) {
        cgroup->places[i].group = -1;
        cgroup->enter[i] = -1;
    }
    cgroup->form = CGROUP_NONE;
    if (spec->accounting == SPEC_CONTAINER) {
        cgroup_container_find(cgroup);
    }
    if (spec->accounting != SPEC_CGROUP) {
        return;
    }
    bool processors = spec->processors_percent > 0;
    if (cgroup_find_v1(cgroup, spec->cgroup_parent, processors)) {
        cgroup->form = CGROUP_V1;
    } else if (cgroup_find_v2(cgroup, spec->cgroup_parent, processors)) {
        cgroup->form = CGROUP_V2;
    } else {
        cgroup_refuse("there are neither the v1 controllers memory, pids and cpuacct%s nor, %s%s, a v2 group that this "
                      "user may write to, that holds no process and can hand memory%s and pids down",
                      processors ? " and cpu" : "", spec->cgroup_parent ? "at " : "above this process",
                      spec->cgroup_parent ? spec->cgroup_parent : "", processors ? ", cpu" : "");
    }
    int used = cgroup->form == CGROUP_V1 ? CGROUP_HIERARCHIES : 1;
    for (int i = 0; i < used; i++) {
        if (!cgroup->places[i].borrowed) {
            sweep(&cgroup->places[i]);
        }
    }
    for (int attempt = 0; !make_groups(cgroup); attempt++) {
        if (attempt == 16) {
            cgroup_refuse("somebody removes new groups in %s as fast as they are made", cgroup->places[0].parent);
        }
    }
    for (int i = 0; i < used; i++) {
        if (cgroup->places[i].borrowed) {
            lend_group(cgroup, &cgroup->places[i]);
        }
    }
    cgroup->runner_bytes = runner_bytes(spec);
    cgroup->processors_percent = spec->processors_percent;
    kind_of(cgroup)->make(cgroup, spec);
}

void cgroup_delegate(struct cgroup *cgroup, uid_t user, gid_t group) {
    if (cgroup->form != CGROUP_NONE) {
        kind_of(cgroup)->delegate(cgroup, user, group);
    }
}

void cgroup_hand_over(struct cgroup *cgroup, struct handover *handover) {
    if (cgroup->form != CGROUP_NONE) {
        kind_of(cgroup)->hand_over(cgroup, handover);
    }
}

void cgroup_hand_over_within(const struct cgroup *cgroup, struct handover *handover) {
    if (cgroup->form != CGROUP_NONE) {
        kind_of(cgroup)->hand_over_within(cgroup, handover);
    }
}

void cgroup_enter(struct cgroup *cgroup, pid_t process) {
    if (cgroup->form != CGROUP_NONE) {
        kind_of(cgroup)->enter(cgroup, process);
    }
}

void cgroup_settle(struct cgroup *cgroup, pid_t process) {
    if (cgroup->form != CGROUP_NONE) {
        kind_of(cgroup)->settle(cgroup, process);
    }
}

void cgroup_enter_case(const struct cgroup *cgroup) {
    for (int i = 0; i < CGROUP_HIERARCHIES; i++) {
        if (cgroup->enter[i] >= 0 && write(cgroup->enter[i], "0", 1) < 0) {
            cgroup_refuse("the case's group can't be entered: %s", strerror(errno));
        }
    }
}

bool cgroup_cpu_us(const struct cgroup *cgroup, uint64_t *cpu_us) {
    return cgroup->form != CGROUP_NONE && kind_of(cgroup)->cpu_us(cgroup, cpu_us);
}

bool cgroup_out_of_memory(const struct cgroup *cgroup) {
    return cgroup->form != CGROUP_NONE && kind_of(cgroup)->out_of_memory(cgroup);
}

void cgroup_remove(struct cgroup *cgroup) {
    for (int i = 0; i < CGROUP_HIERARCHIES; i++) {
        struct cgroup_place *place = &cgroup->places[i];
        if (place->group < 0 || place->borrowed) {
            continue;
        }
        int parent = open(place->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0 || !remove_group(parent, cgroup->name, 500)) {
            report_line("cgroup: %s/%s could not be removed; the next sandbox tries again", place->parent,
                        cgroup->name);
        }
        if (parent >= 0) {
            close(parent);
        }
        close(place->group);
        place->group = -1;
    }
}
