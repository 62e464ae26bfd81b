local host = require "submitter.host"
local pipeline = require "submitter.pipeline"
local support = require "spec.support"
local worker = require "submitter.worker"

local fake = require "spec.fake.grading"

local result_key, error_key = fake.prefix .. ".result.json", fake.prefix .. ".error.json"

describe("the worker with a database", function()
  local parts

  setup(function() host.log.configure { level = "warn" } end)
  teardown(function() host.log.configure { level = "info" } end)
  before_each(function() parts = fake.parts() end)
  after_each(support.clean)
  after_each(function()
    assert.are.equal(0, parts.runner.open)
    assert.are.equal(0, parts.jobs.open)
    parts.queue.trouble = function() end
    assert.are.equal(0, parts.queue:depth().held)
  end)

  local function events(lines)
    local names = {}
    for index, line in ipairs(lines) do names[index] = line.event end
    return table.concat(names, " ")
  end

  local away_since_ms

  -- A pool that tells what it knows; nothing can be graded while it is away.
  before_each(function()
    away_since_ms = nil
    parts.configuration.failure_limit = 2
    parts.database = {
      describe = function() return "PostgreSQL" end,
      state = function()
        return { away = away_since_ms and { since_ms = away_since_ms, reason = "no route" } or nil }
      end,
      query = function()
        if away_since_ms then return nil, "no route to the database", "unavailable", {} end
        return { rows = {}, count = 0 }
      end,
    }
    local steps = parts.steps
    parts.steps = { function(job)
      job.recorder = nil
      if away_since_ms then return nil, "no route to the database", "unavailable" end
      return pipeline.run(job, steps)
    end }
  end)

  it("wears out not even a lone message while it is away", function()
    away_since_ms = 1
    local one = assert(worker.new(parts))
    local lines = support.logged(function()
      local serving = host.task.spawn("serving", function() assert(one:run {}) end)
      local id = parts.queue:send(fake.message())
      support.eventually("several tries", function() return one.outage.failures >= 4 end)
      assert.is_nil(next(parts.queue.dead))
      away_since_ms = nil
      support.eventually("the report", function() return parts.queue.deleted[id] end, 10000)
      assert.are.equal(0, parts.queue.deleted[id].failures)
      one:stop()
      assert(serving:join())
    end)
    assert.are.equal("outage_began", events(lines))
    assert.is_nil(parts.store.objects[error_key])
  end)

  it("takes nothing out of the queue with `once` where it is away from the beginning", function()
    away_since_ms = host.clock.now_ms()
    parts.queue:send(fake.message())
    local done, message, code = assert(worker.new(parts)):run { once = true }
    assert.are.same({ "nil", "unavailable" }, { tostring(done), code })
    assert.are.equal("no route to the database; what is in the queue is left there", message)
    assert.are.equal(0, parts.queue.largest_wanted)
  end)

  it("waits some time for it with `once`, and then ends and leaves the messages", function()
    parts.queue:send(fake.message())
    local steps, tries = parts.steps, 0
    parts.steps = { function(job)
      tries = tries + 1
      away_since_ms = away_since_ms or host.clock.now_ms()
      if tries == 5 then away_since_ms = away_since_ms - 3600000 end
      return steps[1](job)
    end }
    local done, message, code = assert(worker.new(parts)):run { once = true }
    assert.are.same({ "nil", "unavailable" }, { tostring(done), code })
    assert.matches("no route to the database; what is in the queue is left there", message, 1, true)
    assert.are.same({ 5, 1 }, { tries, parts.queue:depth().ready })
    assert.is_nil(next(parts.queue.dead))
    assert.is_nil(parts.store.objects[error_key])
  end)

  it("goes on with `once` when it is back by the time that it is asked", function()
    parts.queue:send(fake.message())
    local steps, tries = parts.steps, 0
    parts.steps = { function(job)
      tries = tries + 1
      if tries == 1 then away_since_ms = 1 end
      return steps[1](job)
    end }
    function parts.database.query()
      away_since_ms = nil
      return { rows = {}, count = 0 }
    end
    assert(assert(worker.new(parts)):run { once = true })
    assert.are.same({ 2, "AC" }, { tries, fake.published(parts, result_key).verdict })
  end)

  it("leaves what else it does when it is told to stop with `once`", function()
    local hurried = 0
    parts.duties = { once = function() end, wake = function() end, hurry = function() hurried = hurried + 1 end }
    local one = assert(worker.new(parts))
    parts.queue.held.another = { id = "another" }
    host.task.spawn("stop", function()
      host.clock.sleep_ms(20)
      one:stop()
      parts.queue.held.another = nil
    end)
    assert(one:run { once = true })
    assert.are.equal(1, hurried)
  end)
end)
