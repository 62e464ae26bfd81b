/* The header fields of an HTTP answer, from the lines as they come: RFC 9112, sections 4 and 5. */
#ifndef SUBMITTER_IO_HTTP_FIELDS_H
#define SUBMITTER_IO_HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/buffer.h"

struct http_fields {
    struct buffer text; /* name NUL value NUL, one after the other; names in lower case */
    size_t count;       /* fields in text */
    size_t taken_bytes; /* of all lines so far, also of answers that weren't the last (100, 103) */
    bool complete;      /* the empty line came */
    bool last;          /* set by the user: this is the answer itself, so lines after the empty one are trailers */
};

enum {
    /* All lines together: more than any server sends, little enough to hold. */
    HTTP_FIELDS_LIMIT_BYTES = 256 << 10
};

/* Takes the next line, with its line end or without. A status line, at first and after the empty line, begins anew; other lines
 * after the empty one (trailers) are left out. False when the lines together are longer than the limit, or without memory. */
bool http_fields_take(struct http_fields *fields, const char *line, size_t length);

/* One field after the other: *place is 0 at first and is moved on. False at the end. */
bool http_fields_next(const struct http_fields *fields, size_t *place, const char **name, const char **value,
                      size_t *value_length);

void http_fields_clear(struct http_fields *fields);

#endif
