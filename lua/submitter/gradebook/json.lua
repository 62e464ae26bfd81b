--- The grade book as JSON: an array of objects, with null where there is nothing. Pure.
local csv = require "submitter.gradebook.csv"
local host = require "submitter.host"

local json = {}

local function plain(value)
  if value == nil then return host.json.null end
  if type(value) == "string" then return (host.text.repair(value)) end
  return math.tointeger(value) or value
end

--- The whole book.
---@param rows GradebookRow[]
---@return string
function json.render(rows)
  local list = host.json.array {}
  for index, row in ipairs(rows) do
    local object = {}
    for _, name in ipairs(csv.NAMES) do object[name] = plain(row[name]) end
    object.submitted_at = row.submitted_ms and host.clock.utc(row.submitted_ms) or host.json.null
    list[index] = host.json.ordered(csv.NAMES, object)
  end
  return host.json.encode(list, { indent = 2 })
end

return json
