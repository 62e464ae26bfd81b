--- The grade book: who handed in what, and what came of it. From the database where one is configured, else from the bucket.
local bucket = require "submitter.gradebook.bucket"
local counting = require "submitter.gradebook.counting"
local database = require "submitter.gradebook.database"
local schema = require "submitter.schema"

local gradebook = {
  csv = require("submitter.gradebook.csv").render,
  json = require("submitter.gradebook.json").render,
}

---@class GradebookRow what isn't known is nil
---@field email string|nil the student's; nil too where nobody has the tokens
---@field name string|nil the student's
---@field event string
---@field assignment string
---@field mode "test"|"grade"
---@field verdict string|nil of the attempt that counts; nil where there is none
---@field points number|nil
---@field max_points number|nil
---@field attempt integer|nil which of its submission counts
---@field attempts integer how many there were
---@field submitted_ms integer|nil when it was uploaded
---@field late boolean|nil whether that was after the event's end
---@field subid string|nil
---@field tokens integer|nil how many students handed it in
---@field note string|nil

-- Students in the order of their addresses, what nobody is known of behind them.
local function position(row)
  return {
    row.event, row.assignment, row.mode == "test" and "0" or "1", row.email and "0" or "1", (row.email or ""):lower(),
    row.email or "", row.subid or "",
  }
end

local function sort(rows)
  local positions = {}
  for _, row in ipairs(rows) do positions[row] = position(row) end
  table.sort(rows, function(left, right)
    local one, other = positions[left], positions[right]
    for index = 1, #one do
      if one[index] ~= other[index] then return one[index] < other[index] end
    end
    return false
  end)
  return rows
end

local form = "gradebook.rows{ services =, path =, mode = }"
local names = { services = true, path = true, mode = true }

--- The rows of the grade book below a path, always in the same order: by event, assignment, mode and student.
---@async
---@param options {services:table, path:Path, mode:"test"|"grade"|nil} services: configuration, store, policy_directory, and
--- database, where there is one; mode: nil for both
---@return GradebookRow[]|nil
---@return string|nil message
---@return string|nil code
function gradebook.rows(options)
  schema.check_options(options, names, form)
  local services = options.services
  if not services or not options.path then error("expected " .. form, 2) end
  local rows, message, code
  if services.database then
    rows, message, code = database.rows {
      database = services.database, path = options.path, mode = options.mode,
      rule = function(location) return counting.rule(services, location) end,
    }
  else
    rows, message, code = bucket.rows { store = services.store, path = options.path, mode = options.mode }
  end
  if not rows then return nil, message, code end
  return sort(rows)
end

return gradebook
