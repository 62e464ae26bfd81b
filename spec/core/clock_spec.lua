local host = require "submitter.host"

local clock, task = host.clock, host.task

describe("core.clock", function()
  it("tells the time as the system does", function()
    assert.is_true(math.abs(clock.now_ms() // 1000 - os.time()) <= 2)
    assert.are.equal("integer", math.type(clock.now_ms()))
  end)

  it("has a monotonic clock in two units", function()
    local before_ms, before_us = clock.monotonic_ms(), clock.monotonic_us()
    clock.sleep_ms(20)
    local ms, us = clock.monotonic_ms() - before_ms, clock.monotonic_us() - before_us
    assert.is_true(ms >= 19 and us >= 19500)
    assert.is_true(math.abs(ms * 1000 - us) < 100000)
  end)

  it("counts the CPU time of the process, not time asleep", function()
    local before = clock.cpu_us()
    clock.sleep_ms(60)
    assert.is_true(clock.cpu_us() - before < 60000)
    local start = clock.monotonic_us()
    repeat until clock.cpu_us() - before > 20000 or clock.monotonic_us() - start > 10000000
    assert.is_true(clock.cpu_us() - before > 20000)
  end)

  it("sleeps at least as long as asked, others running meanwhile", function()
    local ran = 0
    local one = task.spawn("one", function() for _ = 1, 5 do clock.sleep_ms(1) ran = ran + 1 end end)
    local before = clock.monotonic_us()
    assert.is_true(clock.sleep_ms(30))
    assert.is_true(clock.monotonic_us() - before >= 29000)
    one:join()
    assert.are.equal(5, ran)
  end)

  it("wakes sleepers in the order of their times", function()
    local order, tasks = {}, {}
    for _, ms in ipairs { 40, 5, 20 } do
      tasks[#tasks + 1] = task.spawn("s", function() clock.sleep_ms(ms) order[#order + 1] = ms end)
    end
    for _, one in ipairs(tasks) do one:join() end
    assert.are.same({ 5, 20, 40 }, order)
  end)

  it("can be asked to sleep as good as for ever", function()
    assert.are.same({ nil, "timed out after 5 ms", "timeout" }, { task.within(5, clock.sleep_ms, math.maxinteger) })
  end)

  it("refuses what is no time", function()
    assert.error_matches(function() clock.sleep_ms(-1) end, "milliseconds, 0 or more")
    assert.error_matches(function() clock.sleep_ms(1.5) end, "no integer representation")
    assert.error_matches(function() clock.sleep_ms() end, "number expected")
  end)

  it("writes RFC 3339", function()
    assert.are.equal("1970-01-01T00:00:00.000Z", clock.utc(0))
    assert.are.equal("2026-11-24T05:55:34.123Z", clock.utc(1795499734123))
    assert.are.equal("1969-12-31T23:59:59.999Z", clock.utc(-1))
    assert.are.equal("1969-12-31T23:59:59.000Z", clock.utc(-1000))
    assert.are.equal("2000-02-29T12:00:00.007Z", clock.utc(951825600007))
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", clock.utc())
    assert.matches("^%d%d%d%d%-", clock.utc(nil))
  end)

  it("survives times that no calendar has", function()
    for _, ms in ipairs { math.maxinteger, math.mininteger, math.mininteger + 1, 253402300800000 } do
      assert.is_string(clock.utc(ms))
    end
  end)
end)
