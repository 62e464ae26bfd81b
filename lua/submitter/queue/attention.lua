--- Waiting for a change in folders without looking at them again and again. All who wait in one process share a task
--- and a watch for each folder; the tasks live while anybody waits, the watches until close, so that what changes
--- between two waits isn't missed.

local host = require "submitter.host"

local attention = {}

-- Where the machine has no watches left, waiting falls back to looking this often.
local blind_wait_ms = 1000

---@class Attention
local Attention = {}
Attention.__index = Attention

local function open_watches(self)
  for _, folder in ipairs(self.folders) do
    if not self.watches[folder] and not self.blind then
      local watch, message = self.directory:watch(folder)
      if not watch then
        self.blind = true
        host.log.warn("queue_unwatched", {
          folder = self.directory:path() .. "/" .. folder,
          error = message,
          hint = "looking every second instead; raise fs.inotify.max_user_watches and max_user_instances",
        })
      end
      self.watches[folder] = watch
    end
  end
end

local function wake(self)
  for waiter in pairs(self.waiters) do
    waiter.changed:set()
  end
end

-- A task's body: tells all who wait of each change, until it is cancelled or the watch is closed.
local function listen(self, folder)
  local watch = self.watches[folder]
  while watch and self.watches[folder] == watch do
    watch:wait()
    wake(self)
  end
end

local function stop_listening(self)
  for _, task in ipairs(self.listeners) do
    task:cancel("nobody waits for the queue")
  end
  self.listeners = {}
end

---@class Waiter a to-be-closed value
local Waiter = {}
Waiter.__index = Waiter

--- Forgets the changes until now: to be called before looking.
function Waiter:clear()
  self.changed:clear()
end

--- Waits until something changed since the last clear.
---@async
---@param timeout_ms integer
---@return true|nil
---@return string|nil message
---@return "timeout"|nil code
function Waiter:wait(timeout_ms)
  return self.changed:wait(self.owner.blind and math.min(timeout_ms, blind_wait_ms) or timeout_ms)
end

Waiter.__close = function(self)
  local owner = self.owner
  owner.waiters[self] = nil
  if next(owner.waiters) == nil then
    stop_listening(owner)
  end
end

--- Begins to listen. What changes from now on, and what changed since the last waiter heard of a change, wakes it.
---@return Waiter
function Attention:waiter()
  open_watches(self)
  local waiter = setmetatable({ owner = self, changed = host.task.event() }, Waiter)
  if next(self.waiters) == nil then
    for folder in pairs(self.watches) do
      self.listeners[#self.listeners + 1] = host.task.spawn("queue watch " .. folder, listen, self, folder)
    end
  end
  self.waiters[waiter] = true
  return waiter
end

--- Gives the watches back; whoever waits is woken.
function Attention:close()
  stop_listening(self)
  wake(self)
  for _, folder in ipairs(self.folders) do
    if self.watches[folder] then
      self.watches[folder]:close()
      self.watches[folder] = nil
    end
  end
end

--- Prepares for waiting; nothing is watched before somebody waits.
---@param directory Directory
---@param folders string[] below it
---@return Attention
function attention.new(directory, folders)
  return setmetatable({
    directory = directory,
    folders = folders,
    watches = {},
    waiters = {},
    listeners = {},
    blind = false,
  }, Attention)
end

return attention
