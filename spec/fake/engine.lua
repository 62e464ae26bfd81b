--- A container engine in memory, behind the two doors that submitter.engine uses: HTTP and the attached streams. It refuses what
--- the real ones refuse, in their words (Docker 20.10, Podman 4.3): names that are taken or malformed, fields that it doesn't
--- know, states that don't fit, less memory than 6 MB; and removes by itself what ends with AutoRemove.
---
--- Switches: `engine.away` (nobody listens), `engine.slow[operation] = ms` (an answer comes after so long),
--- `engine.refuse[operation] = { status, message }`, `engine.deaf[operation]` (carried out, never answered),
--- `engine.is_unnoticed` (the end of a stream isn't seen until something is asked), `engine.frozen` (an event: nothing is
--- answered until it is set, and what was asked is done then), `engine.fail_removal` (why it can't remove what has ended).
--- Acts: `engine:oom(id)`, `engine:kill(id)`, `engine:die(id, code)`, `engine:restart()`. Operations are the words of `calls`:
--- "create", "start", … . What runs in a container is `engine.program`: function(container, case) → result of a case.
local host = require "submitter.host"

local Engine = {}
Engine.__index = Engine

local operations = {}

-- ---- HTTP ----

local function decode(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function split(url)
  local path, query = url:match "^http://engine([^?]*)%??(.*)$"
  assert(path, "not an address of an engine's: " .. url)
  local fields = {}
  for name, value in query:gmatch "([^&=]+)=([^&]*)" do fields[decode(name)] = decode(value) end
  return path, fields
end

local function answer(status, document)
  local body = type(document) == "string" and document or document and host.json.encode(document) or ""
  return { status = status, headers = {}, body = body, version = "1.1", reused = false, resent = false }
end

local function refused(status, message)
  return answer(status, { message = message })
end

-- Which operation a request is, and of which container or image.
local routes = {
  { "GET", "^/_ping$", "ping" }, { "GET", "^/version$", "version" }, { "GET", "^/info$", "info" },
  { "GET", "^/images/(.+)/json$", "image" }, { "POST", "^/containers/create$", "create" },
  { "GET", "^/containers/json$", "list" }, { "GET", "^/events$", "events" },
  { "POST", "^/containers/([^/]+)/start$", "start" }, { "POST", "^/containers/([^/]+)/rename$", "rename" },
  { "POST", "^/containers/([^/]+)/update$", "update" }, { "POST", "^/containers/([^/]+)/wait$", "wait" },
  { "DELETE", "^/containers/([^/]+)$", "remove" },
}

local function route(self, method, path)
  local prefix, rest = path:match "^(/v[%d.]+)(/.*)$"
  local is_own = rest ~= nil and rest:find "^/libpod/" ~= nil
  if is_own then rest = rest:sub(#"/libpod" + 1) end
  if is_own and self.kind ~= "podman" then return nil end
  for _, entry in ipairs(routes) do
    local subject = entry[1] == method and (rest or path):match(entry[2])
    if subject then
      local needs_prefix = entry[3] ~= "ping" and entry[3] ~= "version"
      if needs_prefix and not prefix then return nil end
      if prefix and not is_own and prefix ~= self.prefix then return nil, ("client version %s"):format(prefix) end
      -- Podman before 5 has its update among its own calls only.
      if entry[3] == "update" and (self.kind == "podman") ~= is_own then return nil end
      return entry[3], decode(subject)
    end
  end
end

local function wait_or_time_out(milliseconds, timeout_ms)
  if not milliseconds then return end
  host.clock.sleep_ms(math.min(milliseconds, timeout_ms))
  if milliseconds >= timeout_ms then return nil, "no answer in time", "timeout" end
end

--- In the place of host.http.request.
function Engine:request(options)
  assert(options.unix_socket == self.socket, "a request to another socket")
  assert(options.proxy == false and options.timeout_ms and options.timeout_ms > 0, "a request without bounds")
  if self.away then return nil, "nobody listens at " .. self.socket, "connect" end
  local path, query = split(options.url)
  local operation, subject = route(self, options.method, path)
  if not operation then return subject and refused(400, subject .. " is too new") or answer(404, "Not Found\n") end
  self.calls[#self.calls + 1] = operation
  local frozen = self.frozen
  if frozen and not frozen:wait(options.timeout_ms) then
    host.task.spawn("what a frozen engine was asked", function()
      frozen:wait()
      host.clock.sleep_ms(5)
      operations[operation](self, subject, query, options.body and host.json.decode(options.body), options)
    end)
    return nil, "no answer in time", "timeout"
  end
  self.busy = self.busy + 1
  self.most_busy[operation] = math.max(self.most_busy[operation] or 0, self.busy)
  local guard <close> = setmetatable({}, { __close = function() self.busy = self.busy - 1 end }) -- luacheck: ignore 211
  local _, late, code = wait_or_time_out(self.slow[operation], options.timeout_ms)
  if late then return nil, late, code end
  if self.away then return nil, "the connection ended", "cut" end
  local refusal = self.refuse[operation]
  if type(refusal) == "function" then refusal = refusal(subject) end
  if refusal then return refused(refusal[1], refusal[2]) end
  local body = options.body and host.json.decode(options.body)
  local response, message, class = operations[operation](self, subject, query, body, options)
  if self.deaf[operation] then return nil, "no answer in time", "timeout" end
  return response, message, class
end

-- ---- containers ----

local function new_id(self)
  self.made = self.made + 1
  return ("%064x"):format(self.made)
end

local function find(self, name)
  if self.containers[name] then return self.containers[name] end
  for _, container in pairs(self.containers) do
    if container.name == name then return container end
  end
end

local function missing(name)
  return refused(404, "No such container: " .. name)
end

local function note(self, container, action, attributes)
  local fields = { name = container.name, image = container.body.Image }
  for key, value in pairs(attributes or {}) do fields[key] = value end
  self.happened[#self.happened + 1] = {
    Type = "container", Action = action, Actor = { ID = container.id, Attributes = fields },
    timeNano = host.clock.now_ms() * 1000000 + 999999,
  }
end

local function forget(self, container)
  self.containers[container.id] = nil
  container.removed:set()
  note(self, container, "destroy")
end

local function finish(self, container, exit_code)
  if container.state ~= "running" then return end
  container.state = "exited"
  note(self, container, "die", { exitCode = tostring(exit_code) })
  if container.box then container.box.is_cut = true end
  if container.body.HostConfig.AutoRemove and not self.forgets_to_remove then forget(self, container) end
end

--- Ends the main process of a container with this code.
function Engine:die(id, exit_code) finish(self, self.containers[id], exit_code) end

--- The kernel takes it for lack of memory, or, with another exit code, the runner in it. late_ms: the word on that comes so long
--- after the end.
function Engine:oom(id, exit_code, late_ms)
  local container = self.containers[id]
  local function tell() note(self, container, "oom") end
  if not late_ms then tell() end
  finish(self, container, exit_code or 137)
  if late_ms then
    host.task.spawn("a late word", function()
      host.clock.sleep_ms(late_ms)
      tell()
    end)
  end
end

--- Somebody kills it by the engine.
function Engine:kill(id)
  note(self, self.containers[id], "kill", { signal = "9" })
  finish(self, self.containers[id], 137)
end

--- It ends, with all containers, and is there again.
function Engine:restart()
  for _, container in pairs(self.containers) do finish(self, container, 137) end
  self.happened = {}
end

--- Containers of whatever state: how many, or how many with a name like this.
function Engine:count(pattern)
  local count = 0
  for _, container in pairs(self.containers) do
    if container.name:find(pattern or "") then count = count + 1 end
  end
  return count
end

--- The names of all, sorted.
function Engine:names()
  local names = {}
  for _, container in pairs(self.containers) do names[#names + 1] = container.name end
  table.sort(names)
  return names
end

-- ---- the operations ----

function operations.ping() return answer(200, "OK") end

function operations:version()
  local name = self.kind == "podman" and "Podman Engine" or "Engine"
  return answer(200, {
    Components = { { Name = name } }, Version = self.version, ApiVersion = self.api, MinAPIVersion = self.least_api,
  })
end

function operations:info() return answer(200, self.information) end

function operations:image(name)
  local image = self.images[name]
  if not image then return refused(404, ("No such image: %s"):format(name)) end
  return answer(200, image)
end

local known_fields = {
  Image = "string", Entrypoint = "table", User = "string", WorkingDir = "string", Healthcheck = "table",
  OpenStdin = "boolean", StdinOnce = "boolean", AttachStdin = "boolean", AttachStdout = "boolean",
  AttachStderr = "boolean", Tty = "boolean", Labels = "table", HostConfig = "table",
}
local known_host_fields = {
  Memory = "number", MemorySwap = "number", PidsLimit = "number", NanoCpus = "number", AutoRemove = "boolean",
  NetworkMode = "string", ReadonlyRootfs = "boolean", CapDrop = "table", CapAdd = "table", SecurityOpt = "table",
  MaskedPaths = "table", ReadonlyPaths = "table", Ulimits = "table", IpcMode = "string", ShmSize = "number",
  LogConfig = "table", Init = "boolean", Privileged = "boolean", CgroupParent = "string", UsernsMode = "string",
  Runtime = "string",
}

-- The real ones ignore what they don't know; a field that nobody knows was meant to do something.
local function strange(fields, known)
  for name, value in pairs(fields) do
    if known[name] ~= type(value) then return ("unknown field or type: %s"):format(name) end
  end
end

local function bad_amounts(self, amounts)
  if amounts.Memory and amounts.Memory < 6 << 20 then return "Minimum memory limit allowed is 6MB" end
  if amounts.MemorySwap and amounts.Memory and amounts.MemorySwap < amounts.Memory then
    return "Minimum memoryswap limit should be larger than memory limit, see usage"
  end
  if amounts.NanoCpus and amounts.NanoCpus > self.information.NCPU * 1000000000 then
    return ("Range of CPUs is from 0.01 to %d.00, as there are only %d CPUs available"):format(
      self.information.NCPU, self.information.NCPU)
  end
end

local function bad_name(self, name)
  if not name or not name:find "^[a-zA-Z0-9][a-zA-Z0-9_.-]+$" then
    return refused(400, ("Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"):format(name))
  elseif find(self, name) then
    return refused(409, ("Conflict. The container name \"/%s\" is already in use by container"):format(name))
  end
end

function operations:create(_, query, body)
  local wrong = bad_name(self, query.name)
  if wrong then return wrong end
  if not self.images[body.Image] then return refused(404, "No such image: " .. tostring(body.Image)) end
  local complaint = strange(body, known_fields) or strange(body.HostConfig, known_host_fields)
    or bad_amounts(self, body.HostConfig)
  if complaint then return refused(400, complaint) end
  local id = new_id(self)
  local container = {
    id = id, name = query.name, body = body, labels = body.Labels, state = "created", removed = host.task.event(),
    made_s = host.clock.now_ms() // 1000,
    memory_bytes = body.HostConfig.Memory, processes = body.HostConfig.PidsLimit, nano_cpus = body.HostConfig.NanoCpus,
  }
  self.containers[id] = container
  note(self, container, "create")
  return answer(201, { Id = id, Warnings = host.json.array {} })
end

function operations:start(name)
  local container = find(self, name)
  if not container then return missing(name) end
  if container.state == "running" then return answer(304) end
  container.state = "running"
  note(self, container, "start")
  return answer(204)
end

function operations:rename(name, query)
  local container = find(self, name)
  if not container then return missing(name) end
  local wrong = bad_name(self, query.name)
  if wrong then return wrong end
  container.name = query.name
  return answer(204)
end

local function set(self, container, memory, swap, processes, nano_cpus)
  if memory < self.used_bytes then
    return refused(500, "unable to set memory limit to " .. memory .. ": device or resource busy: unknown")
  end
  assert(memory == swap, "swap beyond memory")
  container.memory_bytes, container.processes, container.nano_cpus = memory, processes, nano_cpus
  return answer(200, { Warnings = host.json.array {} })
end

function operations:update(name, _, body)
  local container = find(self, name)
  if not container then return missing(name) end
  if self.kind == "podman" then
    local cpu = body.cpu
    return set(self, container, body.memory.limit, body.memory.swap, body.pids.limit,
      cpu and cpu.quota * 1000000000 // cpu.period)
  end
  local complaint = bad_amounts(self, body)
  if complaint then return refused(400, complaint) end
  return set(self, container, body.Memory, body.MemorySwap, body.PidsLimit, body.NanoCpus)
end

function operations:wait(name, query, _, options)
  assert(query.condition == "removed", "another condition")
  local container = find(self, name)
  if not container then return missing(name) end
  if self.fail_removal then
    return answer(200, { StatusCode = 0, Error = { Message = self.fail_removal } })
  end
  local removed = container.removed:wait(options.timeout_ms)
  if not removed then return nil, "no answer in time", "timeout" end
  return answer(200, { StatusCode = 0 })
end

function operations:remove(name, query)
  local container = find(self, name)
  if not container then return missing(name) end
  if self.is_removing then return refused(409, ("removal of container %s is already in progress"):format(name)) end
  if container.state == "running" and query.force ~= "1" then
    return refused(409, "You cannot remove a running container. Stop the container before attempting removal")
  end
  assert(query.v == "1", "its volumes stay")
  if container.state == "running" then
    note(self, container, "kill", { signal = "9" })
    container.state = "exited"
    if container.box then container.box.is_cut = true end
  end
  forget(self, container)
  return answer(204)
end

function operations:list(_, query)
  assert(query.all == "1", "only those that run")
  local filters = host.json.decode(query.filters)
  local list = host.json.array {}
  for _, container in pairs(self.containers) do
    local fits = true
    for _, wanted in ipairs(filters.label) do
      local name, value = wanted:match "^([^=]+)=(.*)$"
      fits = fits and container.labels[name] == value
    end
    if fits then
      list[#list + 1] = { Id = container.id, Names = { "/" .. container.name }, Labels = container.labels,
        State = container.state, Created = container.made_s }
    end
  end
  return answer(200, list)
end

function operations:events(_, query)
  local wanted = host.json.decode(query.filters).container[1]
  local function nanoseconds(text)
    local seconds, fraction = text:match "^(%d+)%.(%d%d%d%d%d%d%d%d%d)$"
    return assert(math.tointeger(seconds)) * 1000000000 + math.tointeger(fraction)
  end
  local since, latest = nanoseconds(query.since) // 1000000000 * 1000000000, math.maxinteger
  if self.kind == "podman" then
    assert(query.stream == "false" and not query["until"], "Podman 4.3 tells nothing when the end is over")
  else
    latest = nanoseconds(query["until"]) + 1000000000
  end
  local lines = {}
  for _, event in ipairs(self.happened) do
    if event.Actor.ID == wanted and event.timeNano >= since and event.timeNano <= latest then
      lines[#lines + 1] = host.json.encode(event) .. "\n"
    end
  end
  return answer(200, table.concat(lines))
end

-- ---- the streams ----

local Box = {}
Box.__index = Box

local CUT = { nil, "the stream ended: submitter-sandbox: gone", "cut" }

function Box:build()
  if self.engine.slow.build then host.clock.sleep_ms(self.engine.slow.build) end
  local failure = self.engine.fail_build and self.engine.fail_build(self.container)
  if failure then return table.unpack(failure, 1, 3) end
  if self.is_cut then return table.unpack(CUT, 1, 3) end
  assert(self.container.state == "running", "built before it runs")
  return true
end

function Box:info()
  return {
    protocol = 1, accounting = "container", python = self.engine.python,
    usable = not self.is_cut or self.engine.is_unnoticed == true,
  }
end

function Box:submit(submission)
  if self.is_cut then return table.unpack(CUT, 1, 3) end
  assert(not self.submission, "handed over twice")
  self.submission = submission
  return true
end

function Box:case(case)
  if self.is_cut then return table.unpack(CUT, 1, 3) end
  assert(self.submission, "no submission")
  self.engine.cases[#self.engine.cases + 1] = { container = self.container.id, number = case.number }
  local result = self.engine.program(self.container, case, self.submission)
  if self.is_cut then return table.unpack(CUT, 1, 3) end
  return result
end

function Box:close()
  if not self.is_closed then
    self.is_closed = true
    if not self.is_cut and not self.engine.ignores_the_end then finish(self.engine, self.container, 0) end
  end
  return true
end

--- In the place of host.sandbox.attach.
function Engine:attach(options)
  assert(options.socket == self.socket and options.timeout_ms > 0 and options.limits, "an attach without bounds")
  if self.away then return nil, "nobody listens at " .. self.socket, "connect" end
  local prefix = self.prefix:gsub("%.", "%%.")
  local id = options.path:match("^" .. prefix .. "/containers/(%x+)/attach%?stream=1&stdin=1&stdout=1&stderr=1$")
  assert(id, "not an attach: " .. options.path)
  self.calls[#self.calls + 1] = "attach"
  if self.slow.attach then host.clock.sleep_ms(self.slow.attach) end
  local refusal = self.refuse.attach
  if refusal then return nil, refusal[2], "refused", refusal[1] end
  local container = self.containers[id]
  if not container then return nil, "No such container: " .. id, "refused", 404 end
  assert(container.state == "created", "attached when it may have spoken already")
  container.box = setmetatable({ engine = self, container = container, limits = options.limits }, Box)
  return container.box
end

--- An engine with one image.
---@param kind "docker"|"podman"|nil
---@return table
local function new(kind)
  local self = setmetatable({
    kind = kind or "docker", socket = "/run/fake.sock", prefix = "/v1.41", api = "1.41", least_api = "1.24",
    version = "20.10.24", python = "3.9.21", containers = {}, happened = {}, calls = {}, cases = {}, slow = {},
    refuse = {}, deaf = {}, made = 0, busy = 0, most_busy = {}, used_bytes = 0,
    information = {
      NCPU = 2, MemoryLimit = true, SwapLimit = true, PidsLimit = true, CpuCfsQuota = true, CgroupVersion = "1",
      CgroupDriver = "cgroupfs", DefaultRuntime = "runc", SecurityOptions = { "name=seccomp,profile=default" },
    },
    images = {
      ["submitter-python:3.9"] = {
        Id = "sha256:" .. ("a"):rep(64), Architecture = "amd64", Size = 1000, Config = {
          Entrypoint = { "/usr/lib/submitter/submitter-sandbox", "--spec", "/usr/lib/submitter/container.spec" },
          Labels = { ["submitter.protocol"] = "1" },
        },
      },
    },
  }, Engine)
  self.program = function(_, case)
    return { ending = "exit", exit_code = 0, stdout = table.concat(case.arguments, " ") }
  end
  self.http = { request = function(options) return self:request(options) end }
  self.sandbox = { attach = function(options) return self:attach(options) end }
  return self
end

return { new = new }
