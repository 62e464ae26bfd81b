/* One case: started, watched, ended, measured, and everything after it as before it. */
#ifndef SUBMITTER_RUNNER_CASE_H
#define SUBMITTER_RUNNER_CASE_H

#include "../protocol/protocol.h"
#include "fault.h"
#include "launch.h"
#include "leaf.h"
#include "scrub.h"

/* What stays the same from case to case. */
struct case_room {
    const struct walls *walls;
    struct leaf leaf;
    struct launcher launcher;
    struct scrub_scratch scratch;
    int signals; /* tells that a child ended */
    unsigned processors;
    unsigned sockets; /* as scrub_count_sockets told them before the first case */
};

/* Bytes of a stream that were kept. */
struct case_output {
    uint8_t *bytes;
    size_t length, capacity;
};

struct case_outcome {
    struct protocol_result result;
    struct case_output output, errors;
};

/* Makes everything that a case needs, before there is one: the launcher, the writable places. */
bool case_prepare(struct case_room *room, const struct walls *walls, const struct protocol_limits *most,
                  struct fault *fault);
/* Runs it. `input` is a sealed memory file, or -1 for none; the block is closed. False: a failure of ours;
   the outcome holds nothing then. Ends the whole runner when the host is gone. */
bool case_run(struct case_room *room, const struct protocol_case *test, struct launch_block block,
              const char *interpreter, int input, struct case_outcome *outcome, struct fault *fault);
/* Gives the outcome's memory back. */
void case_outcome_end(struct case_outcome *outcome);

#endif
