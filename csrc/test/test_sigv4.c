/* Tests of aws/: the parts of a canonical request, dates against the C library's calendar, keys against libcrypto's plain
 * HMAC, and what is left of the keys afterwards. Whole requests are tried by spec/core/sigv4_spec.lua. */
#include "../aws/sigv4.h"
#include "../aws/target.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <time.h>

#include "tap.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static bool holds(const struct buffer *buffer, const char *expected) {
    return !buffer->failed && buffer->length == strlen(expected) &&
           (!buffer->length || !memcmp(buffer->data, expected, buffer->length));
}

/* ---- dates ---- */

static bool check_date(int64_t time_s) {
    char date[SIGV4_DATE_SIZE], expected[64];
    struct tm calendar;
    time_t moment = (time_t)time_s;
    if (!gmtime_r(&moment, &calendar))
        return false;
    snprintf(expected, sizeof expected, "%04d%02d%02dT%02d%02d%02dZ", calendar.tm_year + 1900, calendar.tm_mon + 1,
             calendar.tm_mday, calendar.tm_hour, calendar.tm_min, calendar.tm_sec);
    return sigv4_date(time_s, date) && !strcmp(date, expected);
}

static void test_dates(void) {
    const int64_t year_0 = -62167219200, year_10000 = 253402300800;
    int64_t wrong = 0, days = 0;
    for (int64_t time_s = year_0; time_s < year_10000; time_s += 86400, days++)
        wrong += !check_date(days % 2 ? time_s : time_s + 86399);
    tap_ok(!wrong && days == 3652425, "every day of the years 0 to 9999 (%lld days)", (long long)days);
    char date[SIGV4_DATE_SIZE] = "untouched";
    tap_ok(!sigv4_date(year_0 - 1, date) && !sigv4_date(year_10000, date) && !sigv4_date(INT64_MIN, date) &&
               !sigv4_date(INT64_MAX, date) && !strcmp(date, "untouched"),
           "no other year");
}

/* ---- targets ---- */

static void test_targets(void) {
    static const struct {
        const char *url, *host, *path, *query;
    } good[] = {
        { "https://h", "h", "", NULL },
        { "https://h?", "h", "", "" },
        { "https://h?a/b?c", "h", "", "a/b?c" },
        { "http://h:80/a//b?c=d", "h", "/a//b", "c=d" },
        { "http://h:0443/", "h:0443", "/", NULL },
        { "https://h:0443/", "h", "/", NULL },
        { "HtTpS://[::ffff:1.2.3.4]:1/", "[::ffff:1.2.3.4]:1", "/", NULL },
        { "https://my_bucket.s3-x.amazonaws.com/%", "my_bucket.s3-x.amazonaws.com", "/%", NULL },
    };
    for (size_t index = 0; index < sizeof good / sizeof *good; index++) {
        struct target target;
        bool taken = !target_parse(span_of(good[index].url), false, &target);
        tap_ok(taken && span_equal(target.host, span_of(good[index].host)) &&
                   span_equal(target.path, span_of(good[index].path)) && target.has_query == !!good[index].query &&
                   span_equal(target.query, span_of(good[index].query ? good[index].query : "")),
               "target %s", good[index].url);
    }
    static const char *const bad[] = { "http:",          "https://",      "https://:1",  "https://h:99999999999",
                                       "https://h:-1",   "https://a@b",   "https://[::", "https://%41",
                                       "https://h/\x7F", "https://h/\xC3" };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
        struct target target = { .has_query = true };
        tap_ok(target_parse(span_of(bad[index]), false, &target) && target.has_query, "no target: %s",
               tap_plain(bad[index], strlen(bad[index])));
    }
}

/* ---- canonical parts ---- */

static void test_paths(void) {
    static const struct {
        const char *path, *normal, *encoded;
    } paths[] = {
        { "", "/", "/" },
        { "/..//../", "/", "/..//../" },
        { "/a/b/../../c", "/c", "/a/b/../../c" },
        { "/a/b/../..", "/", "/a/b/../.." },
        { "/a/./", "/a/", "/a/./" },
        { "/...", "/...", "/..." },
        { "/\xFF\x01~", "/\xFF\x01~", "/%FF%01~" },
        { "/a%2F*", "/a%2F*", "/a%252F%2A" },
    };
    for (size_t index = 0; index < sizeof paths / sizeof *paths; index++) {
        struct buffer normal = { 0 }, encoded = { 0 }, plain = { 0 };
        canonical_path(&normal, span_of(paths[index].path), true, false);
        canonical_path(&encoded, span_of(paths[index].path), false, true);
        canonical_path(&plain, span_of(paths[index].path), false, false);
        tap_ok(holds(&normal, paths[index].normal) && holds(&encoded, paths[index].encoded) &&
                   holds(&plain, *paths[index].path ? paths[index].path : "/"),
               "path \"%s\"", tap_plain(paths[index].path, strlen(paths[index].path)));
        buffer_clear(&normal);
        buffer_clear(&encoded);
        buffer_clear(&plain);
    }
}

static void test_query(void) {
    struct canonical_query query = { 0 };
    struct buffer text = { 0 };
    bool taken = !canonical_query_read(&query, span_of("b=%7e%2B+&&a&=&b=1"));
    canonical_query_add(&query, span_of("A b"), span_of(""));
    tap_ok(taken && !canonical_query_is_signed(&query), "query taken");
    canonical_query_write(&query, &text);
    tap_ok(holds(&text, "=&A%20b=&a=&b=1&b=~%2B%2B"), "query sorted: %s", tap_plain(text.data, text.length));
    canonical_query_add(&query, span_of("x-AMZ-signature"), span_of(""));
    tap_ok(canonical_query_is_signed(&query), "a signed URL's query is seen");
    tap_ok(canonical_query_read(&query, span_of("%A")) && canonical_query_read(&query, span_of("a=%AG")) &&
               canonical_query_read(&query, span_of("a=%%41")),
           "a %% that begins nothing is refused");
    buffer_clear(&text);
    canonical_query_clear(&query);
}

static void test_headers(void) {
    struct canonical_header headers[] = {
        { span_of("Zoo"), span_of(" a  b\t"), 0 },
        { span_of("b"), span_of("2"), 1 },
        { span_of("B"), span_of("\r\n 1\r\n\t \r\n "), 2 },
        { span_of("a-"), span_of(""), 3 },
        { span_of("a"), span_of("\t"), 4 },
    };
    struct buffer text = { 0 }, names = { 0 };
    canonical_headers(headers, sizeof headers / sizeof *headers, &text, &names);
    tap_ok(holds(&text, "a:\na-:\nb:2,1\nzoo:a b\n"), "headers sorted, joined and trimmed");
    tap_ok(holds(&names, "a;a-;b;zoo"), "names of the headers");
    names.length = 0;
    canonical_unfold(&names, span_of("a \r\n\t b\n c"));
    tap_ok(holds(&names, "a  b c"), "a fold is one blank");
    buffer_clear(&text);
    buffer_clear(&names);
    tap_ok(!canonical_is_token(span_of("")) && !canonical_is_token((struct span){ "a\0", 2 }) &&
               canonical_is_token(span_of("x-!#$%&'*+.^_`|~9")),
           "tokens");
}

/* ---- keys ---- */

static void derive_plainly(const char *const parts[4], unsigned char key[KEYS_SHA256_BYTES]) {
    unsigned char next[KEYS_SHA256_BYTES];
    const unsigned char *with = (const unsigned char *)"AWS4" SECRET;
    int length = (int)strlen("AWS4" SECRET);
    for (size_t index = 0; index < 4; index++) {
        HMAC(EVP_sha256(), with, length, (const unsigned char *)parts[index], strlen(parts[index]), next, NULL);
        memcpy(key, next, sizeof next);
        with = key;
        length = KEYS_SHA256_BYTES;
    }
}

static bool signs_as(struct keys *keys, const char *scope, const unsigned char key[KEYS_SHA256_BYTES]) {
    char signature[KEYS_HEX_SIZE], expected[KEYS_HEX_SIZE];
    unsigned char plain[KEYS_SHA256_BYTES];
    HMAC(EVP_sha256(), key, KEYS_SHA256_BYTES, (const unsigned char *)"text", 4, plain, NULL);
    for (size_t index = 0; index < sizeof plain; index++)
        snprintf(expected + 2 * index, 3, "%02x", plain[index]);
    return keys_sign(keys, span_of(scope), span_of("text"), signature) && !strcmp(signature, expected);
}

static void test_keys(void) {
    /* "Deriving a signing key", of the AWS General Reference. */
    static const unsigned char documented[KEYS_SHA256_BYTES] = {
        0xf4, 0x78, 0x0e, 0x2d, 0x9f, 0x65, 0xfa, 0x89, 0x5f, 0x9c, 0x67, 0xb3, 0x2c, 0xe1, 0xba, 0xf0,
        0xb0, 0xd8, 0xa4, 0x35, 0x05, 0xa0, 0x00, 0xa1, 0xa9, 0xe0, 0x90, 0xd4, 0x14, 0xdb, 0x40, 0x4d,
    };
    struct keys keys;
    const char *problem = keys_open(&keys, span_of("AKIDEXAMPLE"), span_of(SECRET), span_of("token"));
    tap_ok(!problem && span_equal(keys.access_key_id, span_of("AKIDEXAMPLE")) &&
               span_equal(keys.session_token, span_of("token")),
           "keys open");
    tap_ok(signs_as(&keys, "20120215/us-east-1/iam", documented), "the documented signing key");
    bool good = true;
    for (unsigned round = 0; round < 50; round++) {
        /* More scopes than are remembered, in an order that finds some and misses others. */
        const char *const services[] = { "s3", "sqs", "sts", "iam", "s3express", "x" };
        const char *service = services[round * round % 7 % 6];
        const char *const parts[] = { "20240229", "eu-central-1", service, "aws4_request" };
        unsigned char key[KEYS_SHA256_BYTES];
        char scope[64];
        derive_plainly(parts, key);
        snprintf(scope, sizeof scope, "20240229/eu-central-1/%s", service);
        good = good && signs_as(&keys, scope, key);
    }
    tap_ok(good, "signing keys as derived plainly, remembered or not");
    char hash[KEYS_HEX_SIZE], long_scope[KEYS_SCOPE_LIMIT_BYTES + 1];
    tap_ok(keys_hash(&keys, span_of("abc"), hash) &&
               !strcmp(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
           "SHA-256 (FIPS 180-4)");
    memset(long_scope, 'x', sizeof long_scope);
    tap_ok(!keys_sign(&keys, (struct span){ long_scope, sizeof long_scope }, span_of(""), hash), "no endless scope");

    static const struct keys wiped;
    keys_close(&keys);
    keys_close(&keys);
    tap_ok(!memcmp(&keys, &wiped, sizeof keys), "nothing is left of closed keys");
}

static void test_refused_keys(void) {
    static const struct {
        const char *id, *secret, *token;
    } bad[] = { { "", "s", "" },    { "a b", "s", "" }, { "a/b", "s", "" },
                { "a,b", "s", "" }, { "a", "", "" },    { "a", "s", "t\n" } };
    bool good = true;
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
        struct keys keys;
        good = good &&
               keys_open(&keys, span_of(bad[index].id), span_of(bad[index].secret), span_of(bad[index].token)) &&
               !keys.texts;
        keys_close(&keys);
    }
    tap_ok(good, "keys that no header can hold");
}

/* One result for one request after the other, of both forms, as if each were the first. */
static void test_reuse(void) {
    struct keys keys;
    struct sigv4_signed again = { 0 };
    bool good = !keys_open(&keys, span_of("AKIDEXAMPLE"), span_of(SECRET), span_of("token"));
    for (unsigned round = 0; round < 16 && good; round++) {
        const struct sigv4_header headers[] = { { span_of("a"), span_of("b") }, { span_of("Host"), span_of("h") } };
        struct sigv4_request request = {
            .method = span_of("PUT"),
            .url = span_of("https://h.example/a b?c"),
            .headers = headers,
            .header_count = round % 3,
            .body = span_of("body"),
            .region = span_of("eu-central-1"),
            .service = span_of(round % 2 ? "s3" : "sqs"),
            .time_s = 1440938160,
            .expires_s = round / 2 % 2 * 60,
            .encode_path = true,
            .sign_body_header = round / 4 % 2,
        };
        struct sigv4_signed fresh = { 0 };
        good = !sigv4_sign(&keys, &request, &fresh) && !sigv4_sign(&keys, &request, &again) &&
               !strcmp(fresh.signature, again.signature) && fresh.url.length == again.url.length &&
               fresh.authorization.length == again.authorization.length && fresh.date_header == again.date_header &&
               span_equal(fresh.host, again.host) && span_equal(fresh.content_sha256, again.content_sha256);
        request.region = span_of("");
        good = good && sigv4_sign(&keys, &request, &again);
        sigv4_clear(&fresh);
    }
    tap_ok(good, "a result may be used again, after an error as well");
    sigv4_clear(&again);
    keys_close(&keys);
}

int main(void) {
    test_dates();
    test_targets();
    test_paths();
    test_query();
    test_headers();
    test_keys();
    test_refused_keys();
    test_reuse();
    return tap_done();
}
