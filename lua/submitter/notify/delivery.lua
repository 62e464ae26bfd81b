--- An event on its way into a queue: what of it was queued, what wasn't, and why. The command line and the Lambda
--- function differ only in whom they tell.

local notify = require "submitter.notify"
local schema = require "submitter.schema"

local delivery = {}

---@class Delivery
---@field messages Announcement[] in the event's order
---@field skipped Skipped[]
---@field queued {id:string, body:string, index:integer|nil}[]
---@field failed {index:integer|nil, reason:string, code:string}[] code "message": a record that can't be read, or can't
--- be queued by any queue of this kind; every other: a message that the queue didn't take now
local Delivery = {}
Delivery.__index = Delivery

--- Reads an event. Nothing is sent yet.
---@param event table decoded JSON
---@param text string|nil what it was decoded from
---@return Delivery|nil nil: the event as a whole can't be read
---@return string|nil message
---@return "message"|nil code
function delivery.read(event, text)
  local messages, skipped, failed = notify.messages(event, text)
  if not messages then
    return nil, skipped, failed
  end
  local self = setmetatable({ messages = messages, skipped = skipped, queued = {}, failed = {}, tried = 0 }, Delivery)
  for index, one in ipairs(failed) do
    self.failed[index] = { index = one.index, reason = one.reason, code = "message" }
  end
  return self
end

-- The first record, in the event's order, that came to nothing.
local function first_failed(self)
  local first = math.huge
  for _, one in ipairs(self.failed) do
    first = math.min(first, one.index or 1)
  end
  return first
end

--- Queues the messages. One that the queue doesn't take is listed in `failed` and the next is tried; with `in_order`
--- nothing is sent from the first record on that came to nothing. When this is cancelled, what was done stands.
---@async
---@param queue table
---@param options {in_order:boolean|nil}|nil
function Delivery:send(queue, options)
  schema.check_options(options, { in_order = true }, "delivery:send(queue, { in_order = … })")
  local in_order = options ~= nil and options.in_order
  for position = self.tried + 1, #self.messages do
    local one = self.messages[position]
    if in_order and (one.index or 1) >= first_failed(self) then
      return
    end
    local id, message, code = queue:send(one.body)
    self.tried = position
    if id then
      self.queued[#self.queued + 1] = { id = id, body = one.body, index = one.index }
    else
      self.failed[#self.failed + 1] = { index = one.index, reason = message, code = code or "unavailable" }
    end
  end
end

--- The messages that were not tried: `send` was cancelled, or stopped at a failure.
---@return Announcement[]
function Delivery:unsent()
  return table.move(self.messages, self.tried + 1, #self.messages, 1, {})
end

return delivery
