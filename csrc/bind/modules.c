#include "modules.h"

#include "../host/state.h"
#include "../host/task.h"
#include "../host/watchdog.h"

static const luaL_Reg modules[] = {
    { "submitter.core.child", child_open },       { "submitter.core.clock", clock_open },
    { "submitter.core.digest", digest_open },     { "submitter.core.file", file_open },
    { "submitter.core.http", http_open },         { "submitter.core.json", json_open },
    { "submitter.core.log", log_open },           { "submitter.core.pattern", pattern_open },
    { "submitter.core.postgres", postgres_open }, { "submitter.core.sandbox", sandbox_open },
    { "submitter.core.sigv4", sigv4_open },       { "submitter.core.smtp", smtp_open },
    { "submitter.core.system", system_open },     { "submitter.core.text", text_open },
    { "submitter.core.watchdog", watchdog_open }, { NULL, NULL },
};

void modules_preload(lua_State *L) {
    for (const luaL_Reg *module = modules; module->name; module++)
        state_preload(L, module->name, module->func);
    /* The scheduler needs its types before the first task exists. */
    luaL_requiref(L, "submitter.core.task", task_open, 0);
    event_add(L);
    signal_add(L);
    lua_pop(L, 1);
}
