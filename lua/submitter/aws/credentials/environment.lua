--- Credentials in the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. They never expire here:
--- a process's environment can't change.

local keys = require "submitter.aws.credentials.keys"

local environment = { name = "environment" }

--- Reads them.
---@param context AwsContext
---@return FoundCredentials|nil
---@return string|nil message
---@return "absent"|"configuration"|nil code
function environment.fetch(context)
  local access_key_id = context:variable "AWS_ACCESS_KEY_ID"
  local secret_access_key = context:variable "AWS_SECRET_ACCESS_KEY"
  if not access_key_id and not secret_access_key then
    return nil, "AWS_ACCESS_KEY_ID isn't set", "absent"
  elseif not access_key_id or not secret_access_key then
    local set, missing = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
    if secret_access_key then set, missing = missing, set end
    return nil, ("%s is set, but %s isn't; set both or neither"):format(set, missing), "configuration"
  end
  return keys.check({
    access_key_id = access_key_id, secret_access_key = secret_access_key,
    session_token = context:variable "AWS_SESSION_TOKEN", source = "environment",
  }, "the environment (AWS_ACCESS_KEY_ID and so on)", "configuration")
end

return environment
