local host = require "submitter.host"
local notify = require "submitter.notify"

local subid = "fc55c0190dde2bc413d8d1e79fb8cca2"
local document = "m.soltys/aws_labs/lab5/" .. subid .. "/" .. subid .. ".json"

local function keys(event)
  local bodies, skipped = notify.messages(event)
  assert.is_table(bodies, skipped)
  local found = {}
  for index, body in ipairs(bodies) do
    local message = host.json.decode(body)
    found[index] = message.subdata
    message.subdata = nil
    assert.are.same({}, message)
  end
  return found, skipped
end

local function record(object_key, name)
  local one = notify.records(object_key).Records[1]
  one.eventName = name or one.eventName
  return one
end

local function refused(event, pattern)
  local bodies, message, code = notify.messages(event)
  assert.is_nil(bodies)
  assert.are.equal("message", code)
  assert.matches(pattern, message)
end

describe("notify.messages", function()
  it("queues one message for a submission document", function()
    assert.are.same({ document }, (keys(notify.records(document))))
    assert.are.same({ "/" .. document }, (keys(notify.records("/" .. document))))
  end)

  it("queues nothing for any other object, and says why", function()
    local folder = "m.soltys/aws_labs/lab5/"
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
    for _, object_key in ipairs(others) do
      local found, skipped = keys(notify.records(object_key))
      assert.are.same({}, found, object_key)
      assert.are.equal(object_key, skipped[1].key)
      assert.is_string(skipped[1].reason)
    end
  end)

  it("counts created objects only, in both spellings of the event's name", function()
    local event = { Records = { record(document, "ObjectRemoved:Delete") } }
    local found, skipped = keys(event)
    assert.are.same({}, found)
    assert.matches("ObjectRemoved:Delete", skipped[1].reason)
    assert.are.same({ document }, (keys { Records = { record(document, "s3:ObjectCreated:CompleteMultipartUpload") } }))
    assert.are.same({ document }, (keys { Records = { record(document, "ObjectCreated:Copy") } }))
    assert.are.same({}, (keys { Records = { record(document, "ObjectCreatedX") } }))
  end)

  it("decodes keys as S3 encodes them", function()
    local odd = "m soltys/a+b%2F/lab\xc3\xa4=&/" .. subid .. "/" .. subid .. ".json"
    assert.are.same({ odd }, (keys(notify.records(odd))))
    assert.are.equal("a b/ü%+", notify.decode_key("a+b/%C3%bc%25%2B"))
    assert.are.equal("100%/%g", notify.decode_key("100%/%g"))
    assert.are.equal("a+b%2B%25%C3%A4/c", notify.encode_key("a b+%ä/c"))
  end)

  it("queues one message for a key that is named twice", function()
    local found, skipped = keys { Records = { record(document), record(document) } }
    assert.are.same({ document }, found)
    assert.matches("twice", skipped[1].reason)
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
    local inner = host.json.encode(notify.records(document))
    local sns = { Type = "Notification", Message = inner }
    assert.are.same({ document }, (keys(sns)))
    assert.are.same({ document }, (keys { Records = { { EventSource = "aws:sns", Sns = { Message = inner } } } }))
    assert.are.same({ document }, (keys { Records = { { eventSource = "aws:sqs", body = inner } } }))
    assert.are.same({ document },
      (keys { Records = { { eventSource = "aws:sqs", body = host.json.encode(sns) } } }))
  end)

  it("takes the test event for what it is", function()
    local found, skipped = keys { Service = "Amazon S3", Event = "s3:TestEvent", Bucket = "b" }
    assert.are.same({}, found)
    assert.matches("test event", skipped[1].reason)
    assert.are.same({}, (keys { Records = {} }))
  end)

  it("refuses what isn't an event", function()
    refused({}, "expected a bucket's event")
    refused({ Records = 5 }, "expected a bucket's event")
    refused({ Records = { first = {} } }, "Records must be an array")
    refused({ Records = { 5 } }, "Records%[1%] has no eventName")
    refused({ Records = { { eventName = "ObjectCreated:Put", s3 = { object = {} } } } }, "s3.object.key")
    refused({ Records = { { eventSource = "aws:sqs" } } }, "no text in body")
    refused({ Records = { { EventSource = "aws:sns" } } }, "Sns.Message")
    refused({ Type = "Notification", Message = "hello" }, "isn't JSON")
    refused({ Type = "Notification", Message = "5" }, "expected a bucket's event")
    refused({ ["detail-type"] = "Object Created", detail = {} }, "detail.object.key")
    local deep = { Event = "s3:TestEvent" }
    for _ = 1, 8 do
      deep = { Type = "Notification", Message = host.json.encode(deep) }
    end
    refused(deep, "4 deep")
    refused({ Type = "Notification" }, "expected a bucket's event")
    refused({ ["detail-type"] = "Object Created" }, "expected a bucket's event")
    refused({ detail = { object = { key = document } } }, "expected a bucket's event")
  end)

  it("reads events that are wrapped four deep", function()
    local event = notify.records(document)
    for _ = 1, 3 do
      event = { Type = "Notification", Message = host.json.encode(event) }
    end
    assert.are.same({ document }, (keys(event)))
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

describe("notify.is_event", function()
  it("tells events from messages", function()
    assert.is_true(notify.is_event(notify.records(document)))
    assert.is_true(notify.is_event { Event = "s3:TestEvent" })
    assert.is_true(notify.is_event { Type = "Notification", Message = "" })
    assert.is_true(notify.is_event { ["detail-type"] = "x", detail = {} })
    assert.is_false(notify.is_event { subdata = document })
    assert.is_false(notify.is_event {})
    assert.is_false(notify.is_event { Type = "Notification" })
    assert.is_false(notify.is_event { Message = "x" })
    assert.is_false(notify.is_event { ["detail-type"] = "x" })
    assert.is_false(notify.is_event { detail = {} })
    assert.is_false(notify.is_event("Records"))
    assert.is_false(notify.is_event(nil))
  end)
end)
