--- What a mail says about a result: subject and text. Made of what students may see, never of the truth.
local host = require "submitter.host"
local verdicts = require "submitter.report.verdicts"

local letter = {}

-- Of how many failed cases the text tells, and how much of each; the table has them all.
local MOST_CASES, VALUE_CHARACTERS = 5, 200

local function given(value)
  return value ~= nil and value ~= host.json.null
end

local function number(value)
  return type(value) == "number" and ("%.10g"):format(value) or "?"
end

-- One line, of characters that steer nothing.
local function excerpt(value)
  local line = host.text.escape((host.text.repair(tostring(value))))
  if utf8.len(line) and utf8.len(line) <= VALUE_CHARACTERS then return line end
  return line:sub(1, (utf8.offset(line, VALUE_CHARACTERS + 1) or #line + 1) - 1) .. "…"
end

-- "2026-11-24T05:55:34.123Z" for people.
local function moment(text)
  local day, time = tostring(text):match "^(%d+%-%d+%-%d+)T(%d+:%d+:%d+)"
  return day and ("%s %s UTC"):format(day, time) or "unknown"
end

local function describe_case(case)
  local lines = { ("Case %s: %s (%s)"):format(number(case.number), excerpt(case.verdict),
    verdicts[case.verdict] or "failed") }
  for _, field in ipairs { "input", "expected", "actual", "note" } do
    if given(case[field]) then lines[#lines + 1] = ("  %-9s %s"):format(field, excerpt(case[field])) end
  end
  return table.concat(lines, "\n")
end

local function failed_cases(cases)
  local sections, left = {}, 0
  for _, case in ipairs(cases) do
    if not case.pass and case.verdict ~= "SKIP" then
      if #sections < MOST_CASES then sections[#sections + 1] = describe_case(case) else left = left + 1 end
    end
  end
  if left > 0 then sections[#sections + 1] = ("… and %d more that failed."):format(left) end
  return sections
end

local function facts(result)
  local rows = {
    { "Verdict", ("%s (%s)"):format(excerpt(result.verdict), verdicts[result.verdict] or "failed") },
    { "Passed", ("%s of %s cases"):format(number(result.passed), number(result.total)) },
    { "Points", ("%s of %s"):format(number(result.points), number(result.max_points)) },
    { "Attempt", number(result.attempt) },
    { "Handed in", moment(result.submitted_at) },
    { "Graded", moment(result.finished_at) },
  }
  if given(result.reason) then table.insert(rows, 2, { "Reason", excerpt(result.reason) }) end
  local lines = {}
  for index, row in ipairs(rows) do lines[index] = ("  %-10s %s"):format(row[1], row[2]) end
  return table.concat(lines, "\n")
end

local modes = {
  test = "This is feedback on the test cases.", grade = "This is the final grading.",
}

---@param result table what students see of it: event, assignment, mode, verdict, passed, total, …
---@return string
function letter.subject(result)
  local outcome = result.verdict == "REJ" and "rejected"
    or ("%s %s of %s"):format(result.verdict, number(result.passed), number(result.total))
  return ("[%s/%s] %s%s"):format(result.event, result.assignment, outcome, result.mode == "grade" and " (final)" or "")
end

---@param result table as above; with cases, of which the failed ones are told
---@param table_note string|nil a line about the table
---@return string
function letter.text(result, table_note)
  local sections = {
    ("Your submission for %s (%s) was graded. %s"):format(excerpt(result.assignment), excerpt(result.event),
      modes[result.mode] or ""),
    facts(result),
  }
  for _, section in ipairs(failed_cases(given(result.cases) and result.cases or {})) do
    sections[#sections + 1] = section
  end
  sections[#sections + 1] = table_note
  return table.concat(sections, "\n\n") .. "\n"
end

return letter
