--- The parts that a configuration names, opened: the bucket, the queue, the policy directory, the jobs of a worker. Only
--- what is asked for is opened, so that what needs no folder (`notify` with a queue of Amazon's) runs where none can be made.

local host = require "submitter.host"
local jobs = require "submitter.jobs"

local services = {}

-- Jobs hold submissions and cases, which are nobody else's business on this machine.
local PRIVATE = tonumber("700", 8)

---@class Services
---@field configuration table what configuration.load returned
---@field directory Directory|nil var, where anything lies in it
---@field session table|nil who this is to AWS, where anything is there
---@field store table|nil
---@field queue table|nil
---@field database table|nil the pool; nil also where none is configured
---@field cases table|nil the source of cases
---@field jobs table|nil
---@field policy_directory Directory|nil
local Services = {}
Services.__index = Services

-- var, made when the first part that lies in it is opened.
local function var(self)
  if self.directory then return self.directory end
  local path = self.configuration.var
  local directory, message = host.file.directory(path, { create = true })
  if not directory then
    return nil, ("can't make or open the folder %s: %s; choose another with SUBMITTER_VAR or the configuration's var")
      :format(path, message)
  end
  self.directory = directory
  return directory
end

local function open_below(self, name, mode)
  local parent, message = var(self)
  if not parent then return nil, message end
  local directory
  directory, message = parent:open(name, { create = true, mode = mode })
  if not directory then
    return nil, ("can't make or open %s/%s: %s; choose another folder with SUBMITTER_VAR or the configuration's var")
      :format(parent:path(), name, message)
  end
  return directory
end

-- One session for bucket and queue: its credentials are fetched and refreshed once.
local function session(self)
  if not self.session then
    local settings = self.configuration.aws
    self.session = require("submitter.aws.session").new { profile = settings.profile, region = settings.region }
  end
  return self.session
end

local buckets, queues, openers = {}, {}, {}

function buckets.directory(self)
  local directory, message = open_below(self, "bucket")
  if not directory then return nil, message end
  local locks
  locks, message = open_below(self, "locks")
  if not locks then return nil, message end
  return require("submitter.store.directory").open { directory = directory, locks = locks }
end

function buckets.s3(self, settings)
  local client = require("submitter.aws.client").new {
    session = session(self), service = "s3", region = settings.region, endpoint = settings.endpoint,
  }
  return require("submitter.store.s3").open {
    client = client, name = settings.name, path_style = settings.path_style,
    conditional_writes = settings.conditional_writes,
  }
end

function queues.directory(self)
  local directory, message = open_below(self, "queue")
  if not directory then return nil, message end
  return require("submitter.queue.directory").open {
    directory = directory, visibility_ms = self.configuration.visibility_ms,
  }
end

function queues.sqs(self, settings)
  return require("submitter.queue.sqs").open {
    session = session(self), url = settings.url, dead_letter_url = settings.dead_letter_url, region = settings.region,
    endpoint = settings.endpoint, visibility_ms = self.configuration.visibility_ms,
    failure_limit = self.configuration.failure_limit,
  }
end

function openers.var(self)
  return var(self)
end

function openers.store(self)
  local message
  self.store, message = buckets[self.configuration.bucket.kind](self, self.configuration.bucket)
  return self.store, message
end

function openers.queue(self)
  local message
  self.queue, message = queues[self.configuration.queue.kind](self, self.configuration.queue)
  return self.queue, message
end

function openers.database(self)
  local settings = self.configuration.database
  if not settings then return true end
  self.database = require("submitter.database").open {
    url = settings.url, pool = settings.pool, connect_timeout_ms = settings.connect_timeout_ms,
    statement_timeout_ms = settings.statement_timeout_ms, is_quiet = self.configuration.is_command,
  }
  return true
end

local sources = {}

function sources.bucket(self)
  return require("submitter.cases").bucket_source { store = self.store }
end

function sources.postgres(self)
  return require("submitter.cases").postgres_source { database = self.database }
end

function sources.first(self, settings)
  local list = {}
  for index, one in ipairs(settings) do list[index] = sources[one.kind](self, one) end
  return require("submitter.cases").first(list)
end

function openers.cases(self)
  for _, part in ipairs { "store", "database" } do
    if not self[part] then
      local opened, message = openers[part](self)
      if not opened then return nil, message end
    end
  end
  self.cases = sources[self.configuration.cases.kind](self, self.configuration.cases)
  return self.cases
end

function openers.policies(self)
  local named = self.configuration.policy.directory
  local directory, message
  if named then directory, message = host.file.directory(named) else directory, message = open_below(self, "policy") end
  self.policy_directory = directory
  if named and not directory then
    return nil, ("the policy directory %s can't be opened: %s; see SUBMITTER_POLICY and the configuration's "
      .. "policy.directory"):format(named, message)
  end
  return directory, message
end

function openers.jobs(self)
  local directory, message = open_below(self, "jobs", PRIVATE)
  if not directory then return nil, message end
  self.jobs, message = jobs.open(directory)
  return self.jobs, message
end

--- Gives everything back. What is in the folders stays, except this worker's own jobs.
---@async
function Services:close()
  if self.jobs then self.jobs:close() end
  if self.queue then self.queue:close() end
  if self.database then self.database:close() end
end

--- Opens one more part, and makes the folders that it needs and that are missing.
---@async
---@param part "var"|"store"|"queue"|"database"|"cases"|"policies"|"jobs" "cases" opens store and database as well; "jobs" is
--- for who grades: the folder is a worker's alone
---@return true|nil
---@return string|nil message
---@return "environment"|nil code
function Services:open(part)
  local open = openers[part]
  if not open then
    error(("services:open: no part %q; expected var, store, queue, database, cases, policies or jobs"):format(
      tostring(part)), 2)
  end
  local opened, message = open(self)
  if not opened then return nil, message, "environment" end
  return true
end

--- Opens parts of what a configuration names, in the order given. When one can't be opened the others are closed again.
---@async
---@param configuration table what configuration.load returned
---@param ... string parts, as for Services:open; none: they are opened one by one, later
---@return Services|nil
---@return string|nil message
---@return "environment"|nil code
function services.open(configuration, ...)
  local self = setmetatable({ configuration = configuration }, Services)
  for _, part in ipairs { ... } do
    local opened, message, code = self:open(part)
    if not opened then
      self:close()
      return nil, message, code
    end
  end
  return self
end

--- For people: what a bucket or a queue of the configuration is.
---@param settings table configuration.bucket or .queue
---@return string
function services.describe(settings)
  if settings.kind == "s3" then
    return ("bucket %s of S3%s"):format(settings.name, settings.endpoint and " at " .. settings.endpoint or "")
  elseif settings.kind == "sqs" then
    return ("queue %s of SQS"):format(settings.url)
  end
  return "a directory"
end

return services
