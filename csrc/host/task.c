#include "task.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "../base/log.h"
#include "../io/loop.h"
#include "state.h"

#define TASK_TYPE "submitter.task"
#define OPERATION_TYPE "submitter.operation"
#define DEADLINE_TYPE "submitter.deadline"

enum task_state { TASK_READY, TASK_RUNNING, TASK_WAITING, TASK_ENDED };

struct task {
    lua_State *thread;
    int thread_reference; /* keeps the coroutine from the collector until it ended */
    enum task_state state;
    uint64_t generation;       /* one for each wait */
    struct operation *pending; /* what it waits for */
    char *name;
    char *cancel_reason;  /* a cancellation that was not delivered yet */
    char *cancel_message; /* the error that a cancellation threw */
    char *traceback;      /* of the error that ended it */
    int status;           /* how it ended */
    int result_count;     /* results (or the error) on its stack, until a join took them */
    int start_arguments;
    struct deadline *deadlines; /* innermost first */
    struct join *joins;         /* operations of those who wait for its end */
    bool joined;
    unsigned holders;             /* the scheduler, userdata, joins */
    struct task *next, *previous; /* all tasks that have not ended */
    struct task *next_ready;
};

struct deadline {
    struct timer *timer;
    struct task *task;
    struct deadline *outer;
    uint64_t serial; /* what its error bears: a pointer could be another one's by then */
    int64_t milliseconds;
    bool fired;  /* its error is due */
    bool thrown; /* and was thrown */
};

static struct {
    lua_State *L;
    struct task *tasks;
    struct task *current;
    struct task *ready_first, *ready_last;
    struct operation *completed_first, *completed_last;
    size_t task_count;
    uint64_t deadline_count;
} scheduler;

/* ---- lists and holders ---- */

static void task_release(struct task *task) {
    if (--task->holders)
        return;
    if (task->thread)
        luaL_unref(scheduler.L, LUA_REGISTRYINDEX, task->thread_reference);
    free(task->name);
    free(task->cancel_reason);
    free(task->cancel_message);
    free(task->traceback);
    free(task);
}

static void operation_finish(struct operation *operation) {
    if (operation->finished)
        return;
    operation->finished = true;
    if (operation->class->free)
        operation->class->free(operation);
}

static void operation_release(struct operation *operation) {
    if (--operation->holders)
        return;
    operation_finish(operation);
    free(operation);
}

static void ready_push(struct task *task) {
    task->next_ready = NULL;
    if (scheduler.ready_last)
        scheduler.ready_last->next_ready = task;
    else
        scheduler.ready_first = task;
    scheduler.ready_last = task;
}

static struct task *ready_pop(void) {
    struct task *task = scheduler.ready_first;
    if (task) {
        scheduler.ready_first = task->next_ready;
        if (!scheduler.ready_first)
            scheduler.ready_last = NULL;
    }
    return task;
}

static struct operation *completed_pop(void) {
    struct operation *operation = scheduler.completed_first;
    if (operation) {
        scheduler.completed_first = operation->next;
        if (!scheduler.completed_first)
            scheduler.completed_last = NULL;
    }
    return operation;
}

/* ---- operations ---- */

static int operation_collect(lua_State *L) {
    struct operation **box = lua_touserdata(L, 1);
    if (*box) {
        struct operation *operation = *box;
        *box = NULL;
        operation->task = NULL;
        operation_release(operation);
    }
    return 0;
}

/* Throws the error that is due, if one is: a cancellation before a deadline, an outer deadline before an inner one. */
static void throw_due(lua_State *L, struct task *task) {
    if (task->cancel_reason) {
        const char *message = lua_pushfstring(L, "task %s: cancelled: %s", task->name, task->cancel_reason);
        free(task->cancel_reason);
        task->cancel_reason = NULL;
        free(task->cancel_message);
        task->cancel_message = strdup(message);
        lua_error(L);
    }
    struct deadline *due = NULL;
    for (struct deadline *deadline = task->deadlines; deadline; deadline = deadline->outer)
        if (deadline->fired && !deadline->thrown)
            due = deadline;
    if (due) {
        due->thrown = true;
        uint64_t *token = lua_newuserdatauv(L, sizeof *token, 0);
        *token = due->serial;
        luaL_setmetatable(L, DEADLINE_TYPE);
        lua_error(L);
    }
}

void *task_operation(lua_State *L, size_t size, const struct operation_class *class) {
    struct task *task = scheduler.current;
    if (!task)
        luaL_error(L, "%s waits, and may be called in a task only", class->name);
    if (L != task->thread)
        luaL_error(L, "%s waits, and can't do so in a coroutine that the script made itself: use task.spawn",
                   class->name);
    if (!lua_isyieldable(L))
        luaL_error(L,
                   "%s waits, and can't do so inside require, or a callback of table.sort, string.gsub or a "
                   "metamethod: call it before",
                   class->name);
    throw_due(L, task);

    struct operation **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, OPERATION_TYPE);
    struct operation *operation = calloc(1, size);
    if (!operation)
        luaL_error(L, "out of memory");
    operation->class = class;
    operation->task = task;
    operation->holders = 1;
    *box = operation;
    return operation;
}

void task_begin(struct operation *operation) {
    operation->holders++;
    operation->generation = operation->task->generation + 1;
}

void task_withdraw(struct operation *operation) {
    operation->holders--;
    operation_finish(operation);
}

void task_complete(struct operation *operation) {
    operation->completed = true;
    operation->next = NULL;
    if (scheduler.completed_last)
        scheduler.completed_last->next = operation;
    else
        scheduler.completed_first = operation;
    scheduler.completed_last = operation;
}

/* The second half of every wait, entered when the task is resumed. */
static int wait_continue(lua_State *L, int status, lua_KContext context) {
    struct operation *operation = (struct operation *)context;
    struct task *task = scheduler.current;
    (void)status;
    if (operation->interrupted) {
        operation_finish(operation);
        throw_due(L, task);
        return luaL_error(L, "%s was interrupted", operation->class->name);
    }
    int count = operation->class->push(operation, L);
    operation_finish(operation);
    return count;
}

int task_wait(lua_State *L, struct operation *operation) {
    struct task *task = scheduler.current;
    task->generation++;
    task->pending = operation;
    task->state = TASK_WAITING;
    return lua_yieldk(L, 0, (lua_KContext)operation, wait_continue);
}

int task_push_errno(lua_State *L, int number, const char *context) {
    lua_pushnil(L);
    if (context)
        lua_pushfstring(L, "%s: %s", context, loop_error_text(number));
    else
        lua_pushstring(L, loop_error_text(number));
    lua_pushstring(L, loop_error_name(number));
    return 3;
}

/* Ends the wait of a task for which an error is due, if what it waits for can be interrupted. */
static void interrupt(struct task *task) {
    struct operation *operation = task->pending;
    if (task->state != TASK_WAITING || operation->completed || operation->interrupted || !operation->class->cancel)
        return;
    operation->interrupted = true;
    operation->class->cancel(operation);
}

/* ---- the end of a task ---- */

struct join {
    struct operation operation;
    struct task *task;
    struct join *next;
};

static void join_cancel(struct operation *operation) {
    struct join *join = (struct join *)operation;
    for (struct join **link = &join->task->joins; *link; link = &(*link)->next) {
        if (*link == join) {
            *link = join->next;
            break;
        }
    }
    task_complete(operation);
}

static void join_free(struct operation *operation) {
    struct join *join = (struct join *)operation;
    if (join->task)
        task_release(join->task);
}

/* Did the cancellation's own error end it (and not another one on the way out)? */
static bool was_cancelled(const struct task *task) {
    const char *error = task->status != LUA_OK ? lua_tostring(task->thread, -1) : NULL;
    return error && task->cancel_message && !strcmp(error, task->cancel_message);
}

static int describe_error(lua_State *L) {
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* Replaces the error on top by its text. A __tostring that fails must not take down who reports the error. */
static void error_to_text(lua_State *L) {
    lua_pushcfunction(L, describe_error);
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        lua_pop(L, 1);
        lua_pushfstring(L, "(error object is a %s value whose __tostring fails)", luaL_typename(L, -1));
    }
    lua_remove(L, -2);
}

static int push_end(struct task *task, lua_State *L) {
    if (task->status == LUA_OK) {
        lua_pushboolean(L, true);
        int count = task->result_count;
        if (!lua_checkstack(task->thread, count) || !lua_checkstack(L, count + 1))
            return luaL_error(L, "too many results of task %s", task->name);
        for (int index = 1; index <= count; index++)
            lua_pushvalue(task->thread, index);
        lua_xmove(task->thread, L, count);
        return count + 1;
    }
    lua_pushnil(L);
    lua_pushvalue(task->thread, -1);
    lua_xmove(task->thread, L, 1);
    error_to_text(L);
    lua_pushstring(L, was_cancelled(task) ? "cancelled" : "failed");
    lua_pushstring(L, task->traceback);
    return 4;
}

static int join_push(struct operation *operation, lua_State *L) {
    return push_end(((struct join *)operation)->task, L);
}

static const struct operation_class join_class = { "Task:join", join_cancel, join_push, join_free };

static void log_failure(const struct task *task) {
    lua_State *L = scheduler.L; /* the task's own coroutine is dead: nothing may be called in it */
    size_t length;
    lua_pushvalue(task->thread, -1);
    lua_xmove(task->thread, L, 1);
    error_to_text(L);
    const char *message = lua_tolstring(L, -1, &length);
    struct log_line line;
    if (log_begin(&line, LOG_ERROR, "task_failed")) {
        log_text(&line, "task", task->name, strlen(task->name));
        log_text(&line, "error", message, length);
        if (task->traceback)
            log_text(&line, "traceback", task->traceback, strlen(task->traceback));
        log_end(&line);
    }
    lua_pop(L, 1);
}

static void unlink_task(struct task *task) {
    if (task->previous)
        task->previous->next = task->next;
    else
        scheduler.tasks = task->next;
    if (task->next)
        task->next->previous = task->previous;
    scheduler.task_count--;
}

static void deadline_end(struct task *task) {
    struct deadline *deadline = task->deadlines;
    task->deadlines = deadline->outer;
    timer_stop(deadline->timer);
    free(deadline);
}

static void end_task(struct task *task, int status, int result_count) {
    task->state = TASK_ENDED;
    task->status = status;
    task->result_count = result_count;
    unlink_task(task);
    while (task->deadlines) /* of a coroutine that was not unwound: it yielded to nobody */
        deadline_end(task);
    if (status != LUA_OK && !task->joined && !was_cancelled(task))
        log_failure(task);
    for (struct join *join = task->joins, *next; join; join = next) {
        next = join->next;
        task_complete(&join->operation);
    }
    task->joins = NULL;
    task_release(task); /* the coroutine stays, for its results, until the last userdata and join are gone */
}

/* ---- running ---- */

/* Message handler: keeps the traceback beside the error, which stays as it was thrown. */
static int keep_traceback(lua_State *L) {
    struct task *task = scheduler.current;
    luaL_traceback(L, L, NULL, 1);
    free(task->traceback);
    task->traceback = strdup(lua_tostring(L, -1));
    lua_pop(L, 1);
    return 1;
}

static int body_continue(lua_State *L, int status, lua_KContext context) {
    (void)context;
    if (status != LUA_OK && status != LUA_YIELD)
        return lua_error(L);
    return lua_gettop(L) - 1; /* the message handler is at 1 */
}

/* The body runs below a pcall of the coroutine's own, so that to-be-closed variables are closed where they may wait. */
static int run_body(lua_State *L) {
    lua_pushcfunction(L, keep_traceback);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, body_continue);
    return body_continue(L, status, 0);
}

static void resume(struct task *task, int argument_count) {
    struct task *before = scheduler.current;
    int result_count = 0;
    scheduler.current = task;
    task->state = TASK_RUNNING;
    task->pending = NULL;
    int status = lua_resume(task->thread, scheduler.L, argument_count, &result_count);
    scheduler.current = before;
    if (status == LUA_YIELD) {
        lua_pop(task->thread, result_count);
        if (task->state == TASK_WAITING)
            return;
        lua_resetthread(task->thread);
        lua_pushliteral(task->thread, "the task yielded to nobody: coroutine.yield outside of a coroutine of its own");
        status = LUA_ERRRUN;
    }
    end_task(task, status, result_count);
}

static void deliver(struct operation *operation) {
    struct task *task = operation->task;
    if (task && task->state == TASK_WAITING && task->pending == operation && task->generation == operation->generation)
        resume(task, 0);
    operation_release(operation);
}

/* Runs what is ready, once round. Returns whether anything ran. */
static bool drain(void) {
    struct task *last = scheduler.ready_last;
    struct operation *last_completed = scheduler.completed_last;
    bool ran = false;
    while (last) {
        struct task *task = ready_pop();
        ran = true;
        bool was_last = task == last;
        task->holders--; /* the queue's; the scheduler's stays until the end */
        resume(task, task->start_arguments);
        if (was_last)
            break;
    }
    while (last_completed) {
        struct operation *operation = completed_pop();
        bool was_last = operation == last_completed;
        ran = true;
        deliver(operation);
        if (was_last)
            break;
    }
    return ran;
}

static bool anything_queued(void) {
    return scheduler.ready_first || scheduler.completed_first;
}

static void set_cancelled(struct task *task, const char *reason) {
    if (task->state == TASK_ENDED || task->cancel_reason)
        return;
    task->cancel_reason = strdup(reason);
    if (task->cancel_reason)
        interrupt(task);
}

/* Moves the function and its arguments from L to a new task. */
static struct task *create(lua_State *L, const char *name, int argument_count) {
    luaL_checkstack(L, 4, "starting a task");
    lua_State *thread = lua_newthread(L);
    struct task *task = lua_checkstack(thread, argument_count + 4) ? calloc(1, sizeof *task) : NULL;
    char *copy = strdup(name);
    if (!task || !copy) {
        free(task);
        free(copy);
        luaL_error(L, "out of memory");
        return NULL; /* not reached */
    }
    *(struct task **)lua_getextraspace(thread) = task;
    task->name = copy;
    task->holders = 2; /* the scheduler, the ready queue */
    task->thread = thread;
    task->thread_reference = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(task->thread, run_body);
    lua_xmove(L, task->thread, argument_count + 1);
    task->start_arguments = argument_count + 1;
    task->state = TASK_READY;
    task->next = scheduler.tasks;
    if (task->next)
        task->next->previous = task;
    scheduler.tasks = task;
    scheduler.task_count++;
    ready_push(task);
    return task;
}

void task_start(lua_State *L, const char *name, int argument_count) {
    create(L, name, argument_count);
}

lua_State *task_main_state(void) {
    return scheduler.L;
}

/* Nothing can wake anybody any more: every task waits for an event or another task. */
static void break_deadlock(struct task *main_task) {
    set_cancelled(
        main_task,
        "it waits for what can't happen any more: no timer, file, child or signal is left that could wake it");
}

static void guard_tick(uv_timer_t *guard) {
    (void)guard; /* only wakes the loop */
}

/* Ends the tasks that the script left behind; their clean-up may wait, but not for ever. */
static void cancel_others(void) {
    enum { PATIENCE_MS = 5000, TICK_MS = 20 };
    if (!scheduler.tasks)
        return;
    uv_timer_t guard;
    uv_timer_init(loop_get(), &guard);
    uv_timer_start(&guard, guard_tick, TICK_MS, TICK_MS);
    uint64_t start = uv_hrtime() / 1000000;
    for (struct task *task = scheduler.tasks; task; task = task->next)
        set_cancelled(task, "the script ended");
    while (scheduler.tasks && uv_hrtime() / 1000000 - start < PATIENCE_MS) {
        drain();
        if (scheduler.tasks)
            uv_run(loop_get(), anything_queued() ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&guard, NULL);
    uv_run(loop_get(), UV_RUN_NOWAIT);
}

bool task_owns(lua_State *thread) {
    return *(struct task **)lua_getextraspace(thread) != NULL;
}

void task_settle(void) {
    while (loop_work_count())
        uv_run(loop_get(), UV_RUN_ONCE);
}

/* The error that ended the main task, as lua5.4 reports it: with a traceback if it is a text, by its __tostring if it has one. */
static void push_failure(lua_State *L, struct task *task) {
    lua_pushvalue(task->thread, -1);
    lua_xmove(task->thread, L, 1);
    if (lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER) {
        lua_pushfstring(L, "%s\n%s", lua_tostring(L, -1), task->traceback ? task->traceback : "");
    } else if (luaL_getmetafield(L, -1, "__tostring") != LUA_TNIL) {
        lua_pop(L, 1);
        error_to_text(L);
    } else {
        lua_pushfstring(L, "(error object is a %s value)\n%s", luaL_typename(L, -1),
                        task->traceback ? task->traceback : "");
    }
}

int task_main(lua_State *L, int argument_count) {
    struct task *task = create(L, "main", argument_count);
    task->holders++;
    task->joined = true;
    while (task->state != TASK_ENDED) {
        drain();
        if (task->state == TASK_ENDED)
            break;
        if (!anything_queued() && !uv_loop_alive(loop_get()))
            break_deadlock(task);
        uv_run(loop_get(), anything_queued() ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    }
    int status = task->status;
    if (status != LUA_OK)
        push_failure(L, task);
    task_release(task);
    cancel_others();
    task_settle();
    return status;
}

/* ---- the Lua module ---- */

struct task_box {
    struct task *task;
};

static struct task *check_task(lua_State *L, int index) {
    return ((struct task_box *)luaL_checkudata(L, index, TASK_TYPE))->task;
}

static void push_task(lua_State *L, struct task *task) {
    struct task_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->task = NULL;
    luaL_setmetatable(L, TASK_TYPE);
    box->task = task;
    task->holders++;
}

static int task_spawn(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    struct task *task = create(L, name, lua_gettop(L) - 2);
    push_task(L, task);
    return 1;
}

static int task_current(lua_State *L) {
    if (scheduler.current)
        push_task(L, scheduler.current);
    else
        lua_pushnil(L);
    return 1;
}

static int task_count(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)scheduler.task_count);
    return 1;
}

static int task_name(lua_State *L) {
    lua_pushstring(L, check_task(L, 1)->name);
    return 1;
}

static int task_done(lua_State *L) {
    lua_pushboolean(L, check_task(L, 1)->state == TASK_ENDED);
    return 1;
}

static int task_cancel(lua_State *L) {
    set_cancelled(check_task(L, 1), luaL_optstring(L, 2, "by request"));
    return 0;
}

static int task_join(lua_State *L) {
    struct task *task = check_task(L, 1);
    if (task == scheduler.current)
        return luaL_error(L, "Task:join: a task can't wait for its own end");
    task->joined = true;
    if (task->state == TASK_ENDED)
        return push_end(task, L);
    struct join *join = task_operation(L, sizeof *join, &join_class);
    join->task = task;
    task->holders++;
    task_begin(&join->operation);
    join->next = task->joins;
    task->joins = join;
    return task_wait(L, &join->operation);
}

static int task_equal(lua_State *L) {
    lua_pushboolean(L, check_task(L, 1) == check_task(L, 2));
    return 1;
}

static int task_describe(lua_State *L) {
    struct task *task = check_task(L, 1);
    static const char *const states[] = { "ready", "running", "waiting", "ended" };
    lua_pushfstring(L, "Task(%s, %s)", task->name, states[task->state]);
    return 1;
}

static int task_collect(lua_State *L) {
    struct task_box *box = lua_touserdata(L, 1);
    struct task *task = box->task;
    if (!task)
        return 0;
    box->task = NULL;
    task_release(task);
    return 0;
}

/* within */

static void deadline_fire(void *context) {
    struct deadline *deadline = context;
    deadline->fired = true;
    interrupt(deadline->task);
}

static int within_continue(lua_State *L, int status, lua_KContext context) {
    struct deadline *deadline = (struct deadline *)context;
    struct task *task = deadline->task;
    bool own = false;
    if (status != LUA_OK && status != LUA_YIELD) {
        uint64_t *token = luaL_testudata(L, -1, DEADLINE_TYPE);
        own = token && *token == deadline->serial;
    }
    int64_t milliseconds = deadline->milliseconds;
    /* Inner deadlines were taken off by their own within: this is the innermost one. */
    deadline_end(task);
    if (own) {
        lua_pushnil(L);
        lua_pushfstring(L, "timed out after %I ms", (lua_Integer)milliseconds);
        lua_pushliteral(L, "timeout");
        return 3;
    }
    if (status != LUA_OK && status != LUA_YIELD)
        return lua_error(L);
    return lua_gettop(L);
}

static int task_within(lua_State *L) {
    lua_Integer milliseconds = luaL_checkinteger(L, 1);
    luaL_argcheck(L, milliseconds >= 0, 1, "milliseconds, 0 or more");
    luaL_checktype(L, 2, LUA_TFUNCTION);
    struct task *task = scheduler.current;
    if (!task || L != task->thread || !lua_isyieldable(L))
        return luaL_error(L, "task.within may be called in a task only, where it can wait");
    struct deadline *deadline = calloc(1, sizeof *deadline);
    if (!deadline)
        return luaL_error(L, "out of memory");
    deadline->timer = timer_start(milliseconds, deadline_fire, deadline);
    if (!deadline->timer) {
        free(deadline);
        return luaL_error(L, "out of memory");
    }
    deadline->task = task;
    deadline->serial = ++scheduler.deadline_count;
    deadline->milliseconds = milliseconds;
    deadline->outer = task->deadlines;
    task->deadlines = deadline;
    lua_remove(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, (lua_KContext)deadline, within_continue);
    return within_continue(L, status, (lua_KContext)deadline);
}

static int deadline_describe(lua_State *L) {
    lua_pushliteral(L, "the time given to task.within is over");
    return 1;
}

static const luaL_Reg module_functions[] = {
    { "spawn", task_spawn }, { "current", task_current }, { "count", task_count }, { "within", task_within },
    { NULL, NULL },
};
static const luaL_Reg task_methods[] = {
    { "name", task_name }, { "done", task_done }, { "cancel", task_cancel }, { "join", task_join }, { NULL, NULL },
};
static const luaL_Reg task_metamethods[] = {
    { "__gc", task_collect },
    { "__eq", task_equal },
    { "__tostring", task_describe },
    { NULL, NULL },
};
static const luaL_Reg operation_metamethods[] = { { "__gc", operation_collect }, { NULL, NULL } };
static const luaL_Reg deadline_metamethods[] = { { "__tostring", deadline_describe }, { NULL, NULL } };

int task_open(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    scheduler.L = lua_tothread(L, -1);
    lua_pop(L, 1);
    *(struct task **)lua_getextraspace(scheduler.L) = NULL; /* what every new coroutine begins with */
    state_type(L, TASK_TYPE, task_methods, task_metamethods);
    state_type(L, OPERATION_TYPE, NULL, operation_metamethods);
    state_type(L, DEADLINE_TYPE, NULL, deadline_metamethods);
    luaL_newlib(L, module_functions);
    return 1;
}
