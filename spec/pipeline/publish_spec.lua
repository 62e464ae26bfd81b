local host = require "submitter.host"
local pipeline = require "submitter.pipeline"
local publish = require "submitter.pipeline.publish"

local fake = require "spec.fake.grading"
local support = require "spec.support"

local truth_key = fake.base .. "/grading/results/" .. fake.subid .. ".json"
local grade_truth_key = fake.base .. "/grading/results/" .. fake.subid .. ".grade.json"
local result_key, out_key = fake.prefix .. ".result.json", fake.prefix .. ".out"
local error_key = fake.prefix .. ".error.json"

-- One delivery of the message.
local function deliver(parts, fields)
  local job = fake.job(parts, fields)
  local returned, done, message, code = pcall(pipeline.run, job, parts.steps)
  pipeline.close(job)
  if not returned then error(done, 0) end
  return done and job, message, code
end

describe("publish", function()
  local parts

  before_each(function() parts = fake.parts "third_wrong" end)
  after_each(support.clean)

  it("puts the truth, then what students see, where the design says", function()
    parts.store.objects[error_key] = "stale"
    assert(deliver(parts))
    assert.are.same({ truth_key, result_key, out_key }, parts.store:asked "put")
    assert.are.same({ error_key }, parts.store:asked "delete")
    local truth = fake.published(parts, truth_key)
    assert.are.equal("WA", truth.verdict)
    assert.are.equal(2, truth.passed)
    assert.are.equal(1, truth.attempt)
    assert.are.equal(1, truth.run)
    assert.are.equal(parts.store.objects[truth_key], parts.store.objects[result_key])
    assert.are.equal("input,expected output,actual output,pass/fail\r\n"
      .. "1 2,3,3,Pass\r\n3 4,7,7,Pass\r\n5 6,11,wrong,Fail\r\n", parts.store.objects[out_key])
  end)

  it("has names of its own for mode grade, and hides its cases", function()
    parts.store.objects[fake.prefix .. ".py"] = "sum"
    assert(deliver(parts, { mode = "grade" }))
    assert.are.same({
      grade_truth_key, fake.prefix .. ".grade.result.json", fake.prefix .. ".grade.out",
    }, parts.store:asked "put")
    local seen = fake.published(parts, fake.prefix .. ".grade.result.json")
    assert.are.equal("AC", seen.cases[1].verdict)
    assert.are.equal(host.json.null, seen.cases[1].input)
    assert.is_nil(parts.store.objects[fake.prefix .. ".grade.out"]:find("10 20", 1, true))
    assert.are.equal("10 20", fake.published(parts, grade_truth_key).cases[1].input)
  end)

  it("runs nothing and writes nothing when the message comes again", function()
    assert(deliver(parts))
    local before = parts.store.objects[truth_key]
    parts.store:forget()
    local cases = parts.runner.cases
    local job = assert(deliver(parts))
    assert.is_not_nil(job.standing)
    local looks = 0
    for _, name in ipairs(parts.store:asked "get") do looks = looks + (name == truth_key and 1 or 0) end
    assert.are.equal(1, looks)
    assert.are.same({}, parts.store:asked "put")
    assert.are.same({}, parts.store:asked "delete")
    assert.are.equal(cases, parts.runner.cases)
    assert.are.equal(before, parts.store.objects[truth_key])
    assert.are.equal(0, parts.runner.open)
  end)

  it("heals what students see", function()
    assert(deliver(parts))
    local result, out = parts.store.objects[result_key], parts.store.objects[out_key]
    parts.store.objects[result_key] = nil
    parts.store.objects[out_key] = out .. "x"
    parts.store.objects[error_key] = "stale"
    assert(deliver(parts))
    assert.are.equal(result, parts.store.objects[result_key])
    assert.are.equal(out, parts.store.objects[out_key])
    assert.is_nil(parts.store.objects[error_key])
    assert.are.equal(1, fake.published(parts, truth_key).run)
  end)

  it("ends the same after a crash at any write", function()
    assert(deliver(parts))
    local wanted = {}
    for name, text in pairs(parts.store.objects) do
      wanted[name] = text:gsub('"[a-z]+_at":"[^"]*"', ""):gsub('"_ms":%d+', "")
    end
    for crash = 1, 4 do
      parts = fake.parts "third_wrong"
      parts.store.objects[error_key] = "stale"
      local writes = 0
      parts.store.fail = function(call)
        if not call:find "^put " and not call:find "^delete " then return end
        writes = writes + 1
        if writes == crash then error("killed") end
      end
      assert.is_false((pcall(deliver, parts)))
      parts.store.fail = function() end
      assert(deliver(parts))
      local found = {}
      for name, text in pairs(parts.store.objects) do
        found[name] = text:gsub('"[a-z]+_at":"[^"]*"', ""):gsub('"_ms":%d+', "")
      end
      assert.are.same(wanted, found)
    end
  end)

  it("holds no cases of a result that doesn't answer", function()
    assert(deliver(parts))
    parts.store.objects[fake.prefix .. ".py"] = "sum"
    local job = assert(deliver(parts))
    assert.are.same({ 1, {} }, { job.truth.attempt, job.truth.cases })
    assert.are.equal(3, #fake.published(parts, truth_key).cases)
  end)

  it("counts attempts by what was handed in, and every run", function()
    assert(deliver(parts))
    parts.store.objects[fake.prefix .. ".py"] = "sum"
    assert(deliver(parts))
    local truth = fake.published(parts, truth_key)
    assert.are.same({ 2, 2, "AC" }, { truth.attempt, truth.run, truth.verdict })
    assert(deliver(parts, { regrade = "r1" }))
    truth = fake.published(parts, truth_key)
    assert.are.same({ 2, 3, "r1" }, { truth.attempt, truth.run, truth.regrade })
    assert.is_nil(fake.published(parts, result_key).regrade)
    -- The regrade's message, again: it was answered.
    assert(deliver(parts, { regrade = "r1" }))
    assert.are.equal(3, fake.published(parts, truth_key).run)
    -- Other cases: another run of the same attempt.
    parts.store.objects[fake.base .. "/grading/test.out"] = "3\n7\n12\n"
    assert(deliver(parts))
    truth = fake.published(parts, truth_key)
    assert.are.same({ 2, 4, "WA" }, { truth.attempt, truth.run, truth.verdict })
  end)

  it("grades anew by another policy", function()
    parts.policy_directory = fake.policies { ["default.lua"] = "return { points = 2 }" }
    assert(deliver(parts))
    parts.policy_directory = fake.policies { ["default.lua"] = "return { points = 3 }" }
    assert(deliver(parts))
    local truth = fake.published(parts, truth_key)
    assert.are.same({ 1, 2, 6 }, { truth.attempt, truth.run, truth.points })
  end)

  it("publishes what the policy names, and takes away what it no longer names", function()
    assert(deliver(parts))
    parts.policy_directory = fake.policies { ["default.lua"] = 'return { publish = { "json" } }' }
    assert(deliver(parts))
    assert.is_nil(parts.store.objects[out_key])
    assert.is_not_nil(parts.store.objects[result_key])
  end)

  it("replaces what isn't a result, and counts it for nothing", function()
    for _, text in ipairs {
      "{", "5", '{"schema":2}', '{"schema":1,"cases":5}', '{"schema":1,"cases":[],"attempt":"x"}',
      '{"schema":1,"cases":[5],"attempt":7,"run":7,"verdict":"AC"}',
    } do
      parts.store.objects[truth_key] = text
      assert(deliver(parts))
      assert.are.equal(1, fake.published(parts, truth_key).attempt)
    end
  end)

  describe("against another worker", function()
    -- Puts something in the way just before a call.
    local function just_before(call, action)
      parts.store.fail = function(asked)
        if asked == call then
          parts.store.fail = function() end
          action()
        end
      end
    end

    it("takes his result where it answers the same submission", function()
      local other = fake.parts "third_wrong"
      assert(deliver(other))
      just_before("put " .. truth_key, function() parts.store.objects[truth_key] = other.store.objects[truth_key] end)
      local job = assert(deliver(parts))
      assert.are.equal(other.store.objects[truth_key], parts.store.objects[truth_key])
      assert.are.equal(other.store.objects[result_key], parts.store.objects[result_key])
      assert.is_not_nil(job.standing or job.published)
    end)

    it("grades anew where his is of another submission", function()
      local other = fake.parts "sum"
      assert(deliver(other))
      just_before("put " .. truth_key, function() parts.store.objects[truth_key] = other.store.objects[truth_key] end)
      local done, message, code = deliver(parts)
      assert.is_falsy(done)
      assert.are.equal("conflict", code)
      assert.matches("meanwhile", message, 1, true)
      assert.is_nil(parts.store.objects[result_key])
      assert(deliver(parts))
      assert.are.equal(2, fake.published(parts, truth_key).attempt)
    end)

    -- Another submission of the same students, graded by another worker while this one is stopped just before a call;
    -- its message is gone when this one goes on.
    local function stopped_before(call)
      local after
      just_before(call, function()
        parts.store.objects[fake.prefix .. ".py"] = "sum"
        assert(deliver(parts))
        after = { parts.store.objects[truth_key], parts.store.objects[result_key], parts.store.objects[out_key] }
      end)
      local done, _, code = deliver(parts)
      assert.is_falsy(done, call)
      assert.are.equal("conflict", code, call)
      assert.are.same(after,
        { parts.store.objects[truth_key], parts.store.objects[result_key], parts.store.objects[out_key] }, call)
      assert.are.equal("AC", fake.published(parts, result_key).verdict)
      -- What is left of its own message changes nothing.
      assert(deliver(parts))
      assert.are.equal(after[1], parts.store.objects[truth_key])
    end

    it("never puts an old report over a newer one, where none stood", function()
      for _, call in ipairs { "put " .. truth_key, "put " .. result_key, "put " .. out_key } do
        parts = fake.parts "third_wrong"
        stopped_before(call)
      end
    end)

    it("never puts an old report over a newer one, where one stood", function()
      for _, call in ipairs {
        "get " .. fake.base .. "/grading/test.in", "put " .. truth_key, "get " .. result_key, "get " .. out_key,
        "put " .. result_key, "put " .. out_key,
      } do
        parts = fake.parts "echo"
        assert(deliver(parts))
        parts.store.objects[fake.prefix .. ".py"] = "third_wrong"
        stopped_before(call)
      end
    end)

    it("grades no old program after a newer one's result", function()
      for _, call in ipairs { "get " .. fake.prefix .. ".json", "get " .. fake.prefix .. ".py" } do
        parts = fake.parts "third_wrong"
        local source
        -- The old program on its way while the newer one is handed in and graded.
        just_before(call, function()
          source = parts.store.objects[fake.prefix .. ".py"]
          parts.store.objects[fake.prefix .. ".py"] = "sum"
          assert(deliver(parts))
          parts.store.objects[fake.prefix .. ".py"] = source
        end)
        local done, _, code = deliver(parts)
        assert.is_falsy(done)
        assert.are.equal("conflict", code)
        assert.are.equal("AC", fake.published(parts, truth_key).verdict)
      end
    end)

    it("looks closely where a report stands without its truth", function()
      parts.store.objects[result_key], parts.store.objects[out_key] = "left over", "left over"
      assert(deliver(parts))
      assert.are.equal(parts.store.objects[truth_key], parts.store.objects[result_key])
      assert.matches("^input,", parts.store.objects[out_key])
    end)
  end)

  it("leaves everything as it is where the policy can't say what is shown", function()
    assert(deliver(parts))
    local before = {}
    for name, text in pairs(parts.store.objects) do before[name] = text end
    parts.policy_directory = fake.policies { ["default.lua"] = "return { show = function() error('secret') end }" }
    local job = fake.job(parts)
    local done, message, code = pipeline.run(job, parts.steps)
    pipeline.close(job)
    assert.is_falsy(done)
    assert.are.equal("policy", code)
    assert.matches("secret", message, 1, true)
    assert.is_nil(job.told:find("secret", 1, true))
    assert.are.same(before, parts.store.objects)
  end)

  it("never publishes a word where the truth can't be put", function()
    parts.store.fail = function(call)
      if call == "put " .. truth_key then return "no route to the bucket", "unavailable" end
    end
    assert.are.equal("unavailable", select(3, deliver(parts)))
    assert.is_nil(parts.store.objects[result_key])
  end)
end)

describe("a rejection", function()
  local function reject(parts, reason)
    local job = fake.job(parts)
    local done, _, code = pipeline.run(job, parts.steps)
    assert.is_nil(done)
    assert.are.equal("rejected", code)
    assert(publish.rejection(job, reason))
    pipeline.close(job)
  end

  it("is a result like any other", function()
    local parts = fake.parts()
    assert(deliver(parts))
    parts.store.objects[fake.prefix .. ".py"] = "a\0b"
    reject(parts, "there is a NUL byte")
    local seen = fake.published(parts, result_key)
    assert.are.same({ "REJ", "there is a NUL byte", 2, 2, 0, 0 },
      { seen.verdict, seen.reason, seen.attempt, seen.run, seen.total, seen.max_points })
    assert.are.equal("fake", seen.runner.kind)
    assert.are.equal(host.json.null, seen.cases_sha256)
    assert.matches(',,rejected: there is a NUL byte,Fail\r\n$', parts.store.objects[out_key])
    parts.store:forget()
    reject(parts, "there is a NUL byte")
    assert.are.same({}, parts.store:asked "put")
    -- And is replaced like any other.
    parts.store.objects[fake.prefix .. ".py"] = "sum"
    assert(deliver(parts))
    assert.are.same({ "AC", 3 }, { fake.published(parts, truth_key).verdict, fake.published(parts, truth_key).attempt })
  end)
end)

describe("a rejection of what was never read", function()
  it("is another where its reason is another", function()
    local parts = fake.parts()
    parts.store.objects[fake.prefix .. ".py"] = nil
    local function reject()
      local job = fake.job(parts)
      local done, message = pipeline.run(job, parts.steps)
      assert.is_nil(done)
      assert(publish.rejection(job, message))
      pipeline.close(job)
      return fake.published(parts, truth_key)
    end
    local first = reject()
    assert.matches("there is no object", first.reason, 1, true)
    assert.are.same({ 1, 1 }, { reject().run, first.run })
    parts.store.objects[fake.prefix .. ".py"] = ("x"):rep(1048577)
    local second = reject()
    assert.matches("1048577 bytes", second.reason, 1, true)
    assert.are.same({ 2, 2 }, { second.attempt, second.run })
    parts.store.objects[fake.prefix .. ".py"] = ""
    assert.matches("is empty", reject().reason, 1, true)
    assert.matches("is empty", parts.store.objects[out_key], 1, true)
  end)
end)

describe("a failure of ours", function()
  it("touches no result that stands", function()
    local parts = fake.parts()
    assert(deliver(parts))
    local before = parts.store.objects[truth_key]
    parts.store:forget()
    assert(publish.failure(fake.job(parts), "instructor", "no cases"))
    assert.are.same({ error_key }, parts.store:asked "put")
    assert.are.equal(before, parts.store.objects[truth_key])
    local failure = fake.published(parts, error_key)
    assert.are.same({ "IE", "instructor", "no cases" }, { failure.verdict, failure.class, failure.reason })
  end)
end)

describe("with a database", function()
  local parts, recorder

  -- A recorder that tells what it was asked, among the calls of the store.
  before_each(function()
    parts = fake.parts "third_wrong"
    recorder = { results = {}, standing_row = false, trouble = {} }
    function recorder.event() return false end
    function recorder.submitted() return false end
    function recorder.team() return { students = {}, known = 0, unknown = 1 } end
    function recorder:standing()
      return self.standing_row
    end
    function recorder:result(job, document)
      parts.store.calls[#parts.store.calls + 1] = "record"
      local trouble = table.remove(self.trouble, 1)
      if trouble then return nil, trouble[1], trouble[2] end
      self.results[#self.results + 1] = { job = job, document = document }
      return true
    end
    function recorder:failure(_, class, reason)
      parts.store.calls[#parts.store.calls + 1] = "record failure"
      self.failed = { class, reason }
      if self.trouble[1] then return nil, self.trouble[1][1], self.trouble[1][2] end
      return true
    end
  end)
  after_each(support.clean)

  local function graded(fields)
    local with = { recorder = recorder }
    for name, value in pairs(fields or {}) do with[name] = value end
    return deliver(parts, with)
  end

  local function writes()
    local found = {}
    for _, call in ipairs(parts.store.calls) do
      if call:find "^put " or call:find "^record" then found[#found + 1] = call end
    end
    return found
  end

  setup(function() host.log.configure { level = "error" } end)
  teardown(function() host.log.configure { level = "info" } end)

  it("records between the truth and what students see", function()
    assert(graded())
    assert.are.same({ "put " .. truth_key, "record", "put " .. result_key, "put " .. out_key }, writes())
    local recorded = recorder.results[1]
    assert.are.equal(host.json.encode(recorded.document), parts.store.objects[truth_key])
    assert.are.same({ known = 0, unknown = 1 }, fake.published(parts, truth_key).tokens)
  end)

  it("records a result that stands again, for it may be in the bucket alone", function()
    assert(graded())
    parts.store:forget()
    assert(graded())
    assert.are.same({ "record" }, writes())
    assert.is_not_nil(recorder.results[2].job.standing)
    assert.are.equal(3, #recorder.results[2].document.cases)
  end)

  it("shows students nothing that isn't recorded", function()
    recorder.trouble = { { "the server is away", "unavailable" } }
    local done, message, code = graded()
    assert.is_falsy(done)
    assert.are.same({ "the server is away", "unavailable" }, { message, code })
    assert.is_not_nil(parts.store.objects[truth_key])
    assert.is_nil(parts.store.objects[result_key])
    -- The message comes again.
    local cases = parts.runner.cases
    assert(graded())
    assert.are.equal(cases, parts.runner.cases)
    assert.are.equal(1, #recorder.results)
    assert.are.equal(parts.store.objects[truth_key], parts.store.objects[result_key])
    assert.are.equal(1, fake.published(parts, truth_key).run)
  end)

  it("ends the same after a crash while it records", function()
    local result = recorder.result
    recorder.result = function() error("killed") end
    assert.is_false((pcall(graded)))
    recorder.result = result
    assert(graded())
    assert.are.equal(1, #recorder.results)
    assert.are.equal(parts.store.objects[truth_key], parts.store.objects[result_key])
  end)

  it("records what stands in the bucket alone before another takes its place", function()
    recorder.trouble = { { "killed", "unavailable" } }
    graded()
    local first = parts.store.objects[truth_key]
    parts.store.objects[fake.prefix .. ".py"] = "sum"
    assert(graded())
    assert.are.equal(2, #recorder.results)
    local former, second = recorder.results[1], recorder.results[2]
    assert.are.same({ 1, "WA", 2, "AC" }, {
      former.document.attempt, former.document.verdict, second.document.attempt, second.document.verdict,
    })
    assert.are.equal(former.document, former.job.standing)
    assert.are_not.equal(first, parts.store.objects[truth_key])
    -- Also where the other is a refusal.
    parts.store.objects[fake.prefix .. ".py"] = ""
    local job = fake.job(parts, { recorder = recorder })
    local _, message = pipeline.run(job, parts.steps)
    assert(publish.rejection(job, message))
    pipeline.close(job)
    assert.are.same({ 2, 3 }, { recorder.results[3].document.attempt, recorder.results[4].document.attempt })
  end)

  it("puts nothing in the place of a result while it can't be recorded, unless it never can", function()
    assert(deliver(parts))
    local first = parts.store.objects[truth_key]
    parts.store.objects[fake.prefix .. ".py"] = "sum"
    recorder.trouble = { { "the server is away", "unavailable" } }
    assert.are.equal("unavailable", select(3, graded()))
    assert.are.equal(first, parts.store.objects[truth_key])
    for _, class in ipairs { "attempt_taken", "invalid" } do
      parts.store.objects[fake.prefix .. ".py"] = class == "invalid" and "echo" or "sum"
      recorder.results, recorder.trouble = {}, { { "it can't be", class } }
      local lines = support.logged(function() assert(graded()) end)
      assert.are.same({ "former_result_not_recorded", class }, { lines[1].event, lines[1].fields.class })
      assert.are.equal(1, #recorder.results)
    end
  end)

  it("goes on counting from what the database knows", function()
    recorder.standing_row = { attempt = 4, run = 9, source_sha256 = ("0"):rep(64) }
    assert(graded())
    assert.are.same({ 5, 10 }, { recorder.results[1].document.attempt, recorder.results[1].document.run })
    assert.are.equal(10, fake.published(parts, truth_key).run)
  end)

  it("puts nothing while it can't be told how to count", function()
    recorder.standing = function() return nil, "the server is away", "unavailable" end
    assert.are.equal("unavailable", select(3, graded()))
    assert.is_nil(parts.store.objects[truth_key])
  end)

  it("takes the next numbers where its own are another's, everywhere", function()
    for _, stands in ipairs { false, true } do
      parts = fake.parts "third_wrong"
      if stands then assert(deliver(parts)) end
      recorder.results, recorder.trouble = {}, { { "taken", "attempt_taken" } }
      local asked = 0
      recorder.standing = function()
        asked = asked + 1
        return (stands or asked > 1) and { attempt = 4, run = 9, source_sha256 = ("0"):rep(64) }
      end
      assert(graded())
      for _, object_key in ipairs { truth_key, result_key } do
        local document = fake.published(parts, object_key)
        assert.are.same({ 5, 10, "WA", 3 }, { document.attempt, document.run, document.verdict, #document.cases })
      end
      assert.are.equal(5, recorder.results[1].document.attempt)
      assert.matches('^{"schema":1,"subid":.*"attempt":5,"run":10,"submitted_at"', parts.store.objects[truth_key])
      assert.matches('"cases":%[{"number":1,"input":"1 2","expected":"3","actual":', parts.store.objects[truth_key])
    end
  end)

  it("tries again later where those are taken as well", function()
    recorder.trouble = { { "taken", "attempt_taken" }, { "taken", "attempt_taken" } }
    assert.are.equal("conflict", select(3, graded()))
    assert.is_nil(parts.store.objects[result_key])
  end)

  it("takes no numbers away from a result that somebody put meanwhile", function()
    recorder.trouble = { { "taken", "attempt_taken" } }
    local result = recorder.result
    recorder.result = function(...)
      parts.store.objects[truth_key] = "another's"
      return result(...)
    end
    assert.are.equal("conflict", select(3, graded()))
    assert.are.equal("another's", parts.store.objects[truth_key])
  end)

  it("records a rejection like any other result, with the team if there is one", function()
    parts.store.objects[fake.prefix .. ".py"] = nil
    local job = fake.job(parts, { recorder = recorder })
    local _, message = pipeline.run(job, parts.steps)
    assert.is_nil(job.team)
    assert(publish.rejection(job, message))
    pipeline.close(job)
    assert.are.equal("REJ", recorder.results[1].document.verdict)
    assert.are.same({ known = 0, unknown = 1 }, fake.published(parts, result_key).tokens)
  end)

  it("notes a failure with the whole reason", function()
    assert(publish.failure(fake.job(parts, { recorder = recorder }), "sandbox", "no room in /sys/fs/cgroup"))
    assert.are.same({ "sandbox", "no room in /sys/fs/cgroup" }, recorder.failed)
    assert.is_nil(fake.published(parts, error_key).reason:find("cgroup", 1, true))
  end)

  it("hides no failure because it can't be noted", function()
    recorder.trouble = { { "the server is away", "unavailable" } }
    local lines = support.logged(function()
      assert(publish.failure(fake.job(parts, { recorder = recorder }), "sandbox", "no room"))
    end)
    assert.is_not_nil(parts.store.objects[error_key])
    assert.are.same({ "failure_not_recorded", "the server is away" }, { lines[1].event, lines[1].fields.reason })
  end)

  it("tells students why something came too late", function()
    assert(publish.failure(fake.job(parts), "late", "the event ended"))
    assert.are.equal("the event ended", fake.published(parts, error_key).reason)
  end)
end)
