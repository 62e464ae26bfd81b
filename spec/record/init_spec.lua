local host = require "submitter.host"
local key = require "submitter.key"
local record = require "submitter.record"
local sql = require "submitter.database.statements.record"

local database_fake = require "spec.fake.database"
local fake = require "spec.fake.grading"
local support = require "spec.support"

local null, sha256 = host.json.null, ("a"):rep(64)
local location = assert(key.parse_document(fake.prefix .. ".json"))
local names = { "m.soltys", "aws_labs", "lab5", fake.subid }

local function result_of(fields)
  local made = {
    mode = "test", attempt = 1, run = 1, verdict = "AC", reason = null, passed = 1, total = 1, points = 1,
    max_points = 1,
    source_sha256 = sha256, cases_sha256 = sha256, cases_source = "bucket", policy = { sha256 = sha256 },
    submitted_at = "2023-11-14T22:13:19.000Z", started_at = "2023-11-14T22:13:20.000Z",
    finished_at = "2023-11-14T22:13:21.000Z",
    cases = { { number = 1, verdict = "AC", pass = true, points = 1, input = "1 2", expected = "3", actual = "3\n" } },
  }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

local function job_of(fields)
  local made = {
    location = location, mode = "test", started_ms = 1700000000000, document = { tokens = { fake.token } },
  }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

describe("a recorder", function()
  local database, recorder

  before_each(function()
    database = database_fake.open()
    recorder = record.new { database = database }
    database:answer(sql.put_submission, { { id = 7 } })
    database:answer(sql.put_result, { { id = 70 } })
    for _, name in ipairs { "copy_case_results", "put_team", "put_mails", "put_failure" } do
      database:answer(sql[name], {})
    end
  end)

  local function called()
    local found = {}
    for _, call in ipairs(database.calls) do
      for name, text in pairs(sql) do
        if text == call.sql then found[#found + 1] = name .. (call.transaction and " " .. call.transaction or "") end
      end
    end
    return found
  end

  it("is made of a database", function()
    assert.has_error(function() record.new {} end)
    assert.has_error(function() record.new { database = database, mails = true } end)
  end)

  it("writes a result, its cases and its team in one transaction", function()
    assert.is_true(recorder:result(job_of(), result_of()))
    assert.are.same({ "put_submission 1", "put_result 1", "copy_case_results 1", "put_team 1" }, called())
    assert.are.same({ "committed" }, database.ended)
    assert.are.same(names, { table.unpack(database:asked(sql.put_submission)[1].parameters, 1, 4) })
    assert.are.same({ 7, "test", 1, 1, "AC" }, { table.unpack(database:asked(sql.put_result)[1].parameters, 1, 5) })
    local rows = database:asked(sql.copy_case_results)[1].rows
    assert.are.same({ 1, 70, 1, 1, "AC", true, 1, "1 2", "3", "3\n" }, { #rows, table.unpack(rows[1], 1, 9) })
    assert.are.same({ 70, { fake.token } }, database:asked(sql.put_team)[1].parameters)
  end)

  it("copies many cases a thousand at a time", function()
    local cases = {}
    for number = 1, 2500 do cases[number] = { number = number, verdict = "AC", pass = true } end
    assert.is_true(recorder:result(job_of(), result_of { cases = cases }))
    local sizes, last = {}, 0
    for index, call in ipairs(database:asked(sql.copy_case_results)) do
      sizes[index] = #call.rows
      for _, row in ipairs(call.rows) do
        assert.are.equal(last + 1, row[3])
        last = row[3]
      end
    end
    assert.are.same({ 1000, 1000, 500 }, sizes)
  end)

  it("writes a rejection without cases and without a team", function()
    assert.is_true(recorder:result(job_of { document = false },
      result_of { verdict = "REJ", cases = {}, cases_sha256 = null, policy = null, passed = 0, total = 0, points = 0 }))
    assert.are.same({ "put_submission 1", "put_result 1" }, called())
  end)

  for trouble, row in pairs {
    put_submission = { "put_submission" }, put_result = { "put_result" }, copy_case_results = { "copy_case_results" },
    put_team = { "put_team" }, commit = { "COMMIT" },
  } do
    it("writes all of it or nothing: " .. trouble, function()
      database.trouble = function(call)
        if call.sql == (sql[row[1]] or row[1]) then return "the server is away", "unavailable" end
      end
      local done, message, code = recorder:result(job_of(), result_of())
      assert.is_nil(done)
      assert.are.same({ "the server is away", "unavailable" }, { message, code })
      assert.are.same({ "rolled back" }, database.ended)
    end)
  end

  it("refuses what is no result before it asks anybody", function()
    assert.are.equal("invalid", select(3, recorder:result(job_of(), result_of { verdict = "IE" })))
    assert.are.same({}, database.calls)
  end)

  it("asks once where all of it stands", function()
    database:answer(sql.recorded, { { stands = true, has_failed = false } })
    assert.is_true(recorder:result(job_of { standing = {} }, result_of()))
    assert.are.same({ "recorded" }, called())
    assert.are.same({ "m.soltys", "aws_labs", "lab5", fake.subid, "test", 1, 1, sha256, "2023-11-14T22:13:21.000Z",
      "2023-11-14T22:13:21.000Z" }, database.calls[1].parameters)
  end)

  it("heals a failure that was noted before the job began", function()
    database:answer(sql.recorded, { { stands = true, has_failed = true } })
    database:answer(sql.put_result, {})
    assert.is_true(recorder:result(job_of { standing = {}, started_ms = 1700000005000 }, result_of()))
    assert.are.same({ "recorded", "put_submission 1", "put_result 1", "recorded 1" }, called())
    assert.are.equal("2023-11-14T22:13:25.000Z", database:asked(sql.recorded)[1].parameters[10])
    assert.are.same({ "test", "2023-11-14T22:13:25.000Z" },
      { table.unpack(database:asked(sql.put_submission)[1].parameters, 6, 7) })
    assert.are.same({ "committed" }, database.ended)
  end)

  it("records a result that stands in the bucket alone", function()
    database:answer(sql.recorded, {})
    assert.is_true(recorder:result(job_of { standing = {} }, result_of()))
    assert.are.same({ "recorded", "put_submission 1", "put_result 1", "copy_case_results 1", "put_team 1" }, called())
  end)

  it("doesn't know what stands where it can't ask", function()
    database:answer(sql.recorded, function() return nil, "the server is away", "unavailable" end)
    local done, message, code = recorder:result(job_of { standing = {} }, result_of())
    assert.are.same({ nil, "the server is away", "unavailable" }, { done, message, code })
  end)

  it("leaves a later run as it is", function()
    database:answer(sql.put_result, {})
    database:answer(sql.recorded, { { stands = true, has_failed = false } })
    assert.is_true(recorder:result(job_of(), result_of()))
    assert.are.same({ "put_submission 1", "put_result 1", "recorded 1" }, called())
  end)

  it("says so where its number is another result's", function()
    database:answer(sql.put_result, {})
    database:answer(sql.recorded, { { stands = false, has_failed = false } })
    local done, message, code = recorder:result(job_of(), result_of())
    assert.is_nil(done)
    assert.are.equal("attempt_taken", code)
    assert.matches("m.soltys/aws_labs/lab5/" .. fake.subid .. " stands in the database as attempt 1", message, 1, true)
    assert.are.same({ "rolled back" }, database.ended)
  end)

  describe("with mail", function()
    local function mails(mail, mode)
      recorder = record.new { database = database, mail = mail }
      assert.is_true(recorder:result(job_of { mode = mode }, result_of { mode = mode }))
      return database:asked(sql.put_mails)
    end

    it("notes them with the result", function()
      local asked = mails(true, "test")
      assert.are.same({ 70, 1, "AC", 1, 1, "m.soltys", "aws_labs", { fake.token } }, asked[1].parameters)
      assert.are.equal(1, asked[1].transaction)
    end)

    it("notes those of the modes that are named", function()
      assert.are.equal(0, #mails({ "grade" }, "test"))
      assert.are.equal(1, #mails({ "grade" }, "grade"))
    end)
  end)

  it("notes a failure with the whole reason, legibly", function()
    finally(support.replace(host.clock, { now_ms = function() return 1700000009000 end }))
    assert.is_true(recorder:failure(job_of { submitted_ms = 1700000000123 }, "environment", "/etc/x\0\xff"))
    local asked = database:asked(sql.put_failure)[1].parameters
    assert.are.same(names, { table.unpack(asked, 1, 4) })
    assert.are.same({
      "2023-11-14T22:13:20.123Z", "2023-11-14T22:13:29.000Z", "test", "environment", "/etc/x\\0\u{FFFD}",
    }, { table.unpack(asked, 5, 9) })
    assert.is_true(recorder:failure(job_of(), "unavailable", "x"))
    assert.are.equal(host.postgres.null, database:asked(sql.put_failure)[2].parameters[5])
    database.trouble = function() return "the server is away", "unavailable" end
    assert.are.equal("unavailable", select(3, recorder:failure(job_of(), "unavailable", "x")))
  end)

  it("knows the highest attempt", function()
    database:answer(sql.standing, {})
    assert.is_false(recorder:standing(location, "grade"))
    assert.are.same({ "m.soltys", "aws_labs", "lab5", fake.subid, "grade" }, database.calls[1].parameters)
    database:answer(sql.standing,
      { { attempt = 3, run = 5, source_sha256 = sha256, submitted_at = 1700000000000, verdict = "WA" } })
    assert.are.same({ attempt = 3, run = 5, source_sha256 = sha256, submitted_ms = 1700000000000, verdict = "WA" },
      recorder:standing(location, "test"))
    database.trouble = function() return "away", "unavailable" end
    assert.are.same({ nil, "away", "unavailable" }, { recorder:standing(location, "test") })
  end)

  it("knows when something was first handed in", function()
    database:answer(sql.submitted, { {} })
    assert.is_false(recorder:submitted(location, sha256))
    database:answer(sql.submitted, { { submitted_at = 1700000000000 } })
    assert.are.equal(1700000000000, recorder:submitted(location, sha256))
    database.trouble = function() return "away", "unavailable" end
    assert.are.same({ nil, "away", "unavailable" }, { recorder:submitted(location, sha256) })
  end)

  it("knows each student of a team once, and counts the tokens that are nobody's", function()
    local tokens = { ("A"):rep(32), ("b"):rep(32), ("c"):rep(32), ("a"):rep(32) }
    database:answer(sql.team, {
      { token = ("a"):rep(32), id = 1, email = "a@x", name = "A" },
      { token = ("b"):rep(32), id = 1, email = "a@x", name = "A" },
    })
    assert.are.same({ students = { { id = 1, email = "a@x", name = "A" } }, known = 2, unknown = 1 },
      recorder:team(location, tokens))
    assert.are.same({ "m.soltys", "aws_labs", { ("a"):rep(32), ("b"):rep(32), ("c"):rep(32) } },
      database.calls[1].parameters)
    database.trouble = function() return "away", "unavailable" end
    assert.are.equal("unavailable", select(3, recorder:team(location, tokens)))
  end)

  describe("asked about an event", function()
    local now_ms, restore

    after_each(function() restore() end)
    before_each(function()
      now_ms = 0
      restore = support.replace(host.clock, { monotonic_ms = function() return now_ms end })
      database:answer(sql.event, { { ends_at = 1700000000000 } })
    end)

    it("says when it is, or that it isn't there", function()
      assert.are.same({ ends_ms = 1700000000000 }, recorder:event(location))
      database:answer(sql.event, {})
      assert.is_false(recorder:event(assert(key.location("m.soltys", "other", "lab5", fake.subid))))
    end)

    it("remembers it for a few seconds", function()
      for _ = 1, 3 do recorder:event(location) end
      assert.are.equal(1, #database.calls)
      database:answer(sql.event, {})
      now_ms = 4999
      assert.is_truthy(recorder:event(location))
      now_ms = 5000
      assert.is_false(recorder:event(location))
      assert.is_false(recorder:event(location))
      assert.are.equal(2, #database.calls)
    end)

    it("remembers no failure", function()
      database.trouble = function() return "away", "unavailable" end
      assert.are.same({ nil, "away", "unavailable" }, { recorder:event(location) })
      database.trouble = function() end
      assert.is_truthy(recorder:event(location))
    end)

    it("remembers only so many", function()
      for number = 1, 1000 do recorder:event(assert(key.location("a", "e" .. number, "s", fake.subid))) end
      assert.are.equal(1000, #database.calls)
      local count = 0
      for _ in pairs(recorder.events) do count = count + 1 end
      assert.is_true(count <= 256)
    end)
  end)
end)
