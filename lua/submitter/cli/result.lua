--- Shows a result document (schema 1) to people: a table, and for each case that didn't pass what was expected and what
--- came. `grade` and `submit --wait` come through here.
local compare = require "submitter.compare"
local host = require "submitter.host"
local terminal = require "submitter.cli.terminal"
local units = require "submitter.units"

local text = host.text

local result = {}

--- How many cases are explained; whoever wants all of thousands reads the JSON.
local MOST_EXPLAINED = 20

--- What a verdict means, where the document gives no reason.
local meanings = {
  AC = "all passed", WA = "wrong answer", TLE = "over the time limit", MLE = "over the memory limit",
  OLE = "printed too much", RTE = "ended with an error", REJ = "refused", IE = "our own fault", SKIP = "not run",
}

local function duration(milliseconds)
  return milliseconds and ("%.3f s"):format(milliseconds / 1000) or ""
end

local function size(bytes)
  return bytes and units.format_bytes(bytes) or ""
end

--- The last line that says something: of a Python traceback that is the exception.
local function last_line(bytes)
  local last
  for line in bytes:gmatch "[^\r\n]+" do
    if line:find "%S" then last = line end
  end
  return last
end

--- JSON's null is nothing to show.
local function plain(value)
  if value == host.json.null then return nil end
  return value
end

local function detail(lines, pen, style, name, value, width)
  lines[#lines + 1] = "        " .. pen("dim", ("%-9s"):format(name)) .. " "
    .. pen(style, value == "" and "(nothing)" or (terminal.fit(value, width)))
end

--- A note of the comparison itself that only says what the two values above it say.
local function repeats(note, expected, actual, room)
  if not expected or not actual then return false end
  for _, value in ipairs { expected, actual } do
    local _, width = terminal.fit(value, room + 1)
    if width > room or value:find("\n", 1, true) then return false end
  end
  return note == compare.difference(actual, expected)
end

--- The lines about one case that didn't pass. Values are shown as they were compared.
local function explain(lines, case, pen, width)
  local room = width - 19
  local expected, actual = case.expected and text.trim(case.expected), case.actual and text.trim_end(case.actual)
  local beside = case.note and case.verdict ~= "WA" and "  " .. terminal.fit(case.note, room) or ""
  local verdict = pen(terminal.verdict_styles[case.verdict], case.verdict)
  lines[#lines + 1] = ("  case %d  %s%s"):format(case.number, verdict, beside)
  if case.input then detail(lines, pen, nil, "input", case.input, room) end
  if expected then detail(lines, pen, "green", "expected", expected, room) end
  if actual then detail(lines, pen, "red", "got", actual, room) end
  if case.note and case.verdict == "WA" and not repeats(case.note, expected, actual, room) then
    detail(lines, pen, nil, "note", case.note, room)
  end
  local complaint = case.stderr and last_line(case.stderr)
  if complaint then detail(lines, pen, nil, "stderr", complaint, room) end
end

local columns = {
  { title = "case", right = true },
  { title = "verdict", style = function(value) return terminal.verdict_styles[value] end },
  { title = "CPU", right = true },
  { title = "wall", right = true },
  { title = "memory", right = true },
  { title = "input" },
}

--- Lines without line ends, nothing in them that could disturb a terminal.
---@param document table a result, whole or as a student gets it
---@param options {colour:boolean|nil, width:integer|nil}|nil
---@return string[]
function result.lines(document, options)
  options = options or {}
  local width = options.width or terminal.columns()
  local pen = terminal.pen(options.colour or false)
  local rows, failed = {}, {}
  for _, case in ipairs(plain(document.cases) or {}) do
    local copy = {}
    for name, value in pairs(case) do copy[name] = plain(value) end
    rows[#rows + 1] = {
      tostring(copy.number), copy.verdict, duration(copy.cpu_ms), duration(copy.wall_ms), size(copy.memory_bytes),
      copy.input or "",
    }
    if copy.verdict ~= "AC" and copy.verdict ~= "SKIP" then failed[#failed + 1] = copy end
  end

  local lines = {}
  if #rows > 0 then lines = terminal.table(columns, rows, { colour = options.colour, width = width }) end
  if #failed > 0 then
    lines[#lines + 1] = ""
    for position = 1, math.min(#failed, MOST_EXPLAINED) do explain(lines, failed[position], pen, width) end
    if #failed > MOST_EXPLAINED then
      lines[#lines + 1] = ("  … and %d more; --format json shows them all"):format(#failed - MOST_EXPLAINED)
    end
  end
  if #lines > 0 then lines[#lines + 1] = "" end
  lines[#lines + 1] = result.summary(document, options)
  return lines
end

local function number(value)
  if math.type(value) == "float" and value == math.floor(value) then return ("%d"):format(value) end
  return tostring(value)
end

--- The last line: verdict, why, totals.
---@param document table
---@param options {colour:boolean|nil}|nil
---@return string
function result.summary(document, options)
  local pen = terminal.pen(options and options.colour or false)
  local verdict = plain(document.verdict) or "?"
  local reason = plain(document.reason) or meanings[verdict] or "a verdict that this version doesn't know"
  local painted = pen(terminal.verdict_styles[verdict], terminal.escape(verdict))
  local parts = { painted .. ": " .. terminal.escape(reason) }
  -- What was refused has run no case: nothing to count.
  local total = plain(document.total) or 0
  if total > 0 then
    parts[#parts + 1] = ("%d of %d cases passed"):format(document.passed, total)
    parts[#parts + 1] = ("%s of %s points"):format(number(document.points), number(document.max_points))
  end
  return table.concat(parts, " · ")
end

--- Prints it on standard output, in colour where that is a terminal.
---@param document table
function result.print(document)
  io.stdout:write(table.concat(result.lines(document, { colour = terminal.has_colour(1) }), "\n"), "\n")
end

return result
