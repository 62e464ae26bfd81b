--- What policy code may see and how long it may run. The code of an instructor runs in the host's own Lua state in
--- this first form, so it gets functions that neither reach the host nor take long in one C call: no files, no
--- loading of code, no catching of errors (an ended budget must end it), no coroutines, no metatables, and no
--- randomness (grading is repeatable).
local host = require "submitter.host"

local environment = {}

--- Lua instructions that loading one file may take, and one call of a function of it.
local LOAD_INSTRUCTIONS = 1000000
local CALL_INSTRUCTIONS = 5000000

--- How much of an error's own text is kept: it goes into reports and logs.
local MESSAGE_BYTES = 1000

--- Steps of pattern matching that all of one call may take together: some tens of milliseconds.
local PATTERN_STEPS = 5000000

--- The count hook can't interrupt a C function, so what one C call may be given is bounded.
local TEXT_BYTES = 1024 * 1024
local MOVE_ELEMENTS = 100000

local function limited_string()
  local limited = {}
  for _, name in ipairs { "byte", "char", "format", "len", "lower", "reverse", "sub", "upper" } do
    limited[name] = string[name]
  end
  for _, name in ipairs { "find", "match", "gmatch", "gsub" } do limited[name] = host.pattern[name] end
  function limited.rep(text, count, separator)
    -- Lua takes numbers for texts and texts for numbers here; so does this.
    local length = #tostring(text) + #tostring(separator or "")
    if (tonumber(count) or 0) > TEXT_BYTES // math.max(1, length) then
      error(("string.rep: the result is longer than the %d bytes that a policy may make"):format(TEXT_BYTES), 2)
    end
    return string.rep(text, count, separator)
  end
  return limited
end

local function limited_table()
  local limited = {}
  for _, name in ipairs { "concat", "insert", "pack", "remove", "sort", "unpack" } do limited[name] = table[name] end
  function limited.move(from, first, last, position, to)
    -- In floats, where the difference of two integers can't wrap around.
    if (tonumber(last) or 0) + 0.0 - (tonumber(first) or 0) >= MOVE_ELEMENTS then
      error(("table.move: more than the %d elements that a policy may move at once"):format(MOVE_ELEMENTS), 2)
    end
    return table.move(from, first, last, position, to or from)
  end
  return limited
end

local function copy_without(library, without)
  local copy = {}
  for name, value in pairs(library) do copy[name] = value end
  for _, name in ipairs(without) do copy[name] = nil end
  return copy
end

--- A fresh environment: what one file does to it no other sees.
---@return table
function environment.make()
  return {
    assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, select = select,
    tonumber = tonumber, tostring = tostring, type = type,
    math = copy_without(math, { "random", "randomseed" }),
    string = limited_string(),
    table = limited_table(),
    utf8 = copy_without(utf8, {}),
  }
end

local methods = limited_string()
local string_metatable = getmetatable("")

local function finish(original, returned, called, ...)
  string_metatable.__index = original
  if not returned then return nil, tostring(called), "error" end
  if not called then
    local message, kind = ...
    return nil, message:sub(1, MESSAGE_BYTES), kind
  end
  return called, ...
end

-- ("x"):rep(n) finds `rep` through the metatable of all strings, not through the environment; while policy code runs,
-- which is never across a wait, that leads to the limited functions too.
local function guarded(instructions, body, ...)
  local original = string_metatable.__index
  string_metatable.__index = methods
  host.pattern.budget(PATTERN_STEPS)
  return finish(original, pcall(host.watchdog.call, instructions, body, ...))
end

--- Runs the text of a policy file. True and the table that it returns; or nil and a message with file and line.
---@param text string
---@param name string for messages
---@return table|nil
---@return string|nil message
function environment.load(text, name)
  if text:sub(1, 3) == "\xEF\xBB\xBF" then text = text:sub(4) end
  local chunk, message = load(text, "@" .. name, "t", environment.make())
  if not chunk then return nil, message:sub(1, MESSAGE_BYTES) end
  local done, value, kind = guarded(LOAD_INSTRUCTIONS, chunk)
  if not done then
    if kind == "budget" then
      return nil, ("%s: takes longer to load than a policy may (%d instructions)"):format(name, LOAD_INSTRUCTIONS)
    end
    return nil, value
  elseif type(value) ~= "table" then
    return nil, ("%s: a policy returns a table, not %s; end it with return { … }"):format(name, type(value))
  end
  return value
end

--- Calls a function of a policy. True and what it returns; or nil, a message, and whether that holds the function's own
--- words.
---@param what string its field, for messages
---@param body function
---@param ... any plain data; tables must be copies
---@return true|nil
---@return any ... results; or the message
function environment.call(what, body, ...)
  local function report(done, ...)
    if done then return true, ... end
    local message, kind = ...
    if kind == "budget" then
      return nil, ("%s: takes longer than a policy may (%d instructions a call)"):format(what, CALL_INSTRUCTIONS), false
    end
    return nil, ("%s: %s"):format(what, message), true
  end
  return report(guarded(CALL_INSTRUCTIONS, body, ...))
end

return environment
