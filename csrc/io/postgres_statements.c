#include "postgres_statements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void postgres_statement_name(char name[POSTGRES_STATEMENT_NAME_SIZE], unsigned number) {
    snprintf(name, POSTGRES_STATEMENT_NAME_SIZE, "submitter_%u", number);
}

static char kind_of(const struct postgres_parameter *parameter) {
    return parameter->bytes ? 'b' : 't';
}

static bool has_kinds(const char *kinds, const struct postgres_request *request) {
    if (strlen(kinds) != request->parameter_count)
        return false;
    for (size_t index = 0; index < request->parameter_count; index++)
        if (kinds[index] != kind_of(&request->parameters[index]))
            return false;
    return true;
}

/* FNV-1a. */
static uint64_t hash_of(const char *text) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

static struct postgres_statement *find(struct postgres_statements *statements, uint64_t hash,
                                       const struct postgres_request *request) {
    for (size_t index = 0; index < statements->count; index++) {
        struct postgres_statement *statement = &statements->kept[index];
        if (statement->hash == hash && !strcmp(statement->sql, request->sql) && has_kinds(statement->kinds, request))
            return statement;
    }
    return NULL;
}

static bool drop(struct postgres_statements *statements, unsigned number) {
    if (statements->dropped_count == POSTGRES_STATEMENTS)
        return false;
    statements->dropped[statements->dropped_count++] = number;
    return true;
}

static bool goes_before(const struct postgres_statement *one, const struct postgres_statement *other) {
    if (!one->number != !other->number)
        return !one->number;
    return one->last_use < other->last_use;
}

/* A place that is free, or was made so. */
static struct postgres_statement *make_room(struct postgres_statements *statements) {
    if (statements->count < POSTGRES_STATEMENTS)
        return &statements->kept[statements->count++];
    struct postgres_statement *victim = &statements->kept[0];
    for (size_t index = 1; index < statements->count; index++)
        if (goes_before(&statements->kept[index], victim))
            victim = &statements->kept[index];
    if (victim->number && !drop(statements, victim->number))
        return NULL;
    free(victim->sql);
    return victim;
}

static struct postgres_statement *add(struct postgres_statements *statements, uint64_t hash,
                                      const struct postgres_request *request) {
    size_t length = strlen(request->sql);
    char *text = malloc(length + 1 + request->parameter_count + 1), *kinds;
    struct postgres_statement *statement = text ? make_room(statements) : NULL;
    if (!statement) {
        free(text);
        return NULL;
    }
    memcpy(text, request->sql, length + 1);
    kinds = text + length + 1;
    for (size_t index = 0; index < request->parameter_count; index++)
        kinds[index] = kind_of(&request->parameters[index]);
    kinds[request->parameter_count] = '\0';
    *statement = (struct postgres_statement){ .sql = text, .kinds = kinds, .hash = hash };
    return statement;
}

struct postgres_statement *postgres_statements_use(struct postgres_statements *statements,
                                                   const struct postgres_request *request) {
    if (strnlen(request->sql, POSTGRES_STATEMENT_BYTES + 1) > POSTGRES_STATEMENT_BYTES)
        return NULL;
    uint64_t hash = hash_of(request->sql);
    struct postgres_statement *statement = find(statements, hash, request);
    if (!statement)
        statement = add(statements, hash, request);
    if (statement) {
        statement->uses++;
        statement->last_use = ++statements->uses;
    }
    return statement;
}

void postgres_statements_stale(struct postgres_statements *statements, struct postgres_statement *statement,
                               bool known_to_server) {
    /* Where there is no room to note it, the server keeps a plan that nobody uses until the connection ends. */
    if (known_to_server)
        drop(statements, statement->number);
    statement->number = 0;
}

bool postgres_statements_forget(struct postgres_statements *statements, struct buffer *script) {
    char name[POSTGRES_STATEMENT_NAME_SIZE];
    if (!statements->dropped_count)
        return false;
    for (size_t index = 0; index < statements->dropped_count; index++) {
        postgres_statement_name(name, statements->dropped[index]);
        buffer_format(script, "%sDEALLOCATE %s", index ? "; " : "", name);
    }
    statements->dropped_count = 0;
    return buffer_append_byte(script, '\0') && !script->failed;
}

void postgres_statements_clear(struct postgres_statements *statements) {
    for (size_t index = 0; index < statements->count; index++)
        free(statements->kept[index].sql);
    statements->count = 0;
}
