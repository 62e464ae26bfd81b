local skew = require "submitter.aws.skew"

describe("the difference of two clocks", function()
  it("explains a refusal from four minutes on", function()
    for _, sign in ipairs { 1, -1 } do
      local clocks = skew.new()
      assert.is_false(clocks:refused(1000 + sign * 239, 1000, 0))
      assert.are.equal(0, clocks.offset_s)
      assert.is_true(clocks:refused(1000 + sign * 240, 1000, 0))
      assert.are.equal(sign * 240, clocks.offset_s)
      assert.is_false(clocks:refused(1000 + sign * 240, 1000, clocks.offset_s))
    end
  end)

  it("is useful also to who signed before it was known", function()
    local clocks = skew.new()
    assert.is_true(clocks:refused(2000, 1000, 0))
    assert.is_true(clocks:refused(2000, 1000, 0))
    assert.is_false(clocks:refused(2000, 1000, 1000))
  end)

  it("doesn't flap when something on the way writes a Date of its own now and then", function()
    local clocks = skew.new()
    for now_s = 1000, 1100, 2 do
      assert.is_false(clocks:accepted(now_s + 5000, now_s))
      assert.is_false(clocks:accepted(now_s + 1, now_s + 1))
    end
    assert.are.equal(0, clocks.offset_s)
  end)

  it("is believed when two answers after each other agree", function()
    local clocks = skew.new()
    assert.is_false(clocks:accepted(1400, 1000))
    assert.is_false(clocks:accepted(9000, 1010))
    assert.is_false(clocks:accepted(1420, 1020))
    assert.is_true(clocks:accepted(1430, 1030))
    assert.are.equal(400, clocks.offset_s)
    assert.is_false(clocks:accepted(1440, 1040))
  end)
end)
