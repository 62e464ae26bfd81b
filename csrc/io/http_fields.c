#include "http_fields.h"

#include <string.h>

/* What a recipient may take for a space within a value (RFC 9110, section 5.5), so that none of it reaches the user. */
static bool is_space(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == '\0';
}

static void trim(const char **text, size_t *length) {
    while (*length && is_space((*text)[*length - 1]))
        (*length)--;
    while (*length && is_space(**text)) {
        (*text)++;
        (*length)--;
    }
}

static bool is_name(const char *name, size_t length) {
    for (size_t index = 0; index < length; index++)
        if ((unsigned char)name[index] <= ' ' || name[index] == 0x7f)
            return false;
    return length > 0;
}

static bool append_value(struct buffer *text, const char *value, size_t length) {
    size_t before = text->length;
    if (!buffer_append(text, value, length))
        return false;
    for (size_t index = before; index < text->length; index++)
        if (text->data[index] != '\t' && is_space(text->data[index]))
            text->data[index] = ' ';
    return buffer_append_byte(text, '\0');
}

static bool append_name(struct buffer *text, const char *name, size_t length) {
    size_t before = text->length;
    if (!buffer_append(text, name, length) || !buffer_append_byte(text, '\0'))
        return false;
    for (size_t index = before; index < before + length; index++)
        if (text->data[index] >= 'A' && text->data[index] <= 'Z')
            text->data[index] += 'a' - 'A';
    return true;
}

/* A value that goes on in the next line (RFC 9112, section 5.2): joined by one space. */
static bool continue_value(struct http_fields *fields, const char *line, size_t length) {
    trim(&line, &length);
    if (!fields->count || !length)
        return true;
    struct buffer *text = &fields->text;
    bool empty_so_far = !text->data[text->length - 2]; /* before the value's NUL, the name's */
    if (empty_so_far)
        text->length--;
    else
        text->data[text->length - 1] = ' ';
    return append_value(text, line, length);
}

static void begin(struct http_fields *fields) {
    fields->text.length = 0;
    fields->count = 0;
    fields->complete = false;
}

bool http_fields_take(struct http_fields *fields, const char *line, size_t length) {
    if (length > HTTP_FIELDS_LIMIT_BYTES - fields->taken_bytes)
        return false;
    bool begins = !fields->taken_bytes || fields->complete;
    fields->taken_bytes += length;
    if (fields->complete && fields->last)
        return true;
    while (length && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    if (begins && length >= 5 && !memcmp(line, "HTTP/", 5)) {
        begin(fields);
        return true;
    }
    if (!length)
        fields->complete = true;
    if (fields->complete)
        return true;
    if (is_space(*line))
        return continue_value(fields, line, length);
    const char *colon = memchr(line, ':', length);
    if (!colon)
        return true; /* no field; curl refuses the worst of them itself */
    const char *name = line, *value = colon + 1;
    size_t name_length = (size_t)(colon - line), value_length = length - name_length - 1;
    trim(&name, &name_length);
    trim(&value, &value_length);
    if (!is_name(name, name_length))
        return true;
    if (!append_name(&fields->text, name, name_length) || !append_value(&fields->text, value, value_length))
        return false;
    fields->count++;
    return true;
}

bool http_fields_next(const struct http_fields *fields, size_t *place, const char **name, const char **value,
                      size_t *value_length) {
    if (*place >= fields->text.length)
        return false;
    *name = fields->text.data + *place;
    *value = *name + strlen(*name) + 1;
    *value_length = strlen(*value);
    *place = (size_t)(*value + *value_length + 1 - fields->text.data);
    return true;
}

void http_fields_clear(struct http_fields *fields) {
    buffer_clear(&fields->text);
    *fields = (struct http_fields){ 0 };
}
