--- `submitter health`: whether the worker of this machine does its work, in a word and an exit code, for whoever restarts it.
local host = require "submitter.host"
local options = require "submitter.cli.options"
local terminal = require "submitter.cli.terminal"
local workers = require "submitter.cli.workers"

local command = { name = "health", summary = "whether the worker lives and hears of its queue" }

--- For so long a worker may give no sign of life, which it does every five seconds.
local SILENCE_MS = 30000
--- For so long its queue may give no good answer. It is asked at least every twenty seconds, and while it refuses, each minute.
local NO_POLL_MS = 150000

local function process(value)
  local number = math.tointeger(tonumber(value))
  if number and number >= 1 then return number end
  return nil, ("--pid takes the number of a process, not '%s'"):format(value)
end

function command.describe(parser)
  parser:description("Exits 0 if the worker of this machine, or of this container, gave a sign of life within 30 "
    .. "seconds and, where it has a slot free, heard of its queue within two and a half minutes; else 1, and says "
    .. "which. Nobody else is asked, so this costs little.\n\nFor what restarts a worker take --alive: an outage of "
    .. "the queue isn't mended by that.\n\nExample: submitter health --alive")
  parser:option("--pid"):argname("N"):convert(process)
    :description "only the worker that is this process"
  parser:flag "--alive"
    :description "don't ask whether its queue answers, only whether it hangs"
end

local function is_of(name, pid)
  local machine, number = name:match "^(.*)%-(%d+)%-%x+$"
  local own = host.system.hostname():gsub("[^%w%.]", "_"):sub(1, 64)
  return machine == own and (pid == nil or tonumber(number) == pid)
end

local function seconds(milliseconds)
  return ("%d s"):format(math.max(0, milliseconds) // 1000)
end

--- What is wrong with a worker.
---@param worker WorkerSeen
---@param now_ms integer
---@param alive_only boolean|nil
---@return string|nil problem nil: nothing is
function command.judge(worker, now_ms, alive_only)
  if not worker.alive_ms then return "it hasn't given a sign of life yet" end
  if now_ms - worker.alive_ms > SILENCE_MS then
    return ("it hangs: no sign of life for %s"):format(seconds(now_ms - worker.alive_ms))
  end
  if not alive_only and now_ms - (worker.due_ms or 0) > NO_POLL_MS then
    return ("its queue gave no answer for %s: %s"):format(seconds(now_ms - (worker.due_ms or 0)),
      worker.problem or "it doesn't say why")
  end
  return nil
end

function command.run(arguments)
  return options.with_services(arguments, { "var" }, function(services)
    local found, message = workers.look(services.directory)
    if not found then return nil, message, "environment" end
    local now_ms, count, problems = host.clock.now_ms(), 0, 0
    for _, worker in ipairs(found) do
      if is_of(worker.name, arguments.pid) then
        local problem = command.judge(worker, now_ms, arguments.alive)
        count, problems = count + 1, problems + (problem and 1 or 0)
        io.stdout:write(terminal.escape(("%s: %s"):format(worker.name, problem or "well")), "\n")
      end
    end
    if count == 0 then io.stdout:write("no worker runs here\n") end
    return count > 0 and problems == 0 and 0 or 1
  end)
end

return command
