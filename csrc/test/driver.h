/* For tests: a host in little, which starts submitter-sandbox with submitter-runner and speaks the protocol.
   */
#ifndef SUBMITTER_TEST_DRIVER_H
#define SUBMITTER_TEST_DRIVER_H

#include "../protocol/protocol.h"

#include <sys/types.h>

struct driver {
    pid_t process;
    int to, from;
    struct protocol_reader reader;
    const char *accounting;
    char interpreter[256];         /* "": the runner's own */
    char interpreter_version[128]; /* as HELLO had it */
    uint8_t told_accounting;       /* as HELLO had it, enum protocol_accounting */
    char last_failure[1200];
    bool last_fatal;
};

/* What sandboxes that are started from now on get of processors, in hundredths of one; 0: all there are. */
extern unsigned driver_processors_percent;
/* Lines of the specification besides, and what the process that becomes the sandbox does first; NULL for none. */
extern const char *driver_more_lines;
extern void (*driver_before)(void);
/* Where the sandbox's standard error goes; -1: where the test's does. */
extern int driver_errors;

struct driver_outcome {
    bool failed; /* a FAILURE came, or the stream ended: the driver's last_failure says what */
    struct protocol_result result;
    char *output, *errors; /* with a NUL at their end */
    size_t output_length, errors_length;
};

/* How much slower than an ordinary machine this one is: SUBMITTER_TEST_SLOWNESS, 1 unless set. An emulated machine is some
   ten times slower; what programs are given in time, and how late a verdict may be, is that much more there. */
unsigned driver_slowness(void);
/* Limits that fit most tests: 128 MiB, 2 s, 5 s (times the slowness), 1 MiB, 16 processes, 16 MiB. */
struct protocol_limits driver_limits(void);
/* Starts a sandbox and builds it for these limits; false, with last_failure, when that failed. */
bool driver_start(struct driver *driver, const char *accounting, const char *interpreter,
                  const struct protocol_limits *most);
/* Hands a program over as "program.py". */
bool driver_submit(struct driver *driver, const char *source);
/* Runs a case. arguments: NULL-terminated. */
struct driver_outcome driver_case(struct driver *driver, const struct protocol_limits *limits, const void *input,
                                  size_t input_length, const char *const *arguments);
void driver_outcome_end(struct driver_outcome *outcome);
/* Sends bytes as they are. */
bool driver_send(struct driver *driver, const void *bytes, size_t length);
/* Waits for the next message; false at the end of the stream. */
bool driver_next(struct driver *driver, struct protocol_message *message);
/* END, BYE; then waits for the sandbox to be gone. Its exit code, or -1 when it had to be killed. */
int driver_end(struct driver *driver);
/* Only waits for it to be gone, having closed the streams. */
int driver_wait(struct driver *driver);
/* Was a sandbox with this process number started by this driver? And noting one that somebody else started
   for us. */
bool driver_started(pid_t process);
void driver_note(pid_t process);
/* Milliseconds of a monotonic clock. */
double driver_now_ms(void);

#endif
