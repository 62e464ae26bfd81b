local retry = require "submitter.aws.retry"

local function half() return 0.5 end
local function most() return 1 end

describe("when a request is tried again", function()
  it("waits for a random part of twice as long each time, 20 seconds at most", function()
    local delays = {}
    for retries = 0, 6 do delays[#delays + 1] = retry.delay_ms(retries, most, nil, 0) end
    assert.are.same({ 1000, 2000, 4000, 8000, 16000, 20000, 20000 }, delays)
    assert.are.equal(500, retry.delay_ms(0, half, nil, 0))
    assert.are.equal(0, retry.delay_ms(3, function() return 0 end, nil, 0))
    assert.are.equal(20000, retry.delay_ms(1000000, most, nil, 0))
  end)

  it("waits longer when the answer asks for it, within bounds", function()
    local function delay(name, value)
      local delay_ms = retry.delay_ms(0, half, { headers = { { name, value } } }, 1700000000)
      assert.are.equal("integer", math.type(delay_ms))
      return delay_ms
    end
    assert.are.equal(1500, delay("x-amz-retry-after", "1500"))
    assert.are.equal(5500, delay("x-amz-retry-after", "600000"))
    assert.are.equal(500, delay("x-amz-retry-after", "3"))
    assert.are.equal(500, delay("x-amz-retry-after", "soon"))
    assert.are.equal(3000, delay("retry-after", "3"))
    assert.are.equal(20500, delay("retry-after", "86400"))
    assert.are.equal(20500, delay("retry-after", ("9"):rep(400)))
    assert.are.equal(7000, delay("retry-after", "Tue, 14 Nov 2023 22:13:27 GMT"))
    assert.are.equal(500, delay("retry-after", "Tue, 14 Nov 2022 22:13:27 GMT"))
    assert.are.equal(500, delay("retry-after", "-5"))
  end)

  it("never gives back more than there was", function()
    local quota = retry.quota()
    quota:release()
    quota:release(10)
    assert.are.equal(500, quota.left)
    assert.is_true(quota:acquire(500))
    assert.is_false(quota:acquire(1))
    assert.are.equal(0, quota.left)
    quota:release(nil)
    assert.are.equal(1, quota.left)
  end)
end)
