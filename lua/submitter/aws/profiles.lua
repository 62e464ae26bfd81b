--- The shared files: which there are, and what the profiles in them say. Read anew for each answer that is to be fresh,
--- because tools rewrite them while the worker runs.

local ini = require "submitter.aws.ini"
local units = require "submitter.units"

local profiles = {}

---@class Profiles
---@field profiles table<string, table<string, string|table>> by name; credentials file over config file, property by property
---@field services table<string, table<string, string|table>> the [services NAME] sections of the config file
---@field files string[] the paths that were looked at
---@field found string[] those of them that are there

-- `~` at the beginning is the home folder, and only that of this user: there is no shell here that knows others'.
local function expand(context, path)
  local rest = path:match("^~(/.*)$") or path == "~" and ""
  if not rest then return path end
  local home = context:variable "HOME"
  return home and home .. rest
end

--- A path that the environment or a profile gave, with `~` expanded.
---@param context AwsContext
---@param path string
---@param where string what gave it, for the message
---@return string|nil
---@return string|nil message
---@return "configuration"|nil code
function profiles.path(context, path, where)
  local expanded = expand(context, path)
  if not expanded then
    return nil, ("%s: %s begins with ~, but HOME isn't set; write the whole path"):format(where,
      units.format_text(path)), "configuration"
  end
  return expanded
end

-- Names are as the SDKs allow them; in quotes a name may also hold white space.
local function valid_name(name)
  local quoted = name:match('^"([^"]+)"$') or name:match("^'([^']+)'$")
  if quoted then return quoted end
  return name:find("^[%w/.%%@_:+-]+$") and name or nil
end

local function merge(into, properties)
  for name, value in pairs(properties) do into[name] = value end
end

local function add(sections, name, properties)
  sections[name] = sections[name] or {}
  merge(sections[name], properties)
end

-- Of the config file only [default], [profile NAME] and [services NAME] count; [profile default] hides [default].
local function read_config(sections, result)
  local bare_default, named_default
  for _, section in ipairs(sections) do
    local kind, name = section.name:match("^(%a+)%s+(.+)$")
    name = name and valid_name(name)
    if section.name == "default" then
      bare_default = bare_default or {}
      merge(bare_default, section.properties)
    elseif kind == "profile" and name == "default" then
      named_default = named_default or {}
      merge(named_default, section.properties)
    elseif kind == "profile" and name then
      add(result.profiles, name, section.properties)
    elseif kind == "services" and name then
      add(result.services, name, section.properties)
    end
  end
  if named_default or bare_default then add(result.profiles, "default", named_default or bare_default) end
end

local function read_credentials(sections, result)
  for _, section in ipairs(sections) do
    local name = valid_name(section.name)
    if name then add(result.profiles, name, section.properties) end
  end
end

-- A file that isn't there is an empty one, as for the SDKs, also when a variable names it.
local function read(context, result, variable, default, reader)
  local named = context:variable(variable)
  local path, message, code
  if named then
    path, message, code = profiles.path(context, named, variable)
    if not path then return nil, message, code end
  else
    path = expand(context, default)
    if not path then return true end
  end
  result.files[#result.files + 1] = path
  local text
  text, message, code = context.read_file(path)
  if not text then
    if code == "ENOENT" or code == "ENOTDIR" then return true end
    return nil, ("%s can't be read: %s; see its rights, or name another with %s"):format(path, message, variable),
      "configuration"
  end
  result.found[#result.found + 1] = path
  local sections
  sections, message = ini.parse(text)
  if not sections then
    return nil, ("%s, %s"):format(path, message), "configuration"
  end
  reader(sections, result)
  return true
end

--- Reads both files.
---@async
---@param context AwsContext
---@return Profiles|nil
---@return string|nil message
---@return "configuration"|nil code
function profiles.load(context)
  local result = { profiles = {}, services = {}, files = {}, found = {} }
  local good, message, code = read(context, result, "AWS_CONFIG_FILE", "~/.aws/config", read_config)
  if good then
    good, message, code = read(context, result, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", read_credentials)
  end
  if not good then return nil, message, code end
  return result
end

--- The profile that counts: the operator's choice, else AWS_PROFILE, else "default".
---@param context AwsContext
---@return string name
---@return string|nil where what named it; nil when nothing did
function profiles.name(context)
  if context.profile then return context.profile, "the configuration" end
  local named = context:variable "AWS_PROFILE"
  if named then return named, "AWS_PROFILE" end
  return "default"
end

--- The name of the profile that counts, for a message.
---@param context AwsContext
---@return string
function profiles.shown(context)
  local name = profiles.name(context)
  return units.format_text(name)
end

--- The text of a property of the profile that counts, where there is such a profile and property.
---@async
---@param context AwsContext
---@param property string in lower case
---@return string|nil value
---@return string|nil message set when the files can't be read
---@return "configuration"|nil code
function profiles.setting(context, property)
  local loaded, message, code = context:profiles()
  if not loaded then return nil, message, code end
  local profile = loaded.profiles[profiles.name(context)]
  local value = profile and profile[property]
  return type(value) == "string" and value ~= "" and value or nil
end

return profiles
