--- What an operator writes about where programs run: `runner = sandbox {}` or `docker { … }`, and `runners`, described
--- for submitter.schema, with what no single field can say.
local host = require "submitter.host"

local fields = {}

--- What `runner` of the configuration is called where a runner has to be named.
fields.DEFAULT = "default"

-- How many more containers wait than can be in use: one ends while the next is still being made.
local POOL_ABOVE_SLOTS = 2

-- Names that mean something already, to `--runner` or to a policy.
local RESERVED = { [fields.DEFAULT] = "what runner says", sandbox = "sandbox {}", docker = "docker { … }" }

-- Where an engine listens, and what its own tools read that from: docker(1), "Environment variables"; podman(1), --url.
local engines = {
  docker = { variable = "DOCKER_HOST", socket = "/run/docker.sock" },
  podman = { variable = "CONTAINER_HOST", socket = "/run/podman/podman.sock", own_socket = "podman/podman.sock" },
}

local reference = "^%w[%w._/:@-]*$"

-- The walls that are built in, and nothing to say about them that isn't said of every program.
local sandbox = { name = "sandbox", fields = {} }

local docker = {
  name = "docker",
  chosen_by = "SUBMITTER_RUNNER_IMAGE",
  fields = {
    { name = "image", type = "string", required = true, environment = "SUBMITTER_RUNNER_IMAGE", match = reference,
      length = { 1, 512 }, expected = "the name of an image, such as \"submitter-python:3.9\"",
      text = "The image that programs run in, made by docker/runner.Dockerfile." },
    { name = "engine", type = "enum", values = { "docker", "podman" }, default = "docker",
      text = "Who runs containers." },
    -- The kernel's sun_path ends there: unix(7).
    { name = "socket", type = "string", environment = "SUBMITTER_RUNNER_SOCKET", match = "^/", length = { 2, 107 },
      expected = "an absolute path", default_text = "DOCKER_HOST or CONTAINER_HOST, else the engine's usual one",
      text = "Where the engine listens. Who may use it is as good as root on its machine." },
    { name = "pool", type = "integer", range = { 0, 1024 }, default_text = "slots + 2",
      text = "How many containers wait for submissions; 0: each is started when its submission has come." },
    { name = "patience", type = "duration_ms", default = "30s", range = { "1s", "30s" },
      text = "How long an answer of the engine may take." },
    { name = "apparmor", type = "string", length = { 1, 255 }, match = "^[%w._/-]+$",
      expected = "the name of a profile", default_text = "\"unconfined\": the walls within the container mount",
      text = "The AppArmor profile of the containers, where the machine has AppArmor." },
    { name = "seccomp", type = "string", path = true, default_text = "seccomp.json beside the programs",
      text = "The filter of system calls of the containers, a file of the kind that engines read." },
    { name = "runtime", type = "string", length = { 1, 255 }, match = "^[%w./_-]+$", expected = "the name of a runtime",
      default_text = "the engine's own", text = "The engine's runtime, such as \"runc\"." },
    { name = "cgroup_parent", type = "string", length = { 1, 255 }, match = "^[%w@._/:-]+$",
      expected = "the name of a cgroup or a slice", default_text = "the engine's own",
      text = "Below which cgroup the engine makes those of the containers." },
    { name = "user_namespace", type = "enum", values = { "host" }, default_text = "as the engine is set up",
      text = "\"host\": without the engine's mapping of user ids, where it has one." },
    { name = "memory_reserve", type = "size_bytes", default = "128M", range = { "16M", "16G" },
      text = "What a container may have beyond a program's limit, for what supervises it." },
  },
}

-- The first that the environment chooses counts, so those that it can choose come first.
local kinds = { docker, sandbox }

--- The fields of a configuration that say where programs run.
fields.list = {
  { name = "runner", type = "choice", of = kinds, default = { kind = "sandbox" },
    text = "Where submissions run: within the walls that are built in, or these within a container." },
  { name = "runners", type = "map", of = { type = "choice", of = kinds }, default = {}, length = { 0, 32 },
    match = "^%l[%w_-]*$", expected = "a word that begins with a small letter (heavy = docker { … })",
    text = "More of them, by names of yours; a policy chooses one with runner = \"name\"." },
}

-- The socket that counts where the configuration names none.
local function usual_socket(engine, getenv)
  local usual = engines[engine]
  local address = getenv(usual.variable)
  if address and address ~= "" then
    local path = address:match "^unix://(/.+)$"
    if path then return path end
    -- Not the address itself: it may hold a user's name and password.
    return nil, ("%s names an engine by %s, but only one on this machine can be used, by its socket: name that, "
      .. "socket = \"%s\""):format(usual.variable, address:match "^%l[%l%d+.-]*://" or "something other than unix://",
      usual.socket)
  end
  local runtime_folder = getenv "XDG_RUNTIME_DIR"
  if usual.own_socket and host.system.user_id() ~= 0 and runtime_folder and runtime_folder:sub(1, 1) == "/" then
    return ("%s/%s"):format(runtime_folder, usual.own_socket)
  end
  return usual.socket
end

local function settle_docker(settings, slots, getenv)
  settings.pool = settings.pool or slots + POOL_ABOVE_SLOTS
  if not settings.socket then
    local message
    settings.socket, message = usual_socket(settings.engine, getenv)
    if not settings.socket then return nil, message end
  end
  return true
end

-- Every runner of a configuration, with where it stands: `runner` first, the others by name.
local function each(configuration)
  local list, names = { { where = "runner", settings = configuration.runner } }, fields.names(configuration)
  for index = 2, #names do
    local name = names[index]
    list[index] = { where = "runners." .. name, name = name, settings = configuration.runners[name] }
  end
  return list
end

--- The names that a policy may choose from: "default", then those of `runners`, sorted.
---@param configuration table with its `runners`
---@return string[]
function fields.names(configuration)
  local names = {}
  for name in pairs(configuration.runners) do names[#names + 1] = name end
  table.sort(names)
  table.insert(names, 1, fields.DEFAULT)
  return names
end

--- Does any of its runners stand for walls that this program builds itself?
---@param configuration table
---@return boolean
function fields.has_sandbox(configuration)
  for _, one in ipairs(each(configuration)) do
    if one.settings.kind == "sandbox" then return true end
  end
  return false
end

-- What control groups are needed for, and what only one submission at a time can be measured by.
local function check_accounting(configuration)
  if not fields.has_sandbox(configuration) then return true end
  if configuration.processors and configuration.accounting ~= "cgroup" then
    return nil, ("processors: a share of them takes control groups; leave out either it or accounting = %q"):format(
      configuration.accounting)
  elseif configuration.accounting == "container" and configuration.slots > 1 then
    return nil, ("slots: %d submissions at a time can't be told apart where the counters are those of the whole "
      .. "container; with accounting = \"container\" leave slots out, and run more such containers"):format(
      configuration.slots)
  end
  return true
end

--- Fills in what depends on other fields and on the environment, and checks what no single field can say. Sets
--- `policy.runners`, the names that a policy may choose from.
---@param configuration table as submitter.schema checked it; it is changed
---@param given {getenv:fun(name:string):string|nil, slots:any} slots: as the operator wrote it, nil where he didn't
---@return true|nil
---@return string|nil message
function fields.settle(configuration, given)
  local is_measured_together = configuration.accounting == "container" and fields.has_sandbox(configuration)
  if is_measured_together and given.slots == nil then configuration.slots = 1 end
  for _, one in ipairs(each(configuration)) do
    if RESERVED[one.name] then
      return nil, ("%s: this name means %s; choose another"):format(one.where, RESERVED[one.name])
    end
    if one.settings.kind == "docker" then
      local settled, message = settle_docker(one.settings, configuration.slots, given.getenv)
      if not settled then return nil, ("%s: docker { … }: %s"):format(one.where, message) end
    end
  end
  configuration.policy.runners = fields.names(configuration)
  return check_accounting(configuration)
end

return fields
