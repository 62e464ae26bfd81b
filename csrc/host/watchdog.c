#include "watchdog.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* How much more memory than twice that of its beginning the state may hold during a call. Twice, because that much the
 * collector leaves alone: a buffer that is refused is an error at once, without collecting first. The deepest recursion that
 * Lua allows takes 80 MiB and is to fail as what it is. */
enum { MEMORY_BYTES = 96 * 1024 * 1024 };

/* The state's allocator while a call is watched: the same memory, but what the whole state takes more of is counted, because
 * a single concatenation can double a text and no hook sees it. */
struct allowance {
    lua_Alloc allocate;
    void *context;
    ptrdiff_t left;
};

static void *allocate_within(void *context, void *block, size_t old_size, size_t new_size) {
    struct allowance *allowance = context;
    size_t held = block ? old_size : 0; /* without a block, old_size says what kind of object it is to be */
    if (new_size > held && (allowance->left < 0 || new_size - held > (size_t)allowance->left))
        return NULL; /* Lua collects its garbage, tries once more, and throws "not enough memory" */
    void *moved = allowance->allocate(allowance->context, block, old_size, new_size);
    if (moved || !new_size)
        allowance->left += (ptrdiff_t)held - (ptrdiff_t)new_size;
    return moved;
}

static const char budget_message[] = "instruction budget used up: an endless loop, or more work than a policy may do";

static void budget_spent(lua_State *L, lua_Debug *debug) {
    (void)debug;
    luaL_error(L, "%s", budget_message);
}

/* Fires when the budget is used up, and from then on at every instruction: code which catches the error gets nowhere, not
 * even with a pcall in each of many levels. */
static void budget_over(lua_State *L, lua_Debug *debug) {
    lua_sethook(L, budget_spent, LUA_MASKCOUNT, 1);
    budget_spent(L, debug);
}

/* The call itself. A protected one: to-be-closed variables are closed by it, still under the hook. lua_resetthread, which
 * closes them otherwise, would let them run without (Lua 5.4 leaves hooks off when an error of a hook ended a coroutine). */
static int call_watched(lua_State *L) {
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    lua_pushboolean(L, status == LUA_OK);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* watchdog.call(instructions, function, …): true and its results; nil, message, "budget" or "error". */
static int watchdog_call(lua_State *L) {
    lua_Integer instructions = luaL_checkinteger(L, 1);
    luaL_argcheck(L, instructions > 0 && instructions <= INT_MAX, 1, "a number of instructions, 1 to 2^31 - 1");
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int argument_count = lua_gettop(L) - 2;

    /* A coroutine of its own: the hook is set for it alone. */
    lua_State *runner = lua_newthread(L);
    lua_insert(L, 1);
    if (!lua_checkstack(runner, argument_count + 4))
        return luaL_error(L, "too many arguments");
    lua_pushcfunction(runner, call_watched);
    lua_xmove(L, runner, argument_count + 1);
    lua_sethook(runner, budget_over, LUA_MASKCOUNT, (int)instructions);
    struct allowance allowance = { .left = MEMORY_BYTES + (ptrdiff_t)lua_gc(L, LUA_GCCOUNT) * 1024 };
    allowance.allocate = lua_getallocf(L, &allowance.context);
    int result_count;
    lua_setallocf(L, allocate_within, &allowance);
    int status = lua_resume(runner, L, argument_count + 1, &result_count);
    lua_setallocf(L, allowance.allocate, allowance.context);
    bool over = lua_gethook(runner) == budget_spent;
    if (status != LUA_OK) { /* call_watched itself: memory */
        lua_xmove(runner, L, 1);
        return lua_error(L);
    }
    bool failed = !lua_toboolean(runner, -result_count);
    if (failed || over) {
        lua_pushnil(L);
        /* No __tostring: it would run without a budget. */
        if (failed && (lua_type(runner, -1) == LUA_TSTRING || lua_type(runner, -1) == LUA_TNUMBER))
            lua_xmove(runner, L, 1);
        else if (over) /* caught by a pcall in the very last call */
            lua_pushstring(L, budget_message);
        else
            lua_pushfstring(L, "(error object is a %s value)", luaL_typename(runner, -1));
        lua_tostring(L, -1);
        lua_pushstring(L, over ? "budget" : "error");
        return 3;
    }
    if (!lua_checkstack(L, result_count + 1))
        return luaL_error(L, "too many results");
    lua_xmove(runner, L, result_count); /* true, and what it returned */
    return result_count;
}

static const luaL_Reg functions[] = { { "call", watchdog_call }, { NULL, NULL } };

int watchdog_open(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
