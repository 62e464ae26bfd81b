/* libpq, loaded when it is first needed, like libcurl (curl_library.h): linked, it and the libraries behind it (TLS, Kerberos,
 * LDAP) would cost every start of the host, also where there is no database. */
#ifndef SUBMITTER_IO_PQ_LIBRARY_H
#define SUBMITTER_IO_PQ_LIBRARY_H

#include <libpq-fe.h>
#include <stdbool.h>

/* Each function of libpq by its own name, without "PQ". All are in PostgreSQL 12's. */
#define PQ_FUNCTIONS(each)                                                                                             \
    each(libVersion) each(connectStartParams) each(connectPoll) each(status) each(errorMessage) each(socket)           \
        each(finish) each(conninfoParse) each(conninfo) each(conninfoFree) each(freemem) each(host) each(port)         \
            each(setnonblocking) each(setErrorVerbosity) each(setNoticeReceiver) each(sslStruct)                       \
                each(transactionStatus) each(serverVersion) each(sendQuery) each(sendQueryParams) each(sendPrepare)    \
                    each(sendQueryPrepared) each(setSingleRowMode) each(flush) each(consumeInput) each(isBusy)         \
                        each(getResult) each(clear) each(resultStatus) each(resultErrorField) each(resultErrorMessage) \
                            each(ntuples) each(nfields) each(fname) each(ftype) each(getisnull) each(getvalue)         \
                                each(getlength) each(cmdTuples) each(putCopyData) each(putCopyEnd) each(notifies)      \
                                    each(getCancel) each(cancel) each(freeCancel)

#define PQ_POINTER(name) __typeof__(PQ##name) *name;
struct pq_library {
    PQ_FUNCTIONS(PQ_POINTER)
    /* OpenSSL's SSL_pending, out of the library that libpq itself uses; NULL if it uses another one. */
    int (*ssl_pending)(const void *ssl);
};
#undef PQ_POINTER

/* PQconsumeInput, again for as long as TLS holds more than libpq had room for: the socket doesn't tell of that. False: it failed. */
bool pq_library_consume(const struct pq_library *pq, PGconn *link);

/* The library, or NULL and in message (static text) why it can't be used. Not tried again after a failure. To be called on the
 * loop's thread; what it gives may be used on any. */
const struct pq_library *pq_library(const char **message);

#endif
