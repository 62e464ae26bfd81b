--- `submitter grade`: the workflow's own run and compare steps on local files, for an instructor at a desk.
local desk = require "submitter.cli.desk"
local host = require "submitter.host"
local options = require "submitter.cli.options"
local report = require "submitter.report"
local result = require "submitter.cli.result"

local command = { name = "grade", summary = "grade one local program on local cases" }

function command.describe(parser)
  parser:description("Runs FILE.py within the walls once per case, compares, and shows the whole truth: nothing is "
    .. "uploaded or published. Exits 0 when all passed, 1 when something failed.\n\nExample: submitter grade sum.py "
    .. "--in test.in --out test.out")
  parser:argument("FILE.py"):target("file"):argname("FILE.py"):description "the program, Python"
  parser:option("--in"):target("input"):argname("FILE"):count(1)
    :description "inputs, one case a line; or a folder that holds NAME.in and NAME.out for each case"
  parser:option("--out"):target("expected"):argname("FILE")
    :description "expected outputs, one case a line, as many as inputs (not with a folder of pairs)"
  parser:option("--policy"):argname("FILE")
    :description "a policy of your own over the shipped default"
  desk.runner_option(parser)
  parser:option("--mode"):argname("MODE"):choices({ "test", "grade" }):default("test")
    :description "what the policy is told: test or grade"
  parser:option("--format"):argname("FORMAT"):choices({ "table", "csv", "json" }):default("table")
    :description "table, csv (the student's table) or json (the whole document)"
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
  read, message, code = desk.cases(arguments.input, arguments.expected)
  if not read then return nil, message, code end
  local chosen
  chosen, message, code = desk.policy { configuration = configuration, named = arguments.policy }
  if not chosen then return nil, message, code end
  local job, kind
  job, message, kind = desk.run {
    command = command.name, file = arguments.file, source = source, cases = read, policy = chosen,
    runner = arguments.runner, mode = arguments.mode, configuration = configuration,
  }
  if not job then return nil, message, desk.code(kind, arguments.policy) end
  local document = report.document(job)
  show[arguments.format](document)
  return document.verdict == "AC" and 0 or 1
end

return command
