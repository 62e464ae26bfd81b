/* What a session speaks through: a stream to the other side, two from it, and its end.
 *
 * Two kinds: submitter-sandbox as a child (sandbox_child.h), and the streams of a container, handed over by its engine
 * (attach.h). A transport belongs to one user. It calls back on the loop's thread; its user may call write and stop from there,
 * but not close. */
#ifndef SUBMITTER_IO_TRANSPORT_H
#define SUBMITTER_IO_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

enum transport_stream { TRANSPORT_OUTPUT, TRANSPORT_ERRORS };

struct transport;

struct transport_user {
    /* The next piece (1 byte or more) of one of the two streams; the data lives for the call only. */
    void (*got)(void *context, enum transport_stream stream, const char *data, size_t length);
    /* ended or drained became true. */
    void (*over)(void *context);
    void *context;
};

struct transport_class {
    /* Calls back from now on. What came before is given then. */
    void (*start)(struct transport *transport);
    /* Writes to the other side; data stays in place until written(context, status) is called, with 0 or a negative errno value.
     * Returns 0 or a positive errno value, and then nothing is called. */
    int (*write)(struct transport *transport, const char *data, size_t length,
                 void (*written)(void *context, int status), void *context);
    /* Asks the other side to end, and everything with it; hard: doesn't leave it to the other side. May call over at once. */
    void (*stop)(struct transport *transport, bool hard);
    /* Why a drained one ended although nobody asked it to. errors: the last of its standard error, not empty lines at the
     * end. Puts it in words, and returns the code, a word. */
    const char *(*explain)(const struct transport *transport, const char *errors, char *message, size_t size);
    /* Frees it; what is still alive at the other side is brought down in the background. */
    void (*close)(struct transport *transport);
};

/* The part that all kinds have. */
struct transport {
    const struct transport_class *class;
    struct transport_user user;
    bool ended;   /* the other side is gone */
    bool drained; /* and all that it said was given */
};

#endif
