/* submitter: the host program. `run` executes any Lua script with the C modules at hand; every other command is Lua
 * (lua/submitter/cli). What is here: options that decide how the state is made, the loop, the exit code. */
#include <lauxlib.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind/modules.h"
#include "host/state.h"
#include "host/task.h"

enum { EXIT_USAGE = 2, EXIT_ENVIRONMENT = 3, EXIT_INTERNAL = 4 };

struct invocation {
    int argc;
    char **argv;
    bool run; /* `run`: a script, as lua5.4 would */
    int status;
};

static const char run_help[] =
    "Usage: submitter run SCRIPT.lua [ARG...]\n"
    "\n"
    "Runs a Lua script as lua5.4 would (arg, ..., exit status, traceback, #! line, LUA_INIT, LUA_PATH and LUA_CPATH), "
    "with\n"
    "the host's modules (submitter.core.*) at hand and their waiting functions usable at the script's top level.\n"
    "SCRIPT.lua may be - for standard input.\n"
    "\n"
    "Example: submitter run lesson.lua 3 4\n";

static void report(const char *message) {
    fprintf(stderr, "submitter: %s\n", message ? message : "(no message)");
}

/* Standard streams that a careless parent closed become /dev/null: otherwise the next file opened would take their numbers,
 * and log lines would go into it. */
static bool open_standard_streams(void) {
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++)
        if (fcntl(number, F_GETFD) < 0 && open("/dev/null", O_RDWR) != number)
            return false;
    return true;
}

/* The table `arg`: the script at 0, its arguments from 1, what stands before it below 0. */
static void set_arguments(lua_State *L, const struct invocation *invocation, int script) {
    lua_createtable(L, invocation->argc, script + 1);
    for (int index = 0; index < invocation->argc; index++) {
        lua_pushstring(L, invocation->argv[index]);
        lua_rawseti(L, -2, index - script);
    }
    lua_setglobal(L, "arg");
}

/* LUA_INIT_5_4 or LUA_INIT: "@file" or a chunk (lua.c of Lua 5.4). */
static int run_init(lua_State *L) {
    const char *name = "LUA_INIT_5_4", *value = getenv(name);
    if (!value)
        value = getenv(name = "LUA_INIT");
    if (!value)
        return LUA_OK;
    char chunk[32];
    snprintf(chunk, sizeof chunk, "=%s", name);
    int status = *value == '@' ? luaL_loadfile(L, value + 1) : luaL_loadbuffer(L, value, strlen(value), chunk);
    return status != LUA_OK ? status : task_main(L, 0);
}

static int run_script(lua_State *L, struct invocation *invocation) {
    int script = 2;
    set_arguments(L, invocation, script);
    int status = run_init(L);
    if (status != LUA_OK)
        return status;
    const char *file = invocation->argv[script];
    status = luaL_loadfile(L, strcmp(file, "-") ? file : NULL);
    if (status != LUA_OK)
        return status;
    int count = invocation->argc - script - 1;
    luaL_checkstack(L, count + LUA_MINSTACK, "too many arguments");
    for (int index = 1; index <= count; index++)
        lua_pushstring(L, invocation->argv[script + index]);
    return task_main(L, count);
}

/* Keeps the exit code that a command returned. */
static int finish(lua_State *L) {
    struct invocation *invocation = lua_touserdata(L, lua_upvalueindex(1));
    invocation->status = (int)luaL_checkinteger(L, 1);
    return 0;
}

static int run_command(lua_State *L, struct invocation *invocation) {
    static const char chunk[] = "local arguments, finish = ...\n"
                                "finish(require('submitter.cli').main(arguments))";
    int status = luaL_loadbuffer(L, chunk, sizeof chunk - 1, "=submitter");
    if (status != LUA_OK)
        return status;
    lua_createtable(L, invocation->argc, 0);
    for (int index = 1; index < invocation->argc; index++) {
        lua_pushstring(L, invocation->argv[index]);
        lua_rawseti(L, -2, index);
    }
    lua_pushlightuserdata(L, invocation);
    lua_pushcclosure(L, finish, 1);
    return task_main(L, 2);
}

static int protected_main(lua_State *L) {
    struct invocation *invocation = lua_touserdata(L, 1);
    modules_preload(L);
    int status = invocation->run ? run_script(L, invocation) : run_command(L, invocation);
    if (status != LUA_OK) {
        report(lua_tostring(L, -1));
        invocation->status = invocation->run ? EXIT_FAILURE : EXIT_INTERNAL;
    }
    return 0;
}

int main(int argc, char **argv) {
    struct invocation invocation = { .argc = argc, .argv = argv };
    if (!open_standard_streams())
        return EXIT_ENVIRONMENT;
    setlocale(LC_CTYPE, "C.UTF-8"); /* for wcwidth; numbers stay in the C locale */
    signal(SIGPIPE, SIG_IGN);       /* a reader that went away is an error of the write */

    invocation.run = argc >= 2 && !strcmp(argv[1], "run");
    if (invocation.run && argc == 2) {
        fputs(run_help, stderr);
        return EXIT_USAGE;
    }
    if (invocation.run && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h"))) {
        fputs(run_help, stdout);
        return EXIT_SUCCESS;
    }
    lua_State *L = state_new(invocation.run);
    if (!L)
        return EXIT_ENVIRONMENT;
    lua_pushcfunction(L, protected_main);
    lua_pushlightuserdata(L, &invocation);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        report(lua_tostring(L, -1));
        invocation.status = EXIT_INTERNAL;
    }
    lua_close(L);
    return invocation.status;
}
