#include "postgres_errand.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "loop.h"

enum { PATIENCE_S = 1 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t fewer;
    unsigned running;              /* threads */
    struct postgres_errand *ended; /* whose finished is to be called */
    uv_async_t async;
    bool open;
} errands = { .lock = PTHREAD_MUTEX_INITIALIZER, .fewer = PTHREAD_COND_INITIALIZER };

static void dispose(struct postgres_errand *errand) {
    close(errand->wake);
    errand->dispose(errand);
}

static struct postgres_errand *next_ended(void) {
    pthread_mutex_lock(&errands.lock);
    struct postgres_errand *errand = errands.ended;
    if (errand) {
        errands.ended = errand->next;
        errand->next = NULL;
    }
    pthread_mutex_unlock(&errands.lock);
    return errand;
}

static void on_ended(uv_async_t *async) {
    struct postgres_errand *errand;
    (void)async;
    while ((errand = next_ended())) {
        if (errand->given_up)
            dispose(errand);
        else
            errand->finished(errand);
    }
}

static void *run(void *argument) {
    struct postgres_errand *errand = argument;
    errand->run(errand);
    pthread_mutex_lock(&errands.lock);
    errand->ended = true;
    bool given_up = errand->given_up;
    if (!given_up) {
        errand->next = errands.ended;
        errands.ended = errand;
        uv_async_send(&errands.async);
    }
    pthread_mutex_unlock(&errands.lock);
    if (given_up)
        dispose(errand);
    pthread_mutex_lock(&errands.lock);
    errands.running--;
    pthread_cond_broadcast(&errands.fewer);
    pthread_mutex_unlock(&errands.lock);
    return NULL;
}

/* Signals are the business of the thread that runs the loop. */
static int start_thread(struct postgres_errand *errand) {
    sigset_t all, before;
    pthread_attr_t detached;
    pthread_t thread;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &detached, run, errand);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return error;
}

int postgres_errand_start(struct postgres_errand *errand) {
    if (!errands.open) {
        int status = uv_async_init(loop_get(), &errands.async, on_ended);
        if (status < 0)
            return -status;
        uv_unref((uv_handle_t *)&errands.async);
        errands.open = true;
    }
    errand->given_up = errand->ended = false;
    errand->next = NULL;
    errand->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (errand->wake < 0)
        return errno;
    pthread_mutex_lock(&errands.lock);
    errands.running++;
    pthread_mutex_unlock(&errands.lock);
    int error = start_thread(errand);
    if (error) {
        pthread_mutex_lock(&errands.lock);
        errands.running--;
        pthread_mutex_unlock(&errands.lock);
        close(errand->wake);
    }
    return error;
}

void postgres_errand_give_up(struct postgres_errand *errand) {
    pthread_mutex_lock(&errands.lock);
    errand->given_up = true;
    /* One that ended is in the queue, and is disposed of when its turn comes. */
    if (!errand->ended)
        eventfd_write(errand->wake, 1);
    pthread_mutex_unlock(&errands.lock);
}

void postgres_errand_done(struct postgres_errand *errand) {
    dispose(errand);
}

bool postgres_errand_given_up(struct postgres_errand *errand) {
    pthread_mutex_lock(&errands.lock);
    bool given_up = errand->given_up;
    pthread_mutex_unlock(&errands.lock);
    return given_up;
}

void postgres_errand_settle(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&errands.lock);
    while (errands.running && pthread_cond_timedwait(&errands.fewer, &errands.lock, &until) == 0)
        ;
    pthread_mutex_unlock(&errands.lock);
    on_ended(NULL);
}
