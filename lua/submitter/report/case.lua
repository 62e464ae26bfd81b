--- One case in a report: its fields in their order, texts made valid UTF-8 and capped.
local host = require "submitter.host"
local units = require "submitter.units"

local report_case = {}

local ACTUAL_BYTES = 64 * 1024
local ACTUAL_BYTES_IN_ALL = 16 * 1024 * 1024
local STDERR_BYTES = 4 * 1024
-- Thousands of cases that all write their 4 KiB would be a report that nobody can load.
local STDERR_BYTES_IN_ALL = 16 * 1024 * 1024

local order = {
  "number", "input", "expected", "actual", "actual_truncated", "pass", "verdict", "exit_code", "signal", "cpu_ms",
  "wall_ms", "memory_bytes", "output_truncated", "stderr", "note", "points",
}

-- Valid UTF-8 of at most so many bytes; a byte that is no character takes three.
local function fit(bytes, limit)
  local text, was_cut = units.cut(bytes, limit)
  text = host.text.repair(text)
  local fitting, was_cut_again = units.cut(text, limit)
  return fitting, was_cut or was_cut_again
end

local function or_null(value)
  if value == nil then return host.json.null end
  return value
end

--- The record of a case that has run.
---@param case table a case record
---@param result SandboxResult
---@param judgement {pass:boolean, verdict:string, note:string|nil, points:number}
---@param held {actual_bytes:integer, stderr_bytes:integer} how much of outputs the report holds so far; brought up to date
---@return table record
function report_case.record(case, result, judgement, held)
  local actual, actual_cut = fit(result.stdout, math.min(ACTUAL_BYTES, ACTUAL_BYTES_IN_ALL - held.actual_bytes))
  local stderr = fit(result.stderr, math.min(STDERR_BYTES, STDERR_BYTES_IN_ALL - held.stderr_bytes))
  held.actual_bytes, held.stderr_bytes = held.actual_bytes + #actual, held.stderr_bytes + #stderr
  return host.json.ordered(order, {
    number = case.number,
    input = host.text.repair(case.input),
    expected = host.text.repair(case.expected),
    actual = actual,
    actual_truncated = actual_cut or result.stdout_truncated,
    pass = judgement.pass,
    verdict = judgement.verdict,
    exit_code = or_null(result.exit_code),
    signal = or_null(result.signal),
    cpu_ms = result.cpu_ms,
    wall_ms = result.wall_ms,
    memory_bytes = result.memory_bytes,
    output_truncated = result.stdout_truncated or result.stderr_truncated,
    stderr = stderr,
    note = or_null(judgement.note and host.text.repair(judgement.note)),
    points = judgement.points,
  })
end

-- What each part that a policy shows stands for. A note quotes expectation and output, so it needs both.
local needs = {
  input = { "input" }, expected = { "expected" }, stderr = { "stderr" }, note = { "expected", "actual" },
  actual = { "actual" }, actual_truncated = { "actual" }, exit_code = { "actual" }, signal = { "actual" },
  output_truncated = { "actual" },
  -- A program can tell by them what it was given, as well as by its output.
  cpu_ms = { "actual" }, wall_ms = { "actual" }, memory_bytes = { "actual" },
}

local function is_shown(field, shown)
  for _, part in ipairs(needs[field] or {}) do
    if not shown or not shown[part] then return false end
  end
  return true
end

--- A case as students see it: what isn't shown is null.
---@param record table perhaps read from JSON
---@param shown table|false of `Policy:show`
---@return table the record itself where all of it is shown
function report_case.view(record, shown)
  if shown and shown.input and shown.expected and shown.actual and shown.stderr then
    return host.json.ordered(order, record)
  end
  local view = {}
  for _, field in ipairs(order) do
    if is_shown(field, shown) then view[field] = record[field] else view[field] = host.json.null end
  end
  return host.json.ordered(order, view)
end

return report_case
