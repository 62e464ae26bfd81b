--- What an engine is asked for, field by field: the container around a submission. Within it `submitter-sandbox` raises the
--- same walls as on a bare machine, so this is the second wall around the first; the few rights that it leaves are what
--- the first is built with. Pure.
---
--- Fields: Docker Engine API v1.41, ContainerCreate and ContainerUpdate. Podman speaks the same but where `podman` is asked
--- for below: https://docs.podman.io/en/v4.3/_static/api.html, and containers/podman, cmd/podman/common/create_opts.go.
local host = require "submitter.host"

local form = {}

form.entry_point = { "/usr/lib/submitter/submitter-sandbox", "--spec", "/usr/lib/submitter/container.spec" }

-- What supervises: the supervisor, its children within each namespace, runner and launcher.
local PROCESSES_BESIDE = 32
local MEGABYTE = 1 << 20

-- Podman's service can't give more than it has itself, and asks for a million where nothing is said. The walls lower
-- these for the student.
local function ulimits()
  return host.json.array {
    { Name = "core", Soft = 0, Hard = 0 },       -- no program's memory in a file
    { Name = "nofile", Soft = 1024, Hard = 1024 },
    { Name = "nproc", Soft = 4096, Hard = 4096 },
  }
end

local function security_options(settings, kind)
  local options = {
    -- Nothing inside becomes more than it was by executing a set-user-id file.
    "no-new-privileges",
    -- Docker's own profile for AppArmor forbids to mount, also in a namespace of one's own; the inner walls mount.
    "apparmor=" .. (settings.apparmor or "unconfined"),
    -- The list that the inner walls have too. Docker takes the profile itself, Podman the path of a file.
    "seccomp=" .. (kind == "podman" and settings.seccomp_path or settings.seccomp_profile),
  }
  -- In Docker's API MaskedPaths and ReadonlyPaths say it; Podman has no such fields (pkg/specgenutil/specgen.go).
  if kind == "podman" then options[#options + 1] = "unmask=ALL" end
  return host.json.array(options)
end

-- What can change while it runs, in Docker's words.
local function resources(wanted)
  return {
    Memory = wanted.memory_bytes,
    MemorySwap = wanted.memory_bytes,           -- memory and swap together: so no swap
    PidsLimit = wanted.processes,
    NanoCpus = wanted.processors and math.floor(wanted.processors * 1000000000) or nil,
  }
end

--- What a submission's container may use.
---@param limits SandboxLimits
---@param memory_reserve_bytes integer for what supervises
---@param processors number|nil
---@return {memory_bytes:integer, processes:integer, processors:number|nil}
function form.wanted(limits, memory_reserve_bytes, processors)
  return {
    -- Output is kept inside until a program has ended, and isn't its memory: without room for it a program that prints much would
    -- be taken for want of memory that it was promised, which is no verdict.
    memory_bytes = limits.memory_bytes + limits.output_bytes + memory_reserve_bytes,
    processes = limits.processes + PROCESSES_BESIDE, processors = processors,
  }
end

--- The body of POST /containers/create.
---@param settings {image:string, apparmor:string|nil, seccomp_profile:string, seccomp_path:string, runtime:string|nil,
--- cgroup_parent:string|nil, user_namespace:string|nil} seccomp_profile: the text of the file seccomp_path
---@param wanted table of form.wanted
---@param labels table<string, string>
---@param kind "docker"|"podman"
---@return table
function form.create(settings, wanted, labels, kind)
  local host_config = resources(wanted)
  host_config.AutoRemove = true                 -- gone when it ends, also when nobody is left to remove it
  host_config.NetworkMode = "none"
  host_config.ReadonlyRootfs = true             -- what is writable inside is the walls' memory file system
  host_config.CapDrop = host.json.array { "ALL" }
  -- To become the student, who is another user. All else the supervisor has in a user namespace of its own.
  host_config.CapAdd = host.json.array { "SETUID", "SETGID" }
  host_config.SecurityOpt = security_options(settings, kind)
  -- A /proc with parts covered can't be mounted anew in a nested namespace. Only the supervisor ever sees this one.
  host_config.MaskedPaths = host.json.array {}
  host_config.ReadonlyPaths = host.json.array {}
  host_config.Ulimits = ulimits()
  host_config.IpcMode = "private"               -- /dev/shm is nobody else's; the walls have their own
  host_config.ShmSize = MEGABYTE
  host_config.LogConfig = { Type = "none" }     -- the streams are the protocol's; on disk they would be inputs and outputs
  host_config.Init = false                      -- the supervisor reaps, whatever the engine's default is
  host_config.Privileged = false
  host_config.CgroupParent = settings.cgroup_parent
  host_config.UsernsMode = settings.user_namespace
  -- Podman's service has one runtime, that of its own options.
  if kind == "docker" then host_config.Runtime = settings.runtime end
  return {
    Image = settings.image,
    -- Said here too, so that no image runs anything else; a command of the image's own is thereby forgotten.
    Entrypoint = host.json.array { table.unpack(form.entry_point) },
    User = "0:0",                               -- whatever user the image names: the supervisor changes it itself
    WorkingDir = "/",
    Healthcheck = { Test = host.json.array { "NONE" } }, -- it would run programs in there
    OpenStdin = true,
    StdinOnce = true,                           -- standard input ends when we go away, and with it everything inside
    AttachStdin = true, AttachStdout = true, AttachStderr = true,
    Tty = false,
    Labels = labels,
    HostConfig = host_config,
  }
end

--- How a running container's limits are set: path and body. Podman's compatible service has no update before version 5, its
--- own has one since 4.3, in the words of the OCI's runtime specification (config-linux.md).
---@param id string
---@param wanted table of form.wanted
---@param kind "docker"|"podman"
---@return string path
---@return table body
---@return boolean|nil is_own the path is one of Podman's own
function form.update(id, wanted, kind)
  if kind ~= "podman" then return ("/containers/%s/update"):format(id), resources(wanted) end
  local period = 100000
  return ("/containers/%s/update"):format(id), {
    memory = { limit = wanted.memory_bytes, swap = wanted.memory_bytes },
    pids = { limit = wanted.processes },
    cpu = wanted.processors and { quota = math.floor(wanted.processors * period), period = period } or nil,
  }, true
end

local function decimal_s(time_ms)
  return ("%d.%09d"):format(time_ms // 1000, time_ms % 1000 * 1000000)
end

--- The query for what happened to a container until now. Docker goes on telling unless it is given an end; Podman 4.3 stops
--- reading when the end is over, which it may be before it has begun, but can be asked for no more than there is.
---@param id string
---@param since_ms integer wall clock
---@param now_ms integer
---@param kind "docker"|"podman"
---@return string[][] query
function form.events(id, since_ms, now_ms, kind)
  local filters = host.json.encode { container = host.json.array { id }, type = host.json.array { "container" } }
  return {
    { "since", decimal_s(since_ms) },
    kind == "podman" and { "stream", "false" } or { "until", decimal_s(now_ms) },
    { "filters", filters },
  }
end

return form
