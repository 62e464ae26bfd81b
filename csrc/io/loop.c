#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static size_t work_count;

struct uv_loop_s *loop_get(void) {
    return uv_default_loop();
}

static void on_work(uv_work_t *handle) {
    struct work *work = handle->data;
    work->run(work);
}

static void after_work(uv_work_t *handle, int status) {
    struct work *work = handle->data;
    (void)status; /* work is never cancelled, see loop.h */
    free(handle);
    work->handle = NULL;
    work_count--;
    work->done(work);
}

int loop_work(struct work *work) {
    uv_work_t *handle = malloc(sizeof *handle);
    if (!handle)
        return -ENOMEM;
    handle->data = work;
    work->handle = handle;
    int status = uv_queue_work(loop_get(), handle, on_work, after_work);
    if (status < 0) {
        free(handle);
        work->handle = NULL;
        return status;
    }
    work_count++;
    return 0;
}

size_t loop_work_count(void) {
    return work_count;
}

struct timer {
    uv_timer_t handle;
    void (*expired)(void *context);
    void *context;
};

static void on_timer(uv_timer_t *handle) {
    struct timer *timer = handle->data;
    timer->expired(timer->context);
}

static void on_timer_closed(uv_handle_t *handle) {
    free(handle->data);
}

struct timer *timer_start(long long milliseconds, void (*expired)(void *context), void *context) {
    struct timer *timer = malloc(sizeof *timer);
    if (!timer)
        return NULL;
    timer->expired = expired;
    timer->context = context;
    uv_timer_init(loop_get(), &timer->handle);
    timer->handle.data = timer;
    /* The loop's idea of now is as old as its last turn. */
    uv_update_time(loop_get());
    uv_timer_start(&timer->handle, on_timer, milliseconds > 0 ? (uint64_t)milliseconds : 0, 0);
    return timer;
}

void timer_stop(struct timer *timer) {
    if (timer)
        uv_close((uv_handle_t *)&timer->handle, on_timer_closed);
}

/* libuv doesn't know all errors of the system (ENOEXEC), and its words for such a one would be lost memory each time. */
struct write {
    uv_write_t request;
    void (*written)(void *context, int status);
    void *context;
};

static void on_written(uv_write_t *request, int status) {
    struct write *write = request->data;
    void (*written)(void *, int) = write->written;
    void *context = write->context;
    free(write);
    written(context, status);
}

int loop_write(struct uv_stream_s *stream, const char *data, size_t length, void (*written)(void *, int),
               void *context) {
    struct write *write = malloc(sizeof *write);
    if (!write)
        return ENOMEM;
    write->request.data = write;
    write->written = written;
    write->context = context;
    uv_buf_t buffer = { .base = (char *)data, .len = length };
    int status = uv_write(&write->request, stream, &buffer, 1, on_written);
    if (status < 0)
        free(write);
    return status < 0 ? -status : 0;
}

static bool libuv_knows(int number) {
    char name[64];
    uv_err_name_r(-number, name, sizeof name);
    return strncmp(name, "Unknown", strlen("Unknown")) != 0;
}

const char *loop_error_name(int number) {
    const char *name = libuv_knows(number) ? uv_err_name(-number) : strerrorname_np(number);
    return name ? name : "EUNKNOWN";
}

const char *loop_error_text(int number) {
    const char *text = libuv_knows(number) ? uv_strerror(-number) : strerrordesc_np(number);
    return text ? text : "unknown error";
}
