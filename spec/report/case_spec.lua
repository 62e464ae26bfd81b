local host = require "submitter.host"
local report_case = require "submitter.report.case"

local null = host.json.null

local function record(fields, judgement, actual_bytes, stderr_bytes)
  local result = {
    ending = "exit", exit_code = 0, cpu_ms = 5, wall_ms = 6, memory_bytes = 7, stdout = "3\n", stderr = "",
    stdout_truncated = false, stderr_truncated = false,
  }
  for name, value in pairs(fields or {}) do
    if value == null then result[name] = nil else result[name] = value end
  end
  local held = { actual_bytes = actual_bytes or 0, stderr_bytes = stderr_bytes or 0 }
  local made = report_case.record({ number = 1, input = "1 2", expected = "3", form = "line" }, result,
    judgement or { pass = true, verdict = "AC", points = 1 }, held)
  return made, held.actual_bytes, held.stderr_bytes
end

describe("the record of a case", function()
  it("has its fields in their order", function()
    assert.are.equal('{"number":1,"input":"1 2","expected":"3","actual":"3\\n","actual_truncated":false,"pass":true,'
      .. '"verdict":"AC","exit_code":0,"signal":null,"cpu_ms":5,"wall_ms":6,"memory_bytes":7,"output_truncated":false,'
      .. '"stderr":"","note":null,"points":1}', host.json.encode((record())))
  end)

  it("says how it ended and why it is wrong", function()
    local judgement = { pass = false, verdict = "RTE", note = "x\xff", points = 0 }
    local one = record({ exit_code = null, signal = "SIGSEGV" }, judgement)
    assert.are.equal(null, one.exit_code)
    assert.are.equal("SIGSEGV", one.signal)
    assert.are.equal("x\u{FFFD}", one.note)
    assert.is_false(one.pass)
  end)

  it("holds valid UTF-8, and NUL bytes", function()
    local one = record { stdout = "a\xff\0b", stderr = "\xc3" }
    assert.are.equal("a\u{FFFD}\0b", one.actual)
    assert.are.equal("\u{FFFD}", one.stderr)
  end)

  it("caps outputs", function()
    local one, held = record { stdout = ("x"):rep(65536) }
    assert.is_false(one.actual_truncated)
    assert.are.equal(65536, held)
    one, held = record { stdout = ("x"):rep(65537) }
    assert.is_true(one.actual_truncated)
    assert.are.equal(65536, #one.actual)
    assert.are.equal(65536, held)
    assert.are.equal(4096, #record({ stderr = ("x"):rep(5000) }).stderr)
  end)

  it("caps what a report holds, not what came", function()
    local one, held = record { stdout = ("\xff"):rep(65536) }
    assert.are.equal(("\u{FFFD}"):rep(21845), one.actual)
    assert.is_true(one.actual_truncated)
    assert.are.equal(65535, held)
    one = record { stdout = ("\xff"):rep(21845) }
    assert.is_false(one.actual_truncated)
  end)

  it("caps outputs in all", function()
    local limit = 16 << 20
    local one, held = record({ stdout = "12345" }, nil, limit - 3)
    assert.are.equal("123", one.actual)
    assert.is_true(one.actual_truncated)
    assert.are.equal(limit, held)
    one, held = record({ stdout = "12345" }, nil, limit)
    assert.are.equal("", one.actual)
    assert.is_true(one.actual_truncated)
    assert.are.equal(limit, held)
    assert.is_false(record({ stdout = "" }, nil, limit).actual_truncated)
    local _, _, stderr_held = record({ stderr = "12345" }, nil, 0, limit - 3)
    assert.are.equal(limit, stderr_held)
    assert.are.equal("123", record({ stderr = "12345" }, nil, 0, limit - 3).stderr)
  end)

  it("cuts in front of a character, not through it", function()
    assert.are.equal(("x"):rep(4095), record({ stderr = ("x"):rep(4095) .. "é" }).stderr)
    assert.are.equal(("x"):rep(4093), record({ stderr = ("x"):rep(4093) .. "😀" }).stderr)
    assert.are.equal(("x"):rep(4094) .. "é", record({ stderr = ("x"):rep(4094) .. "éé" }).stderr)
    -- What was no character before the cut is none after it, and takes three bytes.
    assert.are.equal(("\u{FFFD}"):rep(1365), record({ stderr = ("\x80"):rep(5000) }).stderr)
  end)

  it("says that the program's output was cut where it ran", function()
    local one = record { stdout_truncated = true }
    assert.is_true(one.actual_truncated)
    assert.is_true(one.output_truncated)
    one = record { stderr_truncated = true }
    assert.is_false(one.actual_truncated)
    assert.is_true(one.output_truncated)
  end)
end)

describe("a case as students see it", function()
  local judgement = { pass = false, verdict = "WA", note = "expected 3", points = 0 }
  local wrong = record({ stdout = "4\n", stderr = "oh" }, judgement)

  it("is its verdict alone where it is hidden", function()
    local view = report_case.view(wrong, false)
    for _, field in ipairs {
      "input", "expected", "actual", "actual_truncated", "exit_code", "signal", "cpu_ms", "wall_ms", "memory_bytes",
      "output_truncated", "stderr", "note",
    } do
      assert.are.equal(null, view[field], field)
    end
    assert.are.same({ 1, false, "WA", 0 }, { view.number, view.pass, view.verdict, view.points })
  end)

  it("is everything where it is shown", function()
    local all = { input = true, expected = true, actual = true, stderr = true }
    assert.are.equal(host.json.encode(wrong), host.json.encode(report_case.view(wrong, all)))
  end)

  it("is the parts that are shown", function()
    local view = report_case.view(wrong, { input = true, expected = false, actual = true, stderr = false })
    assert.are.equal("1 2", view.input)
    assert.are.equal("4\n", view.actual)
    assert.are.equal(5, view.cpu_ms)
    assert.are.equal(null, view.expected)
    assert.are.equal(null, view.stderr)
    -- The note quotes what was expected.
    assert.are.equal(null, view.note)
  end)

  it("changes nothing of the truth", function()
    report_case.view(wrong, false)
    assert.are.equal("1 2", wrong.input)
  end)
end)
