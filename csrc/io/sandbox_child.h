/* submitter-sandbox as a child: its specification, its start, and the transport of what is said with the runner in it. */
#ifndef SUBMITTER_IO_SANDBOX_CHILD_H
#define SUBMITTER_IO_SANDBOX_CHILD_H

#include "../protocol/protocol.h"
#include "child.h"
#include "transport.h"

struct sandbox_options {
    const char *programs;          /* folder of submitter-sandbox and submitter-runner */
    const char *cgroup_parent;     /* or NULL */
    unsigned processors_percent;   /* what a case gets of processors, in hundredths of one; 0: all there are */
    const char *accounting;        /* "cgroup", "container" or "rlimit" */
    struct protocol_limits limits; /* the largest that a case will ask for */
    const char *const *read_only;  /* more paths to show, ended by NULL; or NULL */
};

/* Starts submitter-sandbox; any thread, blocks for about a millisecond. Returns 0 or a positive errno value; ENOENT when the
 * programs are missing, EINVAL when a path holds a line break. */
int sandbox_child_launch(const struct sandbox_options *options, struct child_start *start);

/* Takes over what was launched. 0 or a positive errno value: then it was killed. Its end comes after everything within ended
 * and its cgroups are gone. Codes of an end that nobody asked for: "environment" (a wall can't be built), "sandbox". */
int sandbox_child_adopt(struct child_start *start, struct transport **transport);

#endif
