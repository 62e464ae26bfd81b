/* task.event, see lua/meta/task.lua: flags that tasks wait for. */
#include <lauxlib.h>
#include <string.h>

#include "../host/state.h"
#include "../host/task.h"
#include "../io/loop.h"
#include "modules.h"

#define EVENT_TYPE "submitter.event"

struct event_wait {
    struct operation operation;
    struct event *event;
    struct timer *timer; /* with a time-out only */
    struct event_wait *next;
    bool timed_out;
};

struct event {
    bool set;
    struct event_wait *waits;
};

static void event_wait_end(struct event_wait *wait) {
    timer_stop(wait->timer);
    wait->timer = NULL;
    task_complete(&wait->operation);
}

static void event_wait_unlink(struct event_wait *wait) {
    for (struct event_wait **link = &wait->event->waits; *link; link = &(*link)->next) {
        if (*link == wait) {
            *link = wait->next;
            return;
        }
    }
}

static void event_wait_cancel(struct operation *operation) {
    struct event_wait *wait = (struct event_wait *)operation;
    event_wait_unlink(wait);
    wait->event = NULL;
    event_wait_end(wait);
}

static void event_wait_timeout(void *context) {
    struct event_wait *wait = context;
    event_wait_unlink(wait);
    wait->event = NULL;
    wait->timed_out = true;
    event_wait_end(wait);
}

static int event_wait_push(struct operation *operation, lua_State *L) {
    if (((struct event_wait *)operation)->timed_out) {
        lua_pushnil(L);
        lua_pushliteral(L, "timed out");
        lua_pushliteral(L, "timeout");
        return 3;
    }
    lua_pushboolean(L, true);
    return 1;
}

static const struct operation_class event_wait_class = { "Event:wait", event_wait_cancel, event_wait_push, NULL };

static int event_new(lua_State *L) {
    struct event *event = lua_newuserdatauv(L, sizeof *event, 0);
    memset(event, 0, sizeof *event);
    luaL_setmetatable(L, EVENT_TYPE);
    return 1;
}

static struct event *check_event(lua_State *L) {
    return luaL_checkudata(L, 1, EVENT_TYPE);
}

static int event_wait(lua_State *L) {
    struct event *event = check_event(L);
    lua_Integer timeout_ms = luaL_optinteger(L, 2, -1);
    if (!lua_isnoneornil(L, 2))
        luaL_argcheck(L, timeout_ms >= 0, 2, "milliseconds, 0 or more");
    struct event_wait *wait = task_operation(L, sizeof *wait, &event_wait_class);
    task_begin(&wait->operation);
    if (event->set) {
        event_wait_end(wait);
        return task_wait(L, &wait->operation);
    }
    if (timeout_ms >= 0) {
        wait->timer = timer_start(timeout_ms, event_wait_timeout, wait);
        if (!wait->timer) {
            task_withdraw(&wait->operation);
            return luaL_error(L, "out of memory");
        }
    }
    wait->event = event;
    struct event_wait **last = &event->waits;
    while (*last)
        last = &(*last)->next;
    *last = wait;
    return task_wait(L, &wait->operation);
}

static int event_set(lua_State *L) {
    struct event *event = check_event(L);
    event->set = true;
    struct event_wait *wait = event->waits;
    event->waits = NULL;
    while (wait) {
        struct event_wait *next = wait->next;
        wait->event = NULL;
        event_wait_end(wait);
        wait = next;
    }
    return 0;
}

static int event_clear(lua_State *L) {
    check_event(L)->set = false;
    return 0;
}

static int event_is_set(lua_State *L) {
    lua_pushboolean(L, check_event(L)->set);
    return 1;
}

static const luaL_Reg functions[] = { { "event", event_new }, { NULL, NULL } };
static const luaL_Reg methods[] = {
    { "wait", event_wait }, { "set", event_set }, { "clear", event_clear }, { "is_set", event_is_set }, { NULL, NULL },
};
static const luaL_Reg no_metamethods[] = { { NULL, NULL } };

void event_add(lua_State *L) {
    state_type(L, EVENT_TYPE, methods, no_metamethods);
    luaL_setfuncs(L, functions, 0);
}
