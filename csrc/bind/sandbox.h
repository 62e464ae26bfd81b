/* What the two files of submitter.core.sandbox share: the Sandbox itself, and how its amounts and errors cross to Lua. */
#ifndef SUBMITTER_BIND_SANDBOX_H
#define SUBMITTER_BIND_SANDBOX_H

#include <lua.h>
#include <stdbool.h>

#include "../io/session.h"

#define SANDBOX_TYPE "submitter.sandbox"

/* Shared by the userdata and by the operations on it. */
struct sandbox {
    struct session *session;
    struct protocol_limits limits; /* the largest */
    struct protocol_limits submission_limits;
    char *interpreter; /* NULL: the runner's own */
    bool attached;     /* to a container */
    bool build_begun, submitted, busy, closed;
    unsigned holders;
};

/* One holder fewer; the last one frees it. NULL is allowed. */
void sandbox_release(struct sandbox *sandbox);

/* The table of limits at index; throws, naming the function, when one is missing or out of bounds. */
struct protocol_limits sandbox_read_limits(lua_State *L, int index, const char *function);

/* Pushes nil, message, code. Returns 3. */
int sandbox_push_error(lua_State *L, const struct session_error *error);

/* The module's functions of these names. */
int sandbox_start(lua_State *L);
int sandbox_attach(lua_State *L);

#endif
