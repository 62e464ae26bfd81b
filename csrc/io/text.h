/* Pure functions on bytes: words, UTF-8, CSV, comparison. Nothing here waits or allocates but into the buffer given. */
#ifndef SUBMITTER_IO_TEXT_H
#define SUBMITTER_IO_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/buffer.h"

/* Word splitting as the POSIX shell does it (Shell Command Language 2.2 quoting, 2.3 token recognition), without expansion,
 * operators, comments or reserved words. */
enum text_words_status { TEXT_WORDS_OK, TEXT_WORDS_QUOTE, TEXT_WORDS_NUL, TEXT_WORDS_MEMORY };

/* Splits line into words: each is appended to words, followed by one NUL byte (a word can't hold one), and counted. When a
 * quote is not ended, *position is where it began; for a NUL, where it stands (from 0). */
enum text_words_status text_words(const char *line, size_t length, struct buffer *words, size_t *count,
                                  size_t *position);

/* Appends the bytes as valid UTF-8, each maximal invalid part as U+FFFD. Returns how many there were. */
size_t text_repair(const char *bytes, size_t length, struct buffer *repaired);

/* Appends a CSV field (RFC 4180), quoted where it must be. */
void text_csv_field(const char *field, size_t length, struct buffer *row);

/* White space: space, \t, \n, \v, \f, \r. Narrows a span from its start or its end. */
void text_trim_start(const char **bytes, size_t *length);
void text_trim_end(const char *bytes, size_t *length);

/* The same bytes, without white space at the end of actual and around expected? */
bool text_equal_trimmed(const char *actual, size_t actual_length, const char *expected, size_t expected_length);

/* Columns that a terminal needs for the text; what wcwidth doesn't know counts 1. */
size_t text_width(const char *bytes, size_t length);

#endif
