#include "smtp.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "../base/buffer.h"
#include "curl_library.h"
#include "loop.h"
#include "smtp_failure.h"

enum { FAREWELL_MS = 5000, SOCKETS = 8 };

struct smtp_session {
    struct smtp_session *next; /* of all sessions */
    struct smtp_server server; /* its texts are owned here */
    char authority[280];
    CURL *easy; /* NULL: nothing was sent yet, so there is no connection */
    struct curl_slist *recipients;
    char *sender;
    struct buffer mail;
    size_t mail_read;
    char error[CURL_ERROR_SIZE];
    CURLcode refused; /* of the options */
    struct smtp_answer answer;
    /* known of what is under way, by its thread */
    CURLcode result;
    int open_error; /* why the last socket couldn't be opened, which curl doesn't tell */
    bool greeted, logged_in, no_login, quitting;
    /* the thread */
    uv_thread_t thread;
    uv_async_t signal;  /* it is done, or connected: then another deadline counts */
    bool busy, leaving; /* under way; and what is, is the farewell */
    bool close_wanted;
    void (*ended)(void *context);
    void *context;
    void (*closed)(void *context);
    void *closed_context;
    /* looked at by both sides */
    atomic_bool stopped, connected, done;
    atomic_llong moved_ms;
    uv_mutex_t mutex;
    int sockets[SOCKETS]; /* open ones, the rest -1 */
    /* deadlines: milliseconds of the monotonic clock */
    struct timer *timer;
    int64_t begun_ms;
    char timed_out[80]; /* which of them passed, or "" */
};

static const struct curl_library *curl;
static struct smtp_session *sessions;

static int64_t now_ms(void) {
    return (int64_t)(uv_hrtime() / 1000000);
}

/* ---- what curl asks and tells, on the thread ---- */

static void moved(struct smtp_session *session) {
    atomic_store(&session->moved_ms, now_ms());
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    struct smtp_session *session = context;
    int descriptor = -1, place = 0;
    (void)purpose;
    uv_mutex_lock(&session->mutex);
    while (place < SOCKETS && session->sockets[place] >= 0)
        place++;
    if (place < SOCKETS && !atomic_load(&session->stopped))
        session->sockets[place] = descriptor =
            socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    session->open_error = descriptor < 0 ? errno : 0;
    uv_mutex_unlock(&session->mutex);
    return descriptor;
}

/* Under the mutex, so that nobody shuts down what is another's descriptor by then. */
static int on_close(void *context, curl_socket_t descriptor) {
    struct smtp_session *session = context;
    uv_mutex_lock(&session->mutex);
    for (int place = 0; place < SOCKETS; place++)
        if (session->sockets[place] == descriptor)
            session->sockets[place] = -1;
    int status = close(descriptor);
    uv_mutex_unlock(&session->mutex);
    return status;
}

/* The connection stands, or a kept one does still. */
static int on_connected(void *context, char *peer, char *own, int peer_port, int own_port) {
    struct smtp_session *session = context;
    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    /* libcurl goes on without a login where the server offers none. */
    if (session->server.user && session->greeted && !session->logged_in) {
        session->no_login = true;
        return CURL_PREREQFUNC_ABORT;
    }
    session->answer.reused = !session->greeted;
    moved(session);
    atomic_store(&session->connected, true);
    uv_async_send(&session->signal);
    return CURL_PREREQFUNC_OK;
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up) {
    struct smtp_session *session = context;
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return atomic_load(&session->stopped);
}

static size_t on_wanted(char *into, size_t size, size_t count, void *context) {
    struct smtp_session *session = context;
    size_t length = size * count, left = session->mail.length - session->mail_read;
    if (length > left)
        length = left;
    memcpy(into, session->mail.data + session->mail_read, length);
    session->mail_read += length;
    session->answer.handed_over = session->mail_read == session->mail.length;
    /* The reply before was 354, go on. The verdict on the message is another. */
    smtp_reply_clear(&session->answer);
    moved(session);
    return length;
}

static void note_command(struct smtp_session *session, const char *command, size_t length) {
    static const struct {
        const char *verb;
        enum smtp_stage stage;
    } verbs[] = {
        { "EHLO", SMTP_STAGE_HELLO },     { "HELO", SMTP_STAGE_HELLO },   { "STARTTLS", SMTP_STAGE_STARTTLS },
        { "AUTH", SMTP_STAGE_LOGIN },     { "NOOP", SMTP_STAGE_HELLO },   { "MAIL", SMTP_STAGE_SENDER },
        { "RCPT", SMTP_STAGE_RECIPIENT }, { "DATA", SMTP_STAGE_MESSAGE },
    };
    struct smtp_answer *answer = &session->answer;
    /* Further lines of a login are secrets, and may begin with anything. */
    bool is_login = answer->stage == SMTP_STAGE_LOGIN && answer->status == 334;
    for (size_t index = 0; !is_login && index < sizeof verbs / sizeof *verbs; index++)
        if (length > 4 && !strncmp(command, verbs[index].verb, strlen(verbs[index].verb)))
            answer->stage = verbs[index].stage;
    session->logged_in = session->logged_in || answer->stage == SMTP_STAGE_LOGIN;
    /* It ended by the reply before, which stays. */
    session->quitting = !is_login && length > 4 && !strncmp(command, "QUIT", 4);
    if (!session->quitting)
        smtp_reply_clear(answer);
}

/* The conversation, of which libcurl else tells the last status only. Each command and each line comes whole. */
static int on_line(CURL *easy, curl_infotype type, char *data, size_t size, void *context) {
    struct smtp_session *session = context;
    (void)easy;
    if (session->quitting)
        return 0;
    if (type == CURLINFO_HEADER_OUT) {
        note_command(session, data, size);
    } else if (type == CURLINFO_HEADER_IN) {
        session->greeted = session->greeted || session->answer.stage == SMTP_STAGE_GREETING;
        smtp_reply_take(&session->answer, data, size);
    } else {
        return 0;
    }
    moved(session);
    return 0;
}

/* ---- options ---- */

/* Notes why not. */
static bool was_set(struct smtp_session *session, CURLcode result) {
    if (result != CURLE_OK)
        session->refused = result;
    return result == CURLE_OK;
}

#define SET(option, value) was_set(session, curl->easy_setopt(session->easy, option, value))

static bool set_server(struct smtp_session *session) {
    static const long use[] = { CURLUSESSL_ALL, CURLUSESSL_TRY, CURLUSESSL_NONE };
    const struct smtp_server *server = &session->server;
    bool good = SET(CURLOPT_URL, server->url) && SET(CURLOPT_PROXY, "") && SET(CURLOPT_USE_SSL, use[server->tls]) &&
                SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    if (good && curl->has_protocol_names)
        good = SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    else if (good)
        good = SET(CURLOPT_PROTOCOL_BITS, (long)(CURLPROTO_SMTP | CURLPROTO_SMTPS));
    if (good && server->user)
        /* Under TLS always: what hides the password from the server itself only fails more often. */
        good = SET(CURLOPT_USERNAME, server->user) && SET(CURLOPT_PASSWORD, server->password) &&
               SET(CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
    if (good && server->ca_file)
        good = SET(CURLOPT_CAINFO, server->ca_file) && SET(CURLOPT_CAPATH, NULL);
    return good;
}

static bool set_course(struct smtp_session *session) {
    return SET(CURLOPT_ERRORBUFFER, session->error) && SET(CURLOPT_NOSIGNAL, 1L) &&
           (!curl->has_cache_and_exit || SET(CURLOPT_QUICK_EXIT, 1L)) && SET(CURLOPT_TCP_KEEPALIVE, 1L) &&
           /* Divides the time among a host's addresses; the deadlines themselves are kept on the loop. */
           SET(CURLOPT_CONNECTTIMEOUT_MS, (long)session->server.connect_timeout_ms) && SET(CURLOPT_NOPROGRESS, 0L) &&
           SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(session->server.stall_ms / 1000 + 2)) &&
           SET(CURLOPT_XFERINFOFUNCTION, on_progress) && SET(CURLOPT_XFERINFODATA, session) &&
           SET(CURLOPT_OPENSOCKETFUNCTION, on_open) && SET(CURLOPT_OPENSOCKETDATA, session) &&
           SET(CURLOPT_CLOSESOCKETFUNCTION, on_close) && SET(CURLOPT_CLOSESOCKETDATA, session) &&
           SET(CURLOPT_PREREQFUNCTION, on_connected) && SET(CURLOPT_PREREQDATA, session) && SET(CURLOPT_VERBOSE, 1L) &&
           SET(CURLOPT_DEBUGFUNCTION, on_line) && SET(CURLOPT_DEBUGDATA, session);
}

static bool set_mail(struct smtp_session *session, const struct smtp_mail *mail) {
    if (!mail)
        return SET(CURLOPT_NOBODY, 1L) && SET(CURLOPT_CUSTOMREQUEST, "NOOP");
    session->recipients = curl->slist_append(NULL, mail->to);
    session->sender = strdup(mail->from);
    if (!session->recipients || !session->sender || !buffer_append(&session->mail, mail->data, mail->length))
        return was_set(session, CURLE_OUT_OF_MEMORY);
    return SET(CURLOPT_MAIL_FROM, session->sender) && SET(CURLOPT_MAIL_RCPT, session->recipients) &&
           SET(CURLOPT_UPLOAD, 1L) && SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->length) &&
           SET(CURLOPT_READFUNCTION, on_wanted) && SET(CURLOPT_READDATA, session);
}

#undef SET

/* ---- the thread ---- */

static void forget_mail(struct smtp_session *session) {
    if (session->recipients)
        curl->slist_free_all(session->recipients);
    session->recipients = NULL;
    free(session->sender);
    session->sender = NULL;
    buffer_clear(&session->mail);
    session->mail_read = 0;
}

static void work(void *argument) {
    struct smtp_session *session = argument;
    if (session->leaving)
        curl->easy_cleanup(session->easy);
    else
        session->result = curl->easy_perform(session->easy);
    atomic_store(&session->done, true);
    uv_async_send(&session->signal);
}

static bool run(struct smtp_session *session) {
    atomic_store(&session->stopped, false);
    atomic_store(&session->connected, false);
    atomic_store(&session->done, false);
    moved(session);
    session->begun_ms = now_ms();
    if (uv_thread_create(&session->thread, work, session) != 0)
        return false;
    session->busy = true;
    uv_ref((uv_handle_t *)&session->signal);
    return true;
}

/* The thread is done, or as good as that. */
static void join(struct smtp_session *session) {
    uv_thread_join(&session->thread);
    session->busy = false;
    uv_unref((uv_handle_t *)&session->signal);
    timer_stop(session->timer);
    session->timer = NULL;
    if (session->leaving)
        session->easy = NULL;
}

/* Whatever waits for the server waits no longer. */
static void shut_sockets(struct smtp_session *session) {
    uv_mutex_lock(&session->mutex);
    atomic_store(&session->stopped, true);
    for (int place = 0; place < SOCKETS; place++)
        if (session->sockets[place] >= 0)
            shutdown(session->sockets[place], SHUT_RDWR);
    uv_mutex_unlock(&session->mutex);
}

void smtp_stop(struct smtp_session *session) {
    if (session->busy)
        shut_sockets(session);
}

/* ---- deadlines ---- */

static void on_deadline(void *context);

static void arm(struct smtp_session *session, int64_t due_ms) {
    timer_stop(session->timer);
    session->timer = timer_start(due_ms - now_ms(), on_deadline, session);
}

static void time_out(struct smtp_session *session, const char *what, int64_t milliseconds) {
    snprintf(session->timed_out, sizeof session->timed_out, "timed out: %s %lld ms", what, (long long)milliseconds);
    smtp_stop(session);
}

static void on_deadline(void *context) {
    struct smtp_session *session = context;
    const struct smtp_server *server = &session->server;
    int64_t now = now_ms(), whole = session->begun_ms + server->timeout_ms;
    bool connected = atomic_load(&session->connected);
    int64_t stage = connected ? (int64_t)atomic_load(&session->moved_ms) + server->stall_ms
                              : session->begun_ms + server->connect_timeout_ms;
    if (session->leaving)
        smtp_stop(session);
    else if (now >= whole)
        time_out(session, "the mail wasn't taken within", server->timeout_ms);
    else if (now < stage)
        arm(session, stage < whole ? stage : whole);
    else if (connected)
        time_out(session, "not a byte either way for", server->stall_ms);
    else
        time_out(session, "no connection within", server->connect_timeout_ms);
}

/* ---- the end of what was under way ---- */

static void on_signal_closed(uv_handle_t *handle) {
    struct smtp_session *session = handle->data;
    uv_mutex_destroy(&session->mutex);
    free(session);
}

static void dispose(struct smtp_session *session) {
    struct smtp_session **place = &sessions;
    while (*place != session)
        place = &(*place)->next;
    *place = session->next;
    forget_mail(session);
    free((char *)session->server.url);
    free((char *)session->server.user);
    free((char *)session->server.password);
    free((char *)session->server.ca_file);
    if (session->closed)
        session->closed(session->closed_context);
    uv_close((uv_handle_t *)&session->signal, on_signal_closed);
}

/* Takes leave on the thread: libcurl waits there for the answer to QUIT. */
static void begin_farewell(struct smtp_session *session) {
    session->leaving = true;
    if (session->easy && run(session)) {
        arm(session, now_ms() + FAREWELL_MS);
        return;
    }
    /* Without a thread it is closed without a word, at once. */
    shut_sockets(session);
    if (session->easy)
        curl->easy_cleanup(session->easy);
    dispose(session);
}

static void fail(struct smtp_session *session, enum smtp_failure failure, const char *message) {
    session->answer.failure = failure;
    snprintf(session->answer.message, sizeof session->answer.message, "%s: %s", session->authority, message);
}

static void describe(struct smtp_session *session) {
    long system_error = 0;
    if (session->result == CURLE_OK)
        return;
    if (*session->timed_out) {
        fail(session, SMTP_TIMEOUT, session->timed_out);
        return;
    }
    curl->easy_getinfo(session->easy, CURLINFO_OS_ERRNO, &system_error);
    struct smtp_end end = {
        .result = session->result,
        .text = *session->error ? session->error : curl->easy_strerror(session->result),
        .connected = atomic_load(&session->connected),
        .no_login = session->no_login,
        .stopped = atomic_load(&session->stopped),
        .system_error = session->open_error ? session->open_error : (int)system_error,
        .connect_timeout_ms = session->server.connect_timeout_ms,
        .stall_ms = session->server.stall_ms,
        .ca_file = session->server.ca_file,
    };
    smtp_failure_describe(&end, session->authority, &session->answer);
}

static void on_signal(uv_async_t *signal) {
    struct smtp_session *session = signal->data;
    if (!session->busy)
        return;
    if (!atomic_load(&session->done)) {
        if (!session->leaving)
            on_deadline(session);
        return;
    }
    join(session);
    if (session->leaving) {
        dispose(session);
        return;
    }
    describe(session);
    forget_mail(session);
    session->ended(session->context);
    if (session->close_wanted)
        begin_farewell(session);
}

/* ---- life ---- */

static char *copy(const char *text, bool *good) {
    char *made = text ? strdup(text) : NULL;
    *good = *good && (made || !text);
    return made;
}

static const char *authorities(const char *ca_file) {
    const char *named = ca_file ? ca_file : getenv("SSL_CERT_FILE");
    return named && *named ? named : NULL;
}

struct smtp_session *smtp_new(const struct smtp_server *server) {
    bool good = true;
    struct smtp_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->server = *server;
    session->server.url = copy(server->url, &good);
    session->server.user = copy(server->user, &good);
    session->server.password = copy(server->password, &good);
    session->server.ca_file = copy(authorities(server->ca_file), &good);
    smtp_url_authority(server->url, session->authority, sizeof session->authority);
    for (int place = 0; place < SOCKETS; place++)
        session->sockets[place] = -1;
    uv_mutex_init(&session->mutex);
    uv_async_init(loop_get(), &session->signal, on_signal);
    uv_unref((uv_handle_t *)&session->signal);
    session->signal.data = session;
    session->next = sessions;
    sessions = session;
    if (good)
        return session;
    dispose(session);
    return NULL;
}

static bool prepare(struct smtp_session *session, const struct smtp_mail *mail) {
    const char *message = smtp_url_problem(session->server.url);
    if (message) {
        fail(session, SMTP_URL, message);
        return false;
    }
    /* Written once: threads of other sessions read it. */
    if (!curl && !(curl = curl_library(&message))) {
        fail(session, SMTP_LIBRARY, message);
        return false;
    }
    if (session->easy)
        curl->easy_reset(session->easy); /* keeps the connection */
    else
        session->easy = curl->easy_init();
    if (session->easy && set_server(session) && set_course(session) && set_mail(session, mail))
        return true;
    if (session->easy && session->refused != CURLE_OUT_OF_MEMORY)
        fail(session, SMTP_LIBRARY, "libcurl is built without something that is needed: install Debian's libcurl4");
    else
        fail(session, SMTP_MEMORY, "out of memory");
    return false;
}

bool smtp_start(struct smtp_session *session, const struct smtp_mail *mail, void (*ended)(void *context),
                void *context) {
    session->answer = (struct smtp_answer){ 0 };
    session->greeted = session->logged_in = session->no_login = session->quitting = false;
    session->open_error = 0;
    session->refused = CURLE_OK;
    *session->error = *session->timed_out = '\0';
    session->ended = ended;
    session->context = context;
    if (!prepare(session, mail)) {
        forget_mail(session);
        return false;
    }
    if (!run(session)) {
        forget_mail(session);
        fail(session, SMTP_MEMORY, "no thread can be started");
        return false;
    }
    int64_t first_ms = session->server.connect_timeout_ms, whole_ms = session->server.timeout_ms;
    arm(session, session->begun_ms + (first_ms < whole_ms ? first_ms : whole_ms));
    return true;
}

bool smtp_is_busy(const struct smtp_session *session) {
    return session->busy;
}

const struct smtp_answer *smtp_answer(const struct smtp_session *session) {
    return &session->answer;
}

void smtp_close(struct smtp_session *session, void (*closed)(void *context), void *context) {
    session->closed = closed;
    session->closed_context = context;
    if (!session->busy) {
        begin_farewell(session);
        return;
    }
    session->close_wanted = true;
    smtp_stop(session);
}

void smtp_shutdown(void) {
    for (struct smtp_session *session = sessions; session; session = session->next) {
        shut_sockets(session);
        if (session->busy)
            join(session);
        if (session->easy)
            curl->easy_cleanup(session->easy);
        session->easy = NULL;
        session->closed = NULL;
    }
    while (sessions)
        dispose(sessions);
}
