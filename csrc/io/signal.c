#include "signal.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

#include "loop.h"

struct signal_watch {
    uv_signal_t handle;
    void (*came)(void *context, int number);
    void *context;
};

static void on_signal(uv_signal_t *handle, int number) {
    struct signal_watch *watch = handle->data;
    watch->came(watch->context, number);
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

int signal_watch_start(int number, void (*came)(void *, int), void *context, struct signal_watch **result) {
    struct signal_watch *watch = malloc(sizeof *watch);
    if (!watch)
        return ENOMEM;
    watch->came = came;
    watch->context = context;
    uv_signal_init(loop_get(), &watch->handle);
    watch->handle.data = watch;
    int status = uv_signal_start(&watch->handle, on_signal, number);
    if (status < 0) {
        signal_watch_stop(watch);
        return -status;
    }
    *result = watch;
    return 0;
}

void signal_watch_stop(struct signal_watch *watch) {
    if (watch)
        uv_close((uv_handle_t *)&watch->handle, on_closed);
}
