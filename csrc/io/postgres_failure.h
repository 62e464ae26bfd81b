/* Connection strings that can't be meant, and what libpq says about connections that failed. Reads and writes texts only. */
#ifndef SUBMITTER_IO_POSTGRES_FAILURE_H
#define SUBMITTER_IO_POSTGRES_FAILURE_H

#include <stdbool.h>
#include <stddef.h>

#include "pq_library.h"
#include "postgres.h"

/* What is wrong with a connection string (static text), or NULL. libpq's own words repeat what they stumble over, which in a string
 * with a character that isn't encoded is a piece of the password: so these are ours, and hold nothing of the string. */
const char *postgres_target_problem(const struct pq_library *pq, const char *url);

/* Why no connection came about, by libpq's words with PQERRORS_VERBOSE: the class, and the words on one line. Several hosts
 * leave several; the last host's decide. */
enum postgres_failure postgres_failure_describe(const char *text, char *message, size_t size);

/* libpq's words on one line: without line ends, tabs, codes and places in the server's source. */
void postgres_failure_tidy(const char *text, char *message, size_t size);

#endif
