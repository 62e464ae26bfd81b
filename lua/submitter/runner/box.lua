--- One container around one sandbox, from its making to its removal. The order matters: its streams are taken before it runs, so
--- that nothing of what it says first is lost, and so that it ends by itself should we go away at any moment.
local engine_faults = require "submitter.engine.faults"
local form = require "submitter.engine.form"
local host = require "submitter.host"
local probe = require "submitter.engine.probe"

local box = {}

-- How long a container may take to be gone once everything in it has ended; then it is removed by force.
local REMOVAL_MS = 5000
-- How long after the end of a stream the engine may know of no reason, and for how long the kernel's lack of memory may still be
-- told after the end that it came to: another part of the engine sees that. Between two questions.
local REASON_MS, MEMORY_MS = 3000, 500
local REASON_FIRST_MS, REASON_LONGEST_MS = 10, 250
-- What engines tell of a main process that was killed: 128 and SIGKILL.
local KILLED = 137
-- submitter-sandbox: a wall can't be built.
local WALL_MISSING = 3

---@class Box
---@field tag string its own name among this worker's
---@field id string the engine's
---@field name string
---@field sandbox table|nil lua/meta/sandbox.lua
---@field image_id string
local Box = {}
Box.__index = Box

-- ---- making one ----

-- The image as it is now, so that results say what they were made with.
local function look_at_image(self)
  local image, message, code = self.engine:image(self.settings.image)
  if not image then return nil, message, code end
  local facts = probe.image(image)
  if facts.protocol and facts.protocol ~= probe.PROTOCOL then
    return engine_faults.failure("image doesn't fit", ("%s speaks version %d of the runner's protocol, this program "
      .. "%d; build it anew (docker/README.md)"):format(self.settings.image, facts.protocol,
      probe.PROTOCOL))
  end
  self.image_id = facts.id
  return true
end

local function create(self, wanted)
  local engine = self.engine
  local known, message, code = engine:meet()
  if not known then return nil, message, code end
  local body = form.create(self.settings, wanted, self.labels, engine.kind)
  local fault
  self.id, message, code, fault = engine:create(self.name, body)
  -- It may have been made without an answer.
  self.is_uncertain = fault == "engine slow" or fault == "engine away"
  if not self.id then return nil, message, code end
  return true
end

local function attach(self, limits)
  local message, code
  self.sandbox, message, code = self.engine:attach(self.id, limits)
  if not self.sandbox then return nil, message, code end
  return true
end

local function start(self)
  self.since_ms = host.clock.now_ms()
  local started, message, code = self.engine:start(self.id)
  if not started then return nil, message, code end
  self.was_started = true
  return true
end

-- The walls within, up to the runner's word that it is ready.
local function build(self)
  local built, message, code = host.task.within(self.engine.patience_ms, self.sandbox.build, self.sandbox)
  if built then return true end
  if code == "timeout" then
    return engine_faults.failure("engine slow", ("%s: no runner answered from the container"):format(message))
  elseif code ~= "cut" then
    return nil, message, code
  end
  local reason = self:reason(self.since_ms)
  if reason.exit_code == WALL_MISSING then
    return nil, ("in the container: %s"):format(message), "environment"
  end
  return self:failure(reason, message)
end

local steps = {
  look_at_image,
  function(self, options) return create(self, options.wanted) end,
  function(self, options) return attach(self, options.limits) end,
  start,
  build,
}

--- Makes one. Whatever fails, nothing is left of it, or the owner is told what may be.
---@async
---@param owner {engine:Engine, settings:table, leftovers:Leftovers, forget:fun(self, box:Box), remember:fun(self, box:Box,
--- message:string|nil)} forget: it is gone; remember: it could not be removed, for this reason
---@param options {name:string, tag:string, limits:SandboxLimits, wanted:table} limits: the largest of a case; wanted: of
--- form.wanted
---@return Box|nil
---@return string|nil message
---@return string|nil code
function box.make(owner, options)
  local self = setmetatable({
    engine = owner.engine, settings = owner.settings, owner = owner, tag = options.tag, name = options.name,
    labels = owner.leftovers:labels(options.tag), wanted = options.wanted,
  }, Box)
  local begun_ms = host.clock.monotonic_ms()
  for _, step in ipairs(steps) do
    local returned, done, message, code = xpcall(step, debug.traceback, self, options)
    if not returned or not done then
      self:close()
      if not returned then error(done, 0) end
      return nil, message, code
    end
  end
  host.log.debug("container_started", { container = self.name, ms = host.clock.monotonic_ms() - begun_ms })
  return self
end

-- ---- one that was waiting ----

local function same(wanted, other)
  return wanted.memory_bytes == other.memory_bytes and wanted.processes == other.processes
    and wanted.processors == other.processors
end

--- Gives one that waited in the pool its submission's name and limits.
---@async
---@param name string
---@param wanted table of form.wanted
---@return true|nil
---@return string|nil message
---@return string|nil code
---@return string|nil fault
function Box:adopt(name, wanted)
  -- At once, because the one costs as much as the other.
  local renaming = host.task.spawn("name of a container", self.engine.rename, self.engine, self.id, name)
  local updated, message, code, fault = true, nil, nil, nil
  if not same(wanted, self.wanted) then updated, message, code, fault = self.engine:update(self.id, wanted) end
  local ended, renamed, problem, class, other_fault = renaming:join()
  if not ended then error(renamed, 0) end
  if not updated then return nil, message, code, fault end
  if not renamed then return nil, problem, class, other_fault end
  self.name, self.wanted = name, wanted
  return true
end

-- ---- why one ended ----

---@class BoxReason
---@field ending "memory"|"killed"|"died"|"runs"|"unknown"
---@field exit_code integer|nil of its main process
---@field by_engine boolean|nil somebody told the engine to kill it
---@field failure table|nil { message, code } where the engine could not be asked

-- What the events since a moment say, once the container has ended. The main process needn't have been killed itself: where the
-- kernel takes the runner alone, it ends with a code of its own.
local function read_events(events)
  local seen = {}
  for _, event in ipairs(events) do
    if event.action == "die" then
      seen.exit_code = event.exit_code or -1
    elseif event.action == "oom" or event.action == "kill" then
      seen[event.action] = true
    end
  end
  local ending = seen.kill and "killed" or seen.oom and "memory" or seen.exit_code == KILLED and "killed" or "died"
  return seen.exit_code and { ending = ending, exit_code = seen.exit_code, by_engine = seen.kill }
end

-- Or might a word on memory still come?
local function is_certain(reason)
  return reason.by_engine or reason.ending == "memory" or reason.exit_code == WALL_MISSING
end

--- Why its stream has ended, as the engine knows it.
---@async
---@param since_ms integer wall clock; what happened before isn't looked at
---@return BoxReason
function Box:reason(since_ms)
  local until_ms = host.clock.monotonic_ms() + math.min(REASON_MS, self.engine.patience_ms)
  local pause_ms, found = REASON_FIRST_MS, nil
  repeat
    local events, message, code = self.engine:events(self.id, since_ms)
    if not events then return { ending = "unknown", failure = { message, code } } end
    local was_found = found ~= nil
    found = read_events(events)
    if found and is_certain(found) then return found end
    if found and not was_found then until_ms = host.clock.monotonic_ms() + MEMORY_MS end
    host.clock.sleep_ms(pause_ms)
    pause_ms = math.min(pause_ms * 2, REASON_LONGEST_MS)
  until host.clock.monotonic_ms() >= until_ms
  return found or { ending = "runs" }
end

--- What a reason means as a failure.
---@param reason BoxReason
---@param message string the end of the stream, as the sandbox told it
---@return nil
---@return string message
---@return string code
function Box:failure(reason, message)
  if reason.failure then return nil, reason.failure[1], reason.failure[2] end
  if reason.ending == "runs" then
    return engine_faults.failure("engine away", ("the stream to %s ended while it runs: %s"):format(self.name, message))
  end
  local name = reason.ending == "died" and "container died" or "container killed from outside"
  local why = reason.ending == "memory" and ", out of memory" or ""
  return engine_faults.failure(name, ("%s, exit code %d%s: %s"):format(self.name, reason.exit_code, why, message))
end

-- ---- its end ----

local function remove(self)
  if self.was_started and self.engine:wait_removed(self.id, math.min(REMOVAL_MS, self.engine.patience_ms)) then
    return true
  end
  return self.engine:remove(self.id)
end

local function finish(self)
  if self.sandbox then
    local closed, message = host.task.within(self.engine.patience_ms, self.sandbox.close, self.sandbox)
    if not closed then host.log.debug("container_not_ended", { container = self.name, reason = message }) end
  end
  local removed, message, code = not self.is_uncertain, nil, nil
  if self.id then removed, message, code = remove(self) end
  if removed then
    if self.id then host.log.debug("container_removed", { container = self.name }) end
    return true
  end
  return nil, message, code
end

--- Ends everything within and waits until the engine has removed it. What it can't remove now is left to the owner, who is told.
--- May be called again, and by several at once.
---@async
---@return boolean gone false: it is the owner's now
function Box:close()
  -- In a task of its own: whoever is cancelled while he waits leaves nothing half done.
  if not self.closing then
    self.closing = host.task.spawn("end of " .. self.name, function()
      local gone, message = finish(self)
      if gone then self.owner:forget(self) else self.owner:remember(self, message) end
      return gone == true
    end)
  end
  local ended, gone = self.closing:join()
  return ended == true and gone
end

return box
