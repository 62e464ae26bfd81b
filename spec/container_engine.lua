--- A container engine for integration scripts, `make demo` and `make bench`, and images for it that need no registry:
---
---     local container_engine = require "spec.container_engine"
---     local engine <close> = container_engine.start()                   -- or { kind = "podman", own = true }
---     engine.socket                                                     --> "/run/docker.sock", or one below the build folder
---     engine:image "runner"                                             --> the name of the image of docker/runner.Dockerfile
---     engine:kill(); engine:resume()                                    -- as by kill -9; and back, on the same socket
---
--- Where an engine answers already (DOCKER_HOST, /run/docker.sock), it is used, unless one of one's own is asked for; else root
--- starts one of Debian's packages (container_engine.sh), of which nothing is left afterwards but images and log below the build
--- folder. Several can run, each in a place of its own. Its life hangs on a pipe of this process: whatever ends this one ends it.
local host = require "submitter.host"

local container_engine = {}

local root = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" or "."

-- The system's own programs: another `docker` may come first on this user's PATH, made for a newer engine.
local PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
local STANDING_SOCKET = "/run/docker.sock"
-- How many engines of a kind can run at once in a build folder.
local PLACES = 9
-- A socket's path has 107 bytes at most.
local SOCKET_BYTES = 107

local PACKAGES = {
  docker = { { "dockerd", "docker.io" }, { "docker", "docker.io" } },
  podman = { { "podman", "podman" }, { "runc", "runc" }, { "docker", "docker.io" } },
}

local function must(value, message)
  if not value then error(message, 0) end
  return value
end

local function build_folder() return host.system.executable():match "^(.*)/" end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function has_program(name)
  for folder in PATH:gmatch "[^:]+" do
    if exists(folder .. "/" .. name) then return true end
  end
  return false
end

-- Runs a program of the system's; its standard output, or nil and what it said.
---@async
local function run(words, environment)
  local arguments = { "-i", "PATH=" .. PATH, "LC_ALL=C.UTF-8", "HOME=/nonexistent", table.unpack(environment or {}) }
  table.move(words, 1, #words, #arguments + 1, arguments)
  local ended = must(host.child.run { program = "/usr/bin/env", arguments = arguments, limit_bytes = 16 << 20 })
  if ended.exit_code == 0 then return ended.stdout end
  local said = (ended.stderr ~= "" and ended.stderr or ended.stdout):gsub("%s+$", "")
  return nil, ("%s %s: %s"):format(words[1], words[2] or "", said)
end

---@class ContainerEngine a to-be-closed value as well
---@field kind "docker"|"podman"
---@field socket string the path of the socket on which its API is
---@field version string
---@field own boolean started here: it can be stopped and killed
---@field cgroup_parent string|nil where the groups of containers are, from the hierarchy's root; Podman wants to be told so for
--- each container. nil when it isn't our own
---@field folder string|nil where its images and its log are
local Engine = {}
Engine.__index = Engine

--- Runs the `docker` command with this engine.
---@async
---@param ... string its words
---@return string|nil output
---@return string|nil message
function Engine:command(...)
  -- BuildKit isn't in Debian's package, and newer clients want it.
  return run({ "docker", "--host", "unix://" .. self.socket, ... }, { "DOCKER_BUILDKIT=0" })
end

---@async
local function tell(self, command)
  if not self.own then
    error(("%s: the engine at %s isn't ours; start { own = true } gives one that is"):format(command, self.socket), 3)
  end
  must(self.keeper:write(command .. "\n"))
  local answer = must(self.keeper:read "stdout")
  if answer ~= command .. "\n" then error((answer:gsub("\n$", "")), 0) end
end

--- Starts it again after kill or stop, and waits until it answers.
---@async
function Engine:resume() tell(self, "start") end

--- Ends it by SIGKILL, with its containerd; containers run on.
---@async
function Engine:kill() tell(self, "kill") end

--- Ends it in order, with its containers.
---@async
function Engine:stop() tell(self, "stop") end

--- Stops and starts it.
---@async
function Engine:restart()
  self:stop()
  self:resume()
end

--- Stops it by SIGSTOP: it takes connections and answers nothing.
---@async
function Engine:freeze() tell(self, "freeze") end

--- Lets it go on after freeze.
---@async
function Engine:thaw() tell(self, "thaw") end

--- Ends it, if it is our own, and waits until all that it had on the machine is gone. Without this that happens when this
--- process ends.
---@async
function Engine:close()
  if not self.keeper then return end
  self.keeper:close_input()
  self.keeper:wait()
  self.keeper = nil
end
Engine.__close = Engine.close

--- All containers, whether they run or not: their names.
---@async
---@return string[]
function Engine:containers()
  local names = {}
  local listed = must(self:command("ps", "--all", "--format", "{{.Names}}"))
  for name in listed:gmatch "[^\n]+" do names[#names + 1] = name end
  return names
end

-- ---- images ----

-- A Debian with Python, from this machine's packages, by what is in it.
---@async
local function base_image(self)
  local folder = build_folder() .. "/engine"
  must(run { root .. "/container_base.sh", folder })
  local directory = must(host.file.directory(folder))
  local name = "submitter-test-base:" .. must(directory:read "base.sha256"):sub(1, 12)
  directory:close()
  if not self:command("image", "inspect", name) then
    must(self:command("import", "--change", 'CMD ["python3"]', folder .. "/base.tar", name))
  end
  return name
end

-- One a build folder: work trees that share an engine don't share it.
---@async
local function runner_image(self)
  local name, base = "submitter-test-runner:" .. host.digest.md5(build_folder()):sub(1, 12), base_image(self)
  return self:build {
    file = "docker/runner.Dockerfile", name = name, arguments = { BASE = base, BUILDER = base },
  }
end

--- Builds an image. What hasn't changed since the last time isn't done again.
---@async
---@param options {file:string, name:string, arguments:table<string, string>|nil, folder:string|nil} file: within the folder;
--- arguments: those that its ARG lines name; folder: what it is built of, default the source tree
---@return string name
function Engine:build(options)
  local top = options.folder or root .. "/.."
  -- The engine has no bridge: packages are to be had through this machine's network.
  local words = { "build", "--quiet", "--network", "host", "--file", top .. "/" .. options.file, "--tag", options.name }
  for name, value in pairs(options.arguments or {}) do
    words[#words + 1] = "--build-arg"
    words[#words + 1] = name .. "=" .. value
  end
  words[#words + 1] = top
  must(self:command(table.unpack(words)))
  return options.name
end

local images = { base = base_image, runner = runner_image }

--- The name of an image, made when it isn't there yet or something of it has changed.
---@async
---@param name "base"|"runner" base: Debian with Python; runner: docker/runner.Dockerfile on it
---@return string
function Engine:image(name)
  local make = images[name] or error(("there is no image %q: base or runner"):format(name), 2)
  return make(self)
end

-- ---- starting ----

-- What is missing to start one, and what to do about it; nil when nothing is.
local function reason_against(kind)
  if host.system.user_id() ~= 0 then
    return ("no engine answers at %s, and only root can start one"):format(STANDING_SOCKET)
  end
  for _, one in ipairs(PACKAGES[kind]) do
    if not has_program(one[1]) then
      return ("%s isn't installed: apt-get install --no-install-recommends %s"):format(one[1], one[2])
    end
  end
end

-- An engine that somebody else started, where one answers.
---@async
local function standing()
  local given = os.getenv "DOCKER_HOST"
  local socket = given and given:match "^unix://(/.+)$" or STANDING_SOCKET
  local self = setmetatable({ kind = "docker", socket = socket, own = false }, Engine)
  local version = has_program "docker" and self:command("version", "--format", "{{.Server.Version}}")
  if not version then return nil end
  self.version = version:gsub("%s+$", "")
  return self
end

-- In the first place that is free.
---@async
local function start_keeper(kind)
  for number = 1, PLACES do
    local folder = ("%s/engine/%s-%d"):format(build_folder(), kind, number)
    local cgroup = "submitter-engine-" .. host.digest.md5(folder):sub(1, 8)
    local keeper = must(host.child.start {
      program = "/bin/sh", arguments = { root .. "/container_engine.sh", kind, folder, cgroup },
      environment = { PATH = PATH, LC_ALL = "C.UTF-8", HOME = "/nonexistent" }, stdin = "pipe", stdout = "pipe",
      stderr = "inherit", new_session = true,
    })
    local answer = must(keeper:read "stdout")
    if answer == "ready\n" then return keeper, folder, cgroup end
    keeper:close()
    if answer ~= "busy\n" then error("container_engine.sh: " .. answer, 0) end
  end
  error(("%d engines run in %s/engine already"):format(PLACES, build_folder()), 0)
end

--- Starts one, or takes the one that answers already. An error says what to install.
---@async
---@param options {kind:"docker"|"podman"|nil, own:boolean|nil}|nil kind: default docker; own: never one that somebody else
--- started
---@return ContainerEngine
function container_engine.start(options)
  options = options or {}
  local kind = options.kind or "docker"
  if not PACKAGES[kind] then error(("there is no engine %q: docker or podman"):format(kind), 2) end
  if kind == "docker" and not options.own then
    local engine = standing()
    if engine then return engine end
  end
  local reason = reason_against(kind)
  if reason then error(reason, 0) end
  local keeper, folder, cgroup = start_keeper(kind)
  local self = setmetatable({
    kind = kind, socket = folder .. "/socket", own = true, keeper = keeper, folder = folder,
    cgroup_parent = "/" .. cgroup,
  }, Engine)
  if #self.socket > SOCKET_BYTES then
    self:close()
    error(("the socket's path has %d bytes, and no more than %d are possible: "
      .. "use a build folder with a shorter path (make BUILD=…)"):format(#self.socket, SOCKET_BYTES), 0)
  end
  self:resume()
  -- What was left by one that was killed.
  for _, name in ipairs(self:containers()) do must(self:command("rm", "--force", name)) end
  self.version = must(self:command("version", "--format", "{{.Server.Version}}")):gsub("%s+$", "")
  return self
end

return container_engine
