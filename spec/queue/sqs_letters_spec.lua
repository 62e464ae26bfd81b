local sqs_letters = require "submitter.queue.sqs_letters"

describe("a text for SQS", function()
  it("is taken when XML takes its characters", function()
    for _, text in ipairs { "", "{}", "\t\r\n ~\127", "\u{80}ä€\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}" } do
      assert.is_nil(sqs_letters.refused(text), text)
    end
  end)

  it("is refused at the first that XML doesn't take", function()
    for text, offset in pairs {
      ["\0"] = 0, ["a\1"] = 1, ["ab\8"] = 2, ["\11"] = 0, ["\12"] = 0, ["a\14b\0"] = 1, ["\31"] = 0,
      ["ä\u{fffe}"] = 2, ["\u{ffff}"] = 0, ["\xff"] = 0, ["a\xed\xa0\x80"] = 1, ["\xc3"] = 0, ["\xff\0"] = 0,
    } do
      assert.are.equal(offset, sqs_letters.refused(text))
    end
  end)
end)

describe("a letter on SQS", function()
  local function message(body)
    return { id = "m1", body = body or "{}", receives = 7, failures = 4, sent_ms = 1700000000000 }
  end

  local function size(attributes, body)
    local bytes = #body
    for name, one in pairs(attributes) do bytes = bytes + #name + #one.DataType + #one.StringValue end
    return bytes
  end

  -- As the message of the dead letter queue comes back.
  local function received(attributes, body)
    local texts = {}
    for name, one in pairs(attributes) do texts[name] = one.StringValue end
    return { id = "d1", body = body or "{}", receipt = "r", receives = 1, sent_ms = 1800000000000, attributes = texts }
  end

  it("says what it said", function()
    local attributes = sqs_letters.attributes(message(), "no cases", "instructor")
    local letter = sqs_letters.read(received(attributes))
    assert.are.equal("Number", attributes.Receives.DataType)
    assert.are.equal("String", attributes.Reason.DataType)
    assert.are.same({ "d1", "m1", "{}", "r", "no cases", "instructor", 7, 5, 1700000000000 }, {
      letter.id, letter.message_id, letter.body, letter.receipt, letter.reason, letter.class, letter.receives,
      letter.failures, letter.sent_ms,
    })
    assert.is_true(letter.died_ms > 1700000000000 and math.type(letter.died_ms) == "integer")
  end)

  it("is cut where the reason is long, without breaking a character", function()
    local attributes = sqs_letters.attributes(message(), ("ä"):rep(9000), "x")
    local reason = attributes.Reason.StringValue
    assert.is_true(#reason <= 8192 and #reason > 8000)
    assert.is_truthy(utf8.len(reason))
    assert.matches("(cut, it had 18000 bytes)", reason, 1, true)
  end)

  it("holds only what SQS takes", function()
    local attributes = sqs_letters.attributes(message(), "a\0b\27[31m\xff\u{ffff}", "")
    assert.is_nil(sqs_letters.refused(attributes.Reason.StringValue))
    assert.are.equal("a\u{fffd}b\u{fffd}[31m\u{fffd}\u{fffd}", attributes.Reason.StringValue)
    assert.are.equal("-", attributes.Class.StringValue)
  end)

  it("fits: the body is whole, and the reason has what is left", function()
    for _, limit in ipairs { 256 << 10, 1 << 20 } do
      for _, left in ipairs { 0, 1, 100, 180, 250, 400, 1000, 9000 } do
        local body = ("x"):rep(limit - left)
        local attributes = sqs_letters.attributes(message(body), ("why "):rep(2000), "rejected")
        assert.is_true(size(attributes, body) <= limit, left)
        assert.are.equal(left >= 250, attributes.Reason ~= nil, left)
        if left == 0 then assert.are.same({}, attributes) end
      end
    end
  end)

  it("is read also when the queue's redrive policy made it", function()
    local letter = sqs_letters.read {
      id = "m1", body = "{}", receipt = "r", receives = 11, sent_ms = 1700000000000, first_received_ms = 1700000001000,
      source_arn = "arn:aws:sqs:eu-central-1:1:q", attributes = {},
    }
    assert.are.same({ "redrive", 11, 0, 1700000000000, 1700000001000 },
      { letter.class, letter.receives, letter.failures, letter.sent_ms, letter.died_ms })
    assert.matches("redrive policy of arn:aws:sqs:eu-central-1:1:q", letter.reason, 1, true)
    assert.is_nil(letter.message_id)
  end)

  it("believes no number that isn't one", function()
    local letter = sqs_letters.read {
      id = "m1", body = "{}", receives = 2,
      attributes = { Class = "x", Receives = "many", DiedMs = "-1", SentMs = "1.5" },
    }
    assert.are.equal(2, letter.receives)
    assert.is_true(letter.died_ms > 1700000000000)
    assert.is_true(letter.sent_ms > 1700000000000)
    assert.matches("the log of the worker", letter.reason, 1, true)
  end)
end)
