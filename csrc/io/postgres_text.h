/* Values as PostgreSQL writes and reads them, and as they are kept here. Pure: knows nothing of libpq.
 *
 * What is read is what a server says with DateStyle ISO and bytea_output hex; anything else is refused, not guessed at. */
#ifndef SUBMITTER_IO_POSTGRES_TEXT_H
#define SUBMITTER_IO_POSTGRES_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buffer.h"

/* ---- a row of values in one buffer ---- */

/* What a value costs besides its bytes: its length before it and a NUL behind it. */
enum { POSTGRES_PACK_BYTES = 5 };

/* Appends a value; NULL is SQL's NULL. False, and nothing is kept, when it doesn't fit. */
bool postgres_pack(struct buffer *packed, const char *value, size_t length);

/* The value at a place (0 to begin with), and the place of the next one. Each ends with a NUL that length doesn't count; SQL's
 * NULL is NULL. False at the end. */
bool postgres_unpack(const struct buffer *packed, size_t *place, const char **value, size_t *length);

/* ---- values of a result ---- */

/* smallint, integer, bigint, oid. */
bool postgres_text_integer(const char *text, size_t length, int64_t *value);

/* real, double precision: also NaN and both infinities. */
bool postgres_text_float(const char *text, size_t length, double *value);

/* bytea as "\x" and hexadecimal digits: appends its bytes. */
bool postgres_text_bytes(const char *text, size_t length, struct buffer *bytes);

enum postgres_time { POSTGRES_TIME_BAD, POSTGRES_TIME_FINITE, POSTGRES_TIME_EARLIEST, POSTGRES_TIME_LATEST };

/* timestamp (taken for UTC) and timestamptz: milliseconds since 1970, what is finer cut off downwards. Also years BC and of five
 * digits; the infinities are the last two of the enumeration. */
enum postgres_time postgres_text_time(const char *text, size_t length, int64_t *epoch_ms);

enum postgres_array { POSTGRES_ARRAY_BAD, POSTGRES_ARRAY_LIST, POSTGRES_ARRAY_NESTED, POSTGRES_ARRAY_MEMORY };

/* An array of texts: its elements, packed. NESTED: it has more than one dimension, and is no list; elements is as it was. */
enum postgres_array postgres_text_array(const char *text, size_t length, struct buffer *elements);

/* ---- values that are sent ---- */

/* Writes an array: begin, elements (NULL is SQL's NULL), end. False when memory is short. */
bool postgres_array_begin(struct buffer *array);
bool postgres_array_add(struct buffer *array, const char *element, size_t length);
bool postgres_array_end(struct buffer *array);

/* Appends a value of COPY's text format (NULL is SQL's NULL); the caller writes the tabs and line ends between them. */
bool postgres_copy_value(struct buffer *rows, const char *value, size_t length);

/* Appends bytes as bytea is written, "\x…"; escaped for COPY if asked. */
bool postgres_hex(struct buffer *text, const char *bytes, size_t length, bool for_copy);

#endif
