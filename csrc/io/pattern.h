/* Lua's patterns (Lua 5.4 manual, 6.4.1), matched with a budget of steps: a pattern of a few bytes can make string.find take
 * hours on a short text, and nothing can interrupt it. Written after lstrlib.c of Lua 5.4 (MIT license, Lua.org, PUC-Rio). */
#ifndef SUBMITTER_IO_PATTERN_H
#define SUBMITTER_IO_PATTERN_H

#include <stddef.h>
#include <stdint.h>

enum { PATTERN_CAPTURES = 32, PATTERN_DEPTH = 200 };

/* Lengths of captures that aren't one: still open, a position. */
enum { PATTERN_OPEN = -1, PATTERN_POSITION = -2 };

struct pattern_state {
    const char *source, *source_end;
    const char *pattern, *pattern_end;
    uint64_t steps;    /* that it may still take; counted down */
    const char *error; /* why it gave up: a malformed pattern, or out of steps; NULL if it didn't */
    int depth;
    int level; /* captures, finished or not */
    struct {
        const char *start;
        ptrdiff_t length;
    } captures[PATTERN_CAPTURES];
};

/* Begins: both texts stay in place as long as the state is used. A leading "^" is left to the caller. */
void pattern_start(struct pattern_state *state, const char *source, size_t source_length, const char *pattern,
                   size_t pattern_length, uint64_t steps);

/* Matches the whole pattern at one place of the source: the end of the match, or NULL (no match, or an error). A capture that
 * the pattern never closes has the length PATTERN_OPEN: that is an error of whoever asks for it. */
const char *pattern_match(struct pattern_state *state, const char *at) __attribute__((nonnull));

#endif
