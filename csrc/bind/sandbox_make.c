/* How a Sandbox comes into being: sandbox.start and sandbox.attach, see lua/meta/sandbox.lua. */
#include "sandbox.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/state.h"
#include "../host/task.h"
#include "../io/attach.h"
#include "../io/loop.h"
#include "../io/sandbox_child.h"
#include "options.h"

enum { MAXIMUM_READ_ONLY = 64, ATTACH_TIMEOUT_MS = 10000, LONGEST_TIMEOUT_MS = 1000 * 60 * 60 * 24 };

/* ---- what both ways share ---- */

/* A text without NUL bytes from the option table at index 1; NULL when absent. */
static const char *text_option(lua_State *L, const char *function, const char *key) {
    size_t length;
    const char *text = options_text(L, 1, function, key, &length);
    if (text && strlen(text) != length)
        luaL_error(L, "%s: option %s holds a NUL byte", function, key);
    return text;
}

/* One that the operation holds: its memory is given back whatever happens. */
static struct sandbox *new_sandbox(lua_State *L, struct sandbox **holder, const struct protocol_limits *limits) {
    struct sandbox *sandbox = *holder = calloc(1, sizeof *sandbox);
    if (!sandbox)
        luaL_error(L, "out of memory");
    sandbox->holders = 1;
    sandbox->limits = *limits;
    return sandbox;
}

/* The Sandbox over a session, in the place of what made it. */
static int push_sandbox(lua_State *L, struct sandbox **made) {
    struct sandbox **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, SANDBOX_TYPE);
    *box = *made;
    *made = NULL;
    return 1;
}

/* ---- start ---- */

struct start {
    struct operation operation;
    struct work work;
    struct sandbox_options options;
    struct child_start launched;
    const char *read_only[MAXIMUM_READ_ONLY + 1];
    char programs[4096];
    struct sandbox *sandbox;
    int launch_error;
    bool failed, abandoned;
    struct session_error error;
};

static void start_free(struct operation *operation) {
    sandbox_release(((struct start *)operation)->sandbox);
}

static void start_work(struct work *work) {
    struct start *start = (struct start *)((char *)work - offsetof(struct start, work));
    start->launch_error = sandbox_child_launch(&start->options, &start->launched);
}

static void start_done(void *context, const struct session_error *error) {
    struct start *start = context;
    if (error) {
        start->failed = true;
        start->error = *error;
    }
    task_complete(&start->operation);
}

static void start_launched(struct work *work) {
    struct start *start = (struct start *)((char *)work - offsetof(struct start, work));
    struct transport *transport;
    if (!start->launch_error)
        start->launch_error = sandbox_child_adopt(&start->launched, &transport);
    if (!start->launch_error && !(start->sandbox->session = session_open(transport)))
        start->launch_error = ENOMEM;
    if (start->launch_error) {
        task_complete(&start->operation);
        return;
    }
    session_build(start->sandbox->session, &start->options.limits, start_done, start);
    if (start->abandoned)
        session_abandon(start->sandbox->session);
}

static void start_cancel(struct operation *operation) {
    struct start *start = (struct start *)operation;
    start->abandoned = true;
    if (start->sandbox->session)
        session_abandon(start->sandbox->session);
}

static int start_push(struct operation *operation, lua_State *L) {
    struct start *start = (struct start *)operation;
    if (start->launch_error) {
        lua_pushnil(L);
        bool missing = start->launch_error == ENOENT || start->launch_error == EACCES;
        lua_pushfstring(L, "%s/submitter-sandbox can't be started: %s%s", start->programs,
                        loop_error_text(start->launch_error), missing ? "; build or install it there" : "");
        lua_pushliteral(L, "environment");
        return 3;
    }
    if (start->failed)
        return sandbox_push_error(L, &start->error);
    return push_sandbox(L, &start->sandbox);
}

static const struct operation_class start_class = { "sandbox.start", start_cancel, start_push, start_free };

static void read_paths(lua_State *L, struct start *start) {
    if (lua_getfield(L, 1, "read_only") != LUA_TNIL) {
        luaL_checktype(L, -1, LUA_TTABLE);
        options_keep(L, lua_gettop(L)); /* stays on the stack */
        lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
        if (count > MAXIMUM_READ_ONLY)
            luaL_error(L, "sandbox.start: read_only holds at most %d paths", MAXIMUM_READ_ONLY);
        for (lua_Integer index = 1; index <= count; index++) {
            lua_rawgeti(L, -1, index);
            size_t length;
            const char *path = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
            if (!path || *path != '/' || strlen(path) != length)
                luaL_error(L, "sandbox.start: read_only[%I] is an absolute path", index);
            start->read_only[index - 1] = path;
            lua_pop(L, 1);
        }
        start->options.read_only = start->read_only;
    }
}

static void read_programs(lua_State *L, struct start *start) {
    const char *programs = text_option(L, "sandbox.start", "programs");
    if (programs) {
        snprintf(start->programs, sizeof start->programs, "%s", programs);
    } else {
        snprintf(start->programs, sizeof start->programs, "%s", state_executable());
        *strrchr(start->programs, '/') = '\0';
    }
    start->options.programs = start->programs;
}

/* Hundredths of a processor; 0 when it isn't asked for. */
static unsigned read_processors(lua_State *L, const char *function) {
    lua_getfield(L, 1, "processors");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return 0;
    }
    int is_number;
    lua_Number processors = lua_tonumberx(L, -1, &is_number);
    if (!is_number || !(processors >= 0.1 && processors <= 1024))
        luaL_error(L, "%s: processors is a number from 0.1 to 1024", function);
    lua_pop(L, 1);
    return (unsigned)(processors * 100 + 0.5);
}

static const char *read_accounting(lua_State *L, const char *function) {
    const char *accounting = text_option(L, function, "accounting");
    if (!accounting)
        return "cgroup";
    if (strcmp(accounting, "cgroup") && strcmp(accounting, "container") && strcmp(accounting, "rlimit"))
        luaL_error(L, "%s: accounting is \"cgroup\", \"container\" or \"rlimit\"", function);
    return accounting;
}

int sandbox_start(lua_State *L) {
    static const char function[] = "sandbox.start";
    static const char *const keys[] = { "limits",     "interpreter", "read_only", "cgroup_parent",
                                        "accounting", "processors",  "programs",  NULL };
    luaL_checktype(L, 1, LUA_TTABLE);
    options_check(L, 1, function, keys);
    lua_settop(L, 1);
    options_keep(L, 1);
    const char *interpreter = text_option(L, function, "interpreter");
    if (!interpreter || *interpreter != '/')
        return luaL_error(L, "%s: interpreter is an absolute path", function);
    const char *accounting = read_accounting(L, function);
    unsigned processors_percent = read_processors(L, function);
    if (processors_percent && strcmp(accounting, "cgroup"))
        return luaL_error(L, "%s: a share of processors takes accounting \"cgroup\"", function);
    lua_getfield(L, 1, "limits");
    struct protocol_limits limits = sandbox_read_limits(L, 2, function);

    struct start *start = task_operation(L, sizeof *start, &start_class);
    struct sandbox *sandbox = new_sandbox(L, &start->sandbox, &limits);
    sandbox->build_begun = true;
    if (!(sandbox->interpreter = strdup(interpreter)))
        return luaL_error(L, "out of memory");
    start->options.limits = limits;
    start->options.accounting = accounting;
    start->options.cgroup_parent = text_option(L, function, "cgroup_parent");
    start->options.processors_percent = processors_percent;
    read_paths(L, start);
    read_programs(L, start);
    start->work.run = start_work;
    start->work.done = start_launched;
    task_begin(&start->operation);
    int status = loop_work(&start->work);
    if (status < 0) {
        task_withdraw(&start->operation);
        return task_push_errno(L, -status, function);
    }
    return task_wait(L, &start->operation);
}

/* ---- attach ---- */

struct attaching {
    struct operation operation;
    struct attach *attach;
    struct sandbox *sandbox;
};

static void attach_free(struct operation *operation) {
    struct attaching *self = (struct attaching *)operation;
    attach_close(self->attach);
    self->attach = NULL;
    sandbox_release(self->sandbox);
    self->sandbox = NULL;
}

/* What was opened is read from now on, so that nothing the runner says is lost. */
static void attach_done(void *context) {
    struct attaching *self = context;
    if (!attach_answer(self->attach)->failure) {
        struct attach *opened = self->attach;
        self->attach = NULL;
        self->sandbox->session = session_open(attach_transport(opened));
    }
    task_complete(&self->operation);
}

static void attach_cancel(struct operation *operation) {
    attach_free(operation);
    task_complete(operation);
}

static int push_refusal(lua_State *L, const struct attach_answer *answer) {
    static const char *const codes[] = { "", "connect", "timeout", "cut", "refused", "" };
    if (answer->failure == ATTACH_MEMORY)
        return luaL_error(L, "out of memory");
    lua_pushnil(L);
    lua_pushstring(L, answer->message);
    lua_pushstring(L, codes[answer->failure]);
    if (answer->failure != ATTACH_REFUSED)
        return 3;
    lua_pushinteger(L, answer->status);
    return 4;
}

static int attach_push(struct operation *operation, lua_State *L) {
    struct attaching *self = (struct attaching *)operation;
    if (self->attach)
        return push_refusal(L, attach_answer(self->attach));
    if (!self->sandbox->session)
        return luaL_error(L, "out of memory");
    return push_sandbox(L, &self->sandbox);
}

static const struct operation_class attach_class = { "sandbox.attach", attach_cancel, attach_push, attach_free };

/* What can stand in the first line of a request: RFC 9112, section 3. */
static bool is_target(const char *path) {
    for (const char *at = path; *at; at++)
        if (*at <= ' ' || *at >= 0x7f)
            return false;
    return *path == '/';
}

int sandbox_attach(lua_State *L) {
    static const char function[] = "sandbox.attach";
    static const char *const keys[] = { "socket", "path", "limits", "timeout_ms", NULL };
    luaL_checktype(L, 1, LUA_TTABLE);
    options_check(L, 1, function, keys);
    lua_settop(L, 1);
    options_keep(L, 1);
    struct attach_options options = {
        .socket = text_option(L, function, "socket"),
        .path = text_option(L, function, "path"),
        .timeout_ms = options_milliseconds(L, 1, function, "timeout_ms", ATTACH_TIMEOUT_MS, LONGEST_TIMEOUT_MS),
    };
    if (!options.socket || *options.socket != '/')
        return luaL_error(L, "%s: socket is the absolute path of a container engine's socket", function);
    if (!options.path || !is_target(options.path))
        return luaL_error(L, "%s: path begins with / and holds visible characters of ASCII only", function);
    lua_getfield(L, 1, "limits");
    struct protocol_limits limits = sandbox_read_limits(L, 2, function);
    struct attaching *self = task_operation(L, sizeof *self, &attach_class);
    new_sandbox(L, &self->sandbox, &limits)->attached = true;
    task_begin(&self->operation);
    self->attach = attach_start(&options, attach_done, self);
    if (!self->attach) {
        task_withdraw(&self->operation);
        return luaL_error(L, "out of memory");
    }
    if (attach_answer(self->attach)->ended)
        task_complete(&self->operation);
    return task_wait(L, &self->operation);
}
