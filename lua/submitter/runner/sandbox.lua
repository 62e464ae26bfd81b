--- The runner that is built in: `submitter-sandbox` around `submitter-runner`, on this machine. Walls take longer to
--- build than a small program takes to run, and they can stand before a submission is known; so a worker keeps some
--- ready (`warm`), built for the largest limits that the operator allows. What a submission may use is said when it
--- is handed over.
local control_group = require "submitter.runner.control_group"
local host = require "submitter.host"
local pool = require "submitter.runner.pool"
local python = require "submitter.python"

local sandbox_runner = {}

---@class SandboxRunner
local Runner = {}
Runner.__index = Runner

---@class SandboxSession one sandbox, for one submission
local Session = {}
Session.__index = Session

local function build(self, limits)
  return host.sandbox.start {
    limits = limits, interpreter = self.interpreter, accounting = self.accounting, cgroup_parent = self.cgroup_parent,
    processors = self.processors,
  }
end

--- Finds the interpreter. Builds nothing yet.
---@async
---@param configuration table what it is to be like stands there, none of it in `sandbox {}`
---@return SandboxRunner|nil
---@return string|nil message
---@return string|nil code "environment"
function sandbox_runner.open(configuration)
  local interpreter, version, code = python.find(configuration.python)
  if not interpreter then return nil, version, code end
  control_group.enter(configuration)
  local self = setmetatable({
    interpreter = interpreter, version = version, accounting = configuration.accounting,
    cgroup_parent = configuration.cgroup_parent, processors = configuration.processors,
  }, Runner)
  self.pool = pool.new {
    name = "sandbox made ready", build = function() return build(self, configuration.policy.limits) end,
  }
  return self
end

--- What a result says about the runner. What measured is known for certain only by a session.
---@return {kind:string, language:string, version:string, accounting:string}
function Runner:describe()
  return { kind = "sandbox", language = "python", version = self.version, accounting = self.accounting }
end

--- Keeps so many sandboxes ready from now on, and says whether this machine can build any. Those that can't be built
--- later are simply not there: whoever needs one then builds it himself and is told why he can't.
---@async
---@param count integer
---@return true|nil
---@return string|nil message
---@return string|nil code
function Runner:warm(count)
  self.pool:want(count)
  local sandbox, message, code = self.pool:first()
  if not sandbox then return nil, message, code end
  return true
end

--- A sandbox with nothing in it yet.
---@async
---@param limits SandboxLimits the largest that a case of it will have
---@return SandboxSession|nil
---@return string|nil message
---@return string|nil code
function Runner:start(limits)
  local sandbox = self.pool:take()
  local was_ready = sandbox ~= nil
  if not sandbox then
    local message, code
    sandbox, message, code = build(self, limits)
    if not sandbox then return nil, message, code end
  end
  return setmetatable({ runner = self, sandbox = sandbox, limits = limits, was_ready = was_ready }, Session)
end

--- What every session needs is this machine: nothing that could be away.
---@return nil
function Runner:problem() return nil end -- luacheck: ignore self

--- Is that there?
---@return true
function Runner:reach() return true end -- luacheck: ignore self

--- Ends those that stand ready, and keeps none from now on.
---@async
function Runner:close()
  self.pool:drain(function(sandbox) sandbox:close() end)
end

--- As `Runner:describe`, as the sandbox itself said it.
---@return {kind:string, language:string, version:string, accounting:string}
function Session:describe()
  local described, info = self.runner:describe(), self.sandbox:info()
  described.version = info.python or described.version
  described.accounting = info.accounting or described.accounting
  return described
end

local function hand_over(self, program)
  return self.sandbox:submit {
    files = { { name = program.name, data = program.source } }, program = program.name, limits = program.limits,
  }
end

--- Hands the program over, once. A sandbox that stood ready for long may have died since; then another takes its
--- place.
---@async
---@param program {name:string, source:string, limits:SandboxLimits}
---@return true|nil
---@return string|nil message
---@return string|nil code
function Session:submit(program)
  self.case_limits = program.limits
  local done, message, code = hand_over(self, program)
  if done or not self.was_ready then return done, message, code end
  self.sandbox:close()
  self.was_ready = false
  local sandbox
  sandbox, message, code = build(self.runner, self.limits)
  if not sandbox then return nil, message, code end
  self.sandbox = sandbox
  return hand_over(self, program)
end

--- Runs the program once.
---@async
---@param case {number:integer, arguments:string[], stdin:string|nil}
---@return SandboxResult|nil
---@return string|nil message
---@return string|nil code
function Session:case(case)
  return self.sandbox:case {
    number = case.number, arguments = case.arguments, stdin = case.stdin, limits = self.case_limits,
  }
end

--- Ends all of it and waits until it is gone. May be called again.
---@async
---@return true|nil
---@return string|nil message
---@return string|nil code
function Session:close()
  local closed, message, code = self.sandbox:close()
  -- Only now, so that building doesn't take the processor from a program that is being measured.
  if not self.closed then
    self.closed = true
    self.runner.pool:fill()
  end
  return closed, message, code
end

return sandbox_runner
