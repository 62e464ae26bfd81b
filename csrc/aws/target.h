/* Where a request goes: a URL taken apart, nothing decoded. */
#ifndef SUBMITTER_AWS_TARGET_H
#define SUBMITTER_AWS_TARGET_H

#include <stdbool.h>

#include "span.h"

struct target {
    struct span host;  /* for the Host header: with the port, unless it is the scheme's own */
    struct span path;  /* from its first "/"; may be empty */
    struct span query; /* behind the "?" */
    bool has_query;    /* there is a "?" */
};

/* Takes http://HOST[:PORT][/PATH][?QUERY] apart, or https. A raw target is one that isn't percent-encoded yet: spaces, UTF-8
 * and "#" stand for themselves. Any other must be as it goes on the wire (RFC 3986): a fragment isn't sent, so none is taken.
 * Returns NULL or what is wrong; target is untouched then. */
const char *target_parse(struct span url, bool raw, struct target *target);

#endif
