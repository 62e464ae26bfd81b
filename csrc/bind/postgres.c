/* submitter.core.postgres, see lua/meta/postgres.lua. */
#include "../io/postgres.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "../host/state.h"
#include "../host/task.h"
#include "../io/postgres_text.h"
#include "buffers.h"
#include "modules.h"
#include "options.h"
#include "postgres_values.h"

#define CONNECTION_TYPE "submitter.postgres"

enum { CONNECT_TIMEOUT_MS = 5000, TIMEOUT_MS = 30000, LIMIT_BYTES = 64 << 20 };
/* PostgreSQL takes no message of 1 GiB. */
enum { ROWS_LIMIT_BYTES = 1 << 30, MOST_PARAMETERS = 65535 };
static const lua_Integer longest_ms = 1000LL * 60 * 60 * 24;

/* What a Connection is in Lua. */
struct box {
    struct postgres *connection; /* NULL: closed */
    bool busy;                   /* a task waits for a statement */
    int version;
};

/* ---- failures ---- */

static const char *failure_code(enum postgres_failure failure) {
    switch (failure) {
    case POSTGRES_CONNECT: return "connect";
    case POSTGRES_REFUSED: return "refused";
    case POSTGRES_LOST: return "lost";
    case POSTGRES_TIMEOUT: return "timeout";
    case POSTGRES_TOO_LARGE: return "too_large";
    case POSTGRES_CLOSED: return "closed";
    default: return "library";
    }
}

/* The message, and if asked where in what was sent. */
static void push_message(lua_State *L, const struct postgres_outcome *outcome, bool where) {
    const char *context = outcome->fields[POSTGRES_CONTEXT];
    lua_pushstring(L, outcome->message);
    if (!where || !context)
        return;
    lua_pushliteral(L, " (");
    lua_pushlstring(L, context, strcspn(context, "\n"));
    lua_pushliteral(L, ")");
    lua_concat(L, 4);
}

static int push_failure(lua_State *L, const char *function, const struct postgres_outcome *outcome, bool where) {
    static const char *const names[POSTGRES_FIELD_COUNT] = { "sqlstate", "constraint", "table",  "column",
                                                             "detail",   "hint",       "context" };
    if (outcome->failure == POSTGRES_MEMORY)
        return luaL_error(L, "out of memory");
    if (outcome->failure == POSTGRES_MISUSE)
        return luaL_error(L, "%s: %s", function, outcome->message);
    lua_pushnil(L);
    push_message(L, outcome, where);
    lua_pushstring(L, failure_code(outcome->failure));
    lua_createtable(L, 0, POSTGRES_FIELD_COUNT + 1);
    lua_pushboolean(L, outcome->sent);
    lua_setfield(L, -2, "sent");
    for (int field = 0; field < POSTGRES_FIELD_COUNT; field++) {
        if (outcome->fields[field]) {
            lua_pushstring(L, outcome->fields[field]);
            lua_setfield(L, -2, names[field]);
        }
    }
    return 4;
}

/* ---- statements ---- */

struct statement {
    struct operation operation;
    struct box *box;
    struct postgres_request request;
    struct postgres_outcome outcome;
    struct buffer data; /* the parameters, packed, or the rows of a COPY */
};

static void statement_done(void *context) {
    struct statement *self = context;
    self->box->busy = false;
    task_complete(&self->operation);
}

static void statement_cancel(struct operation *operation) {
    postgres_interrupt(((struct statement *)operation)->box->connection);
}

static void statement_free(struct operation *operation) {
    struct statement *self = (struct statement *)operation;
    postgres_outcome_clear(&self->outcome);
    buffer_clear(&self->data);
}

static int query_push(struct operation *operation, lua_State *L) {
    struct statement *self = (struct statement *)operation;
    if (self->outcome.failure)
        return push_failure(L, operation->class->name, &self->outcome, false);
    return postgres_values_result(L, &self->outcome);
}

static int copy_push(struct operation *operation, lua_State *L) {
    struct statement *self = (struct statement *)operation;
    if (self->outcome.failure)
        return push_failure(L, operation->class->name, &self->outcome, true);
    lua_pushinteger(L, self->outcome.affected);
    return 1;
}

static const struct operation_class query_class = { "Connection:query", statement_cancel, query_push, statement_free };
static const struct operation_class script_class = { "Connection:script", statement_cancel, query_push,
                                                     statement_free };
static const struct operation_class copy_class = { "Connection:copy", statement_cancel, copy_push, statement_free };

static struct box *check_free(lua_State *L, const char *function) {
    struct box *box = luaL_checkudata(L, 1, CONNECTION_TYPE);
    if (box->busy)
        luaL_error(L, "%s: another task waits for a statement on this connection, which serves one at a time",
                   function);
    return box;
}

static int push_closed(lua_State *L) {
    lua_pushnil(L);
    lua_pushliteral(L, "the connection was closed by this program");
    lua_pushliteral(L, "closed");
    postgres_values_unsent(L);
    return 4;
}

static const char *check_sql(lua_State *L, const char *function) {
    size_t length;
    const char *sql = luaL_checklstring(L, 2, &length);
    if (strlen(sql) != length)
        luaL_error(L, "%s: the statement holds a NUL byte", function);
    return sql;
}

static void read_options(lua_State *L, int index, const char *function, struct postgres_request *request) {
    static const char *const keys[] = { "timeout_ms", "limit_bytes", NULL };
    options_check(L, index, function, keys);
    request->timeout_ms = options_milliseconds(L, index, function, "timeout_ms", TIMEOUT_MS, longest_ms);
    lua_Integer limit = options_integer(L, index, function, "limit_bytes", LIMIT_BYTES);
    if (limit < 0)
        luaL_error(L, "%s: limit_bytes is 0 or more", function);
    request->limit_bytes = (size_t)limit;
}

/* Begins a statement, whose data (or NULL) it takes over, and waits for its end. What the request points to stays on the stack or is in
 * that data. */
static int begin(lua_State *L, struct box *box, const struct postgres_request *request, struct buffer *data,
                 const struct operation_class *class) {
    struct statement *self = task_operation(L, sizeof *self, class);
    self->box = box;
    self->request = *request;
    if (data) {
        self->data = *data;
        *data = (struct buffer){ 0 };
    }
    task_begin(&self->operation);
    box->busy = postgres_begin(box->connection, &self->request, &self->outcome, statement_done, self);
    if (!box->busy)
        task_complete(&self->operation);
    return task_wait(L, &self->operation);
}

/* Packs the parameters at index 3 and pushes what holds them. Returns 0, or the number of results that say why not. */
static int read_parameters(lua_State *L, struct postgres_request *request, struct buffer **packed) {
    struct postgres_place place = { .function = "Connection:query" };
    if (!lua_isnoneornil(L, 3) && (!lua_istable(L, 3) || postgres_values_bytea(L, 3)))
        luaL_error(L, "Connection:query: parameters are a list, not a %s", luaL_typename(L, 3));
    size_t count = lua_istable(L, 3) ? lua_rawlen(L, 3) : 0;
    if (count > MOST_PARAMETERS)
        luaL_error(L, "Connection:query: a statement has %d parameters at most, these are %I: send a list, or use copy",
                   (int)MOST_PARAMETERS, (lua_Integer)count);
    struct postgres_parameter *list = lua_newuserdatauv(L, (count + 1) * sizeof *list, 0);
    *packed = buffers_new(L);
    (*packed)->limit = POSTGRES_PARAMETERS_BYTES;
    int top = lua_gettop(L);
    for (size_t index = 0; index < count; index++) {
        place.column = (lua_Integer)index + 1;
        lua_rawgeti(L, 3, place.column);
        enum postgres_value status = postgres_values_pack(L, &place, *packed, &list[index].bytes);
        if (status != VALUE_GOOD)
            return postgres_values_refused(L, &place, status);
        lua_settop(L, top);
    }
    size_t at = 0;
    for (size_t index = 0; index < count; index++)
        postgres_unpack(*packed, &at, &list[index].value, &list[index].length);
    request->parameters = list;
    request->parameter_count = count;
    return 0;
}

static int query(lua_State *L) {
    struct postgres_request request = { .kind = POSTGRES_QUERY };
    struct buffer *packed;
    lua_settop(L, 4);
    struct box *box = check_free(L, "Connection:query");
    request.sql = check_sql(L, "Connection:query");
    read_options(L, 4, "Connection:query", &request);
    int refused = read_parameters(L, &request, &packed);
    if (refused)
        return refused;
    if (!box->connection)
        return push_closed(L);
    return begin(L, box, &request, packed, &query_class);
}

static int script(lua_State *L) {
    struct postgres_request request = { .kind = POSTGRES_SCRIPT };
    lua_settop(L, 3);
    struct box *box = check_free(L, "Connection:script");
    request.sql = check_sql(L, "Connection:script");
    read_options(L, 3, "Connection:script", &request);
    if (!box->connection)
        return push_closed(L);
    return begin(L, box, &request, NULL, &script_class);
}

/* Writes the row on top of the stack. */
static enum postgres_value copy_row(lua_State *L, struct postgres_place *place, lua_Integer columns,
                                    struct buffer *rows) {
    int row = lua_gettop(L);
    for (place->column = 1; place->column <= columns; place->column++) {
        lua_rawgeti(L, row, place->column);
        enum postgres_value status = postgres_values_copy(L, place, rows, place->column < columns ? '\t' : '\n');
        if (status != VALUE_GOOD)
            return status;
        lua_settop(L, row);
    }
    return VALUE_GOOD;
}

/* Writes the rows at index 3 into a buffer that is pushed. Returns 0, or the number of results that say why not. */
static int read_rows(lua_State *L, struct buffer **rows) {
    struct postgres_place place = { .function = "Connection:copy" };
    luaL_argexpected(L, lua_istable(L, 3), 3, "list of rows, each a list of values");
    lua_Integer count = (lua_Integer)lua_rawlen(L, 3), columns = 0;
    *rows = buffers_new(L);
    (*rows)->limit = ROWS_LIMIT_BYTES;
    int top = lua_gettop(L);
    for (place.row = 1; place.row <= count; place.row++) {
        if (lua_rawgeti(L, 3, place.row) != LUA_TTABLE || postgres_values_bytea(L, -1))
            luaL_error(L, "Connection:copy: row %I is a list of values, not a %s", place.row, luaL_typename(L, -1));
        lua_Integer width = (lua_Integer)lua_rawlen(L, -1);
        columns = place.row == 1 ? width : columns;
        if (width != columns || !width)
            luaL_error(L, "Connection:copy: row %I has %I values, the first has %I (at least 1; NULL is postgres.null)",
                       place.row, width, columns);
        enum postgres_value status = copy_row(L, &place, columns, *rows);
        if (status != VALUE_GOOD)
            return postgres_values_refused(L, &place, status);
        lua_settop(L, top);
    }
    return 0;
}

static int copy(lua_State *L) {
    struct postgres_request request = { .kind = POSTGRES_COPY };
    struct buffer *rows;
    lua_settop(L, 4);
    struct box *box = check_free(L, "Connection:copy");
    request.sql = check_sql(L, "Connection:copy");
    read_options(L, 4, "Connection:copy", &request);
    int refused = read_rows(L, &rows);
    if (refused)
        return refused;
    if (!box->connection)
        return push_closed(L);
    request.rows = rows->data;
    request.rows_length = rows->length;
    return begin(L, box, &request, rows, &copy_class);
}

/* ---- connections ---- */

static int state_method(lua_State *L) {
    static const char *const names[] = { "idle", "transaction", "failed", "broken" };
    struct box *box = luaL_checkudata(L, 1, CONNECTION_TYPE);
    lua_pushstring(L, names[box->connection ? postgres_state(box->connection) : POSTGRES_BROKEN]);
    return 1;
}

static int server_version(lua_State *L) {
    lua_pushinteger(L, ((struct box *)luaL_checkudata(L, 1, CONNECTION_TYPE))->version);
    return 1;
}

static int close_method(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, CONNECTION_TYPE);
    struct postgres *connection = box->connection;
    box->connection = NULL;
    postgres_close(connection);
    return 0;
}

static int describe(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, CONNECTION_TYPE);
    lua_pushstring(L, box->connection ? "Connection(open)" : "Connection(closed)");
    return 1;
}

/* ---- connecting ---- */

struct connect {
    struct operation operation;
    struct postgres_connecting *connecting;
};

static void connect_done(void *context) {
    struct connect *self = context;
    task_complete(&self->operation);
}

static void connect_free(struct operation *operation) {
    struct connect *self = (struct connect *)operation;
    postgres_connecting_end(self->connecting);
    self->connecting = NULL;
}

static void connect_cancel(struct operation *operation) {
    connect_free(operation);
    task_complete(operation);
}

static int connect_push(struct operation *operation, lua_State *L) {
    struct connect *self = (struct connect *)operation;
    enum postgres_failure failure;
    const char *message;
    struct box *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (struct box){ 0 };
    luaL_setmetatable(L, CONNECTION_TYPE);
    box->connection = postgres_connecting_take(self->connecting, &failure, &message);
    if (box->connection) {
        box->version = postgres_server_version(box->connection);
        return 1;
    }
    if (failure == POSTGRES_MEMORY)
        return luaL_error(L, "out of memory");
    lua_pushnil(L);
    lua_pushstring(L, message);
    lua_pushstring(L, failure_code(failure));
    return 3;
}

static const struct operation_class connect_class = { "postgres.connect", connect_cancel, connect_push, connect_free };

static const char *text_option(lua_State *L, const char *key, const char *otherwise) {
    size_t length = 0;
    const char *text = options_text(L, 1, "postgres.connect", key, &length);
    if (text && strlen(text) != length)
        luaL_error(L, "postgres.connect: option %s holds a NUL byte", key);
    return text ? text : otherwise;
}

static int connect(lua_State *L) {
    static const char *const keys[] = { "url", "connect_timeout_ms", "application_name", NULL };
    struct postgres_target target;
    lua_settop(L, 1);
    options_check(L, 1, "postgres.connect", keys);
    target.url = text_option(L, "url", "");
    target.application_name = text_option(L, "application_name", "submitter");
    target.timeout_ms =
        options_milliseconds(L, 1, "postgres.connect", "connect_timeout_ms", CONNECT_TIMEOUT_MS, longest_ms);
    struct connect *self = task_operation(L, sizeof *self, &connect_class);
    task_begin(&self->operation);
    self->connecting = postgres_connect(&target, connect_done, self);
    if (!self->connecting) {
        task_withdraw(&self->operation);
        return luaL_error(L, "out of memory");
    }
    if (postgres_connecting_ended(self->connecting))
        task_complete(&self->operation);
    return task_wait(L, &self->operation);
}

/* ---- the module ---- */

static int bytea(lua_State *L) {
    luaL_checktype(L, 1, LUA_TSTRING);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "bytes");
    luaL_setmetatable(L, POSTGRES_BYTEA_TYPE);
    return 1;
}

static int describe_bytea(lua_State *L) {
    lua_getfield(L, 1, "bytes");
    lua_pushfstring(L, "bytea(%I bytes)", (lua_Integer)lua_rawlen(L, -1));
    return 1;
}

static const luaL_Reg functions[] = { { "connect", connect }, { "bytea", bytea }, { NULL, NULL } };
static const luaL_Reg methods[] = {
    { "query", query },
    { "script", script },
    { "copy", copy },
    { "state", state_method },
    { "server_version", server_version },
    { "close", close_method },
    { NULL, NULL },
};
static const luaL_Reg metamethods[] = {
    { "__gc", close_method },
    { "__close", close_method },
    { "__tostring", describe },
    { NULL, NULL },
};
static const luaL_Reg bytea_metamethods[] = { { "__tostring", describe_bytea }, { NULL, NULL } };

int postgres_open(lua_State *L) {
    state_type(L, CONNECTION_TYPE, methods, metamethods);
    state_type(L, POSTGRES_BYTEA_TYPE, NULL, bytea_metamethods);
    state_at_close(L, postgres_shutdown); /* after every connection */
    luaL_newlib(L, functions);
    postgres_values_null(L);
    lua_setfield(L, -2, "null");
    return 1;
}
