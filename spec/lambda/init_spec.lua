local fake_queue = require "spec.fake.queue"
local host = require "submitter.host"
local lambda = require "submitter.lambda"
local notify = require "submitter.notify"
local support = require "spec.support"

local subid = ("0"):rep(32)
local event = host.json.encode(notify.records(("a/e/s/%s/%s.json"):format(subid, subid)))

describe("the function", function()
  local told, invocations, answers, queue, lines

  before_each(function()
    told, invocations, answers, queue = {}, {}, {}, fake_queue.open()
  end)

  -- Stands in for host.http: hands out the invocations, then is gone; keeps what is told.
  local http = { request = function(options)
    local path = options.url:match "/runtime/(.*)$"
    if path == "invocation/next" then
      local one = table.remove(invocations, 1)
      if not one then return nil, "connection refused", "connect" end
      return { status = 200, body = one.event, headers = {
        { "lambda-runtime-aws-request-id", one.id },
        { "lambda-runtime-deadline-ms", tostring(host.clock.now_ms() + (one.left_ms or 3000)) },
      } }
    end
    told[#told + 1] = path
    local status = table.remove(answers, 1) or 202
    if status == "cut" then return nil, "it was cut", "cut" end
    return { status = status, headers = {}, body = "" }
  end }

  local function run(start)
    local result
    lines = support.logged(function()
      local restore = support.replace(host.log, { info = function() end })
      result = table.pack(pcall(lambda.run, { address = "127.0.0.1:1", http = http }, start or function(serve)
        return serve(queue)
      end))
      restore()
    end)
    return table.unpack(result, 2, result.n)
  end

  it("takes one invocation after the other, until nobody answers", function()
    invocations = { { id = "1", event = event }, { id = "2", event = "{}" }, { id = "3", event = event } }
    local result, message, code = run()
    assert.is_nil(result)
    assert.are.equal("connect", code)
    assert.matches("invocation/next", message, 1, true)
    assert.are.same({ "invocation/1/response", "invocation/2/error", "invocation/3/response" }, told)
    assert.are.equal(2, #queue.ready)
    assert.are.same({ "invocation_failed", "2", "Submitter.UnreadableEvent" },
      { lines[1].event, lines[1].fields.request_id, lines[1].fields.class })
  end)

  it("goes on where one invocation can't be answered any more", function()
    invocations = { { id = "1", event = event }, { id = "2", event = "{}" }, { id = "3", event = event } }
    answers = { 403, 400, 202 }
    run()
    assert.are.same({ "invocation/1/response", "invocation/2/error", "invocation/3/response" }, told)
  end)

  it("ends where the Runtime API is broken", function()
    for _, answer in ipairs { 500, "cut" } do
      told, invocations, answers = {}, { { id = "1", event = event }, { id = "2", event = event } }, { answer }
      assert.is_nil((run()))
      assert.are.same({ "invocation/1/response" }, told)
    end
  end)

  it("reports a response that is too large", function()
    invocations, answers = { { id = "1", event = event } }, { 413, 202 }
    run()
    assert.are.same({ "invocation/1/response", "invocation/1/error" }, told)
  end)

  it("keeps time for telling that it wasn't enough", function()
    assert.is_nil(lambda.budget_ms(nil, 1000))
    assert.are.equal(2400, lambda.budget_ms(4000, 1000))
    assert.are.equal(899000, lambda.budget_ms(901000, 1000))
    assert.are.equal(1, lambda.budget_ms(1000, 1000))
    assert.are.equal(1, lambda.budget_ms(1000, 5000))
    invocations = { { id = "1", event = event, left_ms = 100 } }
    queue.send = function() host.clock.sleep_ms(60000) end
    run()
    assert.are.same({ "invocation/1/error" }, told)
    assert.are.equal("Submitter.OutOfTime", lines[1].fields.class)
  end)

  it("tells why it can't start", function()
    local result, message, code = run(function() return nil, "no queue", "environment" end)
    assert.are.same({ nil, "no queue", "environment" }, { result, message, code })
    assert.are.same({ "init/error" }, told)
    assert.are.same({ "function_not_started", "no queue" }, { lines[1].event, lines[1].fields.reason })
    told, answers = {}, { "cut" }
    run(function() return nil, "no queue", "environment" end)
    assert.are.equal("function_not_answered", lines[2].event)
    told = {}
    local problem = run(function() error("a bug of ours") end)
    assert.matches("a bug of ours.*stack traceback", problem)
    assert.are.same({ "init/error" }, told)
  end)

  it("doesn't speak of its start after it", function()
    run(function(serve)
      serve(queue)
      error("a bug of ours")
    end)
    assert.are.same({}, told)
  end)
end)
