--- Calls of many tasks made into batches: each caller hands in one thing and waits for what became of it; up to ten that
--- come within a few milliseconds go out as one request.
---
--- One thing (a `key`) is in one batch at a time: who hands in the same key again waits until the first is settled.
--- What is refused for a reason that may pass is tried again with growing pauses, in another batch. A caller that is
--- cancelled takes his own along while it has not been sent yet, and nothing else.
local host = require "submitter.host"
local schema = require "submitter.schema"

local batches = {}

local ATTEMPTS = 4
local PAUSE_FIRST_MS, PAUSE_LONGEST_MS = 100, 2000

---@class Batches
local Batches = {}
Batches.__index = Batches

local function settle(self, item, ...)
  item.result = table.pack(...)
  self.busy[item.key] = nil
  item.settled:set()
end

local flush

-- Puts an item into the next batch, which goes when it is full or its first item has waited long enough.
local function enqueue(self, item)
  self.waiting[#self.waiting + 1] = item
  if #self.waiting >= self.limit then
    flush(self)
  elseif not self.lingers then
    self.lingers = true
    host.task.spawn(self.name .. ": gathering", function()
      host.clock.sleep_ms(self.linger_ms)
      self.lingers = false
      flush(self)
    end)
  end
end

-- When an item is tried again: growing, with jitter, so that those that failed together don't return together.
local function pause_ms(attempts)
  local longest_ms = math.min(PAUSE_LONGEST_MS, PAUSE_FIRST_MS << (attempts - 1))
  return longest_ms // 2 + math.random(0, longest_ms // 2)
end

local function try_again(self, items)
  if #items == 0 then return end
  host.clock.sleep_ms(pause_ms(items[1].attempts))
  for _, item in ipairs(items) do
    if item.abandoned then
      settle(self, item, nil, "its caller was cancelled", "cancelled")
    else
      enqueue(self, item)
    end
  end
end

-- Sends one batch and tells each caller his part.
local function send(self, items)
  local values, again = {}, {}
  for index, item in ipairs(items) do
    item.attempts = item.attempts + 1
    values[index] = item.value
  end
  local outcomes, message, code = self.perform(values)
  for index, item in ipairs(items) do
    local outcome = outcomes and outcomes[index] or { ok = false, message = message, code = code }
    if outcome.ok then
      settle(self, item, true)
    elseif outcome.again and item.attempts < ATTEMPTS then
      again[#again + 1] = item
    else
      settle(self, item, nil, outcome.message, outcome.code)
    end
  end
  try_again(self, again)
end

function flush(self)
  if #self.waiting == 0 then return end
  local items = table.move(self.waiting, 1, math.min(self.limit, #self.waiting), 1, {})
  table.move(self.waiting, #items + 1, #self.waiting + #items, 1)
  host.task.spawn(self.name .. ": batch", function()
    local returned, problem = xpcall(send, debug.traceback, self, items)
    for _, item in ipairs(items) do
      -- Nobody may wait for what will never come.
      if not returned and self.busy[item.key] == item then settle(self, item, nil, problem, "unavailable") end
    end
    if not returned then host.log.error("batch_error", { batch = self.name, traceback = problem }) end
  end)
end

-- Takes an item out that was not sent yet.
local function withdraw(self, item)
  for index, one in ipairs(self.waiting) do
    if one == item then
      table.remove(self.waiting, index)
      return settle(self, item, nil, "its caller was cancelled", "cancelled")
    end
  end
  item.abandoned = true
end

--- Hands in one value and waits for what became of it.
---@async
---@param key string what it concerns
---@param value any for `perform`
---@return true|nil
---@return string|nil message
---@return string|nil code
function Batches:submit(key, value)
  while self.busy[key] do self.busy[key].settled:wait() end
  local item = { key = key, value = value, attempts = 0, settled = host.task.event() }
  self.busy[key] = item
  enqueue(self, item)
  local waited, problem = pcall(item.settled.wait, item.settled)
  if not waited then
    if not item.result then withdraw(self, item) end
    error(problem, 0)
  end
  return table.unpack(item.result, 1, item.result.n)
end

local known = { name = true, limit = true, linger_ms = true, perform = true }

--- A maker of batches.
---@param options {name:string, limit:integer|nil, linger_ms:integer|nil, perform:fun(values:any[]):table[]|nil,
--- string|nil, string|nil} limit: default 10; linger_ms: for how long the first waits for more, default 5; perform:
--- sends the values and returns for each, in their order, `{ ok =, message =, code =, again = }`, or nil, message, code
--- for all of them; it waits
---@return Batches
function batches.new(options)
  schema.check_options(options, known, "batches.new{ name =, limit =, linger_ms =, perform = }")
  if type(options.perform) ~= "function" or type(options.name) ~= "string" then
    error("expected batches.new{ name =, limit =, linger_ms =, perform = }", 2)
  end
  return setmetatable({
    name = options.name, limit = options.limit or 10, linger_ms = options.linger_ms or 5, perform = options.perform,
    waiting = {}, busy = {}, lingers = false,
  }, Batches)
end

return batches
