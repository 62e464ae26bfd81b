--- Puts cases into the database in the place of those of an assignment and mode, in one transaction: who grades meanwhile gets
--- the old ones or the new ones.
local host = require "submitter.host"
local legible = require "submitter.record.legible"
local limits = require "submitter.cases.limits"
local sql = require "submitter.database.statements.cases"
local unstorable = require "submitter.cases.unstorable"

local function text_bytes(list)
  local total = 0
  for _, case in ipairs(list) do total = total + #case.input + #case.expected end
  return total
end

local function check(list)
  if #list > limits.cases then
    return nil, ("%d cases are more than %d, the most of an assignment; make several assignments of it"):format(
      #list, limits.cases), "instructor"
  elseif text_bytes(list) > limits.all_bytes then
    return nil, ("the cases have %d bytes together, more than %d; make them smaller, or fewer"):format(
      text_bytes(list), limits.all_bytes), "instructor"
  end
  local message = unstorable(list)
  if message then return nil, message, "instructor" end
  return true
end

-- Makes administrator, event and assignment, each as far as it isn't there yet, and says which that were.
local function make_missing(transaction, place)
  local made = {}
  local result, message, code = transaction:query(sql.make_administrator, { place.admin })
  if not result then return nil, message, code end
  if result.count > 0 then made[#made + 1] = "administrator " .. place.admin end
  result, message, code = transaction:query(sql.make_event, { place.admin, place.event })
  if not result then return nil, message, code end
  if result.count > 0 then made[#made + 1] = "event " .. place.event end
  result, message, code = transaction:query(sql.make_assignment, { place.admin, place.event, place.assignment })
  if not result then return nil, message, code end
  if result.count > 0 then made[#made + 1] = "assignment " .. place.assignment end
  return made
end

-- The id of the assignment, which nobody else changes until the end.
local function lock(transaction, place)
  local result, message, code = transaction:query(sql.lock_assignment, { place.admin, place.event, place.assignment })
  if not result then return nil, message, code end
  if result.rows[1] then return result.rows[1].id end
  return nil, "the assignment was deleted at the same moment; import again", "unavailable"
end

local function is_same(row, case)
  return row.position == case.number and row.name == case.name and row.form == case.form
    and row.points == case.points and row.visibility == case.visibility
    and row.input_sha256 == host.digest.sha256(case.input) and row.expected_sha256 == host.digest.sha256(case.expected)
end

local function are_same(rows, list)
  if #rows ~= #list then return false end
  for index, row in ipairs(rows) do
    if not is_same(row, list[index]) then return false end
  end
  return true
end

local function count_own(rows)
  local count = 0
  for _, row in ipairs(rows) do
    if row.points or row.visibility then count = count + 1 end
  end
  return count
end

-- What COPY takes, in the order of its columns.
local function copied(id, mode, list)
  local null, rows = host.postgres.null, {}
  for index, case in ipairs(list) do
    rows[index] = {
      id, mode, case.number, case.name or null, case.form, case.input, case.expected, case.points or null,
      case.visibility or null,
    }
  end
  return rows
end

-- How many stood.
local function write(transaction, id, mode, list)
  local deleted, message, code = transaction:query(sql.delete_cases, { id, mode })
  if not deleted then return nil, message, code end
  local written
  written, message, code = transaction:copy(sql.copy_cases, copied(id, mode, list))
  if not written then return nil, message, code end
  return deleted.count
end

--- Replaces them. Where the very same stand already nothing is written, and workers that know them needn't read them again.
---@async
---@param database table a pool of submitter.database
---@param named {admin:string, event:string, assignment:string} as in keys; the database has them as `record.legible` writes
--- them
---@param mode "test"|"grade"
---@param list table[] case records, numbered from 1 on
---@return {made:string[], replaced:integer, own:integer, unchanged:boolean}|nil done made: which of administrator, event and
--- assignment weren't there before. replaced: how many cases stood. own: how many of them had points or a visibility.
---@return string|nil message
---@return "instructor"|"unavailable"|"environment"|string|nil code
return function(database, named, mode, list)
  local fits, message, code = check(list)
  if not fits then return nil, message, code end
  local place = {
    admin = legible.name(named.admin), event = legible.name(named.event), assignment = legible.name(named.assignment),
  }
  return database:transaction(function(transaction)
    local made, problem, kind = make_missing(transaction, place)
    if not made then return nil, problem, kind end
    local id
    id, problem, kind = lock(transaction, place)
    if not id then return nil, problem, kind end
    local standing
    standing, problem, kind = transaction:query(sql.standing_cases, { id, mode, limits.cases + 1 })
    if not standing then return nil, problem, kind end
    local done = {
      made = made, replaced = #standing.rows, own = count_own(standing.rows), unchanged = are_same(standing.rows, list),
    }
    if done.unchanged then return done end
    done.replaced, problem, kind = write(transaction, id, mode, list)
    if not done.replaced then return nil, problem, kind end
    return done
  end, { safe = true })
end
