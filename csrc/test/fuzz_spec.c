/* Any text as a specification: taken or refused with a message, never anything else. */
#include "../sandbox/spec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct spec spec;
    char message[SPEC_MESSAGE_BYTES] = "";
    if (size > SPEC_BYTES) {
        return 0;
    }
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    if (size > 0) {
        memcpy(text, data, size);
    }
    spec_start(&spec);
    bool taken = spec_parse(&spec, text, size, message);
    if (taken == (message[0] != 0) || (taken && (!spec.program || spec.program[0] != '/'))) {
        abort();
    }
    free(text);
    return 0;
}
