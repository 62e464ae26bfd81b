local core = require "core.support"
local host = require "submitter.host"
local support = require "support"

local watchdog = host.watchdog

--- What must end by itself: in a process of its own, which is killed otherwise.
local function ends(text)
  local result = core.script("local watchdog = require 'submitter.core.watchdog' " .. text)
  assert.are.equal("", result.stderr)
  assert.are.equal(0, result.exit_code)
  return result.stdout
end

describe("core.watchdog", function()
  after_each(support.clean)

  it("hands arguments and results over", function()
    assert.are.same({ true, 1, nil, "x" }, { watchdog.call(1000, function(...) return ... end, 1, nil, "x") })
    assert.are.equal(1, select("#", watchdog.call(1000, function() end)))
    assert.are.equal(5001, select("#", watchdog.call(1000, function(...) return ... end, table.unpack({}, 1, 5000))))
    assert.are.equal(3001, select("#", watchdog.call(1000, table.unpack, {}, 1, 3000)))
  end)

  it("ends an endless loop", function()
    local result, message, code = watchdog.call(10000, function() while true do end end)
    assert.is_nil(result)
    assert.matches("instruction budget used up", message)
    assert.are.equal("budget", code)
  end)

  it("tells errors of the body apart, whatever the budget", function()
    for _, instructions in ipairs { 1, 99, 100, 101, 10000 } do
      local result, message, code = watchdog.call(instructions, error, "it broke")
      assert.is_nil(result)
      assert.are.equal("it broke", message)
      assert.are.equal("error", code)
    end
    assert.are.equal("budget", (select(3, watchdog.call(100, function() while true do end end))))
  end)

  it("never calls what an error object brings along", function()
    assert.are.equal("(error object is a table value)\terror\n", ends [[
      local trap = setmetatable({}, { __tostring = function() while true do end end })
      print(select(2, watchdog.call(1000, error, trap)))
    ]])
    assert.are.same({ nil, "42", "error" }, { watchdog.call(1000, error, 42) })
  end)

  it("ends code that catches its error, at every level", function()
    assert.are.equal("budget\n", ends [[
      print((select(3, watchdog.call(1000, function()
        while true do pcall(function() while true do end end) end
      end))))]])
    assert.are.equal("budget\n", ends [[
      local function bomb() while true do pcall(bomb) end end
      print((select(3, watchdog.call(1000, bomb))))]])
    assert.are.equal("budget\n", ends [[
      print((select(3, watchdog.call(1000, function() return pcall(function() while true do end end) end))))]])
  end)

  it("ends clean-up that doesn't end", function()
    assert.are.equal("budget\n", ends [[
      print((select(3, watchdog.call(1000, function()
        local _ <close> = setmetatable({}, { __close = function() while true do end end })
        while true do end
      end))))]])
    assert.are.equal("budget\n", ends [[
      print((select(3, watchdog.call(1000, function()
        local _ <close> = setmetatable({}, { __close = function() while true do end end })
        error "it broke"
      end))))]])
  end)

  it("ends deep recursion", function()
    local function deeper() return 1 + deeper() end
    local result, message, code = watchdog.call(100000000, deeper)
    assert.is_nil(result)
    assert.matches("stack overflow", message)
    assert.are.equal("error", code)
  end)

  it("lets nothing wait", function()
    local result, message, code = watchdog.call(1000, host.clock.sleep_ms, 0)
    assert.is_nil(result)
    assert.matches("waits, and can't do so", message)
    assert.are.equal("error", code)
    result, message, code = watchdog.call(1000, coroutine.yield, 1)
    assert.is_nil(result)
    assert.is_string(message)
    assert.are.equal("error", code)
    assert.is_true(host.clock.sleep_ms(0))
  end)

  it("ends what takes too much memory, however few instructions that needs", function()
    local function doubles()
      local text = "x"
      for _ = 1, 40 do text = text .. text end
      return #text
    end
    local function replaces()
      return #("x"):rep(1 << 20):gsub(".", { x = ("y"):rep(1 << 20) })
    end
    local function hoards()
      local list = {}
      for number = 1, 1000000 do list[number] = ("x"):rep(1000) .. number end
      return #list
    end
    for _, greedy in ipairs { doubles, replaces, hoards } do
      collectgarbage()
      assert.are.same({ nil, "not enough memory", "error" }, { watchdog.call(100000000, greedy) })
    end
    collectgarbage()
    -- What is garbage by then doesn't count, and afterwards there is no bound.
    assert.are.same({ true, 100 }, { watchdog.call(100000000, function()
      local made = 0
      for number = 1, 100 do made = made + (#(("x"):rep(5 << 20) .. number) > 0 and 1 or 0) end
      return made
    end) })
    assert.are.equal(200 << 20, #("x"):rep(200 << 20))
    collectgarbage()
  end)

  it("leaves no hook behind, and the next budget whole", function()
    for _ = 1, 100 do watchdog.call(10, function() while true do end end) end
    local sum = 0
    for number = 1, 100000 do sum = sum + number end
    assert.are.equal(5000050000, sum)
    assert.is_true((watchdog.call(1000, function() for _ = 1, 100 do end end)))
  end)

  it("refuses misuse", function()
    assert.error_matches(function() watchdog.call(0, print) end, "1 to 2")
    assert.error_matches(function() watchdog.call(1 << 31, print) end, "1 to 2")
    assert.error_matches(function() watchdog.call(10, "print") end, "function expected")
    assert.is_true((watchdog.call((1 << 31) - 1, function() end)))
  end)
end)
