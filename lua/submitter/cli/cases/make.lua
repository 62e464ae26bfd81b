--- `submitter cases make`: what is expected, from an instructor's solution.
local desk = require "submitter.cli.desk"
local host = require "submitter.host"
local limits = require "submitter.cases.limits"
local lines = require "submitter.cases.lines"
local options = require "submitter.cli.options"
local output = require "submitter.cli.cases.output"
local terminal = require "submitter.cli.terminal"
local units = require "submitter.units"

local action = { name = "make", summary = "run a solution and write what it prints as expected" }

--- How many failed cases are told about, and how much of what each wrote to standard error.
local MOST_TOLD, STDERR_BYTES = 5, 2000

-- What is expected isn't known yet, so no comparison of a policy's can say anything about it.
local NO_COMPARISON = { name = "cases make", text = 'return { compare = "exact", points = 1 }' }

function action.describe(parser)
  parser:description("Runs a solution within the walls, under the limits of the policy, once for each input, and "
    .. "writes what it prints as the expected outputs. Nothing is written when it fails on a case, or when what it "
    .. "prints isn't one line where inputs are lines.\n\n"
    .. "Example: submitter cases make solution.py --in test.in --out test.out")
  parser:argument("SOLUTION.py"):target("file"):argname("SOLUTION.py"):description "the instructor's program, Python"
  parser:option("--in"):target("input"):argname("FILE"):count(1)
    :description "inputs, one case a line; or a folder that holds NAME.in for each case"
  parser:option("--out"):target("expected"):argname("FILE"):default("-")
    :description("the file that is written, - for standard output (the default); with a folder of inputs a folder, "
      .. "which may be the same")
  parser:option("--policy"):argname("FILE"):description "a policy of your own over the shipped one: input, limits"
  desk.runner_option(parser)
  parser:option("--mode"):argname("MODE"):choices({ "test", "grade" }):default("test")
    :description "what the policy is told: test or grade"
end

-- The outputs as they come, by the case's number.
local function collector()
  local kept = { outputs = {}, bytes = 0 }
  function kept.watch(number, result)
    kept.bytes = kept.bytes + #result.stdout
    -- What can't be used in the end needn't be held.
    if kept.bytes <= limits.all_bytes then kept.outputs[number] = result.stdout end
  end
  return kept
end

-- Cases on which it failed, told in full: the verdict, and what it wrote to standard error.
local function failures(job)
  local told, count = {}, 0
  for _, record in ipairs(job.results) do
    if record.verdict ~= "AC" and record.verdict ~= "WA" then
      count = count + 1
      if count <= MOST_TOLD then
        local stderr = record.stderr:sub(-STDERR_BYTES):gsub("\n$", "")
        told[#told + 1] = ("case %d: %s: %s%s"):format(record.number, record.verdict, record.note,
          stderr ~= "" and "\n" .. host.text.escape(stderr, { keep_newlines = true }) or "")
      end
    end
  end
  if count > MOST_TOLD then told[#told + 1] = ("… and %d more"):format(count - MOST_TOLD) end
  return count, table.concat(told, "\n")
end

local function refuse(message)
  io.stderr:write("submitter cases make: ", message, "\nnothing was written\n")
  return 1
end

-- The file of lines, or why there is none.
local function as_lines(list, outputs)
  local made = {}
  for index, case in ipairs(list) do
    -- The end of a line is the file's; whether more of them matter is for no file of lines to say.
    made[index] = { number = case.number, input = "", expected = outputs[case.number]:gsub("\r?\n$", "") }
  end
  local written, expected_text = lines.write(made)
  if written then return expected_text end
  return nil, expected_text .. "; a case of several lines takes a pair of files: put each input into FOLDER/NAME.in "
    .. "and say --in FOLDER --out FOLDER"
end

local function write_lines(arguments, list, outputs)
  local text, reason = as_lines(list, outputs)
  if not text then return refuse(terminal.escape(reason)) end
  local written, message, code = output.write(arguments.expected, text)
  if not written then return nil, message, code end
  return 0
end

local function write_pairs(arguments, list, outputs)
  local files = {}
  for _, case in ipairs(list) do files[case.name .. ".out"] = outputs[case.number] end
  local written, message, code = output.write_all(arguments.expected, files)
  if not written then return nil, message, code end
  return 0
end

local function finish(arguments, list, job, kept, is_folder)
  if job.verdict == "REJ" then return refuse(terminal.escape(job.reason)) end
  local count, told = failures(job)
  if count > 0 then
    return refuse(("the solution failed on %d of %d cases\n%s"):format(count, #list, told))
  elseif kept.bytes > limits.all_bytes then
    return refuse(("it printed %d bytes, more than the %d that all cases may have together"):format(kept.bytes,
      limits.all_bytes))
  end
  local code, message, kind = (is_folder and write_pairs or write_lines)(arguments, list, kept.outputs)
  if code == 0 and arguments.expected ~= "-" then
    io.stdout:write(("made       %s in %s\n"):format(units.count(#list, "expected output"),
      terminal.escape(arguments.expected)))
  end
  return code, message, kind
end

-- The program, its inputs and the policy.
local function read(arguments, configuration)
  local source, message, code = options.read_file(arguments.file)
  if not source then return nil, message, code end
  local list
  list, message, code = desk.inputs(arguments.input)
  if not list then return nil, message, code end
  local chosen
  chosen, message, code = desk.policy { configuration = configuration, named = arguments.policy, above = NO_COMPARISON }
  if not chosen then return nil, message, code end
  return { source = source, list = list, policy = chosen }
end

---@async
---@param arguments table what argparse made
---@return integer|nil exit code
---@return string|nil message
---@return string|nil code
function action.run(arguments)
  local is_folder = desk.is_folder(arguments.input)
  if is_folder and arguments.expected == "-" then
    return nil, "--out FOLDER is missing: where NAME.out are to be written; it may be the folder of the inputs", "usage"
  end
  if not is_folder and arguments.expected ~= "-" and arguments.expected == arguments.input then
    return nil, "--in and --out name the same file; name two", "usage"
  end
  local configuration, message, code = options.configuration(arguments)
  if not configuration then return nil, message, code end
  local given
  given, message, code = read(arguments, configuration)
  if not given then return nil, message, code end
  local kept = collector()
  local job, problem, kind = desk.run {
    command = "cases make", file = arguments.file, source = given.source, cases = { cases = given.list },
    policy = given.policy, runner = arguments.runner, mode = arguments.mode, configuration = configuration,
    watch = kept.watch,
  }
  if not job then return nil, problem, desk.code(kind, arguments.policy) end
  return finish(arguments, given.list, job, kept, is_folder)
end

return action
