local lines = require "submitter.cases.lines"

describe("lines.split", function()
  local function split(text) return table.concat(lines.split(text), "|") end

  it("takes both kinds of line ends", function()
    assert.are.equal("a|b|c", split "a\nb\r\nc")
  end)

  it("makes no line of the end of the last one", function()
    assert.are.same({ "a" }, lines.split "a\n")
    assert.are.same({ "a" }, lines.split "a\r\n")
    assert.are.same({ "a" }, lines.split "a")
    assert.are.same({}, lines.split "")
  end)

  it("keeps empty lines in between, also at the end", function()
    assert.are.same({ "a", "", "b" }, lines.split "a\n\nb\n")
    assert.are.same({ "a", "" }, lines.split "a\n\n")
    assert.are.same({ "", "a" }, lines.split "\r\na")
    assert.are.same({ "" }, lines.split "\n")
  end)

  it("removes nothing but the end of a line", function()
    assert.are.same({ " a\t", "b\r", "\rc" }, lines.split " a\t\nb\r\r\n\rc\n")
  end)

  it("keeps a carriage return that ends no line", function()
    assert.are.same({ "a\r" }, lines.split "a\r")
  end)

  it("takes ten megabytes in one line", function()
    local long = ("x"):rep(10 * 1024 * 1024)
    local list = lines.split(long .. "\n1\n")
    assert.are.equal(2, #list)
    assert.are.equal(#long, #list[1])
  end)

  it("takes twenty thousand lines", function()
    assert.are.equal(20000, #lines.split(("1 2 3\n"):rep(20000)))
  end)
end)

describe("lines.read", function()
  it("pairs lines in order", function()
    local found = assert(lines.read("1 2\n\n3\n", "3\n0\n3\n"))
    assert.are.same({
      { number = 1, input = "1 2", expected = "3", form = "line" },
      { number = 2, input = "", expected = "0", form = "line" },
      { number = 3, input = "3", expected = "3", form = "line" },
    }, found.cases)
  end)

  it("names both numbers and both files when they differ", function()
    local found, message, code = lines.read("1\n2\n3\n", "1\n", { input = "x/test.in", expected = "x/test.out" })
    assert.is_nil(found)
    assert.are.equal("instructor", code)
    assert.matches("x/test.in has 3 lines and x/test.out has 1", message, 1, true)
  end)

  it("has no byte order mark in its first case", function()
    local mark = "\xEF\xBB\xBF"
    local plain = assert(lines.read("1\n2\n", "a\nb\n"))
    assert.are.same(plain, assert(lines.read(mark .. "1\r\n2", mark .. "a\nb")))
    assert.are.equal("2" .. mark, assert(lines.read("1\n2" .. mark, "a\nb")).cases[2].input)
    assert.are.equal("instructor", select(3, lines.read(mark, mark)))
    assert.are.equal(1, #assert(lines.read(mark .. "\n", "\n")).cases)
  end)

  it("refuses what is more than anybody meant", function()
    assert.are.equal(100000, #assert(lines.read(("\n"):rep(100000), ("\n"):rep(100000))).cases)
    local names = { input = "x/test.in", expected = "x/test.out" }
    local found, message, code = lines.read(("\n"):rep(1 << 26), "1\n", names)
    assert.is_nil(found)
    assert.are.equal("instructor", code)
    assert.matches("x/test.in has more than 100000 lines", message, 1, true)
    assert.matches("x/test.out has more than", select(2, lines.read("1\n", ("\n"):rep(100001),
      { input = "x/test.in", expected = "x/test.out" })), 1, true)
  end)

  it("refuses no cases at all", function()
    local found, message, code = lines.read("", "", { input = "x/test.in", expected = "x/test.out" })
    assert.is_nil(found)
    assert.are.equal("instructor", code)
    assert.matches("x/test.in and x/test.out are empty", message, 1, true)
  end)

  it("hashes content, not line ends", function()
    local unix = assert(lines.read("1\n2\n", "a\nb\n"))
    assert.are.equal(64, #unix.sha256)
    assert.are.equal(unix.sha256, assert(lines.read("1\r\n2", "a\nb")).sha256)
    assert.are_not.equal(unix.sha256, assert(lines.read("1\n2\n", "a\nc\n")).sha256)
    -- The same bytes, divided otherwise.
    assert.are_not.equal(assert(lines.read("ab\nc\n", "d\ne\n")).sha256, assert(lines.read("a\nbc\n", "d\ne\n")).sha256)
    assert.are_not.equal(assert(lines.read("ab\n", "c\n")).sha256, assert(lines.read("a\n", "bc\n")).sha256)
  end)
end)

describe("lines.write", function()
  local function case(number, input, expected)
    return { number = number, input = input, expected = expected, form = "line" }
  end

  it("writes what lines.read reads", function()
    local list = { case(1, "", ""), case(2, "1 2 ", "3"), case(3, "\r\t\0\xff", ""), case(4, "x", "\xEF\xBB\xBF"),
      case(5, "", "") }
    local input_text, expected_text = lines.write(list)
    assert.are.equal("\n1 2 \n\r\t\0\xff\nx\n\n", input_text)
    assert.are.same(list, assert(lines.read(input_text, expected_text)).cases)
    assert.are.same({ "\n", "a\n" }, { lines.write { case(1, "", "a") } })
  end)

  it("can't write what isn't a line, and says which case", function()
    for _, row in ipairs {
      { case(4, "a\nb", "c"), "case 4: its input has a line break" },
      { case(4, "a", "c\n"), "case 4: what is expected has a line break" },
      { case(4, "a\r", "c"),
        "case 4: its input ends in a carriage return, which would count as part of the line's end" },
    } do
      local input_text, message = lines.write { case(1, "1", "2"), row[1] }
      assert.is_nil(input_text)
      assert.are.equal(row[2], message)
    end
    assert.are.equal("case 1: what is expected begins with a byte order mark",
      select(2, lines.write { case(1, "1", "\xEF\xBB\xBF2") }))
  end)
end)
