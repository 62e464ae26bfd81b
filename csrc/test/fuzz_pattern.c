/* Fuzz target: Lua patterns matched with a budget. The input is a pattern, a NUL, and a text (patterns with a NUL are the
 * rest of the corpus' business: the second NUL is theirs). Checked are the bounds of matches and captures. */
#include "../io/pattern.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition) {
    if (!condition)
        abort();
}

static void check_captures(const struct pattern_state *state) {
    check(state->level <= PATTERN_CAPTURES);
    for (int level = 0; level < state->level; level++) {
        check(state->captures[level].start >= state->source && state->captures[level].start <= state->source_end);
        check(state->captures[level].length >= PATTERN_POSITION &&
              state->captures[level].length <= state->source_end - state->captures[level].start);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { STEPS = 20000 };
    const uint8_t *nul = memchr(data, '\0', size);
    size_t pattern_length = nul ? (size_t)(nul - data) : size;
    size_t source_length = nul ? size - pattern_length - 1 : 0;
    /* In memory of their exact sizes, so that a byte too far is seen. */
    char *pattern = calloc(1, pattern_length ? pattern_length : 1),
         *source = calloc(1, source_length ? source_length : 1);
    check(pattern && source);
    memcpy(pattern, data, pattern_length);
    if (source_length)
        memcpy(source, nul + 1, source_length);

    struct pattern_state state;
    pattern_start(&state, source, source_length, pattern, pattern_length, STEPS);
    for (const char *at = source; at <= source + source_length && !state.error; at++) {
        const char *end = pattern_match(&state, at);
        check(state.depth == 0 && state.steps <= STEPS);
        if (end) {
            check(end >= at && end <= source + source_length && !state.error);
            check_captures(&state);
        }
    }
    free(pattern);
    free(source);
    return 0;
}
