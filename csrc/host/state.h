/* The Lua state of the process: libraries, search paths, the C modules. */
#ifndef SUBMITTER_HOST_STATE_H
#define SUBMITTER_HOST_STATE_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

/* A state with the standard libraries, whose package.path begins with the project's own Lua folder. Environment
 * variables (LUA_PATH, LUA_CPATH) count only if trusted; without it nothing is looked for in the current folder either.
 * NULL without memory. */
lua_State *state_new(bool environment_counts);

/* Registers an opener under package.preload. */
void state_preload(lua_State *L, const char *name, lua_CFunction open);

/* Makes the metatable of a userdata type: its methods (or NULL) under __index, and its metamethods. */
void state_type(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *metamethods);

/* Has a function called when the state is closed, after every userdata that is made from now on was collected: what is older is
 * collected later. For what a module's userdata share. */
void state_at_close(lua_State *L, void (*function)(void));

/* Absolute path of this program, and of the folder of Lua modules that belongs to it (beside the build folder, or
 * PREFIX/share/submitter/lua, or share/lua/5.4 of a LuaRocks tree); NULL and a message on standard error when it isn't found. */
const char *state_executable(void);
const char *state_lua_directory(void);

#endif
