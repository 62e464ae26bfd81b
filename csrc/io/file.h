/* Files beneath an opened directory. Every function blocks (bind/file.c runs them in the thread pool), resolves its path by
 * openat2(2) with RESOLVE_BENEATH, and returns 0 or a positive errno value; results are untouched on failure.
 *
 * A path is relative, has no ".." segment, and is at most 4,095 bytes; otherwise EINVAL or ENAMETOOLONG. Links in it are
 * refused (ELOOP) unless follow is set, and even then never lead out of the directory (EXDEV). */
#ifndef SUBMITTER_IO_FILE_H
#define SUBMITTER_IO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../base/buffer.h"

enum file_type { FILE_REGULAR, FILE_DIRECTORY, FILE_LINK, FILE_OTHER };

struct file_status {
    enum file_type type;
    int64_t size_bytes;
    int64_t modified_ms;
    unsigned mode;
    unsigned long links;
    uint64_t inode;
};

/* A loop error code beyond errno's: not a regular file. */
#define FILE_NOT_REGULAR 100001

/* Opens a directory by any path. create: makes it and its parents. */
int file_open_root(const char *path, bool create, mode_t mode, int *directory);

/* Opens a directory beneath another. create: makes it and its parents. */
int file_open_below(int root, const char *path, bool create, mode_t mode, int *directory);

/* Appends the content of a regular file. EFBIG when it has more than limit bytes. */
int file_read(int root, const char *path, size_t limit, bool follow, struct buffer *content);

enum file_write_flag {
    FILE_EXCLUSIVE = 1, /* EEXIST if it stands */
    FILE_APPEND = 2,
    FILE_PARENTS = 4, /* makes missing parents, mode 0755 */
    FILE_SYNC = 8,
    FILE_FOLLOW = 16,
};

/* Writes in place. */
int file_write(int root, const char *path, const char *data, size_t length, mode_t mode, unsigned flags);

/* Puts a file in place atomically: a reader sees the old content or the new. */
int file_replace(int root, const char *path, const char *data, size_t length, mode_t mode, unsigned flags);

/* Appends, for each entry but "." and "..", one byte (enum file_type) and its name with a NUL; unsorted. */
int file_list(int root, const char *path, struct buffer *entries);

int file_status(int root, const char *path, bool follow, struct file_status *status);

/* parents: makes what is missing above, and is content if the directory stands. */
int file_make(int root, const char *path, bool parents, mode_t mode);

/* Removes a file, link or empty directory. */
int file_remove(int root, const char *path);

/* Removes whatever stands there with all below it, following no link; nothing there is fine. */
int file_remove_tree(int root, const char *path);

/* exclusive: EEXIST if the new name stands. sync: both directories are synced. */
int file_rename(int root, const char *from, const char *to, bool exclusive, bool sync);

/* Tries a flock(2) on a file (made if missing) or a directory; EWOULDBLOCK if somebody else holds it. */
int file_lock(int root, const char *path, bool shared, int *lock);

#endif
