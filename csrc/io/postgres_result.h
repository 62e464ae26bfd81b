/* From libpq's results to an outcome: what is kept of them, so that they can be cleared as they come. */
#ifndef SUBMITTER_IO_POSTGRES_RESULT_H
#define SUBMITTER_IO_POSTGRES_RESULT_H

#include "postgres.h"
#include "pq_library.h"

enum postgres_kept { POSTGRES_KEPT, POSTGRES_KEPT_TOO_MUCH, POSTGRES_KEPT_NO_MEMORY };

/* Names and types of the columns, of the first result that has rows. */
enum postgres_kept postgres_result_columns(const struct pq_library *pq, const PGresult *result,
                                           struct postgres_outcome *outcome);

/* The rows of a result. */
enum postgres_kept postgres_result_rows(const struct pq_library *pq, const PGresult *result, size_t limit_bytes,
                                        struct postgres_outcome *outcome);

/* The count that ends a command's tag. */
void postgres_result_count(const struct pq_library *pq, PGresult *result, struct postgres_outcome *outcome);

/* An error: REFUSED, or LOST when it is the last that the server says or comes from libpq itself. Each field is cut to 2 KiB: the
 * server repeats values, however large. */
void postgres_result_error(const struct pq_library *pq, const PGresult *result, struct postgres_outcome *outcome);

/* Is it the last that the server says on this connection? */
bool postgres_result_fatal(const struct pq_library *pq, const PGresult *result);

/* A notice goes to the log, at the level debug. On any thread. */
void postgres_notice_log(const struct pq_library *pq, const PGresult *notice);

/* Takes back an error, for another try. */
void postgres_outcome_forgive(struct postgres_outcome *outcome);

#endif
