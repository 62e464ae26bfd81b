--- `submitter results`: the grade book.
local below = require "submitter.cli.below"
local gradebook = require "submitter.gradebook"
local host = require "submitter.host"
local options = require "submitter.cli.options"
local terminal = require "submitter.cli.terminal"
local units = require "submitter.units"

local command = { name = "results", summary = "the grade book: who handed in what, and what came of it" }

function command.describe(parser)
  parser:description("With a database: a row for each student, assignment and mode, with the attempt that counts (the "
    .. "policy's counts: the latest or the best); enrolled students who handed nothing in are there as well, and "
    .. "submissions whose tokens nobody has. What a team handed in is each member's. Without one: a row for each "
    .. "submission in the bucket and mode, with its latest attempt.\n\n"
    .. "In CSV a text that a spreadsheet would take for a formula has an apostrophe in front.\n\n"
    .. "Example: submitter results m.soltys/labs --mode grade --format csv > labs.csv")
  below.argument(parser, "what is shown")
  parser:option("--mode"):argname("MODE"):convert(options.one_of { "test", "grade" })
    :description "test or grade alone; both without it"
  parser:option("--format"):argname("FORMAT"):convert(options.one_of { "table", "csv", "json" }):default("table")
    :description "table, csv or json"
end

local function number(value)
  return value == nil and "-" or units.format_number(value)
end

local function ratio(value, of)
  return value == nil and "" or ("%s/%s"):format(number(value), number(of))
end

local function verdict_style(value)
  return terminal.verdict_styles[value]
end

-- What the path says already isn't repeated in every row; what no row knows isn't a column.
local function columns_of(path, rows)
  local has = {}
  for _, row in ipairs(rows) do
    for name in pairs(row) do has[name] = true end
  end
  return {
    has.email and { title = "e-mail", cell = function(row) return row.email or "" end },
    has.name and { title = "name", most = 30, cell = function(row) return row.name or "" end },
    not path.event and { title = "event", most = 30, cell = function(row) return row.event end },
    not path.assignment and { title = "assignment", most = 30, cell = function(row) return row.assignment end },
    { title = "mode", cell = function(row) return row.mode end },
    { title = "verdict", style = verdict_style, cell = function(row) return row.verdict or "" end },
    { title = "points", right = true, cell = function(row) return ratio(row.points, row.max_points) end },
    { title = "attempt", right = true, cell = function(row) return ratio(row.attempt, row.attempts) end },
    { title = "submitted",
      cell = function(row) return row.submitted_ms and host.clock.utc(row.submitted_ms) or "" end },
    has.late and { title = "late", cell = function(row) return row.late and "late" or "" end },
    -- A student's is nothing that people look for.
    { title = "subid", cell = function(row) return row.email and "" or row.subid or "" end },
    { title = "note", cell = function(row) return row.note or "" end },
  }
end

local function as_table(path, rows)
  local columns, cells = {}, {}
  local wanted = columns_of(path, rows)
  for position = 1, 12 do
    if wanted[position] then columns[#columns + 1] = wanted[position] end
  end
  for index, row in ipairs(rows) do
    cells[index] = {}
    for position, column in ipairs(columns) do cells[index][position] = column.cell(row) end
  end
  return table.concat(terminal.table(columns, cells, { colour = terminal.has_colour(1) }), "\n") .. "\n"
end

local function render(arguments, rows)
  if arguments.format == "csv" then return gradebook.csv(rows) end
  if arguments.format == "json" then return gradebook.json(rows) .. "\n" end
  return as_table(arguments.path, rows)
end

function command.run(arguments)
  return options.with_services(arguments, { "store", "policies", "database" }, function(services)
    local rows, message, code = gradebook.rows { services = services, path = arguments.path, mode = arguments.mode }
    if not rows then return nil, message, below.code(code) end
    if #rows == 0 then
      io.stderr:write(("nothing is known of %s: no submission%s\n"):format(terminal.escape(arguments.path.text),
        services.database and " and no student" or ""))
    end
    if #rows > 0 or arguments.format ~= "table" then io.stdout:write(render(arguments, rows)) end
    return 0
  end)
end

return command
