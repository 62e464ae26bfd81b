local heartbeat = require "submitter.heartbeat"
local host = require "submitter.host"
local support = require "spec.support"

describe("the heartbeat", function()
  local interval_ms = heartbeat.INTERVAL_MS
  local signs, worker

  before_each(function()
    signs = {}
    heartbeat.INTERVAL_MS = 10
    worker = {
      in_flight = 0, stopping = false, slots = function() return 2 end,
      jobs = { beat = function(_, life)
        signs[#signs + 1] = life
        return true
      end },
    }
  end)
  after_each(function() heartbeat.INTERVAL_MS = interval_ms end)

  -- Lets it beat a few times, and returns the last.
  local function beats(life)
    local before = #signs
    for _ = 1, 500 do
      if #signs >= before + 3 then break end
      host.clock.sleep_ms(10)
    end
    assert.is_true(#signs >= before + 3)
    return signs[#signs], life
  end

  it("goes on until it is stopped, and leaves no task behind", function()
    local tasks = host.task.count()
    local life = heartbeat.start(worker)
    local sign = beats()
    assert.is_true(sign.alive_ms > signs[1].alive_ms)
    life:stop()
    local count = #signs
    host.clock.sleep_ms(50)
    assert.are.equal(count, #signs)
    assert.are.equal(tasks, host.task.count())
  end)

  it("says since when a poll is due: the start, the last good poll, when a slot became free", function()
    local start_ms = host.clock.now_ms()
    local life = heartbeat.start(worker)
    local first_ms = beats().due_ms
    assert.is_true(first_ms >= start_ms and first_ms <= signs[1].alive_ms)
    assert.are.equal(first_ms, beats().due_ms)
    worker.last_poll_ms = host.clock.now_ms() + 1
    assert.are.equal(worker.last_poll_ms, beats().due_ms)
    host.clock.sleep_ms(5)
    worker.in_flight = 2
    local full = beats()
    assert.are.equal(full.alive_ms, full.due_ms)
    worker.in_flight = 1
    beats()
    local free_ms = beats().due_ms
    assert.is_true(free_ms >= full.due_ms)
    assert.are.equal(free_ms, beats().due_ms)
    worker.stopping = true
    local ending = beats()
    assert.are.equal(ending.alive_ms, ending.due_ms)
    life:stop()
  end)

  it("tells once that no sign can be left, and goes on trying", function()
    local tries = 0
    function worker.jobs.beat()
      tries = tries + 1
      return nil, "the disk is full", "ENOSPC"
    end
    local lines = support.logged(function()
      local life = heartbeat.start(worker)
      for _ = 1, 500 do
        if tries >= 3 then break end
        host.clock.sleep_ms(10)
      end
      life:stop()
    end)
    assert.is_true(tries >= 3)
    assert.are.equal(1, #lines)
    assert.are.same({ "heartbeat_not_written", "the disk is full" }, { lines[1].event, lines[1].fields.reason })
  end)

  it("wants a worker", function()
    assert.has_error(function() heartbeat.start {} end, "expected heartbeat.start(worker)")
  end)
end)
