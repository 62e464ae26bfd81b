local host = require "submitter.host"
local lease = require "submitter.lease"
local support = require "spec.support"

local fake_queue = require "spec.fake.queue"

describe("a lease", function()
  local queue, message, lost

  before_each(function()
    queue, lost = fake_queue.open(), {}
    queue:send "{}"
    message = queue:receive({ max = 1, wait_ms = 0 })[1]
  end)

  local function keep(visibility_ms)
    return lease.keep {
      queue = queue, message = message, visibility_ms = visibility_ms,
      on_lost = function(reason) lost[#lost + 1] = reason end,
    }
  end

  it("is extended at half of its time, and not after its end", function()
    local kept = keep(40)
    support.eventually("two extensions", function() return queue.extended >= 2 end)
    kept:stop()
    local extended = queue.extended
    host.clock.sleep_ms(60)
    assert.are.equal(extended, queue.extended)
    assert.are.same({}, lost)
    assert.is_false(kept.lost)
    kept:stop()
  end)

  it("costs nothing where the work is quick", function()
    local kept = keep(30000)
    kept:stop()
    assert.are.equal(0, queue.extended)
  end)

  it("says at once that the message belongs to somebody else", function()
    local kept = keep(20)
    queue.held[message.id] = nil
    support.eventually("the loss", function() return #lost > 0 end)
    assert.is_true(kept.lost)
    assert.are.equal(1, #lost)
    assert.are.equal(1, queue.extended)
    kept:stop()
  end)

  it("is tried again while it still holds, and given up when it doesn't", function()
    queue.trouble = function(verb)
      if verb == "extend" then return "no route to the queue", "unavailable" end
    end
    local kept
    local lines = support.logged(function()
      kept = keep(80)
      support.eventually("the loss", function() return #lost > 0 end)
    end)
    assert.is_true(kept.lost)
    assert.is_true(queue.extended >= 2)
    assert.are.equal("lease_not_extended", lines[1].event)
    kept:stop()
  end)

  it("survives trouble that passes", function()
    queue.trouble = function(verb)
      if verb == "extend" and queue.extended == 1 then return "no route to the queue", "unavailable" end
    end
    local kept
    support.logged(function()
      kept = keep(80)
      support.eventually("another extension", function() return queue.extended >= 2 end)
    end)
    kept:stop()
    assert.is_false(kept.lost)
  end)

  it("is lost in time when the queue doesn't answer", function()
    queue.extend = function() host.task.event():wait(60000) end
    local kept = keep(60)
    local before_ms = host.clock.monotonic_ms()
    support.eventually("the loss", function() return #lost > 0 end)
    assert.is_true(host.clock.monotonic_ms() - before_ms < 2000)
    assert.matches("no answer before the message's visibility ended", lost[1], 1, true)
    kept:stop()
  end)

  it("is extended sooner where the queue gave less than was asked", function()
    local times, granted = {}, { 200, 20 }
    queue.extend = function()
      times[#times + 1] = host.clock.monotonic_ms()
      if not granted[#times] then return nil, "12 hours are over", "lease_lost" end
      return true, granted[#times]
    end
    local kept = keep(200)
    support.eventually("the end", function() return #lost > 0 end)
    assert.are.equal(3, #times)
    assert.is_true(times[2] - times[1] >= 100)
    assert.is_true(times[3] - times[2] >= 10 and times[3] - times[2] < 90)
    assert.are.same({ "12 hours are over" }, lost)
    kept:stop()
  end)
end)
