--- The command line. Each command is a file of this folder:
---
---     { name, summary, describe = function(command) … end, run = function(arguments, command) … end }
---
--- `describe` adds what it takes to an argparse command; `run` returns the exit code, or `nil, message, code` when it
--- couldn't do its work. Exit codes: 0 done, 1 done and something failed to pass, 2 usage, 3 environment, 4 internal.
local argparse = require "argparse"
local host = require "submitter.host"
local options = require "submitter.cli.options"

local cli = {}

cli.exit = { done = 0, failed = 1, usage = 2, environment = 3, internal = 4 }

--- In the order of the help.
local names = {
  "serve", "grade", "submit", "notify", "status", "health", "deadletters", "cases", "database", "results", "regrade",
  "purge", "doctor",
}

-- The commands that this call can be about: the one that is named first, so that its start doesn't pay for all others; or all
-- of them, for the help and for a name that nobody knows.
local function load_commands(first)
  for _, name in ipairs(names) do
    if name == first then return { (require("submitter.cli." .. name)) } end
  end
  local all = {}
  for index, name in ipairs(names) do all[index] = require("submitter.cli." .. name) end
  return all
end

-- argparse prints and ends the process by itself; these take that out of it, so that `main` alone decides how a call
-- ends.
local Finished, Misused = {}, {}

local function give_help(parser)
  parser:add_help {
    description = "show this help and exit",
    action = function() error(setmetatable({ text = parser:get_help() }, Finished), 0) end,
  }
end

local function prepare(parser)
  give_help(parser)
  for _, command in ipairs(parser._commands) do prepare(command) end
end

local function build(commands)
  local parser = argparse("submitter")
    :description("Grades students' programs: takes each from a bucket when a queue announces it, runs it in a sandbox "
      .. "on an instructor's cases, compares, and publishes a report.")
    :epilog("Exit codes: 0 done (grade, submit --wait: all passed), 1 done and something failed to pass, 2 usage, 3 "
      .. "environment, 4 internal.\n\nsubmitter COMMAND --help explains a command.")
    :command_target("command")
    :require_command(true)
    :help_max_width(100)
    :usage_max_width(100)
  parser:flag "--version"
    :description "show the version and exit"
    :action(function()
      error(setmetatable({ text = "submitter " .. host.system.version() }, Finished), 0)
    end)
  for _, command in ipairs(commands) do
    command.describe(options.common(parser:command(command.name):summary(command.summary)))
  end
  -- `run` is the host's own, in C: it must work without any of this. Here it is only explained.
  parser:command("run")
    :summary "run a Lua script in the host, with its C modules"
    :description("Runs a Lua script as lua5.4 would, inside the host: the modules submitter.core.* are there and what "
      .. "waits may be called at the script's top level.\n\nExample: submitter run spec/demo.lua")
    :argument("script"):argname("SCRIPT.lua [ARG…]"):args("*")
  function parser.error(parser_that_failed, message)
    error(setmetatable({ command = parser_that_failed:_get_fullname(true), message = message }, Misused), 0)
  end
  prepare(parser)
  return parser
end

local function complain(name, message)
  local who = name and name ~= "" and "submitter " .. name or "submitter"
  io.stderr:write(who, ": ", host.text.escape(message, { keep_newlines = true }), "\n")
end

-- What was printed may be a report that somebody relies on: a full disk must not pass for success.
local function finish(name, code)
  local flushed, problem = io.stdout:flush()
  if flushed then return code end
  complain(name, "can't write to standard output: " .. tostring(problem))
  return cli.exit.environment
end

--- An error with where it was raised; one that has passed through here already keeps what it has.
local function with_traceback(problem)
  problem = tostring(problem)
  if not problem:find("\nstack traceback:", 1, true) then problem = debug.traceback(problem, 2) end
  return (problem:gsub("\t", "  "))
end

--- Runs one command.
---@async
---@param arguments string[] what follows the program's name
---@return integer exit code
function cli.main(arguments)
  local commands = load_commands(arguments[1])
  local parser = build(commands)
  local parsed_well, parsed = pcall(parser.parse, parser, arguments)
  if not parsed_well then
    local kind = getmetatable(parsed)
    if kind == Finished then
      io.stdout:write(parsed.text, "\n")
      return finish(nil, cli.exit.done)
    elseif kind == Misused then
      complain(parsed.command, parsed.message)
      io.stderr:write("Try: submitter ", parsed.command, parsed.command ~= "" and " " or "", "--help\n")
      return cli.exit.usage
    end
    error(parsed, 0)
  end

  for _, command in ipairs(commands) do
    if command.name == parsed.command then
      local ran, code, message, kind = xpcall(command.run, with_traceback, parsed)
      if not ran then
        complain(command.name, "internal error, please report it:\n" .. code)
        return cli.exit.internal
      end
      if code == nil then
        io.stdout:flush()
        complain(command.name, message)
        return cli.exit[kind] or cli.exit.environment
      end
      return finish(command.name, code)
    end
  end
  complain(nil, "'run' is the program's own; start it as build/submitter run SCRIPT.lua")
  return cli.exit.usage
end

return cli
