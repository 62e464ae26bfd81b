#include "smtp_failure.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "curl_library.h"
#include "loop.h"

/* ---- the server's address ---- */

static const char *authority_of(const char *url) {
    return !strncasecmp(url, "smtps://", 8) ? url + 8 : !strncasecmp(url, "smtp://", 7) ? url + 7 : NULL;
}

const char *smtp_url_problem(const char *url) {
    const char *authority = authority_of(url);
    if (!authority)
        return "the URL must begin with smtp:// or smtps://";
    size_t length = strcspn(authority, "/?#");
    if (!length || *authority == ':')
        return "the URL names no host";
    if (memchr(authority, '@', length))
        return "the URL must not hold a user's name or password";
    if (strpbrk(authority, "?#"))
        return "the URL holds a ? or #, which mail has no use for";
    if (strlen(url) > 1024)
        return "the URL is longer than 1024 bytes";
    for (const char *at = url; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return "the URL holds white space or a control character";
    return NULL;
}

void smtp_url_authority(const char *url, char *text, size_t size) {
    const char *authority = authority_of(url);
    /* What has something else in the place of a host isn't repeated: it may be a password. */
    if (!authority || smtp_url_problem(url))
        snprintf(text, size, "SMTP");
    else
        snprintf(text, size, "%.*s", (int)strcspn(authority, "/"), authority);
}

/* ---- the server's words ---- */

void smtp_reply_clear(struct smtp_answer *answer) {
    answer->status = 0;
    *answer->enhanced = *answer->text = '\0';
}

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

/* RFC 3463, section 2: class, subject and detail. Returns how long it is, or 0. */
static size_t enhanced_length(const char *text, size_t length) {
    size_t at = 1;
    if (length < 5 || !strchr("245", text[0]))
        return 0;
    for (int part = 0; part < 2; part++) {
        size_t digits = 0;
        if (at >= length || text[at++] != '.')
            return 0;
        while (at < length && digits < 3 && is_digit(text[at]))
            at++, digits++;
        if (!digits)
            return 0;
    }
    return at == length || text[at] == ' ' ? at : 0;
}

void smtp_reply_take(struct smtp_answer *answer, const char *line, size_t length) {
    while (length && strchr("\r\n", line[length - 1]))
        length--;
    if (length < 3 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]))
        return;
    answer->status = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    size_t at = length > 3 ? 4 : 3, enhanced = enhanced_length(line + at, length - at);
    if (enhanced && enhanced < sizeof answer->enhanced) {
        memcpy(answer->enhanced, line + at, enhanced);
        answer->enhanced[enhanced] = '\0';
        at += enhanced;
    }
    size_t filled = strlen(answer->text);
    if (filled && filled < sizeof answer->text - 1)
        answer->text[filled++] = ' ';
    while (at < length && line[at] == ' ')
        at++;
    for (; at < length && filled < sizeof answer->text - 1; at++) {
        unsigned char byte = (unsigned char)line[at];
        answer->text[filled++] = byte < ' ' || byte == 0x7f ? '?' : (char)byte;
    }
    answer->text[filled] = '\0';
}

/* ---- failures ---- */

/* Servers say only at RCPT that they carry mail for nobody who hasn't logged in, and with statuses that else mean the recipient. */
static bool denies_relay(const struct smtp_answer *answer) {
    return answer->stage == SMTP_STAGE_RECIPIENT && strcasestr(answer->text, "relay");
}

static bool wants_login(const struct smtp_answer *answer) {
    /* RFC 4954, section 6. */
    return answer->status == 530 || answer->status == 534 || answer->status == 535 || answer->status == 538;
}

/* 552 at MAIL is about the size that was announced there (RFC 1870, section 6.1). */
static bool is_about_size(const struct smtp_answer *answer) {
    return answer->status == 552 || !strcmp(answer->enhanced, "5.3.4");
}

/* The server said no, with a status. */
static enum smtp_failure classify_reply(const struct smtp_answer *answer) {
    bool later = answer->status < 500;
    switch (answer->stage) {
    case SMTP_STAGE_STARTTLS: return SMTP_TLS;
    case SMTP_STAGE_LOGIN: return later ? SMTP_CONNECT : SMTP_AUTH;
    case SMTP_STAGE_SENDER:
        return later                   ? SMTP_DEFERRED
               : wants_login(answer)   ? SMTP_AUTH
               : is_about_size(answer) ? SMTP_REFUSED
                                       : SMTP_SENDER;
    case SMTP_STAGE_RECIPIENT:
    case SMTP_STAGE_MESSAGE:
        return later ? SMTP_DEFERRED : wants_login(answer) || denies_relay(answer) ? SMTP_AUTH : SMTP_REFUSED;
    default: return SMTP_CONNECT;
    }
}

static enum smtp_failure classify(const struct smtp_end *end, const struct smtp_answer *answer) {
    if (end->no_login)
        return SMTP_AUTH;
    if (end->stopped)
        return SMTP_CUT;
    if (answer->status >= 400)
        return classify_reply(answer);
    if (end->result == CURLE_USE_SSL_FAILED || curl_result_is_tls(end->result))
        return SMTP_TLS;
    switch (end->result) {
    case CURLE_LOGIN_DENIED: return SMTP_AUTH;
    case CURLE_OPERATION_TIMEDOUT: return SMTP_TIMEOUT;
    case CURLE_URL_MALFORMAT: return SMTP_URL;
    case CURLE_OUT_OF_MEMORY: return SMTP_MEMORY;
    default: return end->connected ? SMTP_CUT : SMTP_CONNECT;
    }
}

static const char *const said_no[] = {
    [SMTP_STAGE_GREETING] = "the server takes no connection now",
    [SMTP_STAGE_HELLO] = "the server refuses to be greeted",
    [SMTP_STAGE_STARTTLS] = "TLS: the server declines STARTTLS",
    [SMTP_STAGE_LOGIN] = "the server refuses the login",
    [SMTP_STAGE_SENDER] = "the server refuses the sender",
    [SMTP_STAGE_RECIPIENT] = "the server refuses the recipient",
    [SMTP_STAGE_MESSAGE] = "the server refuses the message",
};

static void describe_reply(const struct smtp_answer *answer, char *text, size_t size) {
    const char *hint = "";
    if (answer->failure == SMTP_AUTH && answer->stage != SMTP_STAGE_LOGIN)
        hint = "; it wants a login first: see user and password";
    else if (answer->failure == SMTP_AUTH)
        hint = "; see user and password";
    else if (answer->failure == SMTP_SENDER)
        hint = "; see from";
    snprintf(text, size, "%s: status %d%s%s%s", said_no[answer->stage], answer->status, *answer->enhanced ? " " : "",
             answer->enhanced, hint);
}

static void describe_tls(const struct smtp_end *end, char *text, size_t size) {
    const char *file = end->ca_file ? end->ca_file : "the system's file";
    if (end->result == CURLE_USE_SSL_FAILED)
        snprintf(text, size,
                 "TLS: the server offers no STARTTLS, and without it no mail goes out (tls = \"required\")");
    else if (end->result == CURLE_SSL_CACERT_BADFILE)
        snprintf(text, size,
                 "TLS: the certificate authorities of %s can't be read; ca_file or SSL_CERT_FILE must name a PEM file",
                 file);
    else if (end->result == CURLE_PEER_FAILED_VERIFICATION)
        snprintf(
            text, size,
            "TLS: the server can't be trusted: %s (authorities of %s; ca_file or SSL_CERT_FILE can name another file)",
            end->text, file);
    else
        snprintf(text, size, "TLS: no handshake (1.2 or newer): %s", end->text);
}

static void describe(const struct smtp_end *end, const struct smtp_answer *answer, char *text, size_t size) {
    if (end->no_login)
        snprintf(text, size, "the server offers no login, or only once TLS is on; see tls, user and password");
    else if (end->stopped)
        snprintf(text, size, "it was ended from here");
    else if (answer->status >= 400)
        describe_reply(answer, text, size);
    else if (answer->failure == SMTP_TLS)
        describe_tls(end, text, size);
    else if (answer->failure == SMTP_AUTH)
        snprintf(text, size, "the server offers neither of the logins PLAIN and LOGIN, or takes none: %s", end->text);
    else if (answer->failure == SMTP_TIMEOUT && end->connected)
        snprintf(text, size, "timed out: not a byte either way for %lld ms", (long long)end->stall_ms);
    else if (answer->failure == SMTP_TIMEOUT)
        snprintf(text, size, "timed out: no connection within %lld ms", (long long)end->connect_timeout_ms);
    else if (answer->failure == SMTP_URL)
        snprintf(text, size, "the URL is malformed: %s", end->text);
    else if (answer->failure == SMTP_CUT)
        snprintf(text, size, "the connection was cut: %s", end->text);
    else if (end->result == CURLE_COULDNT_CONNECT && end->system_error)
        snprintf(text, size, "no connection: %s (%s)", loop_error_text(end->system_error), end->text);
    else
        snprintf(text, size, "no connection: %s", end->text);
}

void smtp_failure_describe(const struct smtp_end *end, const char *authority, struct smtp_answer *answer) {
    char text[704];
    answer->failure = classify(end, answer);
    describe(end, answer, text, sizeof text);
    snprintf(answer->message, sizeof answer->message, "%s: %s", authority, text);
}
