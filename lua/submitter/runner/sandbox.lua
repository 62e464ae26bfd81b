--- The runner that is built in: `submitter-sandbox` around `submitter-runner`, on this machine.
local host = require "submitter.host"
local python = require "submitter.python"

local sandbox_runner = {}

---@class SandboxRunner
local Runner = {}
Runner.__index = Runner

---@class SandboxSession one sandbox, for one submission
local Session = {}
Session.__index = Session

--- Finds the interpreter. Builds nothing yet.
---@async
---@param configuration table
---@return SandboxRunner|nil
---@return string|nil message
---@return string|nil code "environment"
function sandbox_runner.open(configuration)
  local interpreter, version, code = python.find(configuration.python)
  if not interpreter then return nil, version, code end
  return setmetatable({
    interpreter = interpreter, version = version, accounting = configuration.accounting,
    cgroup_parent = configuration.cgroup_parent,
  }, Runner)
end

--- What a result says about the runner. What measured is known for certain only by a session.
---@return {kind:string, language:string, version:string, accounting:string}
function Runner:describe()
  return { kind = "sandbox", language = "python", version = self.version, accounting = self.accounting }
end

--- Builds the walls and starts what runs within them.
---@async
---@param limits SandboxLimits the largest that a case of it will have
---@return SandboxSession|nil
---@return string|nil message
---@return string|nil code
function Runner:start(limits)
  local sandbox, message, code = host.sandbox.start {
    limits = limits, interpreter = self.interpreter, accounting = self.accounting, cgroup_parent = self.cgroup_parent,
  }
  if not sandbox then return nil, message, code end
  return setmetatable({ runner = self, sandbox = sandbox }, Session)
end

--- As `Runner:describe`, as the sandbox itself said it.
---@return {kind:string, language:string, version:string, accounting:string}
function Session:describe()
  local described, info = self.runner:describe(), self.sandbox:info()
  described.version = info.python or described.version
  described.accounting = info.accounting or described.accounting
  return described
end

--- Hands the program over, once.
---@async
---@param program {name:string, source:string, limits:SandboxLimits}
---@return true|nil
---@return string|nil message
---@return string|nil code
function Session:submit(program)
  return self.sandbox:submit {
    files = { { name = program.name, data = program.source } }, program = program.name, limits = program.limits,
  }
end

--- Runs the program once.
---@async
---@param case {number:integer, arguments:string[], stdin:string|nil}
---@return SandboxResult|nil
---@return string|nil message
---@return string|nil code
function Session:case(case)
  return self.sandbox:case(case)
end

--- Ends all of it and waits until it is gone. May be called again.
---@async
---@return true|nil
---@return string|nil message
---@return string|nil code
function Session:close()
  return self.sandbox:close()
end

return sandbox_runner
