local host = require "submitter.host"
local notify = require "submitter.notify"
local object_key = require "submitter.notify.object_key"

local subid = "fc55c0190dde2bc413d8d1e79fb8cca2"
local folder = "m.soltys/aws_labs/lab5/"
local document = folder .. subid .. "/" .. subid .. ".json"
local other = "m.soltys/aws_labs/lab6/" .. subid .. "/" .. subid .. ".json"

local function keys(event)
  local messages, skipped, failed = notify.messages(event)
  assert.is_table(messages, skipped)
  local found = {}
  for index, one in ipairs(messages) do
    local message = host.json.decode(one.body)
    found[index] = message.subdata
    message.subdata = nil
    assert.are.same({}, message)
    assert.are.equal(found[index], one.request.key)
    assert.are.equal(found[index], one.request.location.key)
    assert.are.equal("test", one.request.mode)
  end
  return found, skipped, failed
end

local function record(object, name)
  local one = notify.records(object).Records[1]
  one.eventName = name or one.eventName
  return one
end

local function refused(event, pattern)
  local messages, message, code = notify.messages(event)
  assert.is_nil(messages)
  assert.are.equal("message", code)
  assert.matches(pattern, message)
end

-- One record that can't be read, between two that can.
local function failed(one, pattern)
  local found, _, list = keys { Records = { record(document), one, record(other) } }
  assert.are.same({ document, other }, found)
  assert.are.equal(1, #list)
  assert.are.equal(2, list[1].index)
  assert.matches(pattern, list[1].reason)
  assert.is_nil(list[1].reason:find("%c"))
end

local function encoded(value) return host.json.encode(value) end

describe("notify.messages", function()
  it("queues one message for a submission document", function()
    assert.are.same({ document }, (keys(notify.records(document))))
    assert.are.same({ "/" .. document }, (keys(notify.records("/" .. document))))
  end)

  it("queues nothing for any other object, and says why", function()
    local others = {
      folder .. subid .. "/" .. subid .. ".py",
      folder .. subid .. "/" .. subid .. ".out",
      folder .. subid .. "/" .. subid .. ".result.json",
      folder .. subid .. "/" .. subid .. ".error.json",
      folder .. subid .. "/" .. subid .. ".grade.result.json",
      folder .. "grading/test.in",
      folder .. "grading/results/" .. subid .. ".json",
      folder .. subid .. "/" .. ("0"):rep(32) .. ".json",
      folder .. subid:upper() .. "/" .. subid:upper() .. ".json",
      "x", "a//b", "../" .. document, ("a/"):rep(2500),
    }
    for _, name in ipairs(others) do
      local found, skipped, bad = keys(notify.records(name))
      assert.are.same({}, found, name)
      assert.are.same({}, bad)
      assert.are.equal(name, skipped[1].key)
      assert.is_string(skipped[1].reason)
    end
  end)

  it("counts created objects only, in both spellings of the event's name", function()
    local found, skipped = keys { Records = { record(document, "ObjectRemoved:Delete") } }
    assert.are.same({}, found)
    assert.are.equal(document, skipped[1].key)
    assert.matches("ObjectRemoved:Delete", skipped[1].reason)
    assert.are.same({ document }, (keys { Records = { record(document, "s3:ObjectCreated:CompleteMultipartUpload") } }))
    assert.are.same({ document }, (keys { Records = { record(document, "ObjectCreated:Copy") } }))
    assert.are.same({}, (keys { Records = { record(document, "ObjectCreatedX") } }))
    -- What was removed is nobody's business, however its key is written.
    local removed = record("x", "ObjectRemoved:Delete")
    removed.s3.object.key = "100%"
    local _, skips, bad = keys { Records = { removed } }
    assert.are.same({}, bad)
    assert.are.equal("100%", skips[1].key)
  end)

  it("reads keys as S3 and MinIO encode them", function()
    local odd = "m soltys/a+b%2F/lab\xc3\xa4=&/" .. subid .. "/" .. subid .. ".json"
    assert.are.same({ odd }, (keys(notify.records(odd))))
    -- As MinIO 2024 sends it (url.QueryEscape).
    local event = { EventName = "s3:ObjectCreated:Put", Key = "submissions/" .. document, Records = { {
      eventVersion = "2.0", eventSource = "minio:s3", awsRegion = "", eventName = "s3:ObjectCreated:Put",
      s3 = { s3SchemaVersion = "1.0", bucket = { name = "submissions" },
        object = { key = "m+soltys%2Faws_labs%2Flab5%2F" .. subid .. "%2F" .. subid .. ".json", size = 5 } },
    } } }
    assert.are.same({ (document:gsub("m.soltys", "m soltys")) }, (keys(event)))
  end)

  it("reads MinIO's event without records, whose key is as it is behind the bucket's name", function()
    local odd = "m+soltys/a%20b/lab5/" .. subid .. "/" .. subid .. ".json"
    assert.are.same({ odd }, (keys { EventName = "s3:ObjectCreated:Put", Key = "submissions/" .. odd }))
    local found, skipped = keys { EventName = "s3:ObjectRemoved:Delete", Key = "submissions/" .. odd }
    assert.are.same({}, found)
    assert.are.equal(odd, skipped[1].key)
    assert.are.same({}, (keys { EventName = "s3:ObjectCreated:Put", Key = document:gsub("/", "") }))
  end)

  it("reads Ceph's records, whose keys are as they are", function()
    local function ceph(name)
      local one = record("x")
      one.eventSource, one.eventVersion, one.s3.object.key = "ceph:s3", "2.2", name
      return { Records = { one } }
    end
    for _, name in ipairs { "m+s", "100%", "a%20b", "a b", "a%zz" } do
      local odd = name .. "/aws_labs/lab5/" .. subid .. "/" .. subid .. ".json"
      assert.are.same({ odd }, (keys(ceph(odd))), name)
    end
    assert.are.same({ document }, (keys(ceph((document:gsub("/", "%%2F"))))))
    local found, skipped, bad = keys(ceph("notes 100%"))
    assert.are.same({}, found)
    assert.are.same({}, bad)
    assert.are.equal("notes 100%", skipped[1].key)
  end)

  it("queues one message for a key that is named twice", function()
    local found, skipped = keys { Records = { record(document), record(document) } }
    assert.are.same({ document }, found)
    assert.matches("twice", skipped[1].reason)
    local inner = encoded(notify.records(document))
    found = keys { Records = { { eventSource = "aws:sqs", body = inner }, { eventSource = "aws:sqs", body = inner } } }
    assert.are.same({ document }, found)
  end)

  it("reads EventBridge, whose keys are not encoded", function()
    local odd = "m+soltys/a%20b/lab5/" .. subid .. "/" .. subid .. ".json"
    local event = { source = "aws.s3", ["detail-type"] = "Object Created",
      detail = { bucket = { name = "b" }, object = { key = odd } } }
    assert.are.same({ odd }, (keys(event)))
    event["detail-type"] = "Object Deleted"
    local found, skipped = keys(event)
    assert.are.same({}, found)
    assert.are.equal(odd, skipped[1].key)
    assert.matches("Object Deleted", skipped[1].reason)
  end)

  it("reads SNS notifications, and what a function on SNS or SQS is called with", function()
    local inner = encoded(notify.records(document))
    local sns = { Type = "Notification", Message = inner }
    assert.are.same({ document }, (keys(sns)))
    assert.are.same({ document }, (keys { Records = { { EventSource = "aws:sns", Sns = { Message = inner } } } }))
    assert.are.same({ document }, (keys { Records = { { eventSource = "aws:sqs", body = inner } } }))
    assert.are.same({ document }, (keys { Records = { { eventSource = "aws:sqs", body = encoded(sns) } } }))
    assert.are.same({ document }, (keys { Records = { { eventSource = "aws:sqs", body = "\xEF\xBB\xBF " .. inner } } }))
  end)

  it("leaves SNS's own messages alone", function()
    for _, kind in ipairs { "SubscriptionConfirmation", "UnsubscribeConfirmation" } do
      local found, skipped, bad = keys { Type = kind, Message = "You have chosen to…", SubscribeURL = "https://x" }
      assert.are.same({}, found)
      assert.are.same({}, bad)
      assert.are.equal("", skipped[1].key)
      assert.matches(kind, skipped[1].reason)
    end
    refused({ Type = "Notify", Message = "{}" }, 'Type is "Notify"')
  end)

  it("takes the test event for what it is", function()
    local found, skipped = keys { Service = "Amazon S3", Event = "s3:TestEvent", Bucket = "b" }
    assert.are.same({}, found)
    assert.matches("test event", skipped[1].reason)
    assert.are.same({}, (keys { Records = {} }))
  end)

  it("reads messages wherever events may stand", function()
    local body = encoded { subdata = document, mode = "grade", regrade = "r1", colour = 1e300 }
    local function one(event, text)
      local messages, skipped, bad = notify.messages(event, text)
      assert.is_table(messages, skipped)
      assert.are.same({}, bad)
      assert.are.equal("grade", messages[1].request.mode)
      assert.are.equal("r1", messages[1].request.regrade)
      return messages[1].body
    end
    -- As it was written; where the text isn't known, what counts of it.
    assert.are.equal(body, one(host.json.decode(body), "\xEF\xBB\xBF \n" .. body .. "\n"))
    assert.are.equal(body, one { Records = { { eventSource = "aws:sqs", body = body } } })
    assert.are.equal(body, one { Type = "Notification", Message = body })
    assert.are.equal(encoded(host.json.ordered({ "subdata", "mode", "regrade" }, {
      subdata = document, mode = "grade", regrade = "r1" })), one(host.json.decode(body)))
    -- Other modes and regradings of one submission are messages of their own.
    local messages, skipped = notify.messages { Records = {
      { eventSource = "aws:sqs", body = encoded { subdata = document } },
      { eventSource = "aws:sqs", body = encoded { subdata = document, mode = "grade" } },
      { eventSource = "aws:sqs", body = encoded { subdata = document, regrade = "a" } },
      { eventSource = "aws:sqs", body = encoded { subdata = document, mode = "test" } },
    } }
    assert.are.equal(3, #messages)
    assert.are.equal(1, #skipped)
  end)

  it("tells which record each message comes from", function()
    local messages = notify.messages { Records = {
      { eventSource = "aws:sqs", body = encoded { Records = { record(document, "ObjectRemoved:Delete") } } },
      { eventSource = "aws:sqs", body = encoded { Records = { record(document), record(other) } } },
    } }
    assert.are.same({ 2, 2 }, { messages[1].index, messages[2].index })
    assert.is_nil(notify.messages({ subdata = document })[1].index)
    local _, _, bad = notify.messages { Type = "Notification", Message = encoded { Records = { 5 } } }
    assert.is_nil(bad[1].index)
    assert.matches("^Message.Records%[1%] has no", bad[1].reason)
  end)

  it("handles the other records when one can't be read", function()
    failed(5, "^Records%[2%] has no eventName")
    failed(host.json.null, "^Records%[2%] has no eventName")
    failed({ eventName = "ObjectCreated:Put", s3 = { object = {} } }, "s3.object.key")
    failed({ eventSource = "aws:sqs" }, "no text in body")
    failed({ EventSource = "aws:sns" }, "^Records%[2%].Sns: the SNS notification has no text")
    failed({ eventSource = "aws:sqs", body = "hello" }, "^Records%[2%].body isn't JSON")
    failed({ eventSource = "aws:sqs", body = "[1]" }, "^Records%[2%].body must be a JSON object, found an array")
    failed({ eventSource = "aws:sqs", body = "{}" }, "^Records%[2%].body: the message's field subdata")
    failed({ eventSource = "aws:sqs", body = encoded { subdata = "x" } }, 'subdata: the key "x"')
    failed({ eventSource = "aws:sqs", body = encoded { Type = "Notification", Message = "{" } },
      "^Records%[2%].body.Message isn't JSON")
    failed({ eventSource = "aws:sqs", body = encoded { Records = { record(folder), { } } } },
      "^Records%[2%].body.Records%[2%] has no")
  end)

  it("refuses versions of the record that it can't know", function()
    local function versioned(version)
      local one = record(document)
      one.eventVersion = version
      return one
    end
    failed(versioned "3.0", '^Records%[2%]: the eventVersion is "3.0"; only 2.x')
    failed(versioned "20.1", "only 2.x")
    failed(versioned "2", "only 2.x")
    failed(versioned(2.1), "the number 2.1")
    failed(versioned(host.json.null), "null")
    for _, version in ipairs { "2.0", "2.1", "2.3", "2.99" } do
      assert.are.same({ document }, (keys { Records = { versioned(version) } }))
    end
    local bare = record(document)
    bare.eventVersion = nil
    assert.are.same({ document }, (keys { Records = { bare } }))
  end)

  it("refuses keys that no bucket can have sent", function()
    local function keyed(name)
      local one = record(document)
      one.s3.object.key = name
      return one
    end
    failed(keyed(document .. "%"), "isn't URL%-encoded")
    failed(keyed("%g0" .. document), "isn't URL%-encoded")
    failed(keyed("%0" .. document), "isn't URL%-encoded")
    failed(keyed("a%00" .. document), "NUL")
    failed(keyed("a%FF" .. document), "isn't UTF%-8")
    failed(keyed("a\0" .. document), "NUL")
    refused({ ["detail-type"] = "Object Created", detail = { object = { key = "\xff" .. document } } }, "UTF%-8")
  end)

  it("refuses what isn't an event", function()
    refused({}, "subdata.*found nothing; nor is it a bucket's event")
    refused({ Records = 5 }, "nor is it a bucket's event")
    refused(5, "nor is it a bucket's event")
    refused({ Records = { first = {} } }, "Records must be an array")
    refused({ Type = "Notification", Message = "hello" }, "^Message isn't JSON")
    refused({ Type = "Notification", Message = "5" }, "Message must be a JSON object, found the number 5")
    refused({ Type = "Notification", Message = '{"Records":{"a":1}}' }, "^Message.Records must be an array")
    refused({ ["detail-type"] = "Object Created", detail = {} }, "detail.object.key")
    refused({ subdata = 5 }, "subdata.*the number 5")
    refused({ subdata = document, mode = "exam" }, "mode")
    local deep = { Event = "s3:TestEvent" }
    for _ = 1, 8 do
      deep = { Type = "Notification", Message = encoded(deep) }
    end
    refused(deep, "4 deep")
    refused({ Type = "Notification" }, "nor is it a bucket's event")
    refused({ ["detail-type"] = "Object Created" }, "nor is it a bucket's event")
    refused({ detail = { object = { key = document } } }, "nor is it a bucket's event")
  end)

  it("reads events that are wrapped four deep", function()
    local event = notify.records(document)
    for _ = 1, 3 do
      event = { Type = "Notification", Message = encoded(event) }
    end
    assert.are.same({ document }, (keys(event)))
  end)
end)

describe("notify.reason", function()
  it("names the first bad records and counts the rest", function()
    local list = {}
    for index = 1, 5 do list[index] = { reason = "r" .. index } end
    assert.are.equal("r1; r2; r3; and 2 more", notify.reason(list))
    assert.are.equal("r1; r2; r3", notify.reason { list[1], list[2], list[3] })
    assert.are.equal("r1", notify.reason { list[1] })
  end)
end)

describe("notify.records", function()
  it("is what a bucket would send", function()
    local one = notify.records("a b", "mine").Records[1]
    assert.are.equal("mine", one.s3.bucket.name)
    assert.are.equal("bucket", notify.records("a").Records[1].s3.bucket.name)
    assert.are.equal("a+b", one.s3.object.key)
    assert.are.equal("aws:s3", one.eventSource)
    assert.are.equal("ObjectCreated:Put", one.eventName)
    assert.are.equal("2.1", one.eventVersion)
  end)
end)

describe("keys in events", function()
  it("are written as S3 does", function()
    assert.are.equal("a+b%2B%25%C3%A4/c", object_key.encode("a b+%ä/c"))
    assert.are.equal("a b/ü%+", object_key.decode("a+b/%C3%bc%25%2B"))
    for byte = 0, 255 do
      local name = "x" .. string.char(byte) .. "y"
      assert.are.equal(name, object_key.decode(object_key.encode(name)))
    end
  end)

  it("aren't guessed at where they are no S3's", function()
    for _, text in ipairs { "100%", "%g1", "%1", "a%%20" } do
      local decoded, message = object_key.decode(text)
      assert.is_nil(decoded)
      assert.matches("isn't URL-encoded", message, 1, true)
    end
  end)
end)
