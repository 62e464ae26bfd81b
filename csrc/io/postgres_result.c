#include "postgres_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/log.h"
#include "../base/utf8.h"
#include "postgres_failure.h"
#include "postgres_text.h"

enum { FIELD_BYTES = 2 << 10 };

/* ---- rows ---- */

enum postgres_kept postgres_result_columns(const struct pq_library *pq, const PGresult *result,
                                           struct postgres_outcome *outcome) {
    if (outcome->types)
        return POSTGRES_KEPT;
    size_t count = (size_t)pq->nfields(result);
    outcome->types = calloc(count + 1, sizeof *outcome->types);
    if (!outcome->types)
        return POSTGRES_KEPT_NO_MEMORY;
    outcome->column_count = count;
    for (size_t column = 0; column < count; column++) {
        const char *name = pq->fname(result, (int)column);
        outcome->types[column] = pq->ftype(result, (int)column);
        if (!postgres_pack(&outcome->names, name, strlen(name)))
            return POSTGRES_KEPT_NO_MEMORY;
    }
    return POSTGRES_KEPT;
}

static bool fits(const struct pq_library *pq, const PGresult *result, int row, size_t limit_bytes,
                 const struct postgres_outcome *outcome) {
    /* A row without columns costs something as well, or there could be any number of them. */
    size_t held = outcome->column_count ? outcome->cells.length : (outcome->row_count + 1) * POSTGRES_PACK_BYTES;
    if (held > limit_bytes)
        return false;
    size_t left = limit_bytes - held;
    for (size_t column = 0; column < outcome->column_count; column++) {
        size_t cost = POSTGRES_PACK_BYTES + (size_t)pq->getlength(result, row, (int)column);
        if (cost > left)
            return false;
        left -= cost;
    }
    return true;
}

enum postgres_kept postgres_result_rows(const struct pq_library *pq, const PGresult *result, size_t limit_bytes,
                                        struct postgres_outcome *outcome) {
    int rows = pq->ntuples(result);
    for (int row = 0; row < rows; row++) {
        if (!fits(pq, result, row, limit_bytes, outcome))
            return POSTGRES_KEPT_TOO_MUCH;
        for (int column = 0; column < (int)outcome->column_count; column++) {
            const char *value = pq->getisnull(result, row, column) ? NULL : pq->getvalue(result, row, column);
            if (!postgres_pack(&outcome->cells, value, (size_t)pq->getlength(result, row, column)))
                return POSTGRES_KEPT_NO_MEMORY;
        }
        outcome->row_count++;
    }
    return POSTGRES_KEPT;
}

void postgres_result_count(const struct pq_library *pq, PGresult *result, struct postgres_outcome *outcome) {
    const char *count = pq->cmdTuples(result);
    outcome->affected = *count ? strtoll(count, NULL, 10) : -1;
}

/* ---- errors ---- */

/* A copy of at most FIELD_BYTES, and no half character. */
static char *copy_field(const char *text) {
    size_t length = text ? strlen(text) : 0, kept = 0, width;
    const unsigned char *at = (const unsigned char *)text;
    uint32_t code_point;
    if (!text)
        return NULL;
    while (kept < length) {
        utf8_next(at + kept, at + length, &width, &code_point);
        if (kept + width > FIELD_BYTES)
            break;
        kept += width;
    }
    return strndup(text, kept);
}

bool postgres_result_fatal(const struct pq_library *pq, const PGresult *result) {
    const char *severity = pq->resultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity && (!strcmp(severity, "FATAL") || !strcmp(severity, "PANIC"));
}

void postgres_result_error(const struct pq_library *pq, const PGresult *result, struct postgres_outcome *outcome) {
    static const int codes[POSTGRES_FIELD_COUNT] = {
        [POSTGRES_SQLSTATE] = PG_DIAG_SQLSTATE,     [POSTGRES_CONSTRAINT] = PG_DIAG_CONSTRAINT_NAME,
        [POSTGRES_TABLE] = PG_DIAG_TABLE_NAME,      [POSTGRES_COLUMN] = PG_DIAG_COLUMN_NAME,
        [POSTGRES_DETAIL] = PG_DIAG_MESSAGE_DETAIL, [POSTGRES_HINT] = PG_DIAG_MESSAGE_HINT,
        [POSTGRES_CONTEXT] = PG_DIAG_CONTEXT,
    };
    const char *message = pq->resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    for (int field = 0; field < POSTGRES_FIELD_COUNT; field++)
        outcome->fields[field] = copy_field(pq->resultErrorField(result, codes[field]));
    bool lost = !outcome->fields[POSTGRES_SQLSTATE] || postgres_result_fatal(pq, result);
    outcome->failure = lost ? POSTGRES_LOST : POSTGRES_REFUSED;
    if (!message)
        message = pq->resultErrorMessage(result);
    postgres_failure_tidy(message, outcome->message, sizeof outcome->message);
}

void postgres_outcome_forgive(struct postgres_outcome *outcome) {
    for (int field = 0; field < POSTGRES_FIELD_COUNT; field++) {
        free(outcome->fields[field]);
        outcome->fields[field] = NULL;
    }
    outcome->failure = POSTGRES_FINE;
    *outcome->message = '\0';
}

void postgres_outcome_clear(struct postgres_outcome *outcome) {
    postgres_outcome_forgive(outcome);
    buffer_clear(&outcome->names);
    buffer_clear(&outcome->cells);
    free(outcome->types);
    outcome->types = NULL;
}

/* ---- notices ---- */

void postgres_notice_log(const struct pq_library *pq, const PGresult *notice) {
    struct log_line line;
    char message[1024];
    const char *severity = pq->resultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *sqlstate = pq->resultErrorField(notice, PG_DIAG_SQLSTATE);
    const char *said = pq->resultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (!log_begin(&line, LOG_DEBUG, "postgres_notice"))
        return;
    postgres_failure_tidy(said ? said : pq->resultErrorMessage(notice), message, sizeof message);
    if (severity)
        log_text(&line, "severity", severity, strlen(severity));
    if (sqlstate)
        log_text(&line, "sqlstate", sqlstate, strlen(sqlstate));
    log_text(&line, "message", message, strlen(message));
    log_end(&line);
}
