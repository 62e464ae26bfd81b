--- Dead letters on SQS: the message's body as it was, and why it was given up in the attributes of a message of another
--- queue. Pure, apart from the clock.
---
--- What the queue's own redrive policy moved there has no such attributes, and is read as a letter all the same.
local host = require "submitter.host"
local sqs = require "submitter.aws.sqs"

local sqs_letters = {}

-- A reason may quote what others wrote at any length.
local REASON_LIMIT_BYTES = 8 << 10
-- With less left of it, it says nothing.
local REASON_LEAST_BYTES = 64

-- ---- what SQS takes ----

-- SQS takes the characters of XML 1.0: #x9, #xA, #xD, #x20–#xD7FF, #xE000–#xFFFD, #x10000–#x10FFFF. Of what is valid
-- UTF-8 that leaves out these (U+FFFE and U+FFFF are EF BF BE and EF BF BF).
local refused_patterns = { "[\0-\8\11\12\14-\31]", "\xef\xbf[\xbe\xbf]" }

--- Where a text holds something that SQS refuses.
---@param text string
---@return integer|nil offset of its first byte, from 0; nil when SQS takes all of it
function sqs_letters.refused(text)
  local _, first = utf8.len(text)
  for _, pattern in ipairs(refused_patterns) do
    local at = text:find(pattern)
    if at and (not first or at < first) then first = at end
  end
  return first and first - 1
end

-- The same with the replacement character in the place of each.
local function allowed(text)
  text = host.text.repair(text)
  for _, pattern in ipairs(refused_patterns) do text = text:gsub(pattern, "\u{fffd}") end
  return text
end

-- ---- writing ----

local function attribute(value)
  if math.type(value) == "integer" then return { DataType = "Number", StringValue = tostring(value) } end
  -- An attribute must not be empty.
  return { DataType = "String", StringValue = value ~= "" and value or "-" }
end

local function size_of(attributes)
  local bytes = 0
  for name, one in pairs(attributes) do bytes = bytes + #name + #one.DataType + #one.StringValue end
  return bytes
end

local function cut(reason, limit_bytes)
  reason = allowed(reason)
  if #reason <= limit_bytes then return reason end
  local note = ("… (cut, it had %d bytes)"):format(#reason)
  return allowed(reason:sub(1, limit_bytes - #note - #"\u{fffd}")) .. note
end

--- The attributes of a letter, so many that it fits: name, type and value of each count as much as the body.
---@param message Message
---@param reason string
---@param class string
---@return table<string, {DataType:string, StringValue:string}>
function sqs_letters.attributes(message, reason, class)
  local limit_bytes = #message.body <= sqs.message_usual_bytes and sqs.message_usual_bytes or sqs.message_limit_bytes
  local attributes = {
    Class = attribute(allowed(class:sub(1, 100))), MessageId = attribute(message.id),
    Receives = attribute(message.receives), SentMs = attribute(message.sent_ms),
    Failures = attribute(message.failures + 1), -- what made it a letter is one, too
    DiedMs = attribute(host.clock.now_ms()),
  }
  local left_bytes = limit_bytes - #message.body - size_of(attributes) - #"Reason" - #"String"
  if left_bytes >= REASON_LEAST_BYTES then
    attributes.Reason = attribute(cut(reason, math.min(left_bytes, REASON_LIMIT_BYTES)))
  end
  -- The body is what must not be lost; the log has the rest.
  return left_bytes >= 0 and attributes or {}
end

-- ---- reading ----

local function whole(text)
  return text and text:find "^%d+$" and math.tointeger(tonumber(text)) or nil
end

local function redriven(message)
  return ("the redrive policy of %s put it here after it was received too often: its workers were killed, or could not "
    .. "say what became of it"):format(message.source_arn or "its queue")
end

--- A received message of the dead letter queue as a letter.
---@param message table of SqsService:receive
---@return DeadLetter id is that of the message in the dead letter queue; `message_id` the original's; `receipt`
function sqs_letters.read(message)
  local given, sent_ms = message.attributes, message.sent_ms or host.clock.now_ms()
  local own = given.Class ~= nil
  return {
    id = message.id, body = message.body, receipt = message.receipt, message_id = given.MessageId,
    class = given.Class or "redrive",
    reason = given.Reason or own and "no reason came with it; the log of the worker has it" or redriven(message),
    receives = whole(given.Receives) or message.receives, failures = whole(given.Failures) or 0,
    sent_ms = whole(given.SentMs) or sent_ms,
    died_ms = whole(given.DiedMs) or message.first_received_ms or sent_ms,
  }
end

return sqs_letters
