local host = require "submitter.host"
local listing = require "submitter.queue.listing"
local support = require "spec.support"

describe("a listing", function()
  local function new(names, options)
    options = options or {}
    local directory = {
      list = function()
        local entries = {}
        for index, name in ipairs(names) do
          entries[index] = { name = name, type = "file" }
        end
        if options.on_list then
          options.on_list()
        end
        return entries
      end,
    }
    return assert(listing.new(directory, "ready", function() return true end, {}))
  end

  it("is used up from both ends", function()
    local one = new { "a", "b", "c", "d" }
    assert.are.same({ "a", "d" }, { one:first(), one:last() })
    assert.are.equal("a", one:take_first())
    assert.are.equal("d", one:take_last())
    assert.are.same({ "b", "c" }, { one:first(), one:last() })
    assert.are.same({ "b", "c" }, { one:take_first(), one:take_first() })
    assert.is_nil(one:first())
    assert.is_nil(one:last())
    assert.is_nil(one:take_first())
    assert.is_nil(one:take_last())
  end)

  it("takes a name in where it belongs", function()
    local one = new { "b", "d", "f" }
    for _, name in ipairs { "c", "a", "g", "e" } do
      one:insert(name)
    end
    local taken = {}
    for index = 1, 7 do
      taken[index] = one:take_first()
    end
    assert.are.equal("abcdefg", table.concat(taken))
    one:insert("z")
    one:insert("y")
    assert.are.same({ "y", "z" }, { one:first(), one:last() })
    assert.are.equal("z", one:take_last())
    assert.are.equal("y", one:take_last())
    one:insert("x")
    assert.are.equal("x", one:take_first())
    assert.is_nil(one:take_first())
  end)

  it("is trusted for a second, or twenty times as long as it took", function()
    local now_us = 0
    finally(support.replace(host.clock, { monotonic_us = function() return now_us end }))
    local quick = new { "a" }
    now_us = 999999
    assert.is_true(quick:is_fresh())
    now_us = 1000000
    assert.is_false(quick:is_fresh())
    now_us = 0
    local slow = new({ "a" }, { on_list = function() now_us = 200000 end })
    now_us = 200000 + 20 * 200000 - 1
    assert.is_true(slow:is_fresh())
    now_us = now_us + 1
    assert.is_false(slow:is_fresh())
  end)

  it("says why there is none", function()
    local broken = { list = function() return nil, "input/output error", "EIO" end }
    assert.are.same({ n = 3, nil, "input/output error", "EIO" },
      table.pack(listing.new(broken, "ready", function() return true end, {})))
  end)
end)
