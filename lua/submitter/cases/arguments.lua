--- What a case gives the program: arguments, or standard input.
local host = require "submitter.host"

local arguments = {}

--- As many as are handed over.
local ARGUMENTS = 65536

--- Linux refuses a single argument of 128 KiB (MAX_ARG_STRLEN), its NUL included.
local ARGUMENT_BYTES = 128 * 1024 - 1
--- All arguments share a quarter of the stack's limit (2 MiB of 8) with the environment, the program's path and a
--- pointer each.
local TOTAL_BYTES = 1536 * 1024
local POINTER_BYTES = 8

--- The most that is handed over on standard input.
local STDIN_BYTES = 64 * 1024 * 1024

local REMEDY = 'set input = "stdin" in the policy'

local function check(number, list)
  if #list > ARGUMENTS then
    return nil, ("case %d: the line is %d arguments, more than the %d that a program is given; %s"):format(
      number, #list, ARGUMENTS, REMEDY)
  end
  local total = 0
  for _, argument in ipairs(list) do
    if argument:find("\0", 1, true) then
      return nil, ("case %d: an argument holds a NUL byte, which no program can be given; remove it or %s"):format(
        number, REMEDY)
    elseif #argument > ARGUMENT_BYTES then
      return nil, ("case %d: an argument of %d bytes is longer than the %d that Linux allows; %s"):format(
        number, #argument, ARGUMENT_BYTES, REMEDY)
    end
    total = total + #argument + 1 + POINTER_BYTES
  end
  if total > TOTAL_BYTES then
    return nil, ("case %d: its %d arguments take %d bytes, more than the %d that fit; %s"):format(
      number, #list, total, TOTAL_BYTES, REMEDY)
  end
  return true
end

local function on_stdin(number, text)
  if #text > STDIN_BYTES then
    return nil, ("case %d: %d bytes are more than the %d that fit on standard input; make the case smaller"):format(
      number, #text, STDIN_BYTES)
  end
  return { arguments = {}, stdin = text }
end

--- The arguments and standard input of a case. A pair of files always goes to standard input as it stands; a line
--- becomes words as in a POSIX shell ("words"), one argument ("line"), or a line of standard input ("stdin"). An
--- empty line is a case without arguments. Failures are the instructor's to mend.
---@param case table a case record
---@param form "words"|"line"|"stdin"
---@return {arguments:string[], stdin:string|nil}|nil
---@return string|nil message names the case
function arguments.of(case, form)
  if case.form == "file" then return on_stdin(case.number, case.input) end
  if form == "stdin" then return on_stdin(case.number, case.input .. "\n") end
  local list, reason
  if form == "line" then
    list = case.input ~= "" and { case.input } or {}
  else
    list, reason = host.text.words(case.input)
    if not list then
      return nil, ("case %d: the input can't be split into words: %s; mend it, or %s"):format(
        case.number, reason, 'set input = "line" or "stdin" in the policy')
    end
  end
  local fits, message = check(case.number, list)
  if not fits then return nil, message end
  return { arguments = list }
end

return arguments
