/* Results of tests in the Test Anything Protocol. */
#ifndef SUBMITTER_TEST_TAP_H
#define SUBMITTER_TEST_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* Weak, so that all files of a test count together. */
__attribute__((weak)) int tap_number, tap_failures;

/* One result; gives back whether it held. */
__attribute__((format(printf, 2, 3), unused)) static bool tap_ok(bool holds, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("%sok %d - ", holds ? "" : "not ", ++tap_number);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    fflush(stdout);
    tap_failures += !holds;
    return holds;
}

/* A remark. */
__attribute__((format(printf, 1, 2), unused)) static void tap_note(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("# ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    fflush(stdout);
}

/* The plan; the exit code of the test. */
__attribute__((unused)) static int tap_done(void) {
    printf("1..%d\n", tap_number);
    return tap_failures ? 1 : 0;
}

#endif
