--- The place of the attacks that is a container each: made, named, limited and ended by the very runner that a worker has
--- (lua/submitter/runner/container.lua), with a real engine.
local container_engine = require "spec.container_engine"
local container_runner = require "submitter.runner.container"
local host = require "submitter.host"
local machine = require "machine"

local contained = {}

-- How long an engine may take for anything; an emulated machine is ten times slower.
local PATIENCE_MS = 120000

---@class ContainedPlace where programs run, as run.lua asks for it; native.lua has the other
---@field accounting "container"
local Place = {}
Place.__index = Place

---@class ContainedBox one container, for one program
local Box = {}
Box.__index = Box

-- The most that any of them asks for: what containers of the pool are started with.
local function most(programs)
  local limits = {}
  for _, program in ipairs(programs) do
    for name, value in pairs(program.limits) do limits[name] = math.max(limits[name] or 0, value) end
  end
  return limits
end

-- What the engine has of all but images, by its own command: sets of names by kind.
---@async
local function belongings(engine)
  local found = {}
  for kind, words in pairs {
    container = { "ps", "--all", "--no-trunc", "--format", "{{.ID}}" }, volume = { "volume", "ls", "--quiet" },
    network = { "network", "ls", "--no-trunc", "--quiet" },
  } do
    found[kind] = {}
    for name in assert(engine:command(table.unpack(words))):gmatch "[^\n]+" do found[kind][name] = true end
  end
  return found
end

--- Starts the engine and makes the image.
---@async
---@param kind "docker"|"podman"
---@param programs table[] all that will run, header.read
---@return ContainedPlace
function contained.open(kind, programs)
  local engine = container_engine.start { kind = kind }
  local image = engine:image "runner"
  print(("# %s %s at %s"):format(engine.kind, engine.version, engine.socket))
  return setmetatable({
    accounting = "container", engine = engine, image = image, ceilings = most(programs), before = belongings(engine),
  }, Place)
end

--- Runs the Python that programs get, in a container with nothing else in it.
---@async
---@param arguments string[]
---@return string output
function Place:python(arguments)
  return assert(self.engine:command("run", "--rm", "--network", "none", "--entrypoint", "python3", self.image,
    table.unpack(arguments)))
end

--- Has containers started ahead, as a worker does; but none beside programs that measure.
---@async
---@param at_once integer how many programs will run at a time
function Place:prepare(at_once)
  if self.runner then self.runner:close() end
  self.runner = assert(container_runner.open({ policy = { limits = self.ceilings } }, {
    image = self.image, socket = self.engine.socket, patience_ms = PATIENCE_MS, pool = at_once > 1 and at_once + 1 or 0,
    -- Docker's engine was told.
    cgroup_parent = self.engine.kind == "podman" and self.engine.cgroup_parent or nil,
  }))
  assert(self.runner:warm(at_once))
end

--- A container of the pool, or a new one.
---@async
---@param limits SandboxLimits
---@return ContainedBox
function Place:start(limits)
  local subid = host.digest.random(16)
  local session, message = self.runner:start(limits, { subid = subid })
  if not session then error("the container didn't start: " .. message, 0) end
  local box = setmetatable({ place = self, session = session, id = session.box.id }, Box)
  box.traces = machine.container(box.id)
  if #box.traces.groups == 0 then error("the container's processes aren't to be seen", 0) end
  local found = assert(self.engine:command("inspect", "--format", "{{.Name}}", box.id))
  if not found:find("^/?subid" .. subid .. "%-%x+%s*$") then error("the container has the name " .. found, 0) end
  return box
end

--- Ends what waits in the pool, and the engine if it was started here. What is left, as complaints.
---@async
---@return string[]
function Place:close()
  if self.runner then self.runner:close() end
  local complaints = {}
  for kind, names in pairs(belongings(self.engine)) do
    for name in pairs(names) do
      if not self.before[kind][name] then complaints[#complaints + 1] = ("the %s %s is left"):format(kind, name) end
    end
  end
  self.engine:close()
  if self.engine.own then
    for _, left in ipairs(machine.engine_left_over(self.engine.folder, self.engine.cgroup_parent)) do
      complaints[#complaints + 1] = left
    end
  end
  return complaints
end

--- As lua/meta/sandbox.lua has it: with more files than a session of a worker hands over.
---@async
function Box:submit(submission)
  self.session.program = { name = submission.program, source = submission.files[1].data, limits = submission.limits }
  return self.session.box.sandbox:submit(submission)
end

--- As lua/meta/sandbox.lua has it. A container that the engine ends is seen to by the session.
---@async
function Box:case(case) return self.session:case(case) end

--- Ends the container and waits until the engine has removed it.
---@async
function Box:close() return self.session:close() end

--- What is left once it is closed, as complaints.
---@async
---@return string[]
function Box:left_over()
  local complaints = machine.left_over(self.traces)
  if belongings(self.place.engine).container[self.id] then
    complaints[#complaints + 1] = ("the container %s is left"):format(self.id)
  end
  return complaints
end

return contained
