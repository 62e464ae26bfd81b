--- Credentials that a program of the operator's prints: `credential_process` of a profile (AWS SDKs and Tools Reference
--- Guide, "Process credential provider"). No shell sees the line: words are split as a shell splits them, and nothing is
--- expanded.
---
--- Neither what it prints nor what it writes to standard error is ever shown: either may be secret.

local keys = require "submitter.aws.credentials.keys"
local host = require "submitter.host"

local process = {}

local timeout_ms = 60000
local limit_bytes = 64 << 10

local not_there = { ENOENT = true, ENOTDIR = true, EACCES = true }

-- The files that a program's name may mean, as execvp has it.
local function candidates(context, program)
  if program:find("/", 1, true) then return { program } end
  local list = {}
  for folder in (context:variable "PATH" or "/usr/local/bin:/usr/bin:/bin"):gmatch("[^:]+") do
    list[#list + 1] = folder .. "/" .. program
  end
  return list
end

local function run(context, words)
  local arguments = table.move(words, 2, #words, 1, {})
  local result, message, code
  for _, program in ipairs(candidates(context, words[1])) do
    result, message, code = host.task.within(timeout_ms, context.run, {
      program = program, arguments = arguments, limit_bytes = limit_bytes,
    })
    if result or not not_there[code] then break end
  end
  return result, message or "it isn't in any folder of PATH", code
end

--- Runs it.
---@async
---@param context AwsContext
---@param line string as the profile has it
---@param profile_name string
---@return FoundCredentials|nil
---@return string|nil message
---@return "configuration"|"unavailable"|nil code
function process.fetch(context, line, profile_name)
  local where = ("credential_process of the profile %s"):format(profile_name)
  local words, message = host.text.words(line)
  if not words or #words == 0 or words[1] == "" then
    return nil, ("%s: %s"):format(where, message or "it names no program"), "configuration"
  end
  local result, code
  result, message, code = run(context, words)
  if not result then
    local is_configuration = not_there[code]
    if code == "timeout" then message = ("it hasn't ended after %d s"):format(timeout_ms // 1000) end
    return nil, ("%s: %s can't be run: %s"):format(where, words[1], message),
      is_configuration and "configuration" or "unavailable"
  elseif result.exit_code ~= 0 then
    local ending = result.signal and "by " .. result.signal or "with exit code " .. tostring(result.exit_code)
    return nil, ("%s: %s ended %s; run it by hand to see what it says"):format(where, words[1], ending), "unavailable"
  elseif result.stdout_truncated then
    return nil, ("%s: %s prints more than %d bytes"):format(where, words[1], limit_bytes), "configuration"
  end
  return keys.read(result.stdout, where, {
    token = "SessionToken", source = "process of the profile " .. profile_name, version = 1,
  })
end

return process
