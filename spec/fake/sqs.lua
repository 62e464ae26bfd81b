--- SQS in memory, behind the interface of submitter.aws.client: queues by URL with visibility time-outs, receipt handles,
--- receive counts, long polls, delays, redrive, batches and the JSON protocol's answers. Faithful where a consumer can
--- tell: a handle counts until its message is received again; deleting with an old one says yes and does nothing;
--- changing visibility with one is refused in SQS's words; none is hidden for longer than 12 hours from its receipt.
---
--- Switches: `server.fault(operation, input)` may return { status =, code =, query =, message = } (an answer), { class =,
--- message = } (none), { body = } (this one instead), { after = } (the same after carrying it out), { hang = true }.
--- `server.entry_fault(operation, entry)` may return a Failed entry's fields. `server.second_ms` is how long a second
--- takes. `server:advance(seconds)` lets time pass. `server.calls` lists the operations with their input.
local host = require "submitter.host"

-- Its own, whatever a spec makes of the client's.
local monotonic_ms = host.clock.monotonic_ms

local Server = {}
Server.__index = Server

local UNKNOWN_QUEUE = {
  status = 400, code = "com.amazonaws.sqs#QueueDoesNotExist", query = "AWS.SimpleQueueService.NonExistentQueue;Sender",
  message = "The specified queue does not exist.",
}

local function refused(code, message)
  return { status = 400, code = "com.amazonaws.sqs#" .. code, query = code .. ";Sender", message = message }
end

--- Seconds on the server's clock.
function Server:now_s()
  return (monotonic_ms() - self.started_ms) / self.second_ms + self.advanced_s
end

--- Lets time pass at once.
function Server:advance(seconds)
  self.advanced_s = self.advanced_s + seconds
  self.changed:set()
end

--- Makes a queue, empty. redrive = { queue =, most = }: after so many receipts messages go to that queue.
function Server:make(url, redrive)
  self.queues[url] = { messages = {}, redrive = redrive }
  return url
end

--- The messages of a queue, in the order of their arrival.
function Server:messages(url)
  return self.queues[url].messages
end

local operations = {}

local function insert(self, queue, message)
  queue.messages[#queue.messages + 1] = message
  self.changed:set()
end

function operations:SendMessage(queue, input)
  if #input.MessageBody > self.limit_bytes then
    return refused("InvalidParameterValue", ("One or more parameters are invalid. Reason: Message must be shorter than "
      .. "%d bytes."):format(self.limit_bytes))
  end
  self.count = self.count + 1
  local id = ("message-%d"):format(self.count)
  insert(self, queue, {
    id = id, body = input.MessageBody, attributes = input.MessageAttributes, receives = 0, sent_ms = 1700000000000,
    visible_s = self:now_s() + (input.DelaySeconds or 0), group = input.MessageGroupId,
    deduplication = input.MessageDeduplicationId,
  })
  return { MessageId = id, MD5OfMessageBody = host.digest.md5(input.MessageBody) }
end

-- Moves what was received too often.
local function redrive(self, queue)
  if not queue.redrive then return end
  local now_s = self:now_s()
  for index = #queue.messages, 1, -1 do
    local message = queue.messages[index]
    if message.visible_s <= now_s and message.receives >= queue.redrive.most then
      table.remove(queue.messages, index)
      message.source_arn = "arn:aws:sqs:eu-central-1:123456789012:submissions"
      insert(self, self.queues[queue.redrive.queue], message)
    end
  end
end

local function take(self, queue, input)
  redrive(self, queue)
  local taken, now_s = {}, self:now_s()
  for _, message in ipairs(queue.messages) do
    if #taken < input.MaxNumberOfMessages and message.visible_s <= now_s then
      message.receives = message.receives + 1
      message.first_s = message.first_s or now_s
      message.received_s, message.visible_s = now_s, now_s + input.VisibilityTimeout
      self.handles = self.handles + 1
      message.handle = ("AQ%06d"):format(self.handles)
      taken[#taken + 1] = {
        MessageId = message.id, ReceiptHandle = message.handle, Body = message.body,
        MD5OfBody = message.damaged and ("0"):rep(32) or host.digest.md5(message.body),
        Attributes = {
          ApproximateReceiveCount = tostring(message.receives), SentTimestamp = tostring(message.sent_ms),
          ApproximateFirstReceiveTimestamp = tostring(message.sent_ms + 1000),
          DeadLetterQueueSourceArn = message.source_arn,
        },
        MessageAttributes = input.MessageAttributeNames and message.attributes or nil,
      }
    end
  end
  return taken
end

-- When the next hidden message comes back, in milliseconds from now.
local function next_ms(self, queue, until_s)
  local first_s = until_s
  for _, message in ipairs(queue.messages) do first_s = math.min(first_s, message.visible_s) end
  return math.max(1, math.ceil((first_s - self:now_s()) * self.second_ms))
end

function operations:ReceiveMessage(queue, input)
  local until_s = self:now_s() + input.WaitTimeSeconds
  local taken = take(self, queue, input)
  while #taken == 0 and self:now_s() < until_s do
    self.changed:clear()
    self.changed:wait(next_ms(self, queue, until_s))
    if self.queues[input.QueueUrl] ~= queue then return UNKNOWN_QUEUE end
    taken = take(self, queue, input)
  end
  return { Messages = #taken > 0 and host.json.array(taken) or nil }
end

local function find(queue, handle)
  for index, message in ipairs(queue.messages) do
    if message.handle == handle then return message, index end
  end
end

local function batch(self, operation, queue, input, act)
  local successful, failed = host.json.array {}, host.json.array {}
  assert(#input.Entries >= 1 and #input.Entries <= 10, "a batch has one to ten entries")
  local ids = {}
  for _, entry in ipairs(input.Entries) do
    assert(not ids[entry.Id] and entry.Id:find "^[%w_-]+$", "ids of a batch are distinct")
    ids[entry.Id] = true
    local fault = self.entry_fault(operation, entry) or act(queue, entry)
    if fault then
      failed[#failed + 1] = { Id = entry.Id, Code = fault.code, Message = fault.message, SenderFault = not fault.ours }
    else
      successful[#successful + 1] = { Id = entry.Id }
    end
  end
  return { Successful = successful, Failed = failed }
end

function operations:DeleteMessageBatch(queue, input)
  return batch(self, "DeleteMessageBatch", queue, input, function(_, entry)
    local _, index = find(queue, entry.ReceiptHandle)
    if index then table.remove(queue.messages, index) end
  end)
end

function operations:ChangeMessageVisibilityBatch(queue, input)
  return batch(self, "ChangeMessageVisibilityBatch", queue, input, function(_, entry)
    local message, now_s = find(queue, entry.ReceiptHandle), self:now_s()
    if not message then
      return { code = "InvalidParameterValue", message = ("Value %s for parameter ReceiptHandle is invalid. Reason: "
        .. "Message does not exist or is not available for visibility timeout change."):format(entry.ReceiptHandle) }
    elseif message.visible_s <= now_s then
      return { code = "AWS.SimpleQueueService.MessageNotInflight", message = "The message isn't in flight." }
    elseif now_s - message.received_s + entry.VisibilityTimeout > 43200 then
      return { code = "InvalidParameterValue", message = ("Value %d for parameter VisibilityTimeout is invalid. "
        .. "Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"):format(
          entry.VisibilityTimeout) }
    end
    message.visible_s = now_s + entry.VisibilityTimeout
    self.changed:set()
  end)
end

function operations:GetQueueAttributes(queue)
  local counts, now_s = { visible = 0, hidden = 0, delayed = 0 }, self:now_s()
  for _, message in ipairs(queue.messages) do
    local kind = message.visible_s <= now_s and "visible" or message.receives > 0 and "hidden" or "delayed"
    counts[kind] = counts[kind] + 1
  end
  if self.stale then counts = self.stale() or counts end
  return { Attributes = {
    ApproximateNumberOfMessages = tostring(counts.visible),
    ApproximateNumberOfMessagesNotVisible = tostring(counts.hidden),
    ApproximateNumberOfMessagesDelayed = tostring(counts.delayed),
    RedrivePolicy = queue.redrive and host.json.encode {
      deadLetterTargetArn = "arn:aws:sqs:eu-central-1:123456789012:dead", maxReceiveCount = queue.redrive.most,
    },
  } }
end

local function answered(request, answer)
  local response = { status = 200, headers = {}, body = host.json.encode(answer) }
  if answer.body then response.body = answer.body end
  local bad, message = request.verify(response)
  if bad then return nil, ("SQS %s: %s"):format(request.operation, message), bad, { retryable = true } end
  if not answer.status then return response end
  response = {
    status = answer.status, body = host.json.encode { __type = answer.code, message = answer.message },
    headers = { { "x-amzn-query-error", answer.query } },
  }
  local code, text = request.read_error(response)
  return nil, ("SQS %s: %s: %s (HTTP %d)"):format(request.operation, code, text, answer.status), code,
    { status = answer.status, retryable = answer.status >= 500, attempts = 1 }
end

--- What submitter.aws.client does for a service, without a network.
function Server:call(request)
  local operation = request.operation
  local input = assert(host.json.decode(request.body))
  self.calls[#self.calls + 1] = { operation = operation, input = input, request = request }
  self.now_under_way = self.now_under_way + 1
  self.most_under_way = math.max(self.most_under_way, self.now_under_way)
  local carried, answer = pcall(function()
    if self.latency_ms then host.clock.sleep_ms(self.latency_ms) end
    local fault = self.fault(operation, input)
    if fault and fault.hang then host.task.event():wait(60000) end
    if fault and not fault.after then return fault end
    local queue = self.queues[input.QueueUrl]
    local result = queue and operations[operation](self, queue, input) or UNKNOWN_QUEUE
    return fault and fault.after or result
  end)
  self.now_under_way = self.now_under_way - 1
  if not carried then error(answer, 0) end
  if answer.class then return nil, answer.message, answer.class, { retryable = true } end
  return answered(request, answer)
end

function Server:find_endpoint()
  return { url = self.endpoint or "https://sqs.eu-central-1.amazonaws.com", custom = self.endpoint ~= nil }
end

--- The inputs of all calls of one operation.
function Server:asked(operation)
  local inputs = {}
  for _, call in ipairs(self.calls) do
    if call.operation == operation then inputs[#inputs + 1] = call.input end
  end
  return inputs
end

return {
  --- A server with one queue and one for dead letters: `server.url`, `server.dead_url`.
  open = function()
    local server = setmetatable({
      queues = {}, calls = {}, count = 0, handles = 0, advanced_s = 0, started_ms = monotonic_ms(),
      second_ms = 1000, limit_bytes = 256 << 10, changed = host.task.event(), now_under_way = 0, most_under_way = 0,
      fault = function() end, entry_fault = function() end,
      url = "https://sqs.eu-central-1.amazonaws.com/123456789012/submissions",
      dead_url = "https://sqs.eu-central-1.amazonaws.com/123456789012/submissions-dead",
    }, Server)
    server:make(server.url)
    server:make(server.dead_url)
    return server
  end,
}
