--- How amounts and texts are written for people and read from them. Inside the program durations are integers in
--- milliseconds and sizes integers in bytes; only configuration, policy and messages use the forms of this file.

local units = {}

local duration_units = { ms = 1, s = 1000, m = 60 * 1000, h = 60 * 60 * 1000, d = 24 * 60 * 60 * 1000 }
local size_units = { b = 1, k = 1 << 10, m = 1 << 20, g = 1 << 30, t = 1 << 40 }

-- Beyond this a float can't hold every integer.
local largest = 1 << 53

-- No amount takes more; and the patterns below need time by the square of a text's length.
local amount_limit_bytes = 64

local function amount(number, factor)
  local value = tonumber(number)
  if not value then
    return nil
  end
  value = value * factor
  if value > largest then
    return nil
  end
  return math.floor(value + 0.5)
end

--- Reads a duration: `"250ms"`, `"5s"`, `"1.5m"`, `"1m30s"`, `"12h"`, `"1d"`. A bare number is refused, because nobody
--- can tell whether it means seconds; only 0 needs no unit.
---@param value any
---@return integer|nil milliseconds
---@return string|nil message
function units.milliseconds(value)
  if value == 0 or value == "0" then
    return 0
  end
  if math.type(value) then
    return nil, ('expected a duration with its unit, such as "%ss" or "%sms", found the number %s'):format(value, value,
      value)
  end
  if type(value) ~= "string" then
    return nil, 'expected a duration such as "250ms", "5s" or "2m", found a ' .. type(value)
  end
  local total, position = 0, 1
  while position <= #value do
    local number, unit, after
    if #value <= amount_limit_bytes then
      number, unit, after = value:match("^%s*(%d+%.?%d*)%s*(%a+)%s*()", position)
    end
    local part = number and duration_units[unit] and amount(number, duration_units[unit])
    if not part or total + part > largest then
      return nil, ('expected a duration such as "250ms", "5s" or "2m" (ms, s, m, h, d), found %s')
        :format(units.format_text(value))
    end
    total, position = total + part, after
  end
  if position == 1 then
    return nil, 'expected a duration such as "250ms", "5s" or "2m", found an empty text'
  end
  return total
end

--- Reads a size: `"64K"`, `"256M"`, `"1.5G"`, `"1T"`, `"512B"`, also `"64KiB"`; or an integer, in bytes. The multiples
--- are binary.
---@param value any
---@return integer|nil bytes
---@return string|nil message
function units.bytes(value)
  if math.type(value) then
    local whole = math.tointeger(value)
    if not whole or whole < 0 or whole > largest then
      return nil, ("expected a size in whole bytes from 0, found %s"):format(value)
    end
    return whole
  end
  if type(value) ~= "string" then
    return nil, 'expected a size such as "64K", "256M" or "1G", found a ' .. type(value)
  end
  local number, unit, suffix
  if #value <= amount_limit_bytes then
    number, unit, suffix = value:match("^%s*(%d+%.?%d*)%s*(%a?)(%a*)%s*$")
  end
  local factor = number and (unit == "" and 1 or size_units[unit:lower()])
  local is_known = factor and (suffix == "" or (suffix:lower() == "ib" and unit:lower() ~= "b"))
  local result = is_known and amount(number, factor)
  if not result then
    return nil, ('expected a size such as "64K", "256M" or "1G" (B, K, M, G, T; binary), found %s')
      :format(units.format_text(value))
  end
  return result
end

-- At most so many decimals, and no zeros at the end.
local function decimal(value, places)
  local text = ("%%.%df"):format(places):format(value)
  if text:find(".", 1, true) then
    text = text:gsub("0+$", ""):gsub("%.$", "")
  end
  return text
end

--- Writes a size as `units.bytes` reads it: `"512B"`, `"64K"`, `"1.5M"`. Rounded to one decimal.
---@param bytes integer
---@return string
function units.format_bytes(bytes)
  local letters = { "B", "K", "M", "G", "T" }
  local value, index = bytes, 1
  -- 1023.95 would be written as 1024.0.
  while value >= 1023.95 and index < #letters do
    value, index = value / 1024, index + 1
  end
  return decimal(value, 1) .. letters[index]
end

--- Writes a duration exactly, as `units.milliseconds` reads it: `"250ms"`, `"1.5s"`, `"1m30s"`, `"12h"`.
---@param milliseconds integer
---@return string
function units.format_ms(milliseconds)
  if milliseconds < 1000 then
    return ("%dms"):format(milliseconds)
  end
  local parts = {}
  for _, unit in ipairs { "d", "h", "m" } do
    local count = milliseconds // duration_units[unit]
    if count > 0 then
      parts[#parts + 1] = ("%d%s"):format(count, unit)
      milliseconds = milliseconds % duration_units[unit]
    end
  end
  if milliseconds > 0 then
    parts[#parts + 1] = decimal(milliseconds / 1000, 3) .. "s"
  end
  return table.concat(parts)
end

--- Writes any bytes for a message: in quotes, on one line, cut when long. Control characters and what isn't UTF-8 come
--- out as `\xNN`.
---@param bytes string
---@param limit_bytes integer|nil default 120
---@return string
function units.format_text(bytes, limit_bytes)
  limit_bytes = limit_bytes or 120
  local shown = bytes
  if #bytes > limit_bytes then
    shown = bytes:sub(1, limit_bytes)
    local _, bad = utf8.len(shown)
    -- The cut may have gone through a character; only then is the first bad byte that near to the end.
    if bad and bad > limit_bytes - 4 then
      shown = shown:sub(1, bad - 1)
    end
  end
  local strange = utf8.len(shown) and "[%c\127\"\\]" or "[%c\127-\255\"\\]"
  shown = shown:gsub(strange, function(character)
    if character == '"' or character == "\\" then
      return "\\" .. character
    end
    return ("\\x%02x"):format(character:byte())
  end)
  if #bytes > limit_bytes then
    return ('"%s…" (%d bytes)'):format(shown, #bytes)
  end
  return '"' .. shown .. '"'
end

--- A number as people write it: a whole one without a point.
---@param value number
---@return string
function units.format_number(value)
  local whole = math.tointeger(value)
  return whole and ("%d"):format(whole) or ("%.14g"):format(value)
end

--- So many of something: "1 case", "2 cases".
---@param number integer
---@param noun string in the singular; its plural ends in s
---@return string
function units.count(number, noun)
  return ("%d %s%s"):format(number, noun, number == 1 and "" or "s")
end

--- As many bytes as are allowed; cut in front of a character rather than through it, so that a cut never looks like an
--- invalid byte.
---@param bytes string
---@param limit integer
---@return string
---@return boolean was_cut
function units.cut(bytes, limit)
  if #bytes <= limit then return bytes, false end
  local stop = limit
  for _ = 1, 3 do
    local following = bytes:byte(stop + 1)
    if stop == 0 or following < 0x80 or following > 0xBF then break end
    stop = stop - 1
  end
  local following = bytes:byte(stop + 1)
  -- Four continuation bytes in a row are no character: such bytes are cut where they are.
  if following >= 0x80 and following <= 0xBF then stop = limit end
  return bytes:sub(1, stop), true
end

return units
