--- `submitter notify`: a bucket's event in, messages in the queue.
local host = require "submitter.host"
local notify = require "submitter.notify"
local options = require "submitter.cli.options"
local submission = require "submitter.submission"
local terminal = require "submitter.cli.terminal"

local command = { name = "notify", summary = "queue what a bucket's event announces" }

function command.describe(parser)
  parser
    :description("Reads an event of the bucket (S3 notification, EventBridge, or either wrapped by SNS) and queues "
      .. "one message for each submission document in it, <admin>/<event>/<assignment>/<subid>/<subid>.json. "
      .. "Everything else in it is skipped, with the reason. A message itself is queued as it is: "
      .. "{\"subdata\": \"<key>\", \"mode\": \"grade\"} grades with the cases for the final mark.\n\n"
      .. "Example: submitter notify event.json")
    :argument "EVENT.json"
    :target "event"
    :argname "EVENT.json"
    :description "the event or message, a JSON file; - or nothing: standard input"
    :args "?"
end

-- The bodies to queue: of an event those of all its submissions, of a message its own.
local function read_bodies(event)
  if event.subdata == nil then return notify.messages(event) end
  local body = host.json.encode(event)
  local requests, message = submission.parse_message(body)
  if not requests then return nil, message end
  return { body }, {}
end

--- Queues what an event announces, or a message. `submitter submit` comes through here too.
---@async
---@param queue table
---@param event table decoded
---@return {id:string, body:string}[]|nil queued
---@return {key:string, reason:string}[]|string skipped, or the message
---@return string|nil code
function command.enqueue(queue, event)
  local bodies, skipped = read_bodies(event)
  if not bodies then return nil, skipped, "usage" end
  local queued = {}
  for _, body in ipairs(bodies) do
    local id, message = queue:send(body)
    if not id then return nil, message, "environment" end
    queued[#queued + 1] = { id = id, body = body }
  end
  return queued, skipped
end

function command.run(arguments)
  local path = arguments.event or "-"
  local data, message, code = options.read_file(path)
  if not data then return nil, message, code end
  data = data:gsub("^\xEF\xBB\xBF", "")
  local event
  if data:find "%S" then event, message = host.json.decode(data) else message = "it is empty" end
  if type(event) ~= "table" then
    return nil, ("%s holds no event: %s"):format(path == "-" and "standard input" or path,
      message or "a JSON object was expected"), "usage"
  end
  return options.with_services(arguments, { "queue" }, function(services)
    local queued, skipped, problem = command.enqueue(services.queue, event)
    if not queued then return nil, skipped, problem end
    for _, one in ipairs(queued) do
      io.stdout:write("queued   ", terminal.escape(one.body), "\n")
    end
    for _, one in ipairs(skipped) do
      local name = one.key == "" and "-" or terminal.escape(one.key)
      io.stdout:write("skipped  ", name, ": ", terminal.escape(one.reason), "\n")
    end
    if #queued == 0 and #skipped == 0 then io.stdout:write("nothing in it\n") end
    return 0
  end)
end

return command
