--- What the job folders tell of the workers of this machine, and of containers that share its var folder: for `status` and
--- `health`.
local host = require "submitter.host"
local jobs = require "submitter.jobs"

local workers = {}

--- Making a worker's folder takes no time, but many may start at once.
local GATE_WAIT_MS = 5000
local STATE_LIMIT_BYTES = 64 << 10

-- A living worker has its folder locked. What a killed one left stays until the next worker starts, and its messages
-- come back by themselves.
local function is_alive(directory, folder)
  if folder.type ~= "directory" then return false end
  local lock, _, code = directory:lock("jobs/" .. folder.name .. "/.", { shared = true })
  if lock then lock:release() end
  return code == "busy"
end

-- What a worker left word of last; nothing where it has left none yet, or what isn't its.
local function read(directory, worker, file)
  local text = directory:read(("jobs/%s/%s"):format(worker, file), { limit_bytes = STATE_LIMIT_BYTES })
  local state = text and host.json.decode(text)
  return type(state) == "table" and state or {}
end

local function whole(value)
  return math.type(value) == "integer" and value or nil
end

---@class WorkerSeen
---@field name string of its folder: machine, process number, random digits
---@field last_poll_ms integer|nil when its queue last answered
---@field problem string|nil why its queue doesn't, or why it grades nothing
---@field alive_ms integer|nil its last sign of life
---@field due_ms integer|nil since when a good poll of its queue is due

--- The workers that live.
---@async
---@param directory Directory the var folder
---@return WorkerSeen[]|nil
---@return string|nil message
function workers.look(directory)
  local found = {}
  local folders, message, code = directory:list "jobs"
  if not folders then
    if code == "ENOENT" then return found end
    return nil, message
  end
  -- Workers start under this lock, so that none finds its new folder locked by the look at it.
  local gate <close> = directory:lock("jobs/.", { shared = true, wait_ms = GATE_WAIT_MS })
  for _, folder in ipairs(gate and folders or {}) do
    if is_alive(directory, folder) then
      local state, life = read(directory, folder.name, jobs.state_file), read(directory, folder.name, jobs.life_file)
      found[#found + 1] = {
        name = folder.name, last_poll_ms = whole(state.last_poll_ms),
        problem = type(state.problem) == "string" and state.problem or nil,
        alive_ms = whole(life.alive_ms), due_ms = whole(life.due_ms),
      }
    end
  end
  return found
end

--- What a worker is at.
---@async
---@param directory Directory the var folder
---@param worker string its name
---@return {worker:string, job:string, since_ms:integer}[]
function workers.jobs(directory, worker)
  local running = {}
  -- A worker that ends while this looks takes its folder along: that is no failure.
  for _, job in ipairs(directory:list("jobs/" .. worker) or {}) do
    local about = job.type == "directory" and directory:stat("jobs/" .. worker .. "/" .. job.name)
    if about then running[#running + 1] = { worker = worker, job = job.name, since_ms = about.modified_ms } end
  end
  return running
end

return workers
