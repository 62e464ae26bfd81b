/* Files of control groups: read from their beginning each time, numbers taken out of them. */
#ifndef SUBMITTER_RUNNER_LEAF_FILES_H
#define SUBMITTER_RUNNER_LEAF_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The whole text, with a NUL, as far as there is room; its length, or -1. */
ssize_t leaf_read_text(int descriptor, char *text, size_t size);
/* A file that is one number. False if it isn't, "max" for one. */
bool leaf_read_number(int descriptor, uint64_t *value);
/* The number after a word, in a file of lines of "word number". */
bool leaf_read_word(int descriptor, const char *word, uint64_t *value);
/* Page cache of files, in a memory.stat: what was charged to the group because somebody in it was the first to touch
   a file. It isn't the student's, and the kernel gives it up before anything else. Memory file systems aren't among it. */
bool leaf_read_page_cache(int descriptor, uint64_t *bytes);
bool leaf_write_number(int descriptor, uint64_t value);
/* Without `part`, but never below nothing. */
uint64_t leaf_less(uint64_t value, uint64_t part);

#endif
