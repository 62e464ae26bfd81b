local host = require "submitter.host"
local turns = require "submitter.database.turns"

describe("turns", function()
  -- Each takes one in a task of its own, and notes that he has it.
  local function take(one, had, names)
    local tasks = {}
    for _, name in ipairs(names) do
      tasks[#tasks + 1] = host.task.spawn(name, function()
        local taken = one:take(60000)
        had[#had + 1] = name
        return taken
      end)
    end
    host.clock.sleep_ms(1)
    return tasks
  end

  it("are had at once while there are any", function()
    local one = turns.new(2)
    assert.is_true(one:take(0))
    assert.is_true(one:take(0))
    assert.is_nil(one:take(0))
    assert.are.same({ 0, 0 }, { one.free, #one.waiting })
    one:give()
    assert.is_true(one:take(0))
  end)

  it("come in the order in which they were asked for", function()
    local one, had = turns.new(1), {}
    one:take(0)
    take(one, had, { "a", "b", "c" })
    assert.are.same({}, had)
    for _ = 1, 3 do
      one:give()
      host.clock.sleep_ms(1)
    end
    assert.are.same({ "a", "b", "c" }, had)
    assert.is_nil(one:take(0))
  end)

  it("aren't waited for longer than asked, and the line is clean afterwards", function()
    local one = turns.new(1)
    one:take(0)
    assert.is_nil(one:take(5))
    assert.are.equal(0, #one.waiting)
    one:give()
    assert.are.equal(1, one.free)
  end)

  it("go to the next when the one who waits is cancelled", function()
    local one, had = turns.new(1), {}
    one:take(0)
    local tasks = take(one, had, { "a", "b", "c" })
    tasks[2]:cancel()
    assert.are.equal("cancelled", (select(3, tasks[2]:join())))
    assert.are.equal(2, #one.waiting)
    one:give()
    one:give()
    tasks[3]:join()
    assert.are.same({ "a", "c" }, had)
    assert.are.equal(0, one.free)
  end)

  it("go to the next when he is cancelled with his turn in hand", function()
    local one, had = turns.new(1), {}
    one:take(0)
    local tasks = take(one, had, { "a", "b" })
    tasks[1]:cancel()
    one:give()
    tasks[2]:join()
    assert.are.same({ "b" }, had)
    one:give()
    assert.are.equal(1, one.free)
  end)
end)
