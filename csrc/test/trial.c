#include "trial.h"

#include "tap.h"
#include "trial_group.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char trial_interpreter[256];
const char *trial_accounting = "cgroup";

static struct trial_group container;

static long version_of(const char *name) {
    long minor = 0;
    int used = 0;
    if (strcmp(name, "python3") == 0) {
        return 0;
    }
    return sscanf(name, "python3.%ld%n", &minor, &used) == 1 && name[used] == 0 ? minor : -1;
}

static bool find_interpreter(void) {
    DIR *listing = opendir("/usr/bin");
    struct dirent *entry;
    long best = -1;
    while (listing && (entry = readdir(listing))) {
        long version = version_of(entry->d_name);
        if (version > best) {
            best = version;
            snprintf(trial_interpreter, sizeof trial_interpreter, "/usr/bin/%.200s", entry->d_name);
        }
    }
    if (listing) {
        closedir(listing);
    }
    return best >= 0;
}

static void enter_container(void) {
    if (!trial_group_enter(&container)) {
        _exit(126);
    }
}

static bool make_container(void) {
    if (!trial_group_make_container(&container, "256M")) {
        tap_skip("container: no control group can be made here");
        return false;
    }
    driver_before = enter_container;
    return true;
}

bool trial_bounds_memory(void) {
    return strcmp(trial_accounting, "rlimit") != 0;
}

void trial_end(void) {
    if (container.made > 0) {
        tap_ok(trial_group_remove(&container), "container: nothing is left in its group");
    }
}

bool trial_options(int count, char **words) {
    bool known = count == 1 || count == 3;
    if (count == 3) {
        known =
            strcmp(words[1], "--accounting") == 0 &&
            (strcmp(words[2], "cgroup") == 0 || strcmp(words[2], "rlimit") == 0 || strcmp(words[2], "container") == 0);
        trial_accounting = words[2];
    }
    if (!known) {
        return tap_ok(false, "usage: %s [--accounting cgroup|rlimit|container]", words[0]);
    }
    if (!find_interpreter()) {
        return tap_ok(false, "there is no /usr/bin/python3: install it");
    }
    tap_note("interpreter %s, accounting %s", trial_interpreter, trial_accounting);
    return strcmp(trial_accounting, "container") != 0 || make_container();
}

bool trial_start(struct driver *driver, const char *source) {
    struct protocol_limits most = driver_limits();
    if (driver_start(driver, trial_accounting, trial_interpreter, &most) && driver_submit(driver, source)) {
        return true;
    }
    tap_note("the sandbox failed: %s", driver->last_failure);
    return false;
}

static const char *const endings[] = { "none", "exit", "signal", "cpu", "wall", "memory", "output" };

void trial_tell(const struct driver *driver, const struct driver_outcome *outcome) {
    if (outcome->failed) {
        tap_note("failed: %s", driver->last_failure);
        return;
    }
    const struct protocol_result *result = &outcome->result;
    tap_note("ending %s, exit %u, signal %u, cpu %.1f ms, wall %.1f ms, memory %.1f MiB, %llu + %llu bytes",
             endings[result->ending], result->exit_code, result->signal, (double)result->cpu_us / 1e3,
             (double)result->wall_us / 1e3, (double)result->memory_bytes / 1048576.0,
             (unsigned long long)result->stdout_bytes, (unsigned long long)result->stderr_bytes);
    if (outcome->errors_length) {
        tap_note("stderr: %.300s", outcome->errors);
    }
}

/* A case of a sandbox of its own, without arguments and input, that is to end in a certain way. Gives the
   outcome. */
struct driver_outcome trial_once(const char *name, const char *source, const struct protocol_limits *limits,
                                 enum protocol_ending ending) {
    struct driver driver;
    struct driver_outcome outcome = { .failed = true };
    if (!tap_ok(trial_start(&driver, source), "%s: sandbox starts", name)) {
        driver_wait(&driver);
        return outcome;
    }
    outcome = driver_case(&driver, limits, NULL, 0, NULL);
    bool good = !outcome.failed && outcome.result.ending == ending;
    if (!tap_ok(good, "%s: ends with %s", name, endings[ending])) {
        trial_tell(&driver, &outcome);
    }
    /* The next case finds everything as it was. */
    struct driver_outcome again = driver_case(&driver, limits, NULL, 0, NULL);
    if (!tap_ok(!again.failed && again.result.ending == ending, "%s: and so again", name)) {
        trial_tell(&driver, &again);
    }
    driver_outcome_end(&again);
    tap_ok(driver_end(&driver) == 0, "%s: sandbox ends", name);
    return outcome;
}

/* The same, and everything must have gone well and this be printed. */
void trial_prints(const char *name, const char *source, const char *expected) {
    struct driver_outcome outcome = trial_once(name, source, NULL, PROTOCOL_ENDING_EXIT);
    bool good = !outcome.failed && outcome.result.exit_code == 0 && strcmp(outcome.output, expected) == 0;
    if (!tap_ok(good, "%s: prints what it should", name) && outcome.output) {
        tap_note("printed: %.500s", outcome.output);
        tap_note("stderr: %.500s", outcome.errors);
    }
    driver_outcome_end(&outcome);
}

/* ---- what is left behind ---- */

/* Control groups of sandboxes that this test started; others may run on the same machine. */
int trial_count_groups(const char *folder, int depth, pid_t only) {
    DIR *listing = opendir(folder);
    struct dirent *entry;
    int count = 0;
    while (listing && (entry = readdir(listing))) {
        char path[PATH_MAX];
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (strncmp(entry->d_name, "submitter-", 10) == 0) {
            pid_t process = (pid_t)strtol(entry->d_name + 10, NULL, 10);
            count += only ? process == only : driver_started(process);
        } else if (depth > 0) {
            count += trial_count_groups(path, depth - 1, only);
        }
    }
    if (listing) {
        closedir(listing);
    }
    return count;
}

/* Processes below this one, at any depth, that it can see by their parents' numbers. */
int trial_count_descendants(pid_t ancestor) {
    DIR *listing = opendir("/proc");
    struct dirent *entry;
    int count = 0;
    while (listing && (entry = readdir(listing))) {
        char path[64], text[512];
        long process = strtol(entry->d_name, NULL, 10);
        if (process <= 0) {
            continue;
        }
        snprintf(path, sizeof path, "/proc/%ld/stat", process);
        FILE *file = fopen(path, "re");
        size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
        text[length] = 0;
        if (file) {
            fclose(file);
        }
        char *fields = strrchr(text, ')');
        int parent;
        if (fields && sscanf(fields, ") %*c %d", &parent) == 1 && parent == ancestor) {
            count += 1 + trial_count_descendants((pid_t)process);
        }
    }
    if (listing) {
        closedir(listing);
    }
    return count;
}
