/* The root that is seen inside: read-only pieces of the system, small writable places, nothing else. */
#ifndef SUBMITTER_SANDBOX_MOUNTS_H
#define SUBMITTER_SANDBOX_MOUNTS_H

#include "spec.h"

/* Builds it and makes it the root of the calling process, which is in a mount and PID namespace of its own
   and is root in its user namespace. Nothing of the old root can be reached afterwards. Gives the setting
   from which the PID namespace's next process number follows, opened for the runner; -1 where the kernel has
   none. */
int mounts_build(const struct spec *spec);

#endif
