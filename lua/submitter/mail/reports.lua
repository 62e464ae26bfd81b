--- What there is to tell a student: his report in the bucket, as it was published for him, beside what the database knows.
local host = require "submitter.host"
local key = require "submitter.key"
local submissions = require "submitter.submissions"

local reports = {}

-- Of what is larger the mail has the figures alone.
local REPORT_LIMIT_BYTES = 16 << 20

---@class MailReport
---@field result table what students see of the result
---@field attempt integer
---@field run integer
---@field csv string|nil the table
---@field csv_is_too_large boolean|nil

-- The objects of a submission, where its keys begin with a slash as well as where they don't.
local function get(store, row, name, limit_bytes)
  local code, message
  for _, root in ipairs(submissions.roots(store)) do
    local location, problem = key.location(row.administrator, row.event, row.assignment, row.subid, root)
    if not location then return nil, problem, "not_found" end
    local text
    text, message, code = store:get(key.names(location, row.mode)[name], { limit_bytes = limit_bytes })
    if text or code ~= "not_found" then return text, message, code end
  end
  return nil, message, code
end

-- Where there is no report to read, the figures are the database's; students see them anyway.
local function figures(row)
  return {
    event = row.event, assignment = row.assignment, mode = row.mode, verdict = row.verdict, passed = row.passed,
    total = row.total, points = row.points, max_points = row.max_points, attempt = row.attempt, run = row.run,
    submitted_at = host.clock.utc(row.submitted_at), finished_at = host.clock.utc(row.finished_at),
  }
end

local function read_result(store, row)
  local text, message, code = get(store, row, "result", REPORT_LIMIT_BYTES)
  if code == "not_found" or code == "too_large" then return false end
  if not text then return nil, message, code end
  local result = host.json.decode(text)
  if type(result) ~= "table" or not math.tointeger(result.attempt) or not math.tointeger(result.run) then
    return nil, ("the report of %s isn't one"):format(row.subid), "invalid"
  end
  return result
end

--- Reads it.
---@async
---@param store table
---@param row table of the statement claim_mail
---@param csv_limit_bytes integer a larger table is left out
---@return MailReport|false|nil report false: nothing is published
---@return string|nil message
---@return string|nil code of the store; "invalid": it is no report
function reports.read(store, row, csv_limit_bytes)
  local result, message, code = read_result(store, row)
  if result == nil then return nil, message, code end
  local csv
  csv, message, code = get(store, row, "out", csv_limit_bytes)
  local is_too_large = not csv and code == "too_large"
  if not csv and not is_too_large and code ~= "not_found" then return nil, message, code end
  if not result and not csv and not is_too_large then return false end
  result = result or figures(row)
  -- The names are the database's, which stand for the student's own handing in.
  result.event, result.assignment, result.mode = row.event, row.assignment, row.mode
  return {
    result = result, attempt = math.tointeger(result.attempt), run = math.tointeger(result.run), csv = csv,
    csv_is_too_large = is_too_large,
  }
end

return reports
