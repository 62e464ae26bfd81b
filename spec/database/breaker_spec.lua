local breaker = require "submitter.database.breaker"
local host = require "submitter.host"
local support = require "spec.support"

describe("the breaker", function()
  local one, now_ms, logged, restore

  before_each(function()
    now_ms, logged = 1000, {}
    one = breaker.new { clock = { monotonic_ms = function() return now_ms end }, random = function() return 1 end }
    restore = support.replace(host.log, {
      error = function(event, fields) logged[#logged + 1] = { event, fields.reason } end,
      info = function(event, fields) logged[#logged + 1] = { event, fields.away_ms } end,
    })
  end)

  after_each(function() restore() end)

  local function fail(code)
    one:failed(one:begin(), "no route", code or "unavailable")
  end

  -- An answer that came at once: a wait would last until the real time is up.
  local function at_once(...)
    return table.pack(host.task.within(0, one.admits, one, ...))
  end

  it("lets everybody through while the server is there", function()
    assert.is_true(one:admits {})
    assert.is_truthy(one:begin())
    assert.is_truthy(one:begin())
  end)

  it("lets nobody try in a pause, and one when it is over", function()
    fail()
    assert.is_nil(one:begin())
    now_ms = now_ms + 200
    assert.is_true(one:admits {})
    local attempt = one:begin()
    assert.is_truthy(attempt)
    assert.is_nil(one:begin())
    one:failed(attempt, "no route", "unavailable")
    now_ms = now_ms + 399
    assert.is_nil(one:begin())
    now_ms = now_ms + 1
    assert.is_truthy(one:begin())
  end)

  it("pauses longer and longer, up to five seconds, from half of the pause on", function()
    local pauses = {}
    for index = 1, 8 do
      fail()
      pauses[index] = one.away.due_ms - now_ms
      now_ms = one.away.due_ms
    end
    assert.are.same({ 200, 400, 800, 1600, 3200, 5000, 5000, 5000 }, pauses)
    one.random = function() return 0 end
    fail()
    assert.are.equal(2500, one.away.due_ms - now_ms)
    now_ms = one.away.due_ms
    one:begin()
    one:succeeded()
    fail()
    assert.are.equal(100, one.away.due_ms - now_ms)
  end)

  it("counts those who began while the server seemed to be there once", function()
    local attempts = { one:begin(), one:begin(), one:begin() }
    for _, attempt in ipairs(attempts) do one:failed(attempt, "no route", "unavailable") end
    assert.are.equal(200, one.away.pause_ms)
    assert.are.same({ { "database_away", "no route" } }, logged)
  end)

  it("says once that the server is away, and once that it is back", function()
    fail()
    now_ms = now_ms + 200
    fail()
    now_ms = now_ms + 400
    assert.is_truthy(one:begin())
    one:succeeded()
    one:succeeded()
    assert.are.same({ { "database_away", "no route" }, { "database_back", 600 } }, logged)
    assert.is_nil(one.away)
  end)

  it("fails at once what would wait for too long, or for somebody to change something", function()
    fail()
    for _ = 1, 3 do
      now_ms = one.away.due_ms
      fail()
    end
    assert.are.same({ n = 3, nil, "no route", "unavailable" }, at_once {})
    now_ms = one.away.due_ms
    one:begin()
    one:succeeded()
    fail "environment"
    assert.are.same({ n = 3, nil, "no route", "environment" }, at_once {})
  end)

  it("has a call wait for a short pause, once and not again and again", function()
    one.clock = host.clock
    fail()
    local patience = {}
    assert.is_true(one:admits(patience))
    assert.is_truthy(patience.until_ms)
    patience.until_ms = host.clock.monotonic_ms()
    fail()
    assert.are.same({ n = 3, nil, "no route", "unavailable" }, at_once(patience))
  end)

  it("has others wait for what the one who tries finds", function()
    one.clock = host.clock
    fail()
    one:admits {}
    local attempt = one:begin()
    local waiting = host.task.spawn("waiting", function() return one:admits {} end)
    host.clock.sleep_ms(5)
    assert.is_false(waiting:done())
    one:succeeded(attempt)
    assert.are.same({ true, true }, { waiting:join() })
  end)

  it("tells others at once that the one who tried found nothing, and doesn't have them wait for long", function()
    fail()
    now_ms = one.away.due_ms
    local attempt = one:begin()
    local waiting = host.task.spawn("waiting", function() return one:admits {} end)
    host.clock.sleep_ms(1)
    one:failed(attempt, "wrong password", "environment")
    local before_ms = host.clock.monotonic_ms()
    assert.are.same({ true, nil, "wrong password", "environment" }, { waiting:join() })
    assert.is_true(host.clock.monotonic_ms() - before_ms < 900)
    now_ms = one.away.due_ms
    one:begin()
    assert.are.same({ n = 3, nil, "wrong password", "environment" }, at_once { until_ms = now_ms })
  end)

  it("lets the next one try when the first was cancelled", function()
    fail()
    now_ms = one.away.due_ms
    local attempt = one:begin()
    local waiting = host.task.spawn("waiting", function() return one:admits {} end)
    host.clock.sleep_ms(1)
    one:abandoned(attempt)
    assert.are.same({ true, true }, { waiting:join() })
    local second = one:begin()
    assert.is_truthy(second)
    one:abandoned(attempt)
    assert.is_nil(one:begin())
  end)
end)
