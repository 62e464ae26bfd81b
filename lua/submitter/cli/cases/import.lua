--- `submitter cases import`: cases from files into the database or the bucket.
local bucket_replace = require "submitter.cases.bucket_replace"
local desk = require "submitter.cli.desk"
local identity = require "submitter.cases.identity"
local key = require "submitter.key"
local options = require "submitter.cli.options"
local place = require "submitter.cli.cases.place"
local postgres_replace = require "submitter.cases.postgres_replace"
local terminal = require "submitter.cli.terminal"
local units = require "submitter.units"

local action = { name = "import", summary = "put cases where they are graded on" }

local LARGEST_POINTS = 1000000

local function points(value)
  local list = {}
  for text in (value .. ","):gmatch "([^,]*)," do
    local number = tonumber(text)
    if not number or number < 0 or number > LARGEST_POINTS then
      return nil, ("--points: '%s' is no number from 0 to %d; a number for all cases, or one for each: 1,1,2.5"):format(
        text, LARGEST_POINTS)
    end
    list[#list + 1] = number
  end
  return list
end

function action.describe(parser)
  parser:description("Puts cases of files into the database, or into the bucket where none is configured, in the place "
    .. "of all cases that the assignment had in that mode. In the database it is one transaction, and administrator, "
    .. "event and assignment are made as far as they are missing. Importing the same again changes nothing.\n\n"
    .. "Example: submitter cases import m.soltys/labs/sum --in test.in --out test.out")
  place.argument(parser)
  parser:option("--in"):target("input"):argname("FILE"):count(1)
    :description "inputs, one case a line; or a folder that holds NAME.in and NAME.out for each case"
  parser:option("--out"):target("expected"):argname("FILE")
    :description "expected outputs, one case a line, as many as inputs (not with a folder of pairs)"
  place.mode(parser)
  parser:option("--to"):argname("WHERE"):convert(options.one_of { "bucket", "database" })
    :description "bucket or database (default: the database where one is configured)"
  parser:option("--form"):argname("FORM"):convert(options.one_of { "line", "file" })
    :description("line: an input is a line of cases, which policy splits into words; file: it goes to standard input, "
      .. "whole (default: line for files of lines, file for a folder; another in the database only)")
  parser:flag("--unnamed"):description "the names of a folder's files don't count, only their order (database only)"
  parser:option("--points"):argname("NUMBER[,...]"):convert(points)
    :description "what the cases are worth, one number for all or one for each (database only)"
  parser:option("--visibility"):argname("RULE"):convert(options.one_of { "visible", "hidden", "after_due" })
    :description "what students see of them: visible, hidden or after_due (database only)"
end

-- What only rows can say of cases.
local function adorn(found, arguments)
  local list, worth = found.cases, arguments.points
  if worth and #worth ~= 1 and #worth ~= #list then
    return nil, ("--points names %d numbers for %d cases; name one for all, or one for each"):format(#worth, #list),
      "usage"
  end
  for index, case in ipairs(list) do
    case.form = arguments.form or case.form
    if arguments.unnamed then case.name = nil end
    case.points = worth and (worth[index] or worth[1])
    case.visibility = arguments.visibility
  end
  found.sha256 = identity.sha256(list)
  return true
end

-- Says what was done. Where a name is shown that came from the user it is escaped, like everybody's.
local function tell(arguments, found, done, where)
  local what = ("%s of %s"):format(units.count(#found.cases, arguments.mode .. " case"),
    terminal.escape(arguments.place.text))
  if done.made and #done.made > 0 then
    io.stdout:write("made       ", terminal.escape(table.concat(done.made, ", ")), "\n")
  end
  if done.unchanged then
    io.stdout:write("unchanged  ", what, ": the same are in the ", where, " already\n")
    return
  end
  local before = "in the place of what was no use"
  if done.replaced == 0 then
    before = "where there were none"
  elseif done.replaced then
    before = ("in the place of %d"):format(done.replaced)
  end
  io.stdout:write("imported   ", what, " into the ", where, ", ", before, "\n")
  if (done.own or 0) > 0 then
    io.stdout:write(("replaced   %d had points or a visibility of their own, which count no more\n"):format(done.own))
  end
end

-- Whoever imports wants to be graded on it: says where workers take other cases.
local function check_source(services, arguments, found, kind)
  local configured = services.configuration.cases
  local first = configured.kind == "first" and configured[1].kind or configured.kind
  if first == kind then return true end
  local opened, message, code = services:open "cases"
  if not opened then return nil, message, code end
  local graded, problem, why = place.read(services.cases, arguments.place, arguments.mode)
  if not graded and why ~= "not_found" and why ~= "instructor" then return nil, problem, why end
  if graded and graded.source == kind and graded.sha256 == found.sha256 then return true end
  local other = graded and graded.source == "postgres" and "the database has other cases, and they count"
    or graded and "the bucket has other cases, and they count" or problem
  io.stderr:write("submitter cases: workers look elsewhere (cases in the configuration): ", terminal.escape(other),
    "\n")
  return true
end

local targets = {}

function targets.database(services, arguments, found)
  if not services.database then
    return nil, "no database is configured; name one by database = postgres { url = … } or SUBMITTER_DATABASE_URL, or "
      .. "say --to bucket", "environment"
  end
  local adorned, message, code = adorn(found, arguments)
  if not adorned then return nil, message, code end
  local done
  done, message, code = postgres_replace(services.database, arguments.place, arguments.mode, found.cases)
  if not done then return nil, message, place.code(code) end
  tell(arguments, found, done, "database")
  return check_source(services, arguments, found, "postgres")
end

-- What was asked for and a bucket can't hold.
local function beyond_a_bucket(arguments, found)
  if arguments.points then return "--points" end
  if arguments.visibility then return "--visibility" end
  if arguments.unnamed then return "--unnamed" end
  if arguments.form and arguments.form ~= found.cases[1].form then return "--form " .. arguments.form end
end

function targets.bucket(services, arguments, found)
  local beyond = beyond_a_bucket(arguments, found)
  if beyond then
    return nil, ("%s: cases in the bucket can't say that, only rows of a database can; leave it away, and see what the "
      .. "policy can say"):format(beyond), "usage"
  end
  local opened, message, code = services:open "store"
  if not opened then return nil, message, code end
  local location
  location, message, code = place.location(arguments.place)
  if not location then return nil, message, code end
  local done
  done, message, code = bucket_replace(services.store, key.names(location, arguments.mode), found)
  if not done then return nil, message, place.code(code) end
  tell(arguments, found, done, "bucket")
  return check_source(services, arguments, found, "bucket")
end

---@async
---@param arguments table what argparse made
---@return integer|nil exit code
---@return string|nil message
---@return string|nil code
function action.run(arguments)
  local found, message, code = desk.cases(arguments.input, arguments.expected)
  if not found then return nil, message, code end
  return options.with_services(arguments, { "database" }, function(services)
    local target = arguments.to or (services.database and "database" or "bucket")
    local done, problem, why = targets[target](services, arguments, found)
    if not done then return nil, problem, why end
    return 0
  end)
end

return action
