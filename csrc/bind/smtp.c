/* submitter.core.smtp, see lua/meta/smtp.lua. */
#include "../io/smtp.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "../host/state.h"
#include "../host/task.h"
#include "modules.h"
#include "options.h"

#define SESSION_TYPE "submitter.smtp"

enum { TIMEOUT_MS = 300000, CONNECT_TIMEOUT_MS = 20000, STALL_MS = 120000 };
enum { MAIL_LIMIT_BYTES = 64 << 20, ADDRESS_LIMIT_BYTES = 254, LINE_LIMIT_BYTES = 998 };
static const lua_Integer longest_ms = 1000LL * 60 * 60 * 24;

/* ---- what is asked ---- */

static const char *text(lua_State *L, const char *function, const char *key) {
    size_t length;
    const char *value = options_text(L, 2, function, key, &length);
    for (size_t index = 0; value && index < length; index++)
        if ((unsigned char)value[index] < ' ' || value[index] == 0x7f)
            luaL_error(L, "%s: %s holds a line end, a NUL or another control character", function, key);
    return value;
}

static int64_t milliseconds(lua_State *L, const char *key, lua_Integer otherwise) {
    return options_milliseconds(L, 2, "smtp.open", key, otherwise, longest_ms);
}

static enum smtp_tls read_tls(lua_State *L, const char *url, bool has_login) {
    static const char *const names[] = { "required", "opportunistic", "none", NULL };
    const char *value = text(L, "smtp.open", "tls");
    int index = 0;
    while (value && names[index] && strcmp(names[index], value) != 0)
        index++;
    if (!names[index])
        luaL_error(L, "smtp.open: tls is \"required\", \"opportunistic\" or \"none\"");
    if (has_login && index != SMTP_TLS_REQUIRED && strncasecmp(url, "smtps://", 8) != 0)
        luaL_error(L, "smtp.open: a password goes out under TLS only: tls must be \"required\"");
    return (enum smtp_tls)index;
}

static void read_server(lua_State *L, struct smtp_server *server) {
    server->url = text(L, "smtp.open", "url");
    if (!server->url)
        luaL_error(L, "smtp.open: url is needed");
    server->user = text(L, "smtp.open", "user");
    server->password = text(L, "smtp.open", "password");
    if (!server->user != !server->password)
        luaL_error(L, "smtp.open: user and password are given both or neither");
    server->tls = read_tls(L, server->url, server->user != NULL);
    server->ca_file = text(L, "smtp.open", "ca_file");
    server->timeout_ms = milliseconds(L, "timeout_ms", TIMEOUT_MS);
    server->connect_timeout_ms = milliseconds(L, "connect_timeout_ms", CONNECT_TIMEOUT_MS);
    server->stall_ms = milliseconds(L, "stall_ms", STALL_MS);
}

/* RFC 5321, sections 4.1.2 and 4.5.3.1, as far as anybody uses it: no quoted strings, ASCII only. Anything else could end the
 * command, or begin another. */
static const char *read_address(lua_State *L, const char *key) {
    const char *address = text(L, "Session:send", key);
    const char *at = address ? strrchr(address, '@') : NULL;
    if (!at || at == address || !at[1])
        luaL_error(L, "Session:send: %s is an address, name@host", key);
    if (strlen(address) > ADDRESS_LIMIT_BYTES)
        luaL_error(L, "Session:send: %s is longer than %d bytes", key, ADDRESS_LIMIT_BYTES);
    for (const char *byte = address; *byte; byte++)
        if (strchr(" <>\"(),:;\\[]", *byte) || (unsigned char)*byte >= 0x80)
            luaL_error(
                L, "Session:send: %s holds what no address here may: a space, one of <>\"(),:;\\[] or a byte above 127",
                key);
    return address;
}

/* RFC 5321, section 2.3.8: CR and LF only together; section 4.5.3.1.6: lines of 998 bytes. A bare one is where servers disagree
 * about where a message ends ("SMTP smuggling"). */
static const char *mail_problem(const char *data, size_t length) {
    size_t begun = 0;
    if (length < 2 || data[length - 2] != '\r' || data[length - 1] != '\n')
        return "mail doesn't end with CRLF";
    for (size_t at = 0; at < length; at++) {
        if (data[at] == '\0')
            return "mail holds a NUL";
        if ((data[at] == '\r' && data[at + 1] != '\n') || (data[at] == '\n' && (!at || data[at - 1] != '\r')))
            return "mail holds a CR or LF alone: lines end with CRLF";
        if (data[at] == '\n')
            begun = at + 1;
        else if (data[at] != '\r' && at - begun >= LINE_LIMIT_BYTES)
            return "mail holds a line of more than 998 bytes";
    }
    return NULL;
}

static void read_mail(lua_State *L, struct smtp_mail *mail) {
    mail->from = read_address(L, "from");
    mail->to = read_address(L, "to");
    mail->data = options_text(L, 2, "Session:send", "mail", &mail->length);
    if (!mail->data)
        luaL_error(L, "Session:send: mail is needed: header, empty line, body");
    if (mail->length > MAIL_LIMIT_BYTES)
        luaL_error(L, "Session:send: mail is larger than %d bytes", MAIL_LIMIT_BYTES);
    const char *problem = mail_problem(mail->data, mail->length);
    if (problem)
        luaL_error(L, "Session:send: %s", problem);
}

/* ---- what came ---- */

static void set_text(lua_State *L, const char *key, const char *value) {
    if (*value) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, key);
    }
}

static int push_failure(lua_State *L, const struct smtp_answer *answer) {
    static const char *const codes[] = { "",         "connect", "tls",    "timeout", "cut",    "refused",
                                         "deferred", "auth",    "sender", "url",     "library" };
    static const char *const stages[] = { "greeting", "hello", "starttls", "login", "sender", "recipient", "message" };
    if (answer->failure == SMTP_MEMORY)
        return luaL_error(L, "out of memory");
    lua_pushnil(L);
    lua_pushstring(L, answer->message);
    lua_pushstring(L, codes[answer->failure]);
    lua_createtable(L, 0, 6);
    if (answer->status) {
        lua_pushinteger(L, answer->status);
        lua_setfield(L, -2, "status");
    }
    set_text(L, "enhanced", answer->enhanced);
    set_text(L, "text", answer->text);
    set_text(L, "stage", stages[answer->stage]);
    lua_pushboolean(L, answer->reused);
    lua_setfield(L, -2, "reused");
    /* A positive reply that libcurl didn't expect is no refusal. */
    lua_pushboolean(L, answer->handed_over && answer->status < 400);
    lua_setfield(L, -2, "handed_over");
    return 4;
}

/* ---- send, check ---- */

struct sending {
    struct operation operation;
    struct smtp_session *session;
    struct smtp_answer answer;
};

/* The answer is taken over here: the session may be closed before the task comes to it. */
static void sending_ended(void *context) {
    struct sending *self = context;
    self->answer = *smtp_answer(self->session);
    self->session = NULL;
    task_complete(&self->operation);
}

static void sending_cancel(struct operation *operation) {
    struct sending *self = (struct sending *)operation;
    if (self->session)
        smtp_stop(self->session);
}

static int sending_push(struct operation *operation, lua_State *L) {
    const struct smtp_answer *answer = &((struct sending *)operation)->answer;
    if (answer->failure)
        return push_failure(L, answer);
    lua_pushboolean(L, true);
    lua_createtable(L, 0, 1);
    lua_pushboolean(L, answer->reused);
    lua_setfield(L, -2, "reused");
    return 2;
}

static const struct operation_class send_class = { "Session:send", sending_cancel, sending_push, NULL };
static const struct operation_class check_class = { "Session:check", sending_cancel, sending_push, NULL };

static struct smtp_session *check_session(lua_State *L) {
    struct smtp_session **box = luaL_checkudata(L, 1, SESSION_TYPE);
    if (!*box)
        luaL_argerror(L, 1, "the Session is closed");
    luaL_argcheck(L, !smtp_is_busy(*box), 1, "another task uses this Session");
    return *box;
}

static int begin(lua_State *L, const struct operation_class *class, const struct smtp_mail *mail) {
    struct sending *self = task_operation(L, sizeof *self, class);
    self->session = check_session(L);
    task_begin(&self->operation);
    if (!smtp_start(self->session, mail, sending_ended, self))
        sending_ended(self);
    return task_wait(L, &self->operation);
}

static int send_method(lua_State *L) {
    static const char *const keys[] = { "from", "to", "mail", NULL };
    struct smtp_mail mail = { 0 };
    check_session(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    options_check(L, 2, "Session:send", keys);
    options_keep(L, 2);
    read_mail(L, &mail);
    return begin(L, &send_class, &mail);
}

static int check_method(lua_State *L) {
    lua_settop(L, 1);
    return begin(L, &check_class, NULL);
}

/* ---- open, close ---- */

static int open_session(lua_State *L) {
    static const char *const keys[] = { "url",     "user",       "password",           "tls",
                                        "ca_file", "timeout_ms", "connect_timeout_ms", "stall_ms",
                                        NULL };
    struct smtp_server server = { 0 };
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushnil(L);
    lua_insert(L, 1); /* options stand at 2, as in methods */
    options_check(L, 2, "smtp.open", keys);
    options_keep(L, 2);
    read_server(L, &server);
    struct smtp_session **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, SESSION_TYPE);
    *box = smtp_new(&server);
    return *box ? 1 : luaL_error(L, "out of memory");
}

struct closing {
    struct operation operation;
    struct smtp_session *session; /* NULL: closed */
};

static void closing_ended(void *context) {
    struct closing *self = context;
    self->session = NULL;
    task_complete(&self->operation);
}

static void closing_cancel(struct operation *operation) {
    struct closing *self = (struct closing *)operation;
    if (self->session)
        smtp_stop(self->session);
}

static int closing_push(struct operation *operation, lua_State *L) {
    (void)operation;
    lua_pushboolean(L, true);
    return 1;
}

static const struct operation_class closing_class = { "Session:close", closing_cancel, closing_push, NULL };

static int close_method(lua_State *L) {
    struct smtp_session **box = luaL_checkudata(L, 1, SESSION_TYPE);
    if (!*box) {
        lua_pushboolean(L, true);
        return 1;
    }
    struct closing *self = task_operation(L, sizeof *self, &closing_class);
    self->session = *box;
    *box = NULL;
    task_begin(&self->operation);
    smtp_close(self->session, closing_ended, self);
    return task_wait(L, &self->operation);
}

/* Waits for nothing: the thread takes leave by itself. */
static int let_go(lua_State *L) {
    struct smtp_session **box = luaL_checkudata(L, 1, SESSION_TYPE);
    if (*box)
        smtp_close(*box, NULL, NULL);
    *box = NULL;
    return 0;
}

/* ---- base64 ---- */

/* RFC 2045, section 6.8: lines of 76, each with its CRLF. */
static int base64(lua_State *L) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { LINE = 76 };
    size_t length;
    const unsigned char *bytes = (const unsigned char *)luaL_checklstring(L, 1, &length);
    luaL_argcheck(L, length <= MAIL_LIMIT_BYTES, 1, "more than 64 MiB");
    size_t characters = (length + 2) / 3 * 4, lines = (characters + LINE - 1) / LINE;
    luaL_Buffer encoded;
    char *at = luaL_buffinitsize(L, &encoded, characters + 2 * lines);
    for (size_t index = 0, column = 0; index < length; index += 3) {
        size_t left = length - index;
        unsigned value = (unsigned)bytes[index] << 16 | (left > 1 ? (unsigned)bytes[index + 1] << 8 : 0) |
                         (left > 2 ? bytes[index + 2] : 0);
        *at++ = digits[value >> 18];
        *at++ = digits[value >> 12 & 63];
        *at++ = left > 1 ? digits[value >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[value & 63] : '=';
        column += 4;
        if (column == LINE || left <= 3) {
            *at++ = '\r';
            *at++ = '\n';
            column = 0;
        }
    }
    luaL_pushresultsize(&encoded, characters + 2 * lines);
    return 1;
}

/* ---- the module ---- */

static const luaL_Reg functions[] = { { "open", open_session }, { "base64", base64 }, { NULL, NULL } };
static const luaL_Reg methods[] = {
    { "send", send_method }, { "check", check_method }, { "close", close_method }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = { { "__gc", let_go }, { "__close", let_go }, { NULL, NULL } };

int smtp_open(lua_State *L) {
    state_type(L, SESSION_TYPE, methods, metamethods);
    state_at_close(L, smtp_shutdown); /* after every session */
    luaL_newlib(L, functions);
    return 1;
}
