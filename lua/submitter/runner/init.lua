--- Where a submission runs: the runners that a configuration names, behind the one that a worker or a command uses. What
--- `runner` says is opened at once; of `runners` each when it is first needed, because a policy may choose it.
local fields = require "submitter.runner.fields"
local host = require "submitter.host"

local runner = {}

-- Loaded when one is opened: a command that runs nothing shouldn't pay for any, nor one within walls for containers.
local modules = { sandbox = "submitter.runner.sandbox", docker = "submitter.runner.container" }

---@class Runner what README.md describes; `start` goes to the one that the policy chose
local Runner = {}
Runner.__index = Runner

-- One runner of the configuration: settings, the opened `runner` (nil: not yet), `opening` (an event while somebody opens it),
-- `was_chosen` (a policy asked for it, so submissions need it).
local function new_entry(settings)
  return { settings = settings }
end

local function open_now(self, entry)
  return require(modules[entry.settings.kind]).open(self.configuration, entry.settings, self.parts)
end

-- Opens it where that wasn't done yet; of several at a time one does, and the others wait.
local function opened(self, entry)
  while entry.opening do entry.opening:wait() end
  if entry.runner then return entry.runner end
  entry.opening = host.task.event()
  local returned, one, message, code = xpcall(open_now, debug.traceback, self, entry)
  entry.opening:set()
  entry.opening = nil
  if not returned then error(one, 0) end
  entry.runner = one
  return one, message, code
end

-- Those without which submissions can't be graded: what `runner` says, and of the others what a policy asked for.
local function needed(self)
  local list = {}
  for _, entry in ipairs(self.entries) do
    if entry == self.main or entry.was_chosen then list[#list + 1] = entry end
  end
  return list
end

--- What a result says about the runner that counts where a policy says nothing.
---@return {kind:string, language:string, version:string|nil, accounting:string}
function Runner:describe()
  return self.main.runner:describe()
end

--- Keeps sessions ready, of every runner. That one of `runners` can't do so is for the submissions that need it to say.
---@async
---@param count integer
---@return true|nil
---@return string|nil message
---@return string|nil code "unavailable" where it may pass
function Runner:warm(count)
  for _, entry in ipairs(self.entries) do
    if entry ~= self.main then
      local one, message, code = opened(self, entry)
      local warm
      if one then warm, message, code = one:warm(count) end
      if not warm then
        host.log.warn("runner_not_ready", { runner = entry.name, reason = message, class = code })
      end
    end
  end
  return self.main.runner:warm(count)
end

-- The one that a policy chose; where a command's user chose, that one.
local function chosen(self, name)
  if self.is_fixed or name == nil or name == fields.DEFAULT then return self.main end
  for _, entry in ipairs(self.entries) do
    if entry.name == name then return entry end
  end
  return nil, ("there is no runner %q; the configuration has %s"):format(name,
    table.concat(fields.names(self.configuration), ", ")), "policy"
end

--- A session for one submission.
---@async
---@param limits SandboxLimits the largest that a case of it will have
---@param about {subid:string|nil, runner:string|nil}|nil whose it is, and what its policy chose
---@return table|nil session
---@return string|nil message
---@return string|nil code
function Runner:start(limits, about)
  local entry, message, code = chosen(self, about and about.runner)
  if not entry then return nil, message, code end
  entry.was_chosen = true
  local one
  one, message, code = opened(self, entry)
  if not one then return nil, message, code end
  return one:start(limits, about)
end

--- What submissions need and is known to be away.
---@return string|nil message
---@return integer|nil since_ms wall clock
function Runner:problem()
  for _, entry in ipairs(needed(self)) do
    if entry.runner then
      local message, since_ms = entry.runner:problem()
      if message then return message, since_ms end
    end
  end
end

--- Asks whether what submissions need is there.
---@async
---@return true|nil
---@return string|nil message
---@return string|nil code
function Runner:reach()
  for _, entry in ipairs(needed(self)) do
    local one, message, code = opened(self, entry)
    if not one then return nil, message, code end
    local there
    there, message, code = one:reach()
    if not there then return nil, message, code end
  end
  return true
end

--- Ends what was kept ready.
---@async
function Runner:close()
  for _, entry in ipairs(self.entries) do
    if entry.runner then entry.runner:close() end
  end
end

local function of_kind(configuration, kind)
  if configuration.runner.kind == kind then return configuration.runner end
  local found
  for _, name in ipairs(fields.names(configuration)) do
    local settings = configuration.runners[name]
    if settings and settings.kind == kind then
      if found then
        return nil, ("several of runners are %s: name one of %s"):format(kind,
          table.concat(fields.names(configuration), ", "))
      end
      found = settings
    end
  end
  if found then return found end
  -- There is nothing to say about these walls, so nobody needs to have said it.
  if kind == "sandbox" then return { kind = "sandbox" } end
  return nil, "no container is configured: say runner = docker { image = \"…\" }, or set SUBMITTER_RUNNER_IMAGE"
end

--- The settings that a name stands for: "default" for what `runner` says, one of `runners`, or a kind, "sandbox" or "docker".
---@param configuration table
---@param name string
---@return table|nil settings
---@return string|nil message
---@return "usage"|nil code
function runner.settings(configuration, name)
  if name == fields.DEFAULT then return configuration.runner end
  local settings, message = configuration.runners[name], nil
  if not settings and modules[name] then settings, message = of_kind(configuration, name) end
  if settings then return settings end
  return nil, message or ("there is no runner %q: say sandbox, docker or one of %s"):format(name,
    table.concat(fields.names(configuration), ", ")), "usage"
end

--- Opens what a configuration names.
---@async
---@param configuration table what configuration.load returned
---@param parts Services|nil what a worker has opened; nil for a command at a desk
---@param name string|nil the only one to use, whatever a policy chose: as for runner.settings
---@return Runner|nil
---@return string|nil message
---@return "environment"|"usage"|nil code
function runner.open(configuration, parts, name)
  local settings, message, code = configuration.runner
  if name then
    settings, message, code = runner.settings(configuration, name)
    if not settings then return nil, message, code end
  end
  -- All containers of a worker bear its label: who sweeps has to know those of its other runners.
  local shared = parts and setmetatable({ known = {} }, { __index = parts })
  local self = setmetatable({
    configuration = configuration, parts = shared, is_fixed = name ~= nil, main = new_entry(settings), entries = {},
  }, Runner)
  self.entries[1] = self.main
  for _, other in ipairs(name and {} or fields.names(configuration)) do
    if other ~= fields.DEFAULT then
      local entry = new_entry(configuration.runners[other])
      entry.name = other
      self.entries[#self.entries + 1] = entry
    end
  end
  local one
  one, message, code = opened(self, self.main)
  if not one then return nil, message, code end
  return self
end

return runner
