/* Any bytes, in any pieces, from either side: no crash, no allocation beyond a frame, lists that can be
   walked. The first byte chooses the side, the second the size of the pieces. */
#include "../protocol/protocol.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

static void touch(struct protocol_bytes bytes) {
    for (size_t i = 0; i < bytes.length; i++) {
        sink += bytes.data[i];
    }
}

static void walk(struct protocol_list list) {
    struct protocol_bytes item;
    uint32_t count = list.count, walked = 0;
    while (protocol_list_next(&list, &item)) {
        touch(item);
        walked++;
    }
    if (walked != count) {
        abort();
    }
}

static void look(const struct protocol_message *message) {
    switch (message->type) {
    case PROTOCOL_HELLO: touch(message->hello.interpreter_version); break;
    case PROTOCOL_OUTPUT: touch(message->output.bytes); break;
    case PROTOCOL_FAILURE: touch(message->failure.code), touch(message->failure.message); break;
    case PROTOCOL_FILE: touch(message->file.name), touch(message->file.bytes); break;
    case PROTOCOL_SUBMISSION: touch(message->submission.program), walk(message->submission.environment); break;
    case PROTOCOL_STDIN: touch(message->stdin_piece); break;
    case PROTOCOL_CASE: walk(message->test.arguments); break;
    default: break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct protocol_reader reader;
    struct protocol_message message;
    if (size < 2) {
        return 0;
    }
    size_t step = (size_t)data[1] + 1;
    protocol_reader_start(&reader, data[0] & 1 ? PROTOCOL_FROM_HOST : PROTOCOL_FROM_RUNNER);
    data += 2;
    size -= 2;
    while (size > 0) {
        size_t room, piece = size < step ? size : step;
        uint8_t *place = protocol_reader_room(&reader, &room);
        if (!place) {
            break;
        }
        piece = piece < room ? piece : room;
        memcpy(place, data, piece);
        protocol_reader_filled(&reader, piece);
        data += piece;
        size -= piece;
        while (protocol_reader_next(&reader, &message) == PROTOCOL_MESSAGE) {
            look(&message);
        }
        if (reader.capacity > (size_t)PROTOCOL_FRAME_BYTES + 256 * 1024) {
            abort();
        }
    }
    protocol_reader_end(&reader);
    return 0;
}
