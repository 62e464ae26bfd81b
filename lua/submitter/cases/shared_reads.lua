--- Reads that are shared by those who ask for the same at the same time. Whoever asks while one runs gets the next one, which
--- begins afterwards: so what he gets is never older than his question, and there are never more than two of a kind.
local host = require "submitter.host"

local shared_reads = {}

---@class SharedReads
local Reads = {}
Reads.__index = Reads

-- A task of its own, so that nobody who is cancelled takes a read along for which others wait.
local function run_all(self, key, line)
  while line.next do
    local read = line.next
    line.next = nil
    read.results = table.pack(xpcall(read.body, debug.traceback))
    read.done:set()
  end
  self.lines[key] = nil
end

--- Waits for a read that begins now or later, and returns what it returned. Its Lua error is everybody's.
---@async
---@param key string what is read
---@param body fun():... reads it; of those who share a read, the body of the first is run
---@return any ...
function Reads:read(key, body)
  local line = self.lines[key]
  local is_first = line == nil
  if is_first then
    line = {}
    self.lines[key] = line
  end
  line.next = line.next or { done = host.task.event(), body = body }
  local read = line.next
  if is_first then host.task.spawn("shared read of " .. self.what, run_all, self, key, line) end
  read.done:wait()
  if not read.results[1] then error(read.results[2], 0) end
  return table.unpack(read.results, 2, read.results.n)
end

--- Reads of one kind.
---@param what string for logs and tracebacks
---@return SharedReads
function shared_reads.new(what)
  return setmetatable({ what = what, lines = {} }, Reads)
end

return shared_reads
