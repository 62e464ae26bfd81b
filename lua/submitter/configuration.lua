--- What an operator decides. A configuration is a Lua file that returns a table; every field has a default.
---
--- The file is the one named by `--config`, else by SUBMITTER_CONFIG, else /etc/submitter/submitter.lua if there is
--- one; never one that happens to lie in the current folder. With none, everything is embedded below ./var. It is
--- loaded as text, and sees `getenv`, `string`, `table`, `math` and Lua's harmless basic functions: no files, no
--- programs.
---
--- Environment variables win over the file, because a container's image brings the file and its start the variables:
--- SUBMITTER_VAR (`var`), SUBMITTER_POLICY (`policy.directory`). One that is empty counts as not set.
---
--- Relative paths count from the folder of the configuration file when they stand in it, otherwise (the default, the
--- environment) from the current folder.
---
--- The result carries units in its names: `visibility = "30s"` becomes `visibility_ms = 30000`, `source_limit = "1M"`
--- becomes `source_limit_bytes = 1048576`.

local host = require "submitter.host"
local jobs = require "submitter.jobs"
local queue = require "submitter.queue.directory"
local schema = require "submitter.schema"
local store = require "submitter.store.directory"
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

--- Every field, with its default, range and meaning: see submitter.schema.
configuration.description = {
  type = "table",
  fields = {
    { name = "var", type = "string", default = "./var", path = true, environment = "SUBMITTER_VAR",
      text = "The folder below which everything lives: bucket/, queue/, jobs/, locks/, policy/." },
    { name = "slots", type = "integer", range = { 1, 1024 },
      default = function() return math.min(1024, math.max(1, host.system.processors())) end,
      default_text = "the number of processors", text = "How many submissions a worker has in flight." },
    { name = "visibility", type = "duration_ms", default = "30s", range = { "1s", "12h" },
      text = "For how long a received message is hidden; a worker extends it at half of that." },
    { name = "failure_limit", type = "integer", default = 5, range = { 1, 1000 },
      text = "After so many recorded failures a message becomes a dead letter." },
    { name = "retry_delay", type = "duration_ms", default = "1s", range = { "10ms", "5m" },
      text = "The delay before the first retry; it doubles with each, up to 5m." },
    { name = "python", type = "string", match = "^/", expected = "an absolute path",
      default_text = "the newest /usr/bin/python3*", text = "The interpreter that runs submissions." },
    { name = "runner", type = "enum", values = { "sandbox" }, default = "sandbox",
      text = "Where submissions run." },
    { name = "accounting", type = "enum", values = { "cgroup", "rlimit" }, default = "cgroup",
      text = "How limits are enforced and usage is measured; rlimit where no cgroup can be had." },
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
  local known = {
    getenv = getenv,
    string = copy(string), table = copy(table), math = copy(math),
    assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, select = select,
    tonumber = tonumber, tostring = tostring, type = type,
  }
  return setmetatable(known, {
    __index = function(_, name)
      error(("unknown name %q; a configuration sees getenv, string, table, math and Lua's basic functions"):format(
        tostring(name)), 2)
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

-- Applies what is said of single fields (relative paths, environment variables) to a raw table, which it changes.
local function apply(fields, raw, folder, getenv)
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
    else
      if field.path and folder and type(value) == "string" and value ~= "" and value:sub(1, 1) ~= "/" then
        rawset(raw, field.name, folder .. value)
      end
      local variable = field.environment and getenv(field.environment)
      if variable and variable ~= "" then
        rawset(raw, field.name, variable)
      end
    end
  end
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
  apply(configuration.description.fields, raw, path and folder_of(path), getenv)
  local result, message = schema.check(configuration.description, raw)
  if result and result.processors and result.accounting == "rlimit" then
    result = nil
    message = "processors: a share of them takes control groups; leave out either it or accounting = \"rlimit\""
  end
  if not result then
    return nil, ("the configuration%s: %s"):format(path and " " .. path or "", message), "environment"
  end
  result.file = path
  return result
end

local function open_below(parent, name, mode)
  local directory, message = parent:open(name, { create = true, mode = mode })
  if not directory then
    return nil, ("can't make or open %s/%s: %s; choose another folder with SUBMITTER_VAR or the configuration's var")
      :format(parent:path(), name, message)
  end
  return directory
end

local function open_policies(settings, var)
  local named = settings.policy.directory
  if not named then
    return open_below(var, "policy")
  end
  local directory, message = host.file.directory(named)
  if not directory then
    return nil, ("the policy directory %s can't be opened: %s; see SUBMITTER_POLICY and the configuration's "
      .. "policy.directory"):format(named, message)
  end
  return directory
end

---@class Rooms
---@field directory Directory var
---@field store table
---@field queue table
---@field jobs table|nil
---@field policy_directory Directory
local Rooms = {}
Rooms.__index = Rooms

--- Gives everything back. What is in the folders stays, except this worker's own jobs.
function Rooms:close()
  if self.jobs then
    self.jobs:close()
  end
  self.queue:close()
end

--- Opens what a configuration names and makes what is missing: the bucket, the queue, the jobs of this process, the
--- policy directory.
---@async
---@param settings table what configuration.load returned
---@param options {jobs:boolean|nil}|nil jobs = false for commands that grade nothing: the jobs folder, which is the
--- worker's alone, is not even opened
---@return Rooms|nil
---@return string|nil message
---@return "environment"|nil code
function configuration.open(settings, options)
  local var, message = host.file.directory(settings.var, { create = true })
  if not var then
    return nil, ("can't make or open the folder %s: %s; choose another with SUBMITTER_VAR or the configuration's var")
      :format(settings.var, message), "environment"
  end
  local folders, wanted = {}, { "bucket", "locks", "queue" }
  local grades = not options or options.jobs ~= false
  if grades then
    wanted[4] = "jobs"
  end
  for _, name in ipairs(wanted) do
    -- Jobs hold submissions and cases, which are nobody else's business on this machine.
    folders[name], message = open_below(var, name, name == "jobs" and tonumber("700", 8) or nil)
    if not folders[name] then
      return nil, message, "environment"
    end
  end
  local rooms = setmetatable({ directory = var }, Rooms)
  rooms.policy_directory, message = open_policies(settings, var)
  if not rooms.policy_directory then
    return nil, message, "environment"
  end
  rooms.store = store.open { directory = folders.bucket, locks = folders.locks }
  rooms.queue, message = queue.open { directory = folders.queue, visibility_ms = settings.visibility_ms }
  if not rooms.queue then
    return nil, message, "environment"
  end
  if grades then
    rooms.jobs, message = jobs.open(folders.jobs)
    if not rooms.jobs then
      return nil, message, "environment"
    end
  end
  return rooms
end

return configuration
