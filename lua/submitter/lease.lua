--- Keeps a received message hidden from other workers for as long as it is worked on: a task beside it extends its
--- visibility at half of it.
local host = require "submitter.host"

local lease = {}

---@class Lease
local Lease = {}
Lease.__index = Lease

-- After a failed extension it is tried again this much sooner than at half the visibility.
local HASTE = 8

-- An extension that has no answer when the visibility ends came too late, whatever the answer will be. True and for how
-- long the message is hidden; or nil, message, code.
local function extend(self, hidden_until_ms)
  local left_ms = math.max(1, hidden_until_ms - host.clock.monotonic_ms())
  local extended, message, code = host.task.within(left_ms, self.queue.extend, self.queue, self.message,
    self.visibility_ms)
  if extended then return true, message or self.visibility_ms end
  if code == "timeout" then message = "the queue gave no answer before the message's visibility ended" end
  return nil, message, code
end

local function lose(self, reason)
  self.lost = true
  self.on_lost(reason)
end

local function watch(self)
  local visibility_ms = self.visibility_ms
  local hidden_until_ms = host.clock.monotonic_ms() + visibility_ms
  local pause_ms = math.max(1, visibility_ms // 2)
  while not self.ended:wait(pause_ms) do
    local before_ms = host.clock.monotonic_ms()
    local extended, result, code = extend(self, hidden_until_ms)
    if self.ended:is_set() then return end
    if extended then
      hidden_until_ms = before_ms + result
      pause_ms = math.max(1, result // 2)
    elseif code == "lease_lost" or host.clock.monotonic_ms() >= hidden_until_ms then
      return lose(self, result)
    else
      host.log.warn("lease_not_extended", { id = self.message.id, reason = result })
      pause_ms = math.max(1, visibility_ms // HASTE)
    end
  end
end

--- Begins to keep a message.
---@param options {queue:table, message:Message, visibility_ms:integer, on_lost:fun(reason:string)} on_lost: called when
--- the message belongs to somebody else by now; whatever is made of it must not be published
---@return Lease
function lease.keep(options)
  local self = setmetatable({
    queue = options.queue, message = options.message, visibility_ms = options.visibility_ms, on_lost = options.on_lost,
    lost = false, ended = host.task.event(),
  }, Lease)
  self.task = host.task.spawn("lease of " .. options.message.id, watch, self)
  return self
end

--- Ends it, and waits for an extension that is under way: afterwards nobody but the caller touches the message. May
--- be called again.
---@async
function Lease:stop()
  self.ended:set()
  self.task:join()
end

return lease
