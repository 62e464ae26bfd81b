--- The credentials of a session: which provider has them, and one snapshot that is kept and refreshed.
---
--- The chain is asked in its order. A provider that isn't configured is passed over; one that is configured and fails ends
--- the search, because keys of somebody else are worse than none. Who answered once is asked again when it is time.
---
--- Times are botocore's: from 15 minutes before the end credentials are refreshed in the background, and a failure is borne
--- (advisory); from 10 minutes before it callers wait, and a failure is theirs (mandatory). Where credentials live 20 minutes
--- or less, it is at their half and their last third, or each request would fetch anew.

local host = require "submitter.host"

local credentials = {}

local advisory_s, mandatory_s = 15 * 60, 10 * 60
local short_life_s = 20 * 60
-- After an advisory refresh that failed, and between two warnings of the same.
local pause_s, warning_pause_s = 60, 300
-- Expired credentials of an instance are used on for so long, and up to as long again by chance, as the SDKs do.
local extension_s = 300
local fetch_timeout_ms = 120000

local chain = { "environment", "profile", "web_identity", "container", "imds" }

---@class CredentialSnapshot one set of keys, immutable: who has begun to use it is not disturbed by a refresh
---@field keys userdata of host.sigv4.credentials: key, secret and token
---@field access_key_id string
---@field expires_s integer|nil seconds since the epoch
---@field source string where they come from, for people

---@class CredentialCache
---@field context AwsContext
---@field current table|nil the snapshot and when it is to be refreshed
---@field flight table|nil the fetch that is under way
---@field is_stale boolean somebody was told that the current ones are expired
local Cache = {}
Cache.__index = Cache

local function snapshot_of(context, found)
  local fields = {
    keys = context.sigv4.credentials {
      access_key_id = found.access_key_id, secret_access_key = found.secret_access_key,
      session_token = found.session_token,
    },
    access_key_id = found.access_key_id, expires_s = found.expires_s, source = found.source,
  }
  return setmetatable({}, {
    __index = fields,
    __newindex = function(_, name)
      error(("a snapshot of credentials is immutable: %q can't be set"):format(tostring(name)), 2)
    end,
    __tostring = function() return "credentials from " .. found.source end,
    __metatable = false,
  })
end

-- When to refresh in the background, and from when on callers have to wait for it.
local function refresh_times(expires_s, now_s)
  if not expires_s then return math.huge, math.huge end
  local left_s = expires_s - now_s
  if left_s > short_life_s then return expires_s - advisory_s, expires_s - mandatory_s end
  return expires_s - left_s // 2, expires_s - left_s // 3
end

-- Nobody waits for the refresh of what is used beyond its end, and it isn't tried at each request.
local function extend(self, entry, now_s, reason)
  entry.refresh_s = now_s + extension_s + math.floor(self.context.random() * extension_s)
  entry.mandatory_s = math.huge
  host.log.warn("credentials_extended", {
    source = entry.snapshot.source, reason = reason, again_in_s = entry.refresh_s - now_s,
  })
end

-- ---- the chain ----

local function nothing_found(passed_over)
  local lines = {}
  for index, one in ipairs(passed_over) do lines[index] = ("%s: %s"):format(one.name, one.reason) end
  return nil, ("no credentials for AWS were found (%s). Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
    .. "AWS_PROFILE, or give the machine or container a role"):format(table.concat(lines, "; ")), "no_credentials"
end

local function ask_chain(context)
  local passed_over = {}
  for _, name in ipairs(chain) do
    local provider = require("submitter.aws.credentials." .. name)
    -- An operator who names a profile means it, whatever the environment holds (botocore, too).
    if name == "environment" and context.profile then
      passed_over[#passed_over + 1] = { name = provider.name, reason = "the configuration names a profile" }
    else
      local found, message, code = provider.fetch(context)
      if found then return found, provider end
      if code ~= "absent" then return nil, message, code end
      passed_over[#passed_over + 1] = { name = provider.name, reason = message }
    end
  end
  return nothing_found(passed_over)
end

local function ask(self)
  if self.provider then
    local found, message, code = self.provider.fetch(self.context)
    if found or code ~= "absent" then return found, found and self.provider or message, code end
  end
  return ask_chain(self.context)
end

-- ---- one fetch ----

local function keep(self, found, provider)
  local now_s = self.context.now_s()
  local is_expired = found.expires_s and found.expires_s <= now_s
  if is_expired and not found.is_tolerated then
    return nil, ("the credentials from %s are expired already (%s); see their source, and this machine's clock"):format(
      found.source, host.clock.utc(found.expires_s * 1000)), "unavailable"
  end
  local entry = { snapshot = snapshot_of(self.context, found), is_tolerated = found.is_tolerated }
  entry.refresh_s, entry.mandatory_s = refresh_times(found.expires_s, now_s)
  if is_expired then extend(self, entry, now_s, "they were served although they are expired") end
  self.current, self.provider, self.is_stale = entry, provider, false
  return entry.snapshot
end

local function warn(self, message)
  local now_s = self.context.now_s()
  if self.warned_s and now_s - self.warned_s < warning_pause_s then return end
  self.warned_s = now_s
  host.log.warn("credentials_not_refreshed", { source = self.current.snapshot.source, reason = message })
end

-- What a failed refresh leaves: the old snapshot, where that may still be used.
local function bear(self, message, code)
  local entry, now_s = self.current, self.context.now_s()
  if not entry or self.is_stale then return nil, message, code end
  if now_s < entry.mandatory_s then
    entry.refresh_s = now_s + pause_s
    warn(self, message)
    return entry.snapshot
  elseif entry.is_tolerated then
    extend(self, entry, now_s, message)
    return entry.snapshot
  end
  return nil, message, code
end

local function fetch(self)
  local found, provider, code = host.task.within(fetch_timeout_ms, ask, self)
  local message = provider
  local snapshot
  if found then
    snapshot, message, code = keep(self, found, provider)
    if snapshot then return snapshot end
  elseif code == "timeout" then
    message, code = ("the credentials weren't there after %d s"):format(fetch_timeout_ms // 1000), "unavailable"
  end
  return bear(self, message, code)
end

-- The fetch is a task of its own, so that a caller who is cancelled takes nobody's answer along.
local function begin(self)
  local flight = { done = host.task.event() }
  self.flight = flight
  flight.task = host.task.spawn("credentials", function()
    local good, snapshot, message, code = pcall(fetch, self)
    self.flight = nil
    if good then
      flight.snapshot, flight.message, flight.code = snapshot, message, code
    else
      flight.message, flight.code = "fetching the credentials was broken off", "unavailable"
    end
    flight.done:set()
    if not good then error(snapshot, 0) end
  end)
  return flight
end

--- The credentials to use now. Waits where there are none yet, or the kept ones are about to end; many callers wait for one
--- fetch.
---@async
---@return CredentialSnapshot|nil
---@return string|nil message names the provider that failed, or all that were looked at
---@return "no_credentials"|"unavailable"|"configuration"|nil code
function Cache:get()
  local entry = self.current
  if entry and not self.is_stale then
    local now_s = self.context.now_s()
    if now_s < entry.mandatory_s then
      if now_s >= entry.refresh_s and not self.flight then begin(self) end
      return entry.snapshot
    end
  end
  local flight = self.flight or begin(self)
  flight.done:wait()
  return flight.snapshot, flight.message, flight.code
end

--- Says that a service refused a snapshot as expired. If it is still the current one, the next `get` fetches anew.
---@param snapshot CredentialSnapshot
function Cache:expired(snapshot)
  if self.current and self.current.snapshot == snapshot then self.is_stale = true end
end

--- A cache without credentials yet.
---@param context AwsContext
---@return CredentialCache
function credentials.new(context)
  return setmetatable({ context = context, is_stale = false }, Cache)
end

return credentials
