/* submitter.core.log, see lua/meta/log.lua. */
#include "../base/log.h"

#include <lauxlib.h>
#include <string.h>

#include "modules.h"
#include "options.h"

static const char *const formats[] = { "auto", "json", "human", NULL };
static const char *const levels[] = { "debug", "info", "warn", "error", NULL };

static int choose(lua_State *L, const char *key, const char *const *names, int otherwise) {
    const char *text = options_text(L, 1, "log.configure", key, NULL);
    if (!text)
        return otherwise;
    for (int index = 0; names[index]; index++)
        if (!strcmp(names[index], text))
            return index;
    return luaL_error(L, "log.configure: %s \"%s\" is unknown", key, text);
}

static int configure(lua_State *L) {
    static const char *const keys[] = { "format", "level", NULL };
    options_check(L, 1, "log.configure", keys);
    int format = choose(L, "format", formats, LOG_AUTO);
    int level = choose(L, "level", levels, LOG_INFO);
    log_configure((enum log_format)format, (enum log_level)level);
    return 0;
}

/* Sorts the keys of the table at index 2 into a new list on top, so that lines of one event look alike. */
static int sorted_keys(lua_State *L) {
    int count = 0;
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            return luaL_error(L, "log: names of fields are strings, not a %s", luaL_typename(L, -1));
        /* Insertion: a line has a handful of fields. */
        int at = ++count;
        for (; at > 1; at--) {
            lua_rawgeti(L, -2, at - 1);
            bool before = lua_compare(L, -2, -1, LUA_OPLT);
            if (!before) {
                lua_pop(L, 1);
                break;
            }
            lua_rawseti(L, -3, at);
        }
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, at);
    }
    return count;
}

static void add_field(lua_State *L, struct log_line *line, const char *name) {
    size_t length;
    const char *text;
    switch (lua_type(L, -1)) {
    case LUA_TNUMBER:
        if (lua_isinteger(L, -1))
            log_integer(line, name, lua_tointeger(L, -1));
        else
            log_number(line, name, lua_tonumber(L, -1));
        break;
    case LUA_TBOOLEAN: log_boolean(line, name, lua_toboolean(L, -1)); break;
    case LUA_TSTRING:
        text = lua_tolstring(L, -1, &length);
        log_text(line, name, text, length);
        break;
    default: /* a log line is never the reason for a failure */
        text = lua_typename(L, lua_type(L, -1));
        log_text(line, name, text, strlen(text));
    }
}

static int write_line(lua_State *L, enum log_level level) {
    const char *event = luaL_checkstring(L, 1);
    bool fields = !lua_isnoneornil(L, 2);
    if (fields)
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    int count = fields ? sorted_keys(L) : 0;
    struct log_line line;
    if (!log_begin(&line, level, event))
        return 0;
    for (int index = 1; index <= count; index++) {
        lua_rawgeti(L, 3, index);
        lua_pushvalue(L, -1);
        lua_rawget(L, 2);
        add_field(L, &line, lua_tostring(L, -2));
        lua_pop(L, 2);
    }
    log_end(&line);
    return 0;
}

static int debug_line(lua_State *L) {
    return write_line(L, LOG_DEBUG);
}

static int info_line(lua_State *L) {
    return write_line(L, LOG_INFO);
}

static int warn_line(lua_State *L) {
    return write_line(L, LOG_WARN);
}

static int error_line(lua_State *L) {
    return write_line(L, LOG_ERROR);
}

static const luaL_Reg functions[] = {
    { "configure", configure }, { "debug", debug_line }, { "info", info_line },
    { "warn", warn_line },      { "error", error_line }, { NULL, NULL },
};

int log_open(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
