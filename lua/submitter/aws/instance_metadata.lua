--- The metadata service of an EC2 instance (IMDS), version 2 only: a token by PUT, then reads that carry it. Version 1 is
--- never asked: whoever can make this program send a GET could read credentials there.
---
--- One second and one try, as the SDKs: elsewhere than on an instance nobody answers, and that mustn't hold anything up.
--- Never through a proxy: the address is link-local, and a proxy would answer for its own machine.

local profiles = require "submitter.aws.profiles"
local units = require "submitter.units"
local url = require "submitter.aws.url"

local instance_metadata = {}

local timeout_ms = 1000
local limit_bytes = 64 << 10
local token_seconds = "21600"
local default_endpoints = { ipv4 = "http://169.254.169.254", ipv6 = "http://[fd00:ec2::254]" }

---@class InstanceMetadata
---@field base string
---@field token string
local Metadata = {}
Metadata.__index = Metadata

local function request(context, method, address, headers)
  return context.http.request {
    method = method, url = address, headers = headers, timeout_ms = timeout_ms, connect_timeout_ms = timeout_ms,
    stall_ms = timeout_ms, limit_bytes = limit_bytes, proxy = false,
  }
end

local function choose(context, variable, property)
  local value = context:variable(variable)
  if value then return value, variable end
  local message, code
  value, message, code = profiles.setting(context, property)
  if message then return nil, message, code end
  return value, property .. " of the profile"
end

-- The address, and whether somebody chose it.
local function base_of(context)
  local value, where, code = choose(context, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint")
  if code then return nil, where, code end
  if value then
    local address, message
    address, message, code = url.endpoint(value, where)
    return address, address and true or message, code
  end
  local mode
  mode, where, code = choose(context, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode")
  if code then return nil, where, code end
  local base = default_endpoints[(mode or "ipv4"):lower()]
  if not base then
    return nil, ("%s: expected IPv4 or IPv6, found %s"):format(where, units.format_text(mode)), "configuration"
  end
  return base, false
end

-- A token goes into a header: anything else than visible characters isn't one.
local function read_token(response, base, is_chosen)
  local status = response.status
  if status == 200 and response.body:find("^[\33-\126]+$") then
    return response.body
  elseif status == 403 or status == 404 or status == 405 then
    return nil, ("the metadata service at %s gives no token (status %d): it is switched off for this instance, or "
      .. "isn't one of version 2"):format(base, status), is_chosen and "unavailable" or "absent"
  end
  return nil, ("the metadata service at %s gives no token: status %d"):format(base, status), "unavailable"
end

--- Gets a token. The code is "absent" where there is no such service, or it is switched off; "unavailable" where one was
--- named or answers, but not as it should.
---@async
---@param context AwsContext
---@return InstanceMetadata|nil
---@return string|nil message
---@return "absent"|"unavailable"|"configuration"|nil code
function instance_metadata.open(context)
  if (context:variable "AWS_EC2_METADATA_DISABLED" or ""):lower() == "true" then
    return nil, "AWS_EC2_METADATA_DISABLED is true", "absent"
  end
  local base, is_chosen, code = base_of(context)
  if not base then return nil, is_chosen, code end
  local response, message = request(context, "PUT", base .. "/latest/api/token", {
    { "x-aws-ec2-metadata-token-ttl-seconds", token_seconds },
  })
  if not response then
    -- The answer to the PUT is sent with a hop limit of 1 by default, so that it ends at the instance's own door.
    return nil, ("no metadata service answers at %s: %s; from a container on an instance its hop limit must be 2")
      :format(base, message), is_chosen and "unavailable" or "absent"
  end
  local token
  token, message, code = read_token(response, base, is_chosen)
  if not token then return nil, message, code end
  return setmetatable({ context = context, base = base, token = token }, Metadata)
end

--- Reads one value.
---@async
---@param path string "/latest/meta-data/…"
---@return string|nil text
---@return string|nil message
---@return "absent"|"unavailable"|nil code "absent": the service has no such value
function Metadata:get(path)
  local address = self.base .. path
  local response, message = request(self.context, "GET", address, { { "x-aws-ec2-metadata-token", self.token } })
  if not response then
    return nil, ("the metadata service doesn't answer for %s: %s"):format(address, message), "unavailable"
  elseif response.status == 404 then
    return nil, ("the metadata service has no %s"):format(address), "absent"
  elseif response.status ~= 200 then
    return nil, ("the metadata service answers status %d for %s"):format(response.status, address), "unavailable"
  end
  return response.body
end

return instance_metadata
