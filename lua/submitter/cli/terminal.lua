--- What the commands show: colour, columns, tables, a progress bar. Whatever comes from a student, a message or a file
--- goes through `escape`, `fit` or `table` here, so that no control character of theirs reaches a terminal.
local host = require "submitter.host"

local text, system = host.text, host.system

local terminal = {}

--- How wide a progress bar with its label gets at most, and how often it is drawn anew.
local BAR_COLUMNS, REDRAW_MS = 60, 50

local styles = { bold = "1", dim = "2", red = "31", green = "32", yellow = "33", cyan = "36" }

--- The colour of each verdict and of each finding of `doctor`.
terminal.verdict_styles = {
  AC = "green", WA = "red", TLE = "yellow", MLE = "yellow", OLE = "yellow", RTE = "red", SKIP = "dim", REJ = "red",
  IE = "red",
}

--- May this descriptor get colours? Only a terminal that isn't dumb, and nobody set NO_COLOR (https://no-color.org).
---@param descriptor 1|2
---@return boolean
function terminal.has_colour(descriptor)
  local refused = os.getenv "NO_COLOR"
  return system.is_terminal(descriptor) and (refused == nil or refused == "") and os.getenv "TERM" ~= "dumb"
end

--- A pen that paints, or one that leaves text as it is.
---@param colour boolean
---@return fun(style:string|nil, value:string):string
function terminal.pen(colour)
  return function(style, value)
    local code = colour and style and styles[style]
    if not code then return value end
    return "\27[" .. code .. "m" .. value .. "\27[0m"
  end
end

--- Columns of the terminal on standard output, within reason; a file or pipe has more room.
---@return integer
function terminal.columns()
  if not system.is_terminal(1) then return 200 end
  return math.max(40, math.min(system.columns(), 200))
end

--- One line, safe to show, whatever the bytes are.
---@param bytes string
---@return string
function terminal.escape(bytes)
  return (text.escape(bytes))
end

--- One line, safe to show, of at most so many columns; a longer value is cut and ends in "…".
---@param bytes string
---@param columns integer at least 1
---@return string fitted
---@return integer width its columns
function terminal.fit(bytes, columns)
  -- Nothing beyond this can be seen (a character has at most 4 bytes, and few are without width): don't escape
  -- megabytes.
  local reach = columns * 16
  local cut = #bytes > reach
  local safe = text.escape(cut and bytes:sub(1, reach) or bytes)
  local width = text.width(safe)
  if width <= columns and not cut then return safe, width end
  local kept, used = {}, 0
  for _, code in utf8.codes(safe) do
    local character = utf8.char(code)
    local more = text.width(character)
    if used + more > columns - 1 then break end
    kept[#kept + 1] = character
    used = used + more
  end
  return table.concat(kept) .. "…", used + 1
end

--- A table of aligned columns. The last column takes what the terminal leaves.
---@param columns {title:string, right:boolean|nil, style:function|nil, most:integer|nil}[]
--- right: aligned to the right. style: function(value, row) gives the style of a cell. most: columns at most (default
--- 40).
---@param rows string[][]
---@param options {colour:boolean|nil, width:integer|nil}|nil
---@return string[] lines the title's first
function terminal.table(columns, rows, options)
  options = options or {}
  local pen, total = terminal.pen(options.colour or false), options.width or terminal.columns()
  local cells, widths = {}, {}
  for position, column in ipairs(columns) do widths[position] = text.width(column.title) end
  for row_number, row in ipairs(rows) do
    cells[row_number] = {}
    for position, column in ipairs(columns) do
      local last = position == #columns
      local shown, width = terminal.fit(row[position] or "", last and math.max(total, 20) or column.most or 40)
      cells[row_number][position] = { shown, width }
      widths[position] = math.max(widths[position], width)
    end
  end

  local before_last = 0
  for position = 1, #columns - 1 do before_last = before_last + widths[position] + 2 end
  local left = math.max(12, total - before_last)

  local function line(row, paint)
    local parts = {}
    for position, column in ipairs(columns) do
      local shown, width = row[position][1], row[position][2]
      if position == #columns and width > left then shown, width = terminal.fit(shown, left) end
      local blank = (" "):rep(widths[position] - width)
      shown = paint(shown, position)
      if column.right then shown = blank .. shown elseif position < #columns then shown = shown .. blank end
      parts[position] = shown
    end
    return (table.concat(parts, "  "):gsub("%s+$", ""))
  end

  local titles = {}
  for position, column in ipairs(columns) do titles[position] = { column.title, text.width(column.title) } end
  local lines = { line(titles, function(shown) return pen("bold", shown) end) }
  for row_number, row in ipairs(cells) do
    lines[#lines + 1] = line(row, function(shown, position)
      local style = columns[position].style
      return pen(style and style(rows[row_number][position] or "", rows[row_number]) or nil, shown)
    end)
  end
  return lines
end

---@class ProgressBar
local ProgressBar = {}
ProgressBar.__index = ProgressBar

--- A bar on standard error, if that is a terminal; otherwise nothing is ever written.
---@param total integer how many steps there are
---@return ProgressBar
function terminal.progress(total)
  return setmetatable({ total = math.max(total, 1), shown = system.is_terminal(2), drawn = false }, ProgressBar)
end

--- So many steps are done.
---@param done integer
---@param label string|nil a few words beside the bar
function ProgressBar:update(done, label)
  if not self.shown then return end
  local now_ms = host.clock.monotonic_ms()
  -- Thousands of quick cases must not spend their time on drawing.
  if self.drawn and done < self.total and now_ms - self.drawn_ms < REDRAW_MS then return end
  self.drawn_ms = now_ms
  local width = 24
  local filled = math.min(width, done * width // self.total)
  local line = ("%s%s %d/%d %s"):format(("█"):rep(filled), ("░"):rep(width - filled), done, self.total, label or "")
  -- A line that wraps could not be wiped away.
  io.stderr:write("\r", (terminal.fit(line, math.max(1, math.min(BAR_COLUMNS, system.columns() - 1)))), "\27[K")
  self.drawn = true
end

--- Wipes the bar away, before anything else is written.
function ProgressBar:clear()
  if self.drawn then io.stderr:write("\r\27[K") end
  self.drawn = false
end

return terminal
