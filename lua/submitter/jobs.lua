--- The folders in which submissions are worked on: `jobs/<worker>/<subid>.<n>/`. A worker's own folder is locked for as
--- long as its process lives, however that ends; what stands there unlocked belonged to a worker that died, and the
--- next worker that starts removes it.
---
--- A folder is made and locked, and others are judged, only under a lock on the jobs folder itself. So nobody ever sees
--- the folder of a worker that has made it but not yet locked it.

local host = require "submitter.host"

local jobs = {}

--- In a worker's folder: what `tell` wrote last, `{ last_poll_ms =, problem = }` as JSON.
jobs.state_file = "state.json"
--- Beside it: what `beat` wrote last, `{ alive_ms =, due_ms = }` as JSON.
jobs.life_file = "life.json"

local private = tonumber("700", 8)

-- Making one folder takes no time; the wait is for many workers that start at once.
local start_wait_ms = 30 * 1000

local function own_name()
  local machine = host.system.hostname():gsub("[^%w%.]", "_"):sub(1, 64)
  return ("%s-%d-%s"):format(machine, host.system.pid(), host.digest.random(8))
end

local function is_worker_name(name)
  return name:find("^[%w%._]+%-%d+%-%x+$") ~= nil and name:sub(1, 1) ~= "."
end

local function failure(what, message)
  return nil, ("jobs: %s: %s"):format(what, message), "environment"
end

-- The folders of dead workers, each locked by us now, so that no other worker judges or removes it as well.
local function lock_dead(directory, own)
  local entries, message = directory:list(".")
  if not entries then
    return failure("the folder can't be listed", message)
  end
  local dead = {}
  for _, entry in ipairs(entries) do
    if entry.type == "directory" and entry.name ~= own and is_worker_name(entry.name) then
      -- "/." because a worker that ends right now takes its folder along, and a lock on a mere name would make a file.
      local lock, why, code = directory:lock(entry.name .. "/.")
      if lock then
        dead[#dead + 1] = { name = entry.name, lock = lock }
      elseif code ~= "busy" and code ~= "ENOENT" then
        host.log.warn("jobs_unswept", { folder = entry.name, error = why })
      end
    end
  end
  return dead
end

local function remove_dead(directory, dead)
  for _, worker in ipairs(dead) do
    local removed, message = directory:remove_tree(worker.name)
    if removed then
      host.log.info("jobs_swept", { folder = worker.name })
    else
      -- A worker can do its work beside what another left; the next start tries again.
      host.log.warn("jobs_unswept", { folder = worker.name, error = message })
    end
    worker.lock:release()
  end
end

---@class JobRegistry
---@field name string of this worker's own folder
local Registry = {}
Registry.__index = Registry

---@class JobFolder
---@field directory Directory
---@field path string absolute
---@field name string
---@field remove fun():true|nil, string|nil, string|nil removes it with all that is in it; may be called again

--- Makes a fresh folder for one grading of a submission, which nobody else on the machine can enter.
---@async
---@param subid string
---@return JobFolder|nil
---@return string|nil message
---@return "environment"|nil code
function Registry:make(subid)
  if type(subid) ~= "string" or not subid:find("^%x+$") then
    error("expected registry:make(subid), hexadecimal digits", 2)
  end
  if not self.lock then
    error("expected registry:make before registry:close", 2)
  end
  self.count = self.count + 1
  local name = ("%s.%d"):format(subid, self.count)
  local made, message = self.directory:make(name, { mode = private })
  if not made then
    return failure("a folder for " .. name .. " can't be made", message)
  end
  local directory
  directory, message = self.directory:open(name)
  if not directory then
    self.directory:remove_tree(name)
    return failure("the folder " .. name .. " can't be opened", message)
  end
  local folder = { directory = directory, path = directory:path(), name = name }
  folder.remove = function()
    directory:close()
    local removed, why, code = self.directory:remove_tree(name)
    if not removed then
      return nil, ("the job folder %s can't be removed: %s"):format(folder.path, why), code
    end
    return true
  end
  return folder
end

--- Whether a worker of this folder is alive, by the lock that it holds for as long as it is.
---@async
---@param name string as its registry's
---@return boolean true also where that can't be told
function Registry:lives(name)
  if name == self.name then return true end
  if not is_worker_name(name) then return false end
  local lock, _, code = self.parent:lock(name .. "/.")
  if lock then lock:release() end
  return not lock and code ~= "ENOENT"
end

-- In one step: whoever reads it meanwhile must find one word or the other, never a file that is empty for the moment.
local function leave(self, file, word)
  return self.directory:replace(file, host.json.encode(word), { sync = false })
end

--- Leaves word for `submitter status` how the worker and its queue get on.
---@async
---@param state {last_poll_ms:integer|nil, problem:string|nil} when the queue last answered (wall clock), and why it doesn't
---@return true|nil
---@return string|nil message
---@return string|nil code
function Registry:tell(state)
  if not self.lock then return true end
  return leave(self, jobs.state_file, { last_poll_ms = state.last_poll_ms, problem = state.problem })
end

--- Leaves a sign of life for `submitter health`.
---@async
---@param life {alive_ms:integer, due_ms:integer} now, and since when a good poll of the queue is due; wall clock
---@return true|nil
---@return string|nil message
---@return string|nil code
function Registry:beat(life)
  if not self.lock then return true end
  return leave(self, jobs.life_file, { alive_ms = life.alive_ms, due_ms = life.due_ms })
end

--- Removes this worker's own folder and lets go of it. May be called again.
---@async
---@return true|nil
---@return string|nil message
---@return "environment"|nil code
function Registry:close()
  if not self.lock then
    return true
  end
  self.directory:close()
  local removed, message = self.parent:remove_tree(self.name)
  self.lock:release()
  self.lock = nil
  if not removed then
    return failure("the worker's folder " .. self.name .. " can't be removed", message)
  end
  return true
end

local function make_own(directory)
  local name = own_name()
  local made, message = directory:make(name, { mode = private })
  if not made then
    return failure("the worker's folder can't be made", message)
  end
  local lock
  lock, message = directory:lock(name)
  if not lock then
    return failure("the worker's folder can't be locked", message)
  end
  local own
  own, message = directory:open(name)
  if not own then
    return failure("the worker's folder can't be opened", message)
  end
  return setmetatable({ parent = directory, directory = own, name = name, lock = lock, count = 0 }, Registry)
end

--- Makes this worker's folder and removes those of workers that are dead.
---@async
---@param directory Directory the jobs folder
---@return JobRegistry|nil
---@return string|nil message
---@return "environment"|nil code
function jobs.open(directory)
  local gate, message = directory:lock(".", { wait_ms = start_wait_ms })
  if not gate then
    return failure("another worker has been starting for too long: the folder can't be locked", message)
  end
  local registry, code
  registry, message, code = make_own(directory)
  local dead
  if registry then
    dead, message, code = lock_dead(directory, registry.name)
  end
  gate:release()
  if not registry or not dead then
    return nil, message, code
  end
  -- Removing takes its time, and needs no gate: these are locked, and their names are never used again.
  remove_dead(directory, dead)
  return registry
end

return jobs
