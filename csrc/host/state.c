#include "state.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "task.h"

static char executable[PATH_MAX];
static char lua_directory[PATH_MAX];

const char *state_executable(void) {
    if (!*executable) {
        ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
        if (length <= 0) {
            fprintf(stderr, "submitter: /proc/self/exe can't be read: is /proc mounted?\n");
            return NULL;
        }
        executable[length] = '\0';
    }
    return executable;
}

static bool lua_denied; /* a folder of Lua modules may be there, but can't be looked into */

static bool try_directory(const char *base, const char *below) {
    char candidate[PATH_MAX], probe[PATH_MAX];
    if (snprintf(candidate, sizeof candidate, "%s/%s", base, below) >= (int)sizeof candidate ||
        snprintf(probe, sizeof probe, "%.*s/submitter/host.lua", (int)sizeof probe - 24, candidate) >=
            (int)sizeof probe)
        return false;
    if (access(probe, R_OK) == 0)
        return realpath(candidate, lua_directory) != NULL;
    lua_denied = lua_denied || errno == EACCES;
    return false;
}

const char *state_lua_directory(void) {
    if (*lua_directory)
        return lua_directory;
    const char *program = state_executable();
    if (!program)
        return NULL;
    char base[PATH_MAX];
    snprintf(base, sizeof base, "%s", program);
    *strrchr(base, '/') = '\0';
    if (try_directory(base, "../lua") || try_directory(base, "../../lua") ||
        try_directory(base, "../share/submitter/lua") || try_directory(base, "../share/lua/5.4"))
        return lua_directory;
    if (lua_denied)
        fprintf(
            stderr,
            "submitter: the Lua modules beside %s can't be read: permission denied; let this user reach the folders "
            "above it, or install it with `make install`\n",
            base);
    else
        fprintf(stderr,
                "submitter: the Lua modules are missing: neither %s/../lua nor %s/../share/submitter/lua holds "
                "submitter/host.lua; install with `make install`\n",
                base, base);
    *lua_directory = '\0';
    return NULL;
}

/* As lua5.4's os.exit, but work that the thread pool still has is waited for: it may look at memory of the state. */
static int exit_process(lua_State *L) {
    int status;
    if (lua_isboolean(L, 1))
        status = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
    else
        status = (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
    bool close = lua_toboolean(L, 2);
    task_settle();
    if (close)
        lua_close(L);
    exit(status);
}

/* coroutine.resume and close, upvalue 1, for all but the coroutines of tasks (coroutine.running gives them away): those wait
 * for work that writes to their memory, and end by the scheduler only. */
static int leave_tasks_alone(lua_State *L) {
    lua_State *thread = lua_tothread(L, 1);
    if (thread && task_owns(thread))
        return luaL_error(L, "the coroutine of a task belongs to the scheduler: use Task:cancel and Task:join");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static void guard_coroutines(lua_State *L) {
    static const char *const names[] = { "resume", "close", NULL };
    lua_getglobal(L, "coroutine");
    for (const char *const *name = names; *name; name++) {
        lua_getfield(L, -1, *name);
        lua_pushcclosure(L, leave_tasks_alone, 1);
        lua_setfield(L, -2, *name);
    }
    lua_pop(L, 1);
}

/* Drops the templates that begin with "./" (or are relative in another way) from package.path or cpath. */
static void drop_relative(lua_State *L, const char *field) {
    lua_getfield(L, -1, field);
    const char *at = lua_tostring(L, -1);
    luaL_Buffer kept;
    luaL_buffinit(L, &kept);
    bool first = true;
    while (at && *at) {
        size_t length = strcspn(at, ";");
        if (length && *at == '/') {
            if (!first)
                luaL_addchar(&kept, ';');
            luaL_addlstring(&kept, at, length);
            first = false;
        }
        at += length + (at[length] == ';');
    }
    luaL_pushresult(&kept);
    lua_setfield(L, -3, field);
    lua_pop(L, 1);
}

static void set_paths(lua_State *L, bool environment_counts, const char *directory) {
    lua_getglobal(L, "package");
    if (!environment_counts) {
        drop_relative(L, "path");
        drop_relative(L, "cpath");
    }
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", directory, directory, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

lua_State *state_new(bool environment_counts) {
    const char *directory = state_lua_directory();
    if (!directory)
        return NULL;
    lua_State *L = luaL_newstate();
    if (!L) {
        fprintf(stderr, "submitter: out of memory\n");
        return NULL;
    }
    if (!environment_counts) {
        lua_pushboolean(L, true);
        lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV"); /* what `lua -E` does (lua.c of Lua 5.4) */
    }
    luaL_openlibs(L);
    set_paths(L, environment_counts, directory);
    guard_coroutines(L);
    lua_getglobal(L, "os");
    lua_pushcfunction(L, exit_process);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
    return L;
}

void state_preload(lua_State *L, const char *name, lua_CFunction open) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void state_type(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *metamethods) {
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, metamethods, 0);
    if (methods) {
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

static int run_at_close(lua_State *L) {
    void (**function)(void) = lua_touserdata(L, 1);
    (*function)();
    return 0;
}

void state_at_close(lua_State *L, void (*function)(void)) {
    static const luaL_Reg metamethods[] = { { "__gc", run_at_close }, { NULL, NULL } };
    state_type(L, "submitter.at_close", NULL, metamethods);
    void (**box)(void) = lua_newuserdatauv(L, sizeof *box, 0);
    *box = function;
    luaL_setmetatable(L, "submitter.at_close");
    luaL_ref(L, LUA_REGISTRYINDEX);
}
