--- The first of several sources that has the cases.
local first = {}

---@class FirstCases
local Source = {}
Source.__index = Source

--- Goes on to the next only where there are none. A source that fails ends the search: which cases count must never depend on
--- what happens to be reachable.
---@async
---@param asked {location:Location, mode:"test"|"grade", names:Names}
---@return table|nil found
---@return string|nil message what every source lacks
---@return string|nil code
function Source:read(asked)
  local lacking = {}
  for _, source in ipairs(self.sources) do
    local found, message, code = source:read(asked)
    if found or code ~= "not_found" then return found, message, code end
    lacking[#lacking + 1] = message
  end
  return nil, table.concat(lacking, "; and "), "not_found"
end

--- Joins sources.
---@param sources table[] in the order in which they are asked, at least one
---@return FirstCases
function first.source(sources)
  if type(sources) ~= "table" or #sources == 0 then
    error("expected cases.first { source, … }, at least one source", 2)
  end
  return setmetatable({ name = "first", sources = sources }, Source)
end

return first
