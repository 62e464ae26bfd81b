--- An instructor's desk: cases in files of his own, a policy of his own over another, and a program that is run on cases within
--- the walls, with nothing uploaded or published. `grade` and `cases` come through here.
local cases = require "submitter.cases"
local host = require "submitter.host"
local limits = require "submitter.cases.limits"
local lines = require "submitter.cases.lines"
local options = require "submitter.cli.options"
local pairing = require "submitter.cases.pairs"
local pipeline = require "submitter.pipeline"
local policy = require "submitter.policy"
local runners = require "submitter.runner"
local terminal = require "submitter.cli.terminal"

local desk = {}

--- Does this path name a folder?
---@async
---@param path string
---@return boolean
function desk.is_folder(path)
  local folder = path ~= "" and host.file.directory(path)
  if folder then folder:close() end
  return folder and true or false
end

--- The halves of cases that a folder holds.
---@async
---@param path string
---@return table<string, {in:string|nil, out:string|nil}>|nil by the case's name
---@return string|nil message
---@return "usage"|nil code
function desk.halves(path)
  local folder, message = host.file.directory(path)
  if not folder then return nil, message, "usage" end
  local entries
  entries, message = folder:list "."
  if not entries then return nil, message, "usage" end
  local found = {}
  for _, entry in ipairs(entries) do
    local name, half = pairing.half(entry.name)
    if name then
      local data
      data, message = folder:read(entry.name, { follow = true })
      if not data then return nil, message, "usage" end
      found[name] = found[name] or {}
      found[name][half] = data
    end
  end
  folder:close()
  return found
end

--- The cases of two files of lines, or of a folder of pairs.
---@async
---@param input string what --in named
---@param expected string|nil what --out named
---@return table|nil found as of `cases.lines`, then with input_text and expected_text, or of `cases.pairs`
---@return string|nil message
---@return "usage"|nil code
function desk.cases(input, expected)
  local found, message, code
  if desk.is_folder(input) then
    if expected and expected ~= input then
      return nil, "--in names a folder of pairs, which holds the expected outputs too: leave --out away", "usage"
    end
    local halves
    halves, message, code = desk.halves(input)
    if not halves then return nil, message, code end
    found, message = cases.pairs(halves, input)
    if not found then return nil, message, "usage" end
    return found
  elseif not expected then
    return nil, "--out FILE is missing: the expected outputs, one a line", "usage"
  end
  local input_text, expected_text
  input_text, message, code = options.read_file(input)
  if not input_text then return nil, message, code end
  expected_text, message, code = options.read_file(expected)
  if not expected_text then return nil, message, code end
  found, message = cases.lines(input_text, expected_text, { input = input, expected = expected })
  if not found then return nil, message, "usage" end
  found.input_text, found.expected_text = input_text, expected_text
  return found
end

-- Lines of which nothing is expected yet.
local function input_lines(path)
  local text, message, code = options.read_file(path)
  if not text then return nil, message, code end
  local list = {}
  for number, input in ipairs(lines.split(text, limits.cases + 1)) do
    list[number] = { number = number, input = input, expected = "", form = "line" }
  end
  if #list == 0 then return nil, path .. " is empty: there is no case; write one a line", "usage" end
  if #list > limits.cases then
    return nil, ("%s has more than %d lines: that is the most; make several assignments of it"):format(path,
      limits.cases), "usage"
  end
  return list
end

--- The inputs alone, as cases of which nothing is expected yet.
---@async
---@param input string what --in named: a file of lines, or a folder with a NAME.in for each case
---@return table[]|nil list case records
---@return string|nil message
---@return "usage"|nil code
function desk.inputs(input)
  if not desk.is_folder(input) then return input_lines(input) end
  local halves, message, code = desk.halves(input)
  if not halves then return nil, message, code end
  local wanted = {}
  for name, half in pairs(halves) do
    if half["in"] then wanted[name] = { ["in"] = half["in"], out = "" } end
  end
  local found
  found, message = cases.pairs(wanted, input)
  if not found then return nil, message, "usage" end
  return found.cases
end

--- The policy that counts.
---@async
---@param what {configuration:table, named:string|nil, directory:Directory|nil, location:table|nil, files:table[]|nil,
--- above:table|nil} named: a file of the user's, which wins over directory and files; above: a file, `{ name, text }`, that wins
--- over all
---@return Policy|nil
---@return string|nil message
---@return "usage"|"environment"|nil code
function desk.policy(what)
  local files = table.move(what.files or {}, 1, #(what.files or {}), 1, {})
  if what.named then
    local text, message, code = options.read_file(what.named)
    if not text then return nil, message, code end
    files[#files + 1] = { name = what.named, text = text }
  end
  files[#files + 1] = what.above
  local loaded, message = policy.load {
    files = files, ceilings = what.configuration.policy.limits, runners = what.configuration.policy.runners,
    directory = what.directory, location = what.location,
  }
  if not loaded then return nil, message, what.named and "usage" or "environment" end
  return loaded
end

--- Adds the option that chooses where the program runs.
---@param parser table argparse's
function desk.runner_option(parser)
  parser:option("--runner"):argname("KIND")
    :description("where the program runs, whatever the policy says: sandbox, docker, or a name from runners in the "
      .. "configuration")
end

--- The code of a failure of `desk.run` on what the user named: cases, the runner, and the policy where he named one.
---@param kind string|nil the pipeline's code
---@param named string|nil what --policy named
---@return "usage"|"environment"
function desk.code(kind, named)
  local is_users = kind == "instructor" or kind == "usage" or kind == "policy" and named ~= nil
  return is_users and "usage" or "environment"
end

-- The steps of the desk, with the limit that the bucket's programs meet when they are fetched.
local function steps_for(configuration)
  local steps, limit_bytes = pipeline.desk_steps(), configuration.source_limit_bytes
  table.insert(steps, 1, function(job)
    if #job.source <= limit_bytes then return true end
    return nil, ("the program has %d bytes; at most %d are accepted (source_limit in the configuration)"):format(
      #job.source, limit_bytes), "rejected"
  end)
  return steps
end

-- A sandbox whose every result somebody sees, whole, before it is judged and cut.
local WatchedSession = {}
WatchedSession.__index = WatchedSession
function WatchedSession:describe() return self.session:describe() end
function WatchedSession:submit(program) return self.session:submit(program) end
function WatchedSession:close() return self.session:close() end
function WatchedSession:case(case)
  local result, message, code = self.session:case(case)
  if result then self.watch(case.number, result) end
  return result, message, code
end

local function watched(runner, watch)
  if not watch then return runner end
  return {
    start = function(_, wanted, about)
      local session, message, code = runner:start(wanted, about)
      if not session then return nil, message, code end
      return setmetatable({ session = session, watch = watch }, WatchedSession)
    end,
  }
end

-- Runs it where one is open.
local function run_by(runner, what)
  local bar, label = terminal.progress(#what.cases.cases), what.file:match "[^/]*$"
  local job = pipeline.desk {
    source = what.source, cases = what.cases, policy = what.policy,
    runner = watched(runner, what.watch), mode = what.mode, configuration = what.configuration,
    progress = function(number) bar:update(number, label) end,
  }
  bar:update(0, label)
  local returned, ran, failure, kind = xpcall(pipeline.run, debug.traceback, job, steps_for(what.configuration))
  local closed, problem = pipeline.close(job)
  bar:clear()
  if not returned then error(ran, 0) end
  if not closed then
    io.stderr:write("submitter ", what.command, ": the sandbox didn't go: ", terminal.escape(problem), "\n")
  end
  if kind == "rejected" then
    -- As its student would be told.
    job.verdict, job.reason = "REJ", failure
  elseif not ran then
    return nil, failure, kind
  end
  return job
end

--- Runs a program on cases within the walls, with a progress bar.
---@async
---@param what {command:string, file:string, source:string, cases:table, policy:Policy, runner:string|nil, mode:string,
--- configuration:table, watch:fun(number:integer, result:SandboxResult)|nil} command: for a complaint; file: how the user called
--- the program; cases: as of a source; runner: what --runner named; watch: is shown each result whole
---@return table|nil job with its results and verdict; `REJ` where the program can't be graded, with the reason
---@return string|nil message
---@return string|nil kind the pipeline's code, or "usage"
function desk.run(what)
  local runner, message, code = runners.open(what.configuration, nil, what.runner or what.policy.runner)
  if not runner then return nil, message, code end
  local returned, job, failure, kind = xpcall(run_by, debug.traceback, runner, what)
  runner:close()
  if not returned then error(job, 0) end
  return job, failure, kind
end

return desk
