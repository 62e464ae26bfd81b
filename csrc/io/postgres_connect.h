/* From an attempt that succeeded to a connection on the loop. */
#ifndef SUBMITTER_IO_POSTGRES_CONNECT_H
#define SUBMITTER_IO_POSTGRES_CONNECT_H

#include "postgres.h"
#include "pq_library.h"

/* The connection of a link that stands and is non-blocking, which is its own from then on. 0 or a positive errno value, and the link
 * is still the caller's. */
int postgres_adopt(const struct pq_library *pq, PGconn *link, struct postgres **connection);

#endif
