/* submitter.core.system, see lua/meta/system.lua. */
#include <lauxlib.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../host/state.h"
#include "modules.h"

#ifndef SUBMITTER_VERSION
#error "SUBMITTER_VERSION is set by the Makefile"
#endif

static int pid(lua_State *L) {
    lua_pushinteger(L, getpid());
    return 1;
}

static int user_id(lua_State *L) {
    lua_pushinteger(L, geteuid());
    return 1;
}

static int hostname(lua_State *L) {
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) < 0 || !*name)
        lua_pushliteral(L, "localhost");
    else
        lua_pushstring(L, name);
    return 1;
}

static int processors(lua_State *L) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    lua_pushinteger(L, count > 0 ? count : 1);
    return 1;
}

static int is_terminal(lua_State *L) {
    lua_Integer descriptor = luaL_checkinteger(L, 1);
    luaL_argcheck(L, descriptor >= 0 && descriptor <= 2, 1, "0, 1 or 2");
    lua_pushboolean(L, isatty((int)descriptor));
    return 1;
}

static int columns(lua_State *L) {
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    lua_pushinteger(L, known ? size.ws_col : 80);
    return 1;
}

static int executable(lua_State *L) {
    lua_pushstring(L, state_executable());
    return 1;
}

static int lua_directory(lua_State *L) {
    lua_pushstring(L, state_lua_directory());
    return 1;
}

static int version(lua_State *L) {
    lua_pushliteral(L, SUBMITTER_VERSION);
    return 1;
}

static const luaL_Reg functions[] = {
    { "pid", pid },
    { "user_id", user_id },
    { "hostname", hostname },
    { "processors", processors },
    { "is_terminal", is_terminal },
    { "columns", columns },
    { "executable", executable },
    { "lua_directory", lua_directory },
    { "version", version },
    { NULL, NULL },
};

int system_open(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
