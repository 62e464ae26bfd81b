local core = require "core.support"
local host = require "submitter.host"
local support = require "support"

local text = host.text
local replacement = "\u{FFFD}"

describe("core.text", function()
  after_each(support.clean)

  describe("words", function()
    local cases = {
      { "", {} },
      { "  \t \n ", {} },
      { "1 2 3", { "1", "2", "3" } },
      { "  1\t2\n3  ", { "1", "2", "3" } },
      { "''", { "" } },
      { '""', { "" } },
      { "'' \"\" x", { "", "", "x" } },
      { "a''b\"\"c", { "abc" } },
      { "'a b'  c", { "a b", "c" } },
      { [['a\b"c']], { [[a\b"c]] } },
      { [["a b\"c\\d\$e\`f"]], { [[a b"c\d$e`f]] } },
      { [["\a\ \'"]], { [[\a\ \']] } },
      { '"a\\\nb"', { "ab" } },
      { "a\\\nb", { "ab" } },
      { "a \\\n b", { "a", "b" } },
      { "\\\n", {} },
      { [[a\ b\\c\'\"]], { [[a b\c'"]] } },
      { [[\a]], { "a" } },
      { [[a\]], { [[a\]] } },
      { [[\]], { [[\]] } },
      { "'a\nb'", { "a\nb" } },
      { '"a\nb"', { "a\nb" } },
      { [['it'\''s']], { "it's" } },
      { "$HOME `id` *.py ~ #x ; | & < > ( ) ! {a,b} a=b", { "$HOME", "`id`", "*.py", "~", "#x", ";", "|", "&", "<", ">",
        "(", ")", "!", "{a,b}", "a=b" } },
      { "a;b|c", { "a;b|c" } },
      { "a\r b\v\fc", { "a\r", "b\v\fc" } },
      { "é \u{3000} \xff\xfe", { "é", "\u{3000}", "\xff\xfe" } },
    }
    for _, case in ipairs(cases) do
      it(("splits %q"):format(case[1]), function()
        assert.are.same(case[2], text.words(case[1]))
      end)
    end

    it("tells where a quote began that isn't ended", function()
      assert.are.same({ nil, "the quote ' at character 3 is not ended", "quote" }, { text.words("a 'b") })
      assert.are.same({ nil, 'the quote " at character 1 is not ended', "quote" }, { text.words([["a\"]]) })
      assert.are.same({ nil, "the quote ' at character 4 is not ended", "quote" }, { text.words("'a''") })
      assert.are.same("quote", (select(3, text.words('"'))))
      assert.are.same("quote", (select(3, text.words('"a\\'))))
    end)

    it("tells where a NUL is", function()
      local result, message, code = text.words("ab\0")
      assert.is_nil(result)
      assert.matches("character 3", message)
      assert.are.equal("nul", code)
      assert.are.equal("nul", (select(3, text.words("'\0"))))
    end)

    it("splits as /bin/sh does", function()
      local tokens = { "a", "bc", " ", "  ", "\t", "\\\\", "\\'", '\\"', "\\$", "\\`", "\\ ", "\\a", "\\\n", "''", '""',
        "é", "=" }
      local within_single = { "x", " ", "\n", '"', "\\", "$y", "`", "\\'" }
      local within_double = { "x", " ", "\n", "'", "\\\\", "\\$", "\\`", '\\"', "\\x", "\\\n", "#", "*" }
      math.randomseed(20261124)
      local function pick(list) return list[math.random(#list)] end
      local lines, script = {}, {}
      for number = 1, 2000 do
        local parts = {}
        for _ = 1, math.random(0, 8) do
          local kind = math.random(5)
          if kind == 1 then
            parts[#parts + 1] = "'" .. pick(within_single):gsub("'", "") .. pick(within_single):gsub("'", "") .. "'"
          elseif kind == 2 then
            parts[#parts + 1] = '"' .. pick(within_double) .. pick(within_double) .. '"'
          else
            parts[#parts + 1] = pick(tokens)
          end
        end
        lines[number] = table.concat(parts)
        script[number] = "set -- " .. lines[number] .. "\nfor w do printf '%s\\0' \"$w\"; done; printf '\\1'\n"
      end
      local directory = support.directory()
      assert(directory:write("script", table.concat(script)))
      local result = assert(host.child.run { program = "/bin/sh", arguments = { directory:path() .. "/script" } })
      assert.are.equal("", result.stderr)
      local number = 0
      for record in result.stdout:gmatch("([^\1]*)\1") do
        number = number + 1
        local expected = {}
        for word in record:gmatch("([^\0]*)\0") do expected[#expected + 1] = word end
        assert.are.same(expected, text.words(lines[number]), ("%q"):format(lines[number]))
      end
      assert.are.equal(2000, number)
    end)

    it("takes time in proportion", function()
      local line = ("'a b' \\c \"d\" "):rep(200000)
      local before = host.clock.cpu_us()
      assert.are.equal(600000, #text.words(line))
      assert.is_true(core.sanitized() or host.clock.cpu_us() - before < 3000000)
    end)

    it("refuses misuse", function()
      assert.error_matches(function() text.words() end, "string expected")
    end)
  end)

  describe("repair", function()
    -- Unicode 15, chapter 3.9, tables 3-8 to 3-11; R is U+FFFD.
    local cases = {
      { "\xC0\xAF\xE0\x80\xBF\xF0\x81\x82A", "RRRRRRRRA" },
      { "\xED\xA0\x80\xED\xBF\xBF\xED\xAFA", "RRRRRRRRA" },
      { "\xF4\x91\x92\x93\xFFA\x80\xBFB", "RRRRRARRB" },
      { "\xE1\x80\xE2\xF0\x91\x92\xF1\xBFA", "RRRRA" },
      { "a\xF1\x80\x80\xE1\x80\xC2b\x80c\x80\xBFd", "aRRRbRcRRd" }, -- table 3-8 of older versions
      { "\x80", "R" }, { "\xC1", "R" }, { "\xC2", "R" }, { "\xE0\xA0", "R" }, { "\xE0\x9F\x80", "RRR" },
      { "\xF0\x90\x80", "R" }, { "\xF0\x8F", "RR" }, { "\xF4\x90", "RR" }, { "\xF5\x80", "RR" }, { "\xFE\xFF", "RR" },
    }
    for _, case in ipairs(cases) do
      it(("replaces maximal subparts of %q"):format(case[1]), function()
        local expected, count = case[2]:gsub("R", replacement)
        assert.are.same({ expected, count }, { text.repair(case[1]) })
      end)
    end

    it("leaves what is valid alone", function()
      for _, valid in ipairs { "", "abc", "\0", "é", "\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10000}\u{10FFFF}",
        replacement } do
        assert.are.same({ valid, 0 }, { text.repair(valid) })
      end
    end)

    it("agrees with utf8.len on random bytes, and always ends valid", function()
      math.randomseed(7)
      for _ = 1, 3000 do
        local bytes = {}
        for index = 1, math.random(0, 12) do
          bytes[index] = string.char(({ 0x41, 0x80, 0xBF, 0xC2, 0xE0, 0xA0, 0xED, 0xF0, 0x90, 0xF4, 0x8F,
            0xFF })[math.random(12)])
        end
        local given = table.concat(bytes)
        local repaired, count = text.repair(given)
        assert.is_truthy(utf8.len(repaired))
        assert.are.equal(utf8.len(given) ~= nil, count == 0)
        assert.are.same({ repaired, 0 }, { text.repair(repaired) })
      end
    end)
  end)

  describe("csv_row", function()
    it("writes RFC 4180", function()
      assert.are.equal("a,b,c\r\n", text.csv_row { "a", "b", "c" })
      assert.are.equal("\r\n", text.csv_row {})
      assert.are.equal("\"a,b\",\"say \"\"hi\"\"\",\"x\ny\",\"x\ry\",\"\"\"\"\r\n",
        text.csv_row { "a,b", 'say "hi"', "x\ny", "x\ry", '"' })
      assert.are.equal(" a ,,=1+1,\0\r\n", text.csv_row { " a ", "", "=1+1", "\0" })
      assert.are.equal("1,2.5\r\n", text.csv_row { 1, 2.5 })
      assert.are.equal("\"\0,\"\r\n", text.csv_row { "\0," })
    end)

    it("refuses what is no text", function()
      assert.error_matches(function() text.csv_row { "a", true } end, "field 2 is a string or a number, not a boolean")
      assert.error_matches(function() text.csv_row "a" end, "table expected")
    end)
  end)

  describe("trimming", function()
    local space = " \t\n\v\f\r"
    it("takes the six white space characters, and no other", function()
      assert.are.equal("a b", text.trim(space .. "a b" .. space))
      assert.are.equal(space .. "a b", text.trim_end(space .. "a b" .. space))
      assert.are.equal("", text.trim(space))
      assert.are.equal("", text.trim_end(space))
      assert.are.equal("", text.trim(""))
      assert.are.equal("\0a\0", text.trim(" \0a\0 "))
      assert.are.equal("\u{A0}a\u{85}", text.trim("\u{A0}a\u{85}"))
      assert.are.equal("a", text.trim("a"))
      for byte = 0, 255 do
        local char = string.char(byte)
        assert.are.equal(space:find(char, 1, true) and "" or char, text.trim(char))
        assert.are.equal(space:find(char, 1, true) and "" or char, text.trim_end(char))
      end
    end)

    it("decides equal_trimmed", function()
      for _, case in ipairs {
        { "42\n", "42", true }, { "42", " 42 \r", true }, { " 42", "42", false }, { " 42", " 42", false }, { "", "",
          true },
        { "\n", "", true }, { "", " \n", true }, { "42", "43", false }, { "4", "42", false }, { "42", "4", false },
        { "a\0", "a", false }, { "a", "a\0", false }, { "a\0b\n", "a\0b", true }, { "a\0c", "a\0b", false },
        { "a  b", "a b", false }, { "a\nb\n\n", "a\nb", true },
      } do
        assert.are.equal(case[3], text.equal_trimmed(case[1], case[2]), ("%q %q"):format(case[1], case[2]))
      end
    end)

    it("equals trimming both", function()
      math.randomseed(3)
      local function random()
        local parts = {}
        for index = 1, math.random(0, 4) do parts[index] = ({ " ", "\n", "a", "\0" })[math.random(4)] end
        return table.concat(parts)
      end
      for _ = 1, 2000 do
        local actual, expected = random(), random()
        assert.are.equal(text.trim_end(actual) == text.trim(expected), text.equal_trimmed(actual, expected))
      end
    end)
  end)

  describe("escape", function()
    it("shows what a terminal would obey", function()
      assert.are.equal([[a\tb\nc\rd\e[31m\0\a\b\x7f\x01\x0b]], text.escape("a\tb\nc\rd\27[31m\0\a\b\127\1\v"))
      assert.are.equal([[\x9b31m\x85]], text.escape("\u{9b}31m\u{85}"))
      assert.are.equal([[\x9b\xff\xc3]], text.escape("\x9b\xff\xc3"))
      assert.are.equal([[\u{202e}\u{2066}\u{200f}\u{061c}\u{feff}\u{200b}]],
        text.escape("\u{202e}\u{2066}\u{200f}\u{61c}\u{feff}\u{200b}"))
      assert.are.equal("héllo \u{1F600}", text.escape("héllo \u{1F600}"))
    end)

    it("keeps newlines when asked, and nothing else", function()
      assert.are.equal("a\nb\\rc", text.escape("a\nb\rc", { keep_newlines = true }))
      assert.are.equal([[a\nb]], text.escape("a\nb", { keep_newlines = false }))
    end)

    it("never lets a control character through", function()
      for code = 0, 0x2100 do
        local shown = text.escape(utf8.char(code))
        if code < 32 or code >= 127 and code < 160 then assert.is_nil(shown:find("[%c\xC2]"), code) end
      end
    end)

    it("refuses unknown options", function()
      assert.error_matches(function() text.escape("x", { newlines = true }) end,
        'text.escape: unknown option "newlines"')
      assert.error_matches(function() text.escape("x", { keep_newlines = 1 }) end, "keep_newlines is true or false")
      assert.error_matches(function() text.escape("x", true) end, "options are a table, not a boolean")
    end)
  end)

  it("measures columns", function()
    assert.are.equal(0, text.width(""))
    assert.are.equal(3, text.width("abc"))
    assert.are.equal(5, text.width("héllo"))
    assert.are.equal(4, text.width("日本"))
    assert.are.equal(1, text.width("e\u{301}"))
    assert.are.equal(2, text.width("\xff\1"))
  end)
end)
