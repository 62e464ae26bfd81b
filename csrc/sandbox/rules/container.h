/*
 * The outer profile: the system calls that all in a container may make together, sandbox, runner and students, for the engine to put
 * on before any of them runs. It is wider than the student's own filter, which stands within it, and as wide as raising walls takes:
 * namespaces and mounts are in it, which the kernel lets nobody in the container make but in a user namespace of its own. All
 * else is refused, EPERM, and what newer programs try first is answered as an older kernel would.
 *
 * clone3 isn't among the latter, as engines' own profiles have it: the sandbox is made by it.
 */
#ifndef SUBMITTER_SANDBOX_RULES_CONTAINER_H
#define SUBMITTER_SANDBOX_RULES_CONTAINER_H

#include <stdint.h>
#include <stdio.h>

/* A system call that is allowed if an argument, the number of which is given, is this; any other is allowed whatever they are. */
struct container_condition {
    const char *name;
    unsigned argument;
    uint64_t value;
};
extern const struct container_condition container_conditions[]; /* ends with a NULL name */

/* Calls `each` for every name that is allowed unconditionally, once, then for every one that is answered ENOSYS. */
void container_visit(void (*each)(const char *name, int answer, void *context), void *context);
/* Prints it as engines read it: the object "linux.seccomp" of OCI's runtime specification, which is Docker's, Podman's and Kubernetes's
   format too. For the architecture that this was compiled for. */
void container_print(FILE *file);

#endif
