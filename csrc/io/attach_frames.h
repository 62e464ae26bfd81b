/* What a container engine answers when it is asked for a container's streams, from the bytes as they come: the head of an HTTP
 * answer (RFC 9112), then either a refusal's body or the container's output, multiplexed (Docker Engine API, "Attach to a
 * container", "Stream format"; Podman's compatible service does the same). Pure. */
#ifndef SUBMITTER_IO_ATTACH_FRAMES_H
#define SUBMITTER_IO_ATTACH_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buffer.h"
#include "http_fields.h"
#include "transport.h"

enum {
    ATTACH_HEAD_BYTES = 16 << 10,   /* of all heads together, the last and those of status 1xx before it */
    ATTACH_REFUSAL_BYTES = 8 << 10, /* kept of a refusal's body */
    ATTACH_REASON_BYTES = 512,      /* of the words found in one, with the NUL at the end */
    ATTACH_FRAME_HEADER_BYTES = 8
};

enum attach_step { ATTACH_MORE, ATTACH_READY, ATTACH_BROKEN };

/* ---- the head ---- */

struct attach_head {
    struct buffer line; /* so far */
    struct http_fields fields;
    size_t taken_bytes;
    int status;         /* once a status line came */
    const char *broken; /* what is wrong, when it is */
};

/* Takes bytes until the head is whole (those behind it are left) or broken; moves *data and *length on. Heads of status 1xx but
 * 101 are passed over. Nothing may be taken after ATTACH_READY and ATTACH_BROKEN. */
enum attach_step attach_head_take(struct attach_head *head, const char **data, size_t *length);

/* Is what follows the container's streams? 101 (Switching Protocols), or 200 without a body's length: engines answer so to
 * who doesn't ask to upgrade, and some to who does. */
bool attach_head_opens(const struct attach_head *head);

/* The length of the body, when the head tells one; -1 when it doesn't. */
int64_t attach_head_body_bytes(const struct attach_head *head);

void attach_head_clear(struct attach_head *head);

/* ---- a refusal ---- */

/* The engine's reason in what came of a refusal's body: the "message" of a JSON object, or the text itself. Control characters
 * become spaces. False, and reason is untouched, when it isn't whole yet (finished tells that no more comes) or empty. */
bool attach_refusal_reason(const char *body, size_t length, bool finished, char reason[ATTACH_REASON_BYTES]);

/* ---- the frames ---- */

struct attach_frames {
    unsigned char header[ATTACH_FRAME_HEADER_BYTES];
    unsigned header_length;
    uint32_t left; /* of the frame's payload */
    const char *broken;
};

struct attach_piece {
    enum transport_stream stream;
    const char *data;
    size_t length; /* 1 or more */
};

/* The next piece of a payload, a view into data; *data and *length are moved on. ATTACH_MORE: all was taken, and piece is
 * untouched. A frame's payload may be of any length and comes in as many pieces as it was cut into: nothing is kept of it. */
enum attach_step attach_frames_next(struct attach_frames *frames, const char **data, size_t *length,
                                    struct attach_piece *piece);

/* Is nothing begun that isn't whole? */
bool attach_frames_whole(const struct attach_frames *frames);

#endif
