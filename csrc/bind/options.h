/* Reading option tables: an unknown key is an error that names the key. */
#ifndef SUBMITTER_BIND_OPTIONS_H
#define SUBMITTER_BIND_OPTIONS_H

#include <lua.h>
#include <stdbool.h>

/* The table at index (or nothing) may hold the keys of the list only, which ends with NULL. Throws with the name of the
 * function and of the key. Returns whether there is a table. */
bool options_check(lua_State *L, int index, const char *function, const char *const *keys);

/* One option of a table that was checked. Throws when it has another type. */
bool options_boolean(lua_State *L, int index, const char *function, const char *key, bool otherwise);
lua_Integer options_integer(lua_State *L, int index, const char *function, const char *key, lua_Integer otherwise);
/* One that is milliseconds, 1 to longest. */
lua_Integer options_milliseconds(lua_State *L, int index, const char *function, const char *key, lua_Integer otherwise,
                                 lua_Integer longest);
/* Pushes nothing: the text lives as long as the table holds it. NULL when absent. */
const char *options_text(lua_State *L, int index, const char *function, const char *key, size_t *length);

/* Puts a shallow copy of the options table at index in its place. For functions that keep pointers to its strings while they
 * wait: meanwhile another task may change the script's own table, and the collector take the strings. */
void options_keep(lua_State *L, int index);

#endif
