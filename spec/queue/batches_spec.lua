local batches = require "submitter.queue.batches"
local host = require "submitter.host"
local support = require "spec.support"

describe("batches", function()
  local sent, outcome_of, gate

  before_each(function()
    sent, gate = {}, nil
    outcome_of = function() return { ok = true } end
  end)

  local function new(options)
    local settings = { name = "test", linger_ms = 3, perform = function(values)
      sent[#sent + 1] = values
      if gate then gate:wait() end
      local outcomes = {}
      for index, value in ipairs(values) do outcomes[index] = outcome_of(value, #sent) end
      return outcomes
    end }
    for name, value in pairs(options or {}) do settings[name] = value end
    return batches.new(settings)
  end

  -- Submits each in a task of its own, and returns the tasks.
  local function submit(one, first, last)
    local tasks = {}
    for number = first, last do
      tasks[#tasks + 1] = host.task.spawn("caller " .. number, function()
        return one:submit("key" .. number, number)
      end)
    end
    return tasks
  end

  it("make one call of what comes together, each caller gets his own part", function()
    outcome_of = function(value)
      if value == 3 then return { ok = false, message = "no three", code = "lease_lost" } end
      return { ok = true }
    end
    local results = {}
    for index, task in ipairs(submit(new(), 1, 5)) do results[index] = table.pack(task:join()) end
    assert.are.same({ { 1, 2, 3, 4, 5 } }, sent)
    assert.are.same({ true, true, n = 2 }, results[1])
    assert.are.same({ true, nil, "no three", "lease_lost", n = 4 }, results[3])
  end)

  it("hold no more than fit, and don't wait once they are full", function()
    local one = new { linger_ms = 2000 }
    local before_ms = host.clock.monotonic_ms()
    for _, task in ipairs(submit(one, 1, 20)) do assert(task:join()) end
    assert.is_true(host.clock.monotonic_ms() - before_ms < 1500)
    assert.are.same({ 10, 10 }, { #sent[1], #sent[2] })
  end)

  it("go one beside the other", function()
    gate = host.task.event()
    local one = new { limit = 2 }
    local tasks = submit(one, 1, 6)
    support.eventually("three batches", function() return #sent == 3 end)
    gate:set()
    for _, task in ipairs(tasks) do assert(task:join()) end
  end)

  it("try again, later, what may succeed then, and only that", function()
    local times = {}
    outcome_of = function(value, round)
      times[round] = host.clock.monotonic_ms()
      if value == 2 and round < 3 then return { ok = false, message = "busy", code = "unavailable", again = true } end
      return { ok = true }
    end
    for _, task in ipairs(submit(new(), 1, 3)) do assert.are.same({ true, true }, { task:join() }) end
    assert.are.same({ { 1, 2, 3 }, { 2 }, { 2 } }, sent)
    assert.is_true(times[2] - times[1] >= 50)
    assert.is_true(times[3] - times[2] >= 100)
  end)

  it("give up after a few tries", function()
    outcome_of = function() return { ok = false, message = "busy", code = "unavailable", again = true } end
    assert.are.same({ nil, "busy", "unavailable" }, { new():submit("key", 1) })
    assert.are.equal(4, #sent)
  end)

  it("fail together when the call failed", function()
    local one = new { perform = function() return nil, "no route", "unavailable" end }
    for _, task in ipairs(submit(one, 1, 3)) do
      assert.are.same({ true, nil, "no route", "unavailable" }, { task:join() })
    end
  end)

  it("leave nobody waiting when the call throws", function()
    local one = new { perform = function() error("a bug") end }
    local results
    local lines = support.logged(function()
      results = table.pack(one:submit("key", 1))
    end)
    assert.is_nil(results[1])
    assert.matches("a bug", results[2], 1, true)
    assert.are.equal("batch_error", lines[1].event)
    -- And the key is free again.
    support.logged(function() assert.is_nil((one:submit("key", 1))) end)
  end)

  it("lose what a cancelled caller has not sent yet, and nothing else", function()
    local one = new { linger_ms = 30 }
    local tasks = submit(one, 1, 3)
    host.clock.sleep_ms(1)
    tasks[2]:cancel("enough")
    for _, number in ipairs { 1, 3 } do assert.are.same({ true, true }, { tasks[number]:join() }) end
    assert.are.equal("cancelled", select(3, tasks[2]:join()))
    assert.are.same({ { 1, 3 } }, sent)
    assert.is_true(one:submit("key2", 4))
  end)

  it("don't try again for a cancelled caller what is under way", function()
    gate = host.task.event()
    outcome_of = function(value)
      return value == 2 and { ok = false, message = "busy", code = "unavailable", again = true } or { ok = true }
    end
    local one = new()
    local tasks = submit(one, 1, 3)
    support.eventually("the batch", function() return #sent == 1 end)
    tasks[2]:cancel("enough")
    host.clock.sleep_ms(1)
    gate:set()
    for _, number in ipairs { 1, 3 } do assert.are.same({ true, true }, { tasks[number]:join() }) end
    -- The next about the same waits until that is settled.
    outcome_of = function() return { ok = true } end
    assert.is_true(one:submit("key2", 5))
    assert.are.same({ { 1, 2, 3 }, { 5 } }, sent)
  end)

  it("never hold one key twice, also not in two batches at a time", function()
    gate = host.task.event()
    local one = new()
    local first = host.task.spawn("first", function() return one:submit("key", 1) end)
    support.eventually("the batch", function() return #sent == 1 end)
    local second = host.task.spawn("second", function() return one:submit("key", 2) end)
    host.clock.sleep_ms(20)
    assert.are.equal(1, #sent)
    gate:set()
    assert(first:join())
    assert(second:join())
    assert.are.same({ { 1 }, { 2 } }, sent)
  end)

  it("say what they take", function()
    assert.has_error(function() batches.new { name = "x" } end)
    assert.has_error(function() batches.new { name = "x", perform = print, size = 3 } end)
  end)
end)
