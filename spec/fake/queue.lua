--- A queue in memory. What became of each message is in `queue.deleted`, `queue.dead`,
--- `queue.failed` and `queue.released`, by id.
local host = require "submitter.host"

local Queue = {}
Queue.__index = Queue

function Queue:send(body)
  self.count = self.count + 1
  local message = { id = "message" .. self.count, body = body, receives = 0, failures = 0, sent_ms = 0 }
  self.ready[#self.ready + 1] = message
  self.changed:set()
  return message.id
end

function Queue:receive(options)
  assert(options.max >= 1, "a worker without a free slot asks for nothing")
  self.largest_wanted = math.max(self.largest_wanted, options.max)
  local message, code = self.trouble("receive")
  if message then return nil, message, code end
  if #self.ready == 0 and options.wait_ms > 0 then self.changed:wait(options.wait_ms) end
  self.changed:clear()
  local received = {}
  while #received < options.max and #self.ready > 0 do
    local one = table.remove(self.ready, 1)
    one.receives = one.receives + 1
    self.held[one.id] = one
    received[#received + 1] = one
  end
  return received
end

local function settle(self, verb, message)
  local problem, code = self.trouble(verb)
  if problem then return nil, problem, code end
  if not self.held[message.id] then return nil, "it belongs to somebody else", "lease_lost" end
  return true
end

function Queue:extend(message)
  self.extended = self.extended + 1
  return settle(self, "extend", message)
end

function Queue:delete(message)
  local done, problem, code = settle(self, "delete", message)
  if not done then return nil, problem, code end
  self.held[message.id] = nil
  self.deleted[message.id] = message
  return true
end

function Queue:fail(message, delay_ms)
  local done, problem, code = settle(self, "fail", message)
  if not done then return nil, problem, code end
  self.held[message.id] = nil
  message.failures = message.failures + 1
  self.failed[message.id] = self.failed[message.id] or {}
  table.insert(self.failed[message.id], delay_ms)
  -- Time passes at once here.
  self.ready[#self.ready + 1] = message
  self.changed:set()
  return true
end

function Queue:release(message, delay_ms)
  local done, problem, code = settle(self, "release", message)
  if not done then return nil, problem, code end
  self.held[message.id] = nil
  self.released[message.id] = self.released[message.id] or {}
  table.insert(self.released[message.id], delay_ms)
  self.ready[#self.ready + 1] = message
  self.changed:set()
  return true
end

function Queue:dead_letter(message, reason, class)
  local done, problem, code = settle(self, "dead_letter", message)
  if not done then return nil, problem, code end
  self.held[message.id] = nil
  self.dead[message.id] = { reason = reason, class = class, failures = message.failures + 1 }
  return true
end

function Queue:depth()
  local held = 0
  for _ in pairs(self.held) do held = held + 1 end
  return { ready = #self.ready, held = held, dead = 0 }
end

return {
  --- `queue.trouble(verb)` may return a message and a code, and then that call fails.
  open = function()
    local queue = setmetatable({
      ready = {}, held = {}, deleted = {}, dead = {}, failed = {}, released = {}, count = 0, extended = 0,
      largest_wanted = 0, changed = host.task.event(), trouble = function() end,
    }, Queue)
    return queue
  end,
}
