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

/* Any bytes as the name of a test, which must be one line of printable ones; holds until the next call. */
__attribute__((unused)) static const char *tap_plain(const char *text, size_t length) {
    static char name[96];
    size_t kept = length < sizeof name - 1 ? length : sizeof name - 1;
    for (size_t index = 0; index < kept; index++)
        name[index] = text[index] >= ' ' && text[index] <= '~' ? text[index] : '.';
    name[kept] = '\0';
    return name;
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

/* A test that can't be made here, and why. */
__attribute__((format(printf, 1, 2), unused)) static void tap_skip(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("ok %d - # SKIP ", ++tap_number);
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
