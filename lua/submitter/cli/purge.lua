--- `submitter purge`: what is old and may go.
local below = require "submitter.cli.below"
local host = require "submitter.host"
local options = require "submitter.cli.options"
local purge = require "submitter.purge"
local terminal = require "submitter.cli.terminal"
local time = require "submitter.time"
local units = require "submitter.units"

local command = { name = "purge", summary = "remove submissions handed in before a date, and their results" }

-- For argparse: a day, which begins at midnight UTC, or a moment with its zone.
local function date(value)
  local text = value:find "^%d%d%d%d%-%d%d%-%d%d$" and value .. "T00:00:00Z" or value
  local milliseconds = time.parse_ms(text)
  if not milliseconds then
    return nil, ("--before '%s' is no date: expected 2026-09-01 (midnight UTC) or 2026-09-01T00:00:00+02:00"):format(
      value)
  elseif milliseconds > host.clock.now_ms() then
    return nil, ("--before %s is in the future; what is being handed in would go as well"):format(value)
  end
  return milliseconds
end

function command.describe(parser)
  parser:description("Removes the submissions below PATH that were last handed in before DATE: their objects in the "
    .. "bucket, with reports and whole results, and their rows in the database, if there is one. Cases, students and "
    .. "tokens stay. A submission with a newer upload stays whole. Called again it goes on where it ended. In a bucket "
    .. "that keeps versions the old ones stay until the bucket's own rules remove them.\n\n"
    .. "With a database its role must be a member of submitter_instructor; a worker's may not remove anything. "
    .. "Exit code 1: something couldn't be removed.\n\n"
    .. "Example: submitter purge m.soltys/labs --before 2026-09-01 --dry-run")
  below.argument(parser, "what is looked through")
  parser:option("--before"):argname("DATE"):convert(date):count(1)
    :description "a date (midnight UTC) or a moment with its zone, as RFC 3339 writes them"
  parser:flag("--dry-run"):description "say what would be removed, and remove nothing"
end

local function line(what, one, more)
  return ("%-8s %s  handed in %s  %s\n"):format(what, terminal.escape(purge.describe(one)),
    host.clock.utc(one.submitted_ms), more)
end

local function preview(list, newer)
  local objects, rows = 0, 0
  for _, one in ipairs(list) do
    objects, rows = objects + one.objects, rows + (one.has_row and 1 or 0)
    io.stdout:write(line("would go", one,
      units.count(one.objects, "object") .. (one.has_row and ", in the database" or "")))
  end
  io.stdout:write(("%s with %s would be removed, %d of them from the database; %d newer would stay\n"):format(
    units.count(#list, "submission"), units.count(objects, "object"), rows, newer))
  return 0
end

local function tell(one, outcome, message)
  if message then
    io.stderr:write("submitter purge: ", terminal.escape(purge.describe(one)), " couldn't be removed",
      outcome.objects + outcome.rows > 0 and " whole" or "", ": ", terminal.escape(message), "\n")
  elseif outcome.kept then
    io.stdout:write(line("kept", one, outcome.kept))
  else
    io.stdout:write(line("removed", one, ("%s, %s"):format(units.count(outcome.objects, "object"),
      units.count(outcome.rows, "row"))))
  end
end

local function remove(job, list, newer)
  local total, message, code = job:remove(list, tell)
  if not total then return nil, message, code end
  io.stdout:write(("%s removed: %s of the bucket, %s of the database; %d newer stayed\n"):format(
    units.count(total.submissions, "submission"), units.count(total.objects, "object"), units.count(total.rows, "row"),
    newer + total.kept))
  local left = total.failed + total.untried
  if left == 0 then return 0 end
  io.stderr:write(("submitter purge: %s couldn't be removed%s; call it again when that is mended\n"):format(
    units.count(left, "submission"), total.untried > 0 and (", %d of them weren't tried"):format(total.untried) or ""))
  return 1
end

function command.run(arguments)
  return options.with_services(arguments, { "store", "database" }, function(services)
    local job = purge.new {
      store = services.store, database = services.database, path = arguments.path, before_ms = arguments.before,
    }
    -- A day needs a zone before anybody can say what is older.
    io.stderr:write("before   ", host.clock.utc(arguments.before), "\n")
    local list, newer, code = job:find()
    if not list then return nil, newer, below.code(code) end
    if arguments.dry_run then return preview(list, newer) end
    return remove(job, list, newer)
  end)
end

return command
