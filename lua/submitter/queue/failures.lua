--- How often the messages of a queue that keeps no such count have failed, as far as this process knows. SQS counts
--- receipts only, and a receipt is no failure: a worker may have been killed, or told to stop.
---
--- The memory is bounded: when it is full, the half that was not touched for longest is forgotten.
local failures = {}

---@class Failures
local Failures = {}
Failures.__index = Failures

-- What this process remembers of a message.
local function remembered(self, id)
  return self.young[id] or self.old[id] or 0
end

--- What counts as failures of a message when it is received for the `receives`-th time: what is remembered, or more when
--- it was received so often that others must have failed, too. So a message is given up at the latest when it is
--- received for the 2 × limit-th time, however many workers there are and however often they were started anew.
---@param id string
---@param receives integer this time included
---@return integer
function Failures:of(id, receives)
  return math.max(remembered(self, id), receives - self.failure_limit - 1)
end

--- Remembers the failures of a message.
---@param id string
---@param count integer
function Failures:set(id, count)
  if not self.young[id] then
    self.count = self.count + 1
    if self.count > self.most // 2 then
      self.old, self.young, self.count = self.young, {}, 1
    end
  end
  self.young[id] = count
end

--- Forgets a message that has come to its end.
---@param id string
function Failures:forget(id)
  if self.young[id] then
    self.young[id] = nil
    self.count = self.count - 1
  end
  self.old[id] = nil
end

--- An empty memory.
---@param failure_limit integer failures after which a message is given up
---@param most integer|nil messages that are remembered; default 20000
---@return Failures
function failures.new(failure_limit, most)
  return setmetatable({
    failure_limit = failure_limit, most = most or 20000, young = {}, old = {}, count = 0,
  }, Failures)
end

return failures
