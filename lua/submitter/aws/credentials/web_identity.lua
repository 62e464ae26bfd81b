--- Credentials for a role by a token that somebody else vouches for: on Amazon EKS a file that Kubernetes keeps fresh, named
--- by AWS_WEB_IDENTITY_TOKEN_FILE; or `web_identity_token_file` of a profile.

local profiles = require "submitter.aws.profiles"
local sts = require "submitter.aws.sts"

local web_identity = { name = "web identity" }

--- Assumes the role with what the file holds now: it is read anew each time.
---@async
---@param context AwsContext
---@param role {role_arn:string, token_file:string, session_name:string|nil, duration_seconds:integer|nil} an AwsRole
---@param where string what names the file, for messages
---@param source string
---@return FoundCredentials|nil
---@return string|nil message
---@return "configuration"|"unavailable"|nil code
function web_identity.assume(context, role, where, source)
  local path, message, code = profiles.path(context, role.token_file, where)
  if not path then return nil, message, code end
  local text, problem = context.read_file(path)
  if not text then
    return nil, ("%s: %s can't be read: %s"):format(where, path, problem), "unavailable"
  end
  local token = text:match("^%s*(.-)%s*$")
  if token == "" then return nil, ("%s: %s is empty"):format(where, path), "unavailable" end
  return sts.assume_role_with_web_identity(context, role, token, source)
end

--- Those that the environment names.
---@async
---@param context AwsContext
---@return FoundCredentials|nil
---@return string|nil message
---@return "absent"|"configuration"|"unavailable"|nil code
function web_identity.fetch(context)
  local token_file = context:variable "AWS_WEB_IDENTITY_TOKEN_FILE"
  if not token_file then return nil, "AWS_WEB_IDENTITY_TOKEN_FILE isn't set", "absent" end
  local role_arn = context:variable "AWS_ROLE_ARN"
  if not role_arn then
    return nil, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN isn't; set both or neither", "configuration"
  end
  return web_identity.assume(context, {
    role_arn = role_arn, token_file = token_file, session_name = context:variable "AWS_ROLE_SESSION_NAME",
  }, "AWS_WEB_IDENTITY_TOKEN_FILE", "web identity")
end

return web_identity
