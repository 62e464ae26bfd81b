#include "pattern.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define ESCAPE '%'

void pattern_start(struct pattern_state *state, const char *source, size_t source_length, const char *pattern,
                   size_t pattern_length, uint64_t steps) {
    memset(state, 0, sizeof *state);
    state->source = source;
    state->source_end = source + source_length;
    state->pattern = pattern;
    state->pattern_end = pattern + pattern_length;
    state->steps = steps;
}

static const char *give_up(struct pattern_state *state, const char *error) {
    if (!state->error)
        state->error = error;
    return NULL;
}

static bool step(struct pattern_state *state) {
    if (state->steps == 0) {
        give_up(state, "the pattern takes more steps on this text than a policy may");
        return false;
    }
    state->steps--;
    return true;
}

static const char *match_here(struct pattern_state *state, const char *at, const char *pattern);

/* The end of the single-character class that begins at pattern. */
static const char *class_end(struct pattern_state *state, const char *pattern) {
    if (*pattern == ESCAPE) {
        if (pattern + 1 == state->pattern_end)
            return give_up(state, "malformed pattern (ends with '%')");
        return pattern + 2;
    }
    if (*pattern++ != '[')
        return pattern;
    if (pattern < state->pattern_end && *pattern == '^')
        pattern++;
    do { /* the first "]" is a member */
        if (pattern >= state->pattern_end)
            return give_up(state, "malformed pattern (missing ']')");
        if (*pattern++ == ESCAPE)
            pattern++;
    } while (pattern >= state->pattern_end || *pattern != ']');
    return pattern + 1;
}

static bool in_class(unsigned char byte, unsigned char class) {
    bool member;
    switch (tolower(class)) {
    case 'a': member = isalpha(byte); break;
    case 'c': member = iscntrl(byte); break;
    case 'd': member = isdigit(byte); break;
    case 'g': member = isgraph(byte); break;
    case 'l': member = islower(byte); break;
    case 'p': member = ispunct(byte); break;
    case 's': member = isspace(byte); break;
    case 'u': member = isupper(byte); break;
    case 'w': member = isalnum(byte); break;
    case 'x': member = isxdigit(byte); break;
    case 'z': member = byte == 0; break; /* deprecated, but Lua 5.4 has it */
    default: return class == byte;
    }
    return isupper(class) ? !member : member;
}

/* Is the byte in the set from pattern ("[") to last ("]")? */
static bool in_set(unsigned char byte, const char *pattern, const char *last) {
    bool found = true;
    if (pattern[1] == '^') {
        found = false;
        pattern++;
    }
    while (++pattern < last) {
        if (*pattern == ESCAPE) {
            pattern++;
            if (in_class(byte, (unsigned char)*pattern))
                return found;
        } else if (pattern[1] == '-' && pattern + 2 < last) {
            pattern += 2;
            if ((unsigned char)pattern[-2] <= byte && byte <= (unsigned char)*pattern)
                return found;
        } else if ((unsigned char)*pattern == byte) {
            return found;
        }
    }
    return !found;
}

static bool single_matches(const struct pattern_state *state, const char *at, const char *pattern, const char *end) {
    if (at >= state->source_end)
        return false;
    unsigned char byte = (unsigned char)*at;
    switch (*pattern) {
    case '.': return true;
    case ESCAPE: return in_class(byte, (unsigned char)pattern[1]);
    case '[': return in_set(byte, pattern, end - 1);
    default: return (unsigned char)*pattern == byte;
    }
}

static const char *match_balance(struct pattern_state *state, const char *at, const char *pattern) {
    if (pattern + 1 >= state->pattern_end)
        return give_up(state, "malformed pattern (missing arguments to '%b')");
    if (at >= state->source_end || *at != *pattern)
        return NULL;
    char begin = pattern[0], end = pattern[1];
    for (int depth = 1; ++at < state->source_end;) {
        if (!step(state))
            return NULL;
        if (*at == end) {
            if (--depth == 0)
                return at + 1;
        } else if (*at == begin) {
            depth++;
        }
    }
    return NULL;
}

static const char *match_most(struct pattern_state *state, const char *at, const char *pattern, const char *end) {
    ptrdiff_t count = 0;
    while (single_matches(state, at + count, pattern, end)) {
        if (!step(state))
            return NULL;
        count++;
    }
    for (; count >= 0; count--) {
        const char *result = match_here(state, at + count, end + 1);
        if (result || state->error)
            return result;
    }
    return NULL;
}

static const char *match_least(struct pattern_state *state, const char *at, const char *pattern, const char *end) {
    for (;;) {
        const char *result = match_here(state, at, end + 1);
        if (result || state->error)
            return result;
        if (!single_matches(state, at, pattern, end))
            return NULL;
        at++;
    }
}

static const char *open_capture(struct pattern_state *state, const char *at, const char *pattern, ptrdiff_t kind) {
    if (state->level >= PATTERN_CAPTURES)
        return give_up(state, "too many captures");
    state->captures[state->level].start = at;
    state->captures[state->level].length = kind;
    state->level++;
    const char *result = match_here(state, at, pattern);
    if (!result)
        state->level--;
    return result;
}

static const char *close_capture(struct pattern_state *state, const char *at, const char *pattern) {
    int level = state->level - 1;
    while (level >= 0 && state->captures[level].length != PATTERN_OPEN)
        level--;
    if (level < 0)
        return give_up(state, "invalid pattern capture");
    state->captures[level].length = at - state->captures[level].start;
    const char *result = match_here(state, at, pattern);
    if (!result)
        state->captures[level].length = PATTERN_OPEN;
    return result;
}

static const char *match_back_reference(struct pattern_state *state, const char *at, char digit) {
    int level = digit - '1';
    if (level < 0 || level >= state->level || state->captures[level].length == PATTERN_OPEN)
        return give_up(state, "invalid capture index in the pattern");
    if (state->captures[level].length == PATTERN_POSITION)
        return NULL;
    size_t length = (size_t)state->captures[level].length;
    if ((size_t)(state->source_end - at) < length)
        return NULL;
    uint64_t cost = length / 16;
    state->steps -= cost < state->steps ? cost : state->steps;
    return memcmp(state->captures[level].start, at, length) ? NULL : at + length;
}

/* Stands a set's border here: its first byte in the set, the one before (or the text's start) not? */
static bool at_frontier(const struct pattern_state *state, const char *at, const char *pattern, const char *end) {
    unsigned char before = at == state->source ? '\0' : (unsigned char)at[-1];
    unsigned char here = at < state->source_end ? (unsigned char)*at : '\0';
    return !in_set(before, pattern, end - 1) && in_set(here, pattern, end - 1);
}

enum special { SPECIAL_NONE, SPECIAL_MATCHED, SPECIAL_FAILED };

/* The items that begin with "%" and are no class: at and pattern move on over one that matches. */
static enum special match_special(struct pattern_state *state, const char **at, const char **pattern) {
    char kind = *pattern + 1 < state->pattern_end ? (*pattern)[1] : '\0';
    const char *next = *at, *following = *pattern + 2;
    if (kind == 'b') {
        next = match_balance(state, *at, *pattern + 2);
        following = *pattern + 4;
    } else if (kind == 'f') {
        const char *set = *pattern + 2;
        if (set >= state->pattern_end || *set != '[') {
            give_up(state, "missing '[' after '%f' in the pattern");
            return SPECIAL_FAILED;
        }
        following = class_end(state, set);
        if (!following || !at_frontier(state, *at, set, following))
            return SPECIAL_FAILED;
    } else if (isdigit((unsigned char)kind)) {
        next = match_back_reference(state, *at, kind);
    } else {
        return SPECIAL_NONE;
    }
    if (!next)
        return SPECIAL_FAILED;
    *at = next;
    *pattern = following;
    return SPECIAL_MATCHED;
}

static const char *match_items(struct pattern_state *state, const char *at, const char *pattern) {
    while (pattern < state->pattern_end) {
        if (!step(state))
            return NULL;
        if (*pattern == '(') {
            if (pattern + 1 < state->pattern_end && pattern[1] == ')')
                return open_capture(state, at, pattern + 2, PATTERN_POSITION);
            return open_capture(state, at, pattern + 1, PATTERN_OPEN);
        }
        if (*pattern == ')')
            return close_capture(state, at, pattern + 1);
        if (*pattern == '$' && pattern + 1 == state->pattern_end)
            return at == state->source_end ? at : NULL;
        if (*pattern == ESCAPE) {
            enum special special = match_special(state, &at, &pattern);
            if (special == SPECIAL_FAILED)
                return NULL;
            if (special == SPECIAL_MATCHED)
                continue;
        }
        const char *end = class_end(state, pattern);
        if (!end)
            return NULL;
        char suffix = end < state->pattern_end ? *end : '\0';
        bool matches = single_matches(state, at, pattern, end);
        switch (suffix) {
        case '?':
            if (matches) {
                const char *result = match_here(state, at + 1, end + 1);
                if (result || state->error)
                    return result;
            }
            pattern = end + 1;
            continue;
        case '+': return matches ? match_most(state, at + 1, pattern, end) : NULL;
        case '*': return match_most(state, at, pattern, end);
        case '-': return match_least(state, at, pattern, end);
        default:
            if (!matches)
                return NULL;
            at++;
            pattern = end;
        }
    }
    return at;
}

static const char *match_here(struct pattern_state *state, const char *at, const char *pattern) {
    if (state->depth >= PATTERN_DEPTH)
        return give_up(state, "pattern too complex");
    state->depth++;
    const char *result = match_items(state, at, pattern);
    state->depth--;
    return result;
}

const char *pattern_match(struct pattern_state *state, const char *at) {
    state->level = 0;
    return match_here(state, at, state->pattern);
}
