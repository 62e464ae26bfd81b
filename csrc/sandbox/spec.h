/*
 * What is to be built, from the command line or from a specification on a descriptor.
 *
 * A specification is text of at most SPEC_BYTES: lines "key=value", the first of them "version=1". Once each:
 * program (absolute path; required), accounting (cgroup, rlimit), cgroup_parent, memory_bytes, cpu_ms, wall_ms,
 * output_bytes, processes, file_bytes, processors_percent (decimal). As often as needed: argument, bind_ro
 * (absolute path). Files within what bind_ro shows can't be changed, but a socket or FIFO there can be used from
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
    SPEC_MESSAGE_BYTES = 256,
};

enum spec_role {
    SPEC_RUNNER,  /* the program is submitter-runner: process 1, inside's root, with the runner's few
                     capabilities */
    SPEC_STUDENT, /* the program is run once, as the student */
};

enum spec_accounting { SPEC_CGROUP, SPEC_RLIMIT };

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
};

/* A specification with the default limits. */
void spec_start(struct spec *spec);
/* Reads a specification of `length` bytes; `text` is changed, has room for one byte more, and must live as
   long as the spec. False, with `message` saying what is wrong. */
bool spec_parse(struct spec *spec, char *text, size_t length, char message[SPEC_MESSAGE_BYTES]);
/* Reads the whole of a descriptor into a text of SPEC_BYTES + 1 and parses it. */
bool spec_read(struct spec *spec, int descriptor, char *text, char message[SPEC_MESSAGE_BYTES]);
/* Reads the command line. `*descriptor` is what --spec-fd names, or -1; `*help` says that only --help was
   asked. */
bool spec_options(struct spec *spec, int count, char **words, int *descriptor, bool *help,
                  char message[SPEC_MESSAGE_BYTES]);
/* "256M", "4096": bytes, binary multiples K, M, G. */
bool spec_size(const char *text, uint64_t *bytes);
/* "250ms", "2s", "1m": milliseconds. A number without unit is refused. */
bool spec_duration(const char *text, uint64_t *milliseconds);
/* "2", "0.5", "1.25": hundredths. More than two decimals are refused. */
bool spec_hundredths(const char *text, uint64_t *hundredths);

#endif
