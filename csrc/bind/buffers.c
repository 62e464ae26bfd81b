#include "buffers.h"

#include <lauxlib.h>
#include <string.h>

static int collect(lua_State *L) {
    buffer_clear(lua_touserdata(L, 1));
    return 0;
}

struct buffer *buffers_new(lua_State *L) {
    struct buffer *buffer = lua_newuserdatauv(L, sizeof *buffer, 0);
    memset(buffer, 0, sizeof *buffer);
    if (luaL_newmetatable(L, "submitter.buffer")) {
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return buffer;
}

int buffers_push(lua_State *L, struct buffer *buffer) {
    if (buffer->failed)
        return luaL_error(L, "out of memory");
    lua_pushlstring(L, buffer->data ? buffer->data : "", buffer->length);
    buffer_clear(buffer);
    return 1;
}
