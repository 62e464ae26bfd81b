/* submitter.core.file, see lua/meta/file.lua. Each function is a request: it is filled from the arguments, run by
 * io/file.c on a thread of the pool, and its result pushed when the task goes on. */
#include "../io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../host/state.h"
#include "../host/task.h"
#include "../io/loop.h"
#include "../io/watch.h"
#include "directory.h"
#include "modules.h"
#include "options.h"

#define DIRECTORY_TYPE "submitter.directory"
#define LOCK_TYPE "submitter.lock"
#define WATCH_TYPE "submitter.watch"

enum { DEFAULT_MODE = 0644, DEFAULT_DIRECTORY_MODE = 0755, LOCK_RETRY_MS = 5 };
static const lua_Integer default_read_limit = 256 << 20;

/* ---- directories ---- */

struct directory *directory_hold(struct directory *directory) {
    directory->holders++;
    return directory;
}

void directory_release(struct directory *directory) {
    if (!directory || --directory->holders)
        return;
    close(directory->fd);
    free(directory->path);
    free(directory);
}

struct directory *directory_check(lua_State *L, int index) {
    struct directory **box = luaL_checkudata(L, index, DIRECTORY_TYPE);
    if (!*box)
        luaL_argerror(L, index, "the Directory is closed");
    return *box;
}

/* Pushes a Directory; takes the descriptor over in any case. */
static int push_directory(lua_State *L, int *fd, const char *path) {
    struct directory **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, DIRECTORY_TYPE);
    struct directory *directory = malloc(sizeof *directory);
    char *copy = strdup(path);
    if (!directory || !copy) {
        free(directory);
        free(copy);
        return luaL_error(L, "out of memory");
    }
    *directory = (struct directory){ .fd = *fd, .path = copy, .holders = 1 };
    *fd = -1;
    *box = directory;
    return 1;
}

static int directory_close(lua_State *L) {
    struct directory **box = luaL_checkudata(L, 1, DIRECTORY_TYPE);
    directory_release(*box);
    *box = NULL;
    return 0;
}

static int directory_path(lua_State *L) {
    lua_pushstring(L, directory_check(L, 1)->path);
    return 1;
}

static int directory_describe(lua_State *L) {
    struct directory **box = luaL_checkudata(L, 1, DIRECTORY_TYPE);
    if (*box)
        lua_pushfstring(L, "Directory(%s)", (*box)->path);
    else
        lua_pushliteral(L, "Directory(closed)");
    return 1;
}

/* ---- requests ---- */

struct request {
    struct operation operation;
    struct work work;
    const char *verb; /* for messages: "reading" */
    void (*run)(struct request *request);
    int (*push)(struct request *request, lua_State *L);
    struct directory *directory;
    const char *path, *target; /* on the stack of the waiting function */
    const char *data;
    size_t length;
    size_t limit;
    mode_t mode;
    unsigned flags;
    bool follow, shared, exclusive, sync, create;
    int64_t give_up_ms; /* lock: monotonic time at which no more is tried */
    struct timer *timer;
    int error;
    int fd;
    struct buffer content;
    struct file_status status;
};

static void request_work(struct work *work) {
    struct request *request = (struct request *)((char *)work - offsetof(struct request, work));
    request->run(request);
}

static void request_done(struct work *work) {
    struct request *request = (struct request *)((char *)work - offsetof(struct request, work));
    task_complete(&request->operation);
}

static void request_free(struct operation *operation) {
    struct request *request = (struct request *)operation;
    directory_release(request->directory);
    buffer_clear(&request->content);
    if (request->fd >= 0)
        close(request->fd);
}

static int push_failure(struct request *request, lua_State *L) {
    lua_pushnil(L);
    if (request->error == FILE_NOT_REGULAR) {
        lua_pushfstring(L, "%s %s: not a regular file (a FIFO, socket or device)", request->verb, request->path);
        lua_pushliteral(L, "ENOTREG");
    } else if (request->error == EWOULDBLOCK) {
        lua_pushfstring(L, "%s %s: somebody else holds the lock", request->verb, request->path);
        lua_pushliteral(L, "busy");
    } else if (request->error == EFBIG && request->limit) {
        lua_pushfstring(L, "%s %s: it has more than %I bytes", request->verb, request->path,
                        (lua_Integer)request->limit);
        lua_pushliteral(L, "EFBIG");
    } else if (request->error == EXDEV) {
        lua_pushfstring(L, "%s %s: the path leads out of %s", request->verb, request->path,
                        request->directory ? request->directory->path : "its directory");
        lua_pushliteral(L, "EXDEV");
    } else {
        lua_pushfstring(L, "%s %s: %s", request->verb, request->path, loop_error_text(request->error));
        lua_pushstring(L, loop_error_name(request->error));
    }
    return 3;
}

static int request_push(struct operation *operation, lua_State *L) {
    struct request *request = (struct request *)operation;
    if (request->error)
        return push_failure(request, L);
    if (request->push)
        return request->push(request, L);
    lua_pushboolean(L, true);
    return 1;
}

/* No cancel function: work in the pool is finished, and its result delivered. */
static const struct operation_class request_class = { "file work", NULL, request_push, request_free };

/* Waiting for a lock can be long, and is interrupted; the try that is under way in the pool is finished first. */
static void lock_cancel(struct operation *operation);
static const struct operation_class lock_class = { "Directory:lock", lock_cancel, request_push, request_free };

/* A path as an argument: the kernel's functions would stop at a NUL. */
static const char *check_path(lua_State *L, int index) {
    size_t length;
    const char *path = luaL_checklstring(L, index, &length);
    luaL_argcheck(L, strlen(path) == length, index, "a path without NUL bytes");
    return path;
}

/* directory is NULL where a path of any kind is opened. */
static struct request *new_request(lua_State *L, const struct operation_class *class, struct directory *directory,
                                   const char *path, const char *verb, void (*run)(struct request *),
                                   int (*push)(struct request *, lua_State *)) {
    struct request *request = task_operation(L, sizeof *request, class);
    if (directory)
        request->directory = directory_hold(directory);
    request->path = path;
    request->verb = verb;
    request->run = run;
    request->push = push;
    request->fd = -1;
    request->work.run = request_work;
    request->work.done = request_done;
    return request;
}

static struct request *begin_class(lua_State *L, const struct operation_class *class, const char *verb,
                                   void (*run)(struct request *), int (*push)(struct request *, lua_State *)) {
    struct directory *directory = directory_check(L, 1);
    return new_request(L, class, directory, check_path(L, 2), verb, run, push);
}

static struct request *begin(lua_State *L, const char *verb, void (*run)(struct request *),
                             int (*push)(struct request *, lua_State *)) {
    return begin_class(L, &request_class, verb, run, push);
}

static int submit(lua_State *L, struct request *request) {
    task_begin(&request->operation);
    int status = loop_work(&request->work);
    if (status < 0) {
        task_withdraw(&request->operation);
        return task_push_errno(L, -status, request->verb);
    }
    return task_wait(L, &request->operation);
}

static mode_t mode_option(lua_State *L, int index, const char *function, mode_t otherwise) {
    lua_Integer mode = options_integer(L, index, function, "mode", otherwise);
    if (mode < 0 || mode > 07777)
        luaL_error(L, "%s: option mode is 0 to 4095 (07777)", function);
    return (mode_t)mode;
}

static unsigned flag_option(lua_State *L, int index, const char *function, const char *key, unsigned flag,
                            bool otherwise) {
    return options_boolean(L, index, function, key, otherwise) ? flag : 0;
}

/* read */

static void run_read(struct request *request) {
    request->error =
        file_read(request->directory->fd, request->path, request->limit, request->follow, &request->content);
}

static int push_content(struct request *request, lua_State *L) {
    lua_pushlstring(L, request->content.data ? request->content.data : "", request->content.length);
    buffer_clear(&request->content);
    return 1;
}

static int directory_read(lua_State *L) {
    static const char *const keys[] = { "limit_bytes", "follow", NULL };
    options_check(L, 3, "Directory:read", keys);
    lua_Integer limit = options_integer(L, 3, "Directory:read", "limit_bytes", default_read_limit);
    luaL_argcheck(L, limit >= 0, 3, "limit_bytes is 0 or more");
    struct request *request = begin(L, "reading", run_read, push_content);
    request->limit = (size_t)limit;
    request->follow = options_boolean(L, 3, "Directory:read", "follow", false);
    return submit(L, request);
}

/* write, replace */

static void run_write(struct request *request) {
    request->error = file_write(request->directory->fd, request->path, request->data, request->length, request->mode,
                                request->flags);
}

static int directory_write(lua_State *L) {
    static const char function[] = "Directory:write";
    static const char *const keys[] = { "mode", "exclusive", "append", "parents", "sync", "follow", NULL };
    size_t length;
    const char *data = luaL_checklstring(L, 3, &length);
    options_check(L, 4, function, keys);
    struct request *request = begin(L, "writing", run_write, NULL);
    request->data = data;
    request->length = length;
    request->mode = mode_option(L, 4, function, DEFAULT_MODE);
    request->flags = flag_option(L, 4, function, "exclusive", FILE_EXCLUSIVE, false) |
                     flag_option(L, 4, function, "append", FILE_APPEND, false) |
                     flag_option(L, 4, function, "parents", FILE_PARENTS, false) |
                     flag_option(L, 4, function, "sync", FILE_SYNC, false) |
                     flag_option(L, 4, function, "follow", FILE_FOLLOW, false);
    return submit(L, request);
}

static void run_replace(struct request *request) {
    request->error = file_replace(request->directory->fd, request->path, request->data, request->length, request->mode,
                                  request->flags);
}

static int directory_replace(lua_State *L) {
    static const char function[] = "Directory:replace";
    static const char *const keys[] = { "mode", "exclusive", "parents", "sync", NULL };
    size_t length;
    const char *data = luaL_checklstring(L, 3, &length);
    options_check(L, 4, function, keys);
    struct request *request = begin(L, "replacing", run_replace, NULL);
    request->data = data;
    request->length = length;
    request->mode = mode_option(L, 4, function, DEFAULT_MODE);
    request->flags = flag_option(L, 4, function, "exclusive", FILE_EXCLUSIVE, false) |
                     flag_option(L, 4, function, "parents", FILE_PARENTS, false) |
                     flag_option(L, 4, function, "sync", FILE_SYNC, true);
    return submit(L, request);
}

/* list, stat */

static const char *const type_names[] = { "file", "directory", "link", "other" };

static void run_list(struct request *request) {
    request->error = file_list(request->directory->fd, request->path, &request->content);
}

static int compare_entries(const void *left, const void *right) {
    return strcmp(*(const char *const *)left + 1, *(const char *const *)right + 1);
}

static int push_entries(struct request *request, lua_State *L) {
    size_t count = 0;
    const char *at = request->content.data, *end = at + request->content.length;
    for (const char *entry = at; entry < end; entry += strlen(entry + 1) + 2)
        count++;
    const char **entries = lua_newuserdatauv(L, sizeof *entries * (count + 1), 0);
    for (size_t index = 0; index < count; index++, at += strlen(at + 1) + 2)
        entries[index] = at;
    qsort(entries, count, sizeof *entries, compare_entries);
    lua_createtable(L, count < INT_MAX ? (int)count : 0, 0);
    for (size_t index = 0; index < count; index++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, entries[index] + 1);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, type_names[(int)entries[index][0]]);
        lua_setfield(L, -2, "type");
        lua_rawseti(L, -2, (lua_Integer)index + 1);
    }
    return 1;
}

static int directory_list(lua_State *L) {
    return submit(L, begin(L, "listing", run_list, push_entries));
}

static void run_status(struct request *request) {
    request->error = file_status(request->directory->fd, request->path, request->follow, &request->status);
}

static void set_integer(lua_State *L, const char *key, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static int push_status(struct request *request, lua_State *L) {
    lua_createtable(L, 0, 6);
    lua_pushstring(L, type_names[request->status.type]);
    lua_setfield(L, -2, "type");
    set_integer(L, "size_bytes", request->status.size_bytes);
    set_integer(L, "modified_ms", request->status.modified_ms);
    set_integer(L, "mode", request->status.mode);
    set_integer(L, "links", (lua_Integer)request->status.links);
    set_integer(L, "inode", (lua_Integer)request->status.inode);
    return 1;
}

static int directory_stat(lua_State *L) {
    static const char *const keys[] = { "follow", NULL };
    options_check(L, 3, "Directory:stat", keys);
    struct request *request = begin(L, "looking at", run_status, push_status);
    request->follow = options_boolean(L, 3, "Directory:stat", "follow", false);
    return submit(L, request);
}

/* make, remove, remove_tree, rename */

static void run_make(struct request *request) {
    request->error = file_make(request->directory->fd, request->path, request->create, request->mode);
}

static int directory_make(lua_State *L) {
    static const char *const keys[] = { "parents", "mode", NULL };
    options_check(L, 3, "Directory:make", keys);
    struct request *request = begin(L, "making", run_make, NULL);
    request->create = options_boolean(L, 3, "Directory:make", "parents", false);
    request->mode = mode_option(L, 3, "Directory:make", DEFAULT_DIRECTORY_MODE);
    return submit(L, request);
}

static void run_remove(struct request *request) {
    request->error = file_remove(request->directory->fd, request->path);
}

static int directory_remove(lua_State *L) {
    return submit(L, begin(L, "removing", run_remove, NULL));
}

static void run_remove_tree(struct request *request) {
    request->error = file_remove_tree(request->directory->fd, request->path);
}

static int directory_remove_tree(lua_State *L) {
    return submit(L, begin(L, "removing", run_remove_tree, NULL));
}

static void run_rename(struct request *request) {
    request->error =
        file_rename(request->directory->fd, request->path, request->target, request->exclusive, request->sync);
}

static int directory_rename(lua_State *L) {
    static const char *const keys[] = { "exclusive", "sync", NULL };
    const char *target = check_path(L, 3);
    options_check(L, 4, "Directory:rename", keys);
    struct request *request = begin(L, "renaming", run_rename, NULL);
    request->target = target;
    request->exclusive = options_boolean(L, 4, "Directory:rename", "exclusive", false);
    request->sync = options_boolean(L, 4, "Directory:rename", "sync", false);
    return submit(L, request);
}

/* open */

static void run_open(struct request *request) {
    if (request->directory)
        request->error =
            file_open_below(request->directory->fd, request->path, request->create, request->mode, &request->fd);
    else
        request->error = file_open_root(request->path, request->create, request->mode, &request->fd);
}

static int push_opened(struct request *request, lua_State *L) {
    if (request->directory) {
        lua_pushfstring(L, strcmp(request->path, ".") ? "%s/%s" : "%s", request->directory->path, request->path);
    } else {
        char *absolute = realpath(request->path, NULL);
        lua_pushstring(L, absolute ? absolute : request->path);
        free(absolute);
    }
    return push_directory(L, &request->fd, lua_tostring(L, -1));
}

static int directory_open(lua_State *L) {
    static const char *const keys[] = { "create", "mode", NULL };
    options_check(L, 3, "Directory:open", keys);
    struct request *request = begin(L, "opening", run_open, push_opened);
    request->create = options_boolean(L, 3, "Directory:open", "create", false);
    request->mode = mode_option(L, 3, "Directory:open", DEFAULT_DIRECTORY_MODE);
    return submit(L, request);
}

static int open_root(lua_State *L) {
    static const char *const keys[] = { "create", "mode", NULL };
    const char *path = check_path(L, 1);
    options_check(L, 2, "file.directory", keys);
    struct request *request = new_request(L, &request_class, NULL, path, "opening", run_open, push_opened);
    request->create = options_boolean(L, 2, "file.directory", "create", false);
    request->mode = mode_option(L, 2, "file.directory", DEFAULT_DIRECTORY_MODE);
    return submit(L, request);
}

/* ---- locks ---- */

static int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_lock(struct request *request) {
    request->error = file_lock(request->directory->fd, request->path, request->shared, &request->fd);
}

static int push_lock(struct request *request, lua_State *L) {
    int *lock = lua_newuserdatauv(L, sizeof *lock, 0);
    *lock = -1;
    luaL_setmetatable(L, LOCK_TYPE);
    *lock = request->fd;
    request->fd = -1;
    return 1;
}

static void stop_timer(struct request *request) {
    timer_stop(request->timer);
    request->timer = NULL;
}

static void lock_retry(void *context) {
    struct request *request = context;
    stop_timer(request);
    request->error = 0;
    if (loop_work(&request->work) < 0) {
        request->error = ENOMEM;
        task_complete(&request->operation);
    }
}

/* Waiting for a lock is done by the loop's timer: it must not take a thread of the pool away from who holds the lock. */
static void lock_done(struct work *work) {
    struct request *request = (struct request *)((char *)work - offsetof(struct request, work));
    if (request->error == EWOULDBLOCK && !request->operation.interrupted && monotonic_ms() < request->give_up_ms) {
        request->timer = timer_start(LOCK_RETRY_MS, lock_retry, request);
        if (request->timer)
            return;
    }
    task_complete(&request->operation);
}

static void lock_cancel(struct operation *operation) {
    struct request *request = (struct request *)operation;
    if (!request->timer) /* lock_done ends it */
        return;
    stop_timer(request);
    task_complete(operation);
}

static int directory_lock(lua_State *L) {
    static const char *const keys[] = { "shared", "wait_ms", NULL };
    options_check(L, 3, "Directory:lock", keys);
    lua_Integer wait_ms = options_integer(L, 3, "Directory:lock", "wait_ms", 0);
    luaL_argcheck(L, wait_ms >= 0, 3, "wait_ms is 0 or more");
    struct request *request = begin_class(L, &lock_class, "locking", run_lock, push_lock);
    request->shared = options_boolean(L, 3, "Directory:lock", "shared", false);
    request->give_up_ms = wait_ms < INT64_MAX / 2 ? monotonic_ms() + wait_ms : INT64_MAX;
    request->work.done = lock_done;
    return submit(L, request);
}

static int lock_release(lua_State *L) {
    int *lock = luaL_checkudata(L, 1, LOCK_TYPE);
    if (*lock >= 0)
        close(*lock);
    *lock = -1;
    return 0;
}

/* ---- watches ---- */

struct watch_wait;

struct watch_box {
    struct watch *watch;
    bool changed;
    struct watch_wait *wait;
};

struct watch_wait {
    struct operation operation;
    struct watch_box *box;
    struct timer *timer;
    bool timed_out;
};

static void watch_wait_end(struct watch_wait *wait) {
    if (wait->box->wait == wait) {
        wait->box->wait = NULL;
        if (wait->box->watch)
            watch_await(wait->box->watch, false);
    }
    timer_stop(wait->timer);
    wait->timer = NULL;
    task_complete(&wait->operation);
}

static void watch_wait_cancel(struct operation *operation) {
    watch_wait_end((struct watch_wait *)operation);
}

static void watch_wait_timeout(void *context) {
    struct watch_wait *wait = context;
    wait->timed_out = true;
    watch_wait_end(wait);
}

static int watch_wait_push(struct operation *operation, lua_State *L) {
    struct watch_wait *wait = (struct watch_wait *)operation;
    if (wait->timed_out) {
        lua_pushnil(L);
        lua_pushliteral(L, "timed out");
        lua_pushliteral(L, "timeout");
        return 3;
    }
    wait->box->changed = false;
    lua_pushboolean(L, true);
    return 1;
}

static const struct operation_class watch_wait_class = { "Watch:wait", watch_wait_cancel, watch_wait_push, NULL };

static void watch_changed(void *context) {
    struct watch_box *box = context;
    box->changed = true;
    if (box->wait)
        watch_wait_end(box->wait);
}

static int directory_watch(lua_State *L) {
    struct directory *directory = directory_check(L, 1);
    const char *path = check_path(L, 2);
    int fd = -1;
    /* One look-up of a directory, not worth a thread. */
    int error = file_open_below(directory->fd, path, false, 0, &fd);
    if (error)
        return task_push_errno(L, error, "watching");
    struct watch_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    memset(box, 0, sizeof *box);
    luaL_setmetatable(L, WATCH_TYPE);
    error = watch_start(fd, watch_changed, box, &box->watch);
    close(fd);
    if (error)
        return task_push_errno(L, error, "watching");
    return 1;
}

static int watch_wait(lua_State *L) {
    struct watch_box *box = luaL_checkudata(L, 1, WATCH_TYPE);
    luaL_argcheck(L, box->watch, 1, "the Watch is closed");
    luaL_argcheck(L, !box->wait, 1, "another task waits for this Watch already");
    lua_Integer timeout_ms = luaL_optinteger(L, 2, -1);
    if (!lua_isnoneornil(L, 2))
        luaL_argcheck(L, timeout_ms >= 0, 2, "milliseconds, 0 or more");
    struct watch_wait *wait = task_operation(L, sizeof *wait, &watch_wait_class);
    wait->box = box;
    if (!box->changed && timeout_ms >= 0) {
        wait->timer = timer_start(timeout_ms, watch_wait_timeout, wait);
        if (!wait->timer)
            return luaL_error(L, "out of memory");
    }
    task_begin(&wait->operation);
    if (box->changed) {
        watch_wait_end(wait);
    } else {
        box->wait = wait;
        watch_await(box->watch, true);
    }
    return task_wait(L, &wait->operation);
}

static int watch_close(lua_State *L) {
    struct watch_box *box = luaL_checkudata(L, 1, WATCH_TYPE);
    watch_stop(box->watch);
    box->watch = NULL;
    if (box->wait)
        watch_wait_end(box->wait);
    return 0;
}

/* ---- the module ---- */

static const luaL_Reg functions[] = { { "directory", open_root }, { NULL, NULL } };
static const luaL_Reg directory_methods[] = {
    { "path", directory_path },
    { "close", directory_close },
    { "read", directory_read },
    { "write", directory_write },
    { "replace", directory_replace },
    { "list", directory_list },
    { "stat", directory_stat },
    { "make", directory_make },
    { "remove", directory_remove },
    { "remove_tree", directory_remove_tree },
    { "rename", directory_rename },
    { "open", directory_open },
    { "lock", directory_lock },
    { "watch", directory_watch },
    { NULL, NULL },
};
static const luaL_Reg directory_metamethods[] = {
    { "__gc", directory_close },
    { "__close", directory_close },
    { "__tostring", directory_describe },
    { NULL, NULL },
};
static const luaL_Reg lock_methods[] = { { "release", lock_release }, { NULL, NULL } };
static const luaL_Reg lock_metamethods[] = { { "__gc", lock_release }, { "__close", lock_release }, { NULL, NULL } };
static const luaL_Reg watch_methods[] = { { "wait", watch_wait }, { "close", watch_close }, { NULL, NULL } };
static const luaL_Reg watch_metamethods[] = { { "__gc", watch_close }, { "__close", watch_close }, { NULL, NULL } };

int file_open(lua_State *L) {
    state_type(L, DIRECTORY_TYPE, directory_methods, directory_metamethods);
    state_type(L, LOCK_TYPE, lock_methods, lock_metamethods);
    state_type(L, WATCH_TYPE, watch_methods, watch_metamethods);
    luaL_newlib(L, functions);
    return 1;
}
