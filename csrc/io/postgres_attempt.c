#include "postgres_attempt.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "postgres_failure.h"
#include "postgres_result.h"

/* Whatever the server, the role, the database and PG* variables say: values are written as postgres_text.c reads them. By a
 * statement, because poolers such as PgBouncer refuse most settings in the greeting. */
static const char session[] = "SET datestyle = ISO; SET timezone = 'UTC'; SET intervalstyle = postgres; "
                              "SET extra_float_digits = 3; SET bytea_output = hex";

enum { FOREVER = -1, LONGEST_S = 24 * 60 * 60 };

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- waiting ---- */

enum waited { READY, EXPIRED, GIVEN_UP };

static enum waited wait_for(const struct postgres_attempt *attempt, int descriptor, short events, int64_t until_ms) {
    struct pollfd watched[] = { { .fd = descriptor, .events = events }, { .fd = attempt->wake, .events = POLLIN } };
    for (;;) {
        int64_t left = until_ms == FOREVER ? 60000 : until_ms - now_ms();
        int count = poll(watched, 2, left > 0 ? (int)left : 0);
        if (watched[1].revents)
            return GIVEN_UP;
        if (count > 0)
            return READY;
        if (count == 0 && until_ms != FOREVER)
            return EXPIRED;
        if (count < 0 && errno != EINTR)
            return GIVEN_UP;
    }
}

/* ---- several hosts ---- */

struct settings {
    const char **keywords, **values; /* for PQconnectStartParams; values point into: */
    PQconninfoOption *options;
};

static const char *setting(const PQconninfoOption *options, const char *keyword) {
    for (; options && options->keyword; options++)
        if (!strcmp(options->keyword, keyword))
            return options->val && *options->val ? options->val : NULL;
    return NULL;
}

static int count_listed(const char *list) {
    int count = 1;
    for (; list && *list; list++)
        count += *list == ',';
    return count;
}

static const char *listed(const char *list, int index) {
    for (; index > 0 && list; index--) {
        list = strchr(list, ',');
        list += list != NULL;
    }
    return list;
}

static bool is_listed(const char *list, int index, const char *word) {
    const char *entry = listed(list, index);
    size_t length = entry ? strcspn(entry, ",") : 0;
    return length == strlen(word) && !memcmp(entry ? entry : "", word, length);
}

/* Which of the hosts that are listed libpq is at: the first with this name and port. */
static int place_of(const PQconninfoOption *options, const char *host, const char *port) {
    const char *hosts = setting(options, "host"), *addresses = setting(options, "hostaddr");
    const char *ports = setting(options, "port"), *names = hosts ? hosts : addresses;
    int count = count_listed(names), port_count = count_listed(ports);
    for (int index = 0; index < count; index++)
        if (is_listed(names, index, host) && (port_count != count || is_listed(ports, index, port)))
            return index;
    return count - 1;
}

/* How long one host may take: what connect_timeout says, or its share of the whole when there are several. */
static int64_t share_ms(const struct postgres_attempt *attempt, const PQconninfoOption *options) {
    const char *own = setting(options, "connect_timeout");
    const char *hosts = setting(options, "hostaddr");
    int count = count_listed(hosts ? hosts : setting(options, "host"));
    long seconds = own ? strtol(own, NULL, 10) : 0;
    if (seconds > 0)
        return (int64_t)(seconds < LONGEST_S ? seconds : LONGEST_S) * 1000;
    return count > 1 ? attempt->timeout_ms / count : FOREVER;
}

/* ---- one round through the hosts ---- */

enum round { ROUND_CONNECTED, ROUND_FAILED, ROUND_GIVEN_UP, ROUND_MUTE };

/* A new socket is a new host, or another address of it; their numbers are used again. */
struct progress {
    int64_t share_ms, until_ms;
    ino_t socket;
};

static void look_at(struct postgres_attempt *attempt, PGconn *connection, struct progress *progress) {
    struct stat status;
    int descriptor = attempt->pq->socket(connection);
    if (descriptor < 0 || fstat(descriptor, &status) < 0 || status.st_ino == progress->socket)
        return;
    progress->socket = status.st_ino;
    progress->until_ms = progress->share_ms == FOREVER ? FOREVER : now_ms() + progress->share_ms;
    const char *host = attempt->pq->host(connection), *port = attempt->pq->port(connection);
    attempt->at_host(attempt, host ? host : "", port ? port : "");
}

/* libpq goes on to the next host by itself when a connection is refused. One that doesn't come about is refused on its behalf: a
 * shutdown ends the handshake of TCP. A server that accepted and then says nothing would end the round: MUTE. */
static enum round drive(struct postgres_attempt *attempt, PGconn *connection, struct progress *progress) {
    const struct pq_library *pq = attempt->pq;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        look_at(attempt, connection, progress);
        int descriptor = pq->socket(connection);
        switch (wait_for(attempt, descriptor, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, progress->until_ms)) {
        case GIVEN_UP: return ROUND_GIVEN_UP;
        case EXPIRED:
            if (pq->status(connection) != CONNECTION_STARTED)
                return ROUND_MUTE;
            shutdown(descriptor, SHUT_RDWR);
            progress->until_ms = FOREVER;
            break;
        case READY: break;
        }
        status = pq->connectPoll(connection);
    }
    return status == PGRES_POLLING_OK ? ROUND_CONNECTED : ROUND_FAILED;
}

/* A server that goes right after it came says so in a notice, too. */
static void on_notice(void *context, const PGresult *notice) {
    struct postgres_attempt *attempt = context;
    const char *message = attempt->pq->resultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (message && postgres_result_fatal(attempt->pq, notice)) {
        attempt->failure = POSTGRES_CONNECT;
        postgres_failure_tidy(message, attempt->message, sizeof attempt->message);
    }
    postgres_notice_log(attempt->pq, notice);
}

static PGconn *start(struct postgres_attempt *attempt, const struct settings *settings) {
    const char *const keywords[] = { "dbname", "client_encoding", "fallback_application_name", NULL };
    const char *const values[] = { attempt->url, "UTF8", attempt->application_name, NULL };
    PGconn *connection = settings ? attempt->pq->connectStartParams(settings->keywords, settings->values, 0)
                                  : attempt->pq->connectStartParams(keywords, values, 1);
    if (connection) {
        attempt->pq->setErrorVerbosity(connection, PQERRORS_VERBOSE);
        attempt->pq->setNoticeReceiver(connection, on_notice, attempt);
    }
    return connection;
}

/* ---- the session ---- */

/* Sends the session's settings and takes the answers. False: the connection's message says why, or it was given up. */
static bool prepare_session(struct postgres_attempt *attempt, PGconn *connection, const struct progress *progress,
                            enum waited *waited) {
    const struct pq_library *pq = attempt->pq;
    bool good = pq->setnonblocking(connection, 1) == 0 && pq->sendQuery(connection, session);
    *waited = READY;
    while (good) {
        int unsent = pq->flush(connection);
        if (unsent < 0)
            return false;
        while (!pq->isBusy(connection)) {
            PGresult *result = pq->getResult(connection);
            if (!result)
                return good;
            good = good && pq->resultStatus(result) == PGRES_COMMAND_OK;
            pq->clear(result);
        }
        *waited =
            wait_for(attempt, pq->socket(connection), (short)(POLLIN | (unsent ? POLLOUT : 0)), progress->until_ms);
        if (*waited != READY)
            return false;
        good = pq_library_consume(pq, connection);
    }
    return false;
}

/* ---- the whole ---- */

static void fail(struct postgres_attempt *attempt, enum postgres_failure failure, const char *message) {
    attempt->failure = failure;
    snprintf(attempt->message, sizeof attempt->message, "%s", message);
}

/* All settings of a connection for the next, with the hosts behind the one that it is at. False when there is none. */
static bool skip_host(struct postgres_attempt *attempt, PGconn *connection, struct settings *settings) {
    const struct pq_library *pq = attempt->pq;
    const char *host = pq->host(connection), *port = pq->port(connection);
    PQconninfoOption *options = pq->conninfo(connection);
    size_t count = 0;
    for (PQconninfoOption *option = options; option && option->keyword; option++)
        count++;
    int place = place_of(options, host ? host : "", port ? port : "");
    const char *names = setting(options, "host") ? setting(options, "host") : setting(options, "hostaddr");
    const char **keywords = calloc(2 * (count + 1), sizeof *keywords);
    if (!options || !keywords || place + 1 >= count_listed(names)) {
        free(keywords);
        pq->conninfoFree(options);
        return false;
    }
    const char **values = keywords + count + 1;
    size_t kept = 0;
    for (PQconninfoOption *option = options; option->keyword; option++) {
        if (!option->val || !*option->val)
            continue;
        bool is_list = !strcmp(option->keyword, "host") || !strcmp(option->keyword, "hostaddr") ||
                       (!strcmp(option->keyword, "port") && strchr(option->val, ','));
        keywords[kept] = option->keyword;
        values[kept++] = is_list ? listed(option->val, place + 1) : option->val;
    }
    free(settings->keywords);
    pq->conninfoFree(settings->options);
    *settings = (struct settings){ keywords, values, options };
    return true;
}

/* One connection through all hosts that are left. */
static enum round go_round(struct postgres_attempt *attempt, struct settings *settings) {
    const struct pq_library *pq = attempt->pq;
    attempt->failure = POSTGRES_FINE;
    struct progress progress = { .share_ms = FOREVER, .until_ms = FOREVER };
    enum waited waited = READY;
    PGconn *connection = start(attempt, settings->options ? settings : NULL);
    if (!connection) {
        fail(attempt, POSTGRES_MEMORY, "out of memory");
        return ROUND_FAILED;
    }
    PQconninfoOption *options = pq->conninfo(connection);
    progress.share_ms = share_ms(attempt, options);
    pq->conninfoFree(options);
    enum round round = pq->status(connection) == CONNECTION_BAD ? ROUND_FAILED : drive(attempt, connection, &progress);
    if (round == ROUND_CONNECTED && !prepare_session(attempt, connection, &progress, &waited))
        round = waited == EXPIRED ? ROUND_MUTE : waited == GIVEN_UP ? ROUND_GIVEN_UP : ROUND_FAILED;
    if (round == ROUND_CONNECTED && attempt->failure == POSTGRES_FINE) {
        attempt->connection = connection;
        return round;
    }
    if (round == ROUND_FAILED && attempt->failure == POSTGRES_FINE)
        attempt->failure =
            postgres_failure_describe(pq->errorMessage(connection), attempt->message, sizeof attempt->message);
    if (round == ROUND_MUTE) {
        snprintf(attempt->message, sizeof attempt->message,
                 "the server at \"%.256s\", port %.8s, accepted and said nothing", pq->host(connection),
                 pq->port(connection));
        attempt->failure = POSTGRES_TIMEOUT;
        if (!skip_host(attempt, connection, settings))
            round = ROUND_FAILED;
    }
    pq->finish(connection);
    return round;
}

void postgres_attempt_run(struct postgres_attempt *attempt) {
    struct settings settings = { 0 };
    const char *problem = postgres_target_problem(attempt->pq, attempt->url);
    if (problem) {
        fail(attempt, POSTGRES_REFUSED, problem);
        return;
    }
    while (go_round(attempt, &settings) == ROUND_MUTE)
        ;
    free(settings.keywords);
    attempt->pq->conninfoFree(settings.options);
}
