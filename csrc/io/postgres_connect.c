#include "postgres_connect.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"
#include "postgres_attempt.h"
#include "postgres_errand.h"

/* The part that the thread has: it may outlive the other one. */
struct trip {
    struct postgres_errand errand;
    struct postgres_attempt attempt;
    struct postgres_connecting *owner; /* the loop's thread only */
    char place[320];                   /* where it is, guarded */
    char *url, *application_name;
};

struct postgres_connecting {
    struct trip *trip; /* NULL: it has ended */
    struct timer *timer;
    int64_t timeout_ms;
    struct postgres *connection;
    enum postgres_failure failure;
    char message[1024];
    void (*done)(void *context);
    void *context;
};

static pthread_mutex_t place_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- on the thread ---- */

static void at_host(struct postgres_attempt *attempt, const char *host, const char *port) {
    struct trip *trip = (struct trip *)((char *)attempt - offsetof(struct trip, attempt));
    pthread_mutex_lock(&place_lock);
    snprintf(trip->place, sizeof trip->place, "\"%.256s\", port %.16s", host, port);
    pthread_mutex_unlock(&place_lock);
}

static void run(struct postgres_errand *errand) {
    struct trip *trip = (struct trip *)errand;
    trip->attempt.wake = errand->wake;
    postgres_attempt_run(&trip->attempt);
}

static void dispose(struct postgres_errand *errand) {
    struct trip *trip = (struct trip *)errand;
    if (trip->attempt.connection)
        trip->attempt.pq->finish(trip->attempt.connection);
    if (trip->url) /* it may hold the password */
        explicit_bzero(trip->url, strlen(trip->url));
    free(trip->url);
    free(trip->application_name);
    free(trip);
}

/* ---- on the loop ---- */

/* For want of something of this process's own: descriptors, threads. */
static void fail(struct postgres_connecting *connecting, int error) {
    connecting->failure = error == ENOMEM ? POSTGRES_MEMORY : POSTGRES_CONNECT;
    snprintf(connecting->message, sizeof connecting->message, "this process can't connect: %s (%s)",
             loop_error_text(error), loop_error_name(error));
}

static void finished(struct postgres_errand *errand) {
    struct trip *trip = (struct trip *)errand;
    struct postgres_connecting *connecting = trip->owner;
    struct postgres_attempt *attempt = &trip->attempt;
    connecting->failure = attempt->failure;
    memcpy(connecting->message, attempt->message, sizeof connecting->message);
    if (attempt->connection) {
        int error = postgres_adopt(attempt->pq, attempt->connection, &connecting->connection);
        if (error)
            fail(connecting, error);
        else
            attempt->connection = NULL;
    }
    connecting->trip = NULL;
    postgres_errand_done(errand);
    timer_stop(connecting->timer);
    connecting->timer = NULL;
    connecting->done(connecting->context);
}

static void on_deadline(void *context) {
    struct postgres_connecting *connecting = context;
    char place[sizeof connecting->trip->place];
    pthread_mutex_lock(&place_lock);
    memcpy(place, connecting->trip->place, sizeof place);
    pthread_mutex_unlock(&place_lock);
    postgres_errand_give_up(&connecting->trip->errand);
    connecting->trip = NULL;
    connecting->failure = POSTGRES_TIMEOUT;
    snprintf(connecting->message, sizeof connecting->message, "no connection within %lld ms%s%s",
             (long long)connecting->timeout_ms, *place ? ", the last server tried is at " : "", place);
    connecting->done(connecting->context);
}

static struct trip *trip_new(const struct pq_library *pq, const struct postgres_target *target) {
    struct trip *trip = calloc(1, sizeof *trip);
    if (!trip)
        return NULL;
    trip->errand.run = run;
    trip->errand.finished = finished;
    trip->errand.dispose = dispose;
    trip->errand.wake = -1;
    trip->url = strdup(target->url);
    trip->application_name = strdup(target->application_name);
    trip->attempt = (struct postgres_attempt){ .pq = pq,
                                               .url = trip->url,
                                               .application_name = trip->application_name,
                                               .timeout_ms = target->timeout_ms,
                                               .at_host = at_host };
    if (trip->url && trip->application_name)
        return trip;
    dispose(&trip->errand);
    return NULL;
}

/* False: it has failed. */
static bool start(struct postgres_connecting *connecting, const struct postgres_target *target) {
    const char *problem;
    const struct pq_library *pq = pq_library(&problem);
    if (!pq) {
        connecting->failure = POSTGRES_LIBRARY;
        snprintf(connecting->message, sizeof connecting->message, "%s", problem);
        return false;
    }
    struct trip *trip = trip_new(pq, target);
    connecting->timer = trip ? timer_start(target->timeout_ms, on_deadline, connecting) : NULL;
    int error = connecting->timer ? postgres_errand_start(&trip->errand) : ENOMEM;
    if (!error) {
        trip->owner = connecting;
        connecting->trip = trip;
        return true;
    }
    fail(connecting, error);
    if (trip)
        dispose(&trip->errand);
    return false;
}

struct postgres_connecting *postgres_connect(const struct postgres_target *target, void (*done)(void *context),
                                             void *context) {
    struct postgres_connecting *connecting = calloc(1, sizeof *connecting);
    if (!connecting)
        return NULL;
    connecting->done = done;
    connecting->context = context;
    connecting->timeout_ms = target->timeout_ms;
    if (!start(connecting, target)) {
        timer_stop(connecting->timer);
        connecting->timer = NULL;
    }
    return connecting;
}

bool postgres_connecting_ended(const struct postgres_connecting *connecting) {
    return !connecting->trip;
}

struct postgres *postgres_connecting_take(struct postgres_connecting *connecting, enum postgres_failure *failure,
                                          const char **message) {
    struct postgres *connection = connecting->connection;
    connecting->connection = NULL;
    *failure = connecting->failure;
    *message = connecting->message;
    return connection;
}

void postgres_connecting_end(struct postgres_connecting *connecting) {
    if (!connecting)
        return;
    if (connecting->trip)
        postgres_errand_give_up(&connecting->trip->errand);
    timer_stop(connecting->timer);
    postgres_close(connecting->connection);
    free(connecting);
}

void postgres_shutdown(void) {
    postgres_errand_settle();
}
