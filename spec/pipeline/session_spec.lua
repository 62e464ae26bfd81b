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
    assert.are.same({ subid = fake.subid }, parts.runner.about)
    assert(session.close(job))
    assert(session.close(job))
    assert.are.equal(0, parts.runner.open)
  end)

  it("is of the runner that the policy chose, for a job at a desk as well", function()
    local parts = fake.parts()
    local job = job_of(parts)
    job.policy.runner, job.location = "heavy", nil
    assert(session.take(job))
    assert.are.same({ runner = "heavy" }, parts.runner.about)
    assert(session.close(job))
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

  it("is gone at the second try where closing it was interrupted", function()
    for _, begin in ipairs { session.prepare, session.take } do
      local parts = fake.parts()
      local start, Session = parts.runner.start, nil
      -- Slow, and not to be interrupted: as the thread pool is.
      local function slowly()
        local resumed
        repeat resumed = pcall(host.clock.sleep_ms, 5) until resumed
      end
      function parts.runner:start(limits)
        slowly()
        local started = assert(start(self, limits))
        Session = getmetatable(started)
        return setmetatable({
          close = function()
            slowly()
            return Session.close(started)
          end,
        }, { __index = started })
      end
      local job = job_of(parts)
      local closer = host.task.spawn("closer", function()
        begin(job)
        host.clock.sleep_ms(1)
        local first = pcall(session.close, job)
        assert(session.close(job))
        return first, parts.runner.open
      end)
      host.clock.sleep_ms(begin == session.take and 8 or 3)
      closer:cancel "too late"
      assert.are.same({ true, false, 0 }, { closer:join() })
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
