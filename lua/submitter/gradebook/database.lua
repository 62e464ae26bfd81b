--- The grade book from the database: a row for each student, assignment and mode.
local legible = require "submitter.record.legible"
local sql = require "submitter.database.statements.gradebook"
local units = require "submitter.units"

local database = {}

-- How many rows, with names of students in them, are held at a time.
local LIMIT_BYTES = 256 << 20

local function too_large(message, code)
  if code == "too_large" then message = message .. "; name an event or an assignment, or one --mode" end
  return nil, message, code
end

local function note(row)
  local notes = {}
  if row.failure_class then notes[#notes + 1] = "last grading failed: " .. row.failure_class end
  local unknown = row.unknown_tokens or 0
  if not row.subid then
    notes[#notes + 1] = "nothing handed in"
  elseif unknown > 0 then
    notes[#notes + 1] = ("%s unknown"):format(units.count(unknown, "token"))
  end
  return #notes > 0 and table.concat(notes, "; ") or nil
end

local function to_row(row)
  return {
    email = row.email, name = row.name, event = row.event, assignment = row.assignment, mode = row.mode,
    verdict = row.verdict, points = row.points, max_points = row.max_points, attempt = row.attempt,
    attempts = row.attempts, submitted_ms = row.submitted_at, late = row.late, subid = row.subid, tokens = row.tokens,
    note = note(row),
  }
end

-- "event/assignment" of those where the best attempt counts.
local function best_of(options)
  local path = options.path
  local found, message, code = options.database:query(sql.read_assignments, { legible.place(path) }, { safe = true })
  if not found then return nil, message, code end
  local best = {}
  for _, one in ipairs(found.rows) do
    local rule
    rule, message, code = options.rule { admin = path.admin, event = one.event, assignment = one.assignment }
    if not rule then return nil, message, code end
    if rule == "best" then best[#best + 1] = one.event .. "/" .. one.assignment end
  end
  return best
end

--- The rows, in no order.
---@async
---@param options {database:table, path:Path, mode:"test"|"grade"|nil, rule:fun(location:table):string|nil, string|nil,
--- string|nil} rule: which attempt of an assignment counts
---@return GradebookRow[]|nil
---@return string|nil message
---@return string|nil code
function database.rows(options)
  local best, message, code = best_of(options)
  if not best then return nil, message, code end
  local path, found = options.path
  local administrator, event, assignment = legible.place(path)
  found, message, code = options.database:query(sql.read_book,
    { administrator, event, assignment, path.subid or "", options.mode or "", best },
    { safe = true, limit_bytes = LIMIT_BYTES })
  if not found then return too_large(message, code) end
  local rows = {}
  for index, row in ipairs(found.rows) do rows[index] = to_row(row) end
  return rows
end

return database
