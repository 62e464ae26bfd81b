/* Other programs: started without a shell, fed and read through pipes on the loop, waited for through a pidfd.
 *
 * Starting blocks for about a millisecond (until the exec happened), so bind/child.c does it on a thread of the pool; all
 * else belongs to the loop's thread. */
#ifndef SUBMITTER_IO_CHILD_H
#define SUBMITTER_IO_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum child_stream { CHILD_STDIN, CHILD_STDOUT, CHILD_STDERR };
enum child_connection { CHILD_NULL, CHILD_PIPE, CHILD_INHERIT };

/* A descriptor that the child finds under this number, holding these bytes, at its start, read-only. */
struct child_descriptor {
    int number;
    const char *data;
    size_t length;
};

struct child_options {
    const char *program;      /* a path; nothing is searched */
    char *const *arguments;   /* argv, with argv[0], ended by NULL */
    char *const *environment; /* "NAME=value", ended by NULL */
    int directory;            /* working directory, or -1 for the host's */
    enum child_connection streams[3];
    const struct child_descriptor *descriptors;
    size_t descriptor_count;
    bool new_session; /* setsid(2) */
};

/* How a child ended and what it and its waited-for descendants used. */
struct child_end {
    bool exited; /* else by a signal */
    int code;    /* exit code, or number of the signal */
    int64_t user_us;
    int64_t system_us;
    int64_t max_rss_bytes;
};

/* What starting made: plain descriptors, not on the loop yet. */
struct child_start {
    pid_t pid;
    int pidfd;
    int pipes[3]; /* our ends, or -1 */
};

/* Starts the program; any thread. Returns 0 or a positive errno value; then nothing was started. */
int child_start(const struct child_options *options, struct child_start *start);

struct child;

/* Puts a started child on the loop; takes its descriptors over. 0 or a positive errno value: then it was killed. */
int child_adopt(struct child_start *start, struct child **child);

pid_t child_pid(const struct child *child);

/* Calls ended(context) when the child has ended, at once if it has already. One waiter at a time. */
void child_wait(struct child *child, void (*ended)(void *context), void *context);
void child_wait_stop(struct child *child);
bool child_awaited(const struct child *child);

/* True and how it ended, once it did and was waited for. */
bool child_ended(const struct child *child, struct child_end *end);

/* Sends a signal through the pidfd; 0 or a positive errno value (ESRCH: it ended). */
int child_kill(struct child *child, int signal);

/* Reads the next piece: got(context, data, length) with length 0 at the end, or a negative errno value and no data. The data
 * lives for the call only. One reader a stream at a time. */
void child_read(struct child *child, enum child_stream stream,
                void (*got)(void *context, const char *data, ssize_t length), void *context);
void child_read_stop(struct child *child, enum child_stream stream);
bool child_reading(const struct child *child, enum child_stream stream);

/* Writes to its standard input; data stays in place until written(context, status) is called, with 0 or a negative errno
 * value. Returns 0 or a positive errno value, and then nothing is called. */
int child_write(struct child *child, const char *data, size_t length, void (*written)(void *context, int status),
                void *context);

/* Closes its standard input. */
void child_close_input(struct child *child);

/* Frees it; a child that still runs gets the signal and is reaped in the background. NULL is allowed. */
void child_close(struct child *child, int signal);

#endif
