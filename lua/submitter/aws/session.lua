--- What one deployment is to AWS: its credentials, its region, where its services are. Bucket and queue share one.

local credentials = require "submitter.aws.credentials"
local endpoint = require "submitter.aws.endpoint"
local host = require "submitter.host"
local kernel = require "submitter.kernel"
local profiles = require "submitter.aws.profiles"
local region = require "submitter.aws.region"
local schema = require "submitter.schema"

local session = {}

local file_limit_bytes = 1 << 20
-- A region that wasn't found is looked for again after so long: the instance may have been starting.
local region_pause_s = 30

---@class AwsContext what the parts of a session get at the outside by
---@field getenv fun(name:string):string|nil
---@field http table host.http
---@field sigv4 table host.sigv4
---@field now_s fun():integer seconds since the epoch
---@field sleep_ms fun(milliseconds:integer)
---@field random fun():number from 0 to 1
---@field read_file fun(path:string):string|nil,string|nil,string|nil text; or nil, message, errno name
---@field run fun(options:table):table|nil,string|nil,string|nil host.child.run, with program, arguments and limit_bytes
---@field profile string|nil the operator's choice
---@field region_option string|nil the operator's choice
---@field ca_file string|nil
local Context = {}

--- An environment variable; an empty one counts as not set, as for the SDKs.
---@param name string
---@return string|nil
function Context:variable(name)
  local value = self.getenv(name)
  return value ~= "" and value or nil
end

--- What the shared files say. Kept, because settings are asked for at each request, until somebody wants them fresh.
---@async
---@param anew boolean|nil
---@return Profiles|nil
---@return string|nil message
---@return "configuration"|nil code
function Context:profiles(anew)
  if self.loaded_profiles and not anew then return self.loaded_profiles end
  local loaded, message, code = profiles.load(self)
  if not loaded then return nil, message, code end
  self.loaded_profiles = loaded
  return loaded
end

--- The region: found once, then kept.
---@async
---@return string|nil
---@return string|nil message or, after success, what gave it
---@return "configuration"|nil code
function Context:region()
  if self.found_region then return self.found_region, self.region_source end
  local now_s = self.now_s()
  local failure = self.region_failure
  if failure and now_s - failure.at_s < region_pause_s and now_s >= failure.at_s then
    return nil, failure.message, failure.code
  end
  local name, message, code = region.find(self)
  if name then
    self.found_region, self.region_source = name, message
  else
    self.region_failure = { at_s = now_s, message = message, code = code }
  end
  return name, message, code
end

--- Where a service is, for a region that is known.
---@async
---@param service "s3"|"sqs"|"sts"
---@param region_name string|nil
---@param option string|nil the operator's choice
---@return Endpoint|nil
---@return string|nil message
---@return "configuration"|"region"|nil code
function Context:endpoint(service, region_name, option)
  return endpoint.find(self, service, region_name, option)
end

-- ---- the real outside ----

-- In the thread pool and never of a FIFO. A link that leads out of its folder (dot files kept elsewhere) is followed by
-- Lua's own means.
local function read_file(path)
  local folder, name = path:match("^(.*/)([^/]+)$")
  if not name then
    folder, name = "./", path
  end
  local directory, message, code = host.file.directory(folder)
  if not directory then return nil, message, code end
  local text
  text, message, code = directory:read(name, { limit_bytes = file_limit_bytes, follow = true })
  directory:close()
  if text or code ~= "EXDEV" then return text, message, code end
  local stream, problem, number = io.open(path, "rb")
  -- 2 is ENOENT.
  if not stream then return nil, problem, number == 2 and "ENOENT" or "unreadable" end
  text, problem = stream:read(file_limit_bytes)
  stream:close()
  if not text and problem then return nil, problem, "unreadable" end
  return text or ""
end

-- A program of the operator's expects the environment that this one has.
local function environment()
  local result = {}
  for entry in (kernel.read "/proc/self/environ" or ""):gmatch("[^%z]+") do
    local name, value = entry:match("^([^=]+)=(.*)$")
    if name then result[name] = value end
  end
  return result
end

local function run(options)
  return host.child.run {
    program = options.program, arguments = options.arguments, limit_bytes = options.limit_bytes,
    environment = environment(),
  }
end

-- ---- the session ----

---@class AwsSession
---@field context AwsContext
---@field cache CredentialCache
---@field endpoints table<string, Endpoint>
local Session = {}
Session.__index = Session

--- The credentials to use for the next request. They are kept and refreshed ahead of their end; callers at the same time
--- wait for one fetch.
---@async
---@return CredentialSnapshot|nil
---@return string|nil message names what failed and what to do
---@return "no_credentials"|"unavailable"|"configuration"|nil code unavailable: it may succeed later
function Session:credentials()
  return self.cache:get()
end

--- Tells that a service answered that these credentials are expired: the next `credentials` fetches anew, unless that has
--- happened already.
---@param snapshot CredentialSnapshot
function Session:expired(snapshot)
  self.cache:expired(snapshot)
end

--- The region.
---@async
---@return string|nil region "eu-central-1"
---@return string|nil message
---@return "configuration"|nil code
function Session:region()
  local name, message, code = self.context:region()
  if not name then return nil, message, code end
  return name
end

local endpoint_options = { region = true, endpoint = true }
local endpoint_form = 'session:endpoint("s3"|"sqs"|"sts", { region = …, endpoint = … })'

--- Where a service is.
---@async
---@param service "s3"|"sqs"|"sts"
---@param options {region:string|nil, endpoint:string|nil}|nil region: where it isn't the session's own. endpoint: what the
--- operator configured for this use, which wins
---@return Endpoint|nil
---@return string|nil message
---@return "configuration"|nil code
function Session:endpoint(service, options)
  schema.check_options(options, endpoint_options, endpoint_form)
  local name, option = options and options.region, options and options.endpoint
  local key = ("%s %s %s"):format(service, name or "", option or "")
  if self.endpoints[key] then return self.endpoints[key] end
  local message, code
  if name then
    name, message, code = region.check(name, "region in the configuration")
    if not name then return nil, message, code end
  end
  local found
  found, message, code = self.context:endpoint(service, name, option)
  if code == "region" then
    name, message, code = self.context:region()
    if not name then return nil, message, code end
    found, message, code = self.context:endpoint(service, name, option)
  end
  if not found then return nil, message, code end
  self.endpoints[key] = found
  return found
end

local function describe_key(snapshot)
  local ending = snapshot.expires_s and "until " .. host.clock.utc(snapshot.expires_s * 1000) or "without an end"
  return ("%s (access key …%s, %s)"):format(snapshot.source, snapshot.access_key_id:sub(-4), ending)
end

--- For people: where credentials, region and endpoints come from. Nothing of it is secret.
---@async
---@return {credentials:string|nil, region:string|nil, endpoints:table<string, string>, message:string|nil, code:string|nil}
--- message: why there are no credentials. region is nil, and an endpoint missing, where they can't be found
function Session:describe()
  local result = { endpoints = {} }
  local snapshot, message, code = self:credentials()
  if snapshot then
    result.credentials = describe_key(snapshot)
  else
    result.message, result.code = message, code
  end
  local name, where = self.context:region()
  if name then result.region = ("%s (%s)"):format(name, where) end
  for _, service in ipairs { "s3", "sqs" } do
    local found = self:endpoint(service)
    if found then result.endpoints[service] = ("%s (%s)"):format(found.url, found.source) end
  end
  return result
end

local option_names = {
  getenv = true, http = true, sigv4 = true, now_s = true, sleep_ms = true, random = true, read_file = true, run = true,
  region = true, profile = true, ca_file = true,
}
local form = "session.new{ profile = …, region = …, ca_file = … }"

-- What wasn't given is the host's, and loaded when it is first needed.
local function with_host(given)
  return setmetatable(given, {
    __index = function(self, name)
      if name == "http" or name == "sigv4" then
        rawset(self, name, host[name])
        return rawget(self, name)
      end
      return Context[name]
    end,
  })
end

--- A session. All options may be left out; those but region, profile and ca_file stand in for the outside in specs.
---@param options {region:string|nil, profile:string|nil, ca_file:string|nil, getenv:function|nil, http:table|nil,
--- sigv4:table|nil, now_s:function|nil, sleep_ms:function|nil, random:function|nil, read_file:function|nil,
--- run:function|nil}|nil see AwsContext
---@return AwsSession
function session.new(options)
  schema.check_options(options, option_names, form)
  options = options or {}
  local context = with_host {
    getenv = options.getenv or os.getenv, http = options.http, sigv4 = options.sigv4,
    now_s = options.now_s or function() return host.clock.now_ms() // 1000 end,
    sleep_ms = options.sleep_ms or host.clock.sleep_ms, random = options.random or math.random,
    read_file = options.read_file or read_file, run = options.run or run,
    profile = options.profile, region_option = options.region, ca_file = options.ca_file,
  }
  return setmetatable({ context = context, cache = credentials.new(context), endpoints = {} }, Session)
end

return session
