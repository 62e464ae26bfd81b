--- Reads times as RFC 3339 writes them. Pure.

local time = {}

local month_days = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

-- Days since 1970-01-01 in the Gregorian calendar.
local function day_number(year, month, day)
  local days = 365 * (year - 1970) + (year - 1) // 4 - (year - 1) // 100 + (year - 1) // 400 - 477
  for before = 1, month - 1 do
    days = days + month_days[before] + (before == 2 and is_leap(year) and 1 or 0)
  end
  return days + day - 1
end

local function offset_s(zone)
  if zone == "Z" or zone == "z" then return 0 end
  local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
  if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then return nil end
  local seconds = tonumber(hours) * 3600 + tonumber(minutes) * 60
  return sign == "-" and -seconds or seconds
end

-- Seconds since the epoch, and the fraction that stood behind them.
local function parse(text)
  if type(text) ~= "string" then return nil end
  local year, month, day, hour, minute, second, rest = text:match(
    "^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)(.*)$")
  if not year then return nil end
  local fraction = rest:match "^%.%d+" or ""
  local offset = offset_s(rest:sub(#fraction + 1))
  year, month, day = math.tointeger(year), math.tointeger(month), math.tointeger(day)
  hour, minute, second = math.tointeger(hour), math.tointeger(minute), math.tointeger(second)
  local last_day = month_days[month] and month_days[month] + (month == 2 and is_leap(year) and 1 or 0)
  if not offset or not last_day or day < 1 or day > last_day or hour > 23 or minute > 59 or second > 60 then
    return nil
  end
  return day_number(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset, fraction
end

--- Reads a time, `2026-11-24T05:55:34Z`; also with a fraction, which is dropped, and with an offset.
---@param text any
---@return integer|nil seconds since the epoch; nil when it is no such time
function time.parse(text)
  return (parse(text))
end

--- The same to the millisecond; what is finer is dropped.
---@param text any
---@return integer|nil milliseconds since the epoch; nil when it is no such time
function time.parse_ms(text)
  local seconds, fraction = parse(text)
  if not seconds then return nil end
  return seconds * 1000 + tonumber(((fraction:sub(2) .. "000"):sub(1, 3)))
end

return time
