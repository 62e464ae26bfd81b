--- The body of the message that announces one submission: `{"subdata": "<key>"}`, optionally with mode and regrade.
--- Pure.

local host = require "submitter.host"
local json_object = require "submitter.json_object"
local key = require "submitter.key"

local request = {}

local found = json_object.found

---@class Request
---@field key string of the submission document
---@field mode "test"|"grade"
---@field regrade string|nil
---@field location Location

--- Is this a regrade's id that a message can carry?
---@param value any
---@return boolean
function request.is_regrade(value)
  return type(value) == "string" and #value <= 128 and value:find("^[%w%.:_-]+$") ~= nil
end

--- Reads a decoded message. Fields that aren't known are ignored.
---@param object table
---@return Request|nil
---@return string|nil message
function request.read(object)
  local document_key = object.subdata
  if type(document_key) ~= "string" then
    return nil, ("the message's field subdata must be the key of a submission document, found %s"):format(
      found(document_key))
  end
  local location, message = key.parse_document(document_key)
  if not location then
    return nil, "the message's field subdata: " .. message
  end
  local mode, regrade = object.mode, object.regrade
  if mode == nil or mode == host.json.null then
    mode = "test"
  end
  if mode ~= "test" and mode ~= "grade" then
    return nil, ('the message\'s field mode must be "test" or "grade", found %s'):format(found(mode))
  end
  if regrade == host.json.null then
    regrade = nil
  end
  if regrade ~= nil and not request.is_regrade(regrade) then
    return nil, ("the message's field regrade must be a name of 1 to 128 letters, digits and .:_-, found %s"):format(
      found(regrade))
  end
  return { key = document_key, mode = mode, regrade = regrade, location = location }
end

--- Writes the body of a message.
---@param parts {key:string, mode:"test"|"grade"|nil, regrade:string|nil}
---@return string
function request.encode(parts)
  return host.json.encode(host.json.ordered({ "subdata", "mode", "regrade" }, {
    subdata = parts.key,
    mode = parts.mode,
    regrade = parts.regrade,
  }))
end

return request
