/* submitter.core.sigv4, see lua/meta/sigv4.lua. */
#include "../aws/sigv4.h"

#include <lauxlib.h>
#include <string.h>

#include "modules.h"
#include "options.h"

#define KEYS_TYPE "submitter.credentials"
#define SIGNING_TYPE "submitter.signing"
#define CREDENTIALS "sigv4.credentials"
#define SIGN "sigv4.sign"
#define SIGN_USAGE \
    "expected " SIGN " { credentials =, method =, url =, headers =, body =, region =, service =, time =, … }"

/* ---- credentials ---- */

/* Pushes closed ones: an error from here on leaves nothing behind. */
static struct keys *push_keys(lua_State *L) {
    struct keys *keys = lua_newuserdatauv(L, sizeof *keys, 0);
    memset(keys, 0, sizeof *keys);
    luaL_setmetatable(L, KEYS_TYPE);
    return keys;
}

static struct span text_option(lua_State *L, int index, const char *function, const char *key) {
    struct span text = { NULL, 0 };
    text.bytes = options_text(L, index, function, key, &text.length);
    return text;
}

/* Opens the keys with the three options of the table at index. */
static void open_keys(lua_State *L, int index, const char *function, struct keys *keys) {
    struct span id = text_option(L, index, function, "access_key_id");
    struct span secret = text_option(L, index, function, "secret_access_key");
    struct span token = text_option(L, index, function, "session_token");
    if (!id.bytes || !secret.bytes)
        luaL_error(L, "%s: access_key_id and secret_access_key are missing%s", function,
                   !strcmp(function, SIGN) ? "; " SIGN_USAGE : "");
    const char *problem = keys_open(keys, id, secret, token.bytes ? token : span_of(""));
    if (problem)
        luaL_error(L, "%s: %s", function, problem);
}

static int credentials(lua_State *L) {
    static const char *const keys[] = { "access_key_id", "secret_access_key", "session_token", NULL };
    lua_settop(L, 1);
    if (!options_check(L, 1, CREDENTIALS, keys))
        return luaL_error(L, "expected " CREDENTIALS " { access_key_id =, secret_access_key =, session_token = }");
    options_keep(L, 1);
    open_keys(L, 1, CREDENTIALS, push_keys(L));
    return 1;
}

static int credentials_close(lua_State *L) {
    keys_close(luaL_checkudata(L, 1, KEYS_TYPE));
    return 0;
}

static int credentials_tostring(lua_State *L) {
    const struct keys *keys = luaL_checkudata(L, 1, KEYS_TYPE);
    lua_pushstring(L, keys->texts ? "credentials" : "credentials (closed)");
    return 1;
}

/* ---- sign ---- */

/* What one call needs besides Lua's strings. */
struct signing {
    struct sigv4_signed result;
    struct buffer unfolded;
};

static int signing_close(lua_State *L) {
    struct signing *signing = luaL_checkudata(L, 1, SIGNING_TYPE);
    sigv4_clear(&signing->result);
    buffer_clear(&signing->unfolded);
    return 0;
}

static struct span needed_text(lua_State *L, const char *key) {
    struct span text = text_option(L, 1, SIGN, key);
    if (!text.bytes)
        luaL_error(L, SIGN ": %s is missing; " SIGN_USAGE, key);
    return text;
}

static struct span optional_text(lua_State *L, const char *key) {
    struct span text = text_option(L, 1, SIGN, key);
    return text.bytes ? text : span_of("");
}

static int64_t needed_time(lua_State *L) {
    if (lua_getfield(L, 1, "time") == LUA_TNIL)
        luaL_error(L, SIGN ": time is missing: seconds since the epoch; " SIGN_USAGE);
    lua_pop(L, 1);
    return options_integer(L, 1, SIGN, "time", 0);
}

static uint32_t expires(lua_State *L) {
    bool given = lua_getfield(L, 1, "expires_s") != LUA_TNIL;
    lua_pop(L, 1);
    lua_Integer seconds = options_integer(L, 1, SIGN, "expires_s", 0);
    if (given && (seconds < 1 || seconds > SIGV4_EXPIRES_LIMIT_S))
        luaL_error(L, SIGN ": expires_s is 1 to 604800 (7 days)");
    return (uint32_t)seconds;
}

static void read_request(lua_State *L, struct sigv4_request *request) {
    request->method = needed_text(L, "method");
    request->url = needed_text(L, "url");
    request->body = optional_text(L, "body");
    request->payload_hash = optional_text(L, "payload_hash");
    request->region = needed_text(L, "region");
    request->service = needed_text(L, "service");
    request->time_s = needed_time(L);
    request->expires_s = expires(L);
    bool is_s3 = sigv4_is_s3(request->service);
    request->normalize_path = options_boolean(L, 1, SIGN, "normalize_path", !is_s3);
    request->encode_path = options_boolean(L, 1, SIGN, "encode_path", !is_s3);
    request->sign_body_header = options_boolean(L, 1, SIGN, "sign_body_header", is_s3);
    request->omit_session_token = options_boolean(L, 1, SIGN, "omit_session_token", false);
}

/* Pushes the credentials to sign with: those given, or ones for this call only. */
static struct keys *push_chosen_keys(lua_State *L, bool *own) {
    *own = lua_getfield(L, 1, "credentials") == LUA_TNIL;
    if (*own) {
        lua_pop(L, 1);
        struct keys *keys = push_keys(L);
        open_keys(L, 1, SIGN, keys);
        return keys;
    }
    struct keys *keys = luaL_testudata(L, -1, KEYS_TYPE);
    if (!keys)
        luaL_error(L, SIGN ": option credentials comes from " CREDENTIALS ", and isn't a %s", luaL_typename(L, -1));
    if (text_option(L, 1, SIGN, "access_key_id").bytes || text_option(L, 1, SIGN, "secret_access_key").bytes ||
        text_option(L, 1, SIGN, "session_token").bytes)
        luaL_error(L, SIGN ": takes credentials, or access_key_id, secret_access_key and session_token, not both");
    return keys;
}

/* Pushes the list of headers. Returns how many there are. */
static size_t push_headers(lua_State *L) {
    int type = lua_getfield(L, 1, "headers");
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        return 0;
    }
    size_t count = type == LUA_TTABLE ? (size_t)lua_rawlen(L, -1) : 0, found = 0;
    if (type == LUA_TTABLE)
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
            found++;
    if (type != LUA_TTABLE || found != count)
        luaL_error(L, SIGN ": headers is a list of pairs: { { \"Range\", \"bytes=0-9\" }, … }");
    return count;
}

/* Takes name and value out of the list at index. Nothing is made meanwhile, so that no finalizer can change it. */
static void read_headers(lua_State *L, int index, struct sigv4_header *headers, size_t count) {
    for (size_t header = 0; header < count; header++) {
        bool good = lua_rawgeti(L, index, (lua_Integer)header + 1) == LUA_TTABLE && lua_rawlen(L, -1) == 2 &&
                    lua_rawgeti(L, -1, 1) == LUA_TSTRING && lua_rawgeti(L, -2, 2) == LUA_TSTRING;
        if (!good)
            luaL_error(L, SIGN ": headers[%d] is a pair of strings, { name, value }", (int)header + 1);
        headers[header].name.bytes = lua_tolstring(L, -2, &headers[header].name.length);
        headers[header].value.bytes = lua_tolstring(L, -1, &headers[header].value.length);
        lua_pop(L, 3);
    }
}

static void push_span(lua_State *L, struct span text) {
    lua_pushlstring(L, text.bytes, text.length);
}

static struct span content(const struct buffer *buffer) {
    return (struct span){ buffer->data ? buffer->data : "", buffer->length };
}

/* Pops a value and puts { name, value } at the end of the list below it. */
static void add_header(lua_State *L, const char *name) {
    lua_createtable(L, 2, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 2);
    lua_pushstring(L, name);
    lua_rawseti(L, -2, 1);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* Puts a copy of each given pair at the end of the list on top; the folded ones unfolded. */
static void add_given(lua_State *L, int given, size_t count, struct buffer *unfolded) {
    for (size_t index = 0; index < count; index++) {
        struct span value = { "", 0 };
        lua_createtable(L, 2, 0);
        if (lua_rawgeti(L, given, (lua_Integer)index + 1) != LUA_TTABLE)
            luaL_error(L, SIGN ": headers were changed meanwhile, by a finalizer");
        lua_rawgeti(L, -1, 1);
        lua_rawseti(L, -3, 1);
        if (lua_rawgeti(L, -1, 2) == LUA_TSTRING)
            value.bytes = lua_tolstring(L, -1, &value.length);
        if (canonical_is_folded(value)) {
            unfolded->length = 0;
            canonical_unfold(unfolded, value);
            if (unfolded->failed)
                luaL_error(L, "out of memory");
            lua_pop(L, 1);
            push_span(L, content(unfolded));
        }
        lua_rawseti(L, -3, 2);
        lua_pop(L, 1);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
}

/* Pushes the list of all headers to send. token: where the session token lies on the stack. */
static void push_all_headers(lua_State *L, int given, size_t count, int token, struct signing *signing) {
    struct sigv4_signed *result = &signing->result;
    lua_createtable(L, (int)count + 5, 0);
    if (result->host.length) {
        push_span(L, result->host);
        add_header(L, "Host");
    }
    add_given(L, given, count, &signing->unfolded);
    if (result->authorization.length) {
        push_span(L, content(&result->authorization));
        add_header(L, "Authorization");
    }
    if (result->date_header) {
        lua_pushstring(L, result->date);
        add_header(L, "X-Amz-Date");
    }
    if (lua_rawlen(L, token)) {
        lua_pushvalue(L, token);
        add_header(L, "X-Amz-Security-Token");
    }
    if (result->content_sha256.length) {
        push_span(L, result->content_sha256);
        add_header(L, "x-amz-content-sha256");
    }
}

static void push_result(lua_State *L, int given, size_t count, struct signing *signing) {
    struct sigv4_signed *result = &signing->result;
    /* First: what is made below may run a finalizer, and that close the credentials. */
    push_span(L, result->session_token);
    int token = lua_gettop(L);
    lua_createtable(L, 0, 5);
    push_span(L, content(&result->canonical_request));
    lua_setfield(L, -2, "canonical_request");
    push_span(L, content(&result->string_to_sign));
    lua_setfield(L, -2, "string_to_sign");
    lua_pushstring(L, result->signature);
    lua_setfield(L, -2, "signature");
    if (result->url.length)
        push_span(L, content(&result->url));
    else
        lua_getfield(L, 1, "url");
    lua_setfield(L, -2, "url");
    push_all_headers(L, given, count, token, signing);
    lua_setfield(L, -2, "headers");
}

static int sign(lua_State *L) {
    static const char *const keys_known[] = {
        "method",         "url",         "headers",          "body",
        "payload_hash",   "credentials", "access_key_id",    "secret_access_key",
        "session_token",  "region",      "service",          "time",
        "normalize_path", "encode_path", "sign_body_header", "omit_session_token",
        "expires_s",      NULL,
    };
    struct sigv4_request request = { 0 };
    bool own;
    lua_settop(L, 1);
    if (!options_check(L, 1, SIGN, keys_known))
        return luaL_error(L, SIGN_USAGE);
    options_keep(L, 1);
    read_request(L, &request);
    struct keys *keys = push_chosen_keys(L, &own);
    struct signing *signing = lua_newuserdatauv(L, sizeof *signing, 0);
    memset(signing, 0, sizeof *signing);
    luaL_setmetatable(L, SIGNING_TYPE);
    request.header_count = push_headers(L);
    int given = lua_gettop(L);
    struct sigv4_header *headers = lua_newuserdatauv(L, (request.header_count + 1) * sizeof *headers, 0);
    read_headers(L, given, headers, request.header_count);
    request.headers = headers;
    if (!keys->texts)
        return luaL_error(L, SIGN ": these credentials were closed");
    const char *problem = sigv4_sign(keys, &request, &signing->result);
    if (problem)
        return luaL_error(L, SIGN ": %s", problem);
    push_result(L, given, request.header_count, signing);
    sigv4_clear(&signing->result);
    buffer_clear(&signing->unfolded);
    if (own)
        keys_close(keys);
    return 1;
}

static const luaL_Reg credentials_functions[] = {
    { "close", credentials_close },
    { "__close", credentials_close },
    { "__gc", credentials_close },
    { "__tostring", credentials_tostring },
    { NULL, NULL },
};

static const luaL_Reg functions[] = { { "credentials", credentials }, { "sign", sign }, { NULL, NULL } };

int sigv4_open(lua_State *L) {
    luaL_newmetatable(L, KEYS_TYPE);
    luaL_setfuncs(L, credentials_functions, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    luaL_newmetatable(L, SIGNING_TYPE);
    lua_pushcfunction(L, signing_close);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, functions);
    return 1;
}
