/* submitter.core.sandbox, see lua/meta/sandbox.lua. */
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../host/state.h"
#include "../host/task.h"
#include "modules.h"
#include "options.h"
#include "sandbox.h"

/* ---- shared with sandbox_make.c ---- */

void sandbox_release(struct sandbox *sandbox) {
    if (!sandbox || --sandbox->holders)
        return;
    session_free(sandbox->session);
    free(sandbox->interpreter);
    free(sandbox);
}

static uint64_t limit_field(lua_State *L, int index, const char *function, const char *key) {
    lua_Integer value = options_integer(L, index, function, key, -1);
    if (value < 0)
        luaL_error(L, "%s: limits.%s is missing, or less than 0", function, key);
    return (uint64_t)value;
}

struct protocol_limits sandbox_read_limits(lua_State *L, int index, const char *function) {
    static const char *const keys[] = { "memory_bytes", "cpu_ms",     "wall_ms", "output_bytes",
                                        "processes",    "file_bytes", NULL };
    if (!options_check(L, index, function, keys))
        luaL_error(L, "%s: limits are missing", function);
    struct protocol_limits limits = {
        .memory_bytes = limit_field(L, index, function, "memory_bytes"),
        .cpu_ms = limit_field(L, index, function, "cpu_ms"),
        .wall_ms = limit_field(L, index, function, "wall_ms"),
        .output_bytes = limit_field(L, index, function, "output_bytes"),
        .processes = limit_field(L, index, function, "processes"),
        .file_bytes = limit_field(L, index, function, "file_bytes"),
    };
    if (!protocol_limits_valid(&limits))
        luaL_error(L,
                   "%s: a limit is out of bounds: memory_bytes is 1 MiB to 1 TiB, cpu_ms and wall_ms 1 to 86,400,000, "
                   "output_bytes to 256 MiB, processes 1 to 65,536, file_bytes to 1 TiB",
                   function);
    return limits;
}

int sandbox_push_error(lua_State *L, const struct session_error *error) {
    lua_pushnil(L);
    lua_pushstring(L, error->message);
    lua_pushstring(L, error->code);
    return 3;
}

/* ---- requests on a session ---- */

static struct sandbox *check(lua_State *L) {
    struct sandbox **box = luaL_checkudata(L, 1, SANDBOX_TYPE);
    if (!*box || (*box)->closed)
        luaL_argerror(L, 1, "the Sandbox is closed");
    if ((*box)->busy)
        luaL_argerror(L, 1, "another task uses the Sandbox at this moment");
    return *box;
}

struct request {
    struct operation operation;
    struct sandbox *sandbox;
    bool failed;
    struct session_error error;
};

static void request_free(struct operation *operation) {
    sandbox_release(((struct request *)operation)->sandbox);
}

static void request_done(void *context, const struct session_error *error) {
    struct request *request = context;
    request->sandbox->busy = false;
    if (error) {
        request->failed = true;
        request->error = *error;
    }
    task_complete(&request->operation);
}

static void request_cancel(struct operation *operation) {
    session_abandon(((struct request *)operation)->sandbox->session);
}

static int true_push(struct operation *operation, lua_State *L) {
    struct request *request = (struct request *)operation;
    if (request->failed)
        return sandbox_push_error(L, &request->error);
    lua_pushboolean(L, true);
    return 1;
}

static struct request *begin(lua_State *L, struct sandbox *sandbox, const struct operation_class *class) {
    struct request *request = task_operation(L, sizeof *request, class);
    request->sandbox = sandbox;
    sandbox->holders++;
    return request;
}

/* It broke while nobody waited, as a container that ends in the pool does: the first request is told why. */
static int unusable(lua_State *L, struct sandbox *sandbox) {
    const struct session_error *error = session_take_error(sandbox->session);
    if (error)
        return sandbox_push_error(L, error);
    lua_pushnil(L);
    lua_pushliteral(L, "the sandbox has failed before");
    lua_pushliteral(L, "sandbox");
    return 3;
}

/* ---- build ---- */

static const struct operation_class build_class = { "Sandbox:build", request_cancel, true_push, request_free };

static int build(lua_State *L) {
    struct sandbox *sandbox = check(L);
    luaL_argcheck(L, sandbox->attached, 1, "a Sandbox of sandbox.start is built already");
    luaL_argcheck(L, !sandbox->build_begun, 1, "a Sandbox is built once");
    struct request *request = begin(L, sandbox, &build_class);
    task_begin(&request->operation);
    sandbox->build_begun = sandbox->busy = true;
    session_build(sandbox->session, &sandbox->limits, request_done, request);
    return task_wait(L, &request->operation);
}

/* ---- submit ---- */

static const struct operation_class submit_class = { "Sandbox:submit", request_cancel, true_push, request_free };

static const char *field_text(lua_State *L, int index, const char *key, size_t *length) {
    lua_getfield(L, index, key);
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "Sandbox:submit: each of files has name and data, both strings");
    const char *text = lua_tolstring(L, -1, length);
    lua_pop(L, 1); /* the table holds it */
    return text;
}

static void write_files(lua_State *L, struct protocol_writer *writer, const char *program) {
    bool found = false;
    lua_getfield(L, 2, "files");
    luaL_argcheck(L, lua_istable(L, -1), 2, "files is a list of { name=, data= }");
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    luaL_argcheck(L, count >= 1 && count <= PROTOCOL_FILES, 2, "files holds 1 to 64 files");
    for (lua_Integer index = 1; index <= count; index++) {
        size_t name_length, length;
        lua_rawgeti(L, -1, index);
        luaL_argcheck(L, lua_istable(L, -1), 2, "files is a list of { name=, data= }");
        const char *name = field_text(L, lua_gettop(L), "name", &name_length);
        const char *data = field_text(L, lua_gettop(L), "data", &length);
        if (!protocol_name_valid(name, name_length))
            luaL_error(L, "Sandbox:submit: the name of file %I is no plain file name", index);
        if (length > PROTOCOL_FILE_BYTES)
            luaL_error(L, "Sandbox:submit: file %s has %I bytes, more than 16 MiB", name, (lua_Integer)length);
        found = found || !strcmp(name, program);
        protocol_write_file(writer, name, data, length);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    luaL_argcheck(L, found, 2, "program is the name of one of the files");
}

/* Pushes "NAME=value" strings and fills the array, which lives in a userdata that is pushed first. */
static const char *const *read_environment(lua_State *L) {
    static const char *const standard[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8", NULL };
    if (lua_getfield(L, 2, "environment") == LUA_TNIL)
        return standard;
    luaL_checktype(L, -1, LUA_TTABLE);
    const char **list = lua_newuserdatauv(L, sizeof *list * (PROTOCOL_ENVIRONMENT + 1), 0);
    lua_newtable(L); /* holds the strings */
    int count = 0;
    lua_pushnil(L);
    while (lua_next(L, -4)) {
        size_t name_length = 0, length = 0;
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &name_length) : "";
        const char *value = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
        if (!name_length || strlen(name) != name_length || strchr(name, '=') || !value || strlen(value) != length ||
            count == PROTOCOL_ENVIRONMENT)
            luaL_error(
                L,
                "Sandbox:submit: environment is a table of at most %d names (without \"=\") and strings, none with a "
                "NUL byte",
                PROTOCOL_ENVIRONMENT);
        list[count] = lua_pushfstring(L, "%s=%s", name, value);
        lua_rawseti(L, -4, ++count);
        lua_pop(L, 1);
    }
    list[count] = NULL;
    return list;
}

static int submit(lua_State *L) {
    static const char function[] = "Sandbox:submit";
    static const char *const keys[] = { "files", "program", "environment", "limits", NULL };
    struct sandbox *sandbox = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    options_check(L, 2, function, keys);
    lua_settop(L, 2);
    luaL_argcheck(L, sandbox->build_begun, 1, "Sandbox:build comes first");
    luaL_argcheck(L, !sandbox->submitted, 1, "a Sandbox serves one submission");
    const char *program = options_text(L, 2, function, "program", NULL);
    luaL_argcheck(L, program, 2, "program is the name of one of the files");
    lua_getfield(L, 2, "limits");
    struct protocol_limits limits = sandbox_read_limits(L, 3, function);
    luaL_argcheck(L, protocol_limits_within(&limits, &sandbox->limits), 2,
                  "limits are at most those of sandbox.start or attach");
    if (!session_usable(sandbox->session))
        return unusable(L, sandbox);
    struct protocol_writer *writer = session_writer(sandbox->session);
    protocol_writer_sent(writer, writer->length); /* what an error of an earlier call left */
    write_files(L, writer, program);
    const char *interpreter = sandbox->interpreter ? sandbox->interpreter : "";
    protocol_write_submission(writer, program, interpreter, "", read_environment(L), &limits);
    struct request *request = begin(L, sandbox, &submit_class);
    task_begin(&request->operation);
    sandbox->submission_limits = limits;
    sandbox->submitted = sandbox->busy = true;
    session_submit(sandbox->session, request_done, request);
    return task_wait(L, &request->operation);
}

/* ---- case ---- */

static const char *const ending_names[] = { "", "exit", "signal", "cpu", "wall", "memory", "output" };

static void set_integer(lua_State *L, const char *key, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static void set_output(lua_State *L, const char *key, const struct buffer *buffer, const char *flag, bool truncated) {
    lua_pushlstring(L, buffer->data ? buffer->data : "", buffer->length);
    lua_setfield(L, -2, key);
    lua_pushboolean(L, truncated);
    lua_setfield(L, -2, flag);
}

static void set_signal(lua_State *L, int number) {
    const char *name = sigabbrev_np(number);
    if (name)
        lua_pushfstring(L, "SIG%s", name);
    else
        lua_pushfstring(L, "SIG%d", number);
    lua_setfield(L, -2, "signal");
}

static int case_push(struct operation *operation, lua_State *L) {
    struct request *request = (struct request *)operation;
    if (request->failed)
        return sandbox_push_error(L, &request->error);
    struct session_result *kept = session_result(request->sandbox->session);
    const struct protocol_result *result = &kept->result;
    lua_createtable(L, 0, 13);
    lua_pushstring(L, ending_names[result->ending]);
    lua_setfield(L, -2, "ending");
    if (result->ending == PROTOCOL_ENDING_EXIT)
        set_integer(L, "exit_code", result->exit_code);
    else if (result->signal)
        set_signal(L, (int)result->signal);
    set_integer(L, "cpu_us", (lua_Integer)result->cpu_us);
    set_integer(L, "wall_us", (lua_Integer)result->wall_us);
    set_integer(L, "cpu_ms", (lua_Integer)((result->cpu_us + 500) / 1000));
    set_integer(L, "wall_ms", (lua_Integer)((result->wall_us + 500) / 1000));
    set_integer(L, "memory_bytes", (lua_Integer)result->memory_bytes);
    set_output(L, "stdout", &kept->output, "stdout_truncated", result->flags & PROTOCOL_STDOUT_TRUNCATED);
    set_output(L, "stderr", &kept->errors, "stderr_truncated", result->flags & PROTOCOL_STDERR_TRUNCATED);
    buffer_clear(&kept->output);
    buffer_clear(&kept->errors);
    return 1;
}

static const struct operation_class case_class = { "Sandbox:case", request_cancel, case_push, request_free };

static struct protocol_bytes *read_arguments(lua_State *L, size_t *count) {
    lua_getfield(L, 2, "arguments");
    luaL_argcheck(L, lua_istable(L, -1), 2, "arguments is a list of strings");
    *count = lua_rawlen(L, -1);
    luaL_argcheck(L, *count <= PROTOCOL_ARGUMENTS, 2, "at most 65,536 arguments");
    struct protocol_bytes *arguments = lua_newuserdatauv(L, sizeof *arguments * (*count + 1), 0);
    for (size_t index = 0; index < *count; index++) {
        lua_rawgeti(L, -2, (lua_Integer)index + 1);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2, "arguments is a list of strings");
        arguments[index].data = (const uint8_t *)lua_tolstring(L, -1, &arguments[index].length);
        lua_pop(L, 1);
    }
    return arguments;
}

static int run_case(lua_State *L) {
    static const char function[] = "Sandbox:case";
    static const char *const keys[] = { "number", "arguments", "stdin", "limits", NULL };
    struct sandbox *sandbox = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    options_check(L, 2, function, keys);
    lua_settop(L, 2);
    luaL_argcheck(L, sandbox->submitted, 1, "Sandbox:submit comes first");
    lua_Integer number = options_integer(L, 2, function, "number", 0);
    luaL_argcheck(L, number >= 1 && number <= UINT32_MAX, 2, "number is 1 or more");
    size_t input_length = 0, argument_count;
    const char *input = options_text(L, 2, function, "stdin", &input_length);
    luaL_argcheck(L, input_length <= PROTOCOL_STDIN_BYTES, 2, "stdin has at most 64 MiB");
    lua_getfield(L, 2, "limits");
    struct protocol_limits limits = lua_isnil(L, 3) ? sandbox->submission_limits : sandbox_read_limits(L, 3, function);
    luaL_argcheck(L, protocol_limits_within(&limits, &sandbox->submission_limits), 2,
                  "limits are at most those of Sandbox:submit");
    struct protocol_bytes *arguments = read_arguments(L, &argument_count);
    if (!session_usable(sandbox->session))
        return unusable(L, sandbox);
    struct request *request = begin(L, sandbox, &case_class);
    struct protocol_writer *writer = session_writer(sandbox->session);
    protocol_writer_sent(writer, writer->length);
    if (!protocol_write_case(writer, (uint32_t)number, &limits, input ? input : "", input_length, arguments,
                             argument_count)) {
        writer->failed = false;
        protocol_writer_sent(writer, writer->length);
        lua_pushnil(L);
        lua_pushliteral(L,
                        "the arguments are too long: a single one has at most 131,071 bytes and no NUL, all together "
                        "2 MiB; hand long input over on standard input");
        lua_pushliteral(L, "arguments");
        return 3;
    }
    task_begin(&request->operation);
    sandbox->busy = true;
    session_case(sandbox->session, (uint32_t)number, &limits, request_done, request);
    return task_wait(L, &request->operation);
}

/* ---- close, info ---- */

/* Not to be interrupted: it is how everything is brought down. */
static const struct operation_class close_class = { "Sandbox:close", NULL, true_push, request_free };

static int close_sandbox(lua_State *L) {
    struct sandbox **box = luaL_checkudata(L, 1, SANDBOX_TYPE);
    if (!*box || (*box)->closed) {
        lua_pushboolean(L, true);
        return 1;
    }
    struct sandbox *sandbox = check(L);
    struct request *request = begin(L, sandbox, &close_class);
    task_begin(&request->operation);
    sandbox->closed = sandbox->busy = true;
    session_close(sandbox->session, request_done, request);
    return task_wait(L, &request->operation);
}

static void set_text(lua_State *L, const char *key, const char *text) {
    if (!*text)
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static int info(lua_State *L) {
    struct sandbox *sandbox = check(L);
    lua_createtable(L, 0, 4);
    set_integer(L, "protocol", PROTOCOL_VERSION);
    set_text(L, "accounting", session_accounting(sandbox->session));
    set_text(L, "python", session_python(sandbox->session));
    lua_pushboolean(L, session_usable(sandbox->session));
    lua_setfield(L, -2, "usable");
    return 1;
}

static int collect(lua_State *L) {
    struct sandbox **box = lua_touserdata(L, 1);
    sandbox_release(*box);
    *box = NULL;
    return 0;
}

static const luaL_Reg functions[] = { { "start", sandbox_start }, { "attach", sandbox_attach }, { NULL, NULL } };
static const luaL_Reg methods[] = {
    { "build", build },         { "submit", submit }, { "case", run_case },
    { "close", close_sandbox }, { "info", info },     { NULL, NULL },
};
static const luaL_Reg metamethods[] = { { "__gc", collect }, { "__close", close_sandbox }, { NULL, NULL } };

int sandbox_open(lua_State *L) {
    state_type(L, SANDBOX_TYPE, methods, metamethods);
    luaL_newlib(L, functions);
    return 1;
}
