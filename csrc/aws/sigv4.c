#include "sigv4.h"

#include <stdio.h>

#include "target.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define CONTENT_SHA256 "x-amz-content-sha256"
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const char no_memory[] = "out of memory";
static const char no_cryptography[] = "libcrypto refuses SHA-256 on this machine";

bool sigv4_is_s3(struct span service) {
    static const char *const names[] = { "s3", "s3-object-lambda", "s3-outposts", "s3express" };
    for (size_t index = 0; index < sizeof names / sizeof *names; index++)
        if (span_equal(service, span_of(names[index])))
            return true;
    return false;
}

/* ---- the time ---- */

bool sigv4_date(int64_t time_s, char date[SIGV4_DATE_SIZE]) {
    static const int64_t year_0 = -62167219200, year_10000 = 253402300800;
    enum { DAY_S = 86400, DAYS_400_YEARS = 146097 };
    if (time_s < year_0 || time_s >= year_10000)
        return false;
    /* Counted from 1 March of year 0, so that a leap day ends a year; one 400 years earlier, so that all is positive. */
    int64_t since = time_s - year_0 + (int64_t)DAYS_400_YEARS * DAY_S - (int64_t)60 * DAY_S;
    unsigned second = (unsigned)(since % DAY_S), days = (unsigned)(since / DAY_S);
    unsigned cycle = days / DAYS_400_YEARS, day = days % DAYS_400_YEARS;
    unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    unsigned month = (5 * day + 2) / 153; /* 0: March */
    day -= (153 * month + 2) / 5;
    /* The casts tell the compiler how many digits there can be. */
    snprintf(date, SIGV4_DATE_SIZE, "%04u%02u%02uT%02u%02u%02uZ", (cycle * 400 + year + (month >= 10) - 400) % 10000,
             (month + 2) % 12 + 1, (day + 1) % 100, second / 3600 % 100, second / 60 % 60, second % 60);
    return true;
}

/* ---- what is given ---- */

static bool is_name(struct span text) {
    return span_is_identifier(text) && text.length <= SIGV4_NAME_LIMIT_BYTES;
}

static bool consists_of(struct span text, const char *bytes) {
    for (size_t index = 0; index < text.length; index++)
        if (!text.bytes[index] || !strchr(bytes, text.bytes[index]))
            return false;
    return true;
}

static bool is_payload_hash(struct span text) {
    static const struct span streaming = { "STREAMING-", 10 };
    if (span_equal(text, span_of(UNSIGNED_PAYLOAD)))
        return true;
    if (text.length > streaming.length && span_equal((struct span){ text.bytes, streaming.length }, streaming))
        return consists_of(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    return text.length == KEYS_HEX_SIZE - 1 && consists_of(text, "0123456789abcdef");
}

static const char *check_request(const struct sigv4_request *request) {
    if (!canonical_is_token(request->method))
        return "method is a word, as \"GET\" is";
    if (!is_name(request->region))
        return "region is a name, as \"eu-central-1\" is";
    if (!is_name(request->service))
        return "service is a name, as \"s3\" is";
    if (request->expires_s > SIGV4_EXPIRES_LIMIT_S)
        return "expires_s is 1 to 604800 (7 days)";
    if (request->payload_hash.length && !is_payload_hash(request->payload_hash))
        return "payload_hash is 64 hexadecimal digits in lower case, \"UNSIGNED-PAYLOAD\" or \"STREAMING-…\"";
    return NULL;
}

/* The headers that signing writes itself. */
struct own_headers {
    const struct sigv4_header *host, *date, *token, *content_sha256;
    struct span content_hash; /* that one's value, without blanks around it */
};

static const char *keep_one(const struct sigv4_header **kept, const struct sigv4_header *header) {
    if (*kept)
        return "headers hold Host, X-Amz-Date, X-Amz-Security-Token or x-amz-content-sha256 twice";
    *kept = header;
    return NULL;
}

static const char *find_own(const struct sigv4_request *request, struct own_headers *own) {
    for (size_t index = 0; index < request->header_count; index++) {
        const struct sigv4_header *header = &request->headers[index];
        const char *problem = NULL;
        if (!canonical_is_token(header->name))
            return "a header's name isn't a token (RFC 9110): letters, digits and hyphens";
        if (!canonical_is_value(header->value))
            return "a header's value holds a control character, or a line end that no blank follows";
        if (span_is(header->name, "authorization"))
            problem = "headers hold Authorization, which signing writes";
        else if (span_is(header->name, "host"))
            problem = keep_one(&own->host, header);
        else if (span_is(header->name, "x-amz-date"))
            problem = keep_one(&own->date, header);
        else if (span_is(header->name, "x-amz-security-token"))
            problem = keep_one(&own->token, header);
        else if (span_is(header->name, CONTENT_SHA256))
            problem = keep_one(&own->content_sha256, header);
        if (problem)
            return problem;
    }
    if (own->content_sha256)
        own->content_hash = canonical_trim(own->content_sha256->value);
    return NULL;
}

/* What is given of the headers that signing writes must say the same. */
static const char *check_own(const struct keys *keys, const struct sigv4_request *request,
                             const struct own_headers *own, const char *date) {
    if (own->host && !canonical_trim(own->host->value).length)
        return "the header Host is empty";
    if (request->expires_s && (own->date || own->token))
        return "headers hold X-Amz-Date or X-Amz-Security-Token, which go to the query with expires_s";
    if (own->date && !span_equal(canonical_trim(own->date->value), span_of(date)))
        return "headers hold an X-Amz-Date that isn't time";
    if (own->token && keys->session_token.length && !span_equal(canonical_trim(own->token->value), keys->session_token))
        return "headers hold an X-Amz-Security-Token that isn't session_token";
    if (own->content_sha256 && !is_payload_hash(own->content_hash))
        return "the header x-amz-content-sha256 is 64 hexadecimal digits in lower case, \"UNSIGNED-PAYLOAD\" or "
               "\"STREAMING-…\"";
    if (own->content_sha256 && request->payload_hash.length && !span_equal(own->content_hash, request->payload_hash))
        return "headers hold an x-amz-content-sha256 that isn't payload_hash";
    return NULL;
}

/* ---- the canonical request ---- */

/* Empty: libcrypto refuses. */
static struct span payload_hash(struct keys *keys, const struct sigv4_request *request, const struct own_headers *own,
                                struct sigv4_signed *result) {
    if (request->payload_hash.length)
        return request->payload_hash;
    if (own->content_sha256)
        return own->content_hash;
    /* Who signs a URL doesn't know the body; S3 computes with these words then. */
    if (request->expires_s && sigv4_is_s3(request->service))
        return span_of(UNSIGNED_PAYLOAD);
    if (!request->body.length)
        return span_of(EMPTY_SHA256);
    if (!keys_hash(keys, request->body, result->payload_hash))
        result->payload_hash[0] = '\0';
    return span_of(result->payload_hash);
}

static void sign_header(struct sigv4_signed *result, struct span name, struct span value) {
    struct canonical_header header = { name, value, result->signed_headers.length };
    buffer_append(&result->signed_headers, &header, sizeof header);
}

/* Collects the headers to sign, and tells which of them are to be sent beside the given ones. */
static void collect_headers(const struct keys *keys, const struct sigv4_request *request, const struct own_headers *own,
                            struct span host, struct span hash, struct sigv4_signed *result) {
    bool in_headers = !request->expires_s;
    bool omit_token = request->omit_session_token && keys->session_token.length;
    for (size_t index = 0; index < request->header_count; index++) {
        const struct sigv4_header *header = &request->headers[index];
        if (!canonical_is_unsigned(header->name) && !(omit_token && header == own->token))
            sign_header(result, header->name, header->value);
    }
    if (!own->host) {
        result->host = host;
        sign_header(result, span_of("host"), host);
    }
    if (in_headers && !own->date) {
        result->date_header = true;
        sign_header(result, span_of("x-amz-date"), span_of(result->date));
    }
    if (in_headers && !own->token && keys->session_token.length) {
        result->session_token = keys->session_token;
        if (!omit_token)
            sign_header(result, span_of("x-amz-security-token"), keys->session_token);
    }
    if (in_headers && !own->content_sha256 && request->sign_body_header) {
        result->content_sha256 = hash;
        sign_header(result, span_of(CONTENT_SHA256), hash);
    }
    canonical_headers((void *)result->signed_headers.data,
                      result->signed_headers.length / sizeof(struct canonical_header), &result->canonical_headers,
                      &result->names);
}

static struct span content(const struct buffer *buffer) {
    return (struct span){ buffer->data ? buffer->data : "", buffer->length };
}

static void append(struct buffer *buffer, struct span text) {
    buffer_append(buffer, text.bytes, text.length);
}

static void append_credential(struct buffer *buffer, const struct keys *keys, const struct sigv4_signed *result) {
    append(buffer, keys->access_key_id);
    buffer_append_byte(buffer, '/');
    append(buffer, content(&result->scope));
    buffer_append_text(buffer, "/aws4_request");
}

/* One parameter of a signed URL: to the query that is signed, and behind a separator to the URL. */
static void presign(struct sigv4_signed *result, const char *separator, const char *name, struct span value,
                    bool is_signed) {
    if (is_signed)
        canonical_query_add(&result->query, span_of(name), value);
    buffer_append_text(&result->url, separator);
    buffer_append_text(&result->url, name);
    buffer_append_byte(&result->url, '=');
    canonical_encode(&result->url, value, false);
}

static const char *first_separator(const struct target *target) {
    if (!target->has_query)
        return "?";
    return target->query.length && target->query.bytes[target->query.length - 1] != '&' ? "&" : "";
}

static void presign_all(const struct keys *keys, const struct sigv4_request *request, const struct target *target,
                        struct sigv4_signed *result) {
    char expires[16];
    struct buffer credential = { 0 };
    append_credential(&credential, keys, result);
    snprintf(expires, sizeof expires, "%u", request->expires_s);
    append(&result->url, request->url);
    presign(result, first_separator(target), "X-Amz-Algorithm", span_of(ALGORITHM), true);
    presign(result, "&", "X-Amz-Credential", content(&credential), true);
    presign(result, "&", "X-Amz-Date", span_of(result->date), true);
    presign(result, "&", "X-Amz-Expires", span_of(expires), true);
    if (keys->session_token.length)
        presign(result, "&", "X-Amz-Security-Token", keys->session_token, !request->omit_session_token);
    presign(result, "&", "X-Amz-SignedHeaders", content(&result->names), true);
    result->url.failed = result->url.failed || credential.failed;
    buffer_clear(&credential);
}

static void write_canonical_request(const struct sigv4_request *request, const struct target *target, struct span hash,
                                    struct sigv4_signed *result) {
    struct buffer *buffer = &result->canonical_request;
    append(buffer, request->method);
    buffer_append_byte(buffer, '\n');
    canonical_path(buffer, target->path, request->normalize_path, request->encode_path);
    buffer_append_byte(buffer, '\n');
    canonical_query_write(&result->query, buffer);
    buffer_append_byte(buffer, '\n');
    append(buffer, content(&result->canonical_headers));
    buffer_append_byte(buffer, '\n');
    append(buffer, content(&result->names));
    buffer_append_byte(buffer, '\n');
    append(buffer, hash);
}

/* ---- the signature ---- */

static const char *sign_string(struct keys *keys, struct sigv4_signed *result) {
    char hash[KEYS_HEX_SIZE];
    struct buffer *buffer = &result->string_to_sign;
    if (!keys_hash(keys, content(&result->canonical_request), hash))
        return no_cryptography;
    buffer_append_text(buffer, ALGORITHM "\n");
    buffer_append_text(buffer, result->date);
    buffer_append_byte(buffer, '\n');
    append(buffer, content(&result->scope));
    buffer_append_text(buffer, "/aws4_request\n");
    buffer_append_text(buffer, hash);
    if (buffer->failed)
        return no_memory;
    return keys_sign(keys, content(&result->scope), content(buffer), result->signature) ? NULL : no_cryptography;
}

static void write_authorization(const struct keys *keys, struct sigv4_signed *result) {
    struct buffer *buffer = &result->authorization;
    buffer_append_text(buffer, ALGORITHM " Credential=");
    append_credential(buffer, keys, result);
    buffer_append_text(buffer, ", SignedHeaders=");
    append(buffer, content(&result->names));
    buffer_append_text(buffer, ", Signature=");
    buffer_append_text(buffer, result->signature);
}

static void begin(struct sigv4_signed *result) {
    struct buffer *const buffers[] = {
        &result->canonical_request, &result->string_to_sign,    &result->authorization, &result->url,
        &result->signed_headers,    &result->canonical_headers, &result->names,         &result->scope,
        &result->query.text,        &result->query.parameters
    };
    for (size_t index = 0; index < sizeof buffers / sizeof *buffers; index++) {
        buffers[index]->length = 0;
        buffers[index]->failed = false;
    }
    result->host = result->content_sha256 = result->session_token = (struct span){ "", 0 };
    result->payload_hash[0] = result->signature[0] = '\0';
    result->date_header = false;
}

static void write_scope(const struct sigv4_request *request, struct sigv4_signed *result) {
    enum { DAY_BYTES = 8 };
    buffer_append(&result->scope, result->date, DAY_BYTES);
    buffer_append_byte(&result->scope, '/');
    append(&result->scope, request->region);
    buffer_append_byte(&result->scope, '/');
    append(&result->scope, request->service);
}

const char *sigv4_sign(struct keys *keys, const struct sigv4_request *request, struct sigv4_signed *result) {
    struct target target = { .has_query = false };
    struct own_headers own = { 0 };
    begin(result);
    const char *problem = check_request(request);
    if (!problem && !sigv4_date(request->time_s, result->date))
        problem = "time is seconds since the epoch, within the years 0 to 9999";
    if (!problem)
        problem = target_parse(request->url, request->encode_path, &target);
    if (!problem)
        problem = find_own(request, &own);
    if (!problem)
        problem = check_own(keys, request, &own, result->date);
    if (!problem)
        problem = canonical_query_read(&result->query, target.query);
    if (!problem && canonical_query_is_signed(&result->query))
        problem = "the URL holds X-Amz-Signature or another parameter of a signed URL";
    if (problem)
        return problem;
    struct span hash = payload_hash(keys, request, &own, result);
    if (!hash.length)
        return no_cryptography;
    write_scope(request, result);
    collect_headers(keys, request, &own, target.host, hash, result);
    if (request->expires_s)
        presign_all(keys, request, &target, result);
    write_canonical_request(request, &target, hash, result);
    if (result->canonical_request.failed || result->scope.failed || result->names.failed ||
        result->canonical_headers.failed || result->signed_headers.failed)
        return no_memory;
    problem = sign_string(keys, result);
    if (problem)
        return problem;
    if (request->expires_s)
        presign(result, "&", "X-Amz-Signature", span_of(result->signature), false);
    else
        write_authorization(keys, result);
    return result->url.failed || result->authorization.failed ? no_memory : NULL;
}

void sigv4_clear(struct sigv4_signed *result) {
    buffer_clear(&result->canonical_request);
    buffer_clear(&result->string_to_sign);
    buffer_clear(&result->authorization);
    buffer_clear(&result->url);
    buffer_clear(&result->signed_headers);
    buffer_clear(&result->canonical_headers);
    buffer_clear(&result->names);
    buffer_clear(&result->scope);
    canonical_query_clear(&result->query);
}
