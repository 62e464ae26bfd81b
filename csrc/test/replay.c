/* Fuzz targets without a fuzzer: runs every file of a folder through the target that this is linked with, and tells the
 * results in TAP. What libFuzzer named (by a hash) counts together as one result; what has a name of its own is a result of
 * its own; and so is each that fails, with its path.
 *
 *     replay_spec spec/regress/fuzz_spec */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

enum { HASH_DIGITS = 40, PATIENCE_S = 60, LARGEST_BYTES = 16 << 20, UNREADABLE = 99 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void unreadable(const char *path) {
    fprintf(stderr, "%s can't be read: %s\n", path, strerror(errno));
    exit(UNREADABLE);
}

static void run_file(const char *path) {
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) < 0)
        unreadable(path);
    if (status.st_size > LARGEST_BYTES) {
        errno = EFBIG;
        unreadable(path);
    }
    /* Of the very size, so that a byte read beyond it is seen. */
    size_t size = (size_t)status.st_size;
    uint8_t *data = malloc(size ? size : 1);
    if (!data || read(file, data, size) != (ssize_t)size)
        unreadable(path);
    close(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

/* In a process of its own, so that one that crashes or hangs doesn't hide the others. Tells how it ended if it failed. */
static bool passes(const char *path) {
    fflush(stdout);
    pid_t process = fork();
    if (process == 0) {
        alarm(PATIENCE_S);
        run_file(path);
        exit(0); /* not _exit: the sanitizers look for lost memory then */
    }
    int status = 0;
    if (process < 0 || waitpid(process, &status, 0) < 0)
        return tap_ok(false, "%s: no process for it: %s", path, strerror(errno));
    if (status == 0)
        return true;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return tap_ok(false, "%s: hangs", path);
    if (WIFSIGNALED(status))
        return tap_ok(false, "%s: %s", path, strsignal(WTERMSIG(status)));
    return tap_ok(false, "%s: exit code %d", path, WEXITSTATUS(status));
}

static bool is_hash(const char *name) {
    return strlen(name) == HASH_DIGITS && strspn(name, "0123456789abcdef") == HASH_DIGITS;
}

static int is_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

int main(int count, char **words) {
    if (count != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", words[0]);
        return 2;
    }
    struct dirent **entries;
    int found = scandir(words[1], &entries, is_visible, alphasort), kept = 0, kept_passed = 0;
    if (found <= 0) {
        tap_ok(false, "%s: %s", words[1], found < 0 ? strerror(errno) : "holds no input");
        return tap_done();
    }
    for (int index = 0; index < found; index++) {
        char path[4096];
        const char *name = entries[index]->d_name;
        snprintf(path, sizeof path, "%s/%s", words[1], name);
        bool passed = passes(path);
        kept += is_hash(name);
        kept_passed += is_hash(name) && passed;
        if (passed && !is_hash(name))
            tap_ok(true, "%s", path);
        free(entries[index]);
    }
    free(entries);
    if (kept_passed)
        tap_ok(true, "%s: %d of %d inputs that a fuzzer kept", words[1], kept_passed, kept);
    return tap_done();
}
