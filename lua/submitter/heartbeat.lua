--- A worker's signs of life, for `submitter health`: every few seconds, whatever it waits for, it leaves word that its loop
--- turns, and since when a good poll of its queue is due. A worker that hangs can't, and that is how it is told from one that
--- has nothing to do.
local host = require "submitter.host"

local heartbeat = {}

--- How often.
heartbeat.INTERVAL_MS = 5000

---@class Heartbeat
---@field task Task
local Heartbeat = {}
Heartbeat.__index = Heartbeat

-- No poll is due while no slot is free, nor from a worker that takes nothing any more.
local function is_full(worker)
  return worker.stopping or worker.in_flight >= worker:slots()
end

-- One sign. A disk that refuses it is told of once, and again when it says something else.
local function beat(worker, last)
  local now_ms = host.clock.now_ms()
  if is_full(worker) then last.due_ms = now_ms end
  local due_ms = math.max(last.due_ms, worker.last_poll_ms or 0)
  local left, message = worker.jobs:beat { alive_ms = now_ms, due_ms = due_ms }
  if not left and message ~= last.problem then host.log.warn("heartbeat_not_written", { reason = message }) end
  last.problem = message
end

--- Begins them, in a task of their own.
---@param worker Worker with `jobs`, `in_flight`, `stopping`, `last_poll_ms` and `slots()`
---@return Heartbeat
function heartbeat.start(worker)
  if type(worker) ~= "table" or not worker.jobs then error("expected heartbeat.start(worker)", 2) end
  local last = { due_ms = host.clock.now_ms() }
  local task = host.task.spawn("heartbeat", function()
    while true do
      beat(worker, last)
      host.clock.sleep_ms(heartbeat.INTERVAL_MS)
    end
  end)
  return setmetatable({ task = task }, Heartbeat)
end

--- Ends them.
---@async
function Heartbeat:stop()
  self.task:cancel "the worker ends"
  self.task:join()
end

return heartbeat
