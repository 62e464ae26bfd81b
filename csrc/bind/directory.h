/* Opened directories, as other bindings take them for arguments. */
#ifndef SUBMITTER_BIND_DIRECTORY_H
#define SUBMITTER_BIND_DIRECTORY_H

#include <lua.h>

/* An opened directory, shared by its userdata and by the operations that use it: closing it in one task doesn't pull the
 * descriptor away from another's work. */
struct directory {
    int fd;
    char *path;
    unsigned holders;
};

/* The Directory at index; throws when it is another value, or closed. Not held. */
struct directory *directory_check(lua_State *L, int index);

struct directory *directory_hold(struct directory *directory);
void directory_release(struct directory *directory); /* NULL is allowed */

#endif
