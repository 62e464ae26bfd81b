/* System calls by name: what the student may make, and what sandbox and runner need besides. Each list ends with NULL; names that an
   architecture doesn't have are passed over. */
#ifndef SUBMITTER_SANDBOX_RULES_LISTS_H
#define SUBMITTER_SANDBOX_RULES_LISTS_H

extern const char *const rules_allowed[];     /* the student's, whatever the arguments */
extern const char *const rules_conditional[]; /* with some */
extern const char *const rules_absent[];      /* answered as a kernel does that hasn't got them */
extern const char *const rules_unsupported[]; /* not in this file system */
extern const char *const rules_pretended[];   /* "done" */
extern const char *const rules_building[];

#endif
