local failures = require "submitter.queue.failures"

describe("the memory of failures", function()
  it("begins with none", function()
    assert.are.equal(0, failures.new(5):of("a", 1))
  end)

  it("counts what it is told, and forgets what has come to its end", function()
    local memory = failures.new(5)
    memory:set("a", 1)
    memory:set("a", 2)
    memory:set("b", 1)
    assert.are.same({ 2, 1 }, { memory:of("a", 3), memory:of("b", 2) })
    memory:forget("a")
    memory:forget("c")
    assert.are.same({ 0, 1 }, { memory:of("a", 1), memory:of("b", 2) })
  end)

  it("takes many receipts for failures of others: given up at the 2 × limit-th at the latest", function()
    for limit = 1, 20 do
      local memory = failures.new(limit)
      for receives = 1, 2 * limit do
        local is_last = memory:of("a", receives) + 1 >= limit
        -- Without a failure on record only the very last receipt is the last try (with a limit of 1 each is).
        assert.are.equal(receives >= 2 * limit or limit == 1, is_last, limit .. " " .. receives)
      end
    end
    local memory = failures.new(5)
    memory:set("a", 3)
    assert.are.equal(3, memory:of("a", 7))
    assert.are.equal(4, memory:of("a", 10))
  end)

  it("is bounded; what was touched last is remembered", function()
    local memory = failures.new(5, 100)
    for number = 1, 1000 do memory:set("m" .. number, 1) end
    local known = 0
    for number = 1, 1000 do known = known + memory:of("m" .. number, 1) end
    assert.is_true(known >= 50 and known <= 100)
    for number = 951, 1000 do assert.are.equal(1, memory:of("m" .. number, 1)) end
  end)

  it("remembers over the change of halves", function()
    local memory = failures.new(5, 4)
    memory:set("a", 1)
    memory:set("b", 1)
    memory:set("c", 1)
    memory:set("a", memory:of("a", 2) + 1)
    assert.are.equal(2, memory:of("a", 3))
    memory:forget("a")
    assert.are.equal(0, memory:of("a", 3))
  end)
end)
