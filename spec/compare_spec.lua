local compare = require "submitter.compare"
local host = require "submitter.host"

describe("comparisons by name", function()
  it("are these", function()
    assert.are.same({ "exact", "trimmed" }, compare.names())
    assert.is_nil(compare.named "fuzzy")
  end)

  local tables = {
    trimmed = {
      { "6\n", "6", true }, { "6 \t\r\n\n", " 6 ", true }, { "6", "7", false }, { " 6", "6", false },
      { "6\n6", "6 6", false }, { "", "", true },
      { "\n", "", true }, { "", "6", false }, { "6\0", "6", false }, { "6\0\n", "6\0", true },
      { "a b", "a  b", false }, { "\xff\n", "\xff", true },
    },
    exact = {
      { "6\n", "6", true }, { "6\r\n", "6", true }, { "6", "6\n", true }, { "6\n\n", "6", false },
      { "6 \n", "6", false }, { "6", " 6", false },
      { "", "", true }, { "\n", "", true }, { "6\0\n", "6\0", true }, { "6\0", "6", false },
    },
  }
  for name, rows in pairs(tables) do
    for _, row in ipairs(rows) do
      it(("%s: %q against %q"):format(name, row[1], row[2]), function()
        assert.are.equal(row[3], compare.named(name)(row[1], row[2]))
      end)
    end
  end
end)

describe("compare.difference", function()
  it("names the line, what was expected and what came", function()
    assert.are.equal('line 1: expected "6", got "7"', compare.difference("7", "6"))
    assert.are.equal('line 2: expected "two", got "too"', compare.difference("one\ntoo\nthree", "one\ntwo\nthree"))
  end)

  it("says that nothing came", function()
    assert.are.equal("no output", compare.difference("", "6"))
  end)

  it("says where one of the two ends", function()
    assert.are.equal('line 2: expected "b", got nothing', compare.difference("a", "a\nb"))
    assert.are.equal('line 2: expected nothing, got "b"', compare.difference("a\nb", "a"))
    assert.are.equal('line 1: expected "abc", got "ab"', compare.difference("ab", "abc"))
    assert.are.equal('line 2: expected "", got "b"', compare.difference("a\nb", "a\n\nc"))
  end)

  it("escapes what a terminal would obey", function()
    local note = compare.difference("\27[2J", "6")
    assert.is_nil(note:find("\27", 1, true))
    assert.matches([[got "\e[2J"]], note, 1, true)
  end)

  it("quotes long lines around the place in question", function()
    local left, right = ("x"):rep(1000), ("y"):rep(1000)
    local note = compare.difference(left .. "A" .. right, left .. "B" .. right)
    assert.is_true(#note < 250)
    assert.matches("xB", note, 1, true)
    assert.matches("xA", note, 1, true)
    assert.matches("…", note, 1, true)
  end)

  it("is quick about megabytes", function()
    local left, right = ("line\n"):rep(400000) .. "a", ("line\n"):rep(400000) .. "b"
    assert.are.equal('line 400001: expected "b", got "a"', compare.difference(left, right))
    left = ("x"):rep(10 << 20)
    local before_us = host.clock.cpu_us()
    assert.matches('^line 1: expected …"x+b", got …"x+a"$', compare.difference(left .. "a", left .. "b"))
    assert.is_true(host.clock.cpu_us() - before_us < 2000000)
  end)
end)
