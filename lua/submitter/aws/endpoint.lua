--- Where a service is reached. In this order (AWS SDKs and Tools Reference Guide, "Service-specific endpoints"): the
--- operator's option, AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's `services` section, its `endpoint_url`;
--- else the host that the SDKs' endpoint rules name for the region.

local partitions = require "submitter.aws.partitions"
local profiles = require "submitter.aws.profiles"
local units = require "submitter.units"
local url = require "submitter.aws.url"

local endpoint = {}

---@class Endpoint
---@field url string "https://host[:port][/path]", never with a "/" at its end
---@field custom boolean whether somebody chose it: then nothing is to be read from or added to the host's name
---@field region string|nil the region to sign for, where it isn't the caller's own
---@field source string what gave it, for people

local services = { s3 = true, sqs = true, sts = true }

-- The regions whose callers AWS_STS_REGIONAL_ENDPOINTS=legacy sends to sts.amazonaws.com; it knows no others there.
local legacy_sts = {}
for name in ([[ap-northeast-1 ap-south-1 ap-southeast-1 ap-southeast-2 aws-global ca-central-1 eu-central-1 eu-north-1
  eu-west-1 eu-west-2 eu-west-3 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2]]):gmatch("%S+") do
  legacy_sts[name] = true
end

-- A setting that an environment variable or the profile may hold; the variable wins.
local function setting(context, variable, property)
  local value = context:variable(variable)
  if value then return value, variable end
  local message, code
  value, message, code = profiles.setting(context, property)
  if message then return nil, message, code end
  return value, ("%s of the profile %s"):format(property, profiles.shown(context))
end

local function switch(context, variable, property)
  local value, where, code = setting(context, variable, property)
  if code then return nil, where, code end
  local word = value and value:lower() or "false"
  if word ~= "true" and word ~= "false" then
    return nil, ("%s: expected true or false, found %s"):format(where, units.format_text(value)), "configuration"
  end
  return word == "true", where
end

local function from_environment(context, service)
  for _, variable in ipairs { "AWS_ENDPOINT_URL_" .. service:upper(), "AWS_ENDPOINT_URL" } do
    local value = context:variable(variable)
    if value then return value, variable end
  end
end

local function from_profile(context, service)
  local loaded, message, code = context:profiles()
  if not loaded then return nil, message, code end
  local name = profiles.name(context)
  local profile = loaded.profiles[name] or {}
  local shown = units.format_text(name)
  if type(profile.services) == "string" and profile.services ~= "" then
    local section = loaded.services[profile.services]
    if not section then
      return nil, ("the profile %s names the services section %s, which isn't in the config file; add [services %s]")
        :format(shown, units.format_text(profile.services), profile.services), "configuration"
    end
    local properties = section[service]
    if type(properties) == "table" and properties.endpoint_url then
      return properties.endpoint_url, ("%s in the services section %s"):format(service,
        units.format_text(profile.services))
    end
  end
  if type(profile.endpoint_url) == "string" and profile.endpoint_url ~= "" then
    return profile.endpoint_url, "endpoint_url of the profile " .. shown
  end
end

-- What somebody configured: text and where it stands; nil, nil when nobody did; nil, message, code.
local function configured(context, service)
  local ignored, message, code = switch(context, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "ignore_configured_endpoint_urls")
  if ignored == nil then return nil, message, code end
  if ignored then return nil end
  local value, where = from_environment(context, service)
  if value then return value, where end
  return from_profile(context, service)
end

-- The host by the services' own endpoint rules. S3's dual-stack hosts have a label of their own below the usual suffix;
-- those of the others lie below another suffix. In aws-us-gov SQS and STS are FIPS endpoints by their usual names.
local function host_of(service, region, fips, dual_stack)
  local partition = partitions.of(region)
  local prefix = service
  if fips and not (partition.name == "aws-us-gov" and service ~= "s3" and not dual_stack) then
    prefix = service .. "-fips"
  end
  if dual_stack and service == "s3" then
    return ("%s.dualstack.%s.%s"):format(prefix, region, partition.suffix)
  end
  return ("%s.%s.%s"):format(prefix, region, dual_stack and partition.dual_stack_suffix or partition.suffix)
end

local function standard(context, service, region, fips, dual_stack)
  if service == "sts" and not fips and not dual_stack and legacy_sts[region] then
    local mode, where, code = setting(context, "AWS_STS_REGIONAL_ENDPOINTS", "sts_regional_endpoints")
    if code then return nil, where, code end
    mode = mode and mode:lower() or "regional"
    if mode == "legacy" then
      return { url = "https://sts.amazonaws.com", custom = false, region = "us-east-1", source = where }
    elseif mode ~= "regional" then
      return nil, ("%s: expected regional or legacy, found %s"):format(where, units.format_text(mode)), "configuration"
    end
  end
  if fips and partitions.of(region).name == "aws-cn" then
    return nil, ("AWS_USE_FIPS_ENDPOINT is on, but the region %s has no such endpoints; switch it off"):format(region),
      "configuration"
  end
  return {
    url = "https://" .. host_of(service, region, fips, dual_stack), custom = false, source = "the region " .. region,
  }
end

-- A chosen endpoint can't be turned into a FIPS or dual-stack one: the SDKs refuse the combination, and so would
-- whoever believes to be using one.
local function custom(text, where, fips, dual_stack)
  if fips or dual_stack then
    return nil, ("%s chooses an endpoint, which can't be combined with %s; switch one of them off"):format(where,
      fips and "AWS_USE_FIPS_ENDPOINT" or "AWS_USE_DUALSTACK_ENDPOINT"), "configuration"
  end
  local address, message, code = url.endpoint(text, where)
  if not address then return nil, message, code end
  return { url = address, custom = true, source = where }
end

--- Finds where a service is.
---@async
---@param context AwsContext
---@param service "s3"|"sqs"|"sts"
---@param region string|nil needed only where nobody configured an endpoint
---@param option string|nil what the operator configured for this very use
---@return Endpoint|nil
---@return string|nil message
---@return "configuration"|nil code "region" when it isn't configured and no region was given
function endpoint.find(context, service, region, option)
  if not services[service] then
    error(('no service %q; expected session:endpoint("s3"|"sqs"|"sts")'):format(tostring(service)), 3)
  end
  local fips, message, code = switch(context, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")
  if fips == nil then return nil, message, code end
  local dual_stack
  dual_stack, message, code = switch(context, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")
  if dual_stack == nil then return nil, message, code end
  local text, where
  if option then
    text, where = option, "endpoint in the configuration"
  else
    text, where, code = configured(context, service)
    if code then return nil, where, code end
  end
  if text then return custom(text, where, fips, dual_stack) end
  if not region then return nil, "no region", "region" end
  return standard(context, service, region, fips, dual_stack)
end

return endpoint
