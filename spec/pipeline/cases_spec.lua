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
