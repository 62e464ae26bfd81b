local fake_queue = require "spec.fake.queue"
local handler = require "submitter.lambda.handler"
local host = require "submitter.host"
local notify = require "submitter.notify"
local support = require "spec.support"

local function document(number)
  local subid = ("%032x"):format(number)
  return ("a/e/s/%s/%s.json"):format(subid, subid)
end

local function object(number)
  return notify.records(document(number)).Records[1]
end

-- An SQS event: a number is the notification of a submission, a text a body.
local function batch(queue_name, ...)
  local records = host.json.array {}
  for index, what in ipairs { ... } do
    records[index] = {
      messageId = "message-" .. index, receiptHandle = "r", eventSource = "aws:sqs", awsRegion = "eu-central-1",
      eventSourceARN = "arn:aws:sqs:eu-central-1:123456789012:" .. queue_name,
      body = type(what) == "number" and host.json.encode(notify.records(document(what))) or what,
    }
  end
  return { Records = records }
end

describe("the function's handler", function()
  local queue, lines
  before_each(function() queue = fake_queue.open() end)

  local function handle(event, budget_ms)
    local result, failure
    lines = support.logged(function()
      local restore = support.replace(host.log, { info = function() end })
      result, failure = handler.handle(queue, {
        id = "request-1", event = type(event) == "string" and event or host.json.encode(event),
      }, budget_ms)
      restore()
    end)
    return result, failure
  end

  local function refuse(number)
    local sends, send = 0, queue.send
    queue.send = function(self, body)
      sends = sends + 1
      if sends == number then return nil, "the queue is away", "unavailable" end
      return send(self, body)
    end
  end

  local function sent()
    local found = {}
    for index, message in ipairs(queue.ready) do
      found[index] = tonumber(host.json.decode(message.body).subdata:match "(%x+)%.json$", 16)
    end
    return found
  end

  local function identifiers(result)
    local found = {}
    for index, one in ipairs(result.batchItemFailures) do found[index] = one.itemIdentifier end
    return table.concat(found, " ")
  end

  it("queues what S3, SNS and EventBridge announce", function()
    assert.are.same({ queued = 1, skipped = 0 }, handle(notify.records(document(1))))
    local inner = host.json.encode(notify.records(document(2)))
    assert.are.same({ queued = 1, skipped = 0 }, handle { Records = { { EventSource = "aws:sns",
      Sns = { Type = "Notification", Message = inner } } } })
    assert.are.same({ queued = 1, skipped = 0 }, handle { ["detail-type"] = "Object Created", source = "aws.s3",
      detail = { object = { key = document(3) } } })
    assert.are.same({ queued = 0, skipped = 1 }, handle { Event = "s3:TestEvent" })
    assert.are.same({ 1, 2, 3 }, sent())
  end)

  it("fails an event with a bad record after the good ones are queued", function()
    local result, failure = handle { Records = { object(1), 5, object(3) } }
    assert.is_nil(result)
    assert.are.equal("Submitter.BadRecord", failure.type)
    assert.matches("Records[2]", failure.message, 1, true)
    assert.are.same({ 1, 3 }, sent())
    assert.are.same({ "record_failed", "request-1", 2, "message" },
      { lines[1].event, lines[1].fields.request_id, lines[1].fields.index, lines[1].fields.class })
  end)

  it("fails an event that the queue doesn't take, so that it comes again", function()
    refuse(1)
    local _, failure = handle { Records = { object(1), object(2) } }
    assert.are.same({ "Submitter.QueueUnavailable", "the queue is away" }, { failure.type, failure.message })
    assert.are.same({ 2 }, sent())
    refuse(1)
    _, failure = handle { Records = { object(1), 5 } }
    assert.are.equal("Submitter.QueueUnavailable", failure.type)
    assert.matches("^Records%[2%] .*; the queue is away$", failure.message)
  end)

  it("names what is no event", function()
    for _, text in ipairs { "", "{", "[]", "5", "{}", '{"key1":"value1"}', '{"Records":{"a":1}}' } do
      local _, failure = handle(text)
      assert.are.equal("Submitter.UnreadableEvent", failure.type, text)
    end
    assert.are.same({}, sent())
  end)

  it("answers an SQS event with the records that came to nothing", function()
    local text = host.json.encode { subdata = document(4), mode = "grade" }
    local result = handle(batch("events", 1, "not JSON", 3, text, host.json.encode { Event = "s3:TestEvent" }))
    assert.are.equal("message-2", identifiers(result))
    assert.are.same({ 1, 3, 4 }, sent())
    assert.are.equal(text, queue.ready[3].body)
    assert.are.equal('{"batchItemFailures":[]}', host.json.encode((handle(batch("events", 5)))))
  end)

  it("lets a record come again that the queue didn't take", function()
    refuse(2)
    assert.are.equal("message-2", identifiers((handle(batch("events", 1, 2, 3)))))
    assert.are.same({ 1, 3 }, sent())
    assert.are.equal("record_failed", lines[1].event)
    assert.are.equal("unavailable", lines[1].fields.class)
  end)

  it("names a record once, whatever failed in it", function()
    refuse(1)
    local body = host.json.encode { Records = { object(1), 5, 6, object(2) } }
    assert.are.equal("message-1", identifiers((handle(batch("events", body)))))
    assert.are.same({ 2 }, sent())
  end)

  it("stops at the first failure of a FIFO queue", function()
    assert.are.equal("message-2 message-3 message-4",
      identifiers((handle(batch("events.fifo", 1, "not JSON", 3, host.json.encode { Event = "s3:TestEvent" })))))
    assert.are.same({ 1 }, sent())
    refuse(1)
    assert.are.equal("message-1 message-2", identifiers((handle(batch("events.fifo", 5, 6)))))
    assert.are.same({ 1 }, sent())
    assert.are.equal("", identifiers((handle(batch("events.fifo", 7, 8)))))
    assert.are.same({ 1, 7, 8 }, sent())
  end)

  it("fails as a whole where a record has no id", function()
    local event = batch("events", 1, "not JSON")
    event.Records[2].messageId = nil
    local result, failure = handle(event)
    assert.is_nil(result)
    assert.matches("Records[2] failed but has no messageId", failure.message, 1, true)
    event.Records[2].messageId, event.Records[1].messageId = "", nil
    assert.is_nil((handle(event)))
    event.Records[2].messageId = "b"
    assert.are.equal("b", identifiers((handle(event))))
  end)

  it("ends in time, with what was queued", function()
    local send, sends = queue.send, 0
    queue.send = function(self, body)
      sends = sends + 1
      if sends == 2 then host.clock.sleep_ms(60000) end
      return send(self, body)
    end
    assert.are.equal("message-2 message-3", identifiers((handle(batch("events", 1, 2, 3), 50))))
    assert.are.same({ 1 }, sent())
    sends = 1
    local _, failure = handle({ Records = { object(4), object(5) } }, 50)
    assert.are.equal("Submitter.OutOfTime", failure.type)
    assert.matches("2 of 2 messages", failure.message, 1, true)
  end)

  it("survives a bug, and shows where it was", function()
    queue.send = function() error("a bug of ours") end
    local result, failure = handle(notify.records(document(1)), 5000)
    assert.is_nil(result)
    assert.are.equal("Submitter.Internal", failure.type)
    assert.matches("a bug of ours", failure.message, 1, true)
    assert.is_true(#failure.trace > 2)
    assert.are.equal("invocation_error", lines[1].event)
  end)
end)
