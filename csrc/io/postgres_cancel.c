#include "postgres_cancel.h"

#include <stdlib.h>

#include "postgres_errand.h"

struct postgres_cancel {
    struct postgres_errand errand;
    const struct pq_library *pq;
    PGcancel *key;
    void (*done)(void *context);
    void *context;
};

static void run(struct postgres_errand *errand) {
    struct postgres_cancel *cancel = (struct postgres_cancel *)errand;
    char unused[256];
    /* Whether it can be asked or not: the statement's end or the patience's is what counts. */
    cancel->pq->cancel(cancel->key, unused, sizeof unused);
}

static void dispose(struct postgres_errand *errand) {
    struct postgres_cancel *cancel = (struct postgres_cancel *)errand;
    cancel->pq->freeCancel(cancel->key);
    free(cancel);
}

static void finished(struct postgres_errand *errand) {
    struct postgres_cancel *cancel = (struct postgres_cancel *)errand;
    void (*done)(void *) = cancel->done;
    void *context = cancel->context;
    postgres_errand_done(errand);
    done(context);
}

struct postgres_cancel *postgres_cancel_start(const struct pq_library *pq, PGconn *link, void (*done)(void *context),
                                              void *context) {
    struct postgres_cancel *cancel = calloc(1, sizeof *cancel);
    if (!cancel)
        return NULL;
    cancel->errand.run = run;
    cancel->errand.finished = finished;
    cancel->errand.dispose = dispose;
    cancel->pq = pq;
    cancel->done = done;
    cancel->context = context;
    cancel->key = pq->getCancel(link);
    if (cancel->key && postgres_errand_start(&cancel->errand) == 0)
        return cancel;
    pq->freeCancel(cancel->key);
    free(cancel);
    return NULL;
}

void postgres_cancel_give_up(struct postgres_cancel *cancel) {
    if (cancel)
        postgres_errand_give_up(&cancel->errand);
}
