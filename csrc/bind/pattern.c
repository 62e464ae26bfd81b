/* submitter.core.pattern, see lua/meta/pattern.lua: string.find, match, gmatch and gsub with a budget. */
#include "../io/pattern.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "buffers.h"
#include "modules.h"

/* Steps left until the next pattern.budget: one account for all calls, as the code that is to be bounded can make many. */
static uint64_t steps_left;

static int set_budget(lua_State *L) {
    lua_Integer steps = luaL_checkinteger(L, 1);
    luaL_argcheck(L, steps >= 0, 1, "a number of steps");
    steps_left = (uint64_t)steps;
    return 0;
}

static void start(lua_State *L, struct pattern_state *state, int source_index, int pattern_index, bool *anchored) {
    size_t source_length, pattern_length;
    const char *source = luaL_checklstring(L, source_index, &source_length);
    const char *pattern = luaL_checklstring(L, pattern_index, &pattern_length);
    *anchored = pattern_length && *pattern == '^';
    pattern_start(state, source, source_length, pattern + *anchored, pattern_length - *anchored, steps_left);
}

static const char *match_at(lua_State *L, struct pattern_state *state, const char *at) {
    const char *end = pattern_match(state, at);
    steps_left = state->steps;
    if (state->error)
        luaL_error(L, "%s", state->error);
    return end;
}

/* Pushes a capture; without any, the whole match is the first. */
static void push_capture(lua_State *L, const struct pattern_state *state, int level, const char *from, const char *to) {
    if (level >= state->level) {
        if (level > 0)
            luaL_error(L, "invalid capture index %%%d", level + 1);
        lua_pushlstring(L, from, (size_t)(to - from));
    } else if (state->captures[level].length == PATTERN_OPEN) {
        luaL_error(L, "unfinished capture");
    } else if (state->captures[level].length == PATTERN_POSITION) {
        lua_pushinteger(L, state->captures[level].start - state->source + 1);
    } else {
        lua_pushlstring(L, state->captures[level].start, (size_t)state->captures[level].length);
    }
}

static int push_captures(lua_State *L, const struct pattern_state *state, const char *from, const char *to,
                         bool whole) {
    int count = state->level == 0 && whole ? 1 : state->level;
    luaL_checkstack(L, count, "too many captures");
    for (int level = 0; level < count; level++)
        push_capture(L, state, level, from, to);
    return count;
}

/* A position as string.find takes it, from 0; beyond the end it is more than length. */
static size_t first_position(lua_State *L, int index, size_t length) {
    lua_Integer position = luaL_optinteger(L, index, 1);
    if (position > 0)
        return (size_t)position - 1;
    if (position == 0 || position < -(lua_Integer)length)
        return 0;
    return length - (size_t)-position;
}

/* A pattern without any of these is a plain text for find; a lone ")" is, in Lua as well. */
static bool is_plain(const struct pattern_state *state, bool anchored) {
    static const char specials[] = "^$*+?.([%-";
    if (anchored)
        return false;
    for (const char *at = state->pattern; at < state->pattern_end; at++)
        if (*at && strchr(specials, *at))
            return false;
    return true;
}

/* find (want_positions) and match. */
static int search(lua_State *L, bool want_positions) {
    struct pattern_state state;
    bool anchored;
    start(L, &state, 1, 2, &anchored);
    size_t length = (size_t)(state.source_end - state.source);
    size_t first = first_position(L, 3, length);
    if (first > length) {
        luaL_pushfail(L);
        return 1;
    }
    if (want_positions && (lua_toboolean(L, 4) || is_plain(&state, anchored))) {
        size_t wanted_length;
        const char *wanted = luaL_checklstring(L, 2, &wanted_length);
        const char *found = memmem(state.source + first, length - first, wanted, wanted_length);
        if (!found) {
            luaL_pushfail(L);
            return 1;
        }
        lua_pushinteger(L, found - state.source + 1);
        lua_pushinteger(L, found - state.source + (lua_Integer)wanted_length);
        return 2;
    }
    const char *at = state.source + first;
    do {
        const char *end = match_at(L, &state, at);
        if (!end)
            continue;
        if (!want_positions)
            return push_captures(L, &state, at, end, true);
        lua_pushinteger(L, at - state.source + 1);
        lua_pushinteger(L, end - state.source);
        return 2 + push_captures(L, &state, at, end, false);
    } while (at++ < state.source_end && !anchored);
    luaL_pushfail(L);
    return 1;
}

static int find(lua_State *L) {
    return search(L, true);
}

static int match(lua_State *L) {
    return search(L, false);
}

/* Upvalues: text, pattern, where to go on (from 0), where the last match ended (-1: nowhere). */
static int gmatch_next(lua_State *L) {
    struct pattern_state state;
    size_t source_length, pattern_length;
    const char *source = lua_tolstring(L, lua_upvalueindex(1), &source_length);
    const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &pattern_length);
    lua_Integer next = lua_tointeger(L, lua_upvalueindex(3)), last = lua_tointeger(L, lua_upvalueindex(4));
    pattern_start(&state, source, source_length, pattern, pattern_length, steps_left);
    for (const char *at = source + next; at <= state.source_end; at++) {
        const char *end = match_at(L, &state, at);
        if (!end || end - source == last)
            continue;
        lua_pushinteger(L, end - source);
        lua_copy(L, -1, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return push_captures(L, &state, at, end, true);
    }
    return 0;
}

static int gmatch(lua_State *L) {
    size_t length;
    luaL_checklstring(L, 1, &length);
    luaL_checkstring(L, 2);
    size_t first = first_position(L, 3, length);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)(first > length ? length + 1 : first));
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

/* ---- gsub ---- */

static void add_text(lua_State *L, const struct pattern_state *state, struct buffer *result, const char *from,
                     const char *to) {
    size_t length;
    const char *text = lua_tolstring(L, 3, &length);
    for (const char *at = text, *end = text + length; at < end; at++) {
        if (*at != '%') {
            buffer_append_byte(result, *at);
        } else if (++at < end && *at == '%') {
            buffer_append_byte(result, '%');
        } else if (at < end && *at == '0') {
            buffer_append(result, from, (size_t)(to - from));
        } else if (at < end && *at >= '1' && *at <= '9') {
            size_t capture_length;
            push_capture(L, state, *at - '1', from, to);
            const char *capture = luaL_tolstring(L, -1, &capture_length);
            buffer_append(result, capture, capture_length);
            lua_pop(L, 2);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string");
        }
    }
}

/* Appends what the table or function at index 3 gives for a match; the match itself if that is false or nil. */
static void add_value(lua_State *L, const struct pattern_state *state, struct buffer *result, const char *from,
                      const char *to) {
    if (lua_isfunction(L, 3)) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(L, state, from, to, true), 1);
    } else {
        push_capture(L, state, 0, from, to);
        lua_gettable(L, 3);
    }
    if (!lua_toboolean(L, -1)) {
        buffer_append(result, from, (size_t)(to - from));
    } else if (lua_isstring(L, -1)) {
        size_t length;
        const char *text = lua_tolstring(L, -1, &length);
        buffer_append(result, text, length);
    } else {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    lua_pop(L, 1);
}

static int gsub(lua_State *L) {
    struct pattern_state state;
    bool anchored;
    int type = lua_type(L, 3);
    luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
                     "string/function/table");
    start(L, &state, 1, 2, &anchored);
    lua_Integer most = luaL_optinteger(L, 4, (state.source_end - state.source) + 1), count = 0;
    lua_settop(L, 3);
    if (type == LUA_TNUMBER)
        lua_tostring(L, 3); /* in place */
    struct buffer *result = buffers_new(L);
    result->limit = 16 << 20;
    const char *at = state.source, *last = NULL;
    while (count < most) {
        const char *end = match_at(L, &state, at);
        if (end && end != last) {
            count++;
            if (type == LUA_TNUMBER || type == LUA_TSTRING)
                add_text(L, &state, result, at, end);
            else
                add_value(L, &state, result, at, end);
            /* What a function called may have used up steps of the same account. */
            state.steps = steps_left;
            at = last = end;
        } else if (at < state.source_end) {
            buffer_append_byte(result, *at++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    buffer_append(result, at, (size_t)(state.source_end - at));
    if (result->failed)
        return luaL_error(L, "string.gsub: the result is larger than 16 MiB");
    buffers_push(L, result);
    lua_pushinteger(L, count);
    return 2;
}

static const luaL_Reg functions[] = {
    { "budget", set_budget }, { "find", find }, { "match", match },
    { "gmatch", gmatch },     { "gsub", gsub }, { NULL, NULL },
};

int pattern_open(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
