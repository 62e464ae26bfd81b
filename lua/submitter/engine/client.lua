--- What an engine is asked, one function a call: Docker Engine API over its unix socket, and Podman's service, which speaks it
--- too. https://docs.docker.com/reference/api/engine/version/v1.41/
---
--- Every call waits for no longer than the engine's patience, and fails by the names of `faults`:
--- `nil, message, code, name`. Whether the engine is away is known from the last call that anybody made.
local faults = require "submitter.engine.faults"
local form = require "submitter.engine.form"
local host = require "submitter.host"
local percent = require "submitter.percent"
local schema = require "submitter.schema"

local client = {}

-- Docker 20.10 and everything since; newer engines drop old versions (29 speaks 1.44 and up), so theirs counts then.
local VERSION = { 1, 41 }
-- Podman's own API, for what the compatible one lacks: any from 4.0.0 is understood by all since.
local PODMAN_VERSION = "/v4.0.0/libpod"
local DEFAULT_PATIENCE_MS = 30000
local ANSWER_BYTES = 16 << 20

---@class Engine
---@field socket string
---@field away {since_ms:integer, message:string}|nil since when (wall clock) nobody got an answer, and why
---@field kind "docker"|"podman"|nil who it is, once it has said so
---@field prefix string|nil of paths, "/v1.41"
local Engine = {}
Engine.__index = Engine

-- ---- what is common to all calls ----

local function note_away(self, message)
  if self.away then return end
  self.away = { since_ms = self.clock.now_ms(), message = message }
  -- Another one may come back.
  self.kind, self.prefix = nil, nil
  self.log.warn("engine_away", { socket = self.socket, reason = message })
end

local function note_answer(self)
  local away = self.away
  if not away then return end
  self.away = nil
  self.log.info("engine_back", { socket = self.socket, away_ms = self.clock.now_ms() - away.since_ms })
end

-- Whether this user may not use the socket, which libcurl doesn't tell from a socket at which nobody listens. A socket can't
-- be opened as a file, but which error comes tells.
local function is_denied(socket)
  local _, _, number = io.open(socket, "r+")
  return number == 13 -- EACCES
end

local function silence(self, what, code, message)
  local text = ("%s to %s"):format(message, what)
  local denied = code == "connect" and is_denied(self.socket)
  local _, failure, class, name = faults.of_silence(code, text, self.socket, denied)
  if class == "unavailable" then note_away(self, failure) end
  return nil, failure, class, name
end

local function with_query(path, query)
  local parts = {}
  for _, pair in ipairs(query or {}) do
    parts[#parts + 1] = ("%s=%s"):format(pair[1], percent.encode(tostring(pair[2])))
  end
  return #parts > 0 and ("%s?%s"):format(path, table.concat(parts, "&")) or path
end

-- One request and its answer, whatever the status.
local function exchange(self, method, path, options)
  local body = options.body and host.json.encode(options.body) or nil
  local timeout_ms = options.timeout_ms or self.patience_ms
  local request = {
    method = method, url = "http://engine" .. with_query(path, options.query), unix_socket = self.socket, proxy = false,
    headers = body and { { "Content-Type", "application/json" } } or {}, body = body, timeout_ms = timeout_ms,
    connect_timeout_ms = math.min(timeout_ms, self.patience_ms), stall_ms = timeout_ms, limit_bytes = ANSWER_BYTES,
  }
  local response, message, code = self.http.request(request)
  -- A connection that was kept may have died with the engine that it led to. What only asks is asked once more.
  if not response and code == "cut" and method == "GET" then response, message, code = self.http.request(request) end
  return response, message, code
end

local function said(response)
  local decoded = host.json.decode(response.body)
  return type(decoded) == "table" and decoded or nil
end

local function refusal(response, what)
  local answer = said(response)
  local text = answer and type(answer.message) == "string" and answer.message or response.body
  return faults.of_answer(response.status, text, what)
end

-- A request below the engine's version prefix. options: query, body, timeout_ms, good (more statuses than 2xx that are no
-- failure), prefix, what (the path for messages). Gives the response.
local function call(self, method, path, options)
  options = options or {}
  local what = ("%s %s"):format(method, options.what or path)
  local prefix = options.prefix
  if not prefix then
    local known, message, code, name = self:meet()
    if not known then return nil, message, code, name end
    prefix = self.prefix
  end
  local response, message, code = exchange(self, method, prefix .. path, options)
  if not response then
    -- A wait that was to be cut short says nothing about the engine.
    if code == "timeout" and options.may_time_out then return faults.failure("engine slow", what) end
    return silence(self, what, code, message)
  end
  note_answer(self)
  if response.status // 100 == 2 or options.good and options.good[response.status] then return response end
  return refusal(response, what)
end

local function document(self, method, path, options)
  local response, message, code, name = call(self, method, path, options)
  if not response then return nil, message, code, name end
  local decoded = said(response)
  if not decoded then
    return faults.failure("engine failed", ("no JSON in the answer to %s %s"):format(method, path))
  end
  return decoded
end

-- ---- who it is ----

local function numbers(text)
  local major, minor = tostring(text):match "^(%d+)%.(%d+)"
  return math.tointeger(major), math.tointeger(minor)
end

local function is_before(major, minor, other_major, other_minor)
  return major < other_major or major == other_major and minor < other_minor
end

-- The version of the API that both speak.
local function common_version(answer)
  local major, minor = numbers(answer.ApiVersion)
  if not major then return nil, "it doesn't say which version of the API it speaks" end
  if is_before(major, minor, VERSION[1], VERSION[2]) then
    return nil, ("it speaks version %s of the API; %d.%d is needed: Docker 20.10 or Podman 4.0 at least"):format(
      answer.ApiVersion, VERSION[1], VERSION[2])
  end
  local least_major, least_minor = numbers(answer.MinAPIVersion)
  if least_major and is_before(VERSION[1], VERSION[2], least_major, least_minor) then
    return ("/v%d.%d"):format(least_major, least_minor)
  end
  return ("/v%d.%d"):format(VERSION[1], VERSION[2])
end

local function kind_of(answer)
  for _, component in ipairs(type(answer.Components) == "table" and answer.Components or {}) do
    if tostring(component.Name):find("Podman", 1, true) then return "podman" end
  end
  return "docker"
end

--- What it says about itself, and whether we can speak with it.
---@async
---@return table|nil version GET /version
---@return string|nil message
---@return string|nil code
---@return string|nil name
function Engine:version()
  local answer, message, code, name = document(self, "GET", "/version", { prefix = "" })
  if not answer then return nil, message, code, name end
  local prefix, problem = common_version(answer)
  if not prefix then return faults.failure("engine too old", ("%s: %s"):format(self.socket, problem)) end
  self.kind, self.prefix = kind_of(answer), prefix
  return answer
end

--- Finds out who it is, unless that is known.
---@async
---@return true|nil, string|nil, string|nil, string|nil
function Engine:meet()
  if self.prefix then return true end
  local answer, message, code, name = self:version()
  if not answer then return nil, message, code, name end
  return true
end

--- Does it answer?
---@async
---@return true|nil, string|nil, string|nil, string|nil
function Engine:ping()
  local response, message, code, name = call(self, "GET", "/_ping", { prefix = "" })
  if not response then return nil, message, code, name end
  return true
end

--- What it can do: GET /info.
---@async
---@return table|nil, string|nil, string|nil, string|nil
function Engine:info()
  return document(self, "GET", "/info")
end

--- An image: GET /images/NAME/json.
---@async
---@param image string
---@return table|nil, string|nil, string|nil, string|nil
function Engine:image(image)
  local answer, message, code, name = document(self, "GET", ("/images/%s/json"):format(percent.encode_path(image)))
  if name == "no such container" or name == "no such image" then
    return faults.failure("no such image", ("%s isn't there; build it (docker/README.md) or pull it, on the machine "
      .. "of %s"):format(image, self.socket))
  end
  return answer, message, code, name
end

-- ---- containers ----

--- Makes a container, which doesn't run yet. After "engine slow" and "engine away" it may have been made all the same.
---@async
---@param name string
---@param body table of form.create
---@return string|nil id
---@return string|nil message
---@return string|nil code
---@return string|nil name
function Engine:create(name, body)
  local answer, message, code, fault = document(self, "POST", "/containers/create", {
    query = { { "name", name } }, body = body,
  })
  if not answer then return nil, message, code, fault end
  if type(answer.Id) ~= "string" or not answer.Id:find "^%x+$" then
    return faults.failure("engine failed", "it made a container and gave no id")
  end
  return answer.Id
end

local function act(self, id, action, options)
  options.what = "/containers/…/" .. action
  return call(self, "POST", ("/containers/%s/%s"):format(id, action), options)
end

local function done(response, message, code, name)
  if not response then return nil, message, code, name end
  return true
end

--- Starts it. True also when it runs already.
---@async
---@param id string
---@return true|nil, string|nil, string|nil, string|nil
function Engine:start(id)
  return done(act(self, id, "start", { good = { [304] = true } }))
end

--- Gives it another name.
---@async
---@param id string
---@param new_name string
---@return true|nil, string|nil, string|nil, string|nil
function Engine:rename(id, new_name)
  return done(act(self, id, "rename", { query = { { "name", new_name } } }))
end

--- Sets what a running container may use.
---@async
---@param id string
---@param wanted table of form.wanted
---@return true|nil, string|nil, string|nil, string|nil
function Engine:update(id, wanted)
  local known, message, code, name = self:meet()
  if not known then return nil, message, code, name end
  local path, body, is_own = form.update(id, wanted, self.kind)
  local response
  response, message, code, name = call(self, "POST", path, {
    body = body, prefix = is_own and PODMAN_VERSION or nil, what = "/containers/…/update",
  })
  if not response then return nil, message, code, name end
  return true
end

--- Waits until it is removed. True also when it was already.
---@async
---@param id string
---@param timeout_ms integer
---@return true|nil
---@return string|nil message
---@return string|nil code
---@return string|nil name "engine slow": not in this time
function Engine:wait_removed(id, timeout_ms)
  local response, message, code, name = act(self, id, "wait", {
    query = { { "condition", "removed" } }, timeout_ms = timeout_ms, may_time_out = true,
  })
  if name == "no such container" then return true end
  if not response then return nil, message, code, name end
  -- The wait is over also when it was tried and failed; then the answer says why, and the container is still there.
  local answer = said(response)
  local problem = answer and type(answer.Error) == "table" and answer.Error.Message
  if type(problem) == "string" and problem ~= "" then
    return faults.of_answer(500, problem, "the removal of a container")
  end
  return true
end

--- Ends and removes it, with what the engine made for it. True also when it isn't there.
---@async
---@param id string
---@return true|nil, string|nil, string|nil, string|nil
function Engine:remove(id)
  -- 409: somebody removes it already.
  local response, message, code, name = call(self, "DELETE", "/containers/" .. id, {
    query = { { "force", "1" }, { "v", "1" } }, good = { [409] = true }, what = "/containers/…",
  })
  if name == "no such container" then return true end
  if not response then return nil, message, code, name end
  if response.status == 409 then return self:wait_removed(id, self.patience_ms) end
  return true
end

--- The containers that bear these labels, whatever their state.
---@async
---@param labels table<string, string>
---@return {id:string, labels:table<string, string>, state:string|nil, made_s:integer|nil}[]|nil state: the engine's word for it,
--- such as "created" of one that never ran; made_s: since the epoch
---@return string|nil message
---@return string|nil code
---@return string|nil name
function Engine:list(labels)
  local wanted = host.json.array {}
  for label, value in pairs(labels) do wanted[#wanted + 1] = ("%s=%s"):format(label, value) end
  local answer, message, code, name = document(self, "GET", "/containers/json", {
    query = { { "all", "1" }, { "filters", host.json.encode { label = wanted } } },
  })
  if not answer then return nil, message, code, name end
  local list = {}
  for _, container in ipairs(answer) do
    if type(container) == "table" and type(container.Id) == "string" then
      list[#list + 1] = {
        id = container.Id, labels = type(container.Labels) == "table" and container.Labels or {},
        state = container.State, made_s = math.tointeger(container.Created),
      }
    end
  end
  return list
end

--- What happened to a container: actions such as "oom", "kill", "die", in their order. Engines remember a few hundred events of
--- all containers together, so this is for what has just happened.
---@async
---@param id string
---@param since_ms integer wall clock
---@return {action:string, exit_code:integer|nil, signal:string|nil}[]|nil
---@return string|nil message
---@return string|nil code
---@return string|nil name
function Engine:events(id, since_ms)
  local known, message, code, name = self:meet()
  if not known then return nil, message, code, name end
  local response
  response, message, code, name = call(self, "GET", "/events", {
    query = form.events(id, since_ms, self.clock.now_ms(), self.kind),
  })
  if not response then return nil, message, code, name end
  local list = {}
  for line in response.body:gmatch "[^\r\n]+" do
    local event = host.json.decode(line)
    local actor = type(event) == "table" and type(event.Actor) == "table" and event.Actor or {}
    -- Whatever an engine makes of a fraction of a second.
    if actor.ID == id and (math.tointeger(event.timeNano) or 0) >= since_ms * 1000000 then
      local attributes = type(actor.Attributes) == "table" and actor.Attributes or {}
      list[#list + 1] = {
        action = event.Action, exit_code = math.tointeger(tonumber(attributes.exitCode)), signal = attributes.signal,
      }
    end
  end
  return list
end

--- Takes the standard streams of a container that doesn't run yet, for the protocol's. https://docs.docker.com/reference/api/
--- engine/version/v1.41/#operation/ContainerAttach: "Hijacking" and "Stream format".
---@async
---@param id string
---@param limits SandboxLimits the largest
---@return table|nil sandbox not built yet: lua/meta/sandbox.lua
---@return string|nil message
---@return string|nil code
---@return string|nil name
function Engine:attach(id, limits)
  local known, message, code, name = self:meet()
  if not known then return nil, message, code, name end
  local sandbox, problem, class, status = self.sandbox.attach {
    socket = self.socket, path = ("%s/containers/%s/attach?stream=1&stdin=1&stdout=1&stderr=1"):format(self.prefix, id),
    limits = limits, timeout_ms = self.patience_ms,
  }
  if sandbox then return sandbox end
  if class == "refused" and status then return faults.of_answer(status, problem, "POST /containers/…/attach") end
  return silence(self, "POST /containers/…/attach", class, problem)
end

local option_names = { socket = true, patience_ms = true, is_quiet = true, http = true, sandbox = true, clock = true }
local quiet_log = { info = function() end, warn = function() end }
local option_form = 'client.new{ socket = "/run/docker.sock" }'

--- A client of the engine that listens at a socket. Asks nothing yet.
---@param options {socket:string, patience_ms:integer|nil, is_quiet:boolean|nil, http:table|nil, sandbox:table|nil,
--- clock:table|nil} patience_ms: how long any answer may take (default 30000); is_quiet: the log isn't told when the engine is
--- away, for who tells it himself; the last three stand in for host.http, host.sandbox, host.clock in specs
---@return Engine
function client.new(options)
  schema.check_options(options, option_names, option_form)
  if type(options.socket) ~= "string" then error("expected " .. option_form, 2) end
  return setmetatable({
    socket = options.socket, patience_ms = options.patience_ms or DEFAULT_PATIENCE_MS, http = options.http or host.http,
    sandbox = options.sandbox or host.sandbox, clock = options.clock or host.clock,
    log = options.is_quiet and quiet_log or host.log,
  }, Engine)
end

return client
