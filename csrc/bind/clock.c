/* submitter.core.clock, see lua/meta/clock.lua. */
#include <lauxlib.h>
#include <time.h>

#include "../base/log.h"
#include "../host/task.h"
#include "../io/loop.h"
#include "modules.h"

static int64_t read_clock(clockid_t clock, int64_t unit_ns) {
    struct timespec now;
    clock_gettime(clock, &now);
    return ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec) / unit_ns;
}

static int now_ms(lua_State *L) {
    lua_pushinteger(L, read_clock(CLOCK_REALTIME, 1000000));
    return 1;
}

static int monotonic_ms(lua_State *L) {
    lua_pushinteger(L, read_clock(CLOCK_MONOTONIC, 1000000));
    return 1;
}

static int monotonic_us(lua_State *L) {
    lua_pushinteger(L, read_clock(CLOCK_MONOTONIC, 1000));
    return 1;
}

static int cpu_us(lua_State *L) {
    lua_pushinteger(L, read_clock(CLOCK_PROCESS_CPUTIME_ID, 1000));
    return 1;
}

static int utc(lua_State *L) {
    char text[LOG_TIME_SIZE];
    log_time(text, luaL_opt(L, luaL_checkinteger, 1, read_clock(CLOCK_REALTIME, 1000000)));
    lua_pushstring(L, text);
    return 1;
}

struct nap {
    struct operation operation;
    struct timer *timer;
};

static void nap_end(void *context) {
    struct nap *nap = context;
    timer_stop(nap->timer);
    task_complete(&nap->operation);
}

static void nap_cancel(struct operation *operation) {
    nap_end(operation);
}

static int nap_push(struct operation *operation, lua_State *L) {
    (void)operation;
    lua_pushboolean(L, true);
    return 1;
}

static const struct operation_class nap_class = { "clock.sleep_ms", nap_cancel, nap_push, NULL };

static int sleep_ms(lua_State *L) {
    lua_Integer milliseconds = luaL_checkinteger(L, 1);
    luaL_argcheck(L, milliseconds >= 0, 1, "milliseconds, 0 or more");
    struct nap *nap = task_operation(L, sizeof *nap, &nap_class);
    nap->timer = timer_start(milliseconds, nap_end, nap);
    if (!nap->timer)
        return luaL_error(L, "out of memory");
    task_begin(&nap->operation);
    return task_wait(L, &nap->operation);
}

static const luaL_Reg functions[] = {
    { "now_ms", now_ms }, { "monotonic_ms", monotonic_ms }, { "monotonic_us", monotonic_us },
    { "cpu_us", cpu_us }, { "sleep_ms", sleep_ms },         { "utc", utc },
    { NULL, NULL },
};

int clock_open(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
