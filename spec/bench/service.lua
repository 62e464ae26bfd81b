--- A whole service for the benches: a deployment of its own with one worker, and one submission at a time through it, of a
--- trivial program with ten cases.
local host = require "submitter.host"
local submit = require "submitter.cli.submit"
local figures = require "spec.bench.figures"
local support = require "spec.integration.support"

local service = {}

local must = figures.must
local ADMIN, EVENT, ASSIGNMENT = "bench", "spring", "sum"

service.CASES = 10
service.program = "import sys\nprint(sum(int(word) for word in sys.argv[1:]))\n"
service.limits = { memory_bytes = 256 << 20, cpu_ms = 2000, wall_ms = 6000, output_bytes = 1 << 20, processes = 16,
  file_bytes = 16 << 20 }

--- The cases, as they stand in test.in and test.out.
---@return string inputs
---@return string outputs
function service.cases()
  local inputs, outputs = {}, {}
  for number = 1, service.CASES do
    inputs[number], outputs[number] = ("1 2 %d"):format(number), tostring(3 + number)
  end
  return table.concat(inputs, "\n") .. "\n", table.concat(outputs, "\n") .. "\n"
end

---@class BenchedService
---@field services table as support.deployment opens them
local Service = {}
Service.__index = Service

--- Makes a deployment. Its worker isn't started yet.
---@async
---@param name string of the folder
---@param settings table<string, string> of the configuration, as Lua text
---@return BenchedService
function service.deploy(name, settings)
  local self = setmetatable({ services = support.deployment(name, settings), serial = 0 }, Service)
  local inputs, outputs = service.cases()
  local base = ("%s/%s/%s/grading/"):format(ADMIN, EVENT, ASSIGNMENT)
  must(self.services.store:put(base .. "test.in", inputs))
  must(self.services.store:put(base .. "test.out", outputs))
  return self
end

--- Starts the worker.
---@async
function Service:start()
  self.worker = must(host.child.start { program = host.system.executable(),
    arguments = { "serve", "--config", self.services.path }, environment = { PATH = "/usr/bin:/bin" } })
end

--- Hands one in and waits until its message is deleted.
---@async
---@return number milliseconds from the message's arrival on
function Service:submit()
  self.watch = self.watch or must(self.services.directory:watch "queue/held")
  self.serial = self.serial + 1
  must(submit.hand_in(self.services, { source = service.program, admin = ADMIN, event = EVENT, assignment = ASSIGNMENT,
    tokens = { host.digest.md5("bench " .. self.serial) } }))
  local began = host.clock.monotonic_us()
  while true do
    local depth = must(self.services.queue:depth())
    if depth.ready + depth.held == 0 then break end
    self.watch:wait(1000)
  end
  return (host.clock.monotonic_us() - began) / 1000
end

--- What the worker has used so far.
---@return {cpu_ms:number, rss_mib:number}
function Service:figures()
  local stat = assert(io.open(("/proc/%d/stat"):format(self.worker:pid()))):read "a"
  local fields = {}
  for field in stat:match "^.*%) (.*)$":gmatch "%S+" do fields[#fields + 1] = field end
  local status = assert(io.open(("/proc/%d/status"):format(self.worker:pid()))):read "a"
  return {
    cpu_ms = (tonumber(fields[12]) + tonumber(fields[13])) * 10, -- clock ticks of 10 ms (sysconf _SC_CLK_TCK is 100)
    rss_mib = tonumber(status:match "VmRSS:%s+(%d+)") / 1024,
  }
end

--- Tells the worker to end, and waits for it.
---@async
function Service:stop()
  self.worker:kill "TERM"
  self.worker:wait()
end

return service
