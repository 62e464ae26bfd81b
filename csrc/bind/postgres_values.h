/* Values between Lua and PostgreSQL, both ways: lua/meta/postgres.lua says what becomes of what. */
#ifndef SUBMITTER_BIND_POSTGRES_VALUES_H
#define SUBMITTER_BIND_POSTGRES_VALUES_H

#include <lua.h>
#include <stdbool.h>

#include "../base/buffer.h"
#include "../io/postgres.h"

/* The metatable of what postgres.bytea gives, a table with the string under "bytes". */
#define POSTGRES_BYTEA_TYPE "submitter.bytea"

/* What the parameters of one statement may have together; PostgreSQL takes no message of 1 GiB. */
enum { POSTGRES_PARAMETERS_BYTES = 512 << 20 };

/* Can a value be sent? A NUL byte in a text can't, nor what makes a buffer larger than its limit. */
enum postgres_value { VALUE_GOOD, VALUE_NUL, VALUE_LARGE };

/* Where a value stands, for messages. */
struct postgres_place {
    const char *function;
    lua_Integer row, column; /* row 0: a parameter */
};

/* Packs the parameter on top of the stack (postgres_pack); bytes: it is a bytea. Throws at what isn't one. The buffer has a limit, as in
 * the next. May leave values above it. */
enum postgres_value postgres_values_pack(lua_State *L, const struct postgres_place *place, struct buffer *packed,
                                         bool *bytes);

/* Writes the value on top of the stack for COPY, and a byte after it. Throws, and leaves values, as well. */
enum postgres_value postgres_values_copy(lua_State *L, const struct postgres_place *place, struct buffer *rows,
                                         char after);

/* Pushes nil, message, code and details for a value that can't be sent; returns their number. */
int postgres_values_refused(lua_State *L, const struct postgres_place *place, enum postgres_value status);

/* Pushes the details of what never went out. */
void postgres_values_unsent(lua_State *L);

/* Is it what postgres.bytea gives? */
bool postgres_values_bytea(lua_State *L, int index);

void postgres_values_null(lua_State *L);

/* Pushes a result, or why it can't be read; returns the number of values. */
int postgres_values_result(lua_State *L, const struct postgres_outcome *outcome);

#endif
