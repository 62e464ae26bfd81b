#include "input.h"

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* As much as the protocol allows a case. */
enum { INPUT_BYTES = 64 << 20 };

static _Noreturn void refuse(const char *path, const char *what) {
    report_usage("--input: %.500s: %s", path, what);
}

static const char *kind_of(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFDIR: return "a directory";
    case S_IFCHR: return "a terminal or another device";
    case S_IFBLK: return "a device";
    default: return "neither a file nor a FIFO";
    }
}

static int reopen(int descriptor) {
    char path[48];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    return open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
}

/* What it is is looked at before it is opened: opening a device can already do something, and a FIFO that is opened without waiting
   for its writer looks as if it were empty. */
static int open_source(const char *path) {
    bool own = strcmp(path, "/dev/stdin") == 0;
    int place = own ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_PATH | O_CLOEXEC);
    struct stat status;
    if (place < 0 || fstat(place, &status) < 0) {
        refuse(path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) {
        report_usage("--input: %.500s is %s; give a file or FIFO, or leave it out for an empty standard input", path,
                     kind_of(status.st_mode));
    }
    if (own) {
        return place;
    }
    int source = reopen(place);
    if (source < 0) {
        refuse(path, strerror(errno));
    }
    close(place);
    return source;
}

static ssize_t read_some(int source, char *bytes, size_t room) {
    for (;;) {
        ssize_t count = read(source, bytes, room);
        if (count >= 0 || (errno != EINTR && errno != EAGAIN)) {
            return count;
        }
        /* Whoever gave it may have made it non-blocking. */
        struct pollfd place = { .fd = source, .events = POLLIN };
        poll(&place, 1, -1);
    }
}

static _Noreturn void fail(void) {
    report_wall("input", "mount /proc, allow more memory and open files", "no copy of it can be made: %s",
                strerror(errno));
}

static void write_all(int copy, const char *bytes, size_t length) {
    for (size_t written = 0; written < length;) {
        ssize_t count = write(copy, bytes + written, length - written);
        if (count < 0 && errno != EINTR) {
            fail();
        }
        written += count > 0 ? (size_t)count : 0;
    }
}

int input_read(const char *path) {
    static char bytes[64 * 1024];
    int source = open_source(path);
    int copy = memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy < 0) {
        fail();
    }
    size_t length = 0;
    for (;;) {
        ssize_t count = read_some(source, bytes, sizeof bytes);
        if (count < 0) {
            refuse(path, strerror(errno));
        }
        if (count == 0) {
            break;
        }
        length += (size_t)count;
        if (length > INPUT_BYTES) {
            refuse(path, "more than 64 MiB");
        }
        write_all(copy, bytes, (size_t)count);
    }
    close(source);
    if (fchmod(copy, 0444) < 0 ||
        fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        fail();
    }
    int input = reopen(copy);
    if (input < 0) {
        fail();
    }
    close(copy);
    return input;
}
