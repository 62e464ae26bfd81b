--- Amazon SQS on the wire: one queue, known by its URL, in the JSON protocol 1.0 with the error codes of the older query
--- protocol. What is asked and answered here is AWS's (the "Amazon SQS API Reference"); what a queue is to the worker is
--- submitter.queue.sqs.
---
--- Only these operations are used, so only these rights are needed: ReceiveMessage, SendMessage, DeleteMessageBatch,
--- ChangeMessageVisibilityBatch, GetQueueAttributes. The URL is never looked up.
local host = require "submitter.host"
local schema = require "submitter.schema"
local sqs_errors = require "submitter.aws.sqs_errors"
local units = require "submitter.units"
local url = require "submitter.aws.url"

local sqs = {}

--- SQS's own bounds ("Amazon SQS message quotas"). A queue takes 256 KiB or, when it is configured so, 1 MiB.
sqs.batch_limit = 10
sqs.wait_limit_s = 20
sqs.visibility_limit_s = 12 * 60 * 60
sqs.delay_limit_s = 15 * 60
sqs.message_limit_bytes = 1 << 20
sqs.message_usual_bytes = 256 << 10

-- Answers come fast or not at all. What keeps a message has to be tried again while it is still held.
local TIMEOUT_MS, BATCH_TIMEOUT_MS = 10 * 1000, 5 * 1000
-- Ten bodies of 1 MiB, some of their bytes escaped.
local ANSWER_LIMIT_BYTES = 32 << 20
-- Beside those that the SDKs try again.
local retried_codes = { KmsThrottled = true, OverLimit = true }

---@class SqsService
---@field url string
---@field name string of the queue
---@field fifo boolean
local Service = {}
Service.__index = Service

-- The URL ---------------------------------------------------------------------------------------------------------

local EXAMPLE = "https://sqs.eu-central-1.amazonaws.com/123456789012/submissions"

-- Where Amazon's hosts name their region: standard, FIPS, dual stack, interface endpoints (also with a zone), and the
-- two older forms.
local region_patterns = {
  "^sqs%.([%w-]+)%.amazonaws%.com", "^sqs%-fips%.([%w-]+)%.amazonaws%.com", "^sqs%.([%w-]+)%.api%.aws$",
  "^sqs%.([%w-]+)%.api%.amazonwebservices%.com%.cn$", "%.sqs%.([%w-]+)%.vpce%.amazonaws%.com",
  "^([%w-]+)%.queue%.amazonaws%.com",
}

local function region_of(host_name)
  for _, pattern in ipairs(region_patterns) do
    local region = host_name:match(pattern)
    if region then return region end
  end
  return host_name == "queue.amazonaws.com" and "us-east-1" or nil
end

local function wrong_url(reason)
  return nil, ("the queue's URL %s; it looks like %s and stands in the SQS console and in what create-queue prints")
    :format(reason, EXAMPLE)
end

--- Takes a queue's URL apart.
---@param text string
---@return {url:string, origin:string, name:string, region:string|nil, fifo:boolean}|nil
---@return string|nil message
function sqs.parse_url(text)
  if type(text) ~= "string" then return wrong_url("must be a text") end
  -- What stands before an "@" may be a password, so that nothing of it is shown.
  local shown = text:find("@", 1, true) and "" or ", found " .. units.format_text(text)
  if text:find "^arn:" then return wrong_url("is an ARN" .. shown) end
  local parts, flaw = url.parse(text)
  if not parts then return wrong_url(("can't be used: %s%s"):format(flaw, shown)) end
  if parts.query then return wrong_url("must not have a query (?)" .. shown) end
  local name = parts.path:match "^/([%w_.-]+)$" or parts.path:match "^/.*[^/]/([%w_.-]+)$"
  if not name then return wrong_url("must end in the queue's name" .. shown) end
  return {
    url = text, origin = ("%s://%s"):format(parts.scheme, parts.authority), name = name,
    region = region_of(parts.host), fifo = name:find "%.fifo$" ~= nil,
  }
end

-- Calls -----------------------------------------------------------------------------------------------------------

-- Where requests go: what the operator, the environment or the profile says, else where the queue's URL points.
---@async
local function address(self)
  local endpoint, message, code = self.client:find_endpoint()
  if not endpoint then return nil, message, code end
  local base = endpoint.custom and endpoint.url or self.origin
  return (base:gsub("/+$", "")) .. "/"
end

-- nil, message, code in the words of lua/submitter/README.md; details.code is AWS's.
local function failed(self, operation, message, code, details)
  details = details or {}
  details.code = code
  local remedy = sqs_errors.remedy(code, operation, self, details.status)
  return nil, ("the queue %s: %s%s"):format(self.name, message, remedy and "; " .. remedy or ""),
    sqs_errors.class(code, message, details), details
end

-- An answer that can't be true, whatever its status says.
local function bad_answer(self, operation, what)
  return failed(self, operation, ("SQS %s: %s"):format(operation, what), "unavailable")
end

--- One operation on the queue.
---@async
---@param operation string AWS's name of it
---@param input table its parameters; QueueUrl is added
---@param options {timeout_ms:integer|nil, wait_ms:integer|nil}|nil wait_ms: how long the answer may rightly take on top
---@return table|nil output
---@return string|nil message with what to do about it
---@return "unavailable"|"environment"|"lease_lost"|"too_large"|"message"|nil code
---@return table|nil details of the client; `code` is AWS's own
function Service:call(operation, input, options)
  local target, message, code = address(self)
  if not target then return failed(self, operation, message, code) end
  options = options or {}
  local timeout_ms = (options.timeout_ms or TIMEOUT_MS) + (options.wait_ms or 0)
  input.QueueUrl = self.url
  local output, response, details
  response, message, code, details = self.client:call {
    operation = operation, method = "POST", url = target,
    headers = {
      { "Content-Type", "application/x-amz-json-1.0" }, { "X-Amz-Target", "AmazonSQS." .. operation },
      { "x-amzn-query-mode", "true" },
    },
    body = host.json.encode(input), limit_bytes = ANSWER_LIMIT_BYTES,
    -- Nothing moves on the connection while a long poll waits: that is no stall.
    timeout_ms = timeout_ms, stall_ms = timeout_ms, long_poll = operation == "ReceiveMessage",
    read_error = sqs_errors.read, retried_codes = retried_codes,
    verify = function(answer)
      output = host.json.decode(answer.body == "" and "{}" or answer.body)
      if type(output) == "table" then return nil end
      return "BadAnswer", "the answer isn't JSON; is a proxy or another server in the way?"
    end,
  }
  if not response then return failed(self, operation, message, code, details) end
  return output
end

-- Receiving -------------------------------------------------------------------------------------------------------

local system_attributes = {
  "ApproximateReceiveCount", "SentTimestamp", "ApproximateFirstReceiveTimestamp", "DeadLetterQueueSourceArn",
}

local function whole(text)
  return type(text) == "string" and text:find "^%d+$" and math.tointeger(tonumber(text)) or nil
end

-- Texts and numbers that were sent along with a message; what can't be read as one isn't ours.
local function texts_of(given)
  local texts = {}
  for name, value in pairs(type(given) == "table" and given or {}) do
    if type(value) == "table" and type(value.StringValue) == "string" then texts[name] = value.StringValue end
  end
  return texts
end

-- A message of the answer. `damaged` says why it must not be handled.
local function read_message(given)
  if type(given) ~= "table" then given = {} end
  local attributes = type(given.Attributes) == "table" and given.Attributes or {}
  local message = {
    id = type(given.MessageId) == "string" and given.MessageId or "?", body = given.Body, receipt = given.ReceiptHandle,
    receives = whole(attributes.ApproximateReceiveCount) or 1, sent_ms = whole(attributes.SentTimestamp),
    first_received_ms = whole(attributes.ApproximateFirstReceiveTimestamp),
    source_arn = attributes.DeadLetterQueueSourceArn, attributes = texts_of(given.MessageAttributes),
  }
  if type(message.receipt) ~= "string" or message.id == "?" then
    message.receipt, message.damaged = nil, "it came without an id or a receipt handle"
  elseif type(message.body) ~= "string" then
    message.damaged = "it came without a body"
  elseif given.MD5OfBody ~= host.digest.md5(message.body) then
    message.damaged = "its body doesn't have the MD5 that came with it"
  end
  return message
end

--- Receives up to ten messages.
---@async
---@param options {max:integer, wait_s:integer, visibility_s:integer, with_attributes:boolean|nil, attempt:string|nil}
--- attempt: for a FIFO queue, which gives the same messages again to who repeats it
---@return table[]|nil each with id, body, receipt, receives, sent_ms, first_received_ms, source_arn, attributes; and
--- `damaged`, a reason, where it must not be handled
---@return string|nil message
---@return string|nil code
function Service:receive(options)
  local names = host.json.array { table.unpack(system_attributes) }
  local output, message, code = self:call("ReceiveMessage", {
    MaxNumberOfMessages = options.max, WaitTimeSeconds = options.wait_s, VisibilityTimeout = options.visibility_s,
    -- Servers from before 2024 know the second name only.
    MessageSystemAttributeNames = names, AttributeNames = names,
    MessageAttributeNames = options.with_attributes and host.json.array { "All" } or nil,
    ReceiveRequestAttemptId = self.fifo and options.attempt or nil,
  }, { wait_ms = options.wait_s * 1000 })
  if not output then return nil, message, code end
  local given = output.Messages
  if given == nil or given == host.json.null then return {} end
  if type(given) ~= "table" then
    return bad_answer(self, "ReceiveMessage", "the answer's Messages are no list")
  end
  local messages = {}
  for index, one in ipairs(given) do messages[index] = read_message(one) end
  return messages
end

-- Sending ---------------------------------------------------------------------------------------------------------

-- MD5 of a message's attributes as SQS computes it: sorted by name, each as length and bytes of name and type, the kind
-- of value (1: text), length and bytes of the value ("Calculating the MD5 message digest for message attributes").
local function attributes_md5(attributes)
  local names, parts = {}, {}
  for name in pairs(attributes) do names[#names + 1] = name end
  table.sort(names)
  for index, name in ipairs(names) do
    local one = attributes[name]
    parts[index] = (">s4s4Bs4"):pack(name, one.DataType, 1, one.StringValue)
  end
  return host.digest.md5(table.concat(parts))
end

-- Did the queue get what was sent?
local function check_sent(self, output, body, attributes)
  local what
  local md5 = attributes and output.MD5OfMessageAttributes
  if type(output.MessageId) ~= "string" then
    what = "the answer names no message"
  elseif output.MD5OfMessageBody ~= host.digest.md5(body) then
    what = "the queue got another body than was sent (their MD5s differ)"
  elseif md5 and md5 ~= attributes_md5(attributes) then
    what = "the queue got other attributes than were sent (their MD5s differ)"
  end
  if what then return bad_answer(self, "SendMessage", what) end
  return output.MessageId
end

--- Sends a message, and checks that the queue got what was sent.
---@async
---@param body string
---@param options {delay_s:integer|nil, attributes:table<string, {DataType:string, StringValue:string}>|nil,
--- group:string|nil, deduplication:string|nil}|nil the last two count for a FIFO queue, which needs both
---@return string|nil id
---@return string|nil message
---@return "unavailable"|"environment"|"too_large"|"message"|nil code
function Service:send(body, options)
  options = options or {}
  local attributes = options.attributes and next(options.attributes) and options.attributes or nil
  local output, message, code = self:call("SendMessage", {
    MessageBody = body, MessageAttributes = attributes,
    DelaySeconds = not self.fifo and options.delay_s or nil,
    MessageGroupId = self.fifo and options.group or nil,
    MessageDeduplicationId = self.fifo and options.deduplication or nil,
  })
  if not output then return nil, message, code end
  return check_sent(self, output, body, attributes)
end

-- Batches ---------------------------------------------------------------------------------------------------------

local function entry_failure(self, operation, entry)
  local aws_code = sqs_errors.canonical(entry.Code)
  local reason = type(entry.Message) == "string" and entry.Message or "no reason given"
  local class = sqs_errors.class(aws_code, reason)
  -- SQS's text quotes the receipt handle, hundreds of letters that tell nobody anything.
  local message = class == "lease_lost" and sqs_errors.lost(reason) or units.format_text(reason)
  local _
  _, message = failed(self, operation, ("SQS %s: %s: %s"):format(operation, aws_code, message), aws_code)
  return { ok = false, message = message, code = class, again = entry.SenderFault == false }
end

local function by_id(list)
  local found = {}
  for _, one in ipairs(type(list) == "table" and list or {}) do
    if type(one) == "table" and type(one.Id) == "string" then found[one.Id] = one end
  end
  return found
end

-- Sends entries (SQS's own fields, Id apart) and returns what became of each, in their order.
local function batch(self, operation, entries)
  for index, entry in ipairs(entries) do entry.Id = tostring(index) end
  local output, message, code = self:call(operation, { Entries = host.json.array(entries) },
    { timeout_ms = BATCH_TIMEOUT_MS })
  if not output then return nil, message, code end
  local done, undone, outcomes = by_id(output.Successful), by_id(output.Failed), {}
  for index, entry in ipairs(entries) do
    if undone[entry.Id] then
      outcomes[index] = entry_failure(self, operation, undone[entry.Id])
    elseif done[entry.Id] then
      outcomes[index] = { ok = true }
    else
      -- Both operations may be repeated without harm.
      outcomes[index] = { ok = false, code = "unavailable", again = true,
        message = ("the queue %s: SQS %s: the answer says nothing about this message"):format(self.name, operation) }
    end
  end
  return outcomes
end

--- Deletes up to ten messages.
---@async
---@param receipts string[]
---@return {ok:boolean, message:string|nil, code:string|nil, again:boolean|nil}[]|nil in the order of the receipts;
--- again: it may be tried once more
---@return string|nil message
---@return string|nil code
function Service:delete(receipts)
  local entries = {}
  for index, receipt in ipairs(receipts) do entries[index] = { ReceiptHandle = receipt } end
  return batch(self, "DeleteMessageBatch", entries)
end

--- Sets for how long up to ten messages stay hidden from now.
---@async
---@param changes {receipt:string, seconds:integer}[]
---@return {ok:boolean, message:string|nil, code:string|nil, again:boolean|nil}[]|nil as of delete
---@return string|nil message
---@return string|nil code
function Service:change_visibility(changes)
  local entries = {}
  for index, change in ipairs(changes) do
    entries[index] = { ReceiptHandle = change.receipt, VisibilityTimeout = change.seconds }
  end
  return batch(self, "ChangeMessageVisibilityBatch", entries)
end

--- How many messages there are, as well as SQS knows: its counts settle about a minute after the last change.
---@async
---@return {visible:integer, hidden:integer, delayed:integer, max_receives:integer|nil}|nil max_receives: of the redrive
--- policy; nil without one
---@return string|nil message
---@return string|nil code
function Service:counts()
  local output, message, code = self:call("GetQueueAttributes", { AttributeNames = host.json.array {
    "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
    "RedrivePolicy",
  } })
  if not output then return nil, message, code end
  local given = type(output.Attributes) == "table" and output.Attributes or {}
  local visible = whole(given.ApproximateNumberOfMessages)
  if not visible then
    return bad_answer(self, "GetQueueAttributes", "the answer holds no counts")
  end
  local redrive = type(given.RedrivePolicy) == "string" and host.json.decode(given.RedrivePolicy)
  return {
    visible = visible, hidden = whole(given.ApproximateNumberOfMessagesNotVisible) or 0,
    delayed = whole(given.ApproximateNumberOfMessagesDelayed) or 0,
    max_receives = type(redrive) == "table" and whole(tostring(redrive.maxReceiveCount)) or nil,
  }
end

-- Opening ---------------------------------------------------------------------------------------------------------

local known = { session = true, url = true, region = true, endpoint = true, client = true }

--- One queue of SQS. Nothing is asked of AWS yet.
---@param options {session:table, url:string, region:string|nil, endpoint:string|nil, client:table|nil} region: where the
--- URL doesn't tell; endpoint: instead of the URL's own host; client: default submitter.aws.client
---@return SqsService|nil
---@return string|nil message
---@return "environment"|nil code
function sqs.open(options)
  schema.check_options(options, known, "sqs.open{ session =, url =, region =, endpoint = }")
  local parts, message = sqs.parse_url(options.url)
  if not parts then return nil, message, "environment" end
  if options.region and parts.region and options.region ~= parts.region then
    return nil, ("the queue's URL is in the region %s, but region says %s; leave region out"):format(parts.region,
      options.region), "environment"
  end
  local region = parts.region or options.region
  local client = options.client or require("submitter.aws.client").new {
    session = options.session, service = "sqs", region = region, endpoint = options.endpoint,
  }
  return setmetatable({
    client = client, url = parts.url, origin = parts.origin, name = parts.name, fifo = parts.fifo, region = region,
  }, Service)
end

return sqs
