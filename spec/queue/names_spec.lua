local names = require "submitter.queue.names"

local id = "0123456789abcdef0123456789abcdef"
local message = { sent_ms = 1700000000000, id = id, receives = 12, failures = 3 }

describe("the names of messages", function()
  it("are read as they are written", function()
    local ready = names.ready(message)
    assert.are.equal("1700000000000-" .. id .. ".12.3", ready)
    assert.are.same(message, names.parse_ready(ready))
    local held = names.held(message, 1700000030000, "a1b2")
    assert.are.equal("1700000030000-" .. ready .. ".a1b2", held)
    assert.are.same({ name = held, deadline_ms = 1700000030000, ready_name = ready }, names.parse_held(held))
    assert.is_table(names.parse_held(names.held(message, 0, names.nobody)))
  end)

  it("sort by time also when a clock stands at its beginning", function()
    local early = names.ready { sent_ms = 5, id = id, receives = 0, failures = 0 }
    assert.are.equal("0000000000005-" .. id .. ".0.0", early)
    assert.is_true(early < names.ready(message))
    assert.are.equal(5, names.parse_ready(early).sent_ms)
  end)

  it("are nothing else", function()
    local ready = names.ready(message)
    for _, other in ipairs { "", "x", ready .. "x", "x" .. ready, ready .. ".1", ready:sub(2), ready:gsub("%.3$", ""),
      ready:gsub("%.12", ".x"), ready:gsub("0123", "012"), ready:gsub("0123", "01234"), ready:gsub("0123", "ghij"),
      ready:gsub("%.12", ".1234567890"), ready:gsub("%.3$", ".1234567890"), ".submitter-" .. ready } do
      assert.is_nil(names.parse_ready(other), other)
      assert.is_nil(names.parse_held("1700000030000-" .. other .. ".a1"), other)
    end
    for _, other in ipairs { ready, "1700000030000-" .. ready, "1700000030000-" .. ready .. ".",
      "1700000030000-" .. ready .. ".xyz", "170000003000-" .. ready .. ".a1" } do
      assert.is_nil(names.parse_held(other), other)
    end
  end)
end)
