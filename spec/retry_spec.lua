local retry = require "submitter.retry"

local function none() return 0 end
local function all() return 1 end

describe("the delay before the next try", function()
  it("doubles, up to five minutes", function()
    assert.are.equal(1000, retry.delay_ms(0, 1000, none))
    assert.are.equal(2000, retry.delay_ms(1, 1000, none))
    assert.are.equal(16000, retry.delay_ms(4, 1000, none))
    assert.are.equal(300000, retry.delay_ms(9, 1000, none))
    assert.are.equal(300000, retry.delay_ms(1000000, 1000, none))
    assert.are.equal(300000, retry.delay_ms(62, 10, none))
  end)

  it("is up to a tenth longer", function()
    assert.are.equal(2200, retry.delay_ms(1, 1000, all))
    for _ = 1, 100 do
      local delay_ms = retry.delay_ms(0, 1000)
      assert.is_true(delay_ms >= 1000 and delay_ms <= 1100)
    end
  end)
end)
