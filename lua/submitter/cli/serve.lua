--- `submitter serve`: the worker.
local duties = require "submitter.duties"
local options = require "submitter.cli.options"
local worker = require "submitter.worker"

local command = { name = "serve", summary = "poll, grade and publish until SIGTERM" }

function command.describe(parser)
  parser:description("Takes messages from the queue, grades the submissions that they announce, several at a time, "
    .. "and publishes the reports in the bucket. SIGTERM or SIGINT: finishes what runs, takes nothing new, exits 0. "
    .. "The log goes to standard error, for people on a terminal and as JSON lines otherwise.\n\nExample: submitter "
    .. "serve --once")
  parser:flag "--once"
    :description "end when no message is left, visible or not"
end

function command.run(arguments)
  return options.with_services(arguments, { "store", "queue", "cases", "policies", "jobs" }, function(services)
    services.duties = duties.of(services)
    local one, message, code = worker.new(services)
    if not one then return nil, message, code end
    local ran
    ran, message, code = one:run { once = arguments.once or false }
    if not ran then return nil, message, code end
    return 0
  end)
end

return command
