/* Our own failures, on their way to the host. What the student's program does is never one of them. */
#ifndef SUBMITTER_RUNNER_FAULT_H
#define SUBMITTER_RUNNER_FAULT_H

#include <stdbool.h>

struct fault {
    bool fatal;    /* the sandbox can't go on */
    char code[33]; /* a word for machines */
    char message[512];
};

/* Fills it in, fatal or for this case only; returns false, so that a function can end with it. */
bool fault_fatal(struct fault *fault, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool fault_case(struct fault *fault, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
