local terminal = require "submitter.cli.terminal"

describe("submitter.cli.terminal", function()
  describe("fit", function()
    it("leaves alone what fits", function()
      assert.same({ "seven", 5 }, { terminal.fit("seven", 5) })
      assert.same({ "", 0 }, { terminal.fit("", 3) })
    end)

    it("cuts what doesn't and says so", function()
      assert.same({ "seve…", 5 }, { terminal.fit("sevens", 5) })
      assert.same({ "…", 1 }, { terminal.fit("ab", 1) })
    end)

    it("counts columns, not bytes or characters", function()
      assert.same({ "日本語", 6 }, { terminal.fit("日本語", 6) })
      assert.same({ "日…", 3 }, { terminal.fit("日本語", 4) })
      assert.same({ "ünï", 3 }, { terminal.fit("ünï", 3) })
    end)

    it("lets no control character through", function()
      local shown = terminal.fit("\27[2J\7\0\r\n\127\194\155\255\226\128\174end", 200)
      assert.is_nil(shown:find "[\0-\31\127]")
      assert.is_nil(shown:find("\194\155", 1, true))
      assert.is_nil(shown:find("\226\128\174", 1, true))
      assert.truthy(shown:find("end", 1, true))
    end)

    it("cuts megabytes", function()
      local shown, width = terminal.fit(("x"):rep(5000000), 20)
      assert.equal(("x"):rep(19) .. "…", shown)
      assert.equal(20, width)
    end)
  end)

  describe("table", function()
    local columns = { { title = "name" }, { title = "count", right = true }, { title = "text" } }

    it("aligns wide characters", function()
      assert.same({
        "name    count  text",
        "日本語      1  one",
        "a         100  two",
      }, terminal.table(columns, { { "日本語", "1", "one" }, { "a", "100", "two" } }, { width = 80 }))
    end)

    it("gives the last column what is left", function()
      local lines = terminal.table(columns, { { "a", "1", ("long "):rep(30) } }, { width = 40 })
      assert.equal(40, utf8.len(lines[2]))
      assert.truthy(lines[2]:find "…$")
    end)

    it("cuts a column at its most", function()
      local narrow = { { title = "n", most = 4 }, { title = "m" } }
      local lines = terminal.table(narrow, { { "abcdefgh", "x" } }, { width = 80 })
      assert.equal("abc…  x", lines[2])
    end)

    it("paints only when asked", function()
      local painted = { { title = "v", style = function(value) return value == "AC" and "green" or nil end } }
      assert.same({ "v", "AC" }, terminal.table(painted, { { "AC" } }, { width = 80 }))
      assert.equal("\27[32mAC\27[0m", terminal.table(painted, { { "AC" } }, { width = 80, colour = true })[2])
      assert.equal("WA", terminal.table(painted, { { "WA" } }, { width = 80, colour = true })[2])
    end)
  end)

  it("has a pen that leaves text alone without colour", function()
    assert.equal("x", terminal.pen(false)("red", "x"))
    assert.equal("x", terminal.pen(true)(nil, "x"))
    assert.equal("\27[31mx\27[0m", terminal.pen(true)("red", "x"))
  end)
end)
