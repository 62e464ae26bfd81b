--- The one door to the C modules: `host.file` is submitter.core.file, and so on. No other Lua file requires
--- submitter.core.*, so that what the rooms may do to the machine can be read here. A module is loaded when it is
--- first named, because most commands need few of them and start must stay cheap.

local modules = {
  child = "submitter.core.child",
  clock = "submitter.core.clock",
  digest = "submitter.core.digest",
  file = "submitter.core.file",
  http = "submitter.core.http",
  json = "submitter.core.json",
  log = "submitter.core.log",
  pattern = "submitter.core.pattern",
  postgres = "submitter.core.postgres",
  sandbox = "submitter.core.sandbox",
  sigv4 = "submitter.core.sigv4",
  smtp = "submitter.core.smtp",
  system = "submitter.core.system",
  task = "submitter.core.task",
  text = "submitter.core.text",
  watchdog = "submitter.core.watchdog",
}

return setmetatable({}, {
  __index = function(self, name)
    local module_name = modules[name]
    if not module_name then
      error(("submitter.host has no module %q; it has child, clock, digest, file, http, json, log, pattern, "
        .. "postgres, sandbox, sigv4, smtp, system, task, text and watchdog"):format(tostring(name)), 2)
    end
    local module = require(module_name)
    rawset(self, name, module)
    return module
  end,
  __newindex = function(_, name)
    error(("submitter.host is read-only: %q can't be set"):format(tostring(name)), 2)
  end,
})
