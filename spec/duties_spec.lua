local duties = require "submitter.duties"
local host = require "submitter.host"
local support = require "spec.support"

describe("a worker's duties", function()
  local done

  before_each(function() done = {} end)

  -- One that waits until it is stopped, or for ever.
  local function duty(name, fields)
    local body = { woken = host.task.event() }
    function body:loop()
      done[#done + 1] = name .. " loops"
      self.woken:wait()
      done[#done + 1] = name .. " ends"
    end
    function body:stop() self.woken:set() end
    function body.run_once()
      done[#done + 1] = name
      return 0
    end
    local made = { name = name, body = body }
    for field, value in pairs(fields or {}) do
      if body[field] then body[field] = value else made[field] = value end
    end
    return made
  end

  it("run side by side until they are stopped", function()
    local all = duties.new { duty "first", duty "second" }
    all:start()
    support.eventually("both run", function() return #done == 2 end)
    all:stop()
    assert.are.same({ "first loops", "second loops", "first ends", "second ends" }, done)
    all:stop()
    assert.are.equal(4, #done)
  end)

  it("are interrupted when they don't stop in time", function()
    local stubborn = duty("stubborn", { stop = function() end })
    local all = duties.new { stubborn }
    all:start()
    support.eventually("it runs", function() return #done == 1 end)
    local now_ms = 0
    finally(support.replace(host.clock, { monotonic_ms = function()
      now_ms = now_ms + 1000
      return now_ms
    end }))
    local lines = support.logged(function() all:stop() end)
    assert.are.same({ "stubborn loops" }, done)
    assert.are.equal(1, #lines)
    assert.matches("the worker ends", lines[1].fields.reason, 1, true)
  end)

  it("end one by one: a failure is logged and concerns no other", function()
    local all = duties.new {
      duty("broken", { loop = function() error "oh" end }),
      duty("refused", { loop = function() return nil, "no right", "environment" end }), duty "good",
    }
    local lines = support.logged(function()
      all:start()
      support.eventually("the good one runs", function() return #done == 1 end)
      all:stop()
    end)
    assert.are.equal(2, #lines)
    assert.are.equal("duty_failed", lines[1].event)
    assert.matches("oh", lines[1].fields.reason, 1, true)
    assert.are.same({ "broken", "internal" }, { lines[1].fields.duty, lines[1].fields.class })
    assert.are.same({ duty = "refused", reason = "no right", class = "environment" }, lines[2].fields)
    assert.are.same({ "good loops", "good ends" }, done)
  end)

  it("are woken when something was graded, if they can be", function()
    local woken = 0
    local all = duties.new { duty("mail", { wake = function() woken = woken + 1 end }), duty "final" }
    all.list[1].body.wake = all.list[1].wake
    all:wake()
    assert.are.equal(0, woken)
    all:start()
    all:wake()
    all:stop()
    assert.are.equal(1, woken)
  end)

  it("are done once, before or after the queue", function()
    local all = duties.new { duty "mail", duty("final", { comes_first = true }) }
    all:once "before"
    assert.are.same({ "final" }, done)
    all:once "after"
    assert.are.same({ "final", "mail" }, done)
  end)

  it("are left when the worker is told to stop while it does them once", function()
    local slow
    slow = duty("final", { comes_first = true, run_once = function()
      done[#done + 1] = "final"
      slow.body.woken:wait()
    end })
    local all = duties.new { slow, duty("another", { comes_first = true }), duty "mail" }
    host.task.spawn("stop", function() all:hurry() end)
    all:once "before"
    all:once "after"
    assert.are.same({ "final" }, done)
  end)

  it("are none without a database", function()
    assert.are.same({}, duties.of({ configuration = { bucket = {}, queue = {} } }).list)
  end)

  it("are the configuration's", function()
    local services = { configuration = { database = { final_grading = true } }, database = {}, store = {}, queue = {},
      cases = {} }
    assert.are.equal("final grading", duties.of(services).list[1].name)
    services.configuration.database.final_grading = false
    assert.are.same({}, duties.of(services).list)
    services.configuration.mail = { url = "smtps://localhost", from = "grader@example.org", tls = "required" }
    assert.are.equal("mail", duties.of(services).list[1].name)
  end)
end)
