--- What every kind of queue takes as arguments. Misuse throws, and is told to whom called the queue.

local schema = require "submitter.schema"

local arguments = {}

--- The longest time that a message can be hidden: SQS's, and so every queue's.
arguments.visibility_limit_ms = 12 * 60 * 60 * 1000

local send_form = "queue:send(body, { delay_ms = … })"
local send_names = { delay_ms = true }

local function check(milliseconds, what, level)
  if math.type(milliseconds) ~= "integer" or milliseconds < 0 or milliseconds > arguments.visibility_limit_ms then
    error(("%s must be whole milliseconds from 0 to %d, found %s"):format(what, arguments.visibility_limit_ms,
      tostring(milliseconds)), level + 1)
  end
end

--- Checks a time for which a message is to be hidden.
---@param milliseconds any
---@param what string the argument's name
function arguments.check_hidden(milliseconds, what)
  check(milliseconds, what, 3)
end

--- Checks the arguments of a send.
---@param body any
---@param options any
---@return integer delay_ms default 0
function arguments.check_send(body, options)
  schema.check_options(options, send_names, send_form, 3)
  if type(body) ~= "string" then error(("expected %s, the body a text"):format(send_form), 3) end
  local delay_ms = options and options.delay_ms or 0
  check(delay_ms, "delay_ms", 3)
  return delay_ms
end

return arguments
