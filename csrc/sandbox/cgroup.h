/*
 * Control groups: what bounds and measures a case as a whole, whatever it forks. One group
 * "submitter-<pid>-<random>" a sandbox, below the group given or the one this process is in, in each
 * hierarchy that is needed. In it is `runner`, and
 *   v1: `case`, which the runner's launcher enters once, so that what it forks is born there;
 *   v2: one a case, made by the runner, to which the group is delegated.
 * The runner sees no file system of cgroups: it gets descriptors.
 *
 * Within a container no group can be made. There, if asked to (accounting=container), none is: the runner gets the
 * counters of the container itself, to read.
 */
#ifndef SUBMITTER_SANDBOX_CGROUP_H
#define SUBMITTER_SANDBOX_CGROUP_H

#include "handover.h"
#include "spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CGROUP_NAME_BYTES = 64, CGROUP_HIERARCHIES = 4, CGROUP_PATH_BYTES = 4096, CGROUP_COUNTERS = 12 };

/* How cases are bounded and measured. */
enum cgroup_form {
    CGROUP_NONE, /* by rlimits */
    CGROUP_V1,
    CGROUP_V2,
    CGROUP_CONTAINER_V1, /* by the counters of the group that this process is in; it is not ours */
    CGROUP_CONTAINER_V2,
};

/* A share of processors is the case's alone, so that whoever is to end it in time never waits for his turn. It is given anew so
   often. */
enum { CGROUP_PERIOD_US = 50000 };

/* Processes of the runner's own: itself, its launcher, whoever signals for it. */
enum { CGROUP_RUNNER_PROCESSES = 16 };

struct cgroup_place {
    char mount[CGROUP_PATH_BYTES];  /* where the hierarchy is mounted */
    char parent[CGROUP_PATH_BYTES]; /* the group that ours is made in */
    int group;                      /* ours, opened and locked; -1 before it is made */
    bool borrowed;                  /* another controller's hierarchy, mounted together with it, or not needed */
    bool uppermost;                 /* the parent is the uppermost group that this process's namespace shows */
};

/* A file of the container's group, opened to be read. */
struct cgroup_counter {
    const char *name; /* by which the runner knows it */
    int descriptor;
};

struct cgroup {
    enum cgroup_form form;
    char name[CGROUP_NAME_BYTES];
    struct cgroup_place places[CGROUP_HIERARCHIES];  /* v1: memory, pids, cpuacct, cpu if needed; v2: the first alone */
    int cpu;                                         /* a file that tells the CPU time of all cases; -1 for none */
    int clone_target;                                /* the group into which the inner process is cloned; -1 for none */
    uint64_t processors_percent;                     /* the case's share of processors; 0: all there are */
    struct cgroup_counter counters[CGROUP_COUNTERS]; /* in a container */
    size_t counter_count;
    uint64_t runner_bytes;         /* what the runner may have of memory, the submission's files included */
    int enter[CGROUP_HIERARCHIES]; /* in the student's role: by which a process enters the case */
};

/* Finds the hierarchies, removes what dead sandboxes left, makes our group. Refuses when there is nothing to
   use. In a container it finds the counters only. */
void cgroup_make(struct cgroup *cgroup, const struct spec *spec);
/* The form in the word by which the runner is told of it. */
const char *cgroup_accounting(const struct cgroup *cgroup);
/* Gives the group to the user who is the runner outside (v2). */
void cgroup_delegate(struct cgroup *cgroup, uid_t user, gid_t group);
/* Adds what the runner needs, by name. */
void cgroup_hand_over(struct cgroup *cgroup, struct handover *handover);
/* Adds what only the inner process can make, of what it sees of the host's before it has a root of its own. */
void cgroup_hand_over_within(const struct cgroup *cgroup, struct handover *handover);
/* Moves the inner process in, in two steps: around it the process makes its cgroup namespace. */
void cgroup_enter(struct cgroup *cgroup, pid_t process);
void cgroup_settle(struct cgroup *cgroup, pid_t process);
/* In the student's role: moves the calling process to where the case is. Its limits stand since cgroup_make.
   */
void cgroup_enter_case(const struct cgroup *cgroup);
/* CPU time of the cases so far, microseconds; false where there is no cgroup to tell it. */
bool cgroup_cpu_us(const struct cgroup *cgroup, uint64_t *cpu_us);
/* Was a process of the cases killed because memory ran out? */
bool cgroup_out_of_memory(const struct cgroup *cgroup);
/* Removes our groups, waiting for the last tasks within to be gone. */
void cgroup_remove(struct cgroup *cgroup);

/* ---- cgroup_find.c ---- */

/* The group that this process is in, or the one given, in the hierarchy of a v1 controller, or of v2 for "". False where that can't be
   seen. */
bool cgroup_find_place(struct cgroup_place *place, const char *controller, const char *given);
/* The places in which ours are to be made, with the controller for a share of processors or without. */
bool cgroup_find_v1(struct cgroup *cgroup, const char *given, bool processors);
bool cgroup_find_v2(struct cgroup *cgroup, const char *given, bool processors);

/* ---- cgroup_container.c ---- */

/* Finds and opens the container's counters; refuses where there are none. */
void cgroup_container_find(struct cgroup *cgroup);

/* ---- shared by cgroup_v1.c, cgroup_v2.c and cgroup_container.c ---- */

/* What a form does its own way. */
struct cgroup_kind {
    void (*make)(struct cgroup *cgroup, const struct spec *spec); /* NULL in a container, where nothing is made */
    void (*delegate)(struct cgroup *cgroup, uid_t user, gid_t group);
    void (*hand_over)(struct cgroup *cgroup, struct handover *handover);
    void (*hand_over_within)(const struct cgroup *cgroup, struct handover *handover);
    void (*enter)(struct cgroup *cgroup, pid_t process);
    void (*settle)(struct cgroup *cgroup, pid_t process);
    bool (*cpu_us)(const struct cgroup *cgroup, uint64_t *cpu_us);
    bool (*out_of_memory)(const struct cgroup *cgroup);
};
extern const struct cgroup_kind cgroup_kind_v1, cgroup_kind_v2, cgroup_kind_container;

/* Refuses, naming the alternative and its cost. */
_Noreturn void cgroup_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Opens a file of a group; refuses if it can't be. */
int cgroup_open(int group, const char *file, int flags);
/* Writes a value to a file of a group; refuses if it can't be. */
void cgroup_write(int group, const char *file, const char *value);
void cgroup_write_number(int group, const char *file, uint64_t value);
/* Gives a group so many hundredths of a processor; `value` is how its version says that. Refuses if it can't be. */
void cgroup_write_share(int group, const char *file, const char *value);
/* What a v2 group is told to hand its controllers down, with that for a share of processors or without. */
const char *cgroup_controllers(bool processors);
/* Is there swap on this machine? */
bool cgroup_swap_in_use(void);
/* Makes a group within a group, opened. */
int cgroup_make_leaf(int group, const char *name);
/* The number that stands after a word in a file of lines "word number"; with an empty word, the file's only
   number. */
bool cgroup_number(int group, const char *file, const char *word, uint64_t *value);

#endif
