#include "report.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void (*failure_hook)(void);

void report_on_failure(void (*take_down)(void)) {
    failure_hook = take_down;
}

/* How long a reader of standard error who is behind is waited for: the line is worth less than ending in time. */
enum { READER_MS = 100 };

/* One write, so that lines of the outer and the inner process never mix. What can't be written is lost: there
   is nobody left to tell. */
static void write_line(const char *wall, const char *remedy, const char *format, va_list arguments) {
    char line[1024];
    size_t room = sizeof line - 1;
    int length = snprintf(line, room, "submitter-sandbox: %s%s", wall ? wall : "", wall ? ": " : "");
    int more = vsnprintf(line + length, room - (size_t)length, format, arguments);
    size_t used = (size_t)length + (more < 0 ? 0 : (size_t)more);
    used = used < room ? used : room - 1;
    if (remedy) {
        more = snprintf(line + used, room - used, "; %s", remedy);
        used += more < 0 ? 0 : (size_t)more;
        used = used < room ? used : room - 1;
    }
    for (size_t i = 0; i < used; i++) {
        if (line[i] == '\n') {
            line[i] = ' ';
        }
    }
    line[used++] = '\n';
    struct pollfd place = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (poll(&place, 1, READER_MS) == 0) {
        return;
    }
    ssize_t written = write(STDERR_FILENO, line, used);
    (void)written;
}

static _Noreturn void end(int exit_code) {
    void (*hook)(void) = failure_hook;
    failure_hook = NULL;
    if (hook) {
        hook();
    }
    _exit(exit_code);
}

void report_wall(const char *wall, const char *remedy, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(wall, remedy, format, arguments);
    va_end(arguments);
    end(REPORT_ENVIRONMENT);
}

void report_usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(NULL, "submitter-sandbox --help lists what it takes", format, arguments);
    va_end(arguments);
    end(REPORT_USAGE);
}

void report_line(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(NULL, NULL, format, arguments);
    va_end(arguments);
}
