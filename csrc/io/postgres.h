/* Connections to PostgreSQL by libpq on the process's loop: one statement at a time on each.
 *
 * Callbacks come on the loop's thread, once for what was begun, and never from inside the function that begins it: what ended at
 * once says so by its return value. */
#ifndef SUBMITTER_IO_POSTGRES_H
#define SUBMITTER_IO_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buffer.h"

enum postgres_failure {
    POSTGRES_FINE,
    POSTGRES_CONNECT,   /* no connection, which may pass: network, names, a server that starts, ends or is full */
    POSTGRES_REFUSED,   /* by the server's words, or (connecting) until somebody changes something */
    POSTGRES_LOST,      /* the connection broke */
    POSTGRES_TIMEOUT,   /* not within the time given */
    POSTGRES_TOO_LARGE, /* more than limit_bytes of values */
    POSTGRES_CLOSED,    /* by postgres_close */
    POSTGRES_MISUSE,    /* the statement isn't one for the function: COPY in a query, no COPY for a copy */
    POSTGRES_LIBRARY,   /* libpq can't be used */
    POSTGRES_MEMORY,
};

struct postgres;

/* ---- connecting ---- */

struct postgres_target {
    const char *url;              /* a conninfo string or a URI; "": all by PG* variables and libpq's files */
    const char *application_name; /* unless url or PGAPPNAME name one */
    int64_t timeout_ms;           /* for all of it */
};

struct postgres_connecting;

/* Begins to connect, in a thread of its own; what target points to is copied. done is called with what came of it, to be taken by
 * postgres_connecting_end. NULL without memory. */
struct postgres_connecting *postgres_connect(const struct postgres_target *target, void (*done)(void *context),
                                             void *context);

/* Has it ended already? Then done isn't called. */
bool postgres_connecting_ended(const struct postgres_connecting *connecting);

/* What came of it: the connection, which is the caller's then, or NULL and why (the message stays until the end). */
struct postgres *postgres_connecting_take(struct postgres_connecting *connecting, enum postgres_failure *failure,
                                          const char **message);

/* Frees it, wherever it is; done isn't called any more. NULL is allowed. */
void postgres_connecting_end(struct postgres_connecting *connecting);

/* ---- statements ---- */

struct postgres_parameter {
    const char *value; /* text, or the bytes of a bytea; NULL is SQL's NULL */
    size_t length;
    bool bytes;
};

enum postgres_kind {
    POSTGRES_QUERY,  /* one statement with parameters */
    POSTGRES_SCRIPT, /* any number of statements without; what rows they give is dropped */
    POSTGRES_COPY,   /* one COPY ... FROM STDIN, and its rows */
};

/* All that this points to must stay as it is until the statement has ended. */
struct postgres_request {
    enum postgres_kind kind;
    const char *sql;
    const struct postgres_parameter *parameters;
    size_t parameter_count;
    const char *rows; /* COPY: in its text format (postgres_copy_value) */
    size_t rows_length;
    int64_t timeout_ms;
    size_t limit_bytes; /* of values, each with POSTGRES_PACK_BYTES besides */
};

enum postgres_field {
    POSTGRES_SQLSTATE,
    POSTGRES_CONSTRAINT,
    POSTGRES_TABLE,
    POSTGRES_COLUMN,
    POSTGRES_DETAIL,
    POSTGRES_HINT,
    POSTGRES_CONTEXT,
    POSTGRES_FIELD_COUNT
};

/* What came of a statement. Zeroed to begin with. */
struct postgres_outcome {
    enum postgres_failure failure;
    char message[2048];
    char *fields[POSTGRES_FIELD_COUNT]; /* of the server's error; NULL: not said */
    bool sent;                          /* the statement may have been carried out */
    struct buffer names;                /* of the columns, packed (postgres_text.h) */
    uint32_t *types;                    /* of the columns: OIDs of pg_type */
    size_t column_count;
    struct buffer cells; /* of all rows, packed */
    size_t row_count;
    int64_t affected; /* rows, as the server counts them; -1: it doesn't */
};

void postgres_outcome_clear(struct postgres_outcome *outcome);

/* Begins a statement on a connection that has none under way. outcome must stay until it has ended. False: it has ended already,
 * and done isn't called. */
bool postgres_begin(struct postgres *connection, const struct postgres_request *request,
                    struct postgres_outcome *outcome, void (*done)(void *context), void *context);

/* Ends the statement under way early: it is cancelled at the server, or if that doesn't help the connection closed. done follows. */
void postgres_interrupt(struct postgres *connection);

enum postgres_state { POSTGRES_IDLE, POSTGRES_TRANSACTION, POSTGRES_FAILED, POSTGRES_BROKEN };

/* Looks whether the server said something meanwhile, such as farewell. While a statement is under way: TRANSACTION. */
enum postgres_state postgres_state(struct postgres *connection);

/* 150018 is 15.18. */
int postgres_server_version(const struct postgres *connection);

/* Ends it and frees it, waiting for nothing; a statement under way ends as CLOSED, its done is called. NULL is allowed. */
void postgres_close(struct postgres *connection);

/* For the end of the process, after every connection. */
void postgres_shutdown(void);

#endif
