--- Permissions to use something of which there are only so many, given in the order in which they were asked for.
local host = require "submitter.host"

local turns = {}

---@class Turns
---@field free integer how many nobody has
---@field waiting table[] those who wait, the first first
local Turns = {}
Turns.__index = Turns

local function withdraw(self, waiter)
  for index, one in ipairs(self.waiting) do
    if one == waiter then return table.remove(self.waiting, index) end
  end
  return nil
end

--- Gives one back: the first who waits has it.
function Turns:give()
  local first = table.remove(self.waiting, 1)
  if not first then
    self.free = self.free + 1
    return
  end
  first.has_turn = true
  first.called:set()
end

--- Takes one, and waits for it. Who is cancelled while he waits leaves the line, and what he was given goes to the next.
---@async
---@param timeout_ms integer
---@return true|nil taken nil: not in this time
function Turns:take(timeout_ms)
  if self.free > 0 then
    self.free = self.free - 1
    return true
  end
  local waiter = { called = host.task.event() }
  self.waiting[#self.waiting + 1] = waiter
  local waited, problem = pcall(waiter.called.wait, waiter.called, timeout_ms)
  if not waited then
    if waiter.has_turn then self:give() else withdraw(self, waiter) end
    error(problem, 0)
  end
  if waiter.has_turn then return true end
  withdraw(self, waiter)
  return nil
end

--- So many, all of them free.
---@param count integer
---@return Turns
function turns.new(count)
  return setmetatable({ free = count, waiting = {} }, Turns)
end

return turns
