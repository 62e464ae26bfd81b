--- What an operator decides. A configuration is a Lua file that returns a table; every field has a default.
---
--- The file is the one named by `--config`, else by SUBMITTER_CONFIG, else /etc/submitter/submitter.lua if there is
--- one; never one that happens to lie in the current folder. With none, everything is embedded below ./var. It is
--- loaded as text, and sees `getenv`, `string`, `table`, `math`, Lua's harmless basic functions and one for each kind of
--- part (`s3`, `sqs`, `directory`, `postgres`, `bucket`, `first`, `smtp`, `sandbox`, `docker`): no files, no programs.
---
--- Environment variables win over the file, because a container's image brings the file and its start the variables:
--- SUBMITTER_VAR (`var`), SUBMITTER_POLICY (`policy.directory`), SUBMITTER_BUCKET (`bucket = s3 { name = … }`),
--- SUBMITTER_QUEUE_URL and SUBMITTER_DEAD_LETTER_URL (`queue = sqs { url =, dead_letter_url = }`),
--- SUBMITTER_DATABASE_URL (`database = postgres { url = … }`), SUBMITTER_RUNNER_IMAGE and SUBMITTER_RUNNER_SOCKET (`runner =
--- docker { image =, socket = }`; `runners` are the file's alone). One that is empty counts as not set. What AWS's own tools
--- read from the environment and from ~/.aws counts as it does for them: see submitter.aws. So do PostgreSQL's variables
--- and files for what a database's url leaves out, and DOCKER_HOST or CONTAINER_HOST for a socket that nobody named.
---
--- Relative paths count from the folder of the configuration file when they stand in it, otherwise (the default, the
--- environment) from the current folder.
---
--- The result carries units in its names: `visibility = "30s"` becomes `visibility_ms = 30000`, `source_limit = "1M"`
--- becomes `source_limit_bytes = 1048576`.

local host = require "submitter.host"
local mail = require "submitter.mail.fields"
local runner = require "submitter.runner.fields"
local schema = require "submitter.schema"
local units = require "submitter.units"

local configuration = {}

configuration.system_file = "/etc/submitter/submitter.lua"

local file_limit_bytes = 1 << 20
local instruction_limit = 10000000

-- The largest that a policy may ask for. The walls are built with these before a submission is known.
local ceilings = {
  { name = "memory", type = "size_bytes", default = "1G", range = { "16M", "1T" },
    text = "Most memory that a policy may allow a case." },
  { name = "cpu", type = "duration_ms", default = "60s", range = { "100ms", "1h" },
    text = "Most processor time that a policy may allow a case." },
  { name = "wall", type = "duration_ms", default = "180s", range = { "100ms", "6h" },
    text = "Most time on the clock that a policy may allow a case." },
  { name = "output", type = "size_bytes", default = "16M", range = { "1K", "256M" },
    text = "Most output that a policy may allow a case." },
  { name = "processes", type = "integer", default = 64, range = { 1, 4096 },
    text = "Most processes and threads that a policy may allow a case." },
  { name = "files", as = "file_bytes", type = "size_bytes", default = "256M", range = { 0, "64G" },
    text = "Most bytes in files that a policy may allow a case." },
}

local region = { name = "region", type = "string", match = "^[%w-]+$", expected = "a region such as eu-central-1",
  default_text = "AWS_REGION, the profile's, or the machine's own", text = "The AWS region." }

local function endpoint(service)
  return { name = "endpoint", type = "string", match = "^https?://[^/?#]+", expected = "a URL, https://…",
    default_text = ("AWS_ENDPOINT_URL_%s, or Amazon's own"):format(service), text = "The service's address." }
end

-- A folder below var, and nothing to say about it.
local directory = { name = "directory", fields = {} }

local s3 = {
  name = "s3",
  chosen_by = "SUBMITTER_BUCKET",
  fields = {
    -- Amazon's have 63 characters at most and no "_"; those of other servers may.
    { name = "name", type = "string", required = true, environment = "SUBMITTER_BUCKET", match = "^%w[%w._-]+%w$",
      length = { 3, 255 }, expected = "the name of a bucket", text = "The bucket." },
    region,
    endpoint "S3",
    { name = "path_style", type = "boolean", default_text = "only where the host is an address",
      text = "Whether the bucket's name is written into the path, not into the host's name." },
    { name = "conditional_writes", type = "boolean", default = true,
      text = "Whether results are written on the condition that none was written meanwhile. A server that can't needs "
        .. "false, and then only one worker may be running." },
  },
}

local queue_url = { match = "^https?://[^/?#]+/[^?#]+$", expected = "the URL of a queue" }

local sqs = {
  name = "sqs",
  chosen_by = "SUBMITTER_QUEUE_URL",
  fields = {
    { name = "url", type = "string", required = true, environment = "SUBMITTER_QUEUE_URL", match = queue_url.match,
      expected = queue_url.expected, text = "The queue." },
    { name = "dead_letter_url", type = "string", environment = "SUBMITTER_DEAD_LETTER_URL", match = queue_url.match,
      expected = queue_url.expected, default_text = "none: the queue's redrive policy alone",
      text = "The queue that messages which are given up go to, with the reason." },
    region,
    endpoint "SQS",
  },
}

local postgres = {
  name = "postgres",
  chosen_by = "SUBMITTER_DATABASE_URL",
  fields = {
    { name = "url", type = "string", environment = "SUBMITTER_DATABASE_URL", default = "", length = { 0, 4096 },
      expected = "a URI or conninfo of PostgreSQL", default_text = "by PG* variables, service and password files",
      text = "Where it is and who this is to it; keep passwords in a password file." },
    { name = "pool", type = "integer", default = 4, range = { 1, 64 }, text = "Connections of a worker, at most." },
    { name = "connect_timeout", type = "duration_ms", default = "5s", range = { "100ms", "5m" },
      text = "How long a connection may take, all hosts of the url together." },
    { name = "statement_timeout", type = "duration_ms", default = "30s", range = { "100ms", "1h" },
      text = "How long a statement may take." },
    { name = "final_grading", type = "boolean", default = true,
      text = "Whether workers queue an event's submissions for the final mark when it has ended." },
  },
}

-- Where it is stands in `database`; here it only says which.
local postgres_cases = { name = "postgres", fields = {} }
local bucket_cases = { name = "bucket", fields = {} }
local first_cases = {
  name = "first",
  list = { type = "list", of = { type = "choice", of = { postgres_cases, bucket_cases } }, length = { 1, 2 } },
}

--- Every field, with its default, range and meaning: see submitter.schema.
configuration.description = {
  type = "table",
  fields = {
    { name = "var", type = "string", default = "./var", path = true, environment = "SUBMITTER_VAR",
      text = "The folder below which everything lives: bucket/, queue/, jobs/, locks/, policy/." },
    { name = "bucket", type = "choice", of = { s3, directory }, default = { kind = "directory" },
      text = "Where submissions, cases and reports are: Amazon S3 and what speaks it, or bucket/ below var." },
    { name = "queue", type = "choice", of = { sqs, directory }, default = { kind = "directory" },
      text = "What announces submissions: Amazon SQS and what speaks it, or queue/ below var." },
    { name = "database", type = "choice", of = { postgres }, default_text = "none",
      text = "The grade book: results are recorded there, students known, cases read." },
    { name = "mail", type = "choice", of = { mail.smtp }, default_text = "none",
      text = "Sends the students of a submission its report; takes a database, which knows them." },
    { name = "cases", type = "choice", of = { postgres_cases, bucket_cases, first_cases },
      default_text = "first { postgres {}, bucket {} } with a database, else bucket {}",
      text = "Where cases are. postgres { url = … } names the database as well; first { … } asks one by one." },
    { name = "aws", type = "table", text = "Who this is to Amazon's services.", fields = {
      { name = "profile", type = "string", default_text = "AWS_PROFILE, or \"default\"",
        text = "The profile of ~/.aws/config and ~/.aws/credentials that counts." },
      region,
    } },
    { name = "slots", type = "integer", range = { 1, 1024 },
      default = function() return math.min(1024, math.max(1, host.system.processors())) end,
      default_text = "the number of processors; 1 with accounting = \"container\"",
      text = "How many submissions a worker has in flight." },
    { name = "visibility", type = "duration_ms", default = "30s", range = { "1s", "12h" },
      text = "For how long a received message is hidden; a worker extends it at half of that." },
    { name = "failure_limit", type = "integer", default = 5, range = { 1, 1000 },
      text = "After so many recorded failures a message becomes a dead letter." },
    { name = "retry_delay", type = "duration_ms", default = "1s", range = { "10ms", "5m" },
      text = "The delay before the first retry; it doubles with each, up to 5m." },
    { name = "python", type = "string", match = "^/", expected = "an absolute path",
      default_text = "the newest /usr/bin/python3*", text = "The interpreter that runs submissions." },
    runner.list[1],
    runner.list[2],
    { name = "accounting", type = "enum", values = { "cgroup", "container", "rlimit" }, default = "cgroup",
      text = "How sandboxes enforce limits and measure: by cgroups of their own; by the counters of the container that "
        .. "the worker is in, one submission at a time; or rlimit, where there is neither." },
    { name = "cgroup_parent", type = "string", match = "^/", expected = "an absolute path",
      default_text = "the cgroup of the worker",
      text = "The cgroup below which those of the sandboxes are made: its path from the hierarchy's root, as in "
        .. "/proc/PID/cgroup, or its directory." },
    { name = "processors", type = "number", range = { 0.1, 1024 }, default_text = "all there are",
      text = "How many processors' time each program gets, 0.5 for half of one; takes cgroups." },
    -- No sandbox takes a larger file.
    { name = "source_limit", type = "size_bytes", default = "1M", range = { "1K", "16M" },
      text = "The largest program that is accepted." },
    { name = "document_limit", type = "size_bytes", default = "64K", range = { "1K", "1M" },
      text = "The largest submission document that is accepted." },
    { name = "policy", type = "table", text = "Policies: what admins decide.", fields = {
      { name = "directory", type = "string", path = true, environment = "SUBMITTER_POLICY",
        default_text = "policy/ below var", text = "The folder of the deployment's policies." },
      { name = "from_bucket", type = "boolean", default = false,
        text = "Whether grading/policy.lua beside an assignment's cases counts." },
      { name = "limits", type = "table", text = "Ceilings for what policies may set.", fields = ceilings },
    } },
    { name = "log", type = "table", text = "What is written to standard error.", fields = {
      { name = "format", type = "enum", values = { "auto", "json", "human" }, default = "auto",
        text = "JSON lines, a form for people, or the latter on a terminal only." },
      { name = "level", type = "enum", values = { "debug", "info", "warn", "error" }, default = "info",
        text = "The least that is written." },
    } },
  },
}

local function folder_of(path)
  return path:match("^(.*/)[^/]*$") or "./"
end

local function read_file(path)
  local handle, message, number = io.open(path, "rb")
  if not handle then
    return nil, message, number
  end
  local text, read_message = handle:read(file_limit_bytes + 1)
  handle:close()
  if not text and read_message then
    return nil, path .. ": " .. read_message
  end
  text = text or ""
  if #text > file_limit_bytes then
    return nil, ("%s: larger than %s, which no configuration is"):format(path, units.format_bytes(file_limit_bytes))
  end
  return text
end

local function copy(library)
  local result = {}
  for name, value in pairs(library) do
    result[name] = value
  end
  return result
end

-- All that a configuration file sees.
local function new_environment(getenv)
  local known = schema.constructors(configuration.description)
  local basic = {
    getenv = getenv,
    string = copy(string), table = copy(table), math = copy(math),
    assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, select = select,
    tonumber = tonumber, tostring = tostring, type = type,
  }
  for name, value in pairs(basic) do
    known[name] = value
  end
  return setmetatable(known, {
    __index = function(_, name)
      error(("unknown name %q; a configuration sees s3, sqs, directory, postgres, bucket, first, smtp, sandbox, "
        .. "docker, getenv, string, table, math and Lua's basic functions"):format(tostring(name)), 2)
    end,
  })
end

local function run_file(path, getenv)
  local text, message, number = read_file(path)
  if not text then
    return nil, message, number
  end
  text = text:gsub("^\xEF\xBB\xBF", ""):gsub("^#[^\n]*", "")
  if text:sub(1, 1) == "\27" then
    return nil, path .. ": compiled Lua, which isn't run; write it as text"
  end
  local chunk, syntax = load(text, "@" .. path, "t", new_environment(getenv))
  if not chunk then
    return nil, syntax
  end
  local good, result, kind = host.watchdog.call(instruction_limit, chunk)
  if not good and kind == "budget" then
    return nil, ("%s: it doesn't come to an end (%d instructions)"):format(path, instruction_limit)
  elseif not good then
    return nil, result:find(path, 1, true) and result or path .. ": " .. result
  end
  if type(result) ~= "table" then
    return nil, ("%s: a configuration returns a table; this returned %s"):format(path,
      result == nil and "nothing" or "a " .. type(result))
  end
  return result
end

-- ENOENT and ENOTDIR, as io.open numbers them: the only failures that mean "there is none".
local function is_absent(number)
  return number == 2 or number == 20
end

-- The raw table of the file that counts, and that file's path; an empty table when there is none.
local function find_file(options, getenv)
  local named, by = options.path, "--config"
  if not named then
    named, by = getenv("SUBMITTER_CONFIG"), "SUBMITTER_CONFIG"
    if named == "" then named = nil end
  end
  if named == "" then
    return nil, "--config names no file: it is empty"
  elseif named then
    local result, message = run_file(named, getenv)
    if not result then
      return nil, ("the configuration named by %s: %s"):format(by, message)
    end
    return result, named
  end
  local path = options.system_file or configuration.system_file
  local result, message, number = run_file(path, getenv)
  if not result then
    if is_absent(number) then
      return {}, nil
    end
    return nil, "the configuration: " .. message
  end
  return result, path
end

local function variable(getenv, name)
  local value = name and getenv(name)
  return value ~= "" and value or nil
end

local apply

-- Of a part that may be of several kinds: the environment can choose one, and set fields of the one that is chosen.
local function apply_choice(field, raw, folder, getenv)
  local value = rawget(raw, field.name)
  for _, part in ipairs(field.of) do
    local is_chosen = type(value) == "table" and rawget(value, "kind") == part.name
    if not is_chosen and variable(getenv, part.chosen_by) then
      value = { kind = part.name }
      rawset(raw, field.name, value)
      is_chosen = true
    end
    if is_chosen then
      return apply(part.fields or {}, value, folder, getenv)
    end
  end
end

-- The environment has a say in the one part that it names, not in each of several.
local function nothing() return nil end

local function apply_map(field, raw, folder)
  local elements = rawget(raw, field.name)
  for name in next, type(elements) == "table" and elements or {} do
    local element = {}
    for key, value in pairs(field.of) do element[key] = value end
    element.name = name
    apply({ element }, elements, folder, nothing)
  end
end

-- Applies what is said of single fields (relative paths, environment variables) to a raw table, which it changes.
function apply(fields, raw, folder, getenv)
  for _, field in ipairs(fields) do
    local value = rawget(raw, field.name)
    if field.type == "table" then
      if value == nil then
        value = {}
        rawset(raw, field.name, value)
      end
      -- Anything else is left for the schema to complain about.
      if type(value) == "table" then
        apply(field.fields, value, folder, getenv)
      end
    elseif field.type == "choice" then
      apply_choice(field, raw, folder, getenv)
    elseif field.type == "map" then
      apply_map(field, raw, folder)
    else
      if field.path and folder and type(value) == "string" and value ~= "" and value:sub(1, 1) ~= "/" then
        rawset(raw, field.name, folder .. value)
      end
      local given = variable(getenv, field.environment)
      if given then
        rawset(raw, field.name, given)
      end
    end
  end
end

local function is_kind(value, kind)
  return type(value) == "table" and rawget(value, "kind") == kind
end

-- The postgres { … } among the sources of cases, if it is among them.
local function postgres_source(cases)
  if is_kind(cases, "postgres") then return cases end
  for _, one in ipairs(is_kind(cases, "first") and cases or {}) do
    if is_kind(one, "postgres") then return one end
  end
end

-- Of database and cases either may name the other: cases that are in PostgreSQL name the database, where nothing else
-- does, and a database holds cases, where nothing else is said. Changes the raw table.
local function settle_database(raw)
  if raw.database ~= nil and raw.cases == nil then
    raw.cases = { kind = "first", { kind = "postgres" }, { kind = "bucket" } }
  end
  local source = postgres_source(raw.cases)
  if not source then
    if raw.cases == nil then raw.cases = { kind = "bucket" } end
    return true
  end
  local settings = {}
  for name, value in next, source do
    settings[name] = value
    if name ~= "kind" then source[name] = nil end
  end
  if raw.database == nil then
    raw.database = settings
  elseif next(settings, next(settings)) ~= nil then
    return nil, "cases: postgres { … }: where it is stands in database = postgres { … } as well; leave one out"
  end
  return true
end

-- A copy of plain tables, so that the table that a file returned is never changed (it may be shared within it).
local function copy_deep(value, depth)
  if type(value) ~= "table" or depth > 8 then
    return value
  end
  local result = {}
  for name, inner in next, value do
    result[name] = copy_deep(inner, depth + 1)
  end
  return result
end

local option_names = { path = true, getenv = true, system_file = true }

--- Reads the configuration that counts.
---@param options {path:string|nil, getenv:(fun(name:string):string|nil)|nil, system_file:string|nil}|nil path: what
--- --config named. getenv and system_file stand in for the process's environment and /etc/submitter/submitter.lua.
---@return table|nil configuration also holds `file`, the path that it was read from, if any
---@return string|nil message
---@return "environment"|nil code
function configuration.load(options)
  options = options or {}
  for name in pairs(options) do
    if not option_names[name] then
      error(("unknown option %q; expected configuration.load{ path = … }"):format(tostring(name)), 2)
    end
  end
  local getenv = options.getenv or os.getenv
  local raw, path = find_file(options, getenv)
  if not raw then
    return nil, path, "environment"
  end
  raw = copy_deep(raw, 0)
  local result, message
  if raw.database == nil and variable(getenv, "SUBMITTER_DATABASE_URL") then raw.database = { kind = "postgres" } end
  local settled, problem = settle_database(raw)
  if settled then
    apply(configuration.description.fields, raw, path and folder_of(path), getenv)
    result, message = schema.check(configuration.description, raw)
  else
    message = problem
  end
  if result then
    local good, complaint = runner.settle(result, { getenv = getenv, slots = raw.slots })
    if not good then result, message = nil, complaint end
  end
  if result and result.mail then
    local good, complaint = mail.check(result.mail)
    if good and not result.database then
      good, complaint = nil, "mail: there is no database, which knows the students: add database = postgres { … }"
    end
    if not good then result, message = nil, complaint end
  end
  if not result then
    return nil, ("the configuration%s: %s"):format(path and " " .. path or "", message), "environment"
  end
  result.file = path
  return result
end

return configuration
