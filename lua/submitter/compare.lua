--- The comparisons that a policy can name. Each is `function(actual, expected) → pass`, over whole outputs, by length
--- and bytes: a NUL counts like any other byte. `difference` says in a few words where two texts part, for whoever
--- gets `WA`.
local host = require "submitter.host"

local compare = {}

--- How much of a line a note quotes, in bytes before escaping.
local QUOTE_BYTES = 60

--- One line end at the very end of either side counts for nothing: a case that is a line of test.out has lost its
--- own, and `print` adds one.
local function without_last_newline(bytes)
  if bytes:byte(-1) ~= 10 then return bytes end
  return bytes:sub(1, bytes:byte(-2) == 13 and -3 or -2)
end

local named = {
  --- Byte for byte, but for a line end at the very end.
  exact = function(actual, expected)
    return without_last_newline(actual) == without_last_newline(expected)
  end,
  --- White space at the end of the output, and at both ends of the expectation, counts for nothing.
  trimmed = host.text.equal_trimmed,
}

--- The names that there are, sorted.
---@return string[]
function compare.names()
  local names = {}
  for name in pairs(named) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- A comparison by its name.
---@param name string
---@return (fun(actual:string, expected:string):boolean)|nil
function compare.named(name)
  return named[name]
end

--- How many bytes two texts have in common at their beginning. Halves the piece in question instead of walking it
--- byte by byte, so that megabytes cost no more than a few copies of themselves.
local function common_prefix(left, right)
  local same, unknown = 0, math.min(#left, #right)
  while same < unknown do
    local middle = (same + unknown + 1) // 2
    if left:sub(same + 1, middle) == right:sub(same + 1, middle) then
      same = middle
    else
      unknown = middle - 1
    end
  end
  return same
end

--- The line of text that begins at `start`, cut around `column` so that the place in question is seen.
local function quote(text, start, column)
  if start > #text + 1 then return "nothing" end
  local stop = text:find("\n", start, true) or #text + 1
  local first = math.max(start, start + column - QUOTE_BYTES // 2)
  local last = math.min(stop - 1, first + QUOTE_BYTES - 1)
  if last < first and first > start then first = math.max(start, last - QUOTE_BYTES // 2) end
  local cut = text:sub(first, last)
  return ('%s"%s"%s'):format(first > start and "…" or "", host.text.escape(cut), last < stop - 1 and "…" or "")
end

--- Where two texts part: the first line that differs, what was expected there and what came.
---@param actual string
---@param expected string
---@return string
function compare.difference(actual, expected)
  if actual == "" then return "no output" end
  local same = common_prefix(actual, expected)
  local longer = #actual > #expected and actual or expected
  -- Where one ends with a line and the other goes on, the difference is the next line.
  if same == math.min(#actual, #expected) and longer:byte(same + 1) == 10 then same = same + 1 end
  local before = longer:sub(1, same)
  -- Anchored: else a long line is searched once more from each of its bytes.
  local start = before:match("^.*\n()") or 1
  local line = select(2, before:gsub("\n", "")) + 1
  return ("line %d: expected %s, got %s"):format(
    line, quote(expected, start, same - start + 1), quote(actual, start, same - start + 1))
end

return compare
