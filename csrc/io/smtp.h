/* Mail by libcurl's SMTP: a session is the connection to one server, kept from one mail to the next.
 *
 * Not on the loop, as HTTP is, but on a thread of the session's own: libcurl waits where it is for a server's word about a whole
 * mail and for its answer to QUIT (lib/smtp.c: smtp_done, smtp_disconnect), in every version so far and also by the multi
 * interface. On the loop a mail server that thinks, or hangs, would hold up every grading.
 *
 * The thread touches the session alone, and only while it is under way; what both sides look at is atomic or under the mutex. The
 * loop keeps the deadlines, and ends what is under way by shutting its sockets down. Callbacks come on the loop's thread. */
#ifndef SUBMITTER_IO_SMTP_H
#define SUBMITTER_IO_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum smtp_tls { SMTP_TLS_REQUIRED, SMTP_TLS_OPPORTUNISTIC, SMTP_TLS_NONE };

/* Where mails go. All of it is copied. */
struct smtp_server {
    const char *url;            /* smtps:// or smtp://, with the name for EHLO as its path */
    const char *user;           /* NULL: no login */
    const char *password;       /* with a user */
    const char *ca_file;        /* NULL: by SSL_CERT_FILE, or the system's */
    enum smtp_tls tls;          /* of smtp:// */
    int64_t timeout_ms;         /* a mail, whole */
    int64_t connect_timeout_ms; /* until the connection stands, TLS and login included */
    int64_t stall_ms;           /* without a word or a byte either way */
};

/* What is sent: one message to one recipient. All of it is copied. The caller has checked that addresses hold no white space,
 * brackets or control characters. */
struct smtp_mail {
    const char *from, *to;
    const char *data; /* RFC 5322, lines ended by CRLF; libcurl doubles dots at their beginnings */
    size_t length;
};

/* What the last word of the server's was about. */
enum smtp_stage {
    SMTP_STAGE_GREETING,
    SMTP_STAGE_HELLO,
    SMTP_STAGE_STARTTLS,
    SMTP_STAGE_LOGIN,
    SMTP_STAGE_SENDER,    /* MAIL */
    SMTP_STAGE_RECIPIENT, /* RCPT */
    SMTP_STAGE_MESSAGE,   /* DATA, and all that follows it */
};

enum smtp_failure {
    SMTP_FINE,
    SMTP_CONNECT,  /* no connection, or the server takes none now */
    SMTP_TLS,      /* no STARTTLS, handshake, verification */
    SMTP_TIMEOUT,  /* one of the three */
    SMTP_CUT,      /* the connection ended before the server said what becomes of the mail */
    SMTP_REFUSED,  /* 5xx for this recipient or message */
    SMTP_DEFERRED, /* 4xx for this mail */
    SMTP_AUTH,     /* the login is refused, not offered, or missing */
    SMTP_SENDER,   /* 5xx for the sender: no mail of his will be taken */
    SMTP_URL,      /* no URL, or of another scheme */
    SMTP_LIBRARY,  /* libcurl can't be used */
    SMTP_MEMORY,
};

struct smtp_answer {
    enum smtp_failure failure;
    char message
        [1024]; /* of the failure: server and what happened, never an address, a login or the server's own words */
    enum smtp_stage stage;
    int status;        /* of the server's last reply, or 0 */
    char enhanced[12]; /* RFC 3463: "5.1.1", or "" */
    char text
        [512]; /* the server's own words, one line, perhaps with an address in them; any bytes but control characters */
    bool reused;      /* on a kept connection */
    bool handed_over; /* all of the mail was: without a status of 400 or more, it may have been taken */
};

struct smtp_session;

/* Does nothing yet. NULL without memory. */
struct smtp_session *smtp_new(const struct smtp_server *server);

/* Sends a mail; without one (NULL), only sees that the connection stands. ended is called once, when it came to its end: see
 * smtp_answer. False if it couldn't be begun: then ended isn't called, and the answer says why. One at a time. */
bool smtp_start(struct smtp_session *session, const struct smtp_mail *mail, void (*ended)(void *context),
                void *context);

bool smtp_is_busy(const struct smtp_session *session);

const struct smtp_answer *smtp_answer(const struct smtp_session *session);

/* Has what is under way end soon, closing included. It still ends by its callback. */
void smtp_stop(struct smtp_session *session);

/* Takes leave of the server (QUIT) if there is a connection, for five seconds at most, and frees the session. What is under way is
 * stopped. closed, if there is one, is called when that is done, perhaps at once. */
void smtp_close(struct smtp_session *session, void (*closed)(void *context), void *context);

/* Ends all sessions, without a word to their servers: for the end of the process, which no thread of theirs may outlive. */
void smtp_shutdown(void);

#endif
