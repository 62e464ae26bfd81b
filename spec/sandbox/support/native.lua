--- The place of the attacks that is this machine itself: sandboxes as a worker without containers starts them.
local host = require "submitter.host"
local machine = require "machine"
local python = require "submitter.python"

local native = {}

---@class NativePlace where programs run, as run.lua asks for it; contained.lua has the other
---@field accounting "cgroup"|"rlimit"
local Place = {}
Place.__index = Place

---@class NativeBox one sandbox, for one program
local Box = {}
Box.__index = Box

--- Finds the interpreter.
---@async
---@param accounting "cgroup"|"rlimit"
---@return NativePlace
function native.open(accounting)
  return setmetatable({ accounting = accounting, interpreter = assert(python.find()) }, Place)
end

--- Runs the Python that programs get, with nothing around it.
---@async
---@param arguments string[]
---@return string output
function Place:python(arguments)
  local result = assert(host.child.run {
    program = self.interpreter, arguments = arguments, environment = { LANG = "C.UTF-8" },
  })
  assert(result.exit_code == 0, result.stderr)
  return result.stdout
end

--- Nothing is made beforehand.
function Place.prepare() end

--- One after the other, so that it is known which sandbox is whose.
---@async
---@param limits SandboxLimits
---@return NativeBox
function Place:start(limits)
  while self.starting do host.clock.sleep_ms(2) end
  self.starting = true
  local _ <close> = setmetatable({}, { __close = function() self.starting = false end })
  local before = machine.sandboxes()
  local sandbox, message = host.sandbox.start {
    limits = limits, interpreter = self.interpreter, accounting = self.accounting,
  }
  local supervisor
  for number in pairs(machine.sandboxes()) do
    if not before[number] then supervisor = number end
  end
  if not sandbox then error("the sandbox didn't start: " .. message, 0) end
  assert(supervisor, "the sandbox's supervisor isn't to be seen")
  return setmetatable({ sandbox = sandbox, traces = machine.sandbox(supervisor) }, Box)
end

--- What it left on the machine, as complaints. There is nothing but the sandboxes.
function Place.close() return {} end

--- As lua/meta/sandbox.lua has it.
---@async
function Box:submit(submission) return self.sandbox:submit(submission) end

--- As lua/meta/sandbox.lua has it.
---@async
function Box:case(case) return self.sandbox:case(case) end

--- As lua/meta/sandbox.lua has it.
---@async
function Box:close() return self.sandbox:close() end

--- What is left once it is closed, as complaints.
---@async
---@return string[]
function Box:left_over() return machine.left_over(self.traces) end

return native
