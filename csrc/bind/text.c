/* submitter.core.text, see lua/meta/text.lua. */
#include "../io/text.h"

#include <lauxlib.h>
#include <string.h>

#include "../base/log.h"
#include "buffers.h"
#include "modules.h"
#include "options.h"

static int words(lua_State *L) {
    size_t length, count, position = 0;
    const char *line = luaL_checklstring(L, 1, &length);
    struct buffer *buffer = buffers_new(L);
    switch (text_words(line, length, buffer, &count, &position)) {
    case TEXT_WORDS_OK: break;
    case TEXT_WORDS_QUOTE:
        buffer_clear(buffer);
        lua_pushnil(L);
        lua_pushfstring(L, "the quote %s at character %I is not ended", line[position] == '"' ? "\"" : "'",
                        (lua_Integer)position + 1);
        lua_pushliteral(L, "quote");
        return 3;
    case TEXT_WORDS_NUL:
        buffer_clear(buffer);
        lua_pushnil(L);
        lua_pushfstring(L, "there is a NUL byte at character %I, which no argument can hold",
                        (lua_Integer)position + 1);
        lua_pushliteral(L, "nul");
        return 3;
    case TEXT_WORDS_MEMORY: return luaL_error(L, "out of memory");
    }
    lua_createtable(L, count < 100000 ? (int)count : 0, 0);
    const char *at = buffer->data;
    for (size_t index = 1; index <= count; index++) {
        size_t size = strlen(at);
        lua_pushlstring(L, at, size);
        lua_rawseti(L, -2, (lua_Integer)index);
        at += size + 1;
    }
    buffer_clear(buffer);
    return 1;
}

static int repair(lua_State *L) {
    size_t length;
    const char *bytes = luaL_checklstring(L, 1, &length);
    struct buffer *buffer = buffers_new(L);
    size_t count = text_repair(bytes, length, buffer);
    if (!count) { /* as it was, not copied */
        buffer_clear(buffer);
        lua_pushvalue(L, 1);
    } else {
        buffers_push(L, buffer);
    }
    lua_pushinteger(L, (lua_Integer)count);
    return 2;
}

static int csv_row(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct buffer *buffer = buffers_new(L);
    lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
    for (lua_Integer index = 1; index <= count; index++) {
        lua_rawgeti(L, 1, index);
        size_t length;
        const char *field = lua_tolstring(L, -1, &length);
        if (!field)
            return luaL_error(L, "text.csv_row(fields): field %I is a string or a number, not a %s", index,
                              luaL_typename(L, -1));
        if (index > 1)
            buffer_append_byte(buffer, ',');
        text_csv_field(field, length, buffer);
        lua_pop(L, 1);
    }
    buffer_append_text(buffer, "\r\n");
    return buffers_push(L, buffer);
}

static int trim_sides(lua_State *L, bool start) {
    size_t length;
    const char *bytes = luaL_checklstring(L, 1, &length);
    size_t before = length;
    if (start)
        text_trim_start(&bytes, &length);
    text_trim_end(bytes, &length);
    if (length == before) /* as it was, not copied */
        lua_settop(L, 1);
    else
        lua_pushlstring(L, bytes, length);
    return 1;
}

static int trim(lua_State *L) {
    return trim_sides(L, true);
}

static int trim_end(lua_State *L) {
    return trim_sides(L, false);
}

static int equal_trimmed(lua_State *L) {
    size_t actual_length, expected_length;
    const char *actual = luaL_checklstring(L, 1, &actual_length);
    const char *expected = luaL_checklstring(L, 2, &expected_length);
    lua_pushboolean(L, text_equal_trimmed(actual, actual_length, expected, expected_length));
    return 1;
}

static int escape(lua_State *L) {
    static const char *const keys[] = { "keep_newlines", NULL };
    size_t length;
    const char *bytes = luaL_checklstring(L, 1, &length);
    options_check(L, 2, "text.escape", keys);
    bool keep_newlines = options_boolean(L, 2, "text.escape", "keep_newlines", false);
    struct buffer *buffer = buffers_new(L);
    log_printable(buffer, bytes, length, keep_newlines);
    return buffers_push(L, buffer);
}

static int width(lua_State *L) {
    size_t length;
    const char *bytes = luaL_checklstring(L, 1, &length);
    lua_pushinteger(L, (lua_Integer)text_width(bytes, length));
    return 1;
}

static const luaL_Reg functions[] = {
    { "words", words },   { "repair", repair },     { "csv_row", csv_row },
    { "trim", trim },     { "trim_end", trim_end }, { "equal_trimmed", equal_trimmed },
    { "escape", escape }, { "width", width },       { NULL, NULL },
};

int text_open(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
