--- Sandboxes that are made before anybody needs them, for both kinds of runner. Making one takes longer than a small program
--- runs, so it is done beforehand, and never by whoever measures: `fill` is called when a submission has ended.
local host = require "submitter.host"
local parallel = require "submitter.parallel"
local schema = require "submitter.schema"

local pool = {}

-- So many are ended at a time.
local ENDED_AT_ONCE = 8

---@class Pool
---@field wanted integer how many are to be ready
---@field entries Task[] those that are ready or being made, the oldest first; each returns what `build` did
local Pool = {}
Pool.__index = Pool

-- ---- how many are made at a time ----

--- Waits for its turn to make one, where only so many may be made at a time. Who needs one now goes before all that is made for
--- later. Give it back with `leave`.
---@async
---@param is_urgent boolean|nil
function Pool:enter(is_urgent)
  if not self.at_once then return end
  if self.making < self.at_once then
    self.making = self.making + 1
    return
  end
  local turn = host.task.event()
  local line = is_urgent and self.urgent or self.patient
  line[#line + 1] = turn
  turn:wait()
end

--- The next may begin.
function Pool:leave()
  if not self.at_once then return end
  local turn = table.remove(self.urgent, 1) or table.remove(self.patient, 1)
  if turn then turn:set() else self.making = self.making - 1 end
end

-- Makes one in its turn, and says what came of it.
local function make(self, is_urgent, build, ...)
  self:enter(is_urgent)
  -- Nobody wants it any more: the pool was drained meanwhile.
  if not is_urgent and self.wanted == 0 then
    self:leave()
    return nil, "not needed", "sandbox"
  end
  local result = table.pack(xpcall(build, debug.traceback, ...))
  self:leave()
  if not result[1] then error(result[2], 0) end
  return table.unpack(result, 2, result.n)
end

--- Makes one for somebody who waits for it, with what he says. In a task that nobody cancels, where `at_once` was given.
---@async
---@param build fun(...):any, string|nil, string|nil
---@return any ... what build returned
function Pool:make_now(build, ...)
  return make(self, true, build, ...)
end

-- ---- what is ready ----

--- Begins to make as many as are missing. Doesn't wait.
function Pool:fill()
  while #self.entries < self.wanted do
    self.entries[#self.entries + 1] = host.task.spawn(self.name, make, self, false, self.build)
  end
end

--- Keeps so many ready from now on, and begins to make them.
---@param count integer
function Pool:want(count)
  self.wanted = count
  self:fill()
end

-- Removes one: the oldest that is done, else the oldest.
local function remove(self)
  for index, entry in ipairs(self.entries) do
    if entry:done() then return table.remove(self.entries, index) end
  end
  return table.remove(self.entries, 1)
end

--- The next one, for whoever asks; waits where it is still being made. Those that couldn't be made are forgotten. Whoever is
--- cancelled while he waits leaves it in the pool.
---@async
---@return any|nil nil: none
function Pool:take()
  while #self.entries > 0 do
    local entry = remove(self)
    local waited, ended, made = pcall(entry.join, entry)
    if not waited then
      table.insert(self.entries, 1, entry)
      error(ended, 0)
    end
    if ended and made then return made end
  end
end

--- The first one, which stays where it is: whether any can be made.
---@async
---@return any|nil
---@return string|nil message
---@return string|nil code
function Pool:first()
  local ended, made, message, code = self.entries[1]:join()
  if not ended then return nil, "the sandbox didn't start: " .. tostring(made), "sandbox" end
  if not made then return nil, message, code end
  return made
end

--- Wants none any more, and ends those that are there, a few at a time.
---@async
---@param finish fun(made:any)
function Pool:drain(finish)
  self.wanted = 0
  local entries = self.entries
  self.entries = {}
  parallel.each(entries, ENDED_AT_ONCE, function(entry)
    local ended, made = entry:join()
    if ended and made then finish(made) end
    return true
  end)
end

local option_names = { name = true, build = true, at_once = true }
local option_form = 'pool.new{ name = "sandbox made ready", build = function() … end }'

--- A pool that wants none yet.
---@param options {name:string, build:fun():any, string|nil, string|nil, at_once:integer|nil} name: of the tasks that make one;
--- build: makes one, or gives nil, message, code; at_once: how many are made at a time (default: any number)
---@return Pool
function pool.new(options)
  schema.check_options(options, option_names, option_form)
  if type(options.name) ~= "string" or type(options.build) ~= "function" then error("expected " .. option_form, 2) end
  return setmetatable({
    name = options.name, build = options.build, at_once = options.at_once, wanted = 0, entries = {}, making = 0,
    urgent = {}, patient = {},
  }, Pool)
end

return pool
