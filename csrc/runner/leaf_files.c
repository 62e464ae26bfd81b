#include "leaf_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t leaf_read_text(int descriptor, char *text, size_t size) {
    ssize_t length = pread(descriptor, text, size - 1, 0);
    text[length > 0 ? length : 0] = 0;
    return length;
}

bool leaf_read_number(int descriptor, uint64_t *value) {
    char text[32], *end;
    if (leaf_read_text(descriptor, text, sizeof text) <= 0) {
        return false;
    }
    *value = strtoull(text, &end, 10);
    return end != text;
}

static bool find_number(const char *text, const char *word, uint64_t *value) {
    size_t length = strlen(word);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, word, length) == 0 && line[length] == ' ') {
            *value = strtoull(line + length, NULL, 10);
            return true;
        }
    }
    return false;
}

bool leaf_read_word(int descriptor, const char *word, uint64_t *value) {
    char text[8192];
    return leaf_read_text(descriptor, text, sizeof text) > 0 && find_number(text, word, value);
}

/* The lists of files that the kernel may take back hold memory of processes as well, which they said they don't need any more
   (MADV_FREE) and may have filled again since. By what pages are it isn't page cache, so that measure bounds the other; memory file
   systems and swap, which are in it, are never in those lists. */
static void bound_by_kind(const char *text, uint64_t *bytes) {
    uint64_t pages, shared, swapped = 0;
    /* Version 2's word, and version 1's. */
    if (!(find_number(text, "file", &pages) || find_number(text, "cache", &pages)) ||
        !find_number(text, "shmem", &shared)) {
        return;
    }
    find_number(text, "swapcached", &swapped);
    uint64_t most = leaf_less(pages, shared + swapped);
    *bytes = most < *bytes ? most : *bytes;
}

bool leaf_read_page_cache(int descriptor, uint64_t *bytes) {
    char text[8192];
    uint64_t active, inactive;
    if (leaf_read_text(descriptor, text, sizeof text) <= 0 || !find_number(text, "active_file", &active) ||
        !find_number(text, "inactive_file", &inactive)) {
        return false;
    }
    *bytes = active + inactive;
    bound_by_kind(text, bytes);
    return true;
}

bool leaf_write_number(int descriptor, uint64_t value) {
    char text[32];
    int length = snprintf(text, sizeof text, "%" PRIu64, value);
    return pwrite(descriptor, text, (size_t)length, 0) == length;
}

uint64_t leaf_less(uint64_t value, uint64_t part) {
    return value > part ? value - part : 0;
}
