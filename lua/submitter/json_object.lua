--- Texts that strangers wrote and that have to hold one JSON object: documents, messages, events. Pure.

local host = require "submitter.host"
local units = require "submitter.units"

local json_object = {}

local byte_order_mark = "\xEF\xBB\xBF"

--- What stands where something else was expected, for a message: `the number 42`, `an array`, `"text"`.
---@param value any decoded JSON; nil is "nothing"
---@return string
function json_object.found(value)
  local kind = type(value)
  if value == nil then
    return "nothing"
  elseif value == host.json.null then
    return "null"
  elseif kind == "string" then
    return units.format_text(value, 80)
  elseif kind == "table" then
    return #value > 0 and "an array" or next(value) ~= nil and "an object" or "an empty array or object"
  end
  return ("the %s %s"):format(kind, tostring(value))
end

--- Decodes a text that has to hold one JSON object. A byte order mark before it is skipped.
---@param text string
---@param what string what it is, for messages: "the message"
---@return table|nil
---@return string|nil message
function json_object.decode(text, what)
  if text:sub(1, #byte_order_mark) == byte_order_mark then
    text = text:sub(#byte_order_mark + 1)
  end
  local first = text:match("^%s*(%S)")
  if not first then
    return nil, what .. " is empty; expected a JSON object"
  end
  local value, message = host.json.decode(text)
  if value == nil then
    return nil, ("%s isn't JSON: %s"):format(what, message)
  end
  if first ~= "{" then
    return nil, ("%s must be a JSON object, found %s"):format(what, json_object.found(value))
  end
  return value
end

return json_object
