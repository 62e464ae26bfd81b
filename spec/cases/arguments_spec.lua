local arguments = require "submitter.cases.arguments"

local function of(input, form, case_form)
  return arguments.of({ number = 4, input = input, expected = "", form = case_form or "line" }, form)
end

describe("what a case gives the program", function()
  it("is the words of the line", function()
    assert.are.same({ arguments = { "1", "two words", "$HOME", "*" } }, of([[1  "two words" $HOME *]], "words"))
  end)

  it("is the whole line", function()
    assert.are.same({ arguments = { [[1 "two]] } }, of([[1 "two]], "line"))
  end)

  it("is a line of standard input", function()
    assert.are.same({ arguments = {}, stdin = "1 2\n" }, of("1 2", "stdin"))
    assert.are.same({ arguments = {}, stdin = "\n" }, of("", "stdin"))
  end)

  it("is nothing where the line is empty", function()
    assert.are.same({ arguments = {} }, of("", "words"))
    assert.are.same({ arguments = {} }, of("", "line"))
  end)

  it("is a whole file on standard input, whatever lines become", function()
    for _, form in ipairs { "words", "line", "stdin" } do
      assert.are.same({ arguments = {}, stdin = "1 2\r\n'" }, of("1 2\r\n'", form, "file"))
    end
  end)

  it("can't be an unended quote: the case is named", function()
    local given, message = of([[it's]], "words")
    assert.is_nil(given)
    assert.matches("^case 4: ", message)
  end)

  it("can't be an argument that Linux refuses", function()
    assert.are.equal(131071, #assert(of(("x"):rep(131071), "words")).arguments[1])
    for _, form in ipairs { "words", "line" } do
      local given, message = of(("x"):rep(131072), form)
      assert.is_nil(given)
      assert.matches("case 4: an argument of 131072 bytes is longer than the 131071", message, 1, true)
      assert.matches('input = "stdin"', message, 1, true)
    end
    assert(of(("x"):rep(131072), "stdin"))
  end)

  it("can't hold a NUL byte", function()
    for _, form in ipairs { "words", "line" } do
      local given, message = of("a\0b", form)
      assert.is_nil(given)
      assert.matches("^case 4: ", message)
      assert.matches("NUL", message, 1, true)
    end
    assert.are.equal("a\0b\n", assert(of("a\0b", "stdin")).stdin)
  end)

  it("can't be more than fits together", function()
    local word = ("x"):rep(31) .. " "
    assert(of(word:rep(39000), "words"))
    local given, message = of(word:rep(40000), "words")
    assert.is_nil(given)
    assert.matches("case 4: its 40000 arguments take 1600000 bytes", message, 1, true)
    assert.matches('input = "stdin"', message, 1, true)
  end)

  it("can't be more than a sandbox hands over", function()
    assert(of(("x "):rep(65536), "words"))
    local given, message = of(("x "):rep(65537), "words")
    assert.is_nil(given)
    assert.matches("case 4: the line is 65537 arguments, more than the 65536", message, 1, true)
    assert.matches('input = "stdin"', message, 1, true)
    local most = 64 << 20
    assert(of(("x"):rep(most - 1), "stdin"))
    given, message = of(("x"):rep(most), "stdin")
    assert.is_nil(given)
    assert.matches("case 4: 67108865 bytes are more than the 67108864", message, 1, true)
  end)
end)
