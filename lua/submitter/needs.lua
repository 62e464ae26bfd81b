--- What every submission needs beside bucket and queue, and which therefore may be away for all of them alike: the
--- database, where there is one, and what programs run on. While it is, failures say nothing about a message.
local host = require "submitter.host"
local sql = require "submitter.database.statements.session"

local needs = {}

---@class Needs
local Needs = {}
Needs.__index = Needs

local function database_need(database)
  return {
    problem = function()
      local away = database:state().away
      if away then return "the database is away", away.reason, away.since_ms end
    end,
    ask = function() return database:query(sql.ping, {}, { safe = true }) end,
  }
end

local function runner_need(runner)
  return {
    problem = function()
      local reason, since_ms = runner:problem()
      if reason then return "no program can be run", reason, since_ms end
    end,
    ask = function() return runner:reach() end,
  }
end

--- What is known to be away. Asks nobody.
---@return string|nil message
function Needs:problem()
  for _, need in ipairs(self) do
    local what, reason, since_ms = need.problem()
    if what then return ("%s since %s: %s"):format(what, host.clock.utc(since_ms), reason) end
  end
end

local function lacks(need, patience_ms)
  if patience_ms > 0 then
    local what, _, since_ms = need.problem()
    if not what or host.clock.now_ms() - since_ms < patience_ms then return nil end
  end
  local there, message, code = need.ask()
  if not there then return message, code end
end

--- Asks, and says why a worker that ends with the queue should end now: something isn't there.
---@async
---@param patience_ms integer only what has been away for so long is asked; 0: everything
---@return string|nil message nil: nothing is lacking
---@return string|nil code
function Needs:lacking(patience_ms)
  for _, need in ipairs(self) do
    local message, code = lacks(need, patience_ms)
    if message then return message .. "; what is in the queue is left there", code end
  end
end

--- What submissions need of this database and this runner.
---@param database table|nil the pool
---@param runner Runner
---@return Needs
function needs.of(database, runner)
  local self = setmetatable({}, Needs)
  if database then self[1] = database_need(database) end
  self[#self + 1] = runner_need(runner)
  return self
end

return needs
