local fake_sqs = require "spec.fake.sqs"
local host = require "submitter.host"
local sqs = require "submitter.aws.sqs"

describe("the URL of a queue", function()
  it("names host, queue and, on Amazon's hosts, the region", function()
    for url, expected in pairs {
      ["https://sqs.eu-central-1.amazonaws.com/1/q"] = { "https://sqs.eu-central-1.amazonaws.com", "eu-central-1" },
      ["https://sqs.cn-north-1.amazonaws.com.cn/1/q"] = { "https://sqs.cn-north-1.amazonaws.com.cn", "cn-north-1" },
      ["https://sqs-fips.us-gov-west-1.amazonaws.com/1/q"] =
        { "https://sqs-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1" },
      ["https://sqs.eu-west-3.api.aws/1/q"] = { "https://sqs.eu-west-3.api.aws", "eu-west-3" },
      ["https://eu-west-1.queue.amazonaws.com/1/q"] = { "https://eu-west-1.queue.amazonaws.com", "eu-west-1" },
      ["https://queue.amazonaws.com/1/q"] = { "https://queue.amazonaws.com", "us-east-1" },
      ["https://vpce-0a1-b2-eu-west-1a.sqs.eu-west-1.vpce.amazonaws.com/1/q"] =
        { "https://vpce-0a1-b2-eu-west-1a.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1" },
      ["http://127.0.0.1:4566/000000000000/q"] = { "http://127.0.0.1:4566" },
      ["http://[::1]:9324/queue/q"] = { "http://[::1]:9324" },
      ["https://Queue.Example.org/q"] = { "https://queue.example.org" },
    } do
      local parts = assert(sqs.parse_url(url))
      assert.are.equal(url, parts.url)
      assert.are.equal("q", parts.name)
      assert.are.same(expected, { parts.origin, parts.region }, url)
      assert.is_false(parts.fifo)
    end
    assert.is_true(sqs.parse_url("https://sqs.eu-west-1.amazonaws.com/1/q.fifo").fifo)
  end)

  it("is refused with the reason", function()
    for url, reason in pairs {
      ["arn:aws:sqs:eu-central-1:123456789012:q"] = "is an ARN",
      ["submissions"] = "must begin with http:// or https://",
      ["ftp://sqs.eu-central-1.amazonaws.com/1/q"] = "must begin with http:// or https://",
      ["https://host/1/q?Action=ReceiveMessage"] = "must not have a query",
      ["https://host/1/q#x"] = "must not have a fragment",
      ["https://host"] = "must end in the queue's name",
      ["https://host/"] = "must end in the queue's name",
      ["https://host/1/q/"] = "must end in the queue's name",
      ["https://host//q"] = "must end in the queue's name",
      ["https://host/1/q r"] = "white space",
      ["https://host:x/1/q"] = "names no valid host", ["https://host:0/1/q"] = "its port isn't from 1 to 65535",
      ["https://"] = "names no valid host", ["https:///1/q"] = "names no valid host",
      ["https://user:hunter2@host/1/q"] = "must not hold a user's name",
    } do
      local parts, message = sqs.parse_url(url)
      assert.is_nil(parts, url)
      assert.matches(reason, message, 1, true)
      assert.matches("it looks like https://", message, 1, true)
      assert.is_nil(message:find("hunter2", 1, true))
    end
    assert.matches("must be a text", select(2, sqs.parse_url(nil)), 1, true)
  end)
end)

describe("SQS", function()
  local server, service

  before_each(function()
    server = fake_sqs.open()
    service = assert(sqs.open { session = {}, url = server.url, client = server })
  end)

  it("is opened with its region", function()
    assert.are.equal("eu-central-1", service.region)
    local local_url = "http://127.0.0.1:4566/000000000000/q"
    local elsewhere = sqs.open { session = {}, url = local_url, region = "eu-west-1", client = server }
    assert.are.equal("eu-west-1", elsewhere.region)
    local one, message, code = sqs.open { session = {}, url = server.url, region = "us-east-1", client = server }
    assert.is_nil(one)
    assert.matches("eu-central-1, but region says us-east-1", message, 1, true)
    assert.are.equal("environment", code)
    assert.has_error(function() sqs.open { session = {}, url = server.url, name = "q" } end)
  end)

  it("is asked at the queue's host, unless another endpoint is configured", function()
    assert(service:counts())
    server.endpoint = "http://127.0.0.1:9324/prefix/"
    assert(service:counts())
    assert.are.equal("https://sqs.eu-central-1.amazonaws.com/", server.calls[1].request.url)
    assert.are.equal("http://127.0.0.1:9324/prefix/", server.calls[2].request.url)
    server.find_endpoint = function() return nil, "no region is configured", "configuration" end
    local counts, message, code = service:counts()
    assert.is_nil(counts)
    assert.matches("no region is configured", message, 1, true)
    assert.are.equal("environment", code)
  end)

  it("speaks the JSON protocol in query mode", function()
    assert(service:counts())
    local request = server.calls[1].request
    assert.are.equal("POST", request.method)
    assert.are.same({
      { "Content-Type", "application/x-amz-json-1.0" }, { "X-Amz-Target", "AmazonSQS.GetQueueAttributes" },
      { "x-amzn-query-mode", "true" },
    }, request.headers)
    assert.are.equal(server.url, server.calls[1].input.QueueUrl)
    assert.is_false(request.long_poll)
  end)

  it("waits longer for an answer than the server for a message", function()
    assert.are.same({}, service:receive { max = 10, wait_s = 0, visibility_s = 30 })
    server.second_ms = 1
    assert.are.same({}, service:receive { max = 3, wait_s = 20, visibility_s = 30 })
    local short, long = server.calls[1], server.calls[2]
    assert.is_true(long.request.long_poll)
    assert.is_true(long.request.timeout_ms >= 25000 and long.request.stall_ms >= 25000)
    assert.are.same({ 0, 10, 30 },
      { short.input.WaitTimeSeconds, short.input.MaxNumberOfMessages, short.input.VisibilityTimeout })
    assert.are.same({ 20, 3 }, { long.input.WaitTimeSeconds, long.input.MaxNumberOfMessages })
    for _, name in ipairs { "MessageSystemAttributeNames", "AttributeNames" } do
      assert.are.equal("ApproximateReceiveCount SentTimestamp ApproximateFirstReceiveTimestamp "
        .. "DeadLetterQueueSourceArn", table.concat(long.input[name], " "))
    end
    assert.is_nil(long.input.ReceiveRequestAttemptId)
  end)

  it("receives, and tells what is damaged", function()
    assert(service:send("one"))
    assert(service:send("two"))
    server:messages(server.url)[2].damaged = true
    local messages = assert(service:receive { max = 10, wait_s = 0, visibility_s = 30 })
    assert.are.same({ "message-1", "one", 1, 1700000000000, 1700000001000 }, {
      messages[1].id, messages[1].body, messages[1].receives, messages[1].sent_ms, messages[1].first_received_ms,
    })
    assert.is_string(messages[1].receipt)
    assert.is_nil(messages[1].damaged)
    assert.matches("MD5", messages[2].damaged, 1, true)
  end)

  it("takes no answer for true that can't be", function()
    for _, case in ipairs {
      { "<html>", "isn't JSON" }, { "5", "isn't JSON" }, { '{"Messages":"x"}', "are no list" },
    } do
      server.fault = function() return { body = case[1] } end
      local messages, message, code = service:receive { max = 1, wait_s = 0, visibility_s = 30 }
      assert.is_nil(messages)
      assert.matches(case[2], message, 1, true)
      assert.are.equal("unavailable", code)
    end
    server.fault = function() return { body = '{"Messages":[{},5,{"MessageId":"a","ReceiptHandle":"r"}]}' } end
    local messages = assert(service:receive { max = 1, wait_s = 0, visibility_s = 30 })
    for index = 1, 3 do assert.is_string(messages[index].damaged) end
    assert.is_nil(messages[1].receipt)
    assert.are.equal("r", messages[3].receipt)
    server.fault = function() return { body = '{"Messages":null}' } end
    assert.are.same({}, service:receive { max = 1, wait_s = 0, visibility_s = 30 })
    server.fault = function() return { body = "{}" } end
    assert.matches("holds no counts", select(2, service:counts()), 1, true)
  end)

  it("sends, and makes sure of what came", function()
    local id = assert(service:send("a body", {
      delay_s = 5, group = "g", deduplication = "d",
      attributes = { Class = { DataType = "String", StringValue = "x" } },
    }))
    assert.are.equal("message-1", id)
    local input = server:asked("SendMessage")[1]
    assert.are.equal(5, input.DelaySeconds)
    assert.are.equal("x", input.MessageAttributes.Class.StringValue)
    -- A standard queue wants neither.
    assert.is_nil(input.MessageGroupId)
    assert.is_nil(input.MessageDeduplicationId)
    for _, answer in ipairs {
      { MessageId = "a", MD5OfMessageBody = ("0"):rep(32) }, { MD5OfMessageBody = host.digest.md5 "b" }, {},
    } do
      server.fault = function() return { body = host.json.encode(answer) } end
      local sent, message, code = service:send "b"
      assert.is_nil(sent)
      assert.is_string(message)
      assert.are.equal("unavailable", code)
    end
  end)

  it("checks the attributes that came by AWS's own rule", function()
    -- Computed by hand from the developer guide's rule: lengths in four bytes, names sorted, 1 for texts.
    local bytes = "\0\0\0\1A\0\0\0\6Number\1\0\0\0\00215" .. "\0\0\0\1B\0\0\0\6String\1\0\0\0\3abc"
    local attributes = {
      B = { DataType = "String", StringValue = "abc" }, A = { DataType = "Number", StringValue = "15" },
    }
    local md5 = host.digest.md5(bytes)
    server.fault = function()
      return { body = host.json.encode { MessageId = "a", MD5OfMessageBody = host.digest.md5 "b",
        MD5OfMessageAttributes = md5 } }
    end
    assert.are.equal("a", service:send("b", { attributes = attributes }))
    md5 = ("0"):rep(32)
    assert.matches("other attributes", select(2, service:send("b", { attributes = attributes })), 1, true)
  end)

  it("gives a FIFO queue what it needs", function()
    local url = server:make "https://sqs.eu-central-1.amazonaws.com/1/q.fifo"
    service = assert(sqs.open { session = {}, url = url, client = server })
    assert(service:send("a", { delay_s = 5, group = "g", deduplication = "d" }))
    assert(service:receive { max = 1, wait_s = 0, visibility_s = 30, attempt = "t" })
    local sent = server:asked("SendMessage")[1]
    assert.are.same({ "g", "d" }, { sent.MessageGroupId, sent.MessageDeduplicationId })
    assert.is_nil(sent.DelaySeconds)
    assert.are.equal("t", server:asked("ReceiveMessage")[1].ReceiveRequestAttemptId)
  end)

  it("says of each entry of a batch what became of it", function()
    for _, body in ipairs { "one", "two", "three", "four" } do assert(service:send(body)) end
    local changes = {}
    for index, one in ipairs(assert(service:receive { max = 10, wait_s = 0, visibility_s = 30 })) do
      changes[index] = { receipt = one.receipt, seconds = 10 * index }
    end
    changes[2].receipt = "AQstale"
    server.entry_fault = function(_, entry)
      if entry.ReceiptHandle == changes[3].receipt then
        return { code = "InternalError", message = "try again", ours = true }
      end
    end
    local outcomes = assert(service:change_visibility(changes))
    assert.are.same({ true, false, false, true }, { outcomes[1].ok, outcomes[2].ok, outcomes[3].ok, outcomes[4].ok })
    assert.are.equal("lease_lost", outcomes[2].code)
    assert.matches("not held any more", outcomes[2].message, 1, true)
    assert.is_nil(outcomes[2].message:find("AQstale", 1, true))
    assert.is_false(outcomes[2].again)
    assert.are.equal("unavailable", outcomes[3].code)
    assert.is_true(outcomes[3].again)
    assert.are.same({ 10, 20, 30, 40 }, (function()
      local asked = {}
      for index, entry in ipairs(server:asked("ChangeMessageVisibilityBatch")[1].Entries) do
        asked[index] = entry.VisibilityTimeout
      end
      return asked
    end)())
  end)

  it("takes an entry that the answer leaves out for undone", function()
    assert(service:send "one")
    local receipt = assert(service:receive { max = 1, wait_s = 0, visibility_s = 30 })[1].receipt
    for _, body in ipairs { "{}", '{"Successful":[{"Id":"7"}]}', '{"Successful":5,"Failed":null}' } do
      server.fault = function() return { body = body } end
      local outcomes = assert(service:delete { receipt })
      assert.is_false(outcomes[1].ok)
      assert.is_true(outcomes[1].again)
      assert.are.equal("unavailable", outcomes[1].code)
    end
  end)

  it("says 12 hours where it is that", function()
    assert(service:send "one")
    local receipt = assert(service:receive { max = 1, wait_s = 0, visibility_s = 43200 })[1].receipt
    server:advance(43000)
    local outcomes = assert(service:change_visibility { { receipt = receipt, seconds = 300 } })
    assert.are.equal("lease_lost", outcomes[1].code)
    assert.matches("12 hours", outcomes[1].message, 1, true)
  end)

  it("names the right that is missing, and keeps AWS's own code", function()
    server.fault = function()
      return { status = 403, code = "com.amazon.coral.service#AccessDeniedException", query = "AccessDenied;Sender",
        message = "User: … is not authorized to perform: sqs:deletemessage" }
    end
    local outcomes, message, code, details = service:call("DeleteMessageBatch", { Entries = {} })
    assert.is_nil(outcomes)
    assert.matches("the queue submissions: SQS DeleteMessageBatch: AccessDenied", message, 1, true)
    assert.matches("allow sqs:DeleteMessage on this queue", message, 1, true)
    assert.are.equal("environment", code)
    assert.are.equal("AccessDenied", details.code)
  end)

  it("says which queue isn't there", function()
    server.queues[server.url] = nil
    local messages, message, code = service:receive { max = 1, wait_s = 0, visibility_s = 30 }
    assert.is_nil(messages)
    assert.matches("there is no queue " .. server.url, message, 1, true)
    assert.are.equal("environment", code)
  end)
end)
