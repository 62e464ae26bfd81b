local cases = require "submitter.pipeline.cases"
local support = require "spec.support"

local fake = require "spec.fake.grading"

describe("cases", function()
  it("are read, and copies are kept in the job directory", function()
    local parts = fake.parts()
    local job = fake.job(parts, { folder = parts.jobs:make(fake.subid), mode = "grade" })
    assert(cases(job))
    assert.are.equal("10 20", job.cases[1].input)
    assert.are.equal(64, #job.cases_sha256)
    assert.are.equal("bucket", job.cases_source)
    assert.are.same({ ["grade.in"] = "10 20\n", ["grade.out"] = "30\n" }, parts.jobs.files)
  end)

  it("may be pairs", function()
    local parts = fake.parts()
    parts.store.objects[fake.base .. "/grading/test.in"] = nil
    parts.store.objects[fake.base .. "/grading/test.out"] = nil
    parts.store.objects[fake.base .. "/grading/test/one.in"] = "1"
    parts.store.objects[fake.base .. "/grading/test/one.out"] = "2"
    local job = fake.job(parts, { folder = parts.jobs:make(fake.subid) })
    assert(cases(job))
    assert.are.same({ ["test/one.in"] = "1", ["test/one.out"] = "2" }, parts.jobs.files)
  end)

  describe("of another source", function()
    local asked

    local function read(list, fields, job_fields)
      local parts = fake.parts()
      local job = fake.job(parts, { folder = parts.jobs:make(fake.subid), mode = "grade", case_source = {
        read = function(_, what)
          asked = what
          local found = { cases = list, sha256 = ("a"):rep(64), source = "postgres" }
          for name, value in pairs(fields or {}) do found[name] = value end
          return found
        end,
      } })
      for name, value in pairs(job_fields or {}) do job[name] = value end
      assert(cases(job))
      return job, parts.jobs.files
    end

    local function case(number, input, expected, fields)
      local made = { number = number, input = input, expected = expected, form = "line" }
      for name, value in pairs(fields or {}) do made[name] = value end
      return made
    end

    it("are asked for by all that is known, and whose they are is kept", function()
      local job = read { case(1, "1", "2") }
      assert.are.equal(job.location, asked.location)
      assert.are.equal("grade", asked.mode)
      assert.are.equal(job.names, asked.names)
      assert.are.equal("postgres", job.cases_source)
      assert.are.equal(("a"):rep(64), job.cases_sha256)
    end)

    it("are lines in the job directory, as the original's", function()
      local large = case(4, "x", "y", { form = "file", name = "large" })
      local _, files = read { case(1, "1 2", "3"), case(2, "", ""), large }
      assert.are.same({ ["grade.in"] = "1 2\n\nx\n", ["grade.out"] = "3\n\ny\n" }, files)
    end)

    it("are pairs there by their positions where a case is no line", function()
      local _, files = read { case(1, "1", "2\n3"), case(7, "a", "b", { name = "../../x" }) }
      assert.are.same({
        ["grade/1.in"] = "1", ["grade/1.out"] = "2\n3", ["grade/7.in"] = "a", ["grade/7.out"] = "b",
      }, files)
    end)

    it("aren't written where nothing will be run", function()
      local job, files = read({ case(1, "1", "2") }, nil, {
        source_sha256 = "s", policy = { sha256 = "p" }, truth = {
          schema = 1, mode = "grade", source_sha256 = "s", cases_sha256 = ("a"):rep(64), policy = { sha256 = "p" },
        },
      })
      assert.is_not_nil(job.standing)
      assert.are.same({}, files)
    end)

    it("may have a notice", function()
      local lines = support.logged(function() read({ case(1, "1", "2") }, { notice = "twice" }) end)
      assert.are.equal("twice", lines[1].fields.notice)
    end)

    it("fail as it says", function()
      local job = fake.job(fake.parts(), { case_source = { read = function() return nil, "away", "unavailable" end } })
      assert.are.same({ nil, "away", "unavailable" }, { cases(job) })
      assert.is_nil(job.cases)
    end)
  end)

  it("of both forms are spoken about", function()
    local parts = fake.parts()
    parts.store.objects[fake.base .. "/grading/test/one.in"] = "1"
    local lines = support.logged(function() assert(cases(fake.job(parts))) end)
    assert.are.equal("cases_ambiguous", lines[1].event)
    assert.are.equal(fake.base, lines[1].fields.assignment)
  end)

  it("may be wrong", function()
    local parts = fake.parts()
    parts.store.objects[fake.base .. "/grading/test.out"] = "3\n"
    local done, message, code = cases(fake.job(parts))
    assert.is_nil(done)
    assert.are.equal("instructor", code)
    assert.matches("test.in has 3 lines", message, 1, true)
  end)

  it("tell whether the result that stands answers the job", function()
    local parts = fake.parts()
    local job = fake.job(parts, { source_sha256 = "s", policy = { sha256 = "p" } })
    assert(cases(job))
    local truth = {
      schema = 1, mode = "test", source_sha256 = "s", cases_sha256 = job.cases_sha256, policy = { sha256 = "p" },
      cases = {},
    }
    local function stands(changes, regrade)
      local standing = {}
      for name, value in pairs(truth) do standing[name] = value end
      for name, value in pairs(changes) do standing[name] = value end
      local again = fake.job(parts, {
        source_sha256 = "s", policy = { sha256 = "p" }, truth = standing, regrade = regrade,
      })
      assert(cases(again))
      return again.standing ~= nil
    end
    assert.is_true(stands {})
    assert.is_false(stands { mode = "grade" })
    assert.is_false(stands { source_sha256 = "t" })
    assert.is_false(stands { cases_sha256 = "t" })
    assert.is_false(stands { policy = { sha256 = "t" } })
    assert.is_false(stands({}, "r1"))
    assert.is_true(stands({ regrade = "r1" }, "r1"))
    assert.is_false(stands({ regrade = "r1" }, "r2"))
    -- Who asks for no regrade is content with one.
    assert.is_true(stands { regrade = "r1" })
  end)
end)
