--- What scripts with a container engine share: a deployment whose worker has a container runner, what the engine says it has,
--- by its own command, and what must not be left of it.
local host = require "submitter.host"
local support = require "spec.integration.support"

local containers = {}

local must = support.must
-- The networks that every engine has.
local BUILT_IN = { bridge = true, host = true, none = true, podman = true }
local LABEL = "submitter.worker"
-- A container that an engine forgot ends when nobody has spoken to it for 30 s.
local SETTLE_MS = 60000

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

--- The containers of workers, those that ended included: { id, name, state } each. All workers' of an engine: these scripts run
--- one at a time.
---@async
---@param engine ContainerEngine
---@return {id:string, name:string, state:string}[]
function containers.list(engine)
  local found = {}
  for index, line in ipairs(lines_of(must(engine:command("ps", "--all", "--no-trunc", "--filter", "label=" .. LABEL,
    "--format", "{{.ID}} {{.Names}} {{.State}}")))) do
    local id, name, state = line:match "^(%x+) (%S+) (%S+)$"
    found[index] = { id = must(id, "docker ps said " .. line), name = name, state = state }
  end
  return found
end

--- Those whose names begin like this and that run.
---@async
function containers.running(engine, prefix)
  local found = {}
  for _, one in ipairs(containers.list(engine)) do
    if one.state == "running" and one.name:sub(1, #prefix) == prefix then found[#found + 1] = one end
  end
  return found
end

--- What the engine has beside containers: a set of "volume NAME" and "network NAME".
---@async
---@param engine ContainerEngine
---@return table<string, true>
function containers.surroundings(engine)
  local found = {}
  for _, name in ipairs(lines_of(must(engine:command("volume", "ls", "--quiet")))) do
    found["volume " .. name] = true
  end
  for _, name in ipairs(lines_of(must(engine:command("network", "ls", "--format", "{{.Name}}")))) do
    if not BUILT_IN[name] then found["network " .. name] = true end
  end
  return found
end

local function command_of(pid)
  local file = io.open(("/proc/%s/cmdline"):format(pid), "rb")
  local command = file and file:read "a" or ""
  if file then file:close() end
  return (command:gsub("%z", " "))
end

--- The number of an engine's main process.
---@async
---@param engine ContainerEngine one of one's own
---@return string
function containers.daemon(engine)
  for _, entry in ipairs(must(must(host.file.directory "/proc"):list ".")) do
    local command = entry.name:find "^%d+$" and command_of(entry.name) or ""
    if command:find "^dockerd " and command:find(engine.folder .. "/", 1, true) then return entry.name end
  end
  error "the engine's process isn't found"
end

-- The control groups of an engine's containers: each is named after its container.
local function groups(engine)
  local found, hierarchies = {}, { "/sys/fs/cgroup" }
  for _, entry in ipairs(must(must(host.file.directory "/sys/fs/cgroup"):list ".")) do
    if entry.type == "directory" then hierarchies[#hierarchies + 1] = "/sys/fs/cgroup/" .. entry.name end
  end
  for _, hierarchy in ipairs(hierarchies) do
    local directory = host.file.directory(hierarchy .. engine.cgroup_parent)
    for _, entry in ipairs(directory and must(directory:list ".") or {}) do
      if entry.type == "directory" then found[#found + 1] = directory:path() .. "/" .. entry.name end
    end
  end
  return found
end

--- The numbers of all processes of a container, or of all that the engine started.
---@async
---@param engine ContainerEngine one of one's own
---@param id string|nil
---@return string[]
function containers.members(engine, id)
  local found, seen = {}, {}
  for _, group in ipairs(groups(engine)) do
    local file = (not id or group:match "[^/]*$" == id) and io.open(group .. "/cgroup.procs")
    for line in file and file:lines() or function() end do
      if not seen[line] then found[#found + 1] = line end
      seen[line] = true
    end
    if file then file:close() end
  end
  return found
end

--- What is left in the engine that wasn't there before. An engine that is killed while it makes or removes a container can forget
--- it and leave a shim, an empty control group, or a `runc init` that was never told to begin; none of that is known to its API,
--- and nothing of ours is in it. So of processes what counts is what began.
---@async
---@param engine ContainerEngine
---@param before table<string, true> of containers.surroundings
---@return string[]
function containers.left(engine, before)
  local found = {}
  for _, one in ipairs(containers.list(engine)) do
    found[#found + 1] = ("container %s (%s)"):format(one.name, one.state)
  end
  for name in pairs(containers.surroundings(engine)) do
    if not before[name] then found[#found + 1] = name end
  end
  for _, pid in ipairs(engine.own and containers.members(engine) or {}) do
    local command = command_of(pid)
    local began = command ~= "" and not command:find "^runc init"
    if began then found[#found + 1] = ("process %s: %s"):format(pid, command) end
  end
  return found
end

--- Waits until nothing is left in the engine nor of the deployment; what is left otherwise.
---@async
---@param engine ContainerEngine
---@param before table<string, true>
---@param opened table of support.deployment
---@param dead_expected integer|nil
---@return string[]
function containers.settle(engine, before, opened, dead_expected)
  local found, until_ms = support.settle(opened, dead_expected), host.clock.monotonic_ms() + SETTLE_MS
  local left = containers.left(engine, before)
  while #left > 0 and host.clock.monotonic_ms() < until_ms do
    host.clock.sleep_ms(100)
    left = containers.left(engine, before)
  end
  return table.move(left, 1, #left, #found + 1, found)
end

--- The runner of a configuration, as Lua text.
---@async
---@param engine ContainerEngine
---@param fields table<string, string>|nil more fields, as Lua text
---@return string
function containers.runner(engine, fields)
  local all = {
    engine = ("%q"):format(engine.kind), socket = ("%q"):format(engine.socket),
    cgroup_parent = engine.cgroup_parent and ("%q"):format(engine.cgroup_parent),
  }
  for name, value in pairs(fields or {}) do all[name] = value end
  all.image = all.image or ("%q"):format(engine:image "runner")
  local parts = {}
  for name, value in pairs(all) do parts[#parts + 1] = ("%s = %s"):format(name, value) end
  return ("docker { %s }"):format(table.concat(parts, ", "))
end

--- Waits until a worker's log holds a text; ends the script, with the log, when it doesn't come to this. The log so far.
---@async
---@param worker table of support.start_worker
---@param text string
---@param patience_ms integer
function containers.await_log(worker, text, patience_ms)
  local came, problem = pcall(support.await, "the worker's log says " .. text, patience_ms, function()
    return table.concat(worker.log):find(text, 1, true)
  end)
  local log = table.concat(worker.log)
  if not came then error(problem .. "\n" .. log:sub(-4000), 2) end
  return log
end

return containers
