local host = require "submitter.host"
local units = require "submitter.units"

describe("units", function()
  describe("milliseconds", function()
    it("reads durations", function()
      local cases = {
        ["250ms"] = 250, ["5s"] = 5000, ["2m"] = 120000, ["1h"] = 3600000, ["1d"] = 86400000, ["1.5s"] = 1500,
        ["1m30s"] = 90000, [" 5 s "] = 5000, ["0s"] = 0, ["0"] = 0, ["0.5ms"] = 1, ["12h"] = 43200000,
      }
      for text, expected in pairs(cases) do
        assert.are.equal(expected, units.milliseconds(text), text)
      end
      assert.are.equal(0, units.milliseconds(0))
      assert.are.equal("integer", math.type(units.milliseconds("1.5s")))
    end)

    it("refuses what isn't one and says what is", function()
      for _, wrong in ipairs { "", " ", "5", "s", "5 parsecs", "-5s", "5s5", "1e3s", "5S", "5s!", "99999999999999d",
        "s5", "1..5s" } do
        local value, message = units.milliseconds(wrong)
        assert.is_nil(value, wrong)
        assert.matches("duration", message)
        assert.is_true(wrong == "" or message:find('found "' .. wrong, 1, true) ~= nil, message)
      end
      assert.matches('"5s" or "5ms"', select(2, units.milliseconds(5)))
      assert.matches("table", select(2, units.milliseconds({})))
    end)
  end)

  describe("bytes", function()
    it("reads sizes in binary multiples", function()
      local cases = {
        ["256M"] = 268435456, ["1G"] = 1 << 30, ["64K"] = 65536, ["1T"] = 1 << 40, ["512B"] = 512, ["512"] = 512,
        ["1.5K"] = 1536, ["64KiB"] = 65536, ["64k"] = 65536, [" 1 M "] = 1 << 20, ["0"] = 0,
      }
      for text, expected in pairs(cases) do
        assert.are.equal(expected, units.bytes(text), text)
      end
      assert.are.equal(4096, units.bytes(4096))
      assert.are.equal(0, units.bytes(0))
      assert.are.equal(1 << 53, units.bytes(1 << 53))
      assert.is_nil(units.bytes((1 << 53) + 1))
      assert.are.equal("integer", math.type(units.bytes(4096.0)))
    end)

    it("refuses what isn't one and says what is", function()
      for _, wrong in ipairs { "", "K", "64KB", "64X", "-1K", "1K2", "64BiB", "9999999999T" } do
        local value, message = units.bytes(wrong)
        assert.is_nil(value, wrong)
        assert.matches("size", message)
        assert.matches('found "' .. wrong, message, 1, true)
      end
      assert.is_nil(units.bytes(-1))
      assert.is_nil(units.bytes(1.5))
      assert.is_nil(units.bytes(nil))
      assert.is_nil(units.bytes(0 / 0))
    end)
  end)

  it("writes sizes as it reads them", function()
    local cases = {
      [0] = "0B", [1] = "1B", [1023] = "1023B", [1024] = "1K", [1126] = "1.1K", [1536] = "1.5K",
      [65536] = "64K", [268435456] = "256M",
      [1 << 30] = "1G", [(1 << 20) - 1] = "1M", [5 << 40] = "5T",
    }
    for bytes, expected in pairs(cases) do
      assert.are.equal(expected, units.format_bytes(bytes))
    end
  end)

  it("writes durations exactly, as it reads them", function()
    local cases = {
      [0] = "0ms", [250] = "250ms", [999] = "999ms", [1000] = "1s", [1500] = "1.5s", [1001] = "1.001s",
      [60000] = "1m", [60001] = "1m0.001s", [90500] = "1m30.5s", [3600000] = "1h",
      [3661000] = "1h1m1s", [86400000] = "1d",
      [100000] = "1m40s", [10000] = "10s",
    }
    for milliseconds, expected in pairs(cases) do
      assert.are.equal(expected, units.format_ms(milliseconds))
      assert.are.equal(milliseconds, units.milliseconds(expected))
    end
  end)

  describe("format_text", function()
    it("keeps a message on one line", function()
      assert.are.equal('"a"', units.format_text("a"))
      assert.are.equal('"a\\x0ab\\x00\\x1b[0m\\x7f"', units.format_text("a\nb\0\27[0m\127"))
      assert.are.equal('"say \\"hi\\" \\\\"', units.format_text('say "hi" \\'))
      assert.are.equal('"grüße"', units.format_text("grüße"))
      assert.are.equal('"\\xff\\xc3"', units.format_text("\xff\xc3"))
    end)

    it("cuts what is long, not through a character", function()
      assert.are.equal('"aaaa…" (10 bytes)', units.format_text(("a"):rep(10), 4))
      assert.are.equal('"aaa…" (11 bytes)', units.format_text("aaaü" .. ("b"):rep(6), 4))
      assert.are.equal('"aaaa"', units.format_text("aaaa", 4))
      assert.are.equal('"' .. ("a"):rep(120) .. '"', units.format_text(("a"):rep(120)))
    end)
  end)
end)

describe("amounts that are megabytes of digits", function()
  it("are refused at once", function()
    local before_us = host.clock.cpu_us()
    for _, read in ipairs { units.milliseconds, units.bytes } do
      for _, text in ipairs { ("1"):rep(1 << 20), ("1"):rep(1 << 20) .. "s", ("1 "):rep(1 << 19) } do
        local value, message = read(text)
        assert.is_nil(value)
        assert.is_true(#message < 300)
      end
    end
    assert.is_true(host.clock.cpu_us() - before_us < 1000000)
  end)
end)
