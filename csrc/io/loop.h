/* The process's event loop, and work for its thread pool.
 *
 * One thread runs the loop; callbacks of all of io/ are called on it, never on a thread of the pool. */
#ifndef SUBMITTER_IO_LOOP_H
#define SUBMITTER_IO_LOOP_H

#include <stdbool.h>
#include <stddef.h>

struct uv_loop_s;
struct uv_stream_s;

/* The loop, made at the first call. */
struct uv_loop_s *loop_get(void);

/* Blocking or long work, done on a thread of the pool. run touches nothing but the work itself; done is called on the
 * loop's thread afterwards. The caller keeps the memory in place until then. Work that was begun can't be interrupted. */
struct work {
    void (*run)(struct work *work);
    void (*done)(struct work *work);
    void *handle; /* the loop's own */
};

/* Returns 0, or -errno and then neither function is called. */
int loop_work(struct work *work);

/* How many pieces of work are with the pool. */
size_t loop_work_count(void);

/* Writes to a stream; data stays in place until written(context, status) is called, with 0 or a negative errno value. Returns 0
 * or a positive errno value, and then nothing is called. */
int loop_write(struct uv_stream_s *stream, const char *data, size_t length, void (*written)(void *context, int status),
               void *context);

/* A timer that fires once. */
struct timer;

/* Calls expired(context) after so many milliseconds, at the earliest. NULL without memory. */
struct timer *timer_start(long long milliseconds, void (*expired)(void *context), void *context);

/* Frees a timer, whether it fired or not; it doesn't fire any more. NULL is allowed. */
void timer_stop(struct timer *timer);

/* Name and text of an errno value (positive): "ENOENT", "no such file or directory". */
const char *loop_error_name(int number);
const char *loop_error_text(int number);

#endif
