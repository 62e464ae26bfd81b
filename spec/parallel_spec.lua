local host = require "submitter.host"
local parallel = require "submitter.parallel"

describe("work in parallel", function()
  it("is done on every item, so many at a time", function()
    local list, done, running, most = {}, {}, 0, 0
    for number = 1, 20 do list[number] = "item " .. number end
    assert.is_true(parallel.each(list, 3, function(item, index)
      running = running + 1
      most = math.max(most, running)
      host.clock.sleep_ms(2)
      running = running - 1
      done[index] = item
      return true
    end))
    assert.are.same(list, done)
    assert.are.equal(3, most)
  end)

  it("has nothing to do without items", function()
    assert.is_true(parallel.each({}, 3, function() error "never" end))
  end)

  it("begins nothing after a failure, and waits for what is under way", function()
    local begun, ended = 0, 0
    local done, message, code = parallel.each({ 1, 2, 3, 4, 5, 6 }, 2, function(item)
      begun = begun + 1
      host.clock.sleep_ms(item == 1 and 30 or 2)
      ended = ended + 1
      if item == 2 then return nil, "two is bad", "unavailable" end
      return true
    end)
    assert.is_nil(done)
    assert.are.equal("two is bad", message)
    assert.are.equal("unavailable", code)
    assert.are.equal(2, begun)
    assert.are.equal(2, ended)
  end)

  it("passes on what is thrown", function()
    local begun = 0
    local returned, problem = pcall(parallel.each, { 1, 2, 3, 4 }, 1, function()
      begun = begun + 1
      error "a bug"
    end)
    assert.is_false(returned)
    assert.matches("a bug", problem, 1, true)
    assert.are.equal(1, begun)
  end)

  it("begins nothing more for a caller that was cancelled", function()
    local begun = 0
    local task = host.task.spawn("caller", function()
      parallel.each({ 1, 2, 3, 4, 5, 6, 7, 8 }, 2, function()
        begun = begun + 1
        host.clock.sleep_ms(20)
        return true
      end)
    end)
    host.clock.sleep_ms(5)
    task:cancel "enough"
    assert.is_nil((task:join()))
    host.clock.sleep_ms(60)
    assert.are.equal(2, begun)
  end)

  it("wants a list, a limit and a function", function()
    for _, arguments in ipairs { { {}, 0, print }, { {}, 1.5, print }, { "x", 1, print }, { {}, 1 } } do
      assert.has_error(function() parallel.each(table.unpack(arguments, 1, 3)) end,
        "expected parallel.each(list, limit, function(item, index) … return true end)")
    end
  end)
end)
