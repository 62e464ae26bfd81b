--- The header of a hostile or honest program: comment lines `# field: value` at its very top, up to the first line that
--- isn't a comment. A line that begins with `#   ` goes on with the field before it. ../README.md lists the fields.
local units = require "submitter.units"

local header = {}

local endings = { cpu = true, wall = true, memory = true, output = true }

local default_limits = {
  cpu_ms = 2000, wall_ms = 4000, memory_bytes = 128 * 1024 * 1024, output_bytes = 64 * 1024, processes = 16,
  file_bytes = 4 * 1024 * 1024,
}

-- "exit 1 or memory" as { "exit 1", "memory" }.
local function parse_endings(text)
  local list = {}
  for one in (text .. " or "):gmatch("(.-) or ") do
    if not (endings[one] or one:find("^exit %d+$") or one:find("^signal SIG%u+$")) then
      error(("%q is no ending: exit N, signal SIGNAME, cpu, wall, memory or output"):format(one), 0)
    end
    list[#list + 1] = one
  end
  return list
end

local function parse_limit(limits, name, value)
  local fields = {
    cpu = { "cpu_ms", units.milliseconds }, wall = { "wall_ms", units.milliseconds },
    memory = { "memory_bytes", units.bytes }, output = { "output_bytes", units.bytes },
    processes = { "processes", tonumber }, files = { "file_bytes", units.bytes },
  }
  local field = fields[name]
  local parsed = field and field[2](value)
  if not parsed then
    error(("%s=%s is no limit: cpu, wall, memory, output, processes or files, with a value"):format(name, value), 0)
  end
  limits[field[1]] = math.tointeger(parsed)
end

-- "cpu=500ms memory=64M", on top of what is usual.
local function parse_limits(text)
  local limits = {}
  for name, value in pairs(default_limits) do limits[name] = value end
  for word in text:gmatch("%S+") do
    local name, value = word:match("^(%l+)=(%w+)$")
    if not name then error(("%q is no limit: NAME=VALUE"):format(word), 0) end
    parse_limit(limits, name, value)
  end
  return limits
end

local function parse_words(text)
  local words = {}
  for word in text:gmatch("%S+") do words[#words + 1] = word end
  return words
end

-- "\n" and "\xHH" as in Python, for outputs that are no text.
local function parse_bytes(text)
  local bytes = text:gsub("\\x(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)
  return (bytes:gsub("\\n", "\n"))
end

local function parse_count(text)
  local count = math.tointeger(tonumber(text))
  if not count or count < 0 then error(("%q is no count"):format(text), 0) end
  return count
end

local function parse_flag(text)
  if text ~= "yes" then error(("%q: only yes can be said"):format(text), 0) end
  return true
end

local function parse_text(text) return text end

local fields = {
  attack = parse_text, honest = parse_text, wall = parse_text,
  ending = parse_endings, ["ending in rlimit"] = parse_endings,
  ["ending in container"] = parse_endings, output = parse_bytes, ["output in rlimit"] = parse_bytes,
  ["output in container"] = parse_bytes, ["output bytes"] = parse_count, errors = parse_text,
  cases = parse_count, arguments = parse_words, input = parse_bytes, limits = parse_limits, with = parse_words,
  modules = parse_words, machine = parse_text, within = units.milliseconds, alone = parse_flag,
}

-- The fields as they are written, continued lines joined.
local function read_lines(source)
  local found, last = {}, nil
  for line in source:gmatch("([^\n]*)\n") do
    local rest = line:match("^#%s%s%s+(.*)$")
    local name, value = line:match("^# ([%l ]+):%s*(.-)%s*$")
    if rest and last then
      found[last] = found[last] .. " " .. rest
    elseif name then
      if not fields[name] then error(("there is no field %q"):format(name), 0) end
      if found[name] then error(("the field %q stands twice"):format(name), 0) end
      found[name], last = value, name
    else
      break
    end
  end
  return found
end

--- What the header says; an error when it is incomplete or wrong.
---@param source string the program
---@return table header
function header.read(source)
  local parsed = { cases = 1, arguments = {}, with = {}, modules = {}, limits = parse_limits("") }
  for name, value in pairs(read_lines(source)) do
    local result, message = fields[name](value)
    if result == nil then error(("%s: %s"):format(name, message), 0) end
    parsed[name] = result
  end
  if (parsed.attack == nil) == (parsed.honest == nil) then error("it needs either attack: or honest:", 0) end
  if parsed.attack and not parsed.wall then error("an attack names its wall:", 0) end
  if not parsed.ending then error("it needs its ending:", 0) end
  local checked = parsed.output or parsed["output bytes"] or parsed.errors
  for _, ending in ipairs(parsed.ending) do
    if ending:find("^exit") and not checked then error("what exits needs its output:", 0) end
  end
  return parsed
end

return header
