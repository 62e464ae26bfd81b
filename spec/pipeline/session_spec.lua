local host = require "submitter.host"
local policy = require "submitter.policy"
local session = require "submitter.pipeline.session"

local fake = require "spec.fake.grading"

describe("a session", function()
  local function job_of(parts)
    return fake.job(parts, { policy = assert(policy.shipped()) })
  end

  it("that began early is the one that is taken", function()
    local parts = fake.parts()
    local job = job_of(parts)
    session.prepare(job)
    assert(session.take(job))
    assert.are.equal(1, parts.runner.started)
    assert(session.close(job))
    assert(session.close(job))
    assert.are.equal(0, parts.runner.open)
  end)

  it("that nobody took is closed, whether it stands by now or not", function()
    for _, wait_ms in ipairs { 0, 5 } do
      local parts = fake.parts()
      local job = job_of(parts)
      session.prepare(job)
      if wait_ms > 0 then host.clock.sleep_ms(wait_ms) end
      assert(session.close(job))
      assert.are.equal(0, parts.runner.open)
    end
  end)

  it("that failed says why", function()
    local parts = fake.parts()
    parts.runner.fail_start = function() return "no cgroup", "environment" end
    local job = job_of(parts)
    session.prepare(job)
    assert.are.same({ nil, "no cgroup", "environment" }, { session.take(job) })
    parts.runner.fail_start = function() error("a bug") end
    session.prepare(job)
    local taken, message, code = session.take(job)
    assert.is_nil(taken)
    assert.are.equal("sandbox", code)
    assert.matches("a bug", message, 1, true)
    assert(session.close(job))
  end)
end)
