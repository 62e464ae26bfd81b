/* For tests of sandbox and runner together: programs tried in sandboxes, results told in TAP. */
#ifndef SUBMITTER_TEST_TRIAL_H
#define SUBMITTER_TEST_TRIAL_H

#include "driver.h"

/* What the sandboxes are started with. */
extern char trial_interpreter[256];
extern const char *trial_accounting;

/* Takes the command line's --accounting (default: cgroup) and finds the newest /usr/bin/python3. False, with a failed test, when
   there is none or something else was given. For "container" it makes a control group with 256 MiB, in which each sandbox is
   started as if it were a container's; false, with a skipped test, where none can be made. */
bool trial_options(int count, char **words);
/* Is memory bounded as a whole, by a group or by looking at it? */
bool trial_bounds_memory(void);
/* Removes what trial_options made, and tells that nothing is left. */
void trial_end(void);
/* A sandbox with this program; remarks why it can't be. */
bool trial_start(struct driver *driver, const char *source);
/* Remarks how a case ended. */
void trial_tell(const struct driver *driver, const struct driver_outcome *outcome);
/* A case of a sandbox of its own, without arguments and input, that is to end in a certain way, and once more
   so in the same sandbox. Gives the first outcome. */
struct driver_outcome trial_once(const char *name, const char *source, const struct protocol_limits *limits,
                                 enum protocol_ending ending);
/* The same, and everything must have gone well and this be printed. */
void trial_prints(const char *name, const char *source, const char *expected);
/* Control groups within a folder, to a depth: of the sandbox with this process number, or, for 0, of all
   sandboxes that this test started. Others may run on the same machine. */
int trial_count_groups(const char *folder, int depth, pid_t only);
/* Processes below this one, at any depth. */
int trial_count_descendants(pid_t ancestor);

#endif
