#include "fault.h"

#include <stdarg.h>
#include <stdio.h>

static void fill(struct fault *fault, bool fatal, const char *code, const char *format, va_list arguments) {
    fault->fatal = fatal;
    snprintf(fault->code, sizeof fault->code, "%s", code);
    vsnprintf(fault->message, sizeof fault->message, format, arguments);
}

bool fault_fatal(struct fault *fault, const char *code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fill(fault, true, code, format, arguments);
    va_end(arguments);
    return false;
}

bool fault_case(struct fault *fault, const char *code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fill(fault, false, code, format, arguments);
    va_end(arguments);
    return false;
}
