--- `submitter grade`: the workflow's own run and compare steps on local files, for an instructor at a desk.
local cases = require "submitter.cases"
local host = require "submitter.host"
local options = require "submitter.cli.options"
local pipeline = require "submitter.pipeline"
local policy = require "submitter.policy"
local report = require "submitter.report"
local result = require "submitter.cli.result"
local sandbox = require "submitter.runner.sandbox"
local terminal = require "submitter.cli.terminal"

local command = { name = "grade", summary = "grade one local program on local cases" }

function command.describe(parser)
  parser:description("Runs FILE.py in the sandbox once per case, compares, and shows the whole truth: nothing is "
    .. "uploaded or published. Exits 0 when all passed, 1 when something failed.\n\nExample: submitter grade sum.py "
    .. "--in test.in --out test.out")
  parser:argument("FILE.py"):target("file"):argname("FILE.py"):description "the program, Python"
  parser:option("--in"):target("input"):argname("FILE"):count(1)
    :description "inputs, one case a line; or a folder that holds NAME.in and NAME.out for each case"
  parser:option("--out"):target("expected"):argname("FILE")
    :description "expected outputs, one case a line, as many as inputs (not with a folder of pairs)"
  parser:option("--policy"):argname("FILE")
    :description "a policy of your own over the shipped default"
  parser:option("--mode"):argname("MODE"):choices({ "test", "grade" }):default("test")
    :description "what the policy is told: test or grade"
  parser:option("--format"):argname("FORMAT"):choices({ "table", "csv", "json" }):default("table")
    :description "table, csv (the student's table) or json (the whole document)"
end

--- The pairs of a folder: { name = { in = text, out = text } }.
local function read_pairs(path)
  local folder, message = host.file.directory(path)
  if not folder then return nil, message, "usage" end
  local entries
  entries, message = folder:list "."
  if not entries then return nil, message, "usage" end
  local found = {}
  for _, entry in ipairs(entries) do
    local name, kind = entry.name:match "^(.+)%.(in)$"
    if not name then name, kind = entry.name:match "^(.+)%.(out)$" end
    if name then
      local data
      data, message = folder:read(entry.name, { follow = true })
      if not data then return nil, message, "usage" end
      found[name] = found[name] or {}
      found[name][kind] = data
    end
  end
  folder:close()
  return found
end

local function is_folder(path)
  local folder = host.file.directory(path)
  if folder then folder:close() end
  return folder ~= nil
end

local function read_cases(arguments)
  if is_folder(arguments.input) then
    if arguments.expected and arguments.expected ~= arguments.input then
      return nil, "--in names a folder of pairs, which holds the expected outputs too: leave --out away", "usage"
    end
    local found, message, code = read_pairs(arguments.input)
    if not found then return nil, message, code end
    return cases.pairs(found)
  elseif not arguments.expected then
    return nil, "--out FILE is missing: the expected outputs, one a line", "usage"
  end
  local input, message, code = options.read_file(arguments.input)
  if not input then return nil, message, code end
  local expected
  expected, message, code = options.read_file(arguments.expected)
  if not expected then return nil, message, code end
  return cases.lines(input, expected)
end

local function load_policy(arguments, configuration)
  local files
  if arguments.policy then
    local text, message, code = options.read_file(arguments.policy)
    if not text then return nil, message, code end
    files = { { name = arguments.policy, text = text } }
  end
  local loaded, message = policy.load { files = files, ceilings = configuration.policy.limits }
  if not loaded then return nil, message, arguments.policy and "usage" or "environment" end
  return loaded
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

local show = {}

function show.table(document) result.print(document) end

function show.json(document) io.stdout:write(host.json.encode(document, { indent = 2 }), "\n") end

function show.csv(document) io.stdout:write(report.csv(document)) end

function command.run(arguments)
  local configuration, message, code = options.configuration(arguments)
  if not configuration then return nil, message, code end
  local source
  source, message, code = options.read_file(arguments.file)
  if not source then return nil, message, code end
  local read
  read, message = read_cases(arguments)
  if not read then return nil, message, "usage" end
  local chosen
  chosen, message, code = load_policy(arguments, configuration)
  if not chosen then return nil, message, code end
  local runner
  runner, message = sandbox.open(configuration)
  if not runner then return nil, message, "environment" end

  local bar, label = terminal.progress(#read.cases), arguments.file:match "[^/]*$"
  local job = pipeline.desk {
    source = source, cases = read, policy = chosen, runner = runner, mode = arguments.mode,
    configuration = configuration,
    progress = function(number) bar:update(number, label) end,
  }
  bar:update(0, label)
  local returned, ran, failure, kind = xpcall(pipeline.run, debug.traceback, job, steps_for(configuration))
  local closed, problem = pipeline.close(job)
  bar:clear()
  if not returned then error(ran, 0) end
  if kind == "rejected" then
    -- As its student would be told.
    job.verdict, job.reason = "REJ", failure
  elseif not ran then
    -- Cases and policy are files that the user named.
    local is_users = kind == "instructor" or kind == "policy" and arguments.policy
    return nil, failure, is_users and "usage" or "environment"
  end

  if not closed then
    io.stderr:write("submitter grade: the sandbox didn't go: ", terminal.escape(problem), "\n")
  end
  local document = report.document(job)
  show[arguments.format](document)
  return document.verdict == "AC" and 0 or 1
end

return command
