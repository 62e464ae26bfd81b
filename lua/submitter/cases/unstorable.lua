--- What a text of PostgreSQL can't hold: NUL bytes, and bytes that aren't UTF-8.
local units = require "submitter.units"

local REMEDY = "save text as UTF-8; leave other cases in the bucket, which takes any byte"

-- What is wrong with a text, or nil.
local function problem(text)
  local nul = text:find("\0", 1, true)
  local length, invalid = utf8.len(text)
  if nul and (length or nul < invalid) then return "a NUL byte", nul - 1 end
  if not length then return ("the byte 0x%02X, which is no UTF-8"):format(text:byte(invalid)), invalid - 1 end
end

--- Says where cases hold what the database can't. PostgreSQL itself would refuse all of them at once and name no place.
---@param list table[] case records
---@return string|nil message names case and offset; nil where all of it fits
return function(list)
  for _, case in ipairs(list) do
    for _, half in ipairs { { "name", "the name" }, { "input", "the input" }, { "expected", "what is expected" } } do
      local text = case[half[1]]
      local what, offset = problem(text or "")
      if what then
        return ("case %d%s: %s has %s at byte offset %d, and a text in the database can't hold it; %s"):format(
          case.number, case.name and (" (%s)"):format(units.format_text(case.name, 60)) or "", half[2], what, offset,
          REMEDY)
      end
    end
  end
end
