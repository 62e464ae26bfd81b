/* Where mails go, and the words for what becomes of them: texts in, texts out. */
#ifndef SUBMITTER_IO_SMTP_FAILURE_H
#define SUBMITTER_IO_SMTP_FAILURE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp.h"

/* What is wrong with the URL of a server, as far as that can be told without libcurl (static text), or NULL. */
const char *smtp_url_problem(const char *url);

/* Host and port of a URL, for messages: never what else it holds. */
void smtp_url_authority(const char *url, char *text, size_t size);

/* Takes one line of the server's: status, enhanced status and words go into the answer, after those of earlier lines. */
void smtp_reply_take(struct smtp_answer *answer, const char *line, size_t length);

/* Forgets the server's last reply: the next line begins another. */
void smtp_reply_clear(struct smtp_answer *answer);

/* How libcurl ended what was under way. */
struct smtp_end {
    CURLcode result;
    const char *text;
    bool connected;   /* the connection stood, login and all */
    bool no_login;    /* ended by us: the server offers none */
    bool stopped;     /* ended by us: nobody wants it any more */
    int system_error; /* errno of a failed connection, or 0 */
    int64_t connect_timeout_ms, stall_ms;
    const char *ca_file;
};

/* Puts class and message into an answer that holds stage and reply; authority goes before the message. */
void smtp_failure_describe(const struct smtp_end *end, const char *authority, struct smtp_answer *answer);

#endif
