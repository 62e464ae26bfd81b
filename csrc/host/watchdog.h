/* Calls Lua code that is not trusted to end: a policy's functions. */
#ifndef SUBMITTER_HOST_WATCHDOG_H
#define SUBMITTER_HOST_WATCHDOG_H

#include <lua.h>

/* The Lua module submitter.core.watchdog. */
int watchdog_open(lua_State *L);

#endif
