#include "postgres_failure.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/buffer.h"
#include "../base/cleanup.h"
#include "../base/utf8.h"

/* ---- connection strings ---- */

static bool starts_with(const char *text, const char *start) {
    return !strncmp(text, start, strlen(start));
}

static const char *after_scheme(const char *url) {
    static const char *const schemes[] = { "postgresql://", "postgres://" };
    for (size_t index = 0; index < sizeof schemes / sizeof *schemes; index++)
        if (starts_with(url, schemes[index]))
            return url + strlen(schemes[index]);
    return NULL;
}

/* An @, / or ? of a password that isn't encoded moves the borders between password, host and path. */
static bool has_stray_at(const char *authority) {
    const char *at = strchr(authority, '@');
    return at && (strchr(at + 1, '@') || memchr(authority, '/', (size_t)(at - authority)) ||
                  memchr(authority, '?', (size_t)(at - authority)));
}

static const char *parse_problem(const char *said) {
    static const struct {
        const char *begin, *problem;
    } kinds[] = {
        { "missing \"=\"",
          "the connection string can't be read: a setting has no =, or a value with blanks no quotes" },
        { "unterminated quoted", "the connection string can't be read: a quote isn't closed" },
        { "invalid connection option", "the connection string can't be read: libpq doesn't know one of its settings" },
        { "invalid URI query", "the connection string can't be read: libpq doesn't know a setting behind the ?" },
        { "invalid percent-encoded",
          "the connection string can't be read: % must be followed by two digits (% is %25)" },
        { "out of memory", "out of memory" },
    };
    for (size_t index = 0; said && index < sizeof kinds / sizeof *kinds; index++)
        if (starts_with(said, kinds[index].begin))
            return kinds[index].problem;
    return "the connection string can't be read: see \"Connection Strings\" in PostgreSQL's chapter on libpq";
}

static const char *setting_problem(const PQconninfoOption *settings) {
    for (const PQconninfoOption *setting = settings; setting->keyword; setting++) {
        const char *value = setting->val;
        if (!value || !*value)
            continue;
        if (!strcmp(setting->keyword, "port") && value[strspn(value, "0123456789,")])
            return "the connection string's port is no number: is a character of the password not encoded?";
        if (!strcmp(setting->keyword, "host") && *value != '/' && strchr(value + 1, '@'))
            return "the connection string's host holds an @: is one of the password not encoded (as %40)?";
    }
    return NULL;
}

const char *postgres_target_problem(const struct pq_library *pq, const char *url) {
    if (!*url)
        return NULL;
    const char *authority = after_scheme(url);
    if (!authority && !strchr(url, '='))
        return "the connection string is neither a URI (postgresql://...) nor settings (host=... dbname=...)";
    if (authority && has_stray_at(authority))
        return "the connection string has an @ that isn't encoded: in names and passwords @ is %40, / is %2F, ? is %3F";
    char *said = NULL;
    PQconninfoOption *settings = pq->conninfoParse(url, &said);
    const char *problem = settings ? setting_problem(settings) : parse_problem(said);
    if (settings)
        pq->conninfoFree(settings);
    if (said)
        pq->freemem(said);
    return problem;
}

/* ---- libpq's words ---- */

/* "FATAL:  28P01: …": severity, two blanks, the SQLSTATE. Where the code stands, or NULL; the severity may be of any language. */
static const char *find_sqlstate(const char *text, const char *end) {
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (const char *at = text; at + 10 <= end; at++)
        if (!memcmp(at, ":  ", 3) && strspn(at + 3, letters) == 5 && !memcmp(at + 8, ": ", 2))
            return at + 3;
    return NULL;
}

/* Appends a line without the severity and the code that end just before its message. */
static void add_line(struct buffer *tidy, const char *line, const char *end) {
    const char *code = find_sqlstate(line, end);
    if (code) {
        const char *severity = code - 3;
        while (severity > line && severity[-1] != ' ')
            severity--;
        buffer_append(tidy, line, (size_t)(severity - line));
        line = code + 7;
    }
    buffer_append(tidy, line, (size_t)(end - line));
}

/* Copies as much as fits, and no half character. */
static void copy_cut(const struct buffer *text, char *into, size_t size) {
    const unsigned char *at = (const unsigned char *)text->data, *end = at + text->length;
    size_t kept = 0, width;
    uint32_t code_point;
    while (kept < text->length) {
        utf8_next(at + kept, end, &width, &code_point);
        if (kept + width >= size)
            break;
        kept += width;
    }
    if (kept)
        memcpy(into, text->data, kept);
    into[kept] = '\0';
}

void postgres_failure_tidy(const char *text, char *message, size_t size) {
    _cleanup_(buffer_clear) struct buffer tidy = { 0 };
    for (const char *line = text; *line;) {
        const char *end = strchrnul(line, '\n');
        const char *next = *end ? end + 1 : end;
        bool continued = *line == '\t';
        line += strspn(line, "\t ");
        if (line < end && !starts_with(line, "LOCATION:")) {
            if (tidy.length)
                buffer_append_text(&tidy, !continued ? "; " : *line >= 'A' && *line <= 'Z' ? ". " : " ");
            add_line(&tidy, line, end);
        }
        line = next;
    }
    copy_cut(&tidy, message, size);
}

/* The text without what stands in quotation marks: names that somebody gave. */
static char *without_names(const char *text) {
    char *plain = malloc(strlen(text) + 1), *to = plain;
    bool quoted = false;
    for (; plain && *text; text++) {
        quoted ^= *text == '"';
        if (!quoted)
            *to++ = *text;
    }
    if (plain)
        *to = '\0';
    return plain;
}

static bool has_any(const char *text, const char *const *phrases) {
    for (; *phrases; phrases++)
        if (strstr(text, *phrases))
            return true;
    return false;
}

/* From where the words about the last host stand. */
static const char *last_host(const char *text) {
    static const char *const beginnings[] = { "connection to server", "could not translate host name",
                                              "could not connect to server", NULL };
    const char *last = text;
    for (const char *line = text; line; line = strchr(line, '\n'), line += line != NULL)
        for (const char *const *beginning = beginnings; *beginning; beginning++)
            if (starts_with(line, *beginning))
                last = line;
    return last;
}

/* Classes of the SQLSTATE that stay until somebody changes something: who may connect, what there is, what was asked for. */
static bool is_lasting(const char *sqlstate) {
    static const char *const classes[] = { "28", "3D", "42", "22", "0A", "55", NULL };
    for (const char *const *class = classes; *class; class ++)
        if (starts_with(sqlstate, *class))
            return true;
    return false;
}

/* By words of libpq's own, without a server's code. */
static enum postgres_failure classify_words(const char *plain) {
    static const char *const passing[] = { "unexpected eof", "SSL SYSCALL", "closed the connection unexpectedly",
                                           NULL };
    static const char *const lasting[] = { "certificate", "SSL error",       "SSL, but",       "but SSL", "private key",
                                           "password",    "channel binding", "authentication", "GSSAPI",  NULL };
    /* What there is of the network; anything else is about settings. */
    static const char *const network[] = { "connection to server",
                                           "could not translate host name",
                                           "could not connect to server",
                                           "could not create socket",
                                           "could not send",
                                           "could not receive",
                                           "could not get",
                                           "out of memory",
                                           NULL };
    if (has_any(plain, passing))
        return POSTGRES_CONNECT;
    if (has_any(plain, lasting))
        return POSTGRES_REFUSED;
    return has_any(plain, network) ? POSTGRES_CONNECT : POSTGRES_REFUSED;
}

static enum postgres_failure classify(const char *text) {
    const char *last = last_host(text), *sqlstate = find_sqlstate(last, last + strlen(last));
    if (sqlstate)
        return is_lasting(sqlstate) ? POSTGRES_REFUSED : POSTGRES_CONNECT;
    char *plain = without_names(last);
    if (!plain)
        return POSTGRES_CONNECT;
    enum postgres_failure failure = classify_words(plain);
    free(plain);
    return failure;
}

enum postgres_failure postgres_failure_describe(const char *text, char *message, size_t size) {
    postgres_failure_tidy(text, message, size);
    if (!*message)
        snprintf(message, size, "libpq doesn't say why");
    return classify(text);
}
