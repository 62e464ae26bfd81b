/* Any bytes as a request to sign. The input: two bytes of options, two of the time, then fields that end with 0xFF: method,
 * URL, region, service, session token, payload hash, body, and the headers' names and values by turns.
 *
 * What was taken must come out the same again, by other credentials of the same content; be of the form that the
 * documentation describes, which is read here anew; have the signature that plain HMACs give; and, as a signed URL, have a
 * query that says what was signed. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../aws/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS = 16, LINES = 64, SECONDS_A_STEP = 5500000 };

static const struct span secret = { "AWS4secret", 10 };

static void demand(bool holds) {
    if (!holds)
        abort();
}

/* ---- the input ---- */

struct input {
    const uint8_t *at, *end;
};

/* A field in memory of its very size, so that a byte read beyond it is seen. */
static struct span take_field(struct input *input) {
    const uint8_t *stop = input->at < input->end ? memchr(input->at, 0xFF, (size_t)(input->end - input->at)) : NULL;
    size_t length = (size_t)((stop ? stop : input->end) - input->at);
    char *copy = malloc(length ? length : 1);
    demand(copy != NULL);
    if (length)
        memcpy(copy, input->at, length);
    input->at += length + (stop ? 1 : 0);
    return (struct span){ copy, length };
}

static unsigned take_number(struct input *input) {
    unsigned number = 0;
    for (int index = 0; index < 2; index++)
        number = number << 8 | (input->at < input->end ? *input->at++ : 0U);
    return number;
}

/* ---- what a signature must be ---- */

static void hexadecimal(const unsigned char *bytes, char text[KEYS_HEX_SIZE]) {
    for (size_t index = 0; index < KEYS_SHA256_BYTES; index++)
        snprintf(text + 2 * index, 3, "%02x", bytes[index]);
}

static void hmac(unsigned char key[EVP_MAX_MD_SIZE], size_t *key_length, struct span text) {
    unsigned char result[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    demand(HMAC(EVP_sha256(), key, (int)*key_length, (const unsigned char *)text.bytes, text.length, result, &length) !=
           NULL);
    memcpy(key, result, length);
    *key_length = length;
}

static void check_signature(const struct sigv4_request *request, const struct sigv4_signed *result) {
    unsigned char key[EVP_MAX_MD_SIZE], hash[EVP_MAX_MD_SIZE];
    char expected[KEYS_HEX_SIZE], text[1024], canonical_hash[KEYS_HEX_SIZE];
    size_t length = secret.length;
    memcpy(key, secret.bytes, secret.length);
    hmac(key, &length, (struct span){ result->date, 8 });
    hmac(key, &length, request->region);
    hmac(key, &length, request->service);
    hmac(key, &length, span_of("aws4_request"));
    demand(
        EVP_Digest(result->canonical_request.data, result->canonical_request.length, hash, NULL, EVP_sha256(), NULL));
    hexadecimal(hash, canonical_hash);
    int count = snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%.8s/%.*s/%.*s/aws4_request\n%s", result->date,
                         result->date, (int)request->region.length, request->region.bytes, (int)request->service.length,
                         request->service.bytes, canonical_hash);
    demand(count > 0 && (size_t)count == result->string_to_sign.length &&
           !memcmp(text, result->string_to_sign.data, (size_t)count));
    hmac(key, &length, (struct span){ text, (size_t)count });
    hexadecimal(key, expected);
    demand(!strcmp(expected, result->signature));
}

/* ---- what a canonical request must be ---- */

static bool is_encoded(struct span text, const char *others) {
    for (size_t index = 0; index < text.length; index++) {
        char byte = text.bytes[index];
        bool plain = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
        if (!plain && (!byte || !strchr(others, byte)))
            return false;
    }
    return true;
}

static void check_path(const struct sigv4_request *request, struct span path) {
    demand(path.length && path.bytes[0] == '/');
    for (size_t index = 0; index < path.length; index++)
        demand(path.bytes[index] > ' ' && path.bytes[index] <= '~');
    if (request->encode_path)
        demand(is_encoded(path, "-._~/%"));
    if (request->normalize_path) {
        demand(!memmem(path.bytes, path.length, "//", 2));
        demand(!memmem(path.bytes, path.length, "/./", 3) && !memmem(path.bytes, path.length, "/../", 4));
        struct buffer again = { 0 };
        canonical_path(&again, path, true, false);
        demand(span_equal((struct span){ again.data, again.length }, path));
        buffer_clear(&again);
    }
}

/* Sorted, each with one "=", and such as it would come out again. */
static void check_query(struct span query) {
    struct span last_name = { "", 0 }, last_value = { "", 0 }, rest = query;
    while (rest.length) {
        const char *end = memchr(rest.bytes, '&', rest.length);
        struct span pair = { rest.bytes, end ? (size_t)(end - rest.bytes) : rest.length };
        const char *equals = memchr(pair.bytes, '=', pair.length);
        demand(equals && is_encoded(pair, "-._~%="));
        struct span name = { pair.bytes, (size_t)(equals - pair.bytes) };
        struct span value = { equals + 1, pair.length - name.length - 1 };
        demand(!memchr(value.bytes, '=', value.length));
        int order = span_compare(last_name, name);
        demand(order < 0 || (order == 0 && span_compare(last_value, value) <= 0));
        last_name = name;
        last_value = value;
        size_t taken = pair.length + (end ? 1 : 0);
        rest = (struct span){ rest.bytes + taken, rest.length - taken };
    }
    struct canonical_query again = { 0 };
    struct buffer text = { 0 };
    demand(!canonical_query_read(&again, query));
    canonical_query_write(&again, &text);
    demand(span_equal((struct span){ text.data, text.length }, query));
    buffer_clear(&text);
    canonical_query_clear(&again);
}

/* "name:value", without blanks that the rules take away. */
static struct span check_header(struct span line) {
    const char *colon = memchr(line.bytes, ':', line.length);
    demand(colon != NULL);
    struct span name = { line.bytes, (size_t)(colon - line.bytes) },
                value = { colon + 1, line.length - name.length - 1 };
    demand(canonical_is_token(name) && !canonical_is_unsigned(name));
    for (size_t index = 0; index < name.length; index++)
        demand(name.bytes[index] < 'A' || name.bytes[index] > 'Z');
    demand(!value.length || (value.bytes[0] != ' ' && value.bytes[value.length - 1] != ' '));
    for (size_t index = 0; index < value.length; index++)
        demand(((unsigned char)value.bytes[index] >= ' ' && value.bytes[index] != 0x7F) &&
               (index == 0 || value.bytes[index] != ' ' || value.bytes[index - 1] != ' '));
    return name;
}

static size_t split_lines(struct span text, struct span lines[LINES]) {
    size_t count = 0;
    for (;;) {
        const char *end = text.length ? memchr(text.bytes, '\n', text.length) : NULL;
        demand(count < LINES);
        lines[count++] = (struct span){ text.bytes, end ? (size_t)(end - text.bytes) : text.length };
        if (!end)
            return count;
        text.length -= lines[count - 1].length + 1;
        text.bytes = end + 1;
    }
}

static void check_canonical(const struct sigv4_request *request, const struct sigv4_signed *result) {
    struct span lines[LINES];
    size_t count =
        split_lines((struct span){ result->canonical_request.data, result->canonical_request.length }, lines);
    struct span hash, names;
    bool has_host = false;
    demand(count >= 7); /* one header at least: Host */
    demand(span_equal(lines[0], request->method));
    check_path(request, lines[1]);
    check_query(lines[2]);
    hash = lines[count - 1];
    names = lines[count - 2];
    demand(!lines[count - 3].length);
    demand(hash.length && !memchr(hash.bytes, ' ', hash.length));
    for (size_t index = 3; index < count - 3; index++) {
        struct span name = check_header(lines[index]);
        demand(names.length >= name.length && !memcmp(names.bytes, name.bytes, name.length));
        bool more = names.length > name.length;
        demand(more == (index < count - 4) && (!more || names.bytes[name.length] == ';'));
        names = (struct span){ names.bytes + name.length + more, names.length - name.length - more };
        has_host = has_host || span_equal(name, span_of("host"));
        demand(index == 3 || memcmp(lines[index - 1].bytes, lines[index].bytes, name.length + 1) != 0);
    }
    demand(has_host && !names.length);
}

/* The query of a signed URL, as its reader finds it, is what was signed and the signature. */
static void check_url(const struct sigv4_request *request, const struct sigv4_signed *result) {
    struct span url = { result->url.data, result->url.length }, lines[LINES];
    char signature[128];
    size_t length = (size_t)snprintf(signature, sizeof signature, "&X-Amz-Signature=%s", result->signature);
    demand(url.length > request->url.length + length && !memcmp(url.bytes, request->url.bytes, request->url.length));
    demand(!memcmp(url.bytes + url.length - length, signature, length));
    const char *question = memchr(url.bytes, '?', url.length);
    demand(question != NULL);
    struct span query = { question + 1, (size_t)(url.bytes + url.length - length - question - 1) };
    struct canonical_query read = { 0 };
    struct buffer text = { 0 };
    demand(!canonical_query_read(&read, query) && canonical_query_is_signed(&read));
    canonical_query_write(&read, &text);
    split_lines((struct span){ result->canonical_request.data, result->canonical_request.length }, lines);
    demand(request->omit_session_token || span_equal((struct span){ text.data, text.length }, lines[2]));
    demand(text.length >= lines[2].length);
    buffer_clear(&text);
    canonical_query_clear(&read);
}

static bool same(const struct buffer *left, const struct buffer *right) {
    return span_equal((struct span){ left->data, left->length }, (struct span){ right->data, right->length });
}

static void check_again(struct keys *keys, const struct sigv4_request *request, const struct sigv4_signed *first) {
    struct keys others;
    struct sigv4_signed again = { 0 };
    demand(!keys_open(&others, keys->access_key_id, (struct span){ secret.bytes + 4, secret.length - 4 },
                      keys->session_token));
    for (int round = 0; round < 2; round++) {
        demand(!sigv4_sign(round ? keys : &others, request, &again));
        demand(!strcmp(first->signature, again.signature) && same(&first->canonical_request, &again.canonical_request));
        demand(same(&first->url, &again.url) && same(&first->authorization, &again.authorization));
    }
    sigv4_clear(&again);
    keys_close(&others);
}

static void check_unfolded(const struct sigv4_request *request) {
    for (size_t index = 0; index < request->header_count; index++) {
        struct buffer text = { 0 };
        canonical_unfold(&text, request->headers[index].value);
        struct span unfolded = { text.data ? text.data : "", text.length };
        demand(canonical_is_value(unfolded) && !canonical_is_folded(unfolded));
        buffer_clear(&text);
    }
}

static void check(struct keys *keys, const struct sigv4_request *request) {
    struct sigv4_signed result = { 0 };
    const char *problem = sigv4_sign(keys, request, &result);
    if (problem) {
        demand(strcmp(problem, "out of memory") != 0 && !strstr(problem, "libcrypto"));
    } else {
        check_canonical(request, &result);
        check_signature(request, &result);
        check_unfolded(request);
        demand(!request->expires_s == !result.url.length && !request->expires_s == !!result.authorization.length);
        if (request->expires_s)
            check_url(request, &result);
        check_again(keys, request, &result);
    }
    sigv4_clear(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = { data, data + size };
    struct sigv4_header headers[HEADERS];
    struct keys keys;
    unsigned options = take_number(&input);
    int64_t time_s = ((int64_t)take_number(&input) - 1 - 11304) * SECONDS_A_STEP + options;
    struct span fields[7];
    for (size_t index = 0; index < 7; index++)
        fields[index] = take_field(&input);
    size_t count = 0;
    for (; count < HEADERS && input.at < input.end; count++) {
        headers[count].name = take_field(&input);
        headers[count].value = take_field(&input);
    }
    struct sigv4_request request = {
        .method = fields[0],
        .url = fields[1],
        .headers = headers,
        .header_count = count,
        .body = fields[6],
        .payload_hash = fields[5],
        .region = fields[2],
        .service = fields[3],
        .time_s = time_s,
        .expires_s = options & 16 ? (options >> 5) * 300 : 0,
        .normalize_path = options & 1,
        .encode_path = options & 2,
        .sign_body_header = options & 4,
        .omit_session_token = options & 8,
    };
    if (!keys_open(&keys, span_of("AKIDEXAMPLE"), (struct span){ secret.bytes + 4, secret.length - 4 }, fields[4]))
        check(&keys, &request);
    keys_close(&keys);
    for (size_t index = 0; index < 7; index++)
        free((void *)fields[index].bytes);
    for (size_t index = 0; index < count; index++) {
        free((void *)headers[index].name.bytes);
        free((void *)headers[index].value.bytes);
    }
    return 0;
}
