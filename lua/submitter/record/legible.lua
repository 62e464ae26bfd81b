--- What students, keys and documents hold, as PostgreSQL can store it: text is UTF-8 without NUL
--- (https://www.postgresql.org/docs/current/datatype-character.html), and jsonb refuses \u0000 as well
--- (https://www.postgresql.org/docs/current/datatype-json.html). Whatever it is, something that can be read comes of it.
local host = require "submitter.host"
local time = require "submitter.time"

local legible = {}

-- Nothing that a worker writes is nested deeper than a few levels; what was read from a bucket may be.
local DEPTH = 64

--- A text: NUL as the two characters \0, as the tables of students have it, and bytes that are no UTF-8 as U+FFFD.
---@param bytes string
---@return string
function legible.text(bytes)
  if not utf8.len(bytes) then bytes = host.text.repair(bytes) end
  if bytes:find("\0", 1, true) then bytes = bytes:gsub("%z", "\\0") end
  return bytes
end

--- A part of a key: bytes that are no UTF-8 as \xff, each by itself, because two names must not become one.
---@param bytes string
---@return string
function legible.name(bytes)
  local parts, from = {}, 1
  while true do
    local good, wrong = utf8.len(bytes, from)
    if good then
      if from == 1 then return bytes end
      parts[#parts + 1] = bytes:sub(from)
      return table.concat(parts)
    end
    parts[#parts + 1] = bytes:sub(from, wrong - 1)
    parts[#parts + 1] = ("\\x%02x"):format(bytes:byte(wrong))
    from = wrong + 1
  end
end

--- Where something is, as the database's names have it; what a path doesn't say is an empty text, which asks for all.
---@param where {admin:string, event:string|nil, assignment:string|nil}
---@return string administrator
---@return string event
---@return string assignment
function legible.place(where)
  return legible.name(where.admin), legible.name(where.event or ""), legible.name(where.assignment or "")
end

--- A text that may be missing.
---@param value any
---@return string|nil nil where there is no text
function legible.optional(value)
  return type(value) == "string" and legible.text(value) or nil
end

--- An integer that a column of four or eight bytes can hold.
---@param value any
---@param bits 32|64
---@return integer|nil nil where there is none
function legible.integer(value, bits)
  local whole = math.type(value) and math.tointeger(value)
  if whole and bits == 32 and (whole < -0x80000000 or whole > 0x7FFFFFFF) then return nil end
  return whole or nil
end

--- A number that can be counted with.
---@param value any
---@return number|nil nil where there is none
function legible.number(value)
  if not math.type(value) or value ~= value or value == math.huge or value == -math.huge then return nil end
  return value
end

--- A moment as documents write it (RFC 3339), in the form that is ordered as a text.
---@param value any
---@return string|nil nil where it is none, or from before there were computers
function legible.moment(value)
  local epoch_ms = time.parse_ms(value)
  return epoch_ms and epoch_ms >= 0 and host.clock.utc(epoch_ms) or nil
end

local function clean(value, depth)
  local kind = type(value)
  if kind == "string" then return legible.text(value) end
  if kind == "boolean" or legible.number(value) then return value end
  if kind ~= "table" or depth == 0 then return host.json.null end
  local copy = {}
  -- Rather an array than an object, as JSON's decoder and encoder have it; an empty one says by its mark which it is.
  if #value > 0 then
    for index = 1, #value do copy[index] = clean(value[index], depth - 1) end
    return host.json.array(copy)
  end
  for name, member in pairs(value) do
    if type(name) == "string" then copy[legible.text(name)] = clean(member, depth - 1) end
  end
  return next(copy) == nil and getmetatable(value) and setmetatable(copy, getmetatable(value)) or copy
end

--- A document as jsonb takes it: its texts and the names of its members made legible, numbers that JSON has no form for null.
---@param document table
---@param without table<string, true>|nil members of the document that are left out
---@return string JSON
function legible.json(document, without)
  local chosen = {}
  for name, member in pairs(document) do
    if not (without and without[name]) then chosen[name] = member end
  end
  return host.json.encode(clean(chosen, DEPTH))
end

return legible
