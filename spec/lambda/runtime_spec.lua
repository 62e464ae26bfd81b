local runtime = require "submitter.lambda.runtime"

describe("the client of the Runtime API", function()
  local asked, api, answers

  before_each(function()
    asked, answers = {}, {}
    api = runtime.new { address = "127.0.0.1:9001", http = { request = function(options)
      asked[#asked + 1] = options
      local one = table.remove(answers, 1)
      if one.code then return nil, one.message, one.code end
      return { status = one.status, headers = one.headers or {}, body = one.body or "", version = "1.1" }
    end } }
  end)

  local function header(options, name)
    for _, pair in ipairs(options.headers) do
      if pair[1] == name then return pair[2] end
    end
  end

  it("waits for an invocation without a time-out, past every proxy", function()
    answers[1] = { status = 200, body = "{}", headers = {
      { "lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd" },
      { "lambda-runtime-deadline-ms", "1542409706888" },
    } }
    assert.are.same({ id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd", deadline_ms = 1542409706888, event = "{}" },
      api:next())
    assert.are.equal("GET", asked[1].method)
    assert.are.equal("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", asked[1].url)
    local day_ms = 24 * 60 * 60 * 1000
    assert.is_true(asked[1].timeout_ms > day_ms and asked[1].stall_ms > day_ms)
    assert.is_false(asked[1].proxy)
    assert.is_nil(asked[1].body)
    assert.matches("^submitter/", header(asked[1], "User-Agent"))
  end)

  it("takes no invocation that it couldn't answer", function()
    for _, id in ipairs { "", "../x", "a b", "a/b" } do
      answers[1] = { status = 200, headers = { { "lambda-runtime-aws-request-id", id } } }
      local invocation, message, code = api:next()
      assert.is_nil(invocation)
      assert.matches("Request-Id", message, 1, true)
      assert.are.equal("unavailable", code)
    end
    answers[1] = { status = 200 }
    assert.is_nil((api:next()))
    answers[1] = { status = 200, headers = { { "lambda-runtime-aws-request-id", "a" },
      { "lambda-runtime-deadline-ms", "soon" } } }
    assert.is_nil(api:next().deadline_ms)
  end)

  it("hands in results", function()
    answers[1] = { status = 202, body = '{"status":"OK"}' }
    assert.is_true(api:respond("id-1", '{"queued":1}'))
    assert.are.equal("POST", asked[1].method)
    assert.are.equal("http://127.0.0.1:9001/2018-06-01/runtime/invocation/id-1/response", asked[1].url)
    assert.are.equal('{"queued":1}', asked[1].body)
    assert.are.equal("application/json", header(asked[1], "Content-Type"))
    assert.is_true(asked[1].timeout_ms <= 60000)
  end)

  it("reports failures in AWS's form", function()
    answers = { { status = 202 }, { status = 202 } }
    assert.is_true(api:fail("id-1", { type = "Submitter.BadRecord", message = "Records[2] ü", trace = { "a", "b" } }))
    assert.are.equal("http://127.0.0.1:9001/2018-06-01/runtime/invocation/id-1/error", asked[1].url)
    assert.are.equal("Submitter.BadRecord", header(asked[1], "Lambda-Runtime-Function-Error-Type"))
    assert.are.equal('{"errorMessage":"Records[2] ü","errorType":"Submitter.BadRecord","stackTrace":["a","b"]}',
      asked[1].body)
    assert.is_true(api:fail_to_start { type = "Submitter.Configuration", message = "no queue" })
    assert.are.equal("http://127.0.0.1:9001/2018-06-01/runtime/init/error", asked[2].url)
    assert.are.equal('{"errorMessage":"no queue","errorType":"Submitter.Configuration","stackTrace":[]}', asked[2].body)
  end)

  it("tells what is refused from what is broken", function()
    local body = '{"errorMessage":"Invalid request ID\\u0000","errorType":"InvalidRequestID"}'
    for status, expected in pairs { [400] = "refused", [403] = "refused", [413] = "too_large", [500] = "unavailable",
      [200] = "unavailable", [302] = "unavailable" } do
      answers[1] = { status = status, body = body }
      local told, message, code = api:respond("id-1", "{}")
      assert.is_nil(told)
      assert.are.equal(expected, code)
      assert.matches(tostring(status), message, 1, true)
      assert.matches("InvalidRequestID", message, 1, true)
    end
    answers[1] = { status = 403 }
    assert.is_nil((api:next()))
    answers[1] = { code = "connect", message = "connection refused" }
    local _, message, code = api:next()
    assert.are.equal("connect", code)
    assert.matches("doesn't answer GET /invocation/next: connection refused", message, 1, true)
  end)

  it("needs an address", function()
    assert.has_error(function() runtime.new {} end, 'expected runtime.new{ address = "host:port" }')
    assert.has_error(function() runtime.new { address = "a", port = 1 } end)
  end)
end)
