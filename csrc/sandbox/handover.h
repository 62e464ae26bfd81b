/* What the sandbox hands to the program within besides its three standard descriptors: descriptors with
   names, told in one environment variable, "SUBMITTER_WALLS=accounting=cgroup-v1 processors=100 filter=3 memory.limit=4 …". */
#ifndef SUBMITTER_SANDBOX_HANDOVER_H
#define SUBMITTER_SANDBOX_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

enum { HANDOVER_ITEMS = 24, HANDOVER_FIRST = 3 };

struct handover {
    struct {
        const char *name;
        int descriptor;
    } items[HANDOVER_ITEMS];
    size_t count;
};

/* Takes the descriptor over; it is closed with the process. */
void handover_add(struct handover *handover, const char *name, int descriptor);
/* Moves the descriptors to HANDOVER_FIRST and up in order, makes them survive execve, closes everything else
   from there on but `*program`, which is moved as well, and marked to be closed by execve. */
void handover_arrange(struct handover *handover, int *program);
/* The environment variable's text, in static memory. `processors_percent` is the case's share of processors, or 0. */
const char *handover_variable(const struct handover *handover, const char *accounting, uint64_t processors_percent);

#endif
