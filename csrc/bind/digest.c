/* submitter.core.digest, see lua/meta/digest.lua. */
#include <errno.h>
#include <lauxlib.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>

#include "modules.h"

static int push_digest(lua_State *L, const unsigned char *bytes, size_t length, int form_index) {
    static const char *const forms[] = { "hex", "raw", NULL };
    static const char digits[] = "0123456789abcdef";
    if (luaL_checkoption(L, form_index, "hex", forms) == 1) {
        lua_pushlstring(L, (const char *)bytes, length);
        return 1;
    }
    luaL_Buffer text;
    char *at = luaL_buffinitsize(L, &text, length * 2);
    for (size_t index = 0; index < length; index++) {
        *at++ = digits[bytes[index] >> 4];
        *at++ = digits[bytes[index] & 15];
    }
    luaL_pushresultsize(&text, length * 2);
    return 1;
}

static int hash(lua_State *L, const EVP_MD *algorithm) {
    size_t length;
    const char *bytes = luaL_checklstring(L, 1, &length);
    unsigned char result[EVP_MAX_MD_SIZE];
    unsigned int result_length = 0;
    if (!algorithm || !EVP_Digest(bytes, length, result, &result_length, algorithm, NULL))
        return luaL_error(L, "libcrypto refuses the digest on this machine");
    return push_digest(L, result, result_length, 2);
}

static int md5(lua_State *L) {
    return hash(L, EVP_md5());
}

static int sha256(lua_State *L) {
    return hash(L, EVP_sha256());
}

static int hmac_sha256(lua_State *L) {
    size_t key_length, length;
    const char *key = luaL_checklstring(L, 1, &key_length);
    const char *bytes = luaL_checklstring(L, 2, &length);
    unsigned char result[EVP_MAX_MD_SIZE];
    unsigned int result_length = 0;
    if (!HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)bytes, length, result, &result_length))
        return luaL_error(L, "libcrypto refuses the HMAC");
    return push_digest(L, result, result_length, 3);
}

static int random_bytes(lua_State *L) {
    lua_Integer count = luaL_checkinteger(L, 1);
    unsigned char bytes[256];
    luaL_argcheck(L, count >= 1 && count <= 256, 1,
                  "a number of bytes, 1 to 256"); /* getrandom(2): never short up to 256 */
    while (getrandom(bytes, (size_t)count, 0) != count)
        if (errno != EINTR)
            return luaL_error(L, "getrandom: %s", strerror(errno));
    return push_digest(L, bytes, (size_t)count, 2);
}

static const luaL_Reg functions[] = {
    { "md5", md5 }, { "sha256", sha256 }, { "hmac_sha256", hmac_sha256 }, { "random", random_bytes }, { NULL, NULL },
};

int digest_open(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
