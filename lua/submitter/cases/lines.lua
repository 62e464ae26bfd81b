--- Cases as lines: line N of one text is the input of case N, line N of the other what is expected.
local identity = require "submitter.cases.identity"
local limits = require "submitter.cases.limits"

local lines = {}

-- Editors of Windows put one in front of a file of UTF-8; it is no part of the first case.
local BYTE_ORDER_MARK = "\xEF\xBB\xBF"

local MOST = limits.cases

--- Lines without their ends, and without a byte order mark in front of the first. `\r\n` ends a line as `\n` does; an end
--- of line at the very end begins no further one.
---@param text string
---@param most integer|nil stops after so many
---@return string[]
function lines.split(text, most)
  local list, count, start = {}, 0, 1
  if text:sub(1, #BYTE_ORDER_MARK) == BYTE_ORDER_MARK then start = #BYTE_ORDER_MARK + 1 end
  local length = #text
  while start <= length and count ~= most do
    local newline = text:find("\n", start, true)
    local stop = newline and newline - 1 or length
    if newline and text:byte(stop) == 13 and stop >= start then stop = stop - 1 end
    count = count + 1
    list[count] = text:sub(start, stop)
    start = (newline or length) + 1
  end
  return list
end

--- Pairs the lines of two texts.
---@param input_text string
---@param expected_text string
---@param names {input:string, expected:string}|nil what to call the two in messages
---@return {cases:table[], sha256:string}|nil
---@return string|nil message
---@return string|nil code
function lines.read(input_text, expected_text, names)
  names = names or { input = "the input file", expected = "the file of expected outputs" }
  local inputs, expectations = lines.split(input_text, MOST + 1), lines.split(expected_text, MOST + 1)
  if #inputs > MOST or #expectations > MOST then
    return nil, ("%s has more than %d lines: that is the most; make several assignments of it"):format(
      #inputs > MOST and names.input or names.expected, MOST), "instructor"
  end
  if #inputs ~= #expectations then
    return nil, ("%s has %d %s and %s has %d: each case needs a line in both; make them equally long"):format(
      names.input, #inputs, #inputs == 1 and "line" or "lines", names.expected, #expectations), "instructor"
  end
  if #inputs == 0 then
    return nil, ("%s and %s are empty: there is no case; write one a line"):format(
      names.input, names.expected), "instructor"
  end
  local list = {}
  for number, input in ipairs(inputs) do
    list[number] = { number = number, input = input, expected = expectations[number], form = "line" }
  end
  return { cases = list, sha256 = identity.sha256(list) }
end

-- Why a text can't be a line of a file, or nil.
local function unfit(text, number)
  if text:find("\n", 1, true) then return "has a line break" end
  if text:byte(-1) == 13 then return "ends in a carriage return, which would count as part of the line's end" end
  if number == 1 and text:sub(1, #BYTE_ORDER_MARK) == BYTE_ORDER_MARK then return "begins with a byte order mark" end
end

--- Writes cases as `lines.read` reads them: one a line, each line ended.
---@param list table[] case records
---@return string|nil input_text nil where a case can't be a line
---@return string expected_text or why not, and which case
function lines.write(list)
  local inputs, expectations = {}, {}
  for index, case in ipairs(list) do
    for _, half in ipairs { "input", "expected" } do
      local reason = unfit(case[half], index)
      if reason then
        return nil, ("case %d: %s %s"):format(case.number,
          half == "input" and "its input" or "what is expected", reason)
      end
    end
    inputs[index], expectations[index] = case.input, case.expected
  end
  -- What stands last: the end of the last line.
  inputs[#list + 1], expectations[#list + 1] = "", ""
  return table.concat(inputs, "\n"), table.concat(expectations, "\n")
end

return lines
