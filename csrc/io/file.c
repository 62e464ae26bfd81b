#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../base/cleanup.h"

enum { MAXIMUM_PATH = 4095, MAXIMUM_NAME = 255, TREE_DEPTH = 64 };

/* ---- paths ---- */

static int check_path(const char *path) {
    size_t length = strlen(path);
    if (!length || *path == '/')
        return EINVAL;
    if (length > MAXIMUM_PATH)
        return ENAMETOOLONG;
    for (const char *at = path; *at;) {
        size_t segment = strcspn(at, "/");
        if (segment == 2 && at[0] == '.' && at[1] == '.')
            return EINVAL;
        at += segment + (at[segment] == '/');
    }
    return 0;
}

static int open_beneath(int root, const char *path, uint64_t flags, mode_t mode, bool follow, int *fd) {
    struct open_how how = {
        .flags = flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY),
        .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (follow ? 0 : RESOLVE_NO_SYMLINKS),
    };
    int error = check_path(path);
    if (error)
        return error;
    long opened;
    /* EAGAIN: a rename somewhere raced with the look-up (openat2(2)). */
    for (int tries = 0; (opened = syscall(SYS_openat2, root, path, &how, sizeof how)) < 0 && tries < 100; tries++)
        if (errno != EAGAIN && errno != EINTR)
            break;
    if (opened < 0)
        return errno;
    *fd = (int)opened;
    return 0;
}

/* Splits off the last segment into name, and opens what is before it. access: O_PATH, or O_RDONLY where it is synced. */
static int open_parent(int root, const char *path, uint64_t access, bool create, int *parent,
                       char name[MAXIMUM_NAME + 1]) {
    char above[MAXIMUM_PATH + 1];
    int error = check_path(path);
    if (error)
        return error;
    size_t length = strlen(path);
    while (length && path[length - 1] == '/')
        length--;
    size_t start = length;
    while (start && path[start - 1] != '/')
        start--;
    if (length - start > MAXIMUM_NAME)
        return ENAMETOOLONG;
    memcpy(name, path + start, length - start);
    name[length - start] = '\0';
    if (!strcmp(name, "."))
        return EINVAL;
    while (start && path[start - 1] == '/')
        start--;
    memcpy(above, path, start);
    above[start] = '\0';
    if (!start)
        strcpy(above, ".");
    if (create && start) {
        error = file_make(root, above, true, 0755);
        if (error)
            return error;
    }
    return open_beneath(root, above, access | O_DIRECTORY, 0, false, parent);
}

int file_make(int root, const char *path, bool parents, mode_t mode) {
    if (!parents) {
        char name[MAXIMUM_NAME + 1];
        _cleanup_(close_fd) int parent = -1;
        int error = open_parent(root, path, O_PATH, false, &parent, name);
        if (error)
            return error;
        return mkdirat(parent, name, mode) < 0 ? errno : 0;
    }
    int error = check_path(path);
    if (error)
        return error;
    /* The usual case first: it stands. */
    _cleanup_(close_fd) int at = -1;
    error = open_beneath(root, path, O_PATH | O_DIRECTORY, 0, false, &at);
    if (error != ENOENT)
        return error;
    error = open_beneath(root, ".", O_PATH | O_DIRECTORY, 0, false, &at);
    while (!error && *path) {
        char segment[MAXIMUM_NAME + 1];
        size_t length = strcspn(path, "/");
        if (length > MAXIMUM_NAME)
            return ENAMETOOLONG;
        memcpy(segment, path, length);
        segment[length] = '\0';
        path += length + (path[length] == '/');
        if (!length)
            continue;
        if (mkdirat(at, segment, mode) < 0 && errno != EEXIST)
            return errno;
        int next = -1;
        error = open_beneath(at, segment, O_PATH | O_DIRECTORY, 0, false, &next);
        close_fd(&at);
        at = next;
    }
    return error;
}

static int make_root(const char *path, mode_t mode) {
    char *copy = strdup(path);
    if (!copy)
        return ENOMEM;
    int error = 0;
    for (char *at = copy + 1; !error; at++) {
        if (*at != '/' && *at)
            continue;
        char saved = *at;
        *at = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES && errno != EPERM)
            error = errno;
        *at = saved;
        if (!saved)
            break;
    }
    free(copy);
    return error;
}

int file_open_root(const char *path, bool create, mode_t mode, int *directory) {
    if (!*path)
        return ENOENT;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && create) {
        int error = make_root(path, mode);
        if (error)
            return error;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0)
        return errno;
    *directory = fd;
    return 0;
}

int file_open_below(int root, const char *path, bool create, mode_t mode, int *directory) {
    int error = create ? file_make(root, path, true, mode) : 0;
    return error ? error : open_beneath(root, path, O_RDONLY | O_DIRECTORY, 0, false, directory);
}

/* ---- reading ---- */

static int append_content(int fd, size_t limit, struct buffer *content) {
    char block[65536];
    size_t start = content->length;
    for (;;) {
        ssize_t got = read(fd, block, sizeof block);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return 0;
        if (content->length - start + (size_t)got > limit)
            return EFBIG;
        if (!buffer_append(content, block, (size_t)got))
            return ENOMEM;
    }
}

int file_read(int root, const char *path, size_t limit, bool follow, struct buffer *content) {
    struct stat status;
    _cleanup_(close_fd) int probe = -1;
    _cleanup_(close_fd) int fd = -1;
    /* Looked at before it is opened: opening a device or a FIFO has effects. */
    int error = open_beneath(root, path, O_PATH, 0, follow, &probe);
    if (error)
        return error;
    if (fstat(probe, &status) < 0)
        return errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    if (!S_ISREG(status.st_mode))
        return FILE_NOT_REGULAR;
    if (status.st_size > 0 && (uint64_t)status.st_size > limit)
        return EFBIG;
    error = open_beneath(root, path, O_RDONLY | O_NONBLOCK, 0, follow, &fd);
    if (error)
        return error;
    if (fstat(fd, &status) < 0)
        return errno;
    if (!S_ISREG(status.st_mode)) /* it was exchanged in between */
        return FILE_NOT_REGULAR;
    return append_content(fd, limit, content);
}

static enum file_type type_of(mode_t mode) {
    if (S_ISREG(mode))
        return FILE_REGULAR;
    if (S_ISDIR(mode))
        return FILE_DIRECTORY;
    return S_ISLNK(mode) ? FILE_LINK : FILE_OTHER;
}

int file_status(int root, const char *path, bool follow, struct file_status *result) {
    struct stat status;
    if (follow || !strcmp(path, ".")) {
        _cleanup_(close_fd) int fd = -1;
        int error = open_beneath(root, path, O_PATH, 0, follow, &fd);
        if (error)
            return error;
        if (fstat(fd, &status) < 0)
            return errno;
    } else {
        char name[MAXIMUM_NAME + 1];
        _cleanup_(close_fd) int parent = -1;
        int error = open_parent(root, path, O_PATH, false, &parent, name);
        if (error)
            return error;
        if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            return errno;
    }
    result->type = type_of(status.st_mode);
    result->size_bytes = status.st_size;
    result->modified_ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
    result->mode = status.st_mode & 07777;
    result->links = status.st_nlink;
    result->inode = status.st_ino;
    return 0;
}

static bool is_dots(const char *name) {
    return !strcmp(name, ".") || !strcmp(name, "..");
}

/* The entries of an opened directory; takes the descriptor over, also where it fails (NULL and errno). */
static DIR *open_entries(int fd) {
    DIR *directory = fdopendir(fd);
    if (!directory)
        close_fd(&fd);
    return directory;
}

int file_list(int root, const char *path, struct buffer *entries) {
    int fd = -1;
    int error = open_beneath(root, path, O_RDONLY | O_DIRECTORY, 0, false, &fd);
    if (error)
        return error;
    _cleanup_(close_directory) DIR *directory = open_entries(fd);
    if (!directory)
        return errno;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (!entry)
            return errno;
        if (is_dots(entry->d_name))
            continue;
        enum file_type type = FILE_OTHER;
        struct stat status;
        switch (entry->d_type) {
        case DT_REG: type = FILE_REGULAR; break;
        case DT_DIR: type = FILE_DIRECTORY; break;
        case DT_LNK: type = FILE_LINK; break;
        case DT_UNKNOWN:
            if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                continue; /* it went in between */
            type = type_of(status.st_mode);
        }
        if (!buffer_append_byte(entries, (char)type) ||
            !buffer_append(entries, entry->d_name, strlen(entry->d_name) + 1))
            return ENOMEM;
    }
}

/* ---- writing ---- */

static int write_all(int fd, const char *data, size_t length) {
    while (length) {
        ssize_t written = write(fd, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        data += written;
        length -= (size_t)written;
    }
    return 0;
}

int file_write(int root, const char *path, const char *data, size_t length, mode_t mode, unsigned flags) {
    _cleanup_(close_fd) int fd = -1;
    int error = 0;
    if (flags & FILE_PARENTS) {
        char name[MAXIMUM_NAME + 1];
        _cleanup_(close_fd) int parent = -1;
        error = open_parent(root, path, O_PATH, true, &parent, name);
        if (error)
            return error;
    }
    /* O_NONBLOCK: a FIFO without a reader answers ENXIO instead of waiting for one. */
    uint64_t how =
        O_WRONLY | O_CREAT | O_NONBLOCK | (flags & FILE_EXCLUSIVE ? O_EXCL : 0) | (flags & FILE_APPEND ? O_APPEND : 0);
    error = open_beneath(root, path, how, mode, flags & FILE_FOLLOW, &fd);
    if (error)
        return error;
    struct stat status;
    if (fstat(fd, &status) < 0)
        return errno;
    if (!S_ISREG(status.st_mode))
        return FILE_NOT_REGULAR;
    if (!(flags & FILE_APPEND) && ftruncate(fd, 0) < 0)
        return errno;
    error = write_all(fd, data, length);
    if (!error && flags & FILE_SYNC && fsync(fd) < 0)
        error = errno;
    return error;
}

/* The name that a replacement has for the moment between its link and its rename. One a target, so that what a crash left
 * behind is taken up by the next replacement; names too long for that share one by their hash (FNV-1a). */
static void temporary_name(const char *name, char temporary[MAXIMUM_NAME + 1]) {
    size_t length = strlen(name);
    enum { ROOM = MAXIMUM_NAME - (sizeof ".submitter-~" - 1) };
    if (length <= ROOM) {
        snprintf(temporary, MAXIMUM_NAME + 1, ".submitter-%.*s~", ROOM, name);
        return;
    }
    uint64_t hash = 14695981039346656037u;
    for (size_t index = 0; index < length; index++)
        hash = (hash ^ (unsigned char)name[index]) * 1099511628211u;
    snprintf(temporary, MAXIMUM_NAME + 1, ".submitter-%016llx~", (unsigned long long)hash);
}

/* Opens a file without a name in the directory; where the file system has none, one with a random name. */
static int open_unnamed(int parent, mode_t mode, int *fd, char fallback[MAXIMUM_NAME + 1]) {
    *fallback = '\0';
    *fd = openat(parent, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
    if (*fd >= 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)
        return errno;
    for (int tries = 0; tries < 100; tries++) {
        uint64_t number;
        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
            return errno;
        snprintf(fallback, MAXIMUM_NAME + 1, ".submitter-%016llx.new", (unsigned long long)number);
        *fd = openat(parent, fallback, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
        if (*fd >= 0)
            return 0;
        if (errno != EEXIST)
            return errno;
    }
    return EEXIST;
}

static int give_name(int fd, int parent, const char *name) {
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, parent, name, AT_SYMLINK_FOLLOW) < 0 ? errno : 0;
}

/* Another one who replaces the same target at once took our temporary name away: the file is lost, begin anew. */
#define REPLACE_AGAIN (-1)

/* Links the file without a name under a temporary one and renames it over the target. */
static int rename_into_place(int fd, int parent, const char *name) {
    char temporary[MAXIMUM_NAME + 1];
    temporary_name(name, temporary);
    int error;
    /* What stands there is left from a crash, or another one's between its link and its rename. */
    while ((error = give_name(fd, parent, temporary)) == EEXIST)
        if (unlinkat(parent, temporary, 0) < 0 && errno != ENOENT)
            return errno;
    if (error)
        return error;
    if (renameat(parent, temporary, parent, name) == 0)
        return 0;
    error = errno;
    if (error == ENOENT) {
        /* The other one's rename moved our file into place if it still has a name. */
        struct stat own;
        return fstat(fd, &own) == 0 && own.st_nlink > 0 ? 0 : REPLACE_AGAIN;
    }
    unlinkat(parent, temporary, 0);
    return error;
}

static int replace_once(int parent, const char *name, const char *data, size_t length, mode_t mode, unsigned flags) {
    char fallback[MAXIMUM_NAME + 1];
    _cleanup_(close_fd) int fd = -1;
    int error = open_unnamed(parent, mode, &fd, fallback);
    if (error)
        return error;
    error = write_all(fd, data, length);
    if (!error && flags & FILE_SYNC && fsync(fd) < 0)
        error = errno;
    if (!error) {
        if (*fallback && flags & FILE_EXCLUSIVE)
            error = linkat(parent, fallback, parent, name, 0) < 0 ? errno : 0;
        else if (*fallback)
            error = renameat(parent, fallback, parent, name) < 0 ? errno : 0;
        else if (flags & FILE_EXCLUSIVE)
            error = give_name(fd, parent, name);
        else
            error = rename_into_place(fd, parent, name);
    }
    if (*fallback && (error || flags & FILE_EXCLUSIVE))
        unlinkat(parent, fallback, 0);
    return error;
}

int file_replace(int root, const char *path, const char *data, size_t length, mode_t mode, unsigned flags) {
    char name[MAXIMUM_NAME + 1];
    _cleanup_(close_fd) int parent = -1;
    int error = open_parent(root, path, O_RDONLY, flags & FILE_PARENTS, &parent, name);
    if (error)
        return error;
    do
        error = replace_once(parent, name, data, length, mode, flags);
    while (error == REPLACE_AGAIN);
    if (!error && flags & FILE_SYNC && fsync(parent) < 0)
        error = errno;
    return error;
}

/* ---- removing, renaming ---- */

int file_remove(int root, const char *path) {
    char name[MAXIMUM_NAME + 1];
    _cleanup_(close_fd) int parent = -1;
    int error = open_parent(root, path, O_PATH, false, &parent, name);
    if (error)
        return error;
    if (unlinkat(parent, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return errno;
    error = errno;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
        return 0;
    return errno == ENOTDIR ? error : errno;
}

/* Opens a directory to be emptied. One that its owner may not read is made so first, through its descriptor: by name, it could
 * have become a link in between. */
static int open_to_empty(int parent, const char *name) {
    enum { HOW = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    int fd = openat(parent, name, O_RDONLY | HOW);
    if (fd >= 0 || errno != EACCES)
        return fd;
    _cleanup_(close_fd) int closed = openat(parent, name, O_PATH | HOW);
    if (closed < 0)
        return -1;
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", closed);
    return chmod(self, 0700) < 0 ? -1 : openat(parent, name, O_RDONLY | HOW);
}

/* One directory of a tree to remove. Below TREE_DEPTH levels a subdirectory is moved up to the top and taken up there, so
 * that neither the stack nor the number of descriptors depends on the tree. */
static int empty_directory(int top, int parent, const char *name, unsigned depth, bool *moved) {
    static _Thread_local unsigned serial;
    int fd = open_to_empty(parent, name);
    if (fd < 0)
        return errno;
    _cleanup_(close_directory) DIR *directory = open_entries(fd);
    if (!directory)
        return errno;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (!entry)
            return errno;
        if (is_dots(entry->d_name) || unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno == EACCES && fchmod(fd, 0700) == 0 && unlinkat(fd, entry->d_name, 0) == 0)
            continue;
        if (errno != EISDIR && errno != EPERM)
            return errno;
        if (depth >= TREE_DEPTH) {
            char shallow[MAXIMUM_NAME + 1];
            int taken; /* the tree may have such names of its own */
            do {
                snprintf(shallow, sizeof shallow, ".submitter-deep-%d-%u", (int)gettid(), serial++);
                taken = renameat(fd, entry->d_name, top, shallow) < 0 ? errno : 0;
            } while (taken == ENOTDIR || taken == ENOTEMPTY || taken == EEXIST);
            if (taken)
                return taken;
            *moved = true;
            continue;
        }
        int error = empty_directory(top >= 0 ? top : fd, fd, entry->d_name, depth + 1, moved);
        if (error)
            return error;
        if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
            return errno;
    }
}

int file_remove_tree(int root, const char *path) {
    char name[MAXIMUM_NAME + 1];
    _cleanup_(close_fd) int parent = -1;
    int error = open_parent(root, path, O_PATH, false, &parent, name);
    if (error == ENOENT)
        return 0;
    if (error)
        return error;
    for (;;) {
        if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
            return 0;
        if (errno != EISDIR && errno != EPERM)
            return errno;
        bool moved = false;
        error = empty_directory(-1, parent, name, 0, &moved);
        if (error == ENOENT)
            return 0;
        if (error)
            return error;
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (!moved && errno != ENOTEMPTY && errno != EEXIST)
            return errno;
    }
}

int file_rename(int root, const char *from, const char *to, bool exclusive, bool sync) {
    char from_name[MAXIMUM_NAME + 1], to_name[MAXIMUM_NAME + 1];
    _cleanup_(close_fd) int from_parent = -1;
    _cleanup_(close_fd) int to_parent = -1;
    int error = open_parent(root, from, O_RDONLY, false, &from_parent, from_name);
    if (!error)
        error = open_parent(root, to, O_RDONLY, false, &to_parent, to_name);
    if (error)
        return error;
    if (renameat2(from_parent, from_name, to_parent, to_name, exclusive ? RENAME_NOREPLACE : 0) < 0)
        return errno;
    if (sync && (fsync(to_parent) < 0 || fsync(from_parent) < 0))
        return errno;
    return 0;
}

/* ---- locks ---- */

int file_lock(int root, const char *path, bool shared, int *lock) {
    _cleanup_(close_fd) int fd = -1;
    int error = open_beneath(root, path, O_RDWR | O_CREAT | O_NONBLOCK, 0644, false, &fd);
    if (error == EISDIR)
        error = open_beneath(root, path, O_RDONLY | O_DIRECTORY, 0, false, &fd);
    if (error)
        return error;
    while (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0)
        if (errno != EINTR)
            return errno;
    *lock = take_fd(&fd);
    return 0;
}
