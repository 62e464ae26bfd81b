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

  describe("the time of a submission", function()
    local document_key, source_key = fake.prefix .. ".json", fake.prefix .. ".py"

    -- A store that says when each object was uploaded.
    local function uploaded(times)
      local get = parts.store.get
      function parts.store.get(self, object_key, options)
        local data, metadata, code = get(self, object_key, options)
        if data and times[object_key] then
          local dated = {}
          for name, value in pairs(metadata) do dated[name] = value end
          dated.modified_ms = times[object_key]
          metadata = dated
        end
        return data, metadata, code
      end
    end

    -- A recorder that knows an event, and what was handed in before.
    local function recorder(ends_ms, before_ms)
      return {
        event = function() return ends_ms and { ends_ms = ends_ms } or false end,
        submitted = function() return before_ms or false end,
      }
    end

    it("is when the later of its objects came", function()
      uploaded { [document_key] = 1000, [source_key] = 2000 }
      assert(run())
      assert.are.equal(2000, job.submitted_ms)
      parts = fake.parts()
      uploaded { [document_key] = 4000, [source_key] = 3000 }
      assert(run())
      assert.are.equal(4000, job.submitted_ms)
    end)

    it("stays while the same is graded, however often its objects are written again", function()
      assert(run())
      local standing = { schema = 1, attempt = 1, run = 1, verdict = "AC", cases = {}, mode = "test",
        source_sha256 = job.source_sha256, submitted_at = "2023-11-14T22:13:19.000Z" }
      parts.store.objects[fake.base .. "/grading/results/" .. fake.subid .. ".json"] = host.json.encode(standing)
      assert(run())
      assert.are.equal(1699999999000, job.submitted_ms)
      parts.store.objects[source_key] = "echo"
      assert(run())
      assert.are.equal(1700000000000, job.submitted_ms)
    end)

    it("decides the mode when the event has an end", function()
      uploaded { [document_key] = 5000, [source_key] = 5001 }
      for _, ends_ms in ipairs { false, 5001, 9000 } do
        assert(run { recorder = recorder(ends_ms) })
        assert.are.equal("test", job.mode)
      end
      assert(run { recorder = recorder(5000) })
      assert.are.equal("grade", job.mode)
      assert.are.equal(fake.prefix .. ".grade.result.json", job.names.result)
      -- Of the other mode, too, what stands was read before what is graded.
      local asked = parts.store:asked "get"
      assert.are.same({ fake.base .. "/grading/results/" .. fake.subid .. ".grade.json", document_key, source_key },
        table.move(asked, #asked - 2, #asked, 1, {}))
    end)

    it("decides it, and then nothing of what was read before counts", function()
      uploaded { [document_key] = 5000, [source_key] = 5001 }
      local get, asked = parts.store.get, 0
      function parts.store.get(self, object_key, options)
        if object_key == source_key then
          asked = asked + 1
          if asked == 2 then return nil, "there is no object " .. object_key, "not_found" end
        end
        return get(self, object_key, options)
      end
      fails("missing", "there is no object", { recorder = recorder(5000) })
      assert.are.equal("grade", job.mode)
      assert.is_nil(job.source)
      assert(fetch.complete(job))
      local without = job.source_sha256
      assert(run { recorder = recorder(5000) })
      assert.are_not.equal(without, job.source_sha256)
    end)

    it("is the earlier one where the database knows the same program from before", function()
      uploaded { [document_key] = 5000, [source_key] = 5000 }
      assert(run { recorder = recorder(4000, 3000) })
      assert.are.equal("test", job.mode)
      assert.are.equal(3000, job.submitted_ms)
      assert(fetch.complete(job))
      assert.are.equal(3000, job.submitted_ms)
      assert(run { recorder = recorder(4000, 4500) })
      assert.are.equal("grade", job.mode)
    end)

    it("may be too late by policy", function()
      uploaded { [document_key] = 5000, [source_key] = 5000 }
      parts.policy_directory = fake.policies { ["default.lua"] = 'return { late = "refuse" }' }
      for _, mode in ipairs { "test", "grade" } do
        fails("late", "at 1970-01-01T00:00:05.000Z, but the event \"aws_labs\" ended at 1970-01-01T00:00:04.000Z",
          { recorder = recorder(4000), mode = mode })
      end
      assert(run { recorder = recorder(5000) })
    end)

    it("is never too late by an end that was put off since it was read", function()
      uploaded { [document_key] = 5000, [source_key] = 5000 }
      parts.policy_directory = fake.policies { ["default.lua"] = 'return { late = "refuse" }' }
      for _, now_ends_ms in ipairs { 9000, false } do
        assert(run { recorder = {
          event = function(_, _, is_asked_anew)
            local ends_ms = not is_asked_anew and 4000 or now_ends_ms
            return ends_ms and { ends_ms = ends_ms } or false
          end,
          submitted = function() return false end,
        } })
        assert.are.equal("test", job.mode)
      end
      fails("unavailable", "away", { recorder = { event = function(_, _, is_asked_anew)
        if is_asked_anew then return nil, "away", "unavailable" end
        return { ends_ms = 4000 }
      end } })
    end)

    it("can't be judged while the database is away", function()
      fails("unavailable", "away", { recorder = { event = function() return nil, "away", "unavailable" end } })
    end)
  end)
end)
