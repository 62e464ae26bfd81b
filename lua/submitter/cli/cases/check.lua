--- `submitter cases check`: does an instructor's solution pass the cases that count, and how far does it stay from the limits?
local desk = require "submitter.cli.desk"
local host = require "submitter.host"
local key = require "submitter.key"
local margins = require "submitter.cli.cases.margins"
local options = require "submitter.cli.options"
local place = require "submitter.cli.cases.place"
local policy_beside = require "submitter.policy.beside"
local report = require "submitter.report"
local result = require "submitter.cli.result"
local terminal = require "submitter.cli.terminal"
local units = require "submitter.units"

local action = { name = "check", summary = "run a solution on the cases that count" }

--- A share of a limit from which on students' programs, which are slower, may well go beyond it.
local NEAR, VERY_NEAR = 0.25, 0.5

function action.describe(parser)
  parser:description("Runs a solution within the walls on the cases of an assignment, from where the configuration "
    .. "says that cases are, by the policy that is in force there. Shows the cases that it doesn't pass, and which "
    .. "came the nearest to each limit. Exits 0 when all passed, 1 when something failed.\n\nExample: submitter cases "
    .. "check m.soltys/labs/sum solution.py --mode grade")
  place.argument(parser)
  parser:argument("SOLUTION.py"):target("file"):argname("SOLUTION.py"):description "the instructor's program, Python"
  place.mode(parser)
  parser:option("--policy"):argname("FILE"):description "a policy of your own over the one in force"
  desk.runner_option(parser)
  parser:option("--format"):argname("FORMAT"):choices({ "table", "json" }):default("table")
    :description "table or json"
end

-- The policy beside the cases, where the operator lets it count.
local function policy_files(services, location, mode)
  local name = key.names(location, mode).policy
  local files, message, code = policy_beside(services.configuration, services.store, name)
  if not files then return nil, message, place.code(code) end
  return files
end

local function policy_of(services, arguments, location)
  local files, message, code = policy_files(services, location, arguments.mode)
  if not files then return nil, message, code end
  return desk.policy {
    configuration = services.configuration, named = arguments.policy, directory = services.policy_directory,
    location = location, files = files,
  }
end

local function failed_of(document)
  local failed = {}
  for _, case in ipairs(document.cases) do
    if case.verdict ~= "AC" then failed[#failed + 1] = case end
  end
  return failed
end

local amounts = {
  cpu = function(value) return ("%.3f s"):format(value / 1000) end,
  wall = function(value) return ("%.3f s"):format(value / 1000) end,
  memory = units.format_bytes,
  output = units.format_bytes,
}

local function nearness(_, row)
  return row.share >= VERY_NEAR and "red" or row.share >= NEAR and "yellow" or "green"
end

local columns = {
  { title = "limit" },
  { title = "largest", right = true },
  { title = "allowed", right = true },
  { title = "share", right = true, style = nearness },
  { title = "case", right = true },
}

local show = {}

function show.table(document, list, about)
  local colour = terminal.has_colour(1)
  io.stdout:write(("%s of %s from the %s, by %s\n\n"):format(
    units.count(#about.found.cases, document.mode .. " case"), terminal.escape(about.text),
    about.found.source == "postgres" and "database" or "bucket", terminal.escape(about.policy.name)))
  local rows = {}
  for index, margin in ipairs(list) do
    local amount = amounts[margin.name]
    rows[index] = {
      margin.name, amount(margin.largest), amount(margin.limit), ("%.1f %%"):format(margin.share * 100),
      tostring(margin.case), share = margin.share,
    }
  end
  if #rows > 0 then
    io.stdout:write(table.concat(terminal.table(columns, rows, { colour = colour }), "\n"), "\n\n")
  end
  -- Thousands that passed are nothing to read.
  document.cases = failed_of(document)
  result.print(document)
end

local order = { "admin", "event", "assignment", "mode", "cases_source", "cases_sha256", "policy", "verdict", "reason",
  "passed", "total", "points", "max_points", "limits", "failed" }
local margin_order = { "name", "largest", "limit", "share", "case" }

function show.json(document, list, about)
  local shown = {}
  for _, name in ipairs(order) do shown[name] = document[name] end
  shown.admin, shown.event, shown.assignment = about.place.admin, about.place.event, about.place.assignment
  shown.cases_source = about.found.source
  shown.limits = host.json.array {}
  for index, margin in ipairs(list) do shown.limits[index] = host.json.ordered(margin_order, margin) end
  shown.failed = host.json.array(failed_of(document))
  io.stdout:write(host.json.encode(host.json.ordered(order, shown), { indent = 2 }), "\n")
end

local function run(services, arguments, source)
  local found, location, code = place.read(services.cases, arguments.place, arguments.mode)
  if not found then return nil, location, place.code(code) end
  if found.notice then io.stderr:write("submitter cases: ", terminal.escape(found.notice), "\n") end
  local policy, message
  policy, message, code = policy_of(services, arguments, location)
  if not policy then return nil, message, code end
  local nearest = margins.new()
  local job, problem, kind = desk.run {
    command = "cases check", file = arguments.file, source = source, cases = found, policy = policy,
    runner = arguments.runner, mode = arguments.mode, configuration = services.configuration,
    watch = function(number, ended) nearest:add(number, ended) end,
  }
  if not job then return nil, problem, place.code(kind) end
  local document = report.document(job)
  show[arguments.format](document, nearest:list(policy.limits), {
    found = found, policy = policy, place = arguments.place, text = arguments.place.text,
  })
  return document.verdict == "AC" and 0 or 1
end

---@async
---@param arguments table what argparse made
---@return integer|nil exit code
---@return string|nil message
---@return string|nil code
function action.run(arguments)
  local source, message, code = options.read_file(arguments.file)
  if not source then return nil, message, code end
  return options.with_services(arguments, { "cases", "policies" }, function(services)
    return run(services, arguments, source)
  end)
end

return action
