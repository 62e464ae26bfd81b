--- What the options of several commands have in common: conversions with their messages, reading a file that the user
--- named, opening the configuration.
---
--- Failures of a command are `nil, message, code`; the code chooses the exit code: "usage" (the user named something
--- that isn't there or can't be so), "internal" (our fault); every other means the environment.
local configuration = require "submitter.configuration"
local host = require "submitter.host"
local services = require "submitter.services"
local submission = require "submitter.submission"
local units = require "submitter.units"

local options = {}

--- The largest event, program or case file that a command reads.
local LIMIT_BYTES = 256 * 1024 * 1024

--- For argparse: a time with its unit.
---@param value string
---@return integer|nil milliseconds
---@return string|nil message
function options.time(value)
  local milliseconds, message = units.milliseconds(value)
  if not milliseconds then return nil, message end
  return milliseconds
end

--- For argparse: a token of the front end.
---@param value string
---@return string|nil
---@return string|nil message
function options.token(value)
  if submission.is_token(value) then return value end
  local message = ("'%s' is no token: 32 hexadecimal digits, as the front end issues them"):format(value)
  -- --token takes all that follows it.
  if value:find "%.py$" then message = message .. "; name the program before --token" end
  return nil, message
end

--- For argparse: an option that takes one of some words. A list of choices in argparse prints them instead of the
--- argument's name in every usage line; this keeps those short.
---@param choices string[]
---@return fun(value:string):string|nil, string|nil
function options.one_of(choices)
  return function(value)
    for _, choice in ipairs(choices) do
      if value == choice then return value end
    end
    return nil, ("'%s' is not one of: %s"):format(value, table.concat(choices, ", "))
  end
end

--- Adds what every command takes.
---@param command table argparse's
---@return table command
function options.common(command)
  command:option "--config"
    :argname "FILE"
    :description("configuration to use instead of SUBMITTER_CONFIG or /etc/submitter/submitter.lua "
      .. "(with none of them, everything is embedded below ./var)")
  return command
end

--- Reads a file that the user named; "-" is standard input. Links and pipes are welcome here: the path is the user's
--- own.
---@param path string
---@return string|nil data
---@return string|nil message
---@return string|nil code
function options.read_file(path)
  if path == "" then return nil, "an empty path names no file", "usage" end
  local stream = io.stdin
  if path ~= "-" then
    local message
    stream, message = io.open(path, "rb")
    if not stream then return nil, ("can't read %s; check the path"):format(message), "usage" end
  end
  -- One byte more than allowed tells a file of exactly the limit from a larger one.
  local data, reason = stream:read(LIMIT_BYTES + 1)
  if path ~= "-" then stream:close() end
  if not data and reason then return nil, ("can't read %s: %s"):format(path, reason), "usage" end
  data = data or ""
  if #data > LIMIT_BYTES then
    return nil, ("%s holds more than %s; name a smaller file"):format(path, units.format_bytes(LIMIT_BYTES)), "usage"
  end
  return data
end

--- The configuration that counts for this call. From here on the log is written as it says, before anything is opened
--- that may have something to say.
---@async
---@param arguments table what argparse made
---@return table|nil configuration
---@return string|nil message
---@return string|nil code
function options.configuration(arguments)
  local settings, message = configuration.load { path = arguments.config }
  if not settings then return nil, message, "environment" end
  host.log.configure(settings.log)
  -- A command tells its user what went wrong; only a worker also tells its log.
  settings.is_command = arguments.command ~= "serve"
  return settings
end

--- Opens parts of what the configuration names, does something with them, and closes them again.
---@async
---@param arguments table what argparse made
---@param parts string[] of submitter.services: "var", "store", "queue", "policies", "jobs"
---@param body fun(services:Services):integer|nil, string|nil, string|nil
---@return integer|nil exit code
---@return string|nil message
---@return string|nil code
function options.with_services(arguments, parts, body)
  local settings, message, code = options.configuration(arguments)
  if not settings then return nil, message, code end
  local opened
  opened, message, code = services.open(settings, table.unpack(parts))
  if not opened then return nil, message, code end
  local result
  result, message, code = body(opened)
  opened:close()
  return result, message, code
end

return options
