local aws = require "spec.fake.aws"
local s3_errors = require "submitter.aws.s3_errors"
local support = require "spec.support"

local function xml_error(code, message)
  return ("<Error><Code>%s</Code><Message>%s</Message></Error>"):format(code, message or "words")
end

describe("the client of a service", function()
  local world, client

  before_each(function()
    world = aws.new()
    client = world:client()
  end)

  local function call(more)
    local request = { operation = "GetObject", method = "GET", url = "https://b.example/k",
      read_error = s3_errors.read }
    for name, value in pairs(more or {}) do request[name] = value end
    return client:call(request)
  end

  it("signs for the region, the service and the time of now, and gives the answer with its request id", function()
    world:script { 200, body = "data", headers = { ["x-amz-request-id"] = "R1" } }
    local response = assert(call { headers = { { "X", "1" }, { "X", "2" } }, body = "sent", limit_bytes = 7,
      timeout_ms = 8, stall_ms = 9 })
    assert.are.equal("data", response.body)
    assert.are.equal("R1", response.request_id)
    local request = world.requests[1]
    assert.are.equal("KEY1 eu-central-1 s3 1700000000", world:sent "authorization")
    assert.are.same({ { "X", "1" }, { "X", "2" } }, { request.headers[1], request.headers[2] })
    assert.are.same({ "GET", "https://b.example/k", "sent", 7, 8, 9, 5000 }, { request.method, request.url,
      request.body, request.limit_bytes, request.timeout_ms, request.stall_ms, request.connect_timeout_ms })
    assert.matches("^submitter/%d", world:sent "user-agent")
    assert.are.equal("attempt=1; max=3", world:sent "amz-sdk-request")
    assert.are.equal("R9", assert((function()
      world:script { 200, headers = { ["x-amzn-requestid"] = "R9" } }
      return call()
    end)()).request_id)
  end)

  it("signs for the call's region before its own, and for its own before the session's", function()
    client = world:client { region = "us-east-2" }
    assert(call())
    assert.matches("us%-east%-2", world:sent "authorization")
    assert(call { region = "us-west-1" })
    assert.matches("us%-west%-1", world:sent "authorization")
  end)

  it("tries three times with full jitter, each attempt signed anew", function()
    world:script({ 503, body = xml_error "SlowDown" }, { nil, "reset", "cut" }, { 200, body = "data" })
    assert.are.equal("data", assert(call()).body)
    assert.are.same({ 500, 1000 }, world.slept)
    assert.are.equal(3, #world.requests)
    local ids = {}
    for index, request in ipairs(world.requests) do
      assert.are.equal(("attempt=%d; max=3"):format(index), world:sent("amz-sdk-request", request))
      ids[world:sent("amz-sdk-invocation-id", request)] = true
    end
    assert.matches("^%x+%-%x+%-4%x+%-a%x+%-%x+$", (next(ids)))
    assert.is_nil(next(ids, next(ids)))
    assert.are.equal("KEY1 eu-central-1 s3 1700000001", world:sent "authorization")
  end)

  it("gives up with message, code and details, and shows neither body nor headers", function()
    world:script { 503, headers = { ["x-amz-request-id"] = "R1", ["x-amz-id-2"] = "H1" } }
    local response, message, code, details = call { headers = { { "x-amz-security-token", "secret" } },
      body = "secret", read_error = function() return "SlowDown", "Please reduce\27[31m your rate" end }
    assert.is_nil(response)
    assert.are.equal("SlowDown", code)
    assert.are.equal("S3 GetObject: SlowDown: Please reduce\\e[31m your rate (HTTP 503, request R1, "
      .. "extended request H1, 3 attempts)", message)
    assert.are.same({ 503, "R1", 3, true, true },
      { details.status, details.request_id, details.attempts, details.retryable, details.ambiguous })
  end)

  it("keeps a service's words within bounds", function()
    world:script { 400, body = xml_error("Odd", ("x"):rep(5000)) }
    local _, message = call()
    assert.is_true(#message < 500)
  end)

  it("knows what is worth another try", function()
    local codes = { SlowDown = 503, InternalError = 500 }
    for code in ([[Throttling ThrottlingException ThrottledException RequestThrottledException TooManyRequestsException
      ProvisionedThroughputExceededException TransactionInProgressException RequestLimitExceeded BandwidthLimitExceeded
      LimitExceededException RequestThrottled PriorRequestNotComplete EC2ThrottledException RequestTimeout
      RequestTimeoutException]]):gmatch("%S+") do
      codes[code] = 400
    end
    for code, status in pairs(codes) do
      world.requests = {}
      world:script { status, body = xml_error(code) }
      local _, _, found, details = call()
      assert.are.same({ code, 3, true }, { found, #world.requests, details.retryable })
      client = world:client()
    end
    for _, status in ipairs { 429, 500, 502, 503, 504 } do
      world.requests = {}
      world:script { status }
      local _, _, found = call()
      assert.are.same({ ("HTTP %d"):format(status), 3 }, { found, #world.requests })
      client = world:client()
    end
    for _, class in ipairs { "connect", "tls", "timeout", "cut" } do
      world.requests = {}
      world:script { nil, "words of the library", class }
      local _, message, found, details = call()
      assert.are.same({ class, 3, class ~= "connect" }, { found, #world.requests, details.ambiguous })
      assert.matches("words of the library", message)
      client = world:client()
    end
    for _, answer in ipairs { { 400 }, { 403, body = xml_error "AccessDenied" }, { 404, body = xml_error "NoSuchKey" },
      { 412 }, { 501 }, { nil, "m", "too_large" }, { nil, "m", "url" } } do
      world.requests = {}
      world:script(answer)
      local _, _, found, details = call()
      assert.are.same({ 1, false }, { #world.requests, details.retryable }, found)
    end
  end)

  it("tries again the codes that a call names", function()
    world:script({ 409, body = xml_error "ConditionalRequestConflict" }, { 200 })
    assert(call { retried_codes = { ConditionalRequestConflict = true } })
    assert.are.equal(2, #world.requests)
  end)

  it("makes the attempts that were configured", function()
    client = world:client { max_attempts = 5 }
    world:script { 500 }
    call()
    assert.are.equal(5, #world.requests)
    assert.are.same({ 500, 1000, 2000, 4000 }, world.slept)
  end)

  it("takes an expected status for an answer", function()
    world:script { 304 }
    assert.are.equal(304, assert(call { expected = { [304] = true } }).status)
    assert.is_nil((call()))
  end)

  it("tries again when a good answer can't be true", function()
    local seen = 0
    local function verify()
      seen = seen + 1
      if seen < 3 then return "corrupt", "wrong checksum" end
    end
    assert(call { verify = verify })
    assert.are.equal(3, #world.requests)
    seen = -10
    local _, message, code, details = call { verify = verify }
    assert.are.equal("corrupt", code)
    assert.matches("wrong checksum %(HTTP 200", message)
    assert.is_true(details.ambiguous)
  end)

  describe("spends a quota on retries:", function()
    it("5 each, back on success, 1 more for each call without one", function()
      world:script({ 500 }, { 200 })
      assert(call())
      assert.are.equal(500, client.quota.left)
      world:script { 500 }
      call()
      assert.are.equal(490, client.quota.left)
      world:script { 200 }
      for _ = 1, 4 do assert(call()) end
      assert.are.equal(494, client.quota.left)
    end)

    it("10 for time-outs", function()
      world:script { nil, "slow", "timeout" }
      call()
      assert.are.equal(480, client.quota.left)
      world:script({ nil, "slow", "timeout" }, { 200 })
      assert(call())
      assert.are.equal(480, client.quota.left)
    end)

    it("none is tried again when it is empty, and nothing slept", function()
      client.quota.left = 4
      world:script { 500 }
      local _, message, _, details = call()
      assert.are.same({ 1, 0, true }, { #world.requests, #world.slept, details.retryable })
      assert.matches("not tried again because most requests have been failing", message)
    end)

    it("a long poll sleeps its back-off all the same", function()
      client.quota.left = 4
      world:script { 500 }
      call { long_poll = true }
      assert.are.same({ 1, { 500 } }, { #world.requests, world.slept })
    end)

    it("it lasts for a hundred retries of a service that is down", function()
      world:script { 500 }
      for _ = 1, 60 do call() end
      assert.are.equal(60 + 100, #world.requests)
      assert.are.equal(0, client.quota.left)
    end)
  end)

  describe("corrects its clock", function()
    local function skewed(code)
      return { 403, body = xml_error(code or "RequestTimeTooSkewed") }
    end

    it("from a refusal's Date, at once, outside the quota, and keeps that", function()
      world.service_ahead_s = 1200
      client.quota.left = 0
      local lines = support.logged(function()
        for _, code in ipairs { "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture",
          "InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure" } do
          client.skew.offset_s = 0
          world:script(skewed(code), { 200 })
          assert(call())
        end
      end)
      assert.are.same({}, world.slept)
      assert.are.same({ event = "aws_clock_corrected", fields = { service = "s3", offset_s = 1200 } }, lines[1])
      assert.are.equal(6, #lines)
      assert.are.equal("KEY1 eu-central-1 s3 1700001200", world:sent "authorization")
      assert(call())
      assert.are.equal("KEY1 eu-central-1 s3 1700001200", world:sent "authorization")
    end)

    it("not when the Date agrees, is missing or comes from a cache", function()
      for _, headers in ipairs { {}, { date = "yesterday" },
        { date = aws.http_date(1700009000), age = "5" } } do
        world.requests = {}
        world:script { 403, body = xml_error "SignatureDoesNotMatch", headers = headers }
        local _, _, code = call()
        assert.are.same({ "SignatureDoesNotMatch", 1, 0 }, { code, #world.requests, client.skew.offset_s })
      end
    end)

    it("once a call at once, and then as it retries what fails for a moment", function()
      world.service_ahead_s = 1200
      support.logged(function()
        world:script(skewed(), function()
          world.service_ahead_s = world.service_ahead_s + 1000
          return skewed()
        end)
        local _, _, code = call()
        assert.are.same({ "RequestTimeTooSkewed", 4, 2 }, { code, #world.requests, #world.slept })
        -- A service whose hosts don't agree is only away for the moment.
        local _, _, _, details = call()
        assert.is_true(details.retryable)
        world.service_ahead_s = 90000
        world:script(skewed(), function()
          world.service_ahead_s = 0
          return skewed()
        end, { 200 })
        assert(call())
      end)
    end)

    it("also by what another call has learnt meanwhile", function()
      world.service_ahead_s = 1200
      world:script(function()
        client.skew.offset_s = 1200
        return skewed()
      end, { 200 })
      assert(call())
      assert.are.equal(2, #world.requests)
    end)

    it("by the time in the body where there is no Date", function()
      world:script({ 403, headers = { date = "-" }, body =
        "<Error><Code>RequestTimeTooSkewed</Code><ServerTime>2023-11-14T23:13:20Z</ServerTime></Error>" }, { 200 })
      support.logged(function() assert(call()) end)
      assert.are.equal(3600, client.skew.offset_s)
    end)

    it("by two good answers that agree, never by one", function()
      local far = aws.http_date(1700000000 + 400)
      world:script({ 200, headers = { date = far } }, { 200 }, { 200, headers = { date = far } }, { 200 })
      local lines = support.logged(function()
        for _ = 1, 4 do assert(call()) end
        assert.are.equal(0, client.skew.offset_s)
        world:script { 200, headers = { date = far } }
        for _ = 1, 2 do assert(call()) end
        assert.are.equal(400, client.skew.offset_s)
      end)
      assert.are.equal(1, #lines)
    end)

    it("back, when this machine's clock was set", function()
      world.service_ahead_s = 1200
      support.logged(function()
        world:script(skewed(), { 200 })
        assert(call())
        world.clock.now, world.service_ahead_s = world.clock.now + 1200000, 0
        world:script(skewed(), { 200 })
        assert(call())
      end)
      assert.are.equal(0, client.skew.offset_s)
    end)
  end)

  describe("renews its credentials", function()
    it("when they have expired, once and at once", function()
      world.session.keys = { "KEY1", "KEY2", "KEY3" }
      for _, code in ipairs { "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired",
        "InvalidToken" } do
        world.session.expirations, world.requests = 0, {}
        world:script({ 400, body = xml_error(code) }, { 200 })
        assert(call())
        assert.matches("^KEY2", world:sent "authorization")
        assert.are.equal("KEY1", world.expired.access_key_id)
      end
      assert.are.same({}, world.slept)
      world.requests = {}
      world:script { 400, body = xml_error "ExpiredToken" }
      local _, _, code = call()
      assert.are.same({ "ExpiredToken", 2 }, { code, #world.requests })
    end)

    it("when the key isn't known any longer and there is another by now", function()
      for _, code in ipairs { "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException" } do
        world.session.keys, world.session.expirations, world.requests = { "KEY1" }, 0, {}
        world:script { 403, body = xml_error(code) }
        local _, _, found = call()
        assert.are.same({ code, 1 }, { found, #world.requests })
        world.session.keys, world.session.expirations = { "KEY1", "KEY2" }, 0
        world:script({ 403, body = xml_error(code) }, { 200 })
        assert(call())
        assert.matches("^KEY2", world:sent "authorization")
      end
    end)

    it("beside the clock: both may be wrong", function()
      world.session.keys, world.service_ahead_s = { "KEY1", "KEY2" }, 1200
      world:script({ 403, body = xml_error "RequestExpired" }, { 400, body = xml_error "RequestExpired" }, { 200 })
      support.logged(function() assert(call()) end)
      assert.are.equal("KEY2 eu-central-1 s3 1700001200", world:sent "authorization")
    end)
  end)

  it("says why there are no credentials, and asks nobody", function()
    world.session.failure, world.session.failure_code = "none found; set AWS_ACCESS_KEY_ID", "no_credentials"
    local _, message, code, details = call()
    assert.are.same({ "no_credentials", 0, 0, false },
      { code, #world.requests, details.attempts, details.ambiguous })
    assert.matches("none found", message)
  end)

  it("leaves what to do at the end of its own words, and cuts what others say", function()
    world.session.failure = ("looked here; "):rep(100) .. "set AWS_ACCESS_KEY_ID"
    local _, message = call()
    assert.matches("looked here; set AWS_ACCESS_KEY_ID$", message)
    world.session.failure = nil
    world:script { 400, body = xml_error("Bad", ("ä"):rep(1000)) }
    _, message = call()
    assert.matches("^S3 GetObject: Bad: [ä]+… %(2005 bytes%) %(HTTP 400%)$", message)
    assert.is_true(#message < 400)
  end)

  it("says that the region is missing", function()
    world.session.region = function() return nil, "no region; set AWS_REGION", "configuration" end
    local _, message, code = call()
    assert.are.equal("configuration", code)
    assert.matches("AWS_REGION", message)
  end)

  it("knows an attempt that may have been carried out, also an earlier one", function()
    for answer, ambiguous in pairs { [{ nil, "m", "cut" }] = true, [{ nil, "m", "timeout" }] = true, [{ 500 }] = true,
      [{ nil, "m", "connect" }] = false, [{ 429 }] = false } do
      world:script(answer, { 412 })
      local _, _, _, details = call()
      assert.are.equal(ambiguous, details.ambiguous)
    end
    world:script { 412, resent = true }
    local _, _, _, details = call()
    assert.is_true(details.ambiguous)
  end)

  it("throws on misuse", function()
    assert.error_matches(function() client:call { operation = "X", method = "GET", uri = "" } end,
      'unknown option "uri"')
    assert.error_matches(function() client:call { operation = "X", method = "GET" } end, "expected client:call")
    assert.error_matches(function() require("submitter.aws.client").new { service = "s3" } end, "expected client.new")
  end)
end)
