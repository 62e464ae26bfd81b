--- The same work on many things, a few at a time: for what mostly waits.
local host = require "submitter.host"

local parallel = {}

local form = "parallel.each(list, limit, function(item, index) … return true end)"

-- Works on one item after the other that nobody has taken yet, until something goes wrong.
local function run(list, work, state)
  while not state.stopped and state.taken < #list do
    state.taken = state.taken + 1
    local done, message, code = work(list[state.taken], state.taken)
    if done == nil and not state.stopped then
      state.stopped = { message, code }
    end
  end
end

--- Calls a function for each item, so many at a time, and waits for all. After the first failure no other is begun; those
--- that are under way are waited for. When the caller is cancelled, or an item throws, none is begun any more either.
---@async
---@param list any[]
---@param limit integer how many at a time
---@param work fun(item:any, index:integer):any, string|nil, string|nil it waits; returns nil, message, code when it failed
---@return true|nil
---@return string|nil message the first failure's
---@return string|nil code
function parallel.each(list, limit, work)
  if type(list) ~= "table" or math.type(limit) ~= "integer" or limit < 1 or type(work) ~= "function" then
    error("expected " .. form, 2)
  end
  local state, tasks = { taken = 0 }, {}
  local guard <close> = setmetatable({}, { __close = function() -- luacheck: ignore 211
    state.stopped = state.stopped or {}
  end })
  for number = 1, math.min(limit, #list) do
    tasks[number] = host.task.spawn("in parallel", function()
      local returned, problem = xpcall(run, debug.traceback, list, work, state)
      if not returned and not state.thrown then state.thrown, state.stopped = problem, state.stopped or {} end
    end)
  end
  for _, task in ipairs(tasks) do task:join() end
  if state.thrown then error(state.thrown, 0) end
  if state.stopped then return nil, state.stopped[1], state.stopped[2] end
  return true
end

return parallel
