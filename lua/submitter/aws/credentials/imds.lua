--- Credentials of the role that an EC2 instance has, from its metadata service.
---
--- When the service that makes them is in trouble, the instance goes on serving those that it has, beyond their end, and
--- Amazon's services go on accepting them ("static stability"): expired ones are therefore used, as the SDKs do.

local keys = require "submitter.aws.credentials.keys"
local instance_metadata = require "submitter.aws.instance_metadata"

local imds = { name = "instance metadata" }

local roles = "/latest/meta-data/iam/security-credentials/"

-- The name becomes a part of a URL: what IAM allows in one can stand there as it is.
local function read_role(metadata)
  local text, message, code = metadata:get(roles)
  if code == "absent" or text and text:find("^%s*$") then
    return nil, "the instance has no role: attach an instance profile", "absent"
  elseif not text then
    return nil, message, code
  end
  local role = text:match("^%s*([^\r\n]-)%s*[\r\n]") or text:match("^%s*(.-)%s*$")
  if not role:find("^[%w+=,.@_-]+$") then
    return nil, "the metadata service names no role that can be one", "unavailable"
  end
  return role
end

--- Fetches them.
---@async
---@param context AwsContext
---@return FoundCredentials|nil
---@return string|nil message
---@return "absent"|"configuration"|"unavailable"|nil code
function imds.fetch(context)
  local metadata, message, code = instance_metadata.open(context)
  if not metadata then return nil, message, code end
  local role
  role, message, code = read_role(metadata)
  if not role then return nil, message, code end
  local text
  text, message, code = metadata:get(roles .. role)
  if not text then
    return nil, message, code == "absent" and "unavailable" or code
  end
  local found
  found, message, code = keys.read(text, "the instance metadata for the role " .. role, {
    token = "Token", needs_token = true, needs_expiration = true, source = "instance metadata",
  })
  if not found then return nil, message, code end
  found.is_tolerated = true
  return found
end

return imds
