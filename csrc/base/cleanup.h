/* Cleanup attributes: what a scope acquired is given back at every way out of it.
 *
 *     _cleanup_(close_fd) int fd = openat(…);
 *     _cleanup_(free_pointer) char *copy = strdup(…);
 *
 * They don't run when a Lua error longjmps across the scope: what must survive a Lua call belongs to a userdata. */
#ifndef SUBMITTER_BASE_CLEANUP_H
#define SUBMITTER_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

/* Closes a descriptor (-1 is none) without touching errno. */
static inline void close_fd(int *fd) {
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
        *fd = -1;
    }
}

static inline void close_directory(DIR **directory) {
    if (*directory)
        closedir(*directory);
}

static inline void free_pointer(void *pointer) {
    free(*(void **)pointer);
}

/* Hands a descriptor over: returns it and leaves -1 behind. */
static inline int take_fd(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
