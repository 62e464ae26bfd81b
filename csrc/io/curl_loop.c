#include "curl_loop.h"

#include <stdlib.h>
#include <uv.h>

#include "loop.h"

/* Connections that wait for their next request. */
enum { MAXIMUM_IDLE = 64 };

struct shared {
    const struct curl_library *library;
    CURLM *multi;
    CURLSH *share;
    uv_timer_t timer;
    void (*ended)(void *owner, CURLcode result);
};

static struct shared *shared;

/* A descriptor that curl waits for. */
struct watch {
    uv_poll_t handle;
    curl_socket_t descriptor;
    int wanted; /* UV_READABLE, UV_WRITABLE */
};

static void on_watch_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void on_shared_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void collect_ended(void) {
    CURLMsg *message;
    int left;
    while ((message = shared->library->multi_info_read(shared->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result; /* the message is gone with the handle */
        void *owner = NULL;
        shared->library->easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
        shared->library->multi_remove_handle(shared->multi, easy);
        shared->ended(owner, result);
    }
}

static void act(curl_socket_t descriptor, int events) {
    int running;
    shared->library->multi_socket_action(shared->multi, descriptor, events, &running);
    collect_ended();
}

static void on_ready(uv_poll_t *handle, int status, int events) {
    struct watch *watch = handle->data;
    if (status == 0) {
        act(watch->descriptor,
            (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0));
        return;
    }
    /* A reset, say. libuv tells no more than that, and waits no longer. What came before it can still be read, and if nothing
     * did on a kept connection, the request goes out once more: curl is to look itself, not to take it for an error of the poll. */
    act(watch->descriptor, 0);
    if (watch->wanted && !uv_is_closing((uv_handle_t *)handle) && !uv_is_active((uv_handle_t *)handle))
        uv_poll_start(handle, watch->wanted, on_ready);
}

static void on_time(uv_timer_t *timer) {
    (void)timer;
    act(CURL_SOCKET_TIMEOUT, 0);
}

static struct watch *watch_new(curl_socket_t descriptor) {
    struct watch *watch = malloc(sizeof *watch);
    if (!watch)
        return NULL;
    watch->descriptor = descriptor;
    watch->handle.data = watch;
    if (uv_poll_init_socket(loop_get(), &watch->handle, descriptor) != 0) {
        free(watch);
        return NULL;
    }
    uv_unref((uv_handle_t *)&watch->handle);
    shared->library->multi_assign(shared->multi, descriptor, watch);
    return watch;
}

static int on_socket(CURL *easy, curl_socket_t descriptor, int what, void *context, void *assigned) {
    struct watch *watch = assigned;
    (void)easy;
    (void)context;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            shared->library->multi_assign(shared->multi, descriptor, NULL);
            uv_close((uv_handle_t *)&watch->handle, on_watch_closed);
        }
        return 0;
    }
    if (!watch)
        watch = watch_new(descriptor);
    if (!watch)
        return -1; /* curl gives the transfers up */
    watch->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->handle, watch->wanted, on_ready) == 0 ? 0 : -1;
}

static int on_timer_wanted(CURLM *multi, long milliseconds, void *context) {
    (void)multi;
    (void)context;
    if (milliseconds < 0) {
        uv_timer_stop(&shared->timer);
    } else {
        uv_update_time(loop_get());
        uv_timer_start(&shared->timer, on_time, (uint64_t)milliseconds, 0);
    }
    return 0;
}

static void set_up(void) {
    const struct curl_library *library = shared->library;
    library->multi_setopt(shared->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    library->multi_setopt(shared->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    /* Each connection carries one request at a time, also where it is HTTP/2's: of streams side by side libcurl (7.88) now and
     * then forgets one, whose last bytes it has taken from the socket and doesn't hand over. */
    library->multi_setopt(shared->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    library->multi_setopt(shared->multi, CURLMOPT_MAXCONNECTS, (long)MAXIMUM_IDLE);
    library->share_setopt(shared->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

bool curl_loop_open(const struct curl_library *library, void (*ended)(void *owner, CURLcode result)) {
    if (shared)
        return true;
    struct shared *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return false;
    fresh->library = library;
    fresh->ended = ended;
    fresh->multi = library->multi_init();
    fresh->share = library->share_init();
    if (!fresh->multi || !fresh->share) {
        library->multi_cleanup(fresh->multi);
        library->share_cleanup(fresh->share);
        free(fresh);
        return false;
    }
    uv_timer_init(loop_get(), &fresh->timer);
    fresh->timer.data = fresh;
    uv_unref((uv_handle_t *)&fresh->timer);
    shared = fresh;
    set_up();
    return true;
}

bool curl_loop_add(CURL *easy) {
    shared->library->easy_setopt(easy, CURLOPT_SHARE, shared->share);
    if (shared->library->multi_add_handle(shared->multi, easy) != CURLM_OK)
        return false;
    act(CURL_SOCKET_TIMEOUT, 0);
    return true;
}

void curl_loop_remove(CURL *easy) {
    shared->library->multi_remove_handle(shared->multi, easy);
}

void curl_loop_run(void) {
    act(CURL_SOCKET_TIMEOUT, 0);
}

void curl_loop_close(void) {
    if (!shared)
        return;
    shared->library->multi_cleanup(shared->multi);
    shared->library->share_cleanup(shared->share);
    uv_close((uv_handle_t *)&shared->timer, on_shared_closed);
    shared = NULL;
}
