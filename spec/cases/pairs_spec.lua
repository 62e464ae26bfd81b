local lines = require "submitter.cases.lines"
local pairing = require "submitter.cases.pairs"

describe("pairing.sort", function()
  it("counts as people do", function()
    assert.are.same({ "1", "2", "10", "a", "a1", "a2", "a2b", "a10" },
      pairing.sort { "a10", "10", "a2b", "a1", "2", "a", "1", "a2" })
  end)

  it("has an order for names that count the same", function()
    assert.are.same({ "001", "01", "1" }, pairing.sort { "1", "001", "01" })
    assert.are.same({ "001", "01", "1" }, pairing.sort { "01", "1", "001" })
  end)

  it("takes numbers that no integer holds", function()
    local nines, more = ("9"):rep(40), "1" .. ("0"):rep(40)
    assert.are.same({ nines, more }, pairing.sort { more, nines })
  end)
end)

describe("pairing.read", function()
  it("makes cases of whole files, in order", function()
    local found = assert(pairing.read {
      ["2"] = { ["in"] = "b\n", out = "B\n" },
      ["10"] = { ["in"] = "c", out = "" },
      ["1"] = { ["in"] = "a\r\n", out = "A" },
    })
    assert.are.same({
      { number = 1, name = "1", form = "file", input = "a\r\n", expected = "A" },
      { number = 2, name = "2", form = "file", input = "b\n", expected = "B\n" },
      { number = 3, name = "10", form = "file", input = "c", expected = "" },
    }, found.cases)
    assert.are.equal(64, #found.sha256)
  end)

  it("names a half that is alone", function()
    local found, message, code = pairing.read({ one = { ["in"] = "", out = "" }, two = { out = "" } }, "x/grading/test")
    assert.is_nil(found)
    assert.are.equal("instructor", code)
    assert.matches("x/grading/test/two.out has no two.in", message, 1, true)
    assert.matches("three.in has no three.out", select(2, pairing.read { three = { ["in"] = "" } }), 1, true)
  end)

  it("refuses an empty folder", function()
    local found, message, code = pairing.read({}, "x/grading/test")
    assert.is_nil(found)
    assert.are.equal("instructor", code)
    assert.matches("x/grading/test holds no pair", message, 1, true)
  end)

  it("hashes names, and tells files from lines", function()
    local one = assert(pairing.read { a = { ["in"] = "1", out = "2" } })
    assert.are_not.equal(one.sha256, assert(pairing.read { b = { ["in"] = "1", out = "2" } }).sha256)
    assert.are_not.equal(one.sha256, assert(lines.read("1", "2")).sha256)
  end)
end)

describe("pairing.half", function()
  it("knows the two endings", function()
    assert.are.same({ "a.b", "in" }, { pairing.half "a.b.in" })
    assert.are.same({ "a", "out" }, { pairing.half "a.out" })
    assert.is_nil(pairing.half "a.txt")
    assert.is_nil(pairing.half ".in")
    assert.is_nil(pairing.half "in")
  end)
end)
