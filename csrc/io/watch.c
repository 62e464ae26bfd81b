#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "loop.h"

struct watch {
    uv_fs_event_t handle;
    void (*changed)(void *context);
    void *context;
};

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status) {
    struct watch *watch = handle->data;
    (void)name;
    (void)events;
    (void)status;
    watch->changed(watch->context);
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

int watch_start(int directory, void (*changed)(void *context), void *context, struct watch **result) {
    struct watch *watch = malloc(sizeof *watch);
    if (!watch)
        return ENOMEM;
    watch->changed = changed;
    watch->context = context;
    uv_fs_event_init(loop_get(), &watch->handle);
    watch->handle.data = watch;
    char path[64]; /* the very directory that was opened, whatever its name is by now */
    snprintf(path, sizeof path, "/proc/self/fd/%d", directory);
    int status = uv_fs_event_start(&watch->handle, on_event, path, 0);
    if (status < 0) {
        uv_close((uv_handle_t *)&watch->handle, on_closed);
        return -status;
    }
    watch_await(watch, false);
    *result = watch;
    return 0;
}

void watch_await(struct watch *watch, bool awaited) {
    if (awaited)
        uv_ref((uv_handle_t *)&watch->handle);
    else
        uv_unref((uv_handle_t *)&watch->handle);
}

void watch_stop(struct watch *watch) {
    if (watch)
        uv_close((uv_handle_t *)&watch->handle, on_closed);
}
