/* Asking a server to cancel what it is at: libpq opens a connection of its own for that, and blocks. */
#ifndef SUBMITTER_IO_POSTGRES_CANCEL_H
#define SUBMITTER_IO_POSTGRES_CANCEL_H

#include "pq_library.h"

struct postgres_cancel;

/* Asks, in a thread of its own; done is called when the server has taken the request in, or can't be asked. NULL when it can't even
 * be tried. Until done the next statement must not be sent: the cancelling would hit that one. */
struct postgres_cancel *postgres_cancel_start(const struct pq_library *pq, PGconn *link, void (*done)(void *context),
                                              void *context);

/* Nobody waits any more: done isn't called. NULL is allowed. */
void postgres_cancel_give_up(struct postgres_cancel *cancel);

#endif
