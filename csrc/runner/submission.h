/* The submission: its files, where the program finds them, and how it is run. */
#ifndef SUBMITTER_RUNNER_SUBMISSION_H
#define SUBMITTER_RUNNER_SUBMISSION_H

#include "../protocol/protocol.h"
#include "fault.h"

#define SUBMISSION_DIRECTORY "/usr/src/submitter"

struct submission {
    int place; /* the directory, opened */
    int file;  /* the file that is being written; -1 for none */
    char name[PROTOCOL_NAME_BYTES + 1];
    size_t file_bytes, bytes, files;
    bool complete;
    char program[PROTOCOL_NAME_BYTES + 1];
    char interpreter[PROTOCOL_PATH_BYTES + 1];
    char directory[PROTOCOL_PATH_BYTES + 1];
    uint8_t *environment_bytes;
    struct protocol_list environment;
    struct protocol_limits limits;
};

bool submission_open(struct submission *submission, struct fault *fault);
/* The next piece of a file. */
bool submission_file(struct submission *submission, const struct protocol_file *file, struct fault *fault);
/* How it is run, by the runner's own interpreter if it names none; freezes the files: from here on not even the runner writes them. */
bool submission_complete(struct submission *submission, const struct protocol_submission *message,
                         const char *own_interpreter, struct fault *fault);

#endif
