/* One set of AWS credentials, and what is signed with it. What is secret never leaves this file and is wiped: with keys_close
 * at the latest. For one thread. */
#ifndef SUBMITTER_AWS_KEYS_H
#define SUBMITTER_AWS_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "span.h"

enum {
    KEYS_SHA256_BYTES = 32,
    KEYS_HEX_SIZE = 2 * KEYS_SHA256_BYTES + 1, /* with the NUL */
    KEYS_SCOPE_LIMIT_BYTES = 160,              /* "20130524/us-east-1/s3" */
    KEYS_CACHED = 4,                           /* services and regions that one worker talks to */
};

struct evp_md_ctx_st;
struct evp_mac_ctx_st;

/* The signing key of a day, a region and a service: four HMACs that needn't be made for each request. */
struct keys_cached {
    char scope[KEYS_SCOPE_LIMIT_BYTES];
    size_t scope_length; /* 0: unused */
    unsigned char key[KEYS_SHA256_BYTES];
};

struct keys {
    struct span access_key_id, session_token; /* to read; session_token is empty without one */
    char *texts;                              /* both, and "AWS4" before the secret */
    size_t texts_length;
    struct span secret;
    struct evp_md_ctx_st *digest;
    struct evp_mac_ctx_st *mac;
    struct keys_cached cached[KEYS_CACHED];
    size_t next; /* the one to give up next */
};

/* Copies them; session_token may be empty. Returns NULL or what is wrong: a fixed text that holds nothing of them. The keys
 * are to be closed in any case. */
const char *keys_open(struct keys *keys, struct span access_key_id, struct span secret_access_key,
                      struct span session_token);

/* Wipes and frees. May be called again. */
void keys_close(struct keys *keys);

/* SHA-256, in hexadecimal. False: libcrypto refuses. */
bool keys_hash(struct keys *keys, struct span bytes, char hexadecimal[KEYS_HEX_SIZE]);

/* Signs a text with the key of a scope, "20130524/us-east-1/s3" of at most KEYS_SCOPE_LIMIT_BYTES: day, region, service.
 * False: libcrypto refuses. */
bool keys_sign(struct keys *keys, struct span scope, struct span text, char signature[KEYS_HEX_SIZE]);

#endif
