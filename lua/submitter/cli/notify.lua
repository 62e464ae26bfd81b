--- `submitter notify`: a bucket's event in, messages in the queue. Started by AWS Lambda it is the function's runtime.
local delivery = require "submitter.notify.delivery"
local json_object = require "submitter.json_object"
local options = require "submitter.cli.options"
local services = require "submitter.services"
local terminal = require "submitter.cli.terminal"

local command = { name = "notify", summary = "queue what a bucket's event announces" }

function command.describe(parser)
  parser
    :description("Reads an event of the bucket (S3 notification, EventBridge, or either wrapped by SNS) and queues "
      .. "one message for each submission document in it, <admin>/<event>/<assignment>/<subid>/<subid>.json. "
      .. "Everything else in it is skipped, with the reason. A record that can't be read is told on standard error, "
      .. "and the others are queued: exit code 1. A message itself is queued as it is: "
      .. "{\"subdata\": \"<key>\", \"mode\": \"grade\"} grades with the cases for the final mark.\n\n"
      .. "Without a file and with AWS_LAMBDA_RUNTIME_API set, as AWS Lambda sets it, this is the function's runtime: "
      .. "see docker/lambda/README.md.\n\n"
      .. "Example: submitter notify event.json")
    :argument "EVENT.json"
    :target "event"
    :argname "EVENT.json"
    :description "the event or message, a JSON file; - or nothing: standard input"
    :args "?"
end

-- As a function of AWS Lambda, until Lambda ends it.
local function run_function(arguments, address)
  -- Few start like this; the others need not load it.
  local lambda = require "submitter.lambda"
  return lambda.run({ address = address }, function(serve)
    local settings, message, code = options.configuration(arguments)
    if not settings then return nil, message, code end
    if settings.queue.kind == "directory" and not settings.file and not os.getenv "SUBMITTER_VAR" then
      return nil, "no queue is configured, and a folder of the function's own would lose the messages: set "
        .. "SUBMITTER_QUEUE_URL", "environment"
    end
    local opened
    opened, message, code = services.open(settings, "queue")
    if not opened then return nil, message, code end
    local result
    result, message, code = serve(opened.queue)
    opened:close()
    return result, message, code
  end)
end

local function report(delivered)
  for _, one in ipairs(delivered.queued) do
    io.stdout:write("queued   ", terminal.escape(one.body), "\n")
  end
  for _, one in ipairs(delivered.skipped) do
    local name = one.key == "" and "-" or terminal.escape(one.key)
    io.stdout:write("skipped  ", name, ": ", terminal.escape(one.reason), "\n")
  end
  if #delivered.queued + #delivered.skipped + #delivered.failed == 0 then io.stdout:write("nothing in it\n") end
  for _, one in ipairs(delivered.failed) do
    io.stderr:write("submitter notify: ", terminal.escape(one.reason), "\n")
  end
  local missed = #delivered.messages - #delivered.queued
  if missed > 0 then
    return nil, ("%d of %d messages couldn't be queued; notify once more when the queue takes them"):format(missed,
      #delivered.messages), "environment"
  end
  return #delivered.failed == 0 and 0 or 1
end

function command.run(arguments)
  local address = os.getenv "AWS_LAMBDA_RUNTIME_API"
  if not arguments.event and address and address ~= "" then return run_function(arguments, address) end
  local path = arguments.event or "-"
  local data, message, code = options.read_file(path)
  if not data then return nil, message, code end
  local what = path == "-" and "standard input" or path
  local event, delivered
  event, message = json_object.decode(data, what)
  if not event then return nil, message, "usage" end
  delivered, message = delivery.read(event, data)
  if not delivered then return nil, ("%s: %s"):format(what, message), "usage" end
  return options.with_services(arguments, { "queue" }, function(opened)
    delivered:send(opened.queue)
    return report(delivered)
  end)
end

return command
