--- The grade book as CSV (RFC 4180, CRLF), for spreadsheets. Pure.
---
--- Names come from students, and a spreadsheet takes a cell that begins with = + - @ for a formula, which may run programs or
--- send the book away (https://owasp.org/www-community/attacks/CSV_Injection). Such a text gets an apostrophe in front. Some
--- drop white space before they look, and some read full-width signs as plain ones; where the semicolon separates cells the
--- rest of a text may become a cell of its own, and so may a new line; its quotes then count as they please. Figures of ours
--- are written as they are.
local host = require "submitter.host"
local legible = require "submitter.record.legible"
local units = require "submitter.units"

local csv = {}

--- The columns, also of the JSON.
csv.NAMES = {
  "email", "name", "event", "assignment", "mode", "verdict", "points", "max_points", "attempt", "attempts",
  "submitted_at", "late", "subid", "tokens", "note",
}

local function set(codes)
  local found = {}
  for _, code in ipairs(codes) do found[code] = true end
  return found
end

-- = + - @ and their full-width forms.
local starts_formula = set { 0x3D, 0x2B, 0x2D, 0x40, 0xFF1D, 0xFF0B, 0xFF0D, 0xFF20 }
-- Tab, LF, CR, and the separator of cells where the comma is in numbers.
local begins_cell = set { 0x09, 0x0A, 0x0D, 0x3B }
-- White space and what can't be seen, control characters apart; and the quote, after which a cell begins, or goes on.
local is_blank = set { 0x20, 0x22, 0x7F, 0xA0, 0xAD, 0x1680, 0x180E, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF }

local function blank(code)
  return code < 0x20 or code >= 0x80 and code < 0xA0 or code >= 0x2000 and code <= 0x200F
    or code >= 0x2060 and code <= 0x206F or is_blank[code] == true
end

--- A text that no spreadsheet takes for a formula, wherever it begins to read.
---@param text string
---@return string valid UTF-8, without NUL characters
function csv.guard(text)
  text = legible.text(text)
  local parts, may_begin, first = {}, true, true
  for _, code in utf8.codes(text) do
    -- A tab or a new line in front is itself what some read a formula from.
    local separates = begins_cell[code] == true
    if may_begin and starts_formula[code] or first and separates and code ~= 0x3B then parts[#parts + 1] = "'" end
    may_begin = separates or may_begin and blank(code)
    first = false
    parts[#parts + 1] = utf8.char(code)
  end
  return table.concat(parts)
end

local function number(value)
  return value == nil and "" or units.format_number(value)
end

local function text(value)
  return value == nil and "" or csv.guard(value)
end

local function late(value)
  if value == nil then return "" end
  return value and "yes" or "no"
end

local function moment(milliseconds)
  return milliseconds and host.clock.utc(milliseconds) or ""
end

--- The whole book, with a header.
---@param rows GradebookRow[]
---@return string
function csv.render(rows)
  local lines = { host.text.csv_row(csv.NAMES) }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = host.text.csv_row {
      text(row.email), text(row.name), text(row.event), text(row.assignment), text(row.mode), text(row.verdict),
      number(row.points), number(row.max_points), number(row.attempt), number(row.attempts), moment(row.submitted_ms),
      late(row.late), text(row.subid), number(row.tokens), text(row.note),
    }
  end
  return table.concat(lines)
end

return csv
