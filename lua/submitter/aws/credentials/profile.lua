--- Credentials by a profile of the shared files: keys that stand there, a role to assume, a program to run.
---
--- Within a profile a role counts before keys; in a profile that another one names by `source_profile`, keys count first, and a
--- profile may name itself to assume a role by its own keys. So do the SDKs (their shared tests "assume-role-tests").

local container = require "submitter.aws.credentials.container"
local environment = require "submitter.aws.credentials.environment"
local imds = require "submitter.aws.credentials.imds"
local keys = require "submitter.aws.credentials.keys"
local process = require "submitter.aws.credentials.process"
local profiles = require "submitter.aws.profiles"
local sts = require "submitter.aws.sts"
local units = require "submitter.units"
local web_identity = require "submitter.aws.credentials.web_identity"

local profile_provider = { name = "profile" }

-- What `credential_source` may name; any case.
local sources = { environment = environment, ecscontainer = container, ec2instancemetadata = imds }

local shortest_s, longest_s = 900, 43200

-- A text that stands in the profile and isn't empty.
local function text(profile, name)
  local value = profile[name]
  return type(value) == "string" and value ~= "" and value or nil
end

local function has_keys(profile)
  return text(profile, "aws_access_key_id") or text(profile, "aws_secret_access_key")
end

local function static_keys(profile, shown)
  for _, name in ipairs { "aws_access_key_id", "aws_secret_access_key" } do
    if not text(profile, name) then
      return nil, ("the profile %s has only one of aws_access_key_id and aws_secret_access_key: %s is missing")
        :format(shown, name), "configuration"
    end
  end
  return keys.check({
    access_key_id = text(profile, "aws_access_key_id"), secret_access_key = text(profile, "aws_secret_access_key"),
    session_token = text(profile, "aws_session_token"), source = "profile " .. shown,
  }, "the profile " .. shown, "configuration")
end

-- What AssumeRole is told beside the keys.
local function role_of(profile, shown)
  local role = {
    role_arn = text(profile, "role_arn"), session_name = text(profile, "role_session_name"),
    external_id = text(profile, "external_id"), token_file = text(profile, "web_identity_token_file"),
  }
  local duration = text(profile, "duration_seconds")
  if duration then
    role.duration_seconds = duration:find("^%d+$") and math.tointeger(tonumber(duration))
    if not role.duration_seconds or role.duration_seconds < shortest_s or role.duration_seconds > longest_s then
      return nil, ("duration_seconds of the profile %s: expected a number from %d to %d, found %s"):format(shown,
        shortest_s, longest_s, units.format_text(duration)), "configuration"
    end
  end
  if text(profile, "mfa_serial") then
    return nil, ("the profile %s asks for a code of a person's device (mfa_serial), which nobody can enter here; use a "
      .. "role without that condition"):format(shown), "configuration"
  end
  return role
end

local resolve

local function from_source(context, profile, shown)
  local name = text(profile, "credential_source")
  local provider = sources[name:lower()]
  if not provider then
    return nil, ("credential_source of the profile %s: expected Environment, EcsContainer or Ec2InstanceMetadata, "
      .. "found %s"):format(shown, units.format_text(name)), "configuration"
  end
  local found, message, code = provider.fetch(context)
  if code == "absent" then
    return nil, ("the profile %s takes its credentials from %s, but %s"):format(shown, name, message), "configuration"
  end
  return found, message, code
end

local function from_profile(context, loaded, name, shown, visited)
  local source_name = text(loaded.profiles[name], "source_profile")
  local source, source_shown = loaded.profiles[source_name], units.format_text(source_name)
  if not source then
    return nil, ("the profile %s names the source_profile %s, which isn't there"):format(shown, source_shown),
      "configuration"
  elseif source_name == name then
    if not has_keys(source) then
      return nil, ("the profile %s names itself as source_profile, but has no keys of its own"):format(shown),
        "configuration"
    end
    return static_keys(source, shown)
  elseif visited[source_name] then
    return nil, ("the profiles name each other as source_profile in a circle: %s leads back to %s"):format(shown,
      source_shown), "configuration"
  end
  local found, message, code = resolve(context, loaded, source_name, visited)
  if code == "absent" then
    return nil, ("the source_profile %s of the profile %s holds no credentials"):format(source_shown, shown),
      "configuration"
  end
  return found, message, code
end

local function assume_role(context, loaded, name, shown, visited)
  local profile = loaded.profiles[name]
  local role, message, code = role_of(profile, shown)
  if not role then return nil, message, code end
  local by_profile, by_source = text(profile, "source_profile"), text(profile, "credential_source")
  if by_profile and by_source then
    return nil, ("the profile %s has both source_profile and credential_source; expected one of them"):format(shown),
      "configuration"
  elseif not by_profile and not by_source then
    return nil, ("the profile %s has role_arn, but nothing to assume the role with; add source_profile, "
      .. "credential_source or web_identity_token_file"):format(shown), "configuration"
  end
  local by
  if by_source then
    by, message, code = from_source(context, profile, shown)
  else
    by, message, code = from_profile(context, loaded, name, shown, visited)
  end
  if not by then return nil, message, code end
  return sts.assume_role(context, role, by, "role of the profile " .. shown)
end

local function by_web_identity(context, profile, shown)
  local role, message, code = role_of(profile, shown)
  if not role then return nil, message, code end
  if not role.role_arn then
    return nil, ("the profile %s has web_identity_token_file, but no role_arn; add it"):format(shown), "configuration"
  end
  return web_identity.assume(context, role, ("web_identity_token_file of the profile %s"):format(shown),
    "web identity of the profile " .. shown)
end

local function is_single_sign_on(profile)
  for _, name in ipairs { "sso_session", "sso_start_url", "sso_account_id", "sso_role_name", "login_session" } do
    if profile[name] then return true end
  end
  return false
end

-- The credentials of a profile; visited holds the names of those that led to it.
function resolve(context, loaded, name, visited)
  local profile, shown = loaded.profiles[name], units.format_text(name)
  local is_first = next(visited) == nil
  visited[name] = true
  if not is_first and has_keys(profile) then
    return static_keys(profile, shown)
  elseif text(profile, "web_identity_token_file") then
    return by_web_identity(context, profile, shown)
  elseif text(profile, "role_arn") then
    return assume_role(context, loaded, name, shown, visited)
  elseif has_keys(profile) then
    return static_keys(profile, shown)
  elseif text(profile, "credential_process") then
    return process.fetch(context, text(profile, "credential_process"), shown)
  elseif is_single_sign_on(profile) then
    return nil, ("the profile %s signs a person in (sso_… or login_session), which isn't supported here; let the AWS "
      .. "command line do it, in a profile with: credential_process = aws configure export-credentials --format "
      .. "process --profile %s"):format(shown, name), "configuration"
  end
  return nil, ("the profile %s holds no credentials"):format(shown), "absent"
end

--- Fetches those of the profile that counts. The files are read anew.
---@async
---@param context AwsContext
---@return FoundCredentials|nil
---@return string|nil message
---@return "absent"|"configuration"|"unavailable"|nil code
function profile_provider.fetch(context)
  local loaded, message, code = context:profiles(true)
  if not loaded then return nil, message, code end
  local name, where = profiles.name(context)
  if loaded.profiles[name] then return resolve(context, loaded, name, {}) end
  local files = #loaded.files > 0 and table.concat(loaded.files, " and ") or "no file (HOME isn't set)"
  if where then
    return nil, ("%s names the profile %s, which isn't in %s"):format(where, units.format_text(name), files),
      "configuration"
  end
  return nil, ("there is no profile \"default\" in %s"):format(files), "absent"
end

return profile_provider
