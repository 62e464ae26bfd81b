--- Scripts in a process of their own, run by the very program that runs the specs.

local assert = require "luassert"
local host = require "submitter.host"
local support = require "support"

local core = {}

--- The environment that a sanitizer's report needs, and what is given besides.
---@param more table<string, string>|nil
---@return table<string, string>
function core.environment(more)
  local environment = {}
  for _, name in ipairs { "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" } do
    environment[name] = os.getenv(name)
  end
  for name, value in pairs(more or {}) do
    environment[name] = value
  end
  return environment
end

--- Is this program built with AddressSanitizer? Then memory and time are no measure.
---@return boolean
function core.sanitized()
  if os.getenv("ASAN_OPTIONS") then return true end
  local maps <close> = assert(io.open("/proc/self/maps"))
  return maps:read("a"):find("libasan", 1, true) ~= nil
end

--- The code of what must have failed as everything fails: nil, message, code.
---@return string
function core.code(...)
  local result, message, word = ...
  assert.is_nil(result)
  assert.is_string(message)
  return word
end

--- Runs `submitter ARGUMENT…` to its end, at most 60 s.
---@async
---@param arguments string[]
---@param options {environment:table<string, string>, input:string, directory:Directory}|nil
---@return table result as child.run's
function core.program(arguments, options)
  options = options or {}
  local result, message = host.task.within(60000, host.child.run, {
    program = host.system.executable(),
    arguments = arguments,
    environment = core.environment(options.environment),
    input = options.input,
    directory = options.directory,
  })
  return assert(result, message)
end

--- Writes text to a script and runs it: `submitter run SCRIPT ARGUMENT…`. `task` and `clock` are known to it.
---@async
---@param text string
---@param arguments string[]|nil
---@param options table|nil as core.program
---@return table result
function core.script(text, arguments, options)
  local directory = support.directory()
  assert(directory:write("script.lua",
    "local task, clock = require 'submitter.core.task', require 'submitter.core.clock' "
    .. text))
  return core.program({ "run", directory:path() .. "/script.lua", table.unpack(arguments or {}) }, options)
end

--- How many descriptors this process has open.
---@return integer
function core.descriptors()
  collectgarbage()
  collectgarbage()
  host.clock.sleep_ms(1) -- handles are closed by the loop
  local self = assert(host.file.directory("/proc/self/fd"))
  local count = #assert(self:list("."))
  self:close()
  return count
end

--- The state letters of this process's children: "Z" is a zombie.
---@return string[]
function core.children()
  local states = {}
  local process = assert(host.file.directory("/proc"))
  local own = tostring(host.system.pid())
  for _, entry in ipairs(assert(process:list("."))) do
    local stat = entry.name:find("^%d+$") and process:read(entry.name .. "/stat")
    local state, parent = (stat or ""):match("^%d+ %(.*%) (%a) (%d+) ")
    if parent == own then
      states[#states + 1] = state
    end
  end
  process:close()
  return states
end

return core
