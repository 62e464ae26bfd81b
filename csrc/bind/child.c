/* submitter.core.child, see lua/meta/child.lua. */
#include "../io/child.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../base/buffer.h"
#include "../host/state.h"
#include "../host/task.h"
#include "../io/loop.h"
#include "directory.h"
#include "modules.h"
#include "options.h"

#define CHILD_TYPE "submitter.child"

enum { MAXIMUM_DESCRIPTORS = 16, LOWEST_DESCRIPTOR = 3, HIGHEST_DESCRIPTOR = 63 };
static const size_t default_limit = 1 << 20;

/* Shared by the userdata and by the operations on it. */
struct shared_child {
    struct child *child;
    unsigned holders;
};

static void release(struct shared_child *shared) {
    if (shared && --shared->holders == 0) {
        child_close(shared->child, SIGKILL);
        free(shared);
    }
}

static struct shared_child *check(lua_State *L) {
    struct shared_child **box = luaL_checkudata(L, 1, CHILD_TYPE);
    if (!*box)
        luaL_argerror(L, 1, "the Child is closed");
    return *box;
}

static void push_end_fields(lua_State *L, const struct child_end *end) {
    if (end->exited) {
        lua_pushinteger(L, end->code);
        lua_setfield(L, -2, "exit_code");
    } else {
        const char *name = sigabbrev_np(end->code);
        if (name)
            lua_pushfstring(L, "SIG%s", name);
        else
            lua_pushfstring(L, "SIG%d", end->code);
        lua_setfield(L, -2, "signal");
    }
    lua_pushinteger(L, end->user_us);
    lua_setfield(L, -2, "user_us");
    lua_pushinteger(L, end->system_us);
    lua_setfield(L, -2, "system_us");
    lua_pushinteger(L, end->max_rss_bytes);
    lua_setfield(L, -2, "max_rss_bytes");
}

/* ---- start and run ---- */

struct launch {
    struct operation operation;
    struct work work;
    const char *function;
    struct child_options options;
    struct child_descriptor descriptors[MAXIMUM_DESCRIPTORS];
    char **arguments, **environment;
    struct directory *directory;
    struct child_start start;
    int error;
    bool abandoned;
    /* run: */
    bool run;
    struct child *child;
    const char *input;
    size_t input_length;
    struct buffer output[2];
    unsigned pending; /* streams, input and end that are still awaited */
    bool reading[2];  /* these streams are among them */
};

static void free_list(char **list) {
    for (char **at = list; at && *at; at++)
        free(*at);
    free(list);
}

static void launch_free(struct operation *operation) {
    struct launch *launch = (struct launch *)operation;
    free_list(launch->arguments);
    free_list(launch->environment);
    directory_release(launch->directory);
    child_close(launch->child, SIGKILL);
    buffer_clear(&launch->output[0]);
    buffer_clear(&launch->output[1]);
}

static void launch_work(struct work *work) {
    struct launch *launch = (struct launch *)((char *)work - offsetof(struct launch, work));
    launch->error = child_start(&launch->options, &launch->start);
}

static void run_step_done(struct launch *launch) {
    if (--launch->pending == 0)
        task_complete(&launch->operation);
}

static void run_ended(void *context) {
    run_step_done(context);
}

static void run_written(void *context, int status) {
    struct launch *launch = context;
    (void)status; /* a program need not read its input */
    child_close_input(launch->child);
    run_step_done(launch);
}

static void run_got(struct launch *launch, enum child_stream stream, const char *data, ssize_t length);

static void run_got_stdout(void *context, const char *data, ssize_t length) {
    run_got(context, CHILD_STDOUT, data, length);
}

static void run_got_stderr(void *context, const char *data, ssize_t length) {
    run_got(context, CHILD_STDERR, data, length);
}

static void run_got(struct launch *launch, enum child_stream stream, const char *data, ssize_t length) {
    if (length <= 0) {
        launch->reading[stream - 1] = false;
        run_step_done(launch);
        return;
    }
    buffer_fill(&launch->output[stream - 1], data, (size_t)length);
    child_read(launch->child, stream, stream == CHILD_STDOUT ? run_got_stdout : run_got_stderr, launch);
}

/* From here the child's life takes its course; the operation completes when all of it came to an end. */
static void run_follow(struct launch *launch) {
    launch->pending = 4;
    launch->reading[0] = launch->reading[1] = true;
    child_wait(launch->child, run_ended, launch);
    child_read(launch->child, CHILD_STDOUT, run_got_stdout, launch);
    child_read(launch->child, CHILD_STDERR, run_got_stderr, launch);
    if (!launch->input_length || child_write(launch->child, launch->input, launch->input_length, run_written, launch)) {
        child_close_input(launch->child);
        run_step_done(launch);
    }
}

/* Kills the child. Its output isn't awaited any more: something that it started may hold the pipe for ever. */
static void run_abandon(struct launch *launch) {
    child_kill(launch->child, SIGKILL);
    child_close_input(launch->child);
    for (int index = 0; index < 2; index++) {
        if (!launch->reading[index])
            continue;
        launch->reading[index] = false;
        child_read_stop(launch->child, index ? CHILD_STDERR : CHILD_STDOUT);
        run_step_done(launch);
    }
}

static void launch_done(struct work *work) {
    struct launch *launch = (struct launch *)((char *)work - offsetof(struct launch, work));
    if (!launch->error)
        launch->error = child_adopt(&launch->start, &launch->child);
    if (launch->error || !launch->run) {
        task_complete(&launch->operation);
        return;
    }
    run_follow(launch);
    if (launch->abandoned)
        run_abandon(launch);
}

/* run only: the child's end completes the operation. */
static void run_cancel(struct operation *operation) {
    struct launch *launch = (struct launch *)operation;
    launch->abandoned = true;
    if (launch->child)
        run_abandon(launch);
}

static int push_failure(lua_State *L, const struct launch *launch) {
    lua_pushfstring(L, "%s %s", launch->function, launch->options.program);
    return task_push_errno(L, launch->error, lua_tostring(L, -1));
}

static int start_push(struct operation *operation, lua_State *L) {
    struct launch *launch = (struct launch *)operation;
    if (launch->error)
        return push_failure(L, launch);
    struct shared_child **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, CHILD_TYPE);
    struct shared_child *shared = malloc(sizeof *shared);
    if (!shared)
        return luaL_error(L, "out of memory");
    *shared = (struct shared_child){ .child = launch->child, .holders = 1 };
    launch->child = NULL;
    *box = shared;
    return 1;
}

static int run_push(struct operation *operation, lua_State *L) {
    static const char *const names[] = { "stdout", "stderr" }, *const flags[] = { "stdout_truncated",
                                                                                  "stderr_truncated" };
    struct launch *launch = (struct launch *)operation;
    struct child_end end;
    if (launch->error)
        return push_failure(L, launch);
    lua_createtable(L, 0, 9);
    child_ended(launch->child, &end);
    push_end_fields(L, &end);
    for (int index = 0; index < 2; index++) {
        struct buffer *output = &launch->output[index];
        lua_pushlstring(L, output->data ? output->data : "", output->length);
        lua_setfield(L, -2, names[index]);
        lua_pushboolean(L, output->failed);
        lua_setfield(L, -2, flags[index]);
    }
    return 1;
}

static const struct operation_class start_class = { "child.start", NULL, start_push, launch_free };
static const struct operation_class run_class = { "child.run", run_cancel, run_push, launch_free };

/* ---- options ---- */

/* Copies the strings of a list at the top of the stack, after first if it isn't NULL. */
static char **copy_list(lua_State *L, const char *function, const char *key, const char *first) {
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    char **list = calloc((size_t)count + 2, sizeof *list);
    size_t filled = 0;
    if (!list)
        luaL_error(L, "out of memory");
    if (first)
        list[filled++] = strdup(first);
    for (lua_Integer index = 1; index <= count; index++) {
        lua_rawgeti(L, -1, index);
        size_t length = 0;
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
        if (!text || strlen(text) != length) {
            free_list(list);
            luaL_error(L, "%s: %s[%I] is a string without NUL bytes", function, key, index);
        }
        list[filled++] = strdup(text);
        lua_pop(L, 1);
    }
    return list;
}

static char **copy_environment(lua_State *L, const char *function) {
    size_t count = 0;
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, -3)) {
        size_t name_length = 0, length = 0;
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &name_length) : "";
        const char *value = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
        if (!name_length || strlen(name) != name_length || strchr(name, '=') || !value || strlen(value) != length)
            luaL_error(L, "%s: environment is a table of names (without \"=\") and strings, none with a NUL byte",
                       function);
        lua_pushfstring(L, "%s=%s", name, value);
        lua_rawseti(L, -4, (lua_Integer)++count);
        lua_pop(L, 1);
    }
    char **list = copy_list(L, function, "environment", NULL);
    lua_pop(L, 1);
    return list;
}

static enum child_connection connection(lua_State *L, const char *function, const char *key) {
    const char *text = options_text(L, 1, function, key, NULL);
    if (!text || !strcmp(text, "null"))
        return CHILD_NULL;
    if (!strcmp(text, "pipe"))
        return CHILD_PIPE;
    if (!strcmp(text, "inherit"))
        return CHILD_INHERIT;
    luaL_error(L, "%s: %s is \"null\", \"pipe\" or \"inherit\", not \"%s\"", function, key, text);
    return CHILD_NULL; /* not reached */
}

static void read_descriptors(lua_State *L, struct launch *launch) {
    if (lua_getfield(L, 1, "descriptors") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    luaL_checktype(L, -1, LUA_TTABLE);
    options_keep(L, lua_gettop(L)); /* stays on the stack */
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        size_t count = launch->options.descriptor_count;
        struct child_descriptor *descriptor = &launch->descriptors[count];
        if (!lua_isinteger(L, -2) || lua_type(L, -1) != LUA_TSTRING || lua_tointeger(L, -2) < LOWEST_DESCRIPTOR ||
            lua_tointeger(L, -2) > HIGHEST_DESCRIPTOR || count == MAXIMUM_DESCRIPTORS)
            luaL_error(L, "%s: descriptors is a table of at most %d numbers (%d to %d) and strings", launch->function,
                       MAXIMUM_DESCRIPTORS, LOWEST_DESCRIPTOR, HIGHEST_DESCRIPTOR);
        descriptor->number = (int)lua_tointeger(L, -2);
        descriptor->data = lua_tolstring(L, -1, &descriptor->length);
        launch->options.descriptor_count++;
        lua_pop(L, 1);
    }
    launch->options.descriptors = launch->descriptors;
}

static struct launch *prepare(lua_State *L, const char *function, const struct operation_class *class,
                              const char *const *keys) {
    luaL_checktype(L, 1, LUA_TTABLE);
    options_check(L, 1, function, keys);
    lua_settop(L, 1);
    options_keep(L, 1);
    struct launch *launch = task_operation(L, sizeof *launch, class);
    launch->function = function;
    launch->work.run = launch_work;
    launch->work.done = launch_done;
    size_t length;
    const char *program = options_text(L, 1, function, "program", &length);
    if (!program || !strchr(program, '/') || strlen(program) != length)
        luaL_error(L, "%s: program is a path with a \"/\": nothing is searched", function);
    launch->options.program = program;
    launch->options.directory = -1;
    launch->options.new_session = options_boolean(L, 1, function, "new_session", false);
    if (lua_getfield(L, 1, "arguments") == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    luaL_checktype(L, -1, LUA_TTABLE);
    launch->arguments = copy_list(L, function, "arguments", program);
    lua_pop(L, 1);
    if (lua_getfield(L, 1, "environment") == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    luaL_checktype(L, -1, LUA_TTABLE);
    launch->environment = copy_environment(L, function);
    lua_pop(L, 1);
    if (lua_getfield(L, 1, "directory") != LUA_TNIL) {
        launch->directory = directory_hold(directory_check(L, -1));
        launch->options.directory = launch->directory->fd;
    }
    lua_pop(L, 1);
    read_descriptors(L, launch);
    launch->options.arguments = launch->arguments;
    launch->options.environment = launch->environment;
    return launch;
}

static int submit(lua_State *L, struct launch *launch) {
    task_begin(&launch->operation);
    int status = loop_work(&launch->work);
    if (status < 0) {
        task_withdraw(&launch->operation);
        launch->error = -status;
        return push_failure(L, launch);
    }
    return task_wait(L, &launch->operation);
}

static int start(lua_State *L) {
    static const char *const keys[] = { "program", "arguments", "environment", "directory",   "stdin",
                                        "stdout",  "stderr",    "descriptors", "new_session", NULL };
    struct launch *launch = prepare(L, "child.start", &start_class, keys);
    launch->options.streams[CHILD_STDIN] = connection(L, "child.start", "stdin");
    launch->options.streams[CHILD_STDOUT] = connection(L, "child.start", "stdout");
    launch->options.streams[CHILD_STDERR] = connection(L, "child.start", "stderr");
    return submit(L, launch);
}

static int run(lua_State *L) {
    static const char *const keys[] = { "program",     "arguments", "environment", "directory", "descriptors",
                                        "new_session", "input",     "limit_bytes", NULL };
    struct launch *launch = prepare(L, "child.run", &run_class, keys);
    launch->run = true;
    launch->input = options_text(L, 1, "child.run", "input", &launch->input_length);
    lua_Integer limit = options_integer(L, 1, "child.run", "limit_bytes", (lua_Integer)default_limit);
    luaL_argcheck(L, limit > 0, 1, "limit_bytes is more than 0");
    launch->output[0].limit = launch->output[1].limit = (size_t)limit;
    for (int stream = 0; stream < 3; stream++)
        launch->options.streams[stream] = CHILD_PIPE;
    return submit(L, launch);
}

/* ---- methods ---- */

/* An operation on a child that was started. */
struct child_operation {
    struct operation operation;
    struct shared_child *shared;
    enum child_stream stream;
    struct buffer data;
    ssize_t status;
};

static void child_operation_free(struct operation *operation) {
    struct child_operation *self = (struct child_operation *)operation;
    release(self->shared);
    buffer_clear(&self->data);
}

static void *begin(lua_State *L, const struct operation_class *class) {
    struct shared_child *shared = check(L);
    struct child_operation *self = task_operation(L, sizeof *self, class);
    self->shared = shared;
    shared->holders++;
    return self;
}

static void wait_ended(void *context) {
    struct child_operation *self = context;
    task_complete(&self->operation);
}

static void wait_cancel(struct operation *operation) {
    child_wait_stop(((struct child_operation *)operation)->shared->child);
    task_complete(operation);
}

static int wait_push(struct operation *operation, lua_State *L) {
    struct child_end end;
    child_ended(((struct child_operation *)operation)->shared->child, &end);
    lua_createtable(L, 0, 4);
    push_end_fields(L, &end);
    return 1;
}

static const struct operation_class wait_class = { "Child:wait", wait_cancel, wait_push, child_operation_free };

static int child_wait_method(lua_State *L) {
    luaL_argcheck(L, !child_awaited(check(L)->child), 1, "another task waits for this Child already");
    struct child_operation *self = begin(L, &wait_class);
    task_begin(&self->operation);
    child_wait(self->shared->child, wait_ended, self);
    return task_wait(L, &self->operation);
}

static void read_got(void *context, const char *data, ssize_t length) {
    struct child_operation *self = context;
    self->status = length;
    if (length > 0 && !buffer_append(&self->data, data, (size_t)length))
        self->status = -ENOMEM;
    task_complete(&self->operation);
}

static void read_cancel(struct operation *operation) {
    struct child_operation *self = (struct child_operation *)operation;
    child_read_stop(self->shared->child, self->stream);
    task_complete(operation);
}

static int read_push(struct operation *operation, lua_State *L) {
    struct child_operation *self = (struct child_operation *)operation;
    if (self->status < 0)
        return task_push_errno(L, (int)-self->status, "reading from the child");
    lua_pushlstring(L, self->data.data ? self->data.data : "", self->data.length);
    return 1;
}

static const struct operation_class read_class = { "Child:read", read_cancel, read_push, child_operation_free };

static int child_read_method(lua_State *L) {
    static const char *const names[] = { "stdout", "stderr", NULL };
    enum child_stream stream = luaL_checkoption(L, 2, NULL, names) ? CHILD_STDERR : CHILD_STDOUT;
    luaL_argcheck(L, !child_reading(check(L)->child, stream), 1, "another task reads from this stream already");
    struct child_operation *self = begin(L, &read_class);
    self->stream = stream;
    task_begin(&self->operation);
    child_read(self->shared->child, stream, read_got, self);
    return task_wait(L, &self->operation);
}

static void write_done(void *context, int status) {
    struct child_operation *self = context;
    self->status = status;
    task_complete(&self->operation);
}

static int write_push(struct operation *operation, lua_State *L) {
    struct child_operation *self = (struct child_operation *)operation;
    if (self->status < 0)
        return task_push_errno(L, (int)-self->status, "writing to the child");
    lua_pushboolean(L, true);
    return 1;
}

/* An interrupted write would leave half a message behind: the input is closed, which ends the write with an error. */
static void write_cancel(struct operation *operation) {
    child_close_input(((struct child_operation *)operation)->shared->child);
}

static const struct operation_class write_class = { "Child:write", write_cancel, write_push, child_operation_free };

static int child_write_method(lua_State *L) {
    size_t length;
    const char *data = luaL_checklstring(L, 2, &length);
    struct child_operation *self = begin(L, &write_class);
    task_begin(&self->operation);
    int error = child_write(self->shared->child, data, length, write_done, self);
    if (error) {
        task_withdraw(&self->operation);
        return task_push_errno(L, error, "writing to the child");
    }
    return task_wait(L, &self->operation);
}

static int child_close_input_method(lua_State *L) {
    child_close_input(check(L)->child);
    return 0;
}

static int child_pid_method(lua_State *L) {
    lua_pushinteger(L, child_pid(check(L)->child));
    return 1;
}

static int child_kill_method(lua_State *L) {
    static const struct {
        const char *name;
        int number;
    } signals[] = {
        { "KILL", SIGKILL }, { "TERM", SIGTERM }, { "INT", SIGINT },   { "HUP", SIGHUP },   { "STOP", SIGSTOP },
        { "CONT", SIGCONT }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "QUIT", SIGQUIT },
    };
    const char *name = luaL_optstring(L, 2, "KILL");
    for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) {
        if (strcmp(signals[index].name, name))
            continue;
        int error = child_kill(check(L)->child, signals[index].number);
        if (error)
            return task_push_errno(L, error, "Child:kill");
        lua_pushboolean(L, true);
        return 1;
    }
    return luaL_error(L, "Child:kill(signal): no such signal \"%s\"", name);
}

static int child_close_method(lua_State *L) {
    struct shared_child **box = luaL_checkudata(L, 1, CHILD_TYPE);
    if (*box && (*box)->holders > 1) /* an operation waits for it: let that end */
        child_kill((*box)->child, SIGKILL);
    release(*box);
    *box = NULL;
    return 0;
}

static const luaL_Reg functions[] = { { "start", start }, { "run", run }, { NULL, NULL } };
static const luaL_Reg methods[] = {
    { "pid", child_pid_method },     { "wait", child_wait_method },
    { "kill", child_kill_method },   { "read", child_read_method },
    { "write", child_write_method }, { "close_input", child_close_input_method },
    { "close", child_close_method }, { NULL, NULL },
};
static const luaL_Reg metamethods[] = {
    { "__gc", child_close_method },
    { "__close", child_close_method },
    { NULL, NULL },
};

int child_open(lua_State *L) {
    state_type(L, CHILD_TYPE, methods, metamethods);
    luaL_newlib(L, functions);
    return 1;
}
