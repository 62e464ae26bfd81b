/*
 * What is to be built, from the command line or from a specification, on a descriptor or in a file.
 *
 * A specification is text of at most SPEC_BYTES: lines "key=value", the first of them "version=1". Once each:
 * program (absolute path; required), accounting (cgroup, rlimit, container), cgroup_parent, interpreter (absolute
 * path), interpreter_version (1 to SPEC_VERSION_BYTES printable ASCII characters; only with interpreter), memory_bytes,
 * cpu_ms, wall_ms, output_bytes, processes, file_bytes, processors_percent (decimal). As often as needed: argument,
 * bind_ro (absolute path). interpreter is the one that the runner uses where a submission names none, and
 * interpreter_version what it tells the host of it: whoever writes the specification has asked it. Files within what bind_ro shows can't be changed, but a socket or FIFO there can be used from
 * inside, read-only or not: it leads to whoever is at its other end. Show folders that hold none. A key that is
 * unknown, comes twice or has a value out of bounds is refused: a misspelt wall must not silently be a missing
 * one.
 */
#ifndef SUBMITTER_SANDBOX_SPEC_H
#define SUBMITTER_SANDBOX_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SPEC_BYTES = 64 * 1024,
    SPEC_ARGUMENTS = 256,
    SPEC_READ_ONLY = 64,
    SPEC_PATH_BYTES = 4095,
    SPEC_VERSION_BYTES = 64, /* as the protocol has it */
    SPEC_MESSAGE_BYTES = 256,
};

enum spec_role {
    SPEC_RUNNER,  /* the program is submitter-runner: process 1, inside's root, with the runner's few
                     capabilities */
    SPEC_STUDENT, /* the program is run once, as the student */
};

enum spec_accounting {
    SPEC_CGROUP,
    SPEC_RLIMIT,
    SPEC_CONTAINER, /* by the counters of the container that the sandbox is in; in the runner's role only */
};

struct spec {
    enum spec_role role;
    enum spec_accounting accounting;
    uint64_t memory_bytes, cpu_ms, wall_ms, output_bytes, processes, file_bytes;
    uint64_t processors_percent; /* how much of processors a case gets, all its processes together; 0: what there is */
    const char *program;
    const char *arguments[SPEC_ARGUMENTS + 1]; /* without argv[0] */
    size_t argument_count;
    const char *read_only[SPEC_READ_ONLY];
    size_t read_only_count;
    const char *input;         /* on the command line only: the file that becomes standard input; NULL: it is empty */
    const char *cgroup_parent; /* NULL: below the cgroup of this process */
    const char *interpreter, *interpreter_version; /* NULL: the runner has none of its own */
};

/* Where the specification is, if the command line names one. */
struct spec_source {
    int descriptor;   /* --spec-fd; -1 for none */
    const char *path; /* --spec; NULL for none */
    bool help;        /* only --help was asked */
};

/* A specification with the default limits. */
void spec_start(struct spec *spec);
/* Reads a specification of `length` bytes; `text` is changed, has room for one byte more, and must live as
   long as the spec. False, with `message` saying what is wrong. */
bool spec_parse(struct spec *spec, char *text, size_t length, char message[SPEC_MESSAGE_BYTES]);
/* Reads the whole of a descriptor into a text of SPEC_BYTES + 1 and parses it. */
bool spec_read(struct spec *spec, int descriptor, char *text, char message[SPEC_MESSAGE_BYTES]);
/* Reads the command line. */
bool spec_options(struct spec *spec, int count, char **words, struct spec_source *source,
                  char message[SPEC_MESSAGE_BYTES]);
/* "256M", "4096": bytes, binary multiples K, M, G. */
bool spec_size(const char *text, uint64_t *bytes);
/* "250ms", "2s", "1m": milliseconds. A number without unit is refused. */
bool spec_duration(const char *text, uint64_t *milliseconds);
/* "2", "0.5", "1.25": hundredths. More than two decimals are refused. */
bool spec_hundredths(const char *text, uint64_t *hundredths);

#endif
