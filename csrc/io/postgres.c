/* A statement goes through phases, each of which is something sent and its results taken until there are no more:
 *
 *     FORGET      the server drops prepared statements that fell out of use (outside of transactions only)
 *     PREPARE     at the second use of a statement
 *     RUN         the statement itself; a COPY goes on to
 *     COPY        rows are sent as the socket takes them, and
 *     END         what came of them
 *     SETTLED     results are complete, but a request to cancel is still on its way
 *
 * It can be cut short (a verdict: out of time, too large, interrupted). Then the server is asked to cancel, what it still says is
 * taken, and only when both are through the connection is free again; if that takes longer than PATIENCE_MS, the link is closed. So
 * a connection is idle or broken when a statement has ended, and nothing of one statement can reach the next.
 *
 * The socket is watched for reading at all times, also between statements: a server that says farewell is noticed, and libpq is
 * read from while we write, so neither side can wait for the other for ever. */
#include "postgres.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "../base/cleanup.h"
#include "loop.h"
#include "postgres_cancel.h"
#include "postgres_connect.h"
#include "postgres_failure.h"
#include "postgres_result.h"
#include "postgres_statements.h"
#include "postgres_text.h"

enum { PATIENCE_MS = 2000, PIECE_BYTES = 64 << 10, PIECES_A_TURN = 16, LOOKS_A_TURN = 16 };

enum phase { PHASE_NONE, PHASE_FORGET, PHASE_PREPARE, PHASE_RUN, PHASE_COPY, PHASE_END, PHASE_SETTLED };
enum verdict { VERDICT_NONE, VERDICT_TIMEOUT, VERDICT_TOO_LARGE, VERDICT_INTERRUPTED, VERDICT_MEMORY };

struct postgres {
    const struct pq_library *pq;
    PGconn *link;        /* NULL: broken */
    char why[1024];      /* it broke */
    char farewell[1024]; /* the server's, between statements */
    int version;
    uv_poll_t poll;
    uv_timer_t timer;
    int watched;      /* events of poll */
    unsigned handles; /* open on the loop: the memory stays until all are closed */
    bool closed;
    struct postgres_statements statements;
    /* the statement under way */
    enum phase phase;
    enum verdict verdict;
    const struct postgres_request *request;
    struct postgres_outcome *outcome;
    struct postgres_statement *statement; /* NULL: it isn't kept */
    bool looked_up, stale, again;
    bool complete; /* its results are all there */
    bool unsent;   /* libpq holds bytes that the socket didn't take */
    bool beginning;
    size_t copied;
    bool all_copied; /* and the server told so */
    struct postgres_cancel *cancel;
    void (*done)(void *context);
    void *context;
};

static void on_ready(uv_poll_t *poll, int status, int events);

/* ---- the link ---- */

static void drop_handle(uv_handle_t *handle) {
    struct postgres *self = handle->data;
    if (--self->handles == 0 && self->closed)
        free(self);
}

static void watch(struct postgres *self, int events) {
    if (self->watched == events)
        return;
    self->watched = uv_poll_start(&self->poll, events, on_ready) == 0 ? events : 0;
}

static void break_link(struct postgres *self, const char *why) {
    if (!self->link)
        return;
    snprintf(self->why, sizeof self->why, "%s", why);
    uv_close((uv_handle_t *)&self->poll, drop_handle);
    self->pq->finish(self->link);
    self->link = NULL;
}

/* libpq has closed its socket, which it does wherever it meets the end or what isn't of the protocol: in taking in, in looking at
 * what came, in sending. The descriptor may be another's by the next turn of the loop, so it is asked for after each of these. */
static bool is_gone(const struct postgres *self) {
    return self->pq->status(self->link) == CONNECTION_BAD;
}

static void on_notice(void *context, const PGresult *notice) {
    struct postgres *self = context;
    const char *message = self->pq->resultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (message && postgres_result_fatal(self->pq, notice))
        postgres_failure_tidy(message, self->farewell, sizeof self->farewell);
    postgres_notice_log(self->pq, notice);
}

/* Looks through what libpq took in and nobody had asked for: notices, a farewell; notifications, for which nobody listens here. */
static void hear(struct postgres *self) {
    PGnotify *notification;
    while ((notification = self->pq->notifies(self->link)))
        self->pq->freemem(notification);
}

/* What came since the last statement, or some of it: a server that never stops talking mustn't have the thread for itself. False: it
 * is over, and the link is broken. */
static bool look_alive(struct postgres *self) {
    if (!self->link)
        return false;
    struct pollfd waiting = { .fd = self->pq->socket(self->link), .events = POLLIN };
    hear(self); /* what came with the last statement's answer */
    bool good = !is_gone(self);
    for (int looks = 0; looks < LOOKS_A_TURN && good && !*self->farewell && poll(&waiting, 1, 0) > 0; looks++) {
        good = pq_library_consume(self->pq, self->link);
        hear(self);
        good = good && !is_gone(self);
    }
    if (good && !*self->farewell)
        return true;
    char why[sizeof self->why];
    postgres_failure_tidy(*self->farewell ? self->farewell : self->pq->errorMessage(self->link), why, sizeof why);
    break_link(self, why);
    return false;
}

/* ---- the end of a statement ---- */

/* What a statement that was cut short is told as. One that succeeded all the same is a success. */
static void judge(struct postgres *self) {
    struct postgres_outcome *outcome = self->outcome;
    const char *sqlstate = outcome->fields[POSTGRES_SQLSTATE];
    bool cancelled = outcome->failure == POSTGRES_FINE || outcome->failure == POSTGRES_LOST ||
                     (sqlstate && !strcmp(sqlstate, "57014"));
    switch (self->verdict) {
    case VERDICT_TIMEOUT:
        if (!cancelled || (self->complete && outcome->failure == POSTGRES_FINE))
            break;
        postgres_outcome_forgive(outcome);
        outcome->failure = POSTGRES_TIMEOUT;
        snprintf(outcome->message, sizeof outcome->message, "timed out: no result within %lld ms%s",
                 (long long)self->request->timeout_ms,
                 self->link ? "" : ", and no answer to the request to cancel: the connection was closed");
        break;
    case VERDICT_TOO_LARGE:
        postgres_outcome_forgive(outcome);
        outcome->failure = POSTGRES_TOO_LARGE;
        snprintf(outcome->message, sizeof outcome->message, "the result is larger than the %zu bytes allowed",
                 self->request->limit_bytes);
        break;
    case VERDICT_MEMORY: outcome->failure = POSTGRES_MEMORY; break;
    default: break;
    }
}

static void end(struct postgres *self) {
    /* Words without a code, libpq's own or a server's that makes no sense: what it is at is unknown. */
    if (self->outcome->failure == POSTGRES_LOST)
        break_link(self, *self->outcome->message ? self->outcome->message : "the server doesn't say why");
    uv_timer_stop(&self->timer);
    postgres_cancel_give_up(self->cancel);
    self->cancel = NULL;
    judge(self);
    self->phase = PHASE_NONE;
    self->request = NULL;
    self->outcome = NULL;
    self->statement = NULL;
    if (!self->beginning)
        self->done(self->context);
}

/* All results are taken. */
static void settle(struct postgres *self) {
    if (!self->cancel) {
        end(self);
        return;
    }
    self->phase = PHASE_SETTLED;
}

static void take(struct postgres *self, PGresult *result);

static void lost(struct postgres *self, const char *said) {
    struct postgres_outcome *outcome = self->outcome;
    char why[sizeof self->why];
    if (outcome->failure == POSTGRES_LOST && *outcome->message)
        said = outcome->message;
    snprintf(why, sizeof why, "%.1000s", *said ? said : "libpq doesn't say why");
    if (outcome->failure == POSTGRES_FINE || outcome->failure == POSTGRES_LOST) {
        outcome->failure = POSTGRES_LOST;
        snprintf(outcome->message, sizeof outcome->message, "the connection broke: %s", why);
    }
    break_link(self, why);
    end(self);
}

/* The connection is gone. What the server said before it went is with libpq still, and may be all that there was to say. (Where libpq
 * failed and the connection is there, for want of memory, its next result may be waited for in vain: it isn't asked.) */
static void lose(struct postgres *self) {
    char said[512];
    PGresult *result;
    postgres_failure_tidy(self->pq->errorMessage(self->link), said, sizeof said);
    if (!is_gone(self)) {
        lost(self, said);
        return;
    }
    while (self->phase != PHASE_NONE && (result = self->pq->getResult(self->link)))
        take(self, result);
    if (self->phase == PHASE_NONE)
        return;
    self->complete = self->outcome->sent && self->outcome->failure == POSTGRES_FINE;
    if (self->complete) {
        break_link(self, said);
        end(self);
    } else {
        lost(self, said);
    }
}

/* ---- cutting it short ---- */

static bool push_out(struct postgres *self);

static void on_cancelled(void *context) {
    struct postgres *self = context;
    self->cancel = NULL;
    if (self->phase == PHASE_SETTLED)
        end(self);
}

static void on_time(uv_timer_t *timer);

static void arm(struct postgres *self, int64_t milliseconds) {
    uv_update_time(loop_get());
    uv_timer_start(&self->timer, on_time, (uint64_t)milliseconds, 0);
}

/* A server that waits for rows doesn't look at requests to cancel: it is told that no more will come. */
static bool stop_copying(struct postgres *self) {
    self->phase = PHASE_END;
    if (self->pq->putCopyEnd(self->link, "cancelled by the client") < 0) {
        lose(self);
        return false;
    }
    return push_out(self);
}

static void cut_short(struct postgres *self, enum verdict verdict) {
    self->verdict = verdict;
    arm(self, PATIENCE_MS);
    if (self->phase == PHASE_SETTLED || (self->phase == PHASE_COPY && !stop_copying(self)))
        return;
    self->cancel = postgres_cancel_start(self->pq, self->link, on_cancelled, self);
}

static void on_time(uv_timer_t *timer) {
    struct postgres *self = timer->data;
    if (self->verdict == VERDICT_NONE) {
        cut_short(self, VERDICT_TIMEOUT);
        return;
    }
    break_link(self, "it was closed because the server didn't answer a request to cancel");
    end(self);
}

void postgres_interrupt(struct postgres *self) {
    if (self->phase != PHASE_NONE && self->verdict == VERDICT_NONE)
        cut_short(self, VERDICT_INTERRUPTED);
}

/* ---- sending ---- */

/* Hands to the socket what libpq holds. False: the statement has ended. */
static bool push_out(struct postgres *self) {
    int left = self->pq->flush(self->link);
    if (left < 0 || is_gone(self)) {
        lose(self);
        return false;
    }
    self->unsent = left > 0;
    if (!self->unsent && (self->all_copied || (self->phase == PHASE_RUN && self->request->kind != POSTGRES_COPY)))
        self->outcome->sent = true;
    watch(self, UV_READABLE | (self->unsent ? UV_WRITABLE : 0));
    return true;
}

/* The parameters as libpq wants them, in one piece of memory. */
struct arguments {
    const char **values;
    Oid *types;
    int *lengths, *formats;
};

static bool arguments_make(struct arguments *arguments, const struct postgres_request *request) {
    size_t count = request->parameter_count;
    size_t each =
        sizeof *arguments->values + sizeof *arguments->types + sizeof *arguments->lengths + sizeof *arguments->formats;
    const Oid bytea = 17;
    arguments->values = malloc((count + 1) * each);
    if (!arguments->values)
        return false;
    arguments->types = (Oid *)(arguments->values + count + 1);
    arguments->lengths = (int *)(arguments->types + count + 1);
    arguments->formats = arguments->lengths + count + 1;
    for (size_t index = 0; index < count; index++) {
        const struct postgres_parameter *parameter = &request->parameters[index];
        arguments->values[index] = parameter->value;
        arguments->lengths[index] = (int)parameter->length;
        arguments->types[index] = parameter->bytes ? bytea : 0; /* 0: by the place where it stands */
        arguments->formats[index] = parameter->bytes;
    }
    return true;
}

static int send_forget(struct postgres *self) {
    _cleanup_(buffer_clear) struct buffer script = { 0 };
    return postgres_statements_forget(&self->statements, &script) && self->pq->sendQuery(self->link, script.data);
}

static int send_statement(struct postgres *self) {
    const struct pq_library *pq = self->pq;
    const struct postgres_request *request = self->request;
    char name[POSTGRES_STATEMENT_NAME_SIZE];
    struct arguments arguments;
    int count = (int)request->parameter_count, sent;
    if (request->kind == POSTGRES_SCRIPT)
        return pq->sendQuery(self->link, request->sql);
    if (!arguments_make(&arguments, request))
        return 0;
    if (self->statement && self->statement->number && self->phase == PHASE_RUN) {
        postgres_statement_name(name, self->statement->number);
        sent =
            pq->sendQueryPrepared(self->link, name, count, arguments.values, arguments.lengths, arguments.formats, 0);
    } else if (self->phase == PHASE_PREPARE) {
        postgres_statement_name(name, self->statements.last_number + 1);
        sent = pq->sendPrepare(self->link, name, request->sql, count, arguments.types);
    } else {
        sent = pq->sendQueryParams(self->link, request->sql, count, arguments.types, arguments.values,
                                   arguments.lengths, arguments.formats, 0);
    }
    free(arguments.values);
    return sent;
}

static enum phase next_phase(struct postgres *self) {
    PGTransactionStatusType transaction = self->pq->transactionStatus(self->link);
    if (self->request->kind != POSTGRES_QUERY || self->again || transaction == PQTRANS_INERROR)
        return PHASE_RUN;
    if (!self->looked_up) {
        self->looked_up = true;
        self->statement = postgres_statements_use(&self->statements, self->request);
    }
    if (self->statements.dropped_count && transaction == PQTRANS_IDLE)
        return PHASE_FORGET;
    if (self->statement && self->statement->uses > 1 && !self->statement->number)
        return PHASE_PREPARE;
    return PHASE_RUN;
}

/* Sends what is due next. False: the statement has ended. */
static bool advance(struct postgres *self) {
    self->phase = next_phase(self);
    if (!(self->phase == PHASE_FORGET ? send_forget(self) : send_statement(self))) {
        char said[512];
        postgres_failure_tidy(self->pq->errorMessage(self->link), said, sizeof said);
        lost(self, said); /* nothing went out, or memory is short: what the server has is unknown */
        return false;
    }
    if (self->phase == PHASE_RUN && self->request->kind != POSTGRES_COPY)
        self->pq->setSingleRowMode(self->link);
    return push_out(self);
}

/* ---- COPY ---- */

static void copy_on(struct postgres *self) {
    const struct postgres_request *request = self->request;
    for (int pieces = 0; !self->unsent && self->copied < request->rows_length; pieces++) {
        size_t left = request->rows_length - self->copied, piece = left < PIECE_BYTES ? left : PIECE_BYTES;
        if (pieces == PIECES_A_TURN) { /* others have their turn */
            watch(self, UV_READABLE | UV_WRITABLE);
            return;
        }
        if (self->pq->putCopyData(self->link, request->rows + self->copied, (int)piece) != 1) {
            lose(self);
            return;
        }
        self->copied += piece;
        if (!push_out(self))
            return;
    }
    if (self->unsent)
        return;
    self->phase = PHASE_END;
    self->all_copied = true;
    if (self->pq->putCopyEnd(self->link, NULL) != 1)
        lose(self);
    else
        push_out(self);
}

/* ---- receiving ---- */

static void misuse(struct postgres *self, const char *message) {
    if (self->outcome->failure == POSTGRES_FINE) {
        self->outcome->failure = POSTGRES_MISUSE;
        snprintf(self->outcome->message, sizeof self->outcome->message, "%s", message);
    }
}

/* The server asks for rows. */
static void take_copy_in(struct postgres *self) {
    if (self->request->kind == POSTGRES_COPY && self->phase == PHASE_RUN && self->verdict == VERDICT_NONE) {
        self->phase = PHASE_COPY;
        return;
    }
    if (self->request->kind != POSTGRES_COPY)
        misuse(self, "COPY ... FROM STDIN is for Connection:copy");
    if (self->pq->putCopyEnd(self->link, "no rows are sent") != 1)
        lose(self);
    else
        push_out(self);
}

static void keep(struct postgres *self, PGresult *result) {
    enum postgres_kept kept = POSTGRES_KEPT;
    if (self->request->kind != POSTGRES_QUERY || (self->verdict != VERDICT_NONE && self->verdict != VERDICT_TIMEOUT))
        return;
    kept = postgres_result_columns(self->pq, result, self->outcome);
    if (kept == POSTGRES_KEPT)
        kept = postgres_result_rows(self->pq, result, self->request->limit_bytes, self->outcome);
    if (kept == POSTGRES_KEPT)
        return;
    buffer_clear(&self->outcome->cells);
    enum verdict verdict = kept == POSTGRES_KEPT_TOO_MUCH ? VERDICT_TOO_LARGE : VERDICT_MEMORY;
    if (self->verdict == VERDICT_NONE)
        cut_short(self, verdict);
    else
        self->verdict = verdict;
}

/* The server refuses a plan that it made earlier: tables have changed since, or somebody told it to forget (DISCARD). */
static bool is_stale(const struct postgres *self, const PGresult *result) {
    const char *sqlstate = self->pq->resultErrorField(result, PG_DIAG_SQLSTATE);
    const char *function = self->pq->resultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    if (self->phase != PHASE_RUN || !self->statement || !self->statement->number || !sqlstate)
        return false;
    return !strcmp(sqlstate, "26000") ||
           (!strcmp(sqlstate, "0A000") && function && !strcmp(function, "RevalidateCachedQuery"));
}

static void take_error(struct postgres *self, const PGresult *result) {
    /* What can't be forgotten was forgotten already. */
    if (self->outcome->failure != POSTGRES_FINE ||
        (self->phase == PHASE_FORGET && !postgres_result_fatal(self->pq, result)))
        return;
    self->stale = is_stale(self, result);
    postgres_result_error(self->pq, result, self->outcome);
}

static void take(struct postgres *self, PGresult *result) {
    const struct pq_library *pq = self->pq;
    switch (pq->resultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
        if (self->phase == PHASE_RUN)
            keep(self, result);
        __attribute__((fallthrough));
    case PGRES_COMMAND_OK:
        if (self->phase == PHASE_RUN || self->phase == PHASE_END)
            postgres_result_count(pq, result, self->outcome);
        break;
    case PGRES_EMPTY_QUERY: break;
    case PGRES_COPY_IN: take_copy_in(self); break;
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        /* Its rows would have to be taken, all of them. */
        misuse(self, "COPY ... TO STDOUT can't be used here");
        pq->clear(result);
        break_link(self, "it was closed amid a COPY ... TO STDOUT, which can't be used here");
        end(self);
        return;
    default: take_error(self, result);
    }
    pq->clear(result);
}

/* A plan that went stale is made again, where that can be tried: the error has ended a transaction. */
static bool try_again(struct postgres *self) {
    const char *sqlstate = self->outcome->fields[POSTGRES_SQLSTATE];
    bool known = sqlstate && strcmp(sqlstate, "26000") != 0;
    if (!self->stale)
        return false;
    self->stale = false;
    postgres_statements_stale(&self->statements, self->statement, known);
    self->statement->uses = 1;
    if (self->pq->transactionStatus(self->link) != PQTRANS_IDLE)
        return false;
    postgres_outcome_forgive(self->outcome);
    self->outcome->sent = false;
    self->again = true;
    return true;
}

/* The results of a phase are complete. False: the statement has ended, or will without more to come. */
static bool next(struct postgres *self) {
    bool failed = self->outcome->failure != POSTGRES_FINE;
    bool ran = self->phase == PHASE_RUN || self->phase == PHASE_END;
    if (self->phase == PHASE_PREPARE && !failed)
        self->statement->number = ++self->statements.last_number;
    if (self->phase == PHASE_RUN && !failed && self->request->kind == POSTGRES_COPY && self->verdict == VERDICT_NONE)
        misuse(self, "it isn't COPY ... FROM STDIN");
    if (self->verdict == VERDICT_NONE && ((!ran && !failed) || try_again(self)))
        return advance(self);
    self->complete = ran;
    settle(self);
    return false;
}

static void collect(struct postgres *self) {
    while (!is_gone(self) && !self->pq->isBusy(self->link)) {
        PGresult *result = self->pq->getResult(self->link);
        if (result)
            take(self, result);
        else if (!is_gone(self) && !next(self))
            return;
        if (self->phase == PHASE_NONE)
            return;
        if (self->phase == PHASE_COPY) {
            copy_on(self);
            return;
        }
    }
    if (is_gone(self))
        lose(self);
}

/* ---- the loop ---- */

/* What came is looked through before and after more is read, also while rows are sent (and libpq reads by itself, when the socket
 * takes no more of them): libpq grows its buffer by what it finds there. */
static void go_on(struct postgres *self, int events) {
    hear(self);
    if ((events & UV_READABLE) && !pq_library_consume(self->pq, self->link)) {
        lose(self);
        return;
    }
    hear(self);
    if (self->unsent && !push_out(self))
        return;
    if (self->phase == PHASE_COPY)
        copy_on(self);
    else
        collect(self);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    struct postgres *self = poll->data;
    if (status < 0) {
        /* A reset, say. libuv tells no more, and waits no longer; libpq is to look itself. */
        int wanted = self->watched;
        self->watched = 0;
        watch(self, wanted);
        events = UV_READABLE;
    }
    if (self->phase == PHASE_NONE) {
        look_alive(self);
    } else if (self->phase == PHASE_SETTLED) {
        if (!look_alive(self))
            end(self);
    } else {
        go_on(self, events);
    }
}

int postgres_adopt(const struct pq_library *pq, PGconn *link, struct postgres **connection) {
    struct postgres *self = calloc(1, sizeof *self);
    if (!self)
        return ENOMEM;
    self->pq = pq;
    self->poll.data = self->timer.data = self;
    int status = uv_poll_init_socket(loop_get(), &self->poll, pq->socket(link));
    if (status < 0) {
        free(self);
        return -status;
    }
    uv_timer_init(loop_get(), &self->timer);
    uv_unref((uv_handle_t *)&self->poll);
    self->handles = 2;
    self->link = link;
    self->version = pq->serverVersion(link);
    pq->setErrorVerbosity(link, PQERRORS_DEFAULT);
    pq->setNoticeReceiver(link, on_notice, self);
    watch(self, UV_READABLE);
    *connection = self;
    return 0;
}

/* ---- what others ask ---- */

bool postgres_begin(struct postgres *self, const struct postgres_request *request, struct postgres_outcome *outcome,
                    void (*done)(void *context), void *context) {
    *outcome = (struct postgres_outcome){ .affected = -1 };
    if (!look_alive(self)) {
        outcome->failure = POSTGRES_LOST;
        snprintf(outcome->message, sizeof outcome->message, "the connection broke: %s", self->why);
        return false;
    }
    self->request = request;
    self->outcome = outcome;
    self->done = done;
    self->context = context;
    self->verdict = VERDICT_NONE;
    self->statement = NULL;
    self->looked_up = self->stale = self->again = self->complete = self->unsent = self->all_copied = false;
    self->copied = 0;
    self->beginning = true;
    arm(self, request->timeout_ms);
    advance(self);
    self->beginning = false;
    return self->phase != PHASE_NONE;
}

enum postgres_state postgres_state(struct postgres *self) {
    if (self->phase != PHASE_NONE)
        return POSTGRES_TRANSACTION;
    if (!look_alive(self))
        return POSTGRES_BROKEN;
    switch (self->pq->transactionStatus(self->link)) {
    case PQTRANS_IDLE: return POSTGRES_IDLE;
    case PQTRANS_INERROR: return POSTGRES_FAILED;
    case PQTRANS_UNKNOWN: return POSTGRES_BROKEN;
    default: return POSTGRES_TRANSACTION;
    }
}

int postgres_server_version(const struct postgres *self) {
    return self->version;
}

void postgres_close(struct postgres *self) {
    if (!self)
        return;
    break_link(self, "it was closed");
    if (self->phase != PHASE_NONE) {
        self->verdict = VERDICT_NONE;
        postgres_outcome_forgive(self->outcome);
        self->outcome->failure = POSTGRES_CLOSED;
        snprintf(self->outcome->message, sizeof self->outcome->message, "the connection was closed amid the statement");
        end(self);
    }
    postgres_statements_clear(&self->statements);
    self->closed = true;
    uv_close((uv_handle_t *)&self->timer, drop_handle);
}
