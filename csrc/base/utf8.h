/* UTF-8 as Unicode 15 chapter 3.9 defines it (table 3-7: no surrogates, no overlong forms, at most U+10FFFF). */
#ifndef SUBMITTER_BASE_UTF8_H
#define SUBMITTER_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Looks at the bytes from text up to end (text < end). A valid character: true, its length and code point. Otherwise false
 * and the length of the maximal invalid part (1 to 3), which is to be replaced by one U+FFFD ("substitution of maximal
 * subparts", the same chapter). */
bool utf8_next(const unsigned char *text, const unsigned char *end, size_t *length, uint32_t *code_point);

#endif
