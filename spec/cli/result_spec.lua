local host = require "submitter.host"
local result = require "submitter.cli.result"

local function case(number, fields)
  local made = {
    number = number, input = "1 2", expected = "3", actual = "3\n", actual_truncated = false, pass = true,
    verdict = "AC", exit_code = 0, signal = host.json.null,
    cpu_ms = 12, wall_ms = 15, memory_bytes = 9 << 20, output_truncated = false,
    stderr = "", note = host.json.null, points = 1,
  }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

local function document(verdict, cases, fields)
  local passed = 0
  for _, one in ipairs(cases) do passed = passed + (one.pass and 1 or 0) end
  local made = {
    verdict = verdict, reason = host.json.null, passed = passed, total = #cases, points = passed, max_points = #cases,
    cases = cases,
  }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

local function shown(made, options)
  return table.concat(result.lines(made, options or { width = 80 }), "\n")
end

describe("submitter.cli.result", function()
  it("ends with totals and verdict", function()
    local text = shown(document("AC", { case(1), case(2) }))
    assert.equal("AC: all passed · 2 of 2 cases passed · 2 of 2 points", text:match "[^\n]*$")
  end)

  it("shows what was expected and what came, as they were compared", function()
    local text = shown(document("WA", {
      case(1), case(2, { pass = false, verdict = "WA", expected = " 3\r", actual = "4  \n", points = 0 }),
    }))
    assert.truthy(text:find("\n  case 2  WA\n", 1, true))
    assert.truthy(text:find("expected  3\n", 1, true))
    assert.truthy(text:find("got       4\n", 1, true))
    assert.is_nil(text:find("case 1", 1, true))
  end)

  it("says why a program ended, and its last complaint", function()
    local text = shown(document("RTE", {
      case(1, {
        pass = false, verdict = "RTE", actual = "", note = "exit code 1", stderr = "Traceback:\n  x\nKeyError: 'd'\n",
      }),
    }))
    assert.truthy(text:find("case 1  RTE  exit code 1", 1, true))
    assert.truthy(text:find("got       (nothing)", 1, true))
    assert.truthy(text:find("stderr    KeyError: 'd'", 1, true))
  end)

  it("lets nothing of a program reach the terminal raw", function()
    local text = shown(document("WA", {
      case(1, { pass = false, verdict = "WA", actual = "\27[2J\7\n", stderr = "\27]0;x\7", input = "\27[1m" }),
    }, { reason = "case 1:\27 wrong" }))
    assert.is_nil(text:find "[\0-\9\11-\31\127]")
  end)

  it("shows hidden values as nothing at all", function()
    local null = host.json.null
    local text = shown(document("WA", {
      case(1, {
        pass = false, verdict = "WA", input = null, expected = null, actual = null, stderr = null, cpu_ms = null,
        wall_ms = null, memory_bytes = null,
      }),
    }))
    assert.is_nil(text:find("expected", 1, true))
    assert.is_nil(text:find("userdata", 1, true))
    assert.truthy(text:find("WA: wrong answer", 1, true))
  end)

  it("keeps a note that says more than the two values", function()
    local long = ("x"):rep(200)
    local text = shown(document("WA", {
      case(1, {
        pass = false, verdict = "WA", expected = long .. "a", actual = long .. "b", note = "they differ late",
      }),
    }))
    assert.truthy(text:find("note      they differ late", 1, true))
  end)

  it("explains twenty cases of thousands", function()
    local cases = {}
    for number = 1, 50 do cases[number] = case(number, { pass = false, verdict = "WA", actual = "4" }) end
    local text = shown(document("WA", cases))
    assert.truthy(text:find("case 20 ", 1, true))
    assert.is_nil(text:find("case 21 ", 1, true))
    assert.truthy(text:find("and 30 more", 1, true))
  end)

  it("shows a refusal, which has no cases", function()
    assert.equal("REJ: the program is empty", shown(document("REJ", {}, { reason = "the program is empty" })))
  end)

  it("shows an error, which has no totals", function()
    assert.equal("IE: test.out has 3 lines, test.in has 4",
      shown({ verdict = "IE", reason = "test.out has 3 lines, test.in has 4" }))
  end)
end)
