local host = require "submitter.host"
local pool = require "submitter.runner.pool"
local support = require "spec.support"

describe("a pool", function()
  local made, making, most_making, fail

  before_each(function() made, making, most_making, fail = 0, 0, 0, false end)

  local function build(what)
    making = making + 1
    most_making = math.max(most_making, making)
    host.clock.sleep_ms(10)
    making = making - 1
    if fail then return nil, "no walls", "environment" end
    made = made + 1
    return what or { number = made }
  end

  local function new(at_once)
    return pool.new { name = "something made ready", build = build, at_once = at_once }
  end

  it("keeps as many as are wanted, and makes another only when it is told to", function()
    local kept = new()
    kept:want(3)
    assert.are.equal(1, kept:first().number)
    assert.are.equal(1, kept:take().number)
    host.clock.sleep_ms(30)
    assert.are.equal(3, made)
    kept:fill()
    support.eventually("the fourth", function() return made == 4 end)
    local ended = 0
    kept:drain(function() ended = ended + 1 end)
    assert.are.equal(3, ended)
    kept:fill()
    assert.is_nil(kept:take())
    assert.are.equal(4, made)
  end)

  it("makes no more at a time than it may, those first that are waited for", function()
    local kept, order = new(2), {}
    kept:want(4)
    host.clock.sleep_ms(1)
    local urgent = host.task.spawn("urgent", function()
      local one = kept:make_now(build, "urgent")
      order[#order + 1] = one
      order[#order + 1] = made
    end)
    assert(urgent:join())
    assert.are.equal("urgent", order[1])
    assert.is_true(order[2] <= 4, order[2])
    support.eventually("all", function() return made == 5 end)
    assert.are.equal(2, most_making)
    kept:drain(function() end)
  end)

  it("gives what is ready before what is still being made", function()
    local slow = host.task.event()
    local number = 0
    local kept = pool.new { name = "x", build = function()
      number = number + 1
      local own = number
      if own == 1 then slow:wait() end
      return own
    end }
    kept:want(2)
    host.clock.sleep_ms(5)
    assert.are.equal(2, kept:take())
    slow:set()
    assert.are.equal(1, kept:take())
    assert.is_nil(kept:take())
  end)

  it("forgets those that couldn't be made, and says why", function()
    fail = true
    local kept = new(1)
    kept:want(2)
    assert.are.same({ nil, "no walls", "environment" }, { kept:first() })
    assert.is_nil(kept:take())
    fail = false
    kept:fill()
    assert.is_truthy(kept:take())
    kept:drain(function() end)
  end)

  it("makes none that nobody wants any more", function()
    local kept = new(1)
    kept:want(5)
    host.clock.sleep_ms(1)
    local ended = 0
    kept:drain(function() ended = ended + 1 end)
    assert.are.same({ 1, 1 }, { made, ended })
  end)

  it("gives its turn back when making one throws", function()
    local kept = new(1)
    assert.has_error(function() kept:make_now(function() error("oh", 0) end) end)
    assert.are.equal("x", kept:make_now(build, "x"))
  end)

  it("loses none to who was cancelled while he waited", function()
    local kept = new()
    kept:want(1)
    local waiting = host.task.spawn("waiting", function() return kept:take() end)
    host.clock.sleep_ms(1)
    waiting:cancel("not needed")
    waiting:join()
    assert.are.equal(1, kept:take().number)
  end)

  it("is made with what it knows", function()
    assert.has_error(function() pool.new { name = "x", build = build, size = 3 } end)
    assert.has_error(function() pool.new { name = "x" } end)
  end)
end)
