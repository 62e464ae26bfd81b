/* The inner process: from its birth in new namespaces to the program it becomes. */
#ifndef SUBMITTER_SANDBOX_INSIDE_H
#define SUBMITTER_SANDBOX_INSIDE_H

#include "cgroup.h"
#include "handover.h"
#include "spec.h"

/* What the two processes say to each other while the walls are built: one byte each. The end of the channel
   means that the program runs (execve closed it), or that the inner process died. */
enum inside_word {
    INSIDE_MAPPED = 'm',   /* outer: the users are mapped, go on */
    INSIDE_PLACED = 'c',   /* outer: you are in your cgroup */
    INSIDE_HIDDEN = 'n',   /* inner: the cgroup namespace is made */
    INSIDE_COMPLETE = 'g', /* outer: everything stands, become the program */
    INSIDE_FAILED = 'f',   /* inner: a wall failed, and I said which */
};

struct inside {
    const struct spec *spec;
    const struct cgroup *cgroup;
    struct handover *handover;
    int channel;
    int program;   /* the runner's file, opened outside; -1 in the student's role */
    int filter;    /* the student's filter */
    int processes; /* a /proc that can be written */
    int input;     /* in the student's role: what becomes its standard input; -1: nothing is in it */
    int output[2]; /* in the student's role: what becomes its standard output and error */
};

/* Builds the walls from within, and runs the program. Never returns. */
_Noreturn void inside_run(struct inside *inside);

#endif
