#include "keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>

/* Fetching an algorithm takes OpenSSL 3 longer than signing does: once for the process. */
static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_MAC *hmac;

static void fetch(void) {
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

static bool open_contexts(struct keys *keys) {
    pthread_once(&fetched, fetch);
    if (!sha256 || !hmac)
        return false;
    keys->digest = EVP_MD_CTX_new();
    keys->mac = EVP_MAC_CTX_new(hmac);
    if (!keys->digest || !keys->mac)
        return false;
    char name[] = "SHA256";
    const OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                      OSSL_PARAM_construct_end() };
    return EVP_MAC_CTX_set_params(keys->mac, parameters) == 1;
}

static bool is_visible(struct span text) {
    for (size_t index = 0; index < text.length; index++)
        if (text.bytes[index] <= ' ' || text.bytes[index] > '~')
            return false;
    return true;
}

static struct span take(char **at, struct span text) {
    struct span taken = { *at, text.length };
    if (text.length)
        memcpy(*at, text.bytes, text.length);
    *at += text.length;
    return taken;
}

const char *keys_open(struct keys *keys, struct span access_key_id, struct span secret_access_key,
                      struct span session_token) {
    static const struct span prefix = { "AWS4", 4 };
    enum { TEXT_LIMIT_BYTES = 64 << 10 };
    memset(keys, 0, sizeof *keys);
    if (!span_is_identifier(access_key_id))
        return "access_key_id is visible characters, without \"/\" and \",\"";
    if (!secret_access_key.length)
        return "secret_access_key is empty";
    if (!is_visible(session_token))
        return "session_token is visible characters";
    if (access_key_id.length > TEXT_LIMIT_BYTES || secret_access_key.length > TEXT_LIMIT_BYTES ||
        session_token.length > TEXT_LIMIT_BYTES)
        return "a credential has more than 65536 bytes";
    if (!open_contexts(keys))
        return "libcrypto refuses SHA-256 on this machine";
    keys->texts_length = access_key_id.length + session_token.length + prefix.length + secret_access_key.length;
    keys->texts = malloc(keys->texts_length);
    if (!keys->texts)
        return "out of memory";
    char *at = keys->texts;
    keys->access_key_id = take(&at, access_key_id);
    keys->session_token = take(&at, session_token);
    keys->secret = take(&at, prefix);
    keys->secret.length += take(&at, secret_access_key).length;
    return NULL;
}

void keys_close(struct keys *keys) {
    if (keys->texts)
        OPENSSL_cleanse(keys->texts, keys->texts_length);
    free(keys->texts);
    EVP_MD_CTX_free(keys->digest);
    EVP_MAC_CTX_free(keys->mac); /* wipes the last key in it */
    OPENSSL_cleanse(keys, sizeof *keys);
}

static void write_hexadecimal(const unsigned char bytes[KEYS_SHA256_BYTES], char text[KEYS_HEX_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t index = 0; index < KEYS_SHA256_BYTES; index++) {
        *text++ = digits[bytes[index] >> 4];
        *text++ = digits[bytes[index] & 15];
    }
    *text = '\0';
}

bool keys_hash(struct keys *keys, struct span bytes, char hexadecimal[KEYS_HEX_SIZE]) {
    unsigned char result[KEYS_SHA256_BYTES];
    if (!EVP_DigestInit_ex2(keys->digest, sha256, NULL) || !EVP_DigestUpdate(keys->digest, bytes.bytes, bytes.length) ||
        !EVP_DigestFinal_ex(keys->digest, result, NULL))
        return false;
    write_hexadecimal(result, hexadecimal);
    return true;
}

static bool authenticate(struct keys *keys, struct span key, struct span text,
                         unsigned char result[KEYS_SHA256_BYTES]) {
    size_t length = 0;
    return EVP_MAC_init(keys->mac, (const unsigned char *)key.bytes, key.length, NULL) &&
           EVP_MAC_update(keys->mac, (const unsigned char *)text.bytes, text.length) &&
           EVP_MAC_final(keys->mac, result, &length, KEYS_SHA256_BYTES) && length == KEYS_SHA256_BYTES;
}

/* HMAC after HMAC: the secret's of the day, that one's of the region, of the service, of "aws4_request". */
static bool derive(struct keys *keys, struct span scope, unsigned char key[KEYS_SHA256_BYTES]) {
    struct span with = keys->secret;
    while (scope.length) {
        const char *slash = memchr(scope.bytes, '/', scope.length);
        struct span part = { scope.bytes, slash ? (size_t)(slash - scope.bytes) : scope.length };
        if (!authenticate(keys, with, part, key))
            return false;
        with = (struct span){ (const char *)key, KEYS_SHA256_BYTES };
        size_t taken = part.length + (slash ? 1 : 0);
        scope = (struct span){ scope.bytes + taken, scope.length - taken };
    }
    return authenticate(keys, with, span_of("aws4_request"), key);
}

static const unsigned char *signing_key(struct keys *keys, struct span scope) {
    for (size_t index = 0; index < KEYS_CACHED; index++)
        if (span_equal((struct span){ keys->cached[index].scope, keys->cached[index].scope_length }, scope))
            return keys->cached[index].key;
    struct keys_cached *cached = &keys->cached[keys->next];
    cached->scope_length = 0;
    if (scope.length > sizeof cached->scope || !derive(keys, scope, cached->key))
        return NULL;
    memcpy(cached->scope, scope.bytes, scope.length);
    cached->scope_length = scope.length;
    keys->next = (keys->next + 1) % KEYS_CACHED;
    return cached->key;
}

bool keys_sign(struct keys *keys, struct span scope, struct span text, char signature[KEYS_HEX_SIZE]) {
    unsigned char result[KEYS_SHA256_BYTES];
    const unsigned char *key = signing_key(keys, scope);
    if (!key || !authenticate(keys, (struct span){ (const char *)key, KEYS_SHA256_BYTES }, text, result))
        return false;
    write_hexadecimal(result, signature);
    return true;
}
