--- Which region this is: the operator's option, AWS_REGION, AWS_DEFAULT_REGION, the profile's `region`, and last what the
--- instance says of itself.

local instance_metadata = require "submitter.aws.instance_metadata"
local profiles = require "submitter.aws.profiles"
local units = require "submitter.units"

local region = {}

--- Whether it can be a region: it becomes a label of a host's name, so it may hold nothing else (RFC 1123, 2.1; botocore
--- checks the same).
---@param name any
---@return boolean
function region.is_valid(name)
  return type(name) == "string" and #name <= 63 and name:find("^[%w-]+$") ~= nil and not name:find("^%-")
    and not name:find("%-$") and not name:find("^%d+$")
end

--- Refuses what can't be a region.
---@param name string
---@param where string what gave it, for the message
---@return string|nil
---@return string|nil message or, after success, where
---@return "configuration"|nil code
function region.check(name, where)
  if region.is_valid(name) then return name, where end
  return nil, ("%s: %s is no region; expected a name such as \"eu-central-1\""):format(where,
    units.format_text(tostring(name), 63)), "configuration"
end

local function from_instance(context)
  local metadata, message = instance_metadata.open(context)
  local name
  if metadata then
    name, message = metadata:get "/latest/meta-data/placement/region"
  end
  if name then return region.check((name:gsub("%s+$", "")), "the instance's metadata") end
  return nil, ("no region is set: set region in the configuration, AWS_REGION, or region in the profile %s (%s)")
    :format(profiles.shown(context), message), "configuration"
end

--- Finds the region.
---@async
---@param context AwsContext
---@return string|nil region
---@return string message what is wrong; or, after success, what gave it, for people
---@return "configuration"|nil code
function region.find(context)
  if context.region_option then return region.check(context.region_option, "region in the configuration") end
  for _, variable in ipairs { "AWS_REGION", "AWS_DEFAULT_REGION" } do
    local name = context:variable(variable)
    if name then return region.check(name, variable) end
  end
  local name, message, code = profiles.setting(context, "region")
  if message then return nil, message, code end
  if name then
    return region.check(name, ("region of the profile %s"):format(profiles.shown(context)))
  end
  return from_instance(context)
end

return region
