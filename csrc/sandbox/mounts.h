/* The root that is seen inside: read-only pieces of the system, small writable places, nothing else. */
#ifndef SUBMITTER_SANDBOX_MOUNTS_H
#define SUBMITTER_SANDBOX_MOUNTS_H

#include "spec.h"

/* What stays open of places that are seen read-only inside, or not at all, for the runner alone. */
struct mounts_opened {
    int last_process; /* the setting from which the next process number follows; -1 where the kernel has none
                       */
    int processes;    /* a /proc that can be written */
};

/* Builds it and makes it the root of the calling process, which is in a mount and PID namespace of its own
   and is root in its user namespace. Nothing of the old root can be reached afterwards. */
struct mounts_opened mounts_build(const struct spec *spec);

#endif
