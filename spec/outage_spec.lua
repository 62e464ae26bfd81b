local outage = require "submitter.outage"

describe("an outage", function()
  local one

  local function fails(id, class)
    return one:note(id, { kind = "retry", class = class or "unavailable", was_tried = true })
  end

  local function works(id)
    return one:note(id, { kind = "done", was_tried = true })
  end

  before_each(function() one = outage.new() end)

  it("is several messages failing in a row for what isn't their fault", function()
    assert.is_nil(fails "a")
    assert.is_false(one.is_on)
    assert.are.equal("began", fails("b", "environment"))
    assert.is_true(one.is_on)
    assert.is_nil(fails "a")
    assert.are.equal(3, one.failures)
    assert.are.equal("ended", works "b")
    assert.are.same({ false, 0 }, { one.is_on, one.failures })
    assert.is_nil(works "a")
  end)

  it("isn't one message, however often it fails, nor several of which some work", function()
    for _ = 1, 10 do fails "a" end
    assert.is_false(one.is_on)
    works "b"
    fails "c"
    works "d"
    fails "e"
    assert.is_false(one.is_on)
  end)

  it("is one message failing while something that all need is known to be away", function()
    assert.is_nil(one:note("a", { kind = "retry", class = "missing", was_tried = true }, true))
    assert.are.equal("began", one:note("a", { kind = "retry", class = "unavailable", was_tried = true }, true))
    assert.is_nil(fails "a")
    assert.is_true(one:explains { kind = "retry", class = "unavailable" })
    assert.are.equal("ended", works "a")
  end)

  it("is ended by whatever needed the bucket, and by nothing else", function()
    fails "a"
    fails "b"
    one:note("c", { kind = "done" })
    one:note("d", { kind = "dead", class = "message" })
    one:note("e", { kind = "lost", class = "lease_lost", was_tried = true })
    assert.is_true(one.is_on)
    assert.are.equal("ended", one:note("f", { kind = "retry", class = "missing", was_tried = true }))
  end)

  it("explains failures of its kind only", function()
    local failure = { kind = "retry", class = "unavailable" }
    assert.is_false(one:explains(failure))
    fails "a"
    fails "b"
    assert.is_true(one:explains(failure))
    for _, class in ipairs { "missing", "internal", "sandbox", "conflict" } do
      assert.is_false(one:explains { kind = "retry", class = class })
    end
    assert.is_false(one:explains { kind = "done" })
    assert.is_false(one:explains { kind = "lost", class = "unavailable" })
  end)

  it("is looked after later and later, up to ten seconds, and from the beginning the next time", function()
    local pauses = {}
    for index = 1, 8 do pauses[index] = one:next_pause_ms() end
    assert.are.same({ 200, 400, 800, 1600, 3200, 6400, 10000, 10000 }, pauses)
    works "a"
    assert.are.equal(200, one:next_pause_ms())
  end)
end)
