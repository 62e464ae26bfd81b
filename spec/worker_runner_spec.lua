local host = require "submitter.host"
local support = require "spec.support"
local worker = require "submitter.worker"

local fake = require "spec.fake.grading"

local result_key, error_key = fake.prefix .. ".result.json", fake.prefix .. ".error.json"

describe("the worker whose programs run on an engine", function()
  local parts

  setup(function() host.log.configure { level = "warn" } end)
  teardown(function() host.log.configure { level = "info" } end)
  before_each(function()
    parts = fake.parts()
    parts.configuration.failure_limit = 2
    -- As one of containers does: nothing can be started while it is away.
    parts.runner.fail_start = function()
      if parts.runner.away then return parts.runner.away, "unavailable" end
    end
  end)
  after_each(support.clean)
  after_each(function()
    assert.are.equal(0, parts.runner.open)
    assert.are.equal(0, parts.jobs.open)
    assert.are.equal(0, parts.queue:depth().held)
  end)

  local function events(lines)
    local names = {}
    for index, line in ipairs(lines) do names[index] = line.event end
    return table.concat(names, " ")
  end

  local function go_away(since_ms)
    parts.runner.away, parts.runner.away_since_ms = "engine away: no socket", since_ms or host.clock.now_ms()
  end

  it("tells its runner whose submission it is", function()
    parts.queue:send(fake.message())
    assert(assert(worker.new(parts)):run { once = true })
    assert.are.same({ subid = fake.subid }, parts.runner.about)
  end)

  it("has a policy's choice", function()
    parts.policy_directory = fake.policies { ["m.soltys.lua"] = 'return { runner = "heavy" }' }
    parts.configuration.policy.runners = { "default", "heavy" }
    parts.queue:send(fake.message())
    assert(assert(worker.new(parts)):run { once = true })
    assert.are.same({ subid = fake.subid, runner = "heavy" }, parts.runner.about)
    -- What the operator doesn't allow is the instructor's to mend.
    parts.configuration.policy.runners = { "default" }
    local id = parts.queue:send(fake.message())
    support.logged(function() assert(assert(worker.new(parts)):run { once = true }) end)
    assert.are.equal("policy", parts.queue.dead[id].class)
    assert.matches('runner: "heavy" is none that the operator allows', fake.published(parts, error_key).reason, 1, true)
  end)

  it("wears out not even a lone message while it is away", function()
    go_away(1)
    local one = assert(worker.new(parts))
    local lines = support.logged(function()
      local serving = host.task.spawn("serving", function() assert(one:run {}) end)
      local id = parts.queue:send(fake.message())
      support.eventually("several tries", function() return one.outage.failures >= 4 end)
      assert.is_nil(next(parts.queue.dead))
      assert.are.equal("nothing can be graded: engine away: no socket", parts.jobs.state.problem)
      parts.runner.away = nil
      support.eventually("the report", function() return parts.queue.deleted[id] end, 10000)
      assert.are.equal(0, parts.queue.deleted[id].failures)
      one:stop()
      assert(serving:join())
    end)
    assert.are.equal("outage_began", events(lines))
    assert.is_nil(parts.store.objects[error_key])
  end)

  it("gives no message up when it goes away in its last try", function()
    parts.runner.programs.cut = function()
      go_away()
      return nil, "engine away: the stream ended", "unavailable"
    end
    parts.store.objects[fake.prefix .. ".py"] = "cut"
    local id = parts.queue:send(fake.message())
    parts.queue.ready[1].failures = parts.configuration.failure_limit - 1
    local one = assert(worker.new(parts))
    support.logged(function()
      local serving = host.task.spawn("serving", function() assert(one:run {}) end)
      support.eventually("its return", function() return parts.queue.released[id] end)
      assert.is_nil(parts.store.objects[error_key])
      parts.runner.programs.cut = parts.runner.programs.sum
      parts.runner.away = nil
      support.eventually("its end", function() return parts.queue.deleted[id] end, 10000)
      assert.are.equal(parts.configuration.failure_limit - 1, parts.queue.deleted[id].failures)
      one:stop()
      assert(serving:join())
    end)
    assert.is_nil(next(parts.queue.dead))
  end)

  it("begins all the same when it is away from the beginning, and grades when it is there", function()
    parts.runner.fail_warm = parts.runner.fail_start
    go_away()
    local one = assert(worker.new(parts))
    local id = parts.queue:send(fake.message())
    local lines = support.logged(function()
      local serving = host.task.spawn("serving", function() assert(one:run {}) end)
      support.eventually("a try", function() return one.outage.failures >= 1 end)
      parts.runner.away = nil
      support.eventually("the report", function() return parts.queue.deleted[id] end, 10000)
      one:stop()
      assert(serving:join())
    end)
    assert.are.equal("runner_not_ready outage_began", events(lines))
    assert.are.equal("AC", fake.published(parts, result_key).verdict)
  end)

  it("takes nothing out of the queue with `once` where it is away from the beginning", function()
    go_away()
    parts.queue:send(fake.message())
    for _, fail_warm in ipairs { parts.runner.fail_start, function() end } do
      parts.runner.fail_warm = fail_warm
      local done, message, code = assert(worker.new(parts)):run { once = true }
      assert.are.same({ "nil", "unavailable" }, { tostring(done), code })
      assert.matches("^engine away: no socket", message)
      assert.are.same({ 0, 1 }, { parts.queue.largest_wanted, parts.queue:depth().ready })
    end
  end)

  it("waits some time for it with `once`, and then ends and leaves the messages", function()
    parts.queue:send(fake.message())
    local tries = 0
    local fail = parts.runner.fail_start
    parts.runner.fail_start = function()
      tries = tries + 1
      if tries == 1 then go_away() end
      if tries == 4 then go_away(parts.runner.away_since_ms - 3600000) end
      return fail()
    end
    local done, message, code = assert(worker.new(parts)):run { once = true }
    assert.are.same({ "nil", "unavailable" }, { tostring(done), code })
    assert.are.equal("engine away: no socket; what is in the queue is left there", message)
    assert.are.same({ 4, 1 }, { tries, parts.queue:depth().ready })
    assert.is_nil(next(parts.queue.dead))
    assert.is_nil(parts.store.objects[error_key])
  end)
end)
