--- Small helpers of the specs. Nothing here knows what is tested.

local host = require "submitter.host"

local support = {}

local made = {}

local function temporary_root()
  local root = os.getenv("TMPDIR")
  return root and root ~= "" and root or "/tmp"
end

--- A fresh empty Directory. `after_each(support.clean)` removes it.
---@async
---@return Directory
function support.directory()
  local root = assert(host.file.directory(temporary_root()))
  local name = "submitter-spec-" .. host.digest.random(8)
  assert(root:make(name, { mode = tonumber("700", 8) }))
  made[#made + 1] = { root = root, name = name }
  return assert(root:open(name))
end

--- Removes every directory that support.directory made.
---@async
function support.clean()
  for index = #made, 1, -1 do
    local one = made[index]
    made[index] = nil
    assert(one.root:remove_tree(one.name))
    one.root:close()
  end
end

--- Waits until a condition holds, and fails with the text when it doesn't within a few seconds.
---@async
---@param what string
---@param condition fun():any
---@param timeout_ms integer|nil default 5000
---@return any what the condition returned
function support.eventually(what, condition, timeout_ms)
  local until_ms = host.clock.monotonic_ms() + (timeout_ms or 5000)
  repeat
    local value = condition()
    if value then
      return value
    end
    host.clock.sleep_ms(5)
  until host.clock.monotonic_ms() > until_ms
  error("never happened: " .. what, 2)
end

--- Puts other functions in the place of a module's, and returns the function that puts the old ones back:
--- `finally(support.replace(host.clock, { now_ms = … }))`.
---@param module table
---@param functions table<string, function>
---@return fun()
function support.replace(module, functions)
  local before = {}
  for name, replacement in pairs(functions) do
    before[name] = module[name]
    module[name] = replacement
  end
  return function()
    for name, original in pairs(before) do
      module[name] = original
    end
  end
end

--- A Directory in front of another, some of whose methods are others: each gets the real Directory and the arguments.
---@param directory Directory
---@param methods table<string, fun(directory:Directory, ...):...>
---@return table
function support.disguise(directory, methods)
  return setmetatable({}, {
    __index = function(_, name)
      return function(_, ...)
        if methods[name] then
          return methods[name](directory, ...)
        end
        return directory[name](directory, ...)
      end
    end,
  })
end

--- Collects the warnings and errors that are logged while body runs: an array of {event, fields}.
---@async
---@param body fun()
---@return table[]
function support.logged(body)
  local lines = {}
  local function keep(event, fields)
    lines[#lines + 1] = { event = event, fields = fields or {} }
  end
  local restore = support.replace(host.log, { warn = keep, error = keep })
  local good, message = pcall(body)
  restore()
  if not good then
    error(message, 0)
  end
  return lines
end

--- Makes a link or a FIFO, which the host itself never does.
---@async
---@param arguments string[] of ln or mkfifo
---@param program "/bin/ln"|"/usr/bin/mkfifo"
function support.make_special(program, arguments)
  local result = assert(host.child.run { program = program, arguments = arguments })
  assert(result.exit_code == 0, result.stderr)
end

return support
