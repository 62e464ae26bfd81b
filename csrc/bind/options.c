#include "options.h"

#include <lauxlib.h>
#include <string.h>

bool options_check(lua_State *L, int index, const char *function, const char *const *keys) {
    if (lua_isnoneornil(L, index))
        return false;
    if (!lua_istable(L, index))
        luaL_error(L, "%s: options are a table, not a %s", function, luaL_typename(L, index));
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        const char *const *key = keys;
        const char *found = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        while (*key && (!found || strcmp(*key, found)))
            key++;
        if (!*key)
            luaL_error(L, "%s: unknown option \"%s\"", function, luaL_tolstring(L, -1, NULL));
    }
    return true;
}

static bool get(lua_State *L, int index, const char *key) {
    if (!lua_istable(L, index))
        return false;
    if (lua_getfield(L, index, key) != LUA_TNIL)
        return true;
    lua_pop(L, 1);
    return false;
}

static void expect(lua_State *L, const char *function, const char *key, const char *type) {
    luaL_error(L, "%s: option %s is %s, not a %s", function, key, type, luaL_typename(L, -1));
}

bool options_boolean(lua_State *L, int index, const char *function, const char *key, bool otherwise) {
    if (!get(L, index, key))
        return otherwise;
    if (!lua_isboolean(L, -1))
        expect(L, function, key, "true or false");
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

lua_Integer options_integer(lua_State *L, int index, const char *function, const char *key, lua_Integer otherwise) {
    if (!get(L, index, key))
        return otherwise;
    int is_integer;
    lua_Integer value = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || lua_type(L, -1) != LUA_TNUMBER)
        expect(L, function, key, "an integer");
    lua_pop(L, 1);
    return value;
}

lua_Integer options_milliseconds(lua_State *L, int index, const char *function, const char *key, lua_Integer otherwise,
                                 lua_Integer longest) {
    lua_Integer value = options_integer(L, index, function, key, otherwise);
    if (value <= 0 || value > longest)
        luaL_error(L, "%s: %s is milliseconds, 1 to %I", function, key, longest);
    return value;
}

const char *options_text(lua_State *L, int index, const char *function, const char *key, size_t *length) {
    if (!get(L, index, key))
        return NULL;
    if (lua_type(L, -1) != LUA_TSTRING)
        expect(L, function, key, "a string");
    const char *value = lua_tolstring(L, -1, length);
    lua_pop(L, 1);
    return value;
}

void options_keep(lua_State *L, int index) {
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_replace(L, index);
}
