--- The table that stands beside a submission as `<subid>.out`: RFC 4180, one row a case.
local host = require "submitter.host"

local csv = {}

local HEADER = { "input", "expected output", "actual output", "pass/fail" }

-- NUL is written as two characters, because spreadsheets and databases end a text at one.
local function cell(value, trim)
  if value == host.json.null then return "hidden" end
  value = trim and trim(value) or value
  if value:find("\0", 1, true) then value = value:gsub("%z", "\\0") end
  return value
end

--- Renders a result document, whole or as a student sees it. A rejected submission has one row that says why.
---@param document table
---@return string
function csv.render(document)
  local csv_row, trim, trim_end = host.text.csv_row, host.text.trim, host.text.trim_end
  local rows = { csv_row(HEADER) }
  for index, case in ipairs(document.cases) do
    rows[index + 1] = csv_row {
      cell(case.input), cell(case.expected, trim), cell(case.actual, trim_end), case.pass and "Pass" or "Fail",
    }
  end
  if document.verdict == "REJ" then
    rows[#rows + 1] = csv_row { "", "", cell("rejected: " .. document.reason), "Fail" }
  end
  return table.concat(rows)
end

return csv
