local host = require "submitter.host"
local key = require "submitter.key"
local notify = require "submitter.notify"
local submission = require "submitter.submission"

local subid = "fc55c0190dde2bc413d8d1e79fb8cca2"
local tokens = { "d823640ab3b0f7a4a2bc9fc89661e940", "240669d4326dea48bba75e066b90b76f" }
local location = assert(key.location("m.soltys", "aws_labs", "lab5", subid, "/"))

local function encode(changes)
  local fields = { subid = subid, admin = "m.soltys", event = "aws_labs", assignment = "lab5", tokens = tokens }
  for name, value in pairs(changes or {}) do
    fields[name] = value
    if value == "nil" then
      fields[name] = nil
    end
  end
  return host.json.encode(fields)
end

local function rejected(text, pattern, ...)
  local document, message, code = submission.parse(text, location, ...)
  assert.is_nil(document)
  assert.are.equal("rejected", code)
  assert.matches(pattern, message)
  assert.is_nil(message:find("%c"))
  assert.is_true(#message < 600)
end

describe("submission.subid", function()
  it("is the MD5 of admin, event, assignment and the sorted tokens, by lines", function()
    local expected = host.digest.md5("m.soltys\naws_labs\nlab5\n" .. tokens[2] .. "\n" .. tokens[1])
    local parts = { admin = "m.soltys", event = "aws_labs", assignment = "lab5", tokens = tokens }
    assert.are.equal(expected, submission.subid(parts))
    assert.are.equal("d823640ab3b0f7a4a2bc9fc89661e940", tokens[1])
    parts.tokens = { tokens[2], tokens[1] }
    assert.are.equal(expected, submission.subid(parts))
    parts.tokens = { tokens[2] }
    assert.are_not.equal(expected, submission.subid(parts))
  end)

  it("throws where a part is missing", function()
    local expected = "expected submission.subid{ admin =, event =, assignment =, tokens = { … } }"
    assert.has_error(function() submission.subid { admin = "a", event = "b", tokens = tokens } end, expected)
    assert.has_error(function() submission.subid { admin = "a", event = "b", assignment = "c" } end, expected)
  end)
end)

describe("submission.parse", function()
  it("reads a document", function()
    local document = assert(submission.parse(encode { note = "ignored" }, location))
    assert.are.same({ subid = subid, admin = "m.soltys", event = "aws_labs", assignment = "lab5", tokens = tokens },
      document)
  end)

  it("reads what encode writes", function()
    local document = assert(submission.parse(encode(), location))
    assert.are.same(document, assert(submission.parse(submission.encode(document), location)))
    document.tokens = { tokens[1] }
    assert.are.same(document, assert(submission.parse(submission.encode(document), location)))
  end)

  it("reads the other spellings", function()
    local text = encode { subid = "nil", submissionid = subid, assignment = "nil", problem = "lab5" }
    local document = assert(submission.parse(text, location))
    assert.are.equal(subid, document.subid)
    assert.are.equal("lab5", document.assignment)
    assert.is_nil(document.problem)
    assert.is_table(submission.parse(encode { submissionid = subid, problem = "lab5" }, location))
  end)

  it("wants both spellings to agree", function()
    rejected(encode { problem = "lab6" }, 'assignment and problem are two names.*"lab5" and "lab6"')
    rejected(encode { submissionid = ("0"):rep(32) }, "subid and submissionid")
    rejected(encode { problem = 5 }, "assignment and problem.*the number 5")
  end)

  it("accepts a byte order mark, white space and tokens in capitals", function()
    assert.is_table(submission.parse("\xEF\xBB\xBF" .. encode(), location))
    assert.is_table(submission.parse("\xEF\xBB\xBF \r\n" .. encode(), location))
    local upper = { tokens[1]:upper() }
    assert.are.same(upper, assert(submission.parse(encode { tokens = upper }, location)).tokens)
    assert.is_table(submission.parse(encode { tokens = { tokens[1], tokens[1] } }, location))
  end)

  it("needs no location", function()
    assert.is_table(submission.parse(encode { admin = "anybody" }))
  end)

  it("refuses what isn't a JSON object", function()
    rejected("", "is empty")
    rejected(" \n", "is empty")
    rejected("\xEF\xBB\xBF", "is empty")
    rejected("{", "isn't JSON")
    rejected("hello", "isn't JSON")
    rejected(encode() .. "x", "isn't JSON")
    rejected("\0", "isn't JSON")
    rejected("[]", "must be a JSON object, found an empty array")
    rejected("[1]", "must be a JSON object, found an array")
    rejected("5", "must be a JSON object, found the number 5")
    rejected("null", "must be a JSON object, found null")
    rejected('"text"', 'must be a JSON object, found "text"')
    rejected(("["):rep(20000), "isn't JSON")
  end)

  it("refuses what is too large before reading it", function()
    rejected((" "):rep(65537), "65537 bytes; at most 65536")
    rejected(encode(), "at most 10", 10)
    assert.is_table(submission.parse(encode() .. (" "):rep(65536 - #encode()), location))
  end)

  it("names the field, what was found and what is expected", function()
    rejected(encode { subid = "nil" }, "field subid %(or submissionid%) is missing")
    rejected(encode { admin = "nil" }, "field admin is missing")
    rejected(encode { assignment = "nil" }, "field assignment %(or problem%) is missing")
    rejected(encode { event = 5 }, "field event must be a text, found the number 5")
    rejected(encode { event = host.json.null }, "field event must be a text, found null")
    rejected(encode { admin = { "a" } }, "field admin must be a text, found an array")
    rejected(encode { admin = { a = 1 } }, "field admin must be a text, found an object")
    rejected(encode { admin = true }, "field admin must be a text, found the boolean true")
    rejected(encode { subid = subid:upper() }, "field subid must be 32 lower%-case hexadecimal digits, found \"FC55")
    rejected(encode { subid = subid .. "0" }, "field subid must be 32")
    rejected(encode { tokens = "nil" }, "field tokens is missing")
    rejected(encode { tokens = host.json.array {} }, "field tokens is empty")
    rejected(encode { tokens = "a" }, 'field tokens must be an array of tokens, found "a"')
    rejected(encode { tokens = { a = tokens[1] } }, "found an object")
    rejected(encode { tokens = { tokens[1], 5 } }, "tokens%[2%] must be 32 hexadecimal digits, found the number 5")
    rejected(encode { tokens = { "xyz" } }, 'tokens%[1%] must be 32 hexadecimal digits, found a text of 3 bytes')
    rejected(encode { tokens = { tokens[1] .. "0" } }, "tokens%[1%]")
    rejected(encode { tokens = { tokens[1], host.json.null } }, "tokens%[2%].*null")
    rejected(encode { tokens = { ("g"):rep(32) } }, "tokens%[1%]")
  end)

  it("refuses a document that disagrees with its key, naming both", function()
    rejected(encode { admin = "eve" }, 'document\'s admin is "eve" but its key says "m.soltys"')
    rejected(encode { event = "other" }, 'event is "other" but its key says "aws_labs"')
    rejected(encode { assignment = "nil", problem = "lab6" }, 'problem is "lab6" but its key says "lab5"')
    rejected(encode { subid = ("0"):rep(32) }, "subid is \"0000.* but its key says \"fc55")
    rejected(encode { admin = "m.soltys\0" }, "\\x00")
    rejected(encode { admin = "m.soltys\n\27[31m" }, "\\x0a\\x1b")
    rejected(encode { admin = ("a"):rep(50000) }, "50000 bytes")
  end)
end)

describe("submission.parse_message", function()
  local function refused(body, pattern)
    local requests, message, code = submission.parse_message(body)
    assert.is_nil(requests)
    assert.are.equal("message", code)
    assert.matches(pattern, message)
    assert.is_nil(message:find("%c"))
    assert.is_true(#message < 600)
  end

  it("reads a message", function()
    local requests, skipped = submission.parse_message(host.json.encode { subdata = location.key, extra = 1 })
    assert.are.same({ { key = location.key, mode = "test", location = location } }, requests)
    assert.are.same({}, skipped)
  end)

  it("reads mode and regrade, and what message writes", function()
    local body = submission.message { key = location.key, mode = "grade", regrade = "2026-11-24T05:55:34.123Z" }
    assert.are.same({ { key = location.key, mode = "grade", regrade = "2026-11-24T05:55:34.123Z",
      location = location } }, submission.parse_message(body))
    body = submission.message { key = location.key, regrade = ("a"):rep(128) }
    assert.are.equal(128, #submission.parse_message(body .. (" "):rep((256 << 10) - #body))[1].regrade)
    body = host.json.encode { subdata = location.key, mode = host.json.null, regrade = host.json.null }
    assert.are.equal("test", submission.parse_message(body)[1].mode)
    assert.are.equal('{"subdata":"' .. location.key .. '"}',
      (submission.message { key = location.key }:gsub("\\/", "/")))
  end)

  it("reads a bucket's notification", function()
    local other = assert(key.location("m.soltys", "aws_labs", "lab6", subid))
    local event = notify.records(location.key)
    event.Records[2] = notify.records(other.key).Records[1]
    event.Records[3] = notify.records("m.soltys/aws_labs/lab5/grading/test.in").Records[1]
    local requests, skipped = submission.parse_message(host.json.encode(event))
    assert.are.equal(2, #requests)
    assert.are.equal(location.key, requests[1].key)
    assert.are.same(other, requests[2].location)
    assert.are.equal("test", requests[2].mode)
    assert.are.equal("m.soltys/aws_labs/lab5/grading/test.in", skipped[1].key)
    assert.are.same({}, (submission.parse_message('{"Event":"s3:TestEvent"}')))
  end)

  it("reads what of a notification can be read, and names the rest", function()
    local event = notify.records(location.key)
    event.Records[2] = 5
    local requests, skipped, failed = submission.parse_message(host.json.encode(event))
    assert.are.equal(location.key, requests[1].key)
    assert.are.same({}, skipped)
    assert.are.equal(2, failed[1].index)
    assert.matches("Records[2]", failed[1].reason, 1, true)
    requests, skipped, failed = submission.parse_message('{"Records":[5]}')
    assert.are.same({ {}, {} }, { requests, skipped })
    assert.are.equal(1, #failed)
  end)

  it("refuses what can't be read", function()
    refused("", "is empty")
    refused("not JSON", "isn't JSON")
    refused("[]", "must be a JSON object")
    refused("{}", "field subdata must be the key of a submission document, found nothing")
    refused('{"subdata":5}', "subdata.*the number 5")
    refused('{"subdata":null}', "subdata.*null")
    refused('{"subdata":""}', "empty")
    refused('{"subdata":"/a/../c/d/e"}', '"%.%."')
    refused('{"subdata":"a/b/c"}', "isn't a submission document's")
    refused('{"subdata":"a\\u0000"}', "NUL")
    refused(host.json.encode { subdata = ("a/"):rep(2500) }, "5000 bytes")
    refused(host.json.encode { subdata = location.key, mode = "exam" }, 'mode must be "test" or "grade", found "exam"')
    refused(host.json.encode { subdata = location.key, regrade = 5 }, "regrade.*the number 5")
    refused(host.json.encode { subdata = location.key, regrade = "" }, "regrade")
    refused(host.json.encode { subdata = location.key, regrade = ("a"):rep(129) }, "regrade")
    refused(host.json.encode { subdata = location.key, regrade = "a/b" }, "regrade")
    refused('{"Records":{"a":5}}', "Records must be an array")
    refused((" "):rep((256 << 10) + 1), "262145 bytes; at most 262144")
  end)
end)
