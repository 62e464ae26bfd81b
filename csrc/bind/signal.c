/* task.on_signal, see lua/meta/task.lua. */
#include "../io/signal.h"

#include <lauxlib.h>
#include <signal.h>
#include <string.h>

#include "../host/state.h"
#include "../host/task.h"
#include "modules.h"

#define SIGNAL_TYPE "submitter.signal"

struct signal_handle {
    struct signal_watch *watch;
    lua_State *L; /* the main one */
    int handler_reference;
    int self_reference; /* it lives until it is closed, also when the script keeps no hold of it */
};

static const struct {
    const char *name;
    int number;
} signals[] = {
    { "TERM", SIGTERM }, { "INT", SIGINT },   { "HUP", SIGHUP },     { "USR1", SIGUSR1 },
    { "USR2", SIGUSR2 }, { "QUIT", SIGQUIT }, { "WINCH", SIGWINCH },
};

static const char *signal_name(int number) {
    for (size_t index = 0; index < sizeof signals / sizeof *signals; index++)
        if (signals[index].number == number)
            return signals[index].name;
    return "?";
}

static void signal_came(void *context, int number) {
    struct signal_handle *handle = context;
    lua_rawgeti(handle->L, LUA_REGISTRYINDEX, handle->handler_reference);
    lua_pushstring(handle->L, signal_name(number));
    task_start(handle->L, "signal", 1);
}

static void stop(lua_State *L, struct signal_handle *handle) {
    if (!handle->watch)
        return;
    signal_watch_stop(handle->watch);
    handle->watch = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, handle->handler_reference);
    luaL_unref(L, LUA_REGISTRYINDEX, handle->self_reference);
}

static int on_signal(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int number = 0;
    for (size_t index = 0; index < sizeof signals / sizeof *signals; index++)
        if (!strcmp(signals[index].name, name))
            number = signals[index].number;
    if (!number)
        return luaL_error(
            L, "task.on_signal(signal, handler): no such signal \"%s\": TERM, INT, HUP, USR1, USR2, QUIT or WINCH",
            name);
    struct signal_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    memset(handle, 0, sizeof *handle);
    luaL_setmetatable(L, SIGNAL_TYPE);
    handle->L = task_main_state();
    int error = signal_watch_start(number, signal_came, handle, &handle->watch);
    if (error)
        return task_push_errno(L, error, "task.on_signal");
    lua_pushvalue(L, 2);
    handle->handler_reference = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, -1);
    handle->self_reference = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

static int close_handle(lua_State *L) {
    stop(L, luaL_checkudata(L, 1, SIGNAL_TYPE));
    return 0;
}

static const luaL_Reg functions[] = { { "on_signal", on_signal }, { NULL, NULL } };
static const luaL_Reg methods[] = { { "close", close_handle }, { NULL, NULL } };
static const luaL_Reg metamethods[] = { { "__gc", close_handle }, { "__close", close_handle }, { NULL, NULL } };

void signal_add(lua_State *L) {
    state_type(L, SIGNAL_TYPE, methods, metamethods);
    luaL_setfuncs(L, functions, 0);
}
