--- What providers hand on: one set of keys, checked. They go into headers and signatures, so that what can't stand there is
--- refused where it came from. No message shows a value.

local host = require "submitter.host"
local time = require "submitter.time"

local keys = {}

---@class FoundCredentials
---@field access_key_id string
---@field secret_access_key string
---@field session_token string|nil
---@field expires_s integer|nil seconds since the epoch
---@field source string for people: "environment", "profile default"
---@field is_tolerated boolean|nil whether they may be used although they expired (instance metadata)

local function is_visible(value)
  return type(value) == "string" and value:find("^[\33-\126]+$") ~= nil
end

--- Checks keys.
---@param found FoundCredentials
---@param where string what gave them, for messages
---@param code "configuration"|"unavailable" what a fault is
---@return FoundCredentials|nil
---@return string|nil message
---@return string|nil code
function keys.check(found, where, code)
  for _, name in ipairs { "access_key_id", "secret_access_key", "session_token" } do
    local value = found[name]
    if not is_visible(value) and not (value == nil and name == "session_token") then
      local fault = (value == nil or value == "") and "is missing" or "holds white space or other strange characters"
      return nil, ("%s: the %s %s"):format(where, (name:gsub("_", " ")), fault), code
    end
  end
  return found
end

--- Reads keys from a JSON answer: AccessKeyId, SecretAccessKey, the token under its name, Expiration.
---@param text string
---@param where string for messages
---@param options {token:string, needs_token:boolean|nil, needs_expiration:boolean|nil, source:string, version:integer|nil}
--- version: what Version must be
---@return FoundCredentials|nil
---@return string|nil message
---@return "unavailable"|"configuration"|nil code
function keys.read(text, where, options)
  local object = host.json.decode(text)
  if type(object) ~= "table" then
    return nil, where .. " doesn't answer with a JSON object", "unavailable"
  end
  local function field(name)
    local value = object[name]
    if value == host.json.null or value == "" then return nil end
    return value
  end
  if options.version and field "Version" ~= options.version then
    return nil, ("%s must answer with \"Version\": %d, the only one that is known"):format(where, options.version),
      "configuration"
  elseif field "Code" and field "Code" ~= "Success" then
    return nil, ("%s answers %s"):format(where, keys.error_text(object)), "unavailable"
  end
  local expires_s = time.parse(field "Expiration")
  if field "Expiration" and not expires_s then
    return nil, where .. ": Expiration is no time such as 2026-11-24T05:55:34Z", "unavailable"
  elseif options.needs_expiration and not expires_s then
    return nil, where .. ": the Expiration is missing", "unavailable"
  elseif options.needs_token and not field(options.token) then
    return nil, ("%s: the %s is missing"):format(where, options.token), "unavailable"
  end
  return keys.check({
    access_key_id = field "AccessKeyId", secret_access_key = field "SecretAccessKey",
    session_token = field(options.token), expires_s = expires_s, source = options.source,
  }, where, "unavailable")
end

--- The error that a JSON answer tells, in a few words: its Code and Message.
---@param object any what was decoded
---@return string
function keys.error_text(object)
  if type(object) ~= "table" then return "no reason" end
  local code, message = object.Code or object.code, object.Message or object.message
  local parts = {}
  for _, part in ipairs { type(code) == "string" and code or "", type(message) == "string" and message or "" } do
    if part ~= "" then parts[#parts + 1] = host.text.escape(part:sub(1, 200)) end
  end
  return #parts > 0 and table.concat(parts, ": ") or "no reason"
end

return keys
