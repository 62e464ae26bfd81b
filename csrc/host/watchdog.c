#include "watchdog.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>

static const char budget_message[] = "instruction budget used up: an endless loop, or more work than a policy may do";

/* Fires when the budget is used up, and from then on again and again, so that code which catches the error gets nowhere. */
static void budget_over(lua_State *L, lua_Debug *debug) {
    (void)debug;
    lua_sethook(L, budget_over, LUA_MASKCOUNT, 100);
    luaL_error(L, "%s", budget_message);
}

/* watchdog.call(instructions, function, …): true and its results; nil, message, "budget" or "error". */
static int watchdog_call(lua_State *L) {
    lua_Integer instructions = luaL_checkinteger(L, 1);
    luaL_argcheck(L, instructions > 0 && instructions <= INT_MAX, 1, "a number of instructions, 1 to 2^31 - 1");
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int argument_count = lua_gettop(L) - 2;

    /* A coroutine of its own: the hook is set for it alone, and it can't yield to the scheduler. */
    lua_State *runner = lua_newthread(L);
    lua_insert(L, 1);
    lua_xmove(L, runner, argument_count + 1);
    lua_sethook(runner, budget_over, LUA_MASKCOUNT, (int)instructions);
    int result_count;
    int status = lua_resume(runner, L, argument_count, &result_count);
    if (status == LUA_YIELD) {
        lua_resetthread(runner);
        lua_pushnil(L);
        lua_pushliteral(L, "it yielded, which it can't");
        lua_pushliteral(L, "error");
        return 3;
    }
    if (status != LUA_OK) {
        lua_pushnil(L);
        lua_xmove(runner, L, 1);
        const char *message = luaL_tolstring(L, -1, NULL);
        lua_remove(L, -2);
        bool over = lua_gethookcount(runner) == 100 && message != NULL;
        lua_pushstring(L, over ? "budget" : "error");
        lua_resetthread(runner);
        return 3;
    }
    if (!lua_checkstack(L, result_count + 1))
        return luaL_error(L, "too many results");
    lua_pushboolean(L, true);
    lua_xmove(runner, L, result_count);
    return result_count + 1;
}

static const luaL_Reg functions[] = { { "call", watchdog_call }, { NULL, NULL } };

int watchdog_open(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
