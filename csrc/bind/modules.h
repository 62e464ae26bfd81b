/* The Lua modules that are written in C. */
#ifndef SUBMITTER_BIND_MODULES_H
#define SUBMITTER_BIND_MODULES_H

#include <lua.h>

/* Makes submitter.core.* known to require; each is opened when it is first asked for, but for the scheduler. */
void modules_preload(lua_State *L);

/* Add their functions to the module on top, which is submitter.core.task. */
void event_add(lua_State *L);
void signal_add(lua_State *L);

/* One a file of bind/. */
int clock_open(lua_State *L);
int text_open(lua_State *L);
int digest_open(lua_State *L);
int log_open(lua_State *L);
int json_open(lua_State *L);
int system_open(lua_State *L);
int file_open(lua_State *L);
int http_open(lua_State *L);
int child_open(lua_State *L);
int sandbox_open(lua_State *L);
int sigv4_open(lua_State *L);
int smtp_open(lua_State *L);
int postgres_open(lua_State *L);
int pattern_open(lua_State *L);

#endif
