/* Which statements of a connection are prepared at the server: bounded, by their text and which parameters are bytes. Pure. */
#ifndef SUBMITTER_IO_POSTGRES_STATEMENTS_H
#define SUBMITTER_IO_POSTGRES_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buffer.h"
#include "postgres.h"

enum { POSTGRES_STATEMENTS = 64, POSTGRES_STATEMENT_BYTES = 32 << 10 };

struct postgres_statement {
    char *sql, *kinds; /* of the parameters: a letter each; in one piece of memory */
    uint64_t hash;
    uint64_t last_use;
    unsigned uses;
    unsigned number; /* of its name at the server; 0: not prepared */
};

struct postgres_statements {
    struct postgres_statement kept[POSTGRES_STATEMENTS];
    size_t count;
    uint64_t uses;
    unsigned last_number;
    unsigned dropped[POSTGRES_STATEMENTS]; /* numbers that the server is to forget */
    size_t dropped_count;
};

enum { POSTGRES_STATEMENT_NAME_SIZE = 24 };

/* The name of a prepared statement's number. */
void postgres_statement_name(char name[POSTGRES_STATEMENT_NAME_SIZE], unsigned number);

/* Counts a use of a statement. In the place of another if there are too many: one that isn't prepared before one that is, the longest
 * unused first. NULL: it isn't kept (too long, no memory, or nothing can be given up now). */
struct postgres_statement *postgres_statements_use(struct postgres_statements *statements,
                                                   const struct postgres_request *request);

/* The server doesn't take its plan any more, and is to forget it if it still has it; the next use prepares it anew. */
void postgres_statements_stale(struct postgres_statements *statements, struct postgres_statement *statement,
                               bool known_to_server);

/* Writes the commands by which the server forgets what was dropped. False when there is nothing to forget, or no memory. */
bool postgres_statements_forget(struct postgres_statements *statements, struct buffer *script);

void postgres_statements_clear(struct postgres_statements *statements);

#endif
