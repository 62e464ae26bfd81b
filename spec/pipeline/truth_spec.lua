local truth = require "submitter.pipeline.truth"

describe("counting", function()
  local standing, asked

  before_each(function() standing, asked = { false }, 0 end)

  local function job_of(fields)
    local job = {
      location = "here", mode = "test", source_sha256 = "new",
      recorder = { standing = function(_, location, mode)
        asked = asked + 1
        assert.are.same({ "here", "test" }, { location, mode })
        return table.unpack(standing, 1, 3)
      end },
    }
    for name, value in pairs(fields or {}) do job[name] = value end
    return job
  end

  local function counted(job)
    assert(truth.count(job))
    return { job.attempt, job.run }
  end

  it("goes on from what stands in the bucket, and asks nobody", function()
    assert.are.same({ 3, 6 }, counted(job_of { truth = { attempt = 2, run = 5, source_sha256 = "old" } }))
    assert.are.same({ 2, 6 }, counted(job_of { truth = { attempt = 2, run = 5, source_sha256 = "new" } }))
    assert.are.equal(0, asked)
  end)

  it("begins at one where nothing stands anywhere", function()
    assert.are.same({ 1, 1 }, counted(job_of { recorder = false }))
    assert.are.same({ 1, 1 }, counted(job_of()))
    assert.are.equal(1, asked)
  end)

  it("goes on from what the database knows where the bucket was emptied", function()
    standing = { { attempt = 2, run = 5, source_sha256 = "old" } }
    assert.are.same({ 3, 6 }, counted(job_of()))
    standing = { { attempt = 2, run = 5, source_sha256 = "new" } }
    assert.are.same({ 2, 6 }, counted(job_of()))
  end)

  it("doesn't guess while the database is away", function()
    standing = { nil, "away", "unavailable" }
    local job = job_of()
    assert.are.same({ nil, "away", "unavailable" }, { truth.count(job) })
    assert.is_nil(job.attempt)
    assert.are.same({ nil, "away", "unavailable" }, { truth.recount(job, {}) })
  end)

  it("anew is above all that is known", function()
    local job = job_of()
    standing = { { attempt = 4, run = 9, source_sha256 = "old" } }
    assert(truth.recount(job, { attempt = 2, run = 3, source_sha256 = "new" }))
    assert.are.same({ 5, 10 }, { job.attempt, job.run })
    standing = { { attempt = 4, run = 9, source_sha256 = "new" } }
    assert(truth.recount(job, { attempt = 2, run = 12, source_sha256 = "new" }))
    assert.are.same({ 4, 12 }, { job.attempt, job.run })
    standing = { false }
    assert(truth.recount(job, { attempt = 2, run = 3, source_sha256 = "new" }))
    assert.are.same({ 2, 4 }, { job.attempt, job.run })
  end)
end)
