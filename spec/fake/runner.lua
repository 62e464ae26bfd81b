--- Runs Lua functions in the place of students' programs. A submission's source is the name of one of `programs`:
--- `function(arguments, stdin, number) → output, fields`, where fields replace those of a result that ended well.
local Runner, Session = {}, {}
Runner.__index = Runner
Session.__index = Session

function Runner:describe() -- luacheck: ignore self
  return { kind = "fake", language = "lua", version = "5.4", accounting = "none" }
end

function Runner:warm(count)
  self.warmed = count
  local message, code = self.fail_warm()
  if message then return nil, message, code end
  return true
end

function Runner:close()
  self.closed = true
end

-- `away` says why it can't be used, `away_since_ms` since when; both nil: it can.
function Runner:problem()
  if self.away then return self.away, self.away_since_ms end
end

function Runner:reach()
  if self.away then return nil, self.away, "unavailable" end
  return true
end

function Runner:start(limits, about)
  self.started = self.started + 1
  self.limits, self.about = limits, about
  local message, code = self.fail_start()
  if message then return nil, message, code end
  self.open = self.open + 1
  return setmetatable({ runner = self }, Session)
end

function Session:describe()
  return self.runner:describe()
end

function Session:submit(program)
  self.runner.submitted[#self.runner.submitted + 1] = program
  self.program = assert(self.runner.programs[program.source], "no such program: " .. program.source)
  return true
end

function Session:case(case)
  self.runner.cases = self.runner.cases + 1
  local output, fields, code = self.program(case.arguments, case.stdin, case.number)
  if not output then return nil, fields, code end
  local result = {
    ending = "exit", exit_code = 0, cpu_ms = 1, wall_ms = 2, memory_bytes = 4096, cpu_us = 1000, wall_us = 2000,
    stdout = output, stderr = "", stdout_truncated = false, stderr_truncated = false,
  }
  for name, value in pairs(fields or {}) do
    if value == "none" then result[name] = nil else result[name] = value end
  end
  return result
end

function Session:close()
  if not self.closed then
    self.closed = true
    self.runner.open = self.runner.open - 1
  end
  return true
end

local programs = {}

--- Adds its arguments.
function programs.sum(arguments)
  local sum = 0
  for _, argument in ipairs(arguments) do sum = sum + math.tointeger(argument) end
  return sum .. "\n"
end

--- Says what it was given.
function programs.echo(arguments, stdin)
  return stdin or table.concat(arguments, " ") .. "\n"
end

--- Is wrong in its third case.
function programs.third_wrong(arguments, stdin, number)
  return number == 3 and "wrong\n" or programs.sum(arguments, stdin)
end

--- Prints what is right and fails.
function programs.fails(arguments)
  return programs.sum(arguments), { exit_code = 7, stderr = "oh" }
end

return {
  --- `open` counts sandboxes that stand, `started` those ever started, `cases` those run.
  open = function(more)
    local known = {}
    for name, program in pairs(programs) do known[name] = program end
    for name, program in pairs(more or {}) do known[name] = program end
    return setmetatable({
      programs = known, started = 0, open = 0, cases = 0, submitted = {}, fail_start = function() end,
      fail_warm = function() end,
    }, Runner)
  end,
}
