#include "pq_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { LEAST_VERSION = 120000 };

static char problem[256];

static bool find(struct pq_library *library, void *handle) {
    const char *missing = NULL;
    void *symbol;
    /* A pointer to data isn't one to a function in C, though POSIX makes them alike: hence memcpy. */
#define FIND(name)                                  \
    symbol = dlsym(handle, "PQ" #name);             \
    memcpy(&library->name, &symbol, sizeof symbol); \
    if (!symbol)                                    \
        missing = "PQ" #name;
    PQ_FUNCTIONS(FIND)
#undef FIND
    if (missing)
        snprintf(problem, sizeof problem, "libpq.so.5 has no %s: install libpq5 of PostgreSQL 12 or newer", missing);
    symbol = dlsym(handle, "SSL_pending");
    memcpy(&library->ssl_pending, &symbol, sizeof symbol);
    return !missing;
}

static bool load(struct pq_library *library) {
    void *handle = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        snprintf(problem, sizeof problem, "PostgreSQL needs libpq (Debian: libpq5), which can't be loaded: %s",
                 dlerror());
        return false;
    }
    if (!find(library, handle))
        return false;
    if (library->libVersion() < LEAST_VERSION) {
        snprintf(problem, sizeof problem, "libpq is of PostgreSQL %d: install libpq5 of PostgreSQL 12 or newer",
                 library->libVersion() / 10000);
        return false;
    }
    return true;
}

bool pq_library_consume(const struct pq_library *pq, PGconn *link) {
    const void *ssl = pq->ssl_pending ? pq->sslStruct(link, "OpenSSL") : NULL;
    do
        if (!pq->consumeInput(link))
            return false;
    while (ssl && pq->ssl_pending(ssl) > 0);
    return true;
}

const struct pq_library *pq_library(const char **message) {
    static struct pq_library library;
    static bool tried, loaded;
    if (!tried) {
        tried = true;
        loaded = load(&library);
    }
    *message = problem;
    return loaded ? &library : NULL;
}
