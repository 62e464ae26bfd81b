local fetch = require "submitter.pipeline.fetch"
local host = require "submitter.host"
local key = require "submitter.key"
local pipeline = require "submitter.pipeline"

local fake = require "spec.fake.grading"
local support = require "spec.support"

describe("fetch", function()
  local parts, job

  local function run(fields)
    if job then assert(pipeline.close(job)) end
    job = fake.job(parts, fields)
    local done, message, code = fetch.step(job)
    return done, message, code
  end

  before_each(function() parts = fake.parts() end)
  after_each(support.clean)
  after_each(function()
    if job then assert(pipeline.close(job)) end
    job = nil
    assert.are.equal(0, parts.runner.open)
  end)

  it("brings what the student handed in, and what stands", function()
    parts.store.objects[fake.base .. "/grading/results/" .. fake.subid .. ".json"] = "not a result"
    assert(run { folder = parts.jobs:make(fake.subid) })
    assert.are.equal("sum", job.source)
    assert.are.equal(fake.document(), job.document_text)
    assert.are.equal("lab5", job.document.assignment)
    assert.are.equal(1700000000000, job.submitted_ms)
    assert.are.equal(64, #job.source_sha256)
    assert.is_nil(job.truth)
    assert.are.equal(host.digest.md5 "not a result", job.truth_etag)
    assert.are.equal("shipped default", job.policy.name)
    assert.are.same({ [fake.subid .. ".json"] = fake.document(), [fake.subid .. ".py"] = "sum" }, parts.jobs.files)
  end)

  it("reads the result that stands before anything that it may be replaced by", function()
    assert(run())
    local truth_key = fake.base .. "/grading/results/" .. fake.subid .. ".json"
    assert.are.same({ truth_key, fake.prefix .. ".json", fake.prefix .. ".py" }, parts.store:asked "get")
  end)

  it("keeps to the message's key, and what stands there, where neither spelling has a document", function()
    parts.store.objects = { [fake.base .. "/grading/results/" .. fake.subid .. ".json"] = "not a result" }
    assert.are.equal("missing", select(3, run()))
    assert.are.equal(fake.prefix .. ".json", job.names.document)
    assert.are.equal(host.digest.md5 "not a result", job.truth_etag)
  end)

  it("begins to build the walls for the policy's limits", function()
    parts.policy_directory = fake.policies { ["m.soltys.lua"] = 'return { limits = { processes = 3 } }' }
    assert(run())
    host.clock.sleep_ms(1)
    assert.are.equal(1, parts.runner.started)
    assert.are.equal(3, parts.runner.limits.processes)
  end)

  it("tells two submissions apart", function()
    assert(run())
    local before = job.source_sha256
    parts.store.objects[fake.prefix .. ".py"] = "echo"
    assert(pipeline.close(job))
    assert(run())
    assert.are_not.equal(before, job.source_sha256)
  end)

  it("takes the key without the slash where it stands so, and with it", function()
    for _, spelling in ipairs { "", "/" } do
      parts = fake.parts()
      local objects = {}
      for name, text in pairs(parts.store.objects) do objects[spelling .. name] = text end
      parts.store.objects = objects
      for _, root in ipairs { "", "/" } do
        local location = assert(key.parse_document(root .. fake.prefix .. ".json"))
        assert(run { location = location })
        assert.are.equal(spelling .. fake.prefix .. ".result.json", job.names.result)
        assert.are.equal(spelling, job.location.root)
        assert(pipeline.close(job))
      end
    end
  end)

  local function fails(expected_code, pattern, fields)
    local done, message, code = run(fields)
    assert.is_nil(done)
    assert.are.equal(expected_code, code)
    assert.matches(pattern, message, 1, true)
  end

  it("may find the document missing, which may pass", function()
    parts.store.objects[fake.prefix .. ".json"] = nil
    fails("missing", fake.prefix .. ".json")
  end)

  it("may find the program missing, which may pass", function()
    parts.store.objects[fake.prefix .. ".py"] = nil
    fails("missing", fake.prefix .. ".py")
  end)

  it("rejects a document that isn't one", function()
    for pattern, text in pairs {
      ["is empty"] = "", ["isn't JSON"] = "{", ["must be a JSON object"] = "[1]",
      ["tokens"] = fake.document { tokens = 5 }, ["admin"] = fake.document { admin = "somebody" },
      ["65536"] = fake.document() .. (" "):rep(65536),
    } do
      parts.store.objects[fake.prefix .. ".json"] = text
      fails("rejected", pattern)
    end
  end)

  it("takes the other names of the seed", function()
    parts.store.objects[fake.prefix .. ".json"] = host.json.encode {
      submissionid = fake.subid, admin = "m.soltys", event = "aws_labs", problem = "lab5", tokens = { fake.token },
    }
    assert(run())
    assert.are.equal("lab5", job.document.assignment)
  end)

  it("rejects a program that is empty, too large or binary", function()
    for pattern, text in pairs {
      ["is empty"] = "", ["NUL byte at offset 3"] = "sum\0", ["1048576"] = ("x"):rep(1048577),
    } do
      parts.store.objects[fake.prefix .. ".py"] = text
      fails("rejected", pattern)
    end
  end)

  it("blames the policy for its mistakes", function()
    parts.policy_directory = fake.policies { ["m.soltys.lua"] = "return { limit = 1 }" }
    fails("policy", "m.soltys.lua: limit: unknown field")
  end)

  it("takes the policy beside the cases where the operator allows it", function()
    parts.store.objects[fake.base .. "/grading/policy.lua"] = "return { points = 5 }"
    assert(run())
    assert.are.equal("shipped default", job.policy.name)
    assert(pipeline.close(job))
    parts.configuration.policy.from_bucket = true
    assert(run())
    assert.are.equal(fake.base .. "/grading/policy.lua", job.policy.name)
    assert.are.equal(5, job.policy:points({ number = 1 }, "test"))
    assert(pipeline.close(job))
    parts.store.objects[fake.base .. "/grading/policy.lua"] = nil
    assert(run())
    assert(pipeline.close(job))
    parts.store.objects[fake.base .. "/grading/policy.lua"] = ("x"):rep(300000)
    fails("policy", "policy.lua")
  end)

  it("passes on that the store is in trouble", function()
    for _, name in ipairs {
      fake.prefix .. ".json", fake.prefix .. ".py", fake.base .. "/grading/results/" .. fake.subid .. ".json",
    } do
      parts.store.fail = function(call)
        if call == "get " .. name then return "no route to the bucket", "unavailable" end
      end
      fails("unavailable", "no route to the bucket")
    end
  end)
end)
