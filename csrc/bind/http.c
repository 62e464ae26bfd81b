/* submitter.core.http, see lua/meta/http.lua. */
#include "../io/http.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../host/state.h"
#include "../host/task.h"
#include "modules.h"
#include "options.h"

#define EXCHANGE_TYPE "submitter.exchange"

enum { TIMEOUT_MS = 60000, CONNECT_TIMEOUT_MS = 5000, STALL_MS = 20000, LIMIT_BYTES = 64 << 20 };
/* libcurl takes no more than 1 MiB with the URL, and has no words of its own for that. */
enum { HEADERS_LIMIT_BYTES = 256 << 10 };
static const lua_Integer longest_ms = 1000LL * 60 * 60 * 24 * 30;

/* ---- what is asked ---- */

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *text, size_t length) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t index = 0; index < length; index++) {
        char byte = text[index];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
        if (!letter && (!byte || !strchr(others, byte)))
            return false;
    }
    return length > 0;
}

/* RFC 9110, section 5.5: a CR or LF would begin another field, or another request. */
static bool is_value(const char *text, size_t length) {
    for (size_t index = 0; index < length; index++)
        if (((unsigned char)text[index] < ' ' && text[index] != '\t') || text[index] == 0x7f)
            return false;
    return true;
}

/* The string at a place of the pair on top, put at the end of the list at kept: a finalizer may change the pair meanwhile. */
static const char *pair_text(lua_State *L, int place, int kept, size_t *length) {
    lua_rawgeti(L, -1, place);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, length) : NULL;
    lua_rawseti(L, kept, (lua_Integer)lua_rawlen(L, kept) + 1);
    return text;
}

static void check_field(lua_State *L, const char *function, const struct http_field *field, size_t name_length,
                        size_t value_length, lua_Integer body_length) {
    /* Values may be secrets: no message repeats one. */
    if (!is_token(field->name, name_length))
        luaL_error(L, "%s: a header's name is letters, digits and -, without spaces, colons and line ends", function);
    if (!is_value(field->value, value_length))
        luaL_error(L, "%s: the value of header %s holds a line end or another control character", function,
                   field->name);
    if (!strcasecmp(field->name, "Transfer-Encoding") || !strcasecmp(field->name, "Upgrade"))
        luaL_error(L, "%s: header %s can't be given: a body has a length, and the protocol is negotiated by TLS",
                   function, field->name);
    if (!strcasecmp(field->name, "Content-Length")) {
        lua_pushfstring(L, "%I", body_length);
        if (strcmp(field->value, lua_tostring(L, -1)))
            luaL_error(L, "%s: header Content-Length isn't the length of the body, which is %I", function, body_length);
        lua_pop(L, 1);
    }
}

/* The list of pairs under "headers"; what holds it is left on the stack. */
static void read_fields(lua_State *L, const char *function, struct http_request *request, lua_Integer body_length) {
    if (lua_getfield(L, 1, "headers") == LUA_TNIL)
        return;
    int place = lua_gettop(L);
    if (!lua_istable(L, place))
        luaL_error(L, "%s: headers is a list of { name, value }", function);
    size_t count = lua_rawlen(L, place);
    lua_pushnil(L);
    if (count == 0 && lua_next(L, -2))
        luaL_error(L, "%s: headers is a list of { name, value }, not a table by names", function);
    lua_settop(L, place);
    struct http_field *fields = lua_newuserdatauv(L, (count + 1) * sizeof *fields, 0);
    lua_createtable(L, (int)(2 * count), 0);
    int kept = lua_gettop(L);
    size_t length = 0;
    for (size_t index = 0; index < count; index++) {
        size_t name_length = 0, value_length = 0;
        bool good = lua_rawgeti(L, place, (lua_Integer)index + 1) == LUA_TTABLE && lua_rawlen(L, -1) == 2;
        fields[index].name = good ? pair_text(L, 1, kept, &name_length) : NULL;
        fields[index].value = good ? pair_text(L, 2, kept, &value_length) : NULL;
        if (!fields[index].name || !fields[index].value)
            luaL_error(L, "%s: headers[%I] is { name, value }, two strings", function, (lua_Integer)index + 1);
        check_field(L, function, &fields[index], name_length, value_length, body_length);
        length += name_length + value_length;
        lua_pop(L, 1);
    }
    if (length > HEADERS_LIMIT_BYTES)
        luaL_error(L, "%s: headers are longer than %d bytes together", function, HEADERS_LIMIT_BYTES);
    request->fields = fields;
    request->field_count = count;
}

static const char *text_without_nul(lua_State *L, const char *function, const char *key) {
    size_t length;
    const char *text = options_text(L, 1, function, key, &length);
    if (text && strlen(text) != length)
        luaL_error(L, "%s: %s holds a NUL byte", function, key);
    return text;
}

static int64_t milliseconds(lua_State *L, const char *function, const char *key, lua_Integer otherwise) {
    return options_milliseconds(L, 1, function, key, otherwise, longest_ms);
}

static void read_proxy(lua_State *L, const char *function, struct http_request *request) {
    if (lua_getfield(L, 1, "proxy") == LUA_TBOOLEAN && !lua_toboolean(L, -1)) {
        request->proxy = "";
        lua_pop(L, 1);
        return;
    }
    lua_pop(L, 1);
    request->proxy = text_without_nul(L, function, "proxy");
    if (request->proxy && !*request->proxy)
        luaL_error(L, "%s: proxy is a URL, or false for none", function);
}

/* Of a program on this machine: whoever may use its socket is trusted, and a proxy knows nothing of it. */
static void read_socket(lua_State *L, const char *function, struct http_request *request) {
    request->unix_socket = text_without_nul(L, function, "unix_socket");
    if (!request->unix_socket)
        return;
    if (*request->unix_socket != '/')
        luaL_error(L, "%s: unix_socket is an absolute path", function);
    if (strncasecmp(request->url, "http://", strlen("http://")))
        luaL_error(L, "%s: with unix_socket the url begins with http://", function);
    if (request->proxy && *request->proxy)
        luaL_error(L, "%s: there is no proxy to a unix_socket", function);
}

static bool wants_body(const char *method) {
    return !strcmp(method, "PUT") || !strcmp(method, "POST") || !strcmp(method, "PATCH");
}

static void read_body(lua_State *L, const char *function, struct http_request *request) {
    request->upload_bytes = -1;
    if (request->streamed) {
        request->upload_bytes = options_integer(L, 1, function, "upload_bytes", wants_body(request->method) ? 0 : -1);
        if (request->upload_bytes < -1)
            luaL_error(L, "%s: upload_bytes is 0 or more", function);
    } else {
        request->body = options_text(L, 1, function, "body", &request->body_length);
        if (!request->body_length)
            request->body = wants_body(request->method) ? "" : NULL;
    }
    if (!strcmp(request->method, "HEAD") && (request->body || request->upload_bytes > 0))
        luaL_error(L, "%s: HEAD has no body", function);
}

static void read_request(lua_State *L, const char *function, struct http_request *request) {
    const char *method = text_without_nul(L, function, "method");
    request->method = method ? method : "GET";
    if (!is_token(request->method, strlen(request->method)) || !strcmp(request->method, "CONNECT"))
        luaL_error(L, "%s: method is a word such as GET, and not CONNECT", function);
    request->url = text_without_nul(L, function, "url");
    if (!request->url)
        luaL_error(L, "%s: url is needed", function);
    if (strpbrk(request->url, "\r\n"))
        luaL_error(L, "%s: url holds a line end", function);
    read_body(L, function, request);
    request->timeout_ms = milliseconds(L, function, "timeout_ms", TIMEOUT_MS);
    request->connect_timeout_ms = milliseconds(L, function, "connect_timeout_ms", CONNECT_TIMEOUT_MS);
    request->stall_ms = milliseconds(L, function, "stall_ms", STALL_MS);
    lua_Integer limit = options_integer(L, 1, function, "limit_bytes", LIMIT_BYTES);
    if (limit < 0)
        luaL_error(L, "%s: limit_bytes is 0 or more", function);
    request->limit_bytes = (size_t)limit;
    read_proxy(L, function, request);
    read_socket(L, function, request);
    request->ca_file = text_without_nul(L, function, "ca_file");
    lua_Integer upload = request->upload_bytes > 0 ? request->upload_bytes : 0;
    read_fields(L, function, request, request->streamed ? upload : (lua_Integer)request->body_length);
}

/* ---- what came ---- */

static int push_failure(lua_State *L, const struct http_answer *answer) {
    static const char *const codes[] = { "", "connect", "tls", "timeout", "cut", "too_large", "url", "library", "" };
    if (answer->failure == HTTP_MEMORY)
        return luaL_error(L, "out of memory");
    lua_pushnil(L);
    lua_pushstring(L, answer->message);
    lua_pushstring(L, codes[answer->failure]);
    return 3;
}

static void push_head(lua_State *L, const struct http_answer *answer) {
    const char *name, *value;
    size_t place = 0, value_length;
    lua_Integer count = 0;
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, answer->status);
    lua_setfield(L, -2, "status");
    lua_pushstring(L, answer->version == 20 ? "2" : answer->version == 10 ? "1.0" : "1.1");
    lua_setfield(L, -2, "version");
    lua_pushboolean(L, answer->reused);
    lua_setfield(L, -2, "reused");
    lua_pushboolean(L, answer->resent);
    lua_setfield(L, -2, "resent");
    lua_createtable(L, (int)answer->fields.count, 0);
    while (http_fields_next(&answer->fields, &place, &name, &value, &value_length)) {
        lua_createtable(L, 2, 0);
        lua_pushstring(L, name);
        lua_rawseti(L, -2, 1);
        lua_pushlstring(L, value, value_length);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, ++count);
    }
    lua_setfield(L, -2, "headers");
}

static void push_bytes(lua_State *L, const struct buffer *bytes) {
    lua_pushlstring(L, bytes->data ? bytes->data : "", bytes->length);
}

/* ---- request ---- */

struct request {
    struct operation operation;
    struct http_transfer *transfer;
};

static void request_changed(void *context) {
    struct request *self = context;
    task_complete(&self->operation);
}

static void request_free(struct operation *operation) {
    struct request *self = (struct request *)operation;
    http_close(self->transfer);
    self->transfer = NULL;
}

static void request_cancel(struct operation *operation) {
    request_free(operation);
    task_complete(operation);
}

static int request_push(struct operation *operation, lua_State *L) {
    const struct http_answer *answer = http_answer(((struct request *)operation)->transfer);
    if (answer->failure)
        return push_failure(L, answer);
    push_head(L, answer);
    push_bytes(L, &answer->body);
    lua_setfield(L, -2, "body");
    return 1;
}

static const struct operation_class request_class = { "http.request", request_cancel, request_push, request_free };

static int request(lua_State *L) {
    static const char *const keys[] = { "method",   "url",         "headers",
                                        "body",     "timeout_ms",  "connect_timeout_ms",
                                        "stall_ms", "limit_bytes", "proxy",
                                        "ca_file",  "unix_socket", NULL };
    struct http_request asked = { 0 };
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    options_check(L, 1, "http.request", keys);
    options_keep(L, 1);
    read_request(L, "http.request", &asked);
    struct request *self = task_operation(L, sizeof *self, &request_class);
    task_begin(&self->operation);
    self->transfer = http_start(&asked, request_changed, self);
    if (!self->transfer) {
        task_withdraw(&self->operation);
        return luaL_error(L, "out of memory");
    }
    if (http_answer(self->transfer)->ended)
        task_complete(&self->operation);
    return task_wait(L, &self->operation);
}

/* ---- exchange: a request whose bodies go piece by piece ---- */

enum step { STEP_RESPONSE, STEP_READ, STEP_WRITE, STEP_COUNT };

/* Shared by the userdata and the operations on it. */
struct exchange {
    struct http_transfer *transfer;             /* NULL: closed */
    struct step_operation *waiting[STEP_COUNT]; /* until its results were taken */
    int64_t upload_left;
    unsigned holders;
};

struct step_operation {
    struct operation operation;
    struct exchange *exchange;
    enum step step;
    struct buffer data; /* what was read */
};

static bool can_go_on(const struct exchange *exchange, enum step step) {
    if (!exchange->transfer || http_answer(exchange->transfer)->ended)
        return true;
    switch (step) {
    case STEP_RESPONSE: return http_answer(exchange->transfer)->headed;
    case STEP_READ: return http_answer(exchange->transfer)->body.length > 0;
    default: return http_written(exchange->transfer);
    }
}

static void exchange_changed(void *context) {
    struct exchange *exchange = context;
    for (int step = 0; step < STEP_COUNT; step++) {
        struct step_operation *operation = exchange->waiting[step];
        if (operation && !operation->operation.completed && can_go_on(exchange, step))
            task_complete(&operation->operation);
    }
}

static void exchange_close(struct exchange *exchange) {
    http_close(exchange->transfer);
    exchange->transfer = NULL;
    exchange_changed(exchange);
}

static void release(struct exchange *exchange) {
    if (exchange && --exchange->holders == 0) {
        exchange_close(exchange);
        free(exchange);
    }
}

static void step_free(struct operation *operation) {
    struct step_operation *self = (struct step_operation *)operation;
    buffer_clear(&self->data);
    if (self->exchange && self->exchange->waiting[self->step] == self)
        self->exchange->waiting[self->step] = NULL;
    release(self->exchange);
    self->exchange = NULL;
}

static void step_cancel(struct operation *operation) {
    struct step_operation *self = (struct step_operation *)operation;
    self->exchange->waiting[self->step] = NULL;
    /* Half a piece is sent: what would follow can't be told from its rest. */
    if (self->step == STEP_WRITE)
        exchange_close(self->exchange);
    task_complete(operation);
}

static int push_closed(lua_State *L) {
    lua_pushnil(L);
    lua_pushliteral(L, "the exchange was closed");
    lua_pushliteral(L, "cut");
    return 3;
}

static int response_push(struct operation *operation, lua_State *L) {
    struct exchange *exchange = ((struct step_operation *)operation)->exchange;
    if (!exchange->transfer)
        return push_closed(L);
    const struct http_answer *answer = http_answer(exchange->transfer);
    if (!answer->headed)
        return push_failure(L, answer);
    push_head(L, answer);
    return 1;
}

static int read_push(struct operation *operation, lua_State *L) {
    struct step_operation *self = (struct step_operation *)operation;
    if (!self->exchange->transfer)
        return push_closed(L);
    const struct http_answer *answer = http_answer(self->exchange->transfer);
    if (answer->failure && !answer->body.length)
        return push_failure(L, answer);
    http_read(self->exchange->transfer, &self->data);
    push_bytes(L, &self->data);
    return 1;
}

static int write_push(struct operation *operation, lua_State *L) {
    struct exchange *exchange = ((struct step_operation *)operation)->exchange;
    if (!exchange->transfer)
        return push_closed(L);
    bool written = http_written(exchange->transfer);
    http_write_stop(exchange->transfer); /* the string isn't kept from here on */
    if (http_answer(exchange->transfer)->failure)
        return push_failure(L, http_answer(exchange->transfer));
    if (!written) {
        lua_pushnil(L);
        lua_pushliteral(L, "the server answered before it had the whole body");
        lua_pushliteral(L, "answered");
        return 3;
    }
    lua_pushboolean(L, true);
    return 1;
}

static const struct operation_class step_classes[STEP_COUNT] = {
    { "Exchange:response", step_cancel, response_push, step_free },
    { "Exchange:read", step_cancel, read_push, step_free },
    { "Exchange:write", step_cancel, write_push, step_free },
};

static struct exchange *check(lua_State *L) {
    struct exchange **box = luaL_checkudata(L, 1, EXCHANGE_TYPE);
    if (!*box)
        luaL_argerror(L, 1, "the Exchange is closed");
    return *box;
}

static struct step_operation *step_begin(lua_State *L, enum step step) {
    struct exchange *exchange = check(L);
    luaL_argcheck(L, !exchange->waiting[step], 1, "another task waits for the same of this Exchange already");
    struct step_operation *self = task_operation(L, sizeof *self, &step_classes[step]);
    self->exchange = exchange;
    self->step = step;
    exchange->holders++;
    task_begin(&self->operation);
    exchange->waiting[step] = self;
    return self;
}

static int step_wait(lua_State *L, struct step_operation *self) {
    if (!self->operation.completed && can_go_on(self->exchange, self->step))
        task_complete(&self->operation);
    return task_wait(L, &self->operation);
}

static int response_method(lua_State *L) {
    return step_wait(L, step_begin(L, STEP_RESPONSE));
}

static int read_method(lua_State *L) {
    return step_wait(L, step_begin(L, STEP_READ));
}

static int write_method(lua_State *L) {
    size_t length;
    const char *data = luaL_checklstring(L, 2, &length);
    lua_settop(L, 2);
    if ((lua_Integer)length > check(L)->upload_left)
        return luaL_error(L, "Exchange:write: only %I of upload_bytes are left, these are %I",
                          (lua_Integer)check(L)->upload_left, (lua_Integer)length);
    struct step_operation *self = step_begin(L, STEP_WRITE);
    self->exchange->upload_left -= (int64_t)length;
    if (self->exchange->transfer && length)
        http_write(self->exchange->transfer, data, length);
    return step_wait(L, self);
}

static int open_exchange(lua_State *L) {
    static const char *const keys[] = { "method",       "url",         "headers",
                                        "upload_bytes", "timeout_ms",  "connect_timeout_ms",
                                        "stall_ms",     "limit_bytes", "proxy",
                                        "ca_file",      "unix_socket", NULL };
    struct http_request asked = { .streamed = true };
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    options_check(L, 1, "http.open", keys);
    options_keep(L, 1);
    read_request(L, "http.open", &asked);
    struct exchange **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, EXCHANGE_TYPE);
    struct exchange *exchange = *box = calloc(1, sizeof *exchange);
    if (!exchange)
        return luaL_error(L, "out of memory");
    exchange->holders = 1;
    exchange->upload_left = asked.upload_bytes > 0 ? asked.upload_bytes : 0;
    exchange->transfer = http_start(&asked, exchange_changed, exchange);
    if (!exchange->transfer)
        return luaL_error(L, "out of memory");
    const struct http_answer *answer = http_answer(exchange->transfer);
    return answer->ended && answer->failure ? push_failure(L, answer) : 1;
}

static int close_method(lua_State *L) {
    struct exchange **box = luaL_checkudata(L, 1, EXCHANGE_TYPE);
    if (*box)
        exchange_close(*box);
    release(*box);
    *box = NULL;
    return 0;
}

/* ---- the module ---- */

static const luaL_Reg functions[] = { { "request", request }, { "open", open_exchange }, { NULL, NULL } };
static const luaL_Reg methods[] = {
    { "response", response_method }, { "read", read_method }, { "write", write_method },
    { "close", close_method },       { NULL, NULL },
};
static const luaL_Reg metamethods[] = { { "__gc", close_method }, { "__close", close_method }, { NULL, NULL } };

int http_open(lua_State *L) {
    state_type(L, EXCHANGE_TYPE, methods, metamethods);
    state_at_close(L, http_shutdown); /* after every transfer: connections are closed in good order */
    luaL_newlib(L, functions);
    return 1;
}
