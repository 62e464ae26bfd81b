/* The parts of Signature Version 4's canonical request.
 *
 * The rules are those of "Create a signed AWS API request" (IAM User Guide) and "Authenticating Requests: Using the
 * Authorization Header" (Amazon S3 API Reference); where these are silent, of AWS's own signers, aws-c-auth and
 * @smithy/signature-v4, on which services and clients agree. All append to buffers, which note what doesn't fit. */
#ifndef SUBMITTER_AWS_CANONICAL_H
#define SUBMITTER_AWS_CANONICAL_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/buffer.h"
#include "span.h"

struct canonical_header {
    struct span name, value;
    size_t order; /* of those with the same name */
};

struct canonical_parameter {
    size_t name_at, name_length, value_at, value_length; /* within the buffer that holds the encoded texts */
};

/* A query being collected: its parameters, decoded and encoded anew. */
struct canonical_query {
    struct buffer text;
    struct buffer parameters; /* of struct canonical_parameter */
};

/* Percent-encodes all but A-Z a-z 0-9 - . _ ~ and, in a path, "/". */
void canonical_encode(struct buffer *buffer, struct span text, bool is_path);

/* The path of a URL. normalize: without empty segments, "." and ".." (RFC 3986, 6.2.2.3, and double slashes as well);
 * encode: percent-encoded once more than it is. */
void canonical_path(struct buffer *buffer, struct span path, bool normalize, bool encode);

/* Adds the parameters of a URL's query. Returns NULL or what is wrong with it. */
const char *canonical_query_read(struct canonical_query *query, struct span text);

/* Adds one parameter, not encoded yet. */
void canonical_query_add(struct canonical_query *query, struct span name, struct span value);

/* Does a parameter have a name that belongs to a signed URL? */
bool canonical_query_is_signed(const struct canonical_query *query);

/* Sorts them by encoded name and value, and appends them. */
void canonical_query_write(struct canonical_query *query, struct buffer *buffer);

void canonical_query_clear(struct canonical_query *query);

/* Is this a header that proxies and clients may change, and that therefore isn't signed? */
bool canonical_is_unsigned(struct span name);

/* Is it a token of RFC 9110, 5.6.2, as names of headers and methods are? */
bool canonical_is_token(struct span text);

/* Visible characters, blanks and tabs, any byte above 127, and folded lines (a line feed, with or without a carriage return
 * before it, and a blank or tab behind)? */
bool canonical_is_value(struct span value);

/* A value without blanks and folds at its ends. */
struct span canonical_trim(struct span value);

/* Is it folded? */
bool canonical_is_folded(struct span value);

/* Appends a value as it may be sent: each fold is a blank (RFC 9112, 5.2). */
void canonical_unfold(struct buffer *buffer, struct span value);

/* Sorts the headers, appends "name:value\n" for each and the names, joined by ";", to names. Headers of one name are
 * one, their values joined by commas in the order in which they stood. */
void canonical_headers(struct canonical_header *headers, size_t count, struct buffer *buffer, struct buffer *names);

#endif
