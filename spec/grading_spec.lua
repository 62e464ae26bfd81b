local grading = require "submitter.grading"
local host = require "submitter.host"
local key = require "submitter.key"
local support = require "spec.support"

local fake = require "spec.fake.grading"

local location = assert(key.parse_document(fake.prefix .. ".json"))
local request = { key = fake.prefix .. ".json", mode = "test", location = location }

local function always() return true end
local function never() return false end

describe("grading", function()
  local parts, lease

  setup(function() host.log.configure { level = "error" } end)
  teardown(function() host.log.configure { level = "info" } end)
  before_each(function() parts, lease = fake.parts(), { lost = false } end)
  after_each(support.clean)
  after_each(function()
    assert.are.equal(0, parts.runner.open)
    assert.are.equal(0, parts.jobs.open)
  end)

  local function outcome_of(is_last)
    local outcome
    local lines = support.logged(function()
      outcome = grading.grade(parts, request, lease, is_last and always or never)
    end)
    return outcome, lines
  end

  it("says what became of a submission, and which", function()
    assert.are.same({ kind = "done", subid = fake.subid, mode = "test", assignment = fake.base }, (outcome_of()))
  end)

  for class, row in pairs {
    rejected = { "dead", "dead", ".result.json" },
    missing = { "retry", "dead", ".result.json" },
    instructor = { "dead", "dead", ".error.json" },
    policy = { "dead", "dead", ".error.json" },
    not_found = { "retry", "dead", ".error.json" },
    -- Students needn't know more of these than that they happened.
    unavailable = { "retry", "dead", ".error.json", true },
    sandbox = { "retry", "dead", ".error.json", true },
    environment = { "retry", "dead", ".error.json", true },
    conflict = { "retry", "dead", ".error.json", true },
  } do
    it("knows whose fault it is: " .. class, function()
      parts.steps = { function() return nil, "the reason", class end }
      local outcome = outcome_of(false)
      assert.are.same({ row[1], "the reason", class }, { outcome.kind, outcome.reason, outcome.class })
      assert.are.equal(row[1] == "dead", parts.store.objects[fake.prefix .. row[3]] ~= nil)
      outcome = outcome_of(true)
      assert.are.same({ row[2], "the reason", class }, { outcome.kind, outcome.reason, outcome.class })
      local told = fake.published(parts, fake.prefix .. row[3]).reason
      if row[4] then
        assert.is_nil(told:find("the reason", 1, true))
        assert.matches(("the grading service failed (%s)"):format(class), told, 1, true)
      else
        assert.are.equal("the reason", told)
      end
      local other = row[3] == ".error.json" and ".result.json" or ".error.json"
      assert.is_nil(parts.store.objects[fake.prefix .. other])
    end)
  end

  it("tells students nothing that a policy's function said", function()
    parts.policy_directory = fake.policies {
      ["default.lua"] = "return { compare = function(actual, expected) error('not ' .. expected) end }",
    }
    local graded = grading.grade(parts, { key = request.key, mode = "grade", location = location }, lease, always)
    assert.are.equal("dead", graded.kind)
    assert.matches("not 30", graded.reason, 1, true)
    local failure = fake.published(parts, fake.prefix .. ".grade.error.json")
    assert.are.equal("policy", failure.class)
    assert.matches("policy default.lua: compare: it failed", failure.reason, 1, true)
    assert.is_nil(failure.reason:find("30", 1, true))
  end)

  it("takes a Lua error for a failure of ours", function()
    parts.steps = { function() error("a bug") end }
    local outcome, lines = outcome_of()
    assert.are.same({ "retry", "internal" }, { outcome.kind, outcome.class })
    assert.matches("a bug", outcome.reason, 1, true)
    assert.is_nil(outcome.reason:find("\n", 1, true))
    assert.matches("stack traceback", lines[1].fields.traceback, 1, true)
  end)

  it("publishes nothing once the lease is lost", function()
    parts.steps = { function()
      lease.lost = true
      error("cancelled: somebody else has it", 0)
    end }
    local outcome, lines = outcome_of(true)
    assert.are.equal("lost", outcome.kind)
    assert.are.same({}, lines)
    assert.are.same({}, parts.store:asked "put")
  end)

  it("can't begin without a job directory", function()
    parts.jobs.make = function() return nil, "no space left", "environment" end
    local outcome = outcome_of()
    assert.are.same({ "retry", "unavailable" }, { outcome.kind, outcome.class })
    assert.matches("no space left", outcome.reason, 1, true)
  end)

  it("cleans up even where it is cancelled while cleaning up", function()
    local make = parts.jobs.make
    function parts.jobs:make(subid)
      local folder = make(self, subid)
      local remove, asked = folder.remove, 0
      folder.remove = function()
        asked = asked + 1
        if asked == 1 then error("cancelled: too late", 0) end
        return remove()
      end
      return folder
    end
    local outcome, lines = outcome_of()
    assert.are.equal("done", outcome.kind)
    assert.are.same({}, lines)
  end)

  it("says so where it can't clean up", function()
    local make = parts.jobs.make
    function parts.jobs:make(subid)
      local folder = make(self, subid)
      local remove = folder.remove
      folder.remove = function()
        remove()
        return nil, "read-only file system", "EROFS"
      end
      return folder
    end
    local outcome, lines = outcome_of()
    assert.are.equal("done", outcome.kind)
    assert.are.equal("cleanup_failed", lines[1].event)
    assert.are.equal("read-only file system", lines[1].fields.reason)
  end)
end)

describe("what is handed in after the end of an event that takes nothing then", function()
  local parts, standing, failures, results
  local result_key, error_key = fake.prefix .. ".result.json", fake.prefix .. ".error.json"
  local ENDS_MS = 1700000000000

  setup(function() host.log.configure { level = "error" } end)
  teardown(function() host.log.configure { level = "info" } end)
  after_each(support.clean)
  before_each(function()
    parts = fake.parts()
    parts.policy_directory = fake.policies { ["default.lua"] = 'return { late = "refuse" }' }
    standing, failures, results = false, {}, {}
    parts.recorder = {
      event = function() return { ends_ms = ENDS_MS } end,
      submitted = function() return false end,
      team = function() return { students = {}, known = 0, unknown = 1 } end,
      standing = function() return standing end,
      result = function(_, _, document)
        results[#results + 1] = document
        return true
      end,
      failure = function(_, _, class)
        failures[#failures + 1] = class
        return true
      end,
    }
    parts.store.modified_ms = ENDS_MS
  end)

  local function deliver()
    return grading.grade(parts, request, { lost = false }, always)
  end

  local function hand_in(source, modified_ms)
    parts.store.objects[fake.prefix .. ".py"] = source
    parts.store.times[fake.prefix .. ".py"] = modified_ms
  end

  it("is refused as often as its message comes, in the same words", function()
    hand_in("sum", ENDS_MS + 1)
    assert.are.equal("late", deliver().class)
    local first = parts.store.objects[result_key]
    assert.are.equal("REJ", fake.published(parts, result_key).verdict)
    assert.are.equal("late", deliver().class)
    assert.are.equal(first, parts.store.objects[result_key])
    assert.is_nil(parts.store.objects[error_key])
    assert.are.same({}, failures)
    -- Another that is late as well is another refusal.
    hand_in("echo", ENDS_MS + 2)
    deliver()
    local second = fake.published(parts, result_key)
    assert.are.same({ "REJ", 2 }, { second.verdict, second.attempt })
  end)

  for what, source in pairs { ["a program"] = "echo", ["an empty file"] = "", ["nothing"] = false } do
    it("never takes the place of what came in time: " .. what, function()
      assert.are.equal("done", deliver().kind)
      local before = parts.store.objects[result_key]
      hand_in(source or nil, ENDS_MS + 1)
      parts.store.times[fake.prefix .. ".json"] = ENDS_MS + 1
      local outcome = deliver()
      assert.are.equal("dead", outcome.kind)
      assert.are.equal(before, parts.store.objects[result_key])
      assert.are.equal(outcome.reason, fake.published(parts, error_key).reason)
      assert.are.same({ outcome.class }, failures)
      assert.are.equal(1, #results)
    end)
  end

  it("never does so in the database either, where the bucket was emptied", function()
    standing = { attempt = 1, run = 1, source_sha256 = ("0"):rep(64), submitted_ms = ENDS_MS - 1, verdict = "WA" }
    hand_in("sum", ENDS_MS + 1)
    deliver()
    assert.are.same({ 0, "late" }, { #results, failures[1] })
    assert.is_nil(parts.store.objects[result_key])
    standing.verdict, standing.submitted_ms = "REJ", ENDS_MS + 1
    deliver()
    assert.are.same({ "REJ", 2 }, { results[1].verdict, results[1].attempt })
  end)

  it("is not refused while nobody can say what stands", function()
    parts.recorder.standing = function() return nil, "the server is away", "unavailable" end
    hand_in("sum", ENDS_MS + 1)
    local outcome = grading.grade(parts, request, { lost = false }, never)
    assert.are.same({ "retry", "unavailable" }, { outcome.kind, outcome.class })
  end)
end)

describe("large inputs", function()
  after_each(support.clean)
  setup(function() host.log.configure { level = "error" } end)
  teardown(function() host.log.configure { level = "info" } end)

  local function grade(files, program, policies)
    local parts = fake.parts "program"
    parts.runner.programs.program = program
    for name, text in pairs(files) do parts.store.objects[fake.base .. "/grading/" .. name] = text end
    parts.policy_directory = fake.policies(policies or {})
    local outcome = grading.grade(parts, request, { lost = false }, never)
    return outcome, fake.published(parts, fake.prefix .. ".result.json"), parts
  end

  it("of twenty thousand cases are graded in a few seconds", function()
    local before_us = host.clock.cpu_us()
    local outcome, result = grade({ ["test.in"] = ("1 2\n"):rep(20000), ["test.out"] = ("3\n"):rep(20000) },
      function(arguments) return arguments[1] + arguments[2] .. "\n" end)
    assert.are.equal("done", outcome.kind)
    assert.are.same({ "AC", 20000, 20000 }, { result.verdict, result.passed, result.total })
    assert.is_true(host.clock.cpu_us() - before_us < 10000000)
  end)

  it("of one line of ten megabytes need standard input, and it is said", function()
    local line = ("x"):rep(10 << 20)
    local files = { ["test.in"] = line .. "\n", ["test.out"] = "10485760\n" }
    local outcome = grade(files, function() return "" end)
    assert.are.equal("instructor", outcome.class)
    assert.matches('case 1: an argument of 10485760 bytes', outcome.reason, 1, true)
    local result
    outcome, result = grade(files, function(_, stdin) return #stdin - 1 .. "\n" end, {
      ["default.lua"] = 'return { input = "stdin" }',
    })
    assert.are.equal("done", outcome.kind)
    assert.are.equal("AC", result.verdict)
    assert.are.equal(10 << 20, #result.cases[1].input)
  end)
end)
