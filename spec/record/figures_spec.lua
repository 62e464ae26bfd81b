local figures = require "submitter.record.figures"
local host = require "submitter.host"
local key = require "submitter.key"

local fake = require "spec.fake.grading"

local null, sha256 = host.json.null, ("a"):rep(64)

local function document(fields)
  local made = {
    mode = "test", attempt = 2, run = 3, verdict = "WA", reason = "case 2: wrong answer", passed = 1, total = 2,
    points = 0.5, max_points = 2, source_sha256 = sha256, cases_sha256 = ("b"):rep(64), cases_source = "postgres",
    policy = { name = "x", sha256 = ("c"):rep(64) }, submitted_at = "2026-11-24T05:55:34.123Z",
    started_at = "2026-11-24T05:55:35.000Z", finished_at = "2026-11-24T05:55:36.000Z", cases = {}, tokens = null,
  }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

local function job(fields)
  local made = { location = assert(key.parse_document(fake.prefix .. ".json")), mode = "test" }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

describe("tokens", function()
  it("are written one way, and once", function()
    local low = ("a"):rep(32)
    assert.are.same({ ("0"):rep(32), low }, figures.tokens { low:upper(), ("0"):rep(32), low })
    assert.are.same({}, figures.tokens(nil))
  end)
end)

describe("a result", function()
  it("has the columns of its row", function()
    local result = assert(figures.result(job { document = { tokens = { fake.token:upper() } } }, document()))
    assert.are.same({ "m.soltys", "aws_labs", "lab5", fake.subid },
      { result.administrator, result.event, result.assignment, result.subid })
    assert.are.same({ fake.token }, result.tokens)
    assert.are.same({
      7, "test", 2, 3, "WA", "case 2: wrong answer", 1, 2, 0.5, 2, sha256, ("b"):rep(64), "postgres", ("c"):rep(64),
      host.postgres.null, "2026-11-24T05:55:34.123Z", "2026-11-24T05:55:35.000Z", "2026-11-24T05:55:36.000Z",
    }, { table.unpack(figures.result_row(7, result), 1, 18) })
    local report = assert(host.json.decode(result.report))
    assert.is_nil(report.cases)
    assert.are.equal("x", report.policy.name)
  end)

  it("may lack what a rejection lacks", function()
    local result = assert(figures.result(job(), document {
      verdict = "REJ", reason = "na\0ught", cases_sha256 = null, policy = null, submitted_at = null, regrade = "r1",
      cases_source = null,
    }))
    assert.are.equal("na\\0ught", result.reason)
    assert.are.equal("r1", result.regrade)
    assert.are.same({}, { result.cases_sha256, result.policy_sha256, result.cases_source })
    assert.are.equal(result.started_at, result.submitted_at)
    assert.are.same({}, result.tokens)
  end)

  it("is refused where it can't be one", function()
    for field, values in pairs {
      mode = { "grade", 5 }, attempt = { 0, -1, 1.5, "1", 1 << 40 }, run = { 0, null }, verdict = { "IE", "OK", 5 },
      passed = { -1, null }, total = { "x" }, points = { "1", 0 / 0 }, max_points = { math.huge },
      source_sha256 = { null, "", "x; DROP TABLE results" }, finished_at = { null, "soon" },
    } do
      for _, value in ipairs(values) do
        local result, message, code = figures.result(job(), document { [field] = value })
        assert.is_nil(result, field)
        assert.are.equal("invalid", code)
        assert.matches("no usable " .. field, message, 1, true)
      end
    end
  end)
end)

describe("a case's row", function()
  it("has what the document says", function()
    local none = host.postgres.null
    assert.are.same({
      5, 2, 7, "RTE", false, 0, "1 2", "3", "a\\0\u{FFFD}", true, "no", "a note", 3, "SIGKILL", 4, 5, 6,
    }, figures.case_row(5, 2, 6, {
        number = 7, verdict = "RTE", pass = false, points = 0, input = "1 2", expected = "3", actual = "a\0\xff",
        actual_truncated = true, stderr = "no", note = "a note", exit_code = 3, signal = "SIGKILL", cpu_ms = 4,
        wall_ms = 5, memory_bytes = 6,
      }))
    assert.are.same({ 5, 2, 1, "AC", true, 1.5, "", "", "", false, "", none, 0, none, 0, 0, 0 },
      figures.case_row(5, 2, 0, {
        number = 1, verdict = "AC", pass = true, points = 1.5, input = "", expected = "", actual = "",
        actual_truncated = false, stderr = "", note = null, exit_code = 0, signal = null, cpu_ms = 0, wall_ms = 0,
        memory_bytes = 0,
      }))
  end)

  it("can be stored whatever the document says", function()
    local none = host.postgres.null
    for _, odd in ipairs { {}, {
      number = "x", verdict = "IE", pass = "yes", points = 0 / 0, input = 5, expected = null, actual = {},
      stderr = true, actual_truncated = 1, note = 5, exit_code = 1 << 40, signal = {}, cpu_ms = "x", wall_ms = 1.5,
      memory_bytes = null,
    } } do
      assert.are.same({ 5, 2, 4, "SKIP", false, 0, "", "", "", false, "", none, none, none, none, none, none },
        figures.case_row(5, 2, 3, odd))
    end
    -- Numbers only grow, so no two cases have one.
    assert.are.equal(4, figures.case_row(5, 2, 3, { number = 3 })[3])
  end)
end)
