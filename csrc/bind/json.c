/* submitter.core.json, see lua/meta/json.lua.
 *
 * Decoding is lua-cjson's. Its version 2.1.0 turns every number into a double and can't tell [] from {}; so the text passes
 * through a scanner first, which hands integers that a double can't hold and empty arrays to it as marked strings, and the
 * result is walked once to put integers and arrays in place. The marks bear a secret of this process: no document can
 * hold one.
 * Encoding is written here, because lua-cjson writes %.14g and keys in the order of Lua's hash, which differs between
 * processes: reports are compared, hashed and read by people. */
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../base/log.h"
#include "buffers.h"
#include "modules.h"
#include "options.h"

enum { MAXIMUM_DEPTH = 200, SECRET_LENGTH = 32 };

static const char array_type[] = "submitter.json.array";
static char secret[SECRET_LENGTH + 1];

/* ---- marks ---- */

static int mark_array(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_setmetatable(L, array_type);
    return 1;
}

/* Upvalue 1 keeps a metatable for each list of keys, weakly: a report has one list for thousands of cases. */
static int mark_ordered(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 2);
        lua_pushvalue(L, 1);
        lua_setfield(L, -2, "order");
        lua_newtable(L);
        lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
        for (lua_Integer index = 1; index <= count; index++) {
            lua_rawgeti(L, 1, index);
            lua_pushboolean(L, true);
            lua_rawset(L, -3);
        }
        lua_setfield(L, -2, "listed");
        lua_pushvalue(L, 1);
        lua_pushvalue(L, -2);
        lua_rawset(L, lua_upvalueindex(1));
    }
    lua_setmetatable(L, 2);
    return 1;
}

static bool is_marked_array(lua_State *L, int index) {
    if (!lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, array_type);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* ---- encoding ---- */

struct encoder {
    struct buffer *text;
    int indent;
    int depth;
};

static void encode_value(lua_State *L, struct encoder *encoder, int index);

static void new_line(struct encoder *encoder) {
    if (!encoder->indent)
        return;
    buffer_append_byte(encoder->text, '\n');
    for (int count = encoder->indent * encoder->depth; count > 0; count--)
        buffer_append_byte(encoder->text, ' ');
}

static void encode_number(lua_State *L, struct encoder *encoder, int index) {
    if (lua_isinteger(L, index)) {
        buffer_format(encoder->text, "%lld", (long long)lua_tointeger(L, index));
        return;
    }
    double value = lua_tonumber(L, index);
    if (!isfinite(value))
        luaL_error(L, "json.encode: JSON has no %f", value);
    char digits[40];
    snprintf(digits, sizeof digits, "%.14g", value);
    if (strtod(digits, NULL) != value)
        snprintf(digits, sizeof digits, "%.17g", value);
    buffer_append_text(encoder->text, digits);
}

static void encode_array(lua_State *L, struct encoder *encoder, int index, lua_Integer count) {
    buffer_append_byte(encoder->text, '[');
    encoder->depth++;
    for (lua_Integer at = 1; at <= count; at++) {
        if (at > 1)
            buffer_append_byte(encoder->text, ',');
        new_line(encoder);
        lua_rawgeti(L, index, at);
        encode_value(L, encoder, lua_gettop(L));
        lua_pop(L, 1);
    }
    encoder->depth--;
    if (count)
        new_line(encoder);
    buffer_append_byte(encoder->text, ']');
}

/* Writes one member; the key is on top and stays, its value is looked up in the object at index. */
static void encode_member(lua_State *L, struct encoder *encoder, int index, bool *first) {
    size_t length;
    const char *key = lua_tolstring(L, -1, &length);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, index) != LUA_TNIL) {
        if (!*first)
            buffer_append_byte(encoder->text, ',');
        *first = false;
        new_line(encoder);
        log_json_string(encoder->text, key, length);
        buffer_append_text(encoder->text, encoder->indent ? ": " : ":");
        encode_value(L, encoder, lua_gettop(L));
    }
    lua_pop(L, 1);
}

struct key {
    const char *text;
    size_t length;
};

static int compare_keys(const void *left, const void *right) {
    const struct key *a = left, *b = right;
    int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

/* Pushes the list of keys that the order (a table at listed, or 0) doesn't name, sorted by bytes. */
static void sorted_keys(lua_State *L, int index, int listed, size_t count) {
    struct key *keys = lua_newuserdatauv(L, sizeof *keys * (count + 1), 0);
    size_t found = 0;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "json.encode: a table is a list from 1 to n or has names for keys; this one has the key %s",
                       luaL_tolstring(L, -1, NULL));
        bool skip = false;
        if (listed) {
            lua_pushvalue(L, -1);
            skip = lua_rawget(L, listed) != LUA_TNIL;
            lua_pop(L, 1);
        }
        if (!skip && found < count) {
            keys[found].text = lua_tolstring(L, -1, &keys[found].length);
            found++;
        }
    }
    qsort(keys, found, sizeof *keys, compare_keys);
    lua_createtable(L, (int)found, 0);
    for (size_t at = 0; at < found; at++) {
        lua_pushlstring(L, keys[at].text, keys[at].length);
        lua_rawseti(L, -2, (lua_Integer)at + 1);
    }
    lua_remove(L, -2);
}

static void encode_members(lua_State *L, struct encoder *encoder, int index, int list, bool *first) {
    lua_Integer count = (lua_Integer)lua_rawlen(L, list);
    for (lua_Integer at = 1; at <= count; at++) {
        lua_rawgeti(L, list, at);
        encode_member(L, encoder, index, first);
        lua_pop(L, 1);
    }
}

static void encode_object(lua_State *L, struct encoder *encoder, int index, size_t count) {
    int top = lua_gettop(L);
    int order = 0, listed = 0;
    bool first = true;
    if (lua_getmetatable(L, index)) {
        int metatable = lua_gettop(L);
        lua_pushliteral(L, "order");
        if (lua_rawget(L, metatable) == LUA_TTABLE) {
            order = lua_gettop(L);
            lua_pushliteral(L, "listed");
            lua_rawget(L, metatable);
            listed = lua_gettop(L);
        }
    }
    buffer_append_byte(encoder->text, '{');
    encoder->depth++;
    if (order)
        encode_members(L, encoder, index, order, &first);
    sorted_keys(L, index, listed, count);
    encode_members(L, encoder, index, lua_gettop(L), &first);
    encoder->depth--;
    if (!first)
        new_line(encoder);
    buffer_append_byte(encoder->text, '}');
    lua_settop(L, top);
}

static void encode_table(lua_State *L, struct encoder *encoder, int index) {
    if (encoder->depth >= MAXIMUM_DEPTH)
        luaL_error(L, "json.encode: nested deeper than %d levels, or a table that holds itself", MAXIMUM_DEPTH);
    luaL_checkstack(L, 16, "json.encode");
    lua_Integer length = (lua_Integer)lua_rawlen(L, index);
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        count++;
    }
    if (is_marked_array(L, index) || (length > 0 && count == (size_t)length)) {
        if (count != (size_t)length)
            luaL_error(L, "json.encode: an array has holes, or keys besides 1 to n");
        encode_array(L, encoder, index, length);
    } else {
        encode_object(L, encoder, index, count);
    }
}

static void encode_value(lua_State *L, struct encoder *encoder, int index) {
    size_t length;
    const char *text;
    switch (lua_type(L, index)) {
    case LUA_TNIL: buffer_append_text(encoder->text, "null"); break;
    case LUA_TBOOLEAN: buffer_append_text(encoder->text, lua_toboolean(L, index) ? "true" : "false"); break;
    case LUA_TNUMBER: encode_number(L, encoder, index); break;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &length);
        log_json_string(encoder->text, text, length);
        break;
    case LUA_TTABLE: encode_table(L, encoder, index); break;
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L, index)) { /* lua-cjson's null */
            buffer_append_text(encoder->text, "null");
            break;
        }
        /* fall through */
    default: luaL_error(L, "json.encode: JSON can't hold a %s", luaL_typename(L, index));
    }
}

static int encode(lua_State *L) {
    static const char *const keys[] = { "indent", NULL };
    luaL_checkany(L, 1);
    options_check(L, 2, "json.encode", keys);
    lua_Integer indent = options_integer(L, 2, "json.encode", "indent", 0);
    luaL_argcheck(L, indent >= 0 && indent <= 16, 2, "indent is 0 to 16");
    lua_settop(L, 1);
    struct encoder encoder = { .text = buffers_new(L), .indent = (int)indent };
    encode_value(L, &encoder, 1);
    return buffers_push(L, encoder.text);
}

/* ---- decoding ---- */

static const char *skip_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

/* The end of the number that begins at `at`; *integer tells whether it has neither fraction nor exponent. */
static const char *skip_number(const char *at, const char *end, bool *integer) {
    *integer = true;
    if (at < end && *at == '-')
        at++;
    while (at < end && ((*at >= '0' && *at <= '9') || (*at && strchr(".eE+-", *at)))) {
        if (*at < '0' || *at > '9')
            *integer = false;
        at++;
    }
    return at;
}

/* Is this a number that lua-cjson would round? Its grammar is checked here, because lua-cjson sees a string in its place:
 * no leading zero, and no member's name. Longer ones than 20 characters don't fit 64 bits. */
static bool is_long_integer(const char *start, const char *after, const char *end) {
    size_t digits = (size_t)(after - start);
    if (digits <= 15 || digits > 20 || start[*start == '-'] == '0')
        return false;
    while (after < end && (*after == ' ' || *after == '\t' || *after == '\n' || *after == '\r'))
        after++;
    return after >= end || *after != ':';
}

/* Copies the text, with a marked string in place of each empty array and each long integer that fits 64 bits. */
static void mark_text(const char *source, size_t length, struct buffer *marked) {
    const char *at = source, *end = source + length;
    while (at < end) {
        const char *start = at;
        if (*at == '"') {
            at = skip_string(at, end);
            buffer_append(marked, start, (size_t)(at - start));
        } else if (*at == '-' || (*at >= '0' && *at <= '9')) {
            bool integer;
            at = skip_number(at, end, &integer);
            size_t digits = (size_t)(at - start);
            if (integer && is_long_integer(start, at, end))
                buffer_format(marked, "\"%si%.*s\"", secret, (int)digits, start);
            else
                buffer_append(marked, start, digits);
        } else if (*at == '[') {
            at++;
            while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
                at++;
            if (at < end && *at == ']') {
                at++;
                buffer_format(marked, "[\"%sa\"]", secret);
            } else {
                buffer_append(marked, start, (size_t)(at - start));
            }
        } else {
            while (at < end && *at != '"' && *at != '[' && *at != '-' && (*at < '0' || *at > '9'))
                at++;
            buffer_append(marked, start, (size_t)(at - start));
        }
    }
}

static bool is_marked(lua_State *L, int index, char kind) {
    size_t length;
    if (lua_type(L, index) != LUA_TSTRING)
        return false;
    const char *text = lua_tolstring(L, index, &length);
    return length > SECRET_LENGTH && !memcmp(text, secret, SECRET_LENGTH) && text[SECRET_LENGTH] == kind;
}

static void settle_value(lua_State *L);

/* Walks the table on top. Existing keys are assigned to while it is traversed, which lua_next allows. */
static void settle_table(lua_State *L) {
    luaL_checkstack(L, 8, "json.decode");
    int table = lua_gettop(L);
    if (lua_rawgeti(L, table, 1) != LUA_TNIL) {
        if (is_marked(L, -1, 'a')) {
            lua_pushnil(L);
            lua_rawseti(L, table, 1);
        }
        luaL_getmetatable(L, array_type);
        lua_setmetatable(L, table);
    }
    lua_pop(L, 1);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        int type = lua_type(L, -1);
        if (type == LUA_TTABLE) {
            settle_table(L);
        } else if (type == LUA_TNUMBER || type == LUA_TSTRING) {
            settle_value(L);
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, table);
        }
        lua_pop(L, 1);
    }
}

/* Replaces the value on top by what it stands for. */
static void settle_value(lua_State *L) {
    if (lua_type(L, -1) == LUA_TTABLE) {
        settle_table(L);
    } else if (lua_type(L, -1) == LUA_TNUMBER && !lua_isinteger(L, -1)) {
        lua_Number value = lua_tonumber(L, -1);
        lua_Integer integer;
        /* 2^53: up to there a double is the integer that was written. */
        if (fabs(value) <= 9007199254740992.0 && lua_numbertointeger(value, &integer) && (lua_Number)integer == value) {
            lua_pop(L, 1);
            lua_pushinteger(L, integer);
        }
    } else if (is_marked(L, -1, 'i')) {
        /* lua_stringtonumber gives a float when 64 bits can't hold it. */
        const char *digits = lua_tostring(L, -1) + SECRET_LENGTH + 1;
        if (!lua_stringtonumber(L, digits))
            luaL_error(L, "json.decode: %s is no number", digits);
        lua_remove(L, -2);
    }
}

/* nil, the message on top, "json". */
static int push_broken(lua_State *L) {
    lua_pushnil(L);
    lua_insert(L, -2);
    lua_pushliteral(L, "json");
    return 3;
}

/* Upvalue 1: lua-cjson's decode. */
static int decode(lua_State *L) {
    size_t length;
    const char *source = luaL_checklstring(L, 1, &length);
    lua_settop(L, 1);
    const char *nul = memchr(source, '\0', length);
    if (nul) { /* lua-cjson takes it for the end of the text */
        lua_pushfstring(L, "there is a NUL byte at character %I", (lua_Integer)(nul - source) + 1);
        return push_broken(L);
    }
    struct buffer *marked = buffers_new(L);
    mark_text(source, length, marked);
    lua_pushvalue(L, lua_upvalueindex(1));
    buffers_push(L, marked);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        /* Once more without marks: the position in the message is to be that in the text as it was given. */
        lua_pushvalue(L, lua_upvalueindex(1));
        lua_pushvalue(L, 1);
        if (lua_pcall(L, 1, 1, 0) == LUA_OK)
            lua_pop(L, 1);
        return push_broken(L);
    }
    settle_value(L);
    return 1;
}

/* ---- the module ---- */

static void make_secret(lua_State *L) {
    unsigned char bytes[SECRET_LENGTH / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        luaL_error(L, "getrandom fails on this machine");
    for (size_t index = 0; index < sizeof bytes; index++)
        snprintf(secret + 2 * index, 3, "%02x", bytes[index]);
}

/* A configuration of lua-cjson's own for us: what another user of it sets doesn't matter. */
static void push_cjson(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cjson");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "new");
    lua_call(L, 0, 1);
    lua_remove(L, -2);
    lua_getfield(L, -1, "decode_invalid_numbers"); /* RFC 8259 knows neither NaN nor hexadecimal */
    lua_pushboolean(L, false);
    lua_call(L, 1, 0);
}

int json_open(lua_State *L) {
    make_secret(L);
    luaL_newmetatable(L, array_type);
    lua_pop(L, 1);
    lua_newtable(L);

    push_cjson(L);
    lua_getfield(L, -1, "null");
    lua_setfield(L, -3, "null");
    lua_getfield(L, -1, "decode");
    lua_pushcclosure(L, decode, 1);
    lua_setfield(L, -3, "decode");
    lua_pop(L, 1);

    lua_pushcfunction(L, encode);
    lua_setfield(L, -2, "encode");
    lua_pushcfunction(L, mark_array);
    lua_setfield(L, -2, "array");
    lua_newtable(L); /* ephemeron: list of keys → metatable */
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushcclosure(L, mark_ordered, 1);
    lua_setfield(L, -2, "ordered");
    return 1;
}
