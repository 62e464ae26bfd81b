local host = require "submitter.host"
local legible = require "submitter.record.legible"

local null = host.json.null

describe("a text for PostgreSQL", function()
  it("is itself where it can be stored", function()
    for _, text in ipairs {
      "", "a", "1 2\n", "\u{FFFD}", "\u{1F600}", "Robert'); DROP TABLE students;--", "\x01\x7f\r\t",
    } do
      assert.are.equal(text, legible.text(text))
    end
  end)

  it("has NUL as two characters, and what is no UTF-8 as U+FFFD", function()
    assert.are.equal("a\\0b\\0", legible.text "a\0b\0")
    assert.are.equal("\u{FFFD}a\u{FFFD}", legible.text "\xffa\xc3")
    assert.are.equal("\\0\u{FFFD}", legible.text "\0\xff")
    -- Half of a surrogate pair and overlong forms are no characters either.
    assert.is_nil(legible.text("\xed\xa0\x80"):find("\xed", 1, true))
    assert.is_nil(legible.text("\xc0\x80"):find("[\xc0%z]"))
    assert.is_nil(legible.text("\xf4\x90\x80\x80"):find("\xf4", 1, true))
  end)

  it("may be missing", function()
    assert.is_nil(legible.optional(nil))
    assert.is_nil(legible.optional(null))
    assert.is_nil(legible.optional {})
    assert.are.equal("x\\0", legible.optional "x\0")
  end)

  it("is made quickly of ten million bytes", function()
    local before_us = host.clock.cpu_us()
    assert.are.equal(10000000, #legible.text(("x"):rep(10000000)))
    assert.are.equal(20000000, #legible.text(("\0"):rep(10000000)))
    assert.are.equal(30000000, #legible.text(("\xff"):rep(10000000)))
    assert.is_true(host.clock.cpu_us() - before_us < 20000000)
  end)
end)

describe("a name of a key", function()
  it("is itself where it is UTF-8", function()
    for _, name in ipairs { "m.soltys", "ärger", "a b", "..x", "'" } do assert.are.equal(name, legible.name(name)) end
  end)

  it("stays another than any other", function()
    assert.are.equal([[a\xff]], legible.name "a\xff")
    assert.are.equal([[\xfe\xffz\xc3]], legible.name "\xfe\xffz\xc3")
    assert.are.equal([[ä\x80ö]], legible.name "ä\x80ö")
    assert.are_not.equal(legible.name "a\xfe", legible.name "a\xff")
  end)
end)

describe("a figure", function()
  it("is what a column can hold", function()
    assert.are.equal(5, legible.integer(5, 32))
    assert.are.equal(5, legible.integer(5.0, 32))
    assert.are.equal(0x7FFFFFFF, legible.integer(0x7FFFFFFF, 32))
    assert.is_nil(legible.integer(0x80000000, 32))
    assert.is_nil(legible.integer(-0x80000001, 32))
    assert.are.equal(math.maxinteger, legible.integer(math.maxinteger, 64))
    for _, value in ipairs { 5.5, "5", null, {}, 1e300, 0 / 0, math.huge } do
      assert.is_nil(legible.integer(value, 64), tostring(value))
    end
    assert.is_nil(legible.integer(nil, 32))
  end)

  it("is a number that can be counted with", function()
    assert.are.equal(0.5, legible.number(0.5))
    assert.are.equal(1e308, legible.number(1e308))
    for _, value in ipairs { 0 / 0, math.huge, -math.huge, "1", null } do
      assert.is_nil(legible.number(value), tostring(value))
    end
  end)

  it("is a moment", function()
    assert.are.equal("2026-11-24T05:55:34.123Z", legible.moment "2026-11-24T05:55:34.123Z")
    assert.are.equal("2026-11-24T05:55:34.000Z", legible.moment "2026-11-24T06:55:34+01:00")
    for _, value in ipairs { "yesterday", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "infinity", 5, null } do
      assert.is_nil(legible.moment(value), tostring(value))
    end
  end)
end)

describe("a document for jsonb", function()
  it("is the same where it can be", function()
    local document = { a = { 1, 2.5, true, false, null }, b = { c = "ü", d = host.json.array {} }, e = {} }
    assert.are.equal(host.json.encode(document), legible.json(document))
  end)

  it("has nothing in it that jsonb refuses", function()
    local text = legible.json {
      ["na\0me"] = "va\0lue", bytes = "\xff", list = { "\0", { deep = "\0" } }, huge = math.huge, none = 0 / 0,
      number = 1e300, [5] = "no name", action = print,
    }
    assert.is_nil(text:find("\\u0000", 1, true))
    assert.are.same({
      ["na\\0me"] = "va\\0lue", bytes = "\u{FFFD}", list = { "\\0", { deep = "\\0" } }, huge = null, none = null,
      number = 1e300, action = null,
    }, assert(host.json.decode(text)))
  end)

  it("leaves out what it is told to, at the top only", function()
    assert.are.equal('{"a":{"cases":[1]}}', legible.json({ cases = { 1 }, a = { cases = { 1 } } }, { cases = true }))
  end)

  it("has an end, however deep it is", function()
    local deep = {}
    local at = deep
    for _ = 1, 500 do
      at.x = {}
      at = at.x
    end
    assert.is_true(#legible.json(deep) < 1000)
  end)
end)
