/* submitter.core.digest, see lua/meta/digest.lua. */
#include <errno.h>
#include <lauxlib.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "modules.h"

enum form { FORM_HEX, FORM_RAW, FORM_BASE64 };

static int push_base64(lua_State *L, const unsigned char *bytes, size_t length) {
    luaL_Buffer text;
    size_t size = (length + 2) / 3 * 4;
    char *at = luaL_buffinitsize(L, &text, size + 1); /* EVP_EncodeBlock ends it with a NUL */
    EVP_EncodeBlock((unsigned char *)at, bytes, (int)length);
    luaL_pushresultsize(&text, size);
    return 1;
}

static int push_digest(lua_State *L, const unsigned char *bytes, size_t length, int form_index) {
    static const char *const forms[] = { "hex", "raw", "base64", NULL };
    static const char digits[] = "0123456789abcdef";
    enum form form = (enum form)luaL_checkoption(L, form_index, "hex", forms);
    if (form == FORM_RAW) {
        lua_pushlstring(L, (const char *)bytes, length);
        return 1;
    }
    if (form == FORM_BASE64)
        return push_base64(L, bytes, length);
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

/* Eight tables, so that eight bytes are taken at a step (M. E. Kounavis, F. L. Berry): a few times the speed of one. */
static uint32_t crc_tables[8][256];

static void make_crc_tables(void) {
    static const uint32_t polynomial = 0xedb88320; /* of IEEE 802.3, bits reversed */
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
        crc_tables[0][byte] = crc;
    }
    for (int table = 1; table < 8; table++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = crc_tables[table - 1][byte];
            crc_tables[table][byte] = crc >> 8 ^ crc_tables[0][crc & 255];
        }
}

static uint32_t crc32_of(const unsigned char *bytes, size_t length) {
    uint32_t crc = 0xffffffff;
    for (; length >= 8; length -= 8, bytes += 8) {
        crc ^= (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
        crc = crc_tables[7][crc & 255] ^ crc_tables[6][crc >> 8 & 255] ^ crc_tables[5][crc >> 16 & 255] ^
              crc_tables[4][crc >> 24] ^ crc_tables[3][bytes[4]] ^ crc_tables[2][bytes[5]] ^ crc_tables[1][bytes[6]] ^
              crc_tables[0][bytes[7]];
    }
    while (length--)
        crc = crc >> 8 ^ crc_tables[0][(crc ^ *bytes++) & 255];
    return ~crc;
}

static int crc32(lua_State *L) {
    size_t length;
    const char *bytes = luaL_checklstring(L, 1, &length);
    uint32_t crc = crc32_of((const unsigned char *)bytes, length);
    unsigned char result[4] = { (unsigned char)(crc >> 24), (unsigned char)(crc >> 16), (unsigned char)(crc >> 8),
                                (unsigned char)crc };
    return push_digest(L, result, sizeof result, 2);
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
    { "crc32", crc32 },         { "md5", md5 }, { "sha256", sha256 }, { "hmac_sha256", hmac_sha256 },
    { "random", random_bytes }, { NULL, NULL },
};

int digest_open(lua_State *L) {
    make_crc_tables();
    luaL_newlib(L, functions);
    return 1;
}
