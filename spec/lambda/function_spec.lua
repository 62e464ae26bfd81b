--- The real program as a function of AWS Lambda, against the Runtime API over real sockets.
local host = require "submitter.host"
local notify = require "submitter.notify"
local runtime_api = require "spec.fake.runtime_api"
local support = require "spec.cli.support"
local web = require "spec.fake.web"

local eventually = require("spec.support").eventually

local function document(number)
  local subid = ("%032x"):format(number)
  return ("a/e/s/%s/%s.json"):format(subid, subid)
end

describe("submitter notify as a function", function()
  local folder, api, child

  before_each(function()
    folder, api = support.folder(), runtime_api.open()
  end)

  teardown(web.stop)

  after_each(function()
    if child then child:close() end
    child = nil
    api:close()
    folder.remove_all()
  end)

  local function start(environment)
    local all = { PATH = "/usr/bin:/bin", AWS_LAMBDA_RUNTIME_API = api.address, http_proxy = "http://127.0.0.1:9",
      SUBMITTER_VAR = folder.var }
    for name, value in pairs(environment or {}) do all[name] = value ~= "" and value or nil end
    child = assert(host.child.start {
      program = host.system.executable(), arguments = { "notify" }, environment = all, stderr = "pipe",
    })
  end

  -- Waits for its end, and returns the exit code and all that it wrote.
  local function ended()
    local pieces = {}
    repeat
      pieces[#pieces + 1] = assert(child:read "stderr")
    until pieces[#pieces] == ""
    return child:wait().exit_code, table.concat(pieces)
  end

  local function ready()
    local result = support.submitter(folder, { "status", "--format", "json" })
    assert.equal(0, result.exit_code, result.stderr)
    return host.json.decode(result.stdout).ready
  end

  it("serves one invocation after the other over one connection", function()
    start()
    local first = api:invoke(host.json.encode(notify.records(document(1))))
    assert.same({ kind = "response", body = { queued = 1, skipped = 0 } }, api:outcome(first))
    local bad = api:invoke(host.json.encode { Records = { notify.records(document(2)).Records[1], 5 } })
    local outcome = api:outcome(bad)
    assert.same({ "error", "Submitter.BadRecord", "Submitter.BadRecord" },
      { outcome.kind, outcome.type, outcome.body.errorType })
    assert.matches("Records[2] has no eventName", outcome.body.errorMessage, 1, true)
    local batch = api:invoke(host.json.encode { Records = {
      { messageId = "m1", eventSource = "aws:sqs", body = "not JSON" },
      { messageId = "m2", eventSource = "aws:sqs", body = host.json.encode { subdata = document(3) } },
    } })
    assert.same({ batchItemFailures = { { itemIdentifier = "m1" } } }, api:outcome(batch).body)
    eventually("the wait for the next", function() return api:state().waiting == 1 end)
    assert.equal(3, ready())
    local state = api:state()
    assert.same({}, state.violations)
    assert.equal(1, state.connections)
    assert.equal(host.json.null, state.init_error)
  end)

  -- A queue of Amazon's, whatever stands at its URL.
  local function start_with_queue(site)
    start {
      SUBMITTER_VAR = "", SUBMITTER_QUEUE_URL = site:url("/123456789012/submissions"), AWS_REGION = "eu-central-1",
      AWS_ACCESS_KEY_ID = "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY = "secret", AWS_SESSION_TOKEN = "token",
      AWS_EC2_METADATA_DISABLED = "true", HOME = folder.path, http_proxy = "",
    }
  end

  it("sends to a queue of Amazon's over connections that outlive an invocation", function()
    local body = host.json.encode { subdata = document(1) }
    local site = web.start()
    site:route("*", { headers = { { "Content-Type", "application/x-amz-json-1.0" } }, body = host.json.encode {
      MessageId = "m", MD5OfMessageBody = host.digest.md5(body) } })
    start_with_queue(site)
    for _ = 1, 3 do
      local id = api:invoke(host.json.encode(notify.records(document(1))))
      assert.same({ queued = 1, skipped = 0 }, api:outcome(id).body)
    end
    local requests = site:requests()
    assert.equal(3, #requests)
    assert.equal("AmazonSQS.SendMessage", requests[1].header "X-Amz-Target")
    assert.equal(body, host.json.decode(requests[1].body).MessageBody)
    assert.equal(1, site:connections().opened)
  end)

  it("tells in time that a queue doesn't answer", function()
    local site = web.start()
    site:route("*", { silent = true })
    start_with_queue(site)
    local failed = api:outcome(api:invoke(host.json.encode(notify.records(document(1))), { left_ms = 3000 }))
    assert.equal("Submitter.OutOfTime", failed.type)
    local batch = api:invoke(host.json.encode { Records = { {
      messageId = "m1", eventSource = "aws:sqs", body = host.json.encode { subdata = document(3) },
    } } }, { left_ms = 1000 })
    assert.same({ batchItemFailures = { { itemIdentifier = "m1" } } }, api:outcome(batch).body)
    assert.same({}, api:state().violations)
  end)

  it("does without a deadline", function()
    start()
    local without = api:invoke(host.json.encode(notify.records(document(2))),
      { headers = { ["Lambda-Runtime-Deadline-Ms"] = "" } })
    assert.equal("response", api:outcome(without).kind)
    assert.same({}, api:state().violations)
  end)

  it("asks for the next where an answer is refused, and ends where that is refused as well", function()
    start()
    api:refuse("response", 400)
    local first = api:invoke(host.json.encode(notify.records(document(1))))
    assert.equal("none", api:outcome(first, 300).kind)
    local code, log = ended()
    assert.equal(3, code)
    assert.truthy(log:find('"event":"invocation_not_answered"', 1, true), log)
    assert.truthy(log:find("403", 1, true), log)
  end)

  it("ends where waiting is refused or cut", function()
    for _, status in ipairs { 403, 500, "cut" } do
      api:refuse("next", status)
      start()
      local code, log = ended()
      assert.equal(3, code)
      assert.truthy(log:find("the Lambda Runtime API", 1, true), log)
    end
  end)

  it("tells Lambda why it can't start", function()
    local config = folder:write("submitter.lua", "return { slots = 'many' }")
    start { SUBMITTER_CONFIG = config }
    local code = ended()
    assert.equal(3, code)
    local told = api:state().init_error
    assert.equal("Submitter.Configuration", told.type)
    assert.matches("slots", told.body.errorMessage, 1, true)
    assert.same({}, api:state().violations)
  end)

  it("wants a queue outside of itself", function()
    start { SUBMITTER_VAR = "" }
    local code, log = ended()
    assert.equal(3, code)
    assert.matches("SUBMITTER_QUEUE_URL", api:state().init_error.body.errorMessage, 1, true)
    -- Lambda collects what is logged line by line: JSON, but for the last words.
    assert.equal("function_not_started", host.json.decode((log:match "[^\n]+")).event)
  end)

  it("is the command line where a file is named", function()
    local path = folder:write("event.json", host.json.encode(notify.records(document(1))))
    local result = support.submitter(folder, { "notify", path },
      { environment = { AWS_LAMBDA_RUNTIME_API = api.address } })
    assert.equal(0, result.exit_code, result.stderr)
    assert.equal(1, ready())
    assert.equal(0, api:state().requests)
  end)
end)
