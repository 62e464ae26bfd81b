/* How submitter-sandbox says that it failed, and only that: what a program within did never goes through
   here. */
#ifndef SUBMITTER_SANDBOX_REPORT_H
#define SUBMITTER_SANDBOX_REPORT_H

/* Exit codes of the program. The program within has its own in between; these are told apart by the line on
   standard error, which begins "submitter-sandbox:" and is written by nobody else. */
enum report_exit {
    REPORT_DONE = 0,
    REPORT_USAGE = 2,
    REPORT_ENVIRONMENT = 3,
    REPORT_INTERNAL = 4,
    REPORT_LIMIT = 124,
};

/* Called once before a failure ends the process, to take down what was set up. */
void report_on_failure(void (*take_down)(void));

/* A wall can't be built: one line "submitter-sandbox: <wall>: <reason>; <remedy>", taking down, exit code 3.
   */
_Noreturn void report_wall(const char *wall, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The command line or the specification is wrong: one line, exit code 2. */
_Noreturn void report_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line, and on it goes. */
void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
