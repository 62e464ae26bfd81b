--- How far a program stayed from each of its limits: the case that came the nearest, and how near.
local margins = {}

-- In the order in which they are told. What a program prints to both streams counts towards one limit.
local measures = {
  { name = "cpu", limit = "cpu_ms", of = function(result) return result.cpu_us / 1000 end },
  { name = "wall", limit = "wall_ms", of = function(result) return result.wall_us / 1000 end },
  { name = "memory", limit = "memory_bytes", of = function(result) return result.memory_bytes end },
  { name = "output", limit = "output_bytes", of = function(result) return #result.stdout + #result.stderr end },
}

---@class Margins
local Margins = {}
Margins.__index = Margins

--- Takes one more result into account.
---@param number integer the case's
---@param result SandboxResult
function Margins:add(number, result)
  for _, measure in ipairs(measures) do
    local value, largest = measure.of(result), self.largest[measure.name]
    if not largest or value > largest.value then self.largest[measure.name] = { value = value, case = number } end
  end
end

--- The nearest of each, where any case has run.
---@param limits SandboxLimits
---@return {name:"cpu"|"wall"|"memory"|"output", largest:number, limit:integer, share:number, case:integer}[] largest and limit in
--- milliseconds or bytes; share: of the limit, 1 for all of it
function Margins:list(limits)
  local list = {}
  for _, measure in ipairs(measures) do
    local largest, limit = self.largest[measure.name], limits[measure.limit]
    if largest then
      list[#list + 1] = {
        name = measure.name, largest = largest.value, limit = limit, share = largest.value / limit, case = largest.case,
      }
    end
  end
  return list
end

--- None yet.
---@return Margins
function margins.new()
  return setmetatable({ largest = {} }, Margins)
end

return margins
