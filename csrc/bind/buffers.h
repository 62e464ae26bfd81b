/* Buffers that Lua's collector owns: a Lua error may pass over the function that fills one. */
#ifndef SUBMITTER_BIND_BUFFERS_H
#define SUBMITTER_BIND_BUFFERS_H

#include <lua.h>

#include "../base/buffer.h"

/* Pushes a userdata that holds an empty buffer. */
struct buffer *buffers_new(lua_State *L);

/* Pushes the buffer's content as a string and frees the buffer at once. Throws if an append had failed. Returns 1. */
int buffers_push(lua_State *L, struct buffer *buffer);

#endif
