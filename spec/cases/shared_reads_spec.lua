local host = require "submitter.host"
local shared_reads = require "submitter.cases.shared_reads"

local task = host.task

describe("shared reads", function()
  local reads, begun, gate
  before_each(function()
    reads, begun, gate = shared_reads.new "something", 0, task.event()
  end)

  local function body()
    begun = begun + 1
    local number = begun
    gate:wait()
    return number, nil, "third"
  end

  local function ask()
    return task.spawn("asks", function() return reads:read("a", body) end)
  end

  it("return what the body returned", function()
    gate:set()
    assert.are.same({ 1, nil, "third" }, { reads:read("a", body) })
    assert.are.same({ n = 3, nil, "no", "code" }, table.pack(reads:read("a", function() return nil, "no", "code" end)))
  end)

  it("run once for all who asked before it began, and once more for all who asked since", function()
    local first, second = ask(), ask()
    host.clock.sleep_ms(10)
    assert.are.equal(1, begun)
    local third, fourth, fifth = ask(), ask(), ask()
    host.clock.sleep_ms(10)
    assert.are.equal(1, begun)
    gate:set()
    local numbers = {}
    for index, one in ipairs { first, second, third, fourth, fifth } do numbers[index] = select(2, one:join()) end
    assert.are.same({ 1, 1, 2, 2, 2 }, numbers)
    assert.are.equal(2, begun)
    assert.are.equal(3, (reads:read("a", body)))
  end)

  it("of something else don't wait", function()
    ask()
    host.clock.sleep_ms(10)
    assert.are.equal("b", (reads:read("b", function() return "b" end)))
    gate:set()
  end)

  it("go on when one who asked is cancelled", function()
    local first, second = ask(), ask()
    host.clock.sleep_ms(10)
    first:cancel "not needed"
    assert.is_nil((first:join()))
    gate:set()
    assert.are.equal(1, select(2, second:join()))
  end)

  it("hand an error on to all, and begin anew for the next", function()
    local tasks = {}
    for index = 1, 2 do
      tasks[index] = task.spawn("asks", pcall, reads.read, reads, "a", function() error "broken" end)
    end
    for _, one in ipairs(tasks) do
      local _, fine, message = one:join()
      assert.is_false(fine)
      assert.matches("^[^\n]*shared_reads_spec.lua:%d+: broken\n", message)
    end
    gate:set()
    assert.are.equal(1, (reads:read("a", body)))
  end)

  it("remember nothing of what is over", function()
    gate:set()
    reads:read("a", body)
    host.clock.sleep_ms(1)
    assert.is_nil(next(reads.lines))
  end)
end)
