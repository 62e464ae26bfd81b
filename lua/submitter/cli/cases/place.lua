--- The assignment that the commands about cases name, and its cases where the configuration says that cases are.
local key = require "submitter.key"
local path = require "submitter.path"

local place = {}

-- Keys of cases hold no subid, and a location doesn't go without one.
local NO_SUBID = ("0"):rep(32)

---@class CasesPlace
---@field admin string
---@field event string
---@field assignment string
---@field text string the path as it is written, without a slash at either end
---@field root "/"|"" what keys in the bucket begin with

local function read(text)
  local parsed, message = path.parse(text, { least = 3, most = 3 })
  if not parsed then return nil, message end
  return {
    admin = parsed.admin, event = parsed.event, assignment = parsed.assignment, text = parsed.text,
    root = text:sub(1, 1) == "/" and "/" or "",
  }
end

--- Adds the argument PATH; `arguments.place` is then a CasesPlace. A slash in front says that the bucket's keys begin with one,
--- as the original's do.
---@param parser table argparse's
function place.argument(parser)
  parser:argument("PATH"):target("place"):argname("PATH"):convert(read)
    :description "ADMIN/EVENT/ASSIGNMENT; /ADMIN/… where the keys of the bucket begin with a slash"
end

--- Adds the option --mode.
---@param parser table argparse's
function place.mode(parser)
  parser:option("--mode"):argname("MODE"):choices({ "test", "grade" }):default("test")
    :description "test: the cases while the event runs (the default); grade: those for the final mark"
end

--- Where its keys begin.
---@param where CasesPlace
---@return Location|nil
---@return string|nil message
---@return "usage"|nil code
function place.location(where)
  local location, message = key.location(where.admin, where.event, where.assignment, NO_SUBID, where.root)
  if not location then return nil, message, "usage" end
  return location
end

--- Failures that the user can mend, by another path or other cases.
local of_the_user = { not_found = true, instructor = true, invalid = true, invalid_key = true, too_large = true,
  rejected = true, policy = true }

--- The code of a failure, as the command line knows it.
---@param code string|nil
---@return string|nil
function place.code(code)
  return of_the_user[code] and "usage" or code
end

--- Reads its cases, with the other spelling of the keys where only that is there.
---@async
---@param source table of submitter.cases
---@param where CasesPlace
---@param mode "test"|"grade"
---@return table|nil found as of a source
---@return Location|string location where they were; or the message
---@return string|nil code
function place.read(source, where, mode)
  local location, message, code = place.location(where)
  if not location then return nil, message, code end
  local found
  found, message, code = source:read { location = location, mode = mode, names = key.names(location, mode) }
  if found or code ~= "not_found" then return found, found and location or message, code end
  local other = location:with_root()
  local elsewhere, problem, why = source:read { location = other, mode = mode, names = key.names(other, mode) }
  if elsewhere then return elsewhere, other end
  -- He is told about what he named, unless nobody knows whether the other is there.
  if why ~= "not_found" then return nil, problem, why end
  return nil, message, code
end

return place
