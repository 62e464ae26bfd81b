/* For fuzz targets: an input read as a script, whose bytes one after the other decide what happens next. Frames of the
 * protocol are made from it as their sender would, so that a fuzzer gets past lengths and headers into the phases behind
 * them; raw bytes and long runs of one byte come between them. After the script's end all bytes are 0. */
#ifndef SUBMITTER_TEST_SCRIPT_H
#define SUBMITTER_TEST_SCRIPT_H

#include "../protocol/protocol.h"

struct script {
    const uint8_t *data;
    size_t left;
};

/* The next byte; the next two, the first being the lower one. */
uint8_t script_byte(struct script *script);
uint16_t script_word(struct script *script);

/* A length in one byte, and as many of that many bytes as there are. */
struct protocol_bytes script_bytes(struct script *script);

/* The same as text, without what follows a NUL; holds until the call after the next. */
const char *script_text(struct script *script);

/* Limits within the protocol's bounds; small and large ones. */
struct protocol_limits script_limits(struct script *script);

/* Appends what one side says next. What the writer refuses is left out. */
void script_runner(struct script *script, struct protocol_writer *stream);
void script_host(struct script *script, struct protocol_writer *stream);

#endif
