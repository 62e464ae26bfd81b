--- The Security Token Service: keys for a role, by other keys (AssumeRole) or by a token that an identity provider signed
--- (AssumeRoleWithWebIdentity, which is sent without a signature). Query protocol: a form there, XML back (AWS Security Token
--- Service API Reference).

local aws_client = require "submitter.aws.client"
local host = require "submitter.host"
local keys = require "submitter.aws.credentials.keys"
local time = require "submitter.time"
local url = require "submitter.aws.url"
local xml = require "submitter.aws.xml"

local sts = {}

local version = "2011-06-15"
local limit_bytes = 256 << 10
local timeout_ms = 20000

-- The SDKs' choice where nobody set a region: STS is the same everywhere in a partition.
local region_without_any = "us-east-1"

-- The provider of the token couldn't be reached by STS: it may be the next time.
local retried_codes = { IDPCommunicationError = true }

-- <ErrorResponse><Error><Code/><Message/></Error></ErrorResponse>
local function read_error(response)
  local root = xml.parse(response.body)
  local element = root and xml.child(root, "Error")
  if not element then return nil end
  return xml.text(element, "Code"), xml.text(element, "Message")
end

local function read_result(response, action, where, source)
  local root, message = xml.parse(response.body)
  local result = root and xml.child(root, action .. "Result")
  local element = result and xml.child(result, "Credentials")
  if not element then
    return nil, ("%s: the answer holds no credentials%s"):format(where, message and ": " .. message or ""),
      "unavailable"
  end
  local expires_s = time.parse(xml.text(element, "Expiration"))
  if not expires_s then
    return nil, where .. ": the answer's Expiration is no time", "unavailable"
  end
  return keys.check({
    access_key_id = xml.text(element, "AccessKeyId"), secret_access_key = xml.text(element, "SecretAccessKey"),
    session_token = xml.text(element, "SessionToken"), expires_s = expires_s, source = source,
  }, where, "unavailable")
end

-- What the client asks a session for: here the keys to assume the role with, which don't come from the session's own chain.
local function source_session(snapshot)
  return {
    credentials = function() return snapshot end,
    expired = function() end,
  }
end

local function unsigned(request)
  return { headers = request.headers, url = request.url }
end

local function find_endpoint(context)
  local region = context:region() or region_without_any
  local endpoint, message, code = context:endpoint("sts", region)
  if not endpoint then return nil, message, code end
  return endpoint, endpoint.region or region
end

-- What STS refuses is refused again; all else may pass.
local function failure_code(code, details)
  if code == "configuration" then return code end
  return details and not details.retryable and details.status and details.status < 500 and "configuration"
    or "unavailable"
end

local function call(context, action, parameters, where, source, snapshot)
  local endpoint, region, code = find_endpoint(context)
  if not endpoint then return nil, region, code end
  table.insert(parameters, 1, { "Action", action })
  table.insert(parameters, 2, { "Version", version })
  local client = aws_client.new {
    session = source_session(snapshot or {}), service = "sts", region = region, http = context.http,
    ca_file = context.ca_file, random = context.random,
    sign = snapshot and context.sigv4.sign or unsigned,
    clock = { now_ms = function() return context.now_s() * 1000 end, sleep_ms = context.sleep_ms },
  }
  local response, message, failed, details = client:call {
    operation = action, method = "POST", url = endpoint.url .. "/", body = url.query(parameters),
    headers = { { "Content-Type", "application/x-www-form-urlencoded; charset=utf-8" } },
    limit_bytes = limit_bytes, timeout_ms = timeout_ms, read_error = read_error, retried_codes = retried_codes,
  }
  if not response then
    return nil, ("%s: %s"):format(where, message), failure_code(failed, details)
  end
  return read_result(response, action, where, source)
end

local function session_name(context, role)
  return role.session_name or ("submitter-%d"):format(context.now_s())
end

local function parameters_of(context, role)
  local parameters = { { "RoleArn", role.role_arn }, { "RoleSessionName", session_name(context, role) } }
  if role.duration_seconds then
    parameters[#parameters + 1] = { "DurationSeconds", tostring(role.duration_seconds) }
  end
  return parameters
end

local function describe(role)
  return "assuming the role " .. host.text.escape(role.role_arn:sub(1, 200))
end

---@class AwsRole
---@field role_arn string
---@field session_name string|nil
---@field duration_seconds integer|nil
---@field external_id string|nil AssumeRole only

--- Assumes a role by other keys.
---@async
---@param context AwsContext
---@param role AwsRole
---@param by FoundCredentials
---@param source string
---@return FoundCredentials|nil
---@return string|nil message
---@return "configuration"|"unavailable"|nil code
function sts.assume_role(context, role, by, source)
  local parameters = parameters_of(context, role)
  if role.external_id then parameters[#parameters + 1] = { "ExternalId", role.external_id } end
  local snapshot = {
    access_key_id = by.access_key_id,
    keys = context.sigv4.credentials {
      access_key_id = by.access_key_id, secret_access_key = by.secret_access_key, session_token = by.session_token,
    },
  }
  return call(context, "AssumeRole", parameters, describe(role), source, snapshot)
end

--- Assumes a role by a token.
---@async
---@param context AwsContext
---@param role AwsRole
---@param token string
---@param source string
---@return FoundCredentials|nil
---@return string|nil message
---@return "configuration"|"unavailable"|nil code
function sts.assume_role_with_web_identity(context, role, token, source)
  local parameters = parameters_of(context, role)
  parameters[#parameters + 1] = { "WebIdentityToken", token }
  return call(context, "AssumeRoleWithWebIdentity", parameters, describe(role), source)
end

return sts
