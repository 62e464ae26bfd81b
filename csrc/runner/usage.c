#include "usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void usage_add(struct usage *usage, const struct rusage *reaped) {
    usage->cpu_us += (uint64_t)(reaped->ru_utime.tv_sec + reaped->ru_stime.tv_sec) * 1000000 +
                     (uint64_t)(reaped->ru_utime.tv_usec + reaped->ru_stime.tv_usec);
    uint64_t peak = (uint64_t)reaped->ru_maxrss * 1024;
    usage->peak_bytes = peak > usage->peak_bytes ? peak : usage->peak_bytes;
}

uint64_t usage_process_cpu_us(pid_t process) {
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) < 0) {
        return 0;
    }
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* What it used itself, and what its dead children did, to the clock tick. */
static uint64_t family_cpu_us(pid_t process) {
    uint64_t cpu_us = usage_process_cpu_us(process);
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return cpu_us;
    }
    ssize_t length = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    text[length > 0 ? length : 0] = 0;
    /* The name in it is the process's own choice: fields count from the last parenthesis. */
    const char *fields = NULL;
    for (const char *next = text; *next; next++) {
        fields = *next == ')' ? next + 1 : fields;
    }
    unsigned long user, system;
    if (fields && sscanf(fields, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2) {
        cpu_us += (uint64_t)(user + system) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    }
    return cpu_us;
}

uint64_t usage_living_cpu_us(const struct usage *usage, pid_t launcher) {
    uint64_t cpu_us = usage->cpu_us;
    DIR *listing = opendir("/proc");
    struct dirent *entry;
    while (listing && (entry = readdir(listing))) {
        char *end;
        long process = strtol(entry->d_name, &end, 10);
        if (*end == 0 && process > 1 && process != launcher) {
            cpu_us += family_cpu_us((pid_t)process);
        }
    }
    if (listing) {
        closedir(listing);
    }
    return cpu_us;
}

unsigned usage_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) {
        /* More than a cpu_set_t holds: assume many, and look more often. */
        return CPU_SETSIZE;
    }
    int count = CPU_COUNT(&set);
    return count > 0 ? (unsigned)count : 1;
}
