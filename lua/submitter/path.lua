--- PATH of the command line: `ADMIN[/EVENT[/ASSIGNMENT[/SUBID]]]`, what is below it in bucket and database. Pure.
local key = require "submitter.key"
local units = require "submitter.units"

local path = {}

local parts = { "admin", "event", "assignment", "subid" }
local forms = { "ADMIN", "ADMIN/EVENT", "ADMIN/EVENT/ASSIGNMENT", "ADMIN/EVENT/ASSIGNMENT/SUBID" }

---@class Path
---@field admin string
---@field event string|nil
---@field assignment string|nil
---@field subid string|nil
---@field depth integer how many of them are there, 1 to 4
---@field text string the path as it is written, without a slash at either end

local function expected(least, most)
  local allowed = {}
  for depth = least, most do allowed[#allowed + 1] = forms[depth] end
  return table.concat(allowed, " or ")
end

--- Reads a path. A slash at the beginning or at the end doesn't count.
---@param text string
---@param options {least:integer|nil, most:integer|nil}|nil how many parts it must have (default 1) and may have (default 4)
---@return Path|nil
---@return string|nil message
---@return "usage"|nil code
function path.parse(text, options)
  local least, most = options and options.least or 1, options and options.most or 4
  local result = { depth = 0, text = (text:gsub("^/", "", 1):gsub("/$", "", 1)) }
  local good, message = key.check(result.text)
  if not good then return nil, ("%s; expected %s"):format(message, expected(least, most)), "usage" end
  for segment in result.text:gmatch "[^/]+" do
    result.depth = result.depth + 1
    if result.depth > #parts then break end
    result[parts[result.depth]] = segment
  end
  if result.depth < least or result.depth > most then
    return nil, ("the path %s has %s; expected %s"):format(units.format_text(result.text, 80),
      result.depth == 1 and "one part" or ("%d parts"):format(result.depth), expected(least, most)), "usage"
  end
  if result.subid and (#result.subid ~= 32 or result.subid:find "[^0-9a-f]") then
    return nil, ("the path %s ends in %s, which is no subid: 32 lower-case hexadecimal digits"):format(
      units.format_text(result.text, 80), units.format_text(result.subid, 40)), "usage"
  end
  return result
end

--- Does something lie below the path, or is it just what the path names?
---@param self Path
---@param location {admin:string, event:string, assignment:string, subid:string}
---@return boolean
function path.covers(self, location)
  for depth = 1, self.depth do
    if self[parts[depth]] ~= location[parts[depth]] then return false end
  end
  return true
end

return path
