local host = require "submitter.host"
local time = require "submitter.time"

describe("the time at which credentials expire", function()
  it("is read as RFC 3339 writes it", function()
    assert.are.equal(0, time.parse "1970-01-01T00:00:00Z")
    assert.are.equal(1795500000, time.parse "2026-11-24T06:00:00Z")
    assert.are.equal(1795500000, time.parse "2026-11-24T06:00:00.987654Z")
    assert.are.equal(1795500000, time.parse "2026-11-24T07:30:00+01:30")
    assert.are.equal(1795500000, time.parse "2026-11-23T22:00:00-0800")
    assert.are.equal(951827696, time.parse "2000-02-29T12:34:56Z")
  end)

  it("is read to the millisecond", function()
    assert.are.equal(1795500000000, time.parse_ms "2026-11-24T06:00:00Z")
    assert.are.equal(1795500000987, time.parse_ms "2026-11-24T06:00:00.987654Z")
    assert.are.equal(1795500000500, time.parse_ms "2026-11-24T07:30:00.5+01:30")
    assert.are.equal(-1, time.parse_ms "1969-12-31T23:59:59.999Z")
    assert.is_nil(time.parse_ms "2026-11-24T06:00:00.Z")
    assert.is_nil(time.parse_ms "soon")
  end)

  it("agrees with the host's clock on days of many years", function()
    for seconds = 0, 4102444800, 86400 * 17 + 12345 do
      assert.are.equal(seconds, time.parse(host.clock.utc(seconds * 1000)))
    end
  end)

  it("isn't what no calendar has", function()
    for _, text in ipairs { "", "tomorrow", "2026-11-24", "2026-11-24T06:00:00", "2026-13-01T00:00:00Z",
      "2026-02-29T00:00:00Z", "2026-11-31T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-24T24:00:00Z",
      "2026-11-24T06:60:00Z", "2026-11-24T06:00:61Z", "2026-11-24T06:00:00+25:00", "2026-11-24T06:00:00Zs" } do
      assert.is_nil(time.parse(text))
    end
    assert.is_nil(time.parse(1795500000))
    assert.is_nil(time.parse(nil))
  end)
end)
