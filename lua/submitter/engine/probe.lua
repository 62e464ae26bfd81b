--- What an engine is and can do, for `submitter doctor`. Changes nothing there.
local client = require "submitter.engine.client"
local form = require "submitter.engine.form"

local probe = {}

--- What this program's host speaks with a runner: PROTOCOL_VERSION of csrc/protocol.
probe.PROTOCOL = 1

-- Images say by a label which protocol their runner speaks; docker/runner.Dockerfile sets it.
probe.protocol_label = "submitter.protocol"

-- Docker: {"name=apparmor", "name=seccomp,profile=default", "name=userns", "name=rootless"}; Podman has "rootless" beside.
local function security(info)
  local found = {}
  for _, option in ipairs(type(info.SecurityOptions) == "table" and info.SecurityOptions or {}) do
    local name = tostring(option):match "name=([%w_-]+)" or tostring(option)
    found[name] = true
  end
  return {
    apparmor = found.apparmor == true, seccomp = found.seccomp == true, selinux = found.selinux == true,
    user_namespaces = found.userns == true, rootless = found.rootless == true or info.Rootless == true,
  }
end

local function same(list, other)
  if type(list) ~= "table" or #list ~= #other then return false end
  for index, word in ipairs(other) do
    if list[index] ~= word then return false end
  end
  return true
end

--- What matters of an image, as GET /images/NAME/json has it.
---@param image table
---@return {id:string, architecture:string|nil, size_bytes:integer|nil, has_entry_point:boolean, protocol:integer|nil,
--- has_volumes:boolean} protocol: nil where no label says it
function probe.image(image)
  local config = type(image.Config) == "table" and image.Config or {}
  local labels = type(config.Labels) == "table" and config.Labels or {}
  return {
    id = tostring(image.Id), architecture = image.Architecture, size_bytes = math.tointeger(image.Size),
    has_entry_point = same(config.Entrypoint, form.entry_point),
    protocol = math.tointeger(tonumber(labels[probe.protocol_label])),
    has_volumes = type(config.Volumes) == "table" and next(config.Volumes) ~= nil,
  }
end

---@class EngineFacts
---@field socket string
---@field engine "docker"|"podman"
---@field version string
---@field api_version string the newest that it speaks
---@field cgroup_version string "1" or "2"
---@field cgroup_driver string
---@field runtime string its default
---@field processors integer
---@field security {apparmor:boolean, seccomp:boolean, selinux:boolean, user_namespaces:boolean, rootless:boolean}
---@field limits {memory:boolean, swap:boolean, processes:boolean, processors:boolean} what it can limit
---@field image table|nil of probe.image
---@field image_problem string|nil why the image can't be told

--- Asks an engine what it is.
---@async
---@param settings {socket:string, image:string|nil, patience_ms:integer|nil}
---@param transport {http:table|nil}|nil for specs
---@return EngineFacts|nil
---@return string|nil message
---@return string|nil code
---@return string|nil name of the fault
function probe.probe(settings, transport)
  local engine = client.new {
    socket = settings.socket, patience_ms = settings.patience_ms, is_quiet = true,
    http = transport and transport.http,
  }
  local version, message, code, name = engine:version()
  if not version then return nil, message, code, name end
  local info
  info, message, code, name = engine:info()
  if not info then return nil, message, code, name end
  local image, image_problem
  if settings.image then image, image_problem = engine:image(settings.image) end
  return {
    socket = settings.socket, engine = engine.kind, version = tostring(version.Version),
    api_version = tostring(version.ApiVersion), cgroup_version = tostring(info.CgroupVersion or "1"),
    cgroup_driver = tostring(info.CgroupDriver), runtime = tostring(info.DefaultRuntime),
    processors = math.tointeger(info.NCPU), security = security(info),
    limits = {
      memory = info.MemoryLimit == true, swap = info.SwapLimit == true, processes = info.PidsLimit == true,
      processors = info.CpuCfsQuota == true,
    },
    image = image and probe.image(image) or nil, image_problem = image_problem,
  }
end

return probe
