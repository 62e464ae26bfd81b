--- One invocation of the function: an event comes in, its messages go into the queue, and Lambda is told what of it has to
--- come again.
---
--- An SQS event is answered by a partial batch response (docs.aws.amazon.com/lambda/latest/dg/
--- services-sqs-errorhandling.html): its records that came to nothing, by their ids, stay in their queue, until its
--- redrive policy gives them up. Of a FIFO queue that is everything from the first failure on. Every other event fails
--- as a whole, after all of it that can be queued has been; what is queued twice is graded once.

local delivery = require "submitter.notify.delivery"
local host = require "submitter.host"
local json_object = require "submitter.json_object"
local notify = require "submitter.notify"

local handler = {}

local function failure(kind, message, trace)
  return nil, { type = "Submitter." .. kind, message = message, trace = trace }
end

-- The SQS records of an event; nil where it is of another kind.
local function batch(event)
  local records = event.Records
  local first = type(records) == "table" and records[1]
  return type(first) == "table" and first.eventSource == "aws:sqs" and records or nil
end

local function is_fifo(records)
  local source = records[1].eventSourceARN
  return type(source) == "string" and source:find("%.fifo$") ~= nil
end

local function log_failed(invocation, failed)
  for _, one in ipairs(failed) do
    host.log.warn("record_failed", {
      request_id = invocation.id, index = one.index, reason = one.reason, class = one.code,
    })
  end
end

local function send(delivered, queue, in_order, budget_ms)
  local function action()
    delivered:send(queue, { in_order = in_order })
    return true
  end
  if not budget_ms then
    return action()
  end
  return host.task.within(budget_ms, action)
end

-- The ids of the records that have to come again; nil when one has no id.
local function identifiers(records, delivered, in_order)
  local failed, first = {}, math.huge
  for _, list in ipairs { delivered.failed, delivered:unsent() } do
    for _, one in ipairs(list) do
      failed[one.index] = true
      first = math.min(first, one.index)
    end
  end
  local found = host.json.array {}
  for index, record in ipairs(records) do
    if failed[index] or in_order and index >= first then
      local id = record.messageId
      if type(id) ~= "string" or id == "" then
        return nil, index
      end
      found[#found + 1] = { itemIdentifier = id }
    end
  end
  return found
end

local function answer_batch(records, delivered, in_order)
  local found, index = identifiers(records, delivered, in_order)
  if not found then
    -- An empty identifier fails the whole batch as well; this says why.
    return failure("BadRecord", ("Records[%d] failed but has no messageId"):format(index))
  end
  return { batchItemFailures = found }
end

local function answer(delivered)
  local failed, unsent = delivered.failed, delivered:unsent()
  if #unsent > 0 then
    local message = "%d of %d messages were not queued in time; give the function a longer timeout"
    return failure("OutOfTime", message:format(#unsent, #delivered.messages))
  elseif #failed > 0 then
    local is_bad = true
    for _, one in ipairs(failed) do
      is_bad = is_bad and one.code == "message"
    end
    return failure(is_bad and "BadRecord" or "QueueUnavailable", notify.reason(failed))
  end
  return { queued = #delivered.queued, skipped = #delivered.skipped }
end

local function deliver(queue, invocation, budget_ms)
  local event, message = json_object.decode(invocation.event, "the event")
  if not event then
    return failure("UnreadableEvent", message)
  end
  local delivered
  delivered, message = delivery.read(event, invocation.event)
  if not delivered then
    return failure("UnreadableEvent", message)
  end
  local records = batch(event)
  local in_order = records ~= nil and is_fifo(records)
  local in_time, late = send(delivered, queue, in_order, budget_ms)
  log_failed(invocation, delivered.failed)
  for _, one in ipairs(delivered.skipped) do
    host.log.debug("record_skipped", { request_id = invocation.id, key = one.key, reason = one.reason })
  end
  host.log.info("event_delivered", {
    request_id = invocation.id, queued = #delivered.queued, skipped = #delivered.skipped, failed = #delivered.failed,
    unsent = #delivered:unsent(), late = not in_time and late or nil,
  })
  if records then
    return answer_batch(records, delivered, in_order)
  end
  return answer(delivered)
end

local function traced(problem)
  return debug.traceback(tostring(problem), 2)
end

--- Handles an invocation. Never throws: a Lua error is a failure like others, with its traceback.
---@async
---@param queue table
---@param invocation Invocation
---@param budget_ms integer|nil how long sending may take
---@return table|nil result what Lambda is answered
---@return Failure|nil failure
function handler.handle(queue, invocation, budget_ms)
  local finished, result, problem = xpcall(deliver, traced, queue, invocation, budget_ms)
  if finished then
    return result, problem
  end
  host.log.error("invocation_error", { request_id = invocation.id, traceback = result })
  local trace = {}
  for line in result:gmatch("[^\n]+") do
    trace[#trace + 1] = line:gsub("^%s+", "")
  end
  return failure("Internal", trace[1], trace)
end

return handler
