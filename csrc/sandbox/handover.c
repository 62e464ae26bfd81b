#include "handover.h"

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char wall[] = "descriptors";
static const char remedy[] = "raise the limit of open files (ulimit -n)";

void handover_add(struct handover *handover, const char *name, int descriptor) {
    if (handover->count == HANDOVER_ITEMS) {
        report_wall(wall, "this is a fault of submitter-sandbox", "more than %d descriptors to hand over",
                    HANDOVER_ITEMS);
    }
    handover->items[handover->count].name = name;
    handover->items[handover->count].descriptor = descriptor;
    handover->count++;
}

/* Out of the way of the places to be filled. */
static int move_away(int descriptor) {
    int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, HANDOVER_FIRST + HANDOVER_ITEMS + 1);
    if (moved < 0) {
        report_wall(wall, remedy, "a descriptor can't be moved: %s", strerror(errno));
    }
    return moved;
}

static void place(int descriptor, int wanted, int flags) {
    if (dup3(descriptor, wanted, flags) < 0) {
        report_wall(wall, remedy, "descriptor %d can't be set: %s", wanted, strerror(errno));
    }
}

void handover_arrange(struct handover *handover, int *program) {
    int away[HANDOVER_ITEMS];
    int program_away = *program >= 0 ? move_away(*program) : -1;
    for (size_t i = 0; i < handover->count; i++) {
        away[i] = move_away(handover->items[i].descriptor);
    }
    int next = HANDOVER_FIRST;
    for (size_t i = 0; i < handover->count; i++) {
        place(away[i], next, 0);
        handover->items[i].descriptor = next++;
    }
    if (program_away >= 0) {
        place(program_away, next, O_CLOEXEC);
        *program = next++;
    }
    if (close_range((unsigned)next, ~0U, 0) < 0) {
        report_wall(wall, "Linux 5.9 or newer is needed", "inherited descriptors can't be closed: %s", strerror(errno));
    }
}

const char *handover_variable(const struct handover *handover, const char *accounting, uint64_t processors_percent) {
    static char text[1024];
    int length = snprintf(text, sizeof text, "SUBMITTER_WALLS=accounting=%s processors=%" PRIu64, accounting,
                          processors_percent);
    for (size_t i = 0; i < handover->count; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length, " %s=%d", handover->items[i].name,
                           handover->items[i].descriptor);
        if ((size_t)length >= sizeof text) {
            report_wall(wall, "this is a fault of submitter-sandbox", "the handover is too long");
        }
    }
    return text;
}
