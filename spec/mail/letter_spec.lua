local host = require "submitter.host"
local letter = require "submitter.mail.letter"

local null = host.json.null

local function result(changes)
  local made = {
    event = "fall", assignment = "sum", mode = "test", verdict = "WA", reason = "case 2: wrong answer", passed = 1,
    total = 2, points = 1, max_points = 2.5, attempt = 3, run = 4, submitted_at = "2026-11-24T05:55:34.123Z",
    finished_at = "2026-11-24T05:56:00.000Z", cases = {
      { number = 1, verdict = "AC", pass = true, input = "1 1", expected = "2", actual = "2" },
      { number = 2, verdict = "WA", pass = false, input = "1 2", expected = "3", actual = "4\n\27[2J", note = null },
    },
  }
  for name, value in pairs(changes or {}) do made[name] = value end
  return made
end

describe("what a mail says", function()
  it("is the outcome, in short", function()
    assert.are.equal("[fall/sum] WA 1 of 2", letter.subject(result()))
    assert.are.equal("[fall/sum] AC 2 of 2 (final)",
      letter.subject(result { mode = "grade", verdict = "AC", passed = 2 }))
    assert.are.equal("[fall/sum] rejected", letter.subject(result { verdict = "REJ", total = 0, passed = 0 }))
  end)

  it("is figures, times and the cases that failed", function()
    assert.are.equal([[
Your submission for sum (fall) was graded. This is feedback on the test cases.

  Verdict    WA (wrong answer)
  Reason     case 2: wrong answer
  Passed     1 of 2 cases
  Points     1 of 2.5
  Attempt    3
  Handed in  2026-11-24 05:55:34 UTC
  Graded     2026-11-24 05:56:00 UTC

Case 2: WA (wrong answer)
  input     1 2
  expected  3
  actual    4\n\e[2J

The table is attached.
]], letter.text(result(), "The table is attached."))
  end)

  it("leaves out what students may not see, and what isn't there", function()
    local hidden = result { reason = null, cases = {
      { number = 1, verdict = "RTE", pass = false, input = null, expected = null, actual = null },
    } }
    local text = letter.text(hidden)
    assert.is_truthy(text:find("Case 1: RTE (run-time error)\n", 1, true))
    assert.is_nil(text:find "input")
    assert.is_nil(text:find "Reason")
    local figures = result()
    figures.cases, figures.reason = nil, nil
    assert.is_nil(letter.text(figures):find "Case")
  end)

  it("is short, however much failed and however long it is", function()
    local cases = {}
    for number = 1, 20000 do
      cases[number] = { number = number, verdict = "WA", pass = false, input = ("ü"):rep(1000), expected = "1",
        actual = "2" }
    end
    local text = letter.text(result { cases = cases, reason = ("x"):rep(100000) })
    assert.is_true(#text < 8000)
    assert.is_truthy(text:find("… and 19995 more that failed.", 1, true))
    assert.is_truthy(utf8.len(text))
  end)

  it("takes any names", function()
    local text = letter.text(result { assignment = "a\r\nBcc: x", event = "\xff" })
    assert.is_truthy(text:find("a\\r\\nBcc: x", 1, true))
    assert.is_truthy(utf8.len(text))
  end)
end)
