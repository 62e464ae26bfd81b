#include "utf8.h"

bool utf8_next(const unsigned char *text, const unsigned char *end, size_t *length, uint32_t *code_point) {
    unsigned char first = text[0];
    unsigned char lowest = 0x80, highest = 0xBF; /* bounds of the second byte */
    size_t following;

    *length = 1;
    if (first < 0x80) {
        *code_point = first;
        return true;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        following = 1;
        *code_point = first & 0x1F;
    } else if (first >= 0xE0 && first <= 0xEF) {
        following = 2;
        *code_point = first & 0x0F;
        if (first == 0xE0)
            lowest = 0xA0;
        if (first == 0xED)
            highest = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        following = 3;
        *code_point = first & 0x07;
        if (first == 0xF0)
            lowest = 0x90;
        if (first == 0xF4)
            highest = 0x8F;
    } else {
        return false;
    }
    for (size_t index = 1; index <= following; index++) {
        if (text + index >= end || text[index] < lowest || text[index] > highest)
            return false;
        *code_point = *code_point << 6 | (text[index] & 0x3F);
        *length = index + 1;
        lowest = 0x80;
        highest = 0xBF;
    }
    return true;
}
