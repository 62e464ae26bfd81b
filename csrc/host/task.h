/* The scheduler: one coroutine a task, and the only place where coroutines are resumed, yielded, cancelled or timed out.
 *
 * How a waiting primitive is written (in bind/):
 *
 *     struct nap { struct operation operation; … };              // operation first
 *     static const struct operation_class nap_class = { "sleep", nap_cancel, nap_push, nap_free };
 *
 *     static int sleep_ms(lua_State *L) {
 *         struct nap *nap = task_operation(L, sizeof *nap, &nap_class);   // throws where nothing may wait
 *         … fill it; Lua values that it points to stay on this function's stack …
 *         task_begin(&nap->operation);                            // from here on the work holds it, too
 *         … start the work, whose callback calls task_complete(&nap->operation) exactly once …
 *         return task_wait(L, &nap->operation);
 *     }
 *
 * Rules that this file keeps:
 * - A completion is delivered only to the wait that it belongs to: each wait raises the task's generation, an operation
 *   remembers the generation it was begun in, and a completion of another is refused.
 * - Callbacks of the loop only queue completions; Lua runs when the queue is drained, never inside a callback.
 * - Cancellation and deadlines are errors thrown where the task waits, each delivered once, so that clean-up code may
 *   wait again. An operation that can be interrupted (it has a cancel function) is; one that can't is finished, its result
 *   is delivered, and the error is thrown at the next wait: no result is ever lost. */
#ifndef SUBMITTER_HOST_TASK_H
#define SUBMITTER_HOST_TASK_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task;
struct operation;

struct operation_class {
    const char *name;
    /* Makes the work end early; task_complete follows, at once or from a callback. NULL: it can't be interrupted. */
    void (*cancel)(struct operation *operation);
    /* Pushes the results for the task, returns their number. May throw. Not called for a cancelled wait. */
    int (*push)(struct operation *operation, lua_State *L);
    /* Gives back what the operation holds, not the operation itself: called once, as soon as its wait is over and not only
     * when the collector comes round, so that descriptors don't pile up. May be NULL. */
    void (*free)(struct operation *operation);
};

struct operation {
    const struct operation_class *class;
    struct task *task;
    uint64_t generation;
    struct operation *next; /* in the queue of completions */
    unsigned holders;       /* the Lua side, the work */
    bool completed;         /* task_complete was called */
    bool interrupted;       /* its wait ends by an error, not by its results */
    bool finished;          /* its class's free function was called */
};

/* Makes an operation of size bytes, zeroed, held by a userdata that is pushed. Throws where the task can't wait (no
 * task, a coroutine of the script's own, a C call that can't yield) and where a cancellation is due. */
void *task_operation(lua_State *L, size_t size, const struct operation_class *class);

/* The work holds the operation from now on, until task_complete. */
void task_begin(struct operation *operation);

/* The work is done: called once for each task_begin, on the loop's thread. */
void task_complete(struct operation *operation);

/* To be returned by the C function: yields, and returns what push pushed. */
int task_wait(lua_State *L, struct operation *operation);

/* For an operation whose work could not be started after task_begin: takes the hold back, and what it holds is freed. */
void task_withdraw(struct operation *operation);

/* Pushes nil, message, code for a positive errno; context is put before the message ("reading \"x\""). Returns 3. */
int task_push_errno(lua_State *L, int number, const char *context);

/* Starts a task: takes the function and the arguments above it from the top of L's stack. It runs when the loop comes to it. */
void task_start(lua_State *L, const char *name, int argument_count);

/* The state of the process, for who starts tasks from a callback of the loop. */
lua_State *task_main_state(void);

/* Runs the function on top of the stack, with count arguments above it, as the task "main" until it ended; then cancels the
 * others and waits for the work under way. Returns LUA_OK, or an error status with the error (a string with traceback) on
 * the stack. Tasks that others spawn run meanwhile. */
int task_main(lua_State *L, int argument_count);

/* Is this the coroutine of a task? Only the scheduler may resume or close it. */
bool task_owns(lua_State *thread);

/* Waits for the work that the pool has, delivering nothing. For the end of the process. */
void task_settle(void);

/* The Lua module submitter.core.task, without what bind/event.c and bind/signal.c add. */
int task_open(lua_State *L);

#endif
