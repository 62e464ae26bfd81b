--- Whose a container is, by its labels, and the end of those that a dead worker left. A container ends by itself when the
--- worker at the other end of its standard input is gone, and the engine removes it; what is left is what had not begun to
--- run, or what the engine could not remove.
---
--- A worker is alive as long as it holds the lock on its own folder of jobs. Folders of two workers that know nothing of each
--- other may have the same path, each in a container of its own, but the same engine: so the var folder has an identity, a random
--- word in a file of it, and a worker judges those only that share its var.
---
--- A command at a desk holds no lock. What one leaves that was killed between making a container and starting it is known by its
--- age, and removed by whoever comes by; the engine ends everything that had begun to run.
local host = require "submitter.host"

local leftovers = {}

local IDENTITY_FILE = "identity"
local WORKER, VAR, CONTAINER = "submitter.worker", "submitter.var", "submitter.container"
-- In the place of an identity, which it can't be taken for.
local DESK = "desk"
-- Far longer than anybody takes between making one and starting it.
local FORGOTTEN_S = 3600

---@class Leftovers
---@field worker string this worker's name
---@field var string|nil the identity of its var folder; nil for who holds no lock
local Leftovers = {}
Leftovers.__index = Leftovers

local function read_identity(directory)
  local text, message, code = directory:read(IDENTITY_FILE, { limit_bytes = 64 })
  if not text then return nil, message, code end
  local word = text:match "^(%x+)%s*$"
  if not word then return nil, "it holds no word of hexadecimal digits; remove it", "invalid" end
  return word
end

-- The word of a var folder; the first who needs it makes it.
local function identity(directory)
  local word, message, code = read_identity(directory)
  if code == "ENOENT" then
    local written
    written, message, code = directory:replace(IDENTITY_FILE, host.digest.random(16) .. "\n", { exclusive = true })
    if written or code == "EEXIST" then word, message = read_identity(directory) end
  end
  if word then return word end
  return nil, ("%s/%s: %s"):format(directory:path(), IDENTITY_FILE, message), "environment"
end

--- The labels of a container.
---@param tag string|nil its own; nil: what all of this worker's have in common
---@return table<string, string>
function Leftovers:labels(tag)
  return { [WORKER] = self.worker, [VAR] = self.var or DESK, [CONTAINER] = tag }
end

--- The tag of a container that was found by its labels.
---@param container {labels:table<string, string>}
---@return string|nil
function leftovers.tag(container)
  return container.labels[CONTAINER]
end

-- Those that desks have left before they ran.
local function find_forgotten(engine)
  local list, message, code = engine:list { [VAR] = DESK }
  if not list then return nil, message, code end
  local forgotten, since_s = {}, host.clock.now_ms() // 1000 - FORGOTTEN_S
  for _, container in ipairs(list) do
    if container.state == "created" and (container.made_s or since_s) < since_s then
      forgotten[#forgotten + 1] = container
    end
  end
  return forgotten
end

-- Those, and what a worker of this var has left who isn't alive.
local function find(self, engine)
  local dead, message, code = find_forgotten(engine)
  if not dead or not self.var then return dead, message, code end
  local list
  list, message, code = engine:list { [VAR] = self.var }
  if not list then return nil, message, code end
  local lives = {}
  for _, container in ipairs(list) do
    local owner = container.labels[WORKER] or ""
    if lives[owner] == nil then lives[owner] = self.jobs:lives(owner) end
    if not lives[owner] then dead[#dead + 1] = container end
  end
  return dead
end

--- Removes what dead workers left, and desks.
---@async
---@param engine Engine
---@return integer|nil removed
---@return string|nil message
---@return string|nil code
function Leftovers:sweep(engine)
  local dead, message, code = find(self, engine)
  if not dead then return nil, message, code end
  for _, container in ipairs(dead) do
    local removed
    removed, message, code = engine:remove(container.id)
    if not removed then return nil, message, code end
    host.log.info("container_swept", { container = container.id:sub(1, 12), worker = container.labels[WORKER] })
  end
  return #dead
end

--- For a worker, by what it has opened; for a command at a desk, which holds no lock, without any: then nobody judges its
--- containers by whose they are.
---@async
---@param parts {jobs:JobRegistry|nil, directory:Directory|nil}|nil
---@return Leftovers|nil
---@return string|nil message
---@return "environment"|nil code
function leftovers.new(parts)
  if not parts or not parts.jobs or not parts.directory then
    return setmetatable({ worker = ("desk-%d-%s"):format(host.system.pid(), host.digest.random(8)) }, Leftovers)
  end
  local word, message, code = identity(parts.directory)
  if not word then return nil, message, code end
  return setmetatable({ worker = parts.jobs.name, jobs = parts.jobs, var = word }, Leftovers)
end

return leftovers
