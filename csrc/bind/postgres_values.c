#include "postgres_values.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../io/postgres_text.h"
#include "buffers.h"

/* ---- values to be sent ---- */

static const char *name_place(lua_State *L, const struct postgres_place *place) {
    if (place->row)
        return lua_pushfstring(L, "row %I, column %I", place->row, place->column);
    return lua_pushfstring(L, "parameter %I", place->column);
}

static bool is_null(lua_State *L, int index) {
    return lua_islightuserdata(L, index) && !lua_touserdata(L, index);
}

bool postgres_values_bytea(lua_State *L, int index) {
    if (!lua_istable(L, index) || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, POSTGRES_BYTEA_TYPE);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* A number or a boolean as PostgreSQL reads it; NULL for what is neither. */
static const char *scalar_text(lua_State *L, int index, char text[64]) {
    if (lua_isboolean(L, index))
        return lua_toboolean(L, index) ? "true" : "false";
    if (lua_type(L, index) != LUA_TNUMBER)
        return NULL;
    double number = lua_tonumber(L, index);
    if (lua_isinteger(L, index))
        snprintf(text, 64, "%lld", (long long)lua_tointeger(L, index));
    else if (isnan(number))
        return "NaN";
    else if (isinf(number))
        return number > 0 ? "Infinity" : "-Infinity";
    else
        snprintf(text, 64, "%.17g", number);
    return text;
}

/* An append that failed: is it because of the limit? */
static enum postgres_value refuse(lua_State *L, const struct buffer *into, size_t length) {
    if (into->length + length + POSTGRES_PACK_BYTES <= into->limit)
        luaL_error(L, "out of memory");
    return VALUE_LARGE;
}

/* The list at index as an array of PostgreSQL's, in a buffer that is pushed. */
static enum postgres_value list_text(lua_State *L, int index, const struct postgres_place *place,
                                     struct buffer **array) {
    lua_Integer count = (lua_Integer)lua_rawlen(L, index);
    *array = buffers_new(L);
    (*array)->limit = POSTGRES_PARAMETERS_BYTES;
    bool good = postgres_array_begin(*array);
    for (lua_Integer at = 1; good && at <= count; at++) {
        size_t length = 0;
        const char *text = NULL;
        if (lua_rawgeti(L, index, at) == LUA_TSTRING)
            text = lua_tolstring(L, -1, &length);
        else if (!is_null(L, -1))
            luaL_error(L, "%s: %s is a list, whose elements are strings and postgres.null; element %I is a %s",
                       place->function, name_place(L, place), at, luaL_typename(L, -1));
        if (text && memchr(text, '\0', length))
            return VALUE_NUL;
        good = postgres_array_add(*array, text, length);
        lua_pop(L, 1);
    }
    return good && postgres_array_end(*array) ? VALUE_GOOD : VALUE_LARGE;
}

static int expected(lua_State *L, int index, const struct postgres_place *place) {
    return luaL_error(L, "%s: %s is a string, a number, a boolean, postgres.null, postgres.bytea(...)%s, not a %s%s",
                      place->function, name_place(L, place), place->row ? "" : " or a list of strings",
                      luaL_typename(L, index), lua_isnil(L, index) ? " (SQL's NULL is postgres.null)" : "");
}

enum postgres_value postgres_values_pack(lua_State *L, const struct postgres_place *place, struct buffer *packed,
                                         bool *bytes) {
    int index = lua_gettop(L);
    char number[64];
    size_t length = 0;
    const char *text = scalar_text(L, index, number);
    struct buffer *array = NULL;
    *bytes = false;
    if (text) {
        length = strlen(text);
    } else if (lua_type(L, index) == LUA_TSTRING) {
        text = lua_tolstring(L, index, &length);
        if (memchr(text, '\0', length))
            return VALUE_NUL;
    } else if (postgres_values_bytea(L, index)) {
        lua_getfield(L, index, "bytes");
        text = luaL_checklstring(L, -1, &length);
        *bytes = true;
    } else if (lua_istable(L, index)) {
        enum postgres_value status = list_text(L, index, place, &array);
        if (status != VALUE_GOOD)
            return status;
        text = array->data;
        length = array->length;
    } else if (!is_null(L, index)) {
        expected(L, index, place);
    }
    if (!postgres_pack(packed, text, length))
        return refuse(L, packed, length);
    if (array)
        buffer_clear(array);
    return VALUE_GOOD;
}

enum postgres_value postgres_values_copy(lua_State *L, const struct postgres_place *place, struct buffer *rows,
                                         char after) {
    int index = lua_gettop(L);
    char number[64];
    size_t length = 0;
    bool good;
    const char *text = scalar_text(L, index, number);
    if (text) {
        good = buffer_append_text(rows, text);
    } else if (lua_type(L, index) == LUA_TSTRING) {
        text = lua_tolstring(L, index, &length);
        if (memchr(text, '\0', length))
            return VALUE_NUL;
        good = postgres_copy_value(rows, text, length);
    } else if (postgres_values_bytea(L, index)) {
        lua_getfield(L, index, "bytes");
        text = luaL_checklstring(L, -1, &length);
        good = postgres_hex(rows, text, length, true);
    } else if (is_null(L, index)) {
        good = postgres_copy_value(rows, NULL, 0);
    } else {
        return (enum postgres_value)expected(L, index, place);
    }
    good = good && buffer_append_byte(rows, after);
    return good ? VALUE_GOOD : refuse(L, rows, 2 * length + 64);
}

void postgres_values_unsent(lua_State *L) {
    lua_createtable(L, 0, 1);
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "sent");
}

int postgres_values_refused(lua_State *L, const struct postgres_place *place, enum postgres_value status) {
    const char *name = name_place(L, place);
    lua_pushnil(L);
    if (status == VALUE_NUL) {
        lua_pushfstring(
            L, "%s holds a NUL byte, which PostgreSQL's text can't: replace it, or send postgres.bytea(...)", name);
        lua_pushliteral(L, "invalid");
    } else {
        lua_pushfstring(L, "the values up to %s are larger than one statement may bring: send them in pieces", name);
        lua_pushliteral(L, "too_large");
    }
    postgres_values_unsent(L);
    return 4;
}

/* ---- results ---- */

/* Of pg_type.dat: these never change. */
enum type {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_OID = 26,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_NAME_ARRAY = 1003,
    TYPE_TEXT_ARRAY = 1009,
    TYPE_VARCHAR_ARRAY = 1015,
    TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184,
};

void postgres_values_null(lua_State *L) {
    lua_pushlightuserdata(L, NULL);
}

static bool push_time(lua_State *L, const char *text, size_t length) {
    int64_t epoch_ms;
    switch (postgres_text_time(text, length, &epoch_ms)) {
    case POSTGRES_TIME_FINITE: lua_pushinteger(L, epoch_ms); return true;
    case POSTGRES_TIME_EARLIEST: lua_pushnumber(L, -HUGE_VAL); return true;
    case POSTGRES_TIME_LATEST: lua_pushnumber(L, HUGE_VAL); return true;
    default: return false;
    }
}

static bool push_list(lua_State *L, const char *text, size_t length, struct buffer *scratch) {
    const char *element;
    size_t place = 0, element_length;
    lua_Integer count = 0;
    scratch->length = 0;
    switch (postgres_text_array(text, length, scratch)) {
    case POSTGRES_ARRAY_NESTED: lua_pushlstring(L, text, length); return true; /* no list */
    case POSTGRES_ARRAY_MEMORY: return luaL_error(L, "out of memory");
    case POSTGRES_ARRAY_BAD: return false;
    case POSTGRES_ARRAY_LIST: break;
    }
    lua_newtable(L);
    while (postgres_unpack(scratch, &place, &element, &element_length)) {
        if (element)
            lua_pushlstring(L, element, element_length);
        else
            postgres_values_null(L);
        lua_rawseti(L, -2, ++count);
    }
    return true;
}

static bool push_bytes(lua_State *L, const char *text, size_t length, struct buffer *scratch) {
    scratch->length = 0;
    if (!postgres_text_bytes(text, length, scratch)) {
        if (scratch->failed)
            luaL_error(L, "out of memory");
        return false;
    }
    lua_pushlstring(L, scratch->data ? scratch->data : "", scratch->length);
    return true;
}

/* Pushes a value that isn't NULL; false, and nothing is pushed, when it can't be read as its type. */
static bool push_value(lua_State *L, uint32_t type, const char *text, size_t length, struct buffer *scratch) {
    int64_t integer;
    double number;
    switch (type) {
    case TYPE_BOOL: lua_pushboolean(L, *text == 't'); return true;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_OID:
        if (!postgres_text_integer(text, length, &integer))
            return false;
        lua_pushinteger(L, integer);
        return true;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        if (!postgres_text_float(text, length, &number))
            return false;
        lua_pushnumber(L, number);
        return true;
    case TYPE_BYTEA: return push_bytes(L, text, length, scratch);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return push_time(L, text, length);
    case TYPE_NAME_ARRAY:
    case TYPE_TEXT_ARRAY:
    case TYPE_VARCHAR_ARRAY: return push_list(L, text, length, scratch);
    default: lua_pushlstring(L, text, length); return true;
    }
}

/* Pushes the list of names; and each of them, for who fills the rows. */
static int push_names(lua_State *L, const struct postgres_outcome *outcome) {
    const char *name;
    size_t place = 0, length;
    luaL_checkstack(L, (int)outcome->column_count + 20, "too many columns");
    lua_createtable(L, (int)outcome->column_count, 0);
    int list = lua_gettop(L);
    for (lua_Integer column = 1; postgres_unpack(&outcome->names, &place, &name, &length); column++) {
        lua_pushlstring(L, name, length);
        lua_pushvalue(L, -1);
        lua_rawseti(L, list, column);
    }
    return list;
}

/* Pushes the rows, whose columns' names stand from index first on. Otherwise returns the column that can't be read. */
static bool push_rows(lua_State *L, const struct postgres_outcome *outcome, int first, size_t *unreadable) {
    const char *value;
    size_t place = 0, length;
    struct buffer *scratch = buffers_new(L);
    lua_createtable(L, (int)outcome->row_count, 0);
    for (size_t row = 0; row < outcome->row_count; row++) {
        lua_createtable(L, 0, (int)outcome->column_count);
        for (size_t column = 0; column < outcome->column_count; column++) {
            if (!postgres_unpack(&outcome->cells, &place, &value, &length))
                continue;
            lua_pushvalue(L, first + (int)column);
            if (!value) /* takes away what another column of this name left */
                lua_pushnil(L);
            else if (!push_value(L, outcome->types[column], value, length, scratch)) {
                *unreadable = column;
                return false;
            }
            lua_rawset(L, -3);
        }
        lua_rawseti(L, -2, (lua_Integer)row + 1);
    }
    return true;
}

int postgres_values_result(lua_State *L, const struct postgres_outcome *outcome) {
    size_t unreadable = 0;
    int names = push_names(L, outcome);
    if (!push_rows(L, outcome, names + 1, &unreadable)) {
        const char *name = lua_tostring(L, names + 1 + (int)unreadable);
        lua_pushnil(L);
        lua_pushfstring(L, "column %s can't be read: DateStyle must be ISO and bytea_output hex, as they are at first",
                        name);
        lua_pushliteral(L, "invalid");
        return 3;
    }
    lua_createtable(L, 0, 3);
    lua_insert(L, -2);
    lua_setfield(L, -2, "rows");
    lua_pushvalue(L, names);
    lua_setfield(L, -2, "columns");
    lua_pushinteger(L, outcome->affected >= 0 ? outcome->affected : (lua_Integer)outcome->row_count);
    lua_setfield(L, -2, "count");
    return 1;
}
