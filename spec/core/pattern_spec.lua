local pattern = require "submitter.core.pattern"

local PLENTY = 1000000000

--- What a function returns, packed, or its error without the place in front.
local function outcome(body, ...)
  local results = table.pack(pcall(body, ...))
  if not results[1] then return { error = tostring(results[2]):gsub("^.-:%d+: ", "") } end
  return results
end

local function same(name, ...)
  local ours, theirs = outcome(pattern[name], ...), outcome(string[name], ...)
  assert.same(theirs.error ~= nil, ours.error ~= nil)
  if not theirs.error then assert.same(theirs, ours) end
end

describe("core.pattern", function()
  before_each(function() pattern.budget(PLENTY) end)

  local subjects = { "", "a", "hello world", "key = value", "  trim me \n", "THE (quick) fox", "a.b.c",
    "2026-11-24", "[[x]]",
    "aXbXc", "f(a(b)c)d", "\0a\0", "%d%%", "ä€", ("ab"):rep(50), "x=1, y=22,z=333", "foo.lua:12: message", "]-^" }
  local patterns = { "", "a", ".", ".*", ".-", "^.*$", "^%s*(.-)%s*$", "(%w+)%s*=%s*(%w+)", "%d+",
    "(%d+)-(%d+)-(%d+)", "%b()",
    "%f[%w]%w+", "[%a_][%w_]*", "[^,]+", "[]]", "[^]]", "[a-c]", "[%-^]", "[a%-c]", "()", "(a)(b)?", "(.)%1",
      "a?b?c?", "x*", "^",
    "$", "^a", "a$", "%%", "%.", "(()())", "[%s%d]+", "%z", "(.-)%f[%W]", ".-b", "[a-]", "[-a]", "%x+", "(%a)(%a)",
      "[^%w]+$" }

  it("finds, matches and iterates as string does", function()
    for _, subject in ipairs(subjects) do
      for _, one in ipairs(patterns) do
        same("find", subject, one)
        same("match", subject, one)
        for first = -3, 4 do
          same("find", subject, one, first)
          same("match", subject, one, first)
          same("find", subject, one, first, true)
        end
        local ours, theirs = {}, {}
        for a, b, c in pattern.gmatch(subject, one) do ours[#ours + 1] = { a, b, c } end
        for a, b, c in string.gmatch(subject, one) do theirs[#theirs + 1] = { a, b, c } end
        assert.same(theirs, ours)
      end
    end
  end)

  it("substitutes as string does", function()
    local replacements = { "", "x", "<%0>", "%1", "%%", "%2", 7, function(found) return found .. "!" end,
      function() return nil end, function() return false end, { a = "A", hello = 1 }, function() return {} end,
        "%", "%x" }
    for _, subject in ipairs(subjects) do
      for _, one in ipairs(patterns) do
        for _, replacement in ipairs(replacements) do
          same("gsub", subject, one, replacement)
          same("gsub", subject, one, replacement, 1)
          same("gsub", subject, one, replacement, 0)
        end
      end
    end
  end)

  it("refuses the same patterns", function()
    for _, one in ipairs { "%", "[", "[a", "[^", "[%", "[%]", "(", "(a", ")", "a)", "%b", "%b(", "%f", "%fa", "%1",
      "(%1)", "(a)%2",
      ("("):rep(33) .. ("x)"):rep(33), "%9", "[]", "[^]", "[a-", "((a)" } do
      same("find", "aaa", one)
      same("gsub", "aaa", one, "")
    end
    same("find", ("a"):rep(300), ("a?"):rep(300) .. "b")
    assert.has_error(function() pattern.find(nil, "a") end)
    assert.has_error(function() pattern.gsub("a", "a") end)
  end)

  it("agrees on generated patterns", function()
    local pieces = { "a", "b", ".", "%w", "[ab]", "[^a]", "(", ")", "*", "+", "-", "?", "%b()", "%f[b]", "%1", "^",
      "$", "()" }
    local letters = { "a", "b", "c", "(", ")", " " }
    math.randomseed(2)
    for _ = 1, 20000 do
      local one, subject = {}, {}
      for index = 1, math.random(1, 7) do one[index] = pieces[math.random(#pieces)] end
      for index = 1, math.random(0, 12) do subject[index] = letters[math.random(#letters)] end
      one, subject = table.concat(one), table.concat(subject)
      same("find", subject, one)
      same("gsub", subject, one, "<%0>")
    end
  end)

  it("ends what would take hours", function()
    local text = ("a"):rep(1000)
    for _, one in ipairs { ".-.-.-.-b", ".*.*.*.*b", "(.-)(.-)(.-)%1%2b", ("a*"):rep(20) .. "b",
      "%f[b]" .. (".-"):rep(9) .. "b" } do
      pattern.budget(5000000)
      local good, message = pcall(pattern.find, text, one)
      if good then -- a frontier fails at once
        assert.is_nil(message)
      else
        assert.matches("takes more steps", message)
      end
    end
    pattern.budget(1000)
    assert.has_error(function() pattern.find(("("):rep(5000), "%b()") end)
    pattern.budget(1000)
    assert.has_error(function() for _ in pattern.gmatch(text, "a") do end for _ in pattern.gmatch(text,
      "a") do end end)
  end)

  it("has one account for all calls", function()
    pattern.budget(100)
    pattern.find("aaaa", "a+")
    assert.has_error(function() for _ = 1, 100 do pattern.find("aaaa", "a+") end end)
    pattern.budget(0)
    assert.has_error(function() pattern.find("a", "a+") end)
    assert.same(1, (pattern.find("a", "a", 1, true)))
  end)
end)
