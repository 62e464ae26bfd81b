--- What came of submissions, written into a real server by a user who has a worker's rights and no others.
local database = require "submitter.database"
local host = require "submitter.host"
local key = require "submitter.key"
local pipeline = require "submitter.pipeline"
local postgres = require "spec.postgres"
local record = require "submitter.record"

local fake = require "spec.fake.grading"

local null = host.json.null
local location = assert(key.parse_document(fake.prefix .. ".json"))
local SHA256, OTHER_SHA256 = ("a"):rep(64), ("b"):rep(64)
local COUNTS = [[
  SELECT (SELECT count(*) FROM submitter.submissions), (SELECT count(*) FROM submitter.results),
    (SELECT count(*) FROM submitter.case_results), (SELECT count(*) FROM submitter.teams),
    (SELECT count(*) FROM submitter.mails)
]]
-- With the transactions that wrote them: whatever is written again shows.
local EVERYTHING = [[
  SELECT xmin, * FROM submitter.submissions; SELECT xmin, * FROM submitter.results;
  SELECT xmin, * FROM submitter.case_results ORDER BY 2, 3, 4; SELECT xmin, * FROM submitter.teams;
  SELECT xmin, * FROM submitter.mails
]]

local function cases_of(count)
  local cases = host.json.array {}
  for number = 1, count do
    cases[number] = {
      number = number, verdict = "AC", pass = true, points = 1, input = "1 2", expected = "3", actual = "3\n",
      actual_truncated = false, stderr = "", note = null, exit_code = 0, signal = null, cpu_ms = 10, wall_ms = 20,
      memory_bytes = 1 << 33,
    }
  end
  return cases
end

-- A result like those of pipelines. A later run ends later.
local function result_of(fields)
  local run = fields and fields.run or 1
  local made = {
    schema = 1, subid = fake.subid, mode = "test", attempt = 1, run = run, verdict = "AC", reason = null, passed = 2,
    total = 2, points = 2, max_points = 2, source_sha256 = SHA256, cases_sha256 = SHA256, cases_source = "bucket",
    policy = { name = "shipped default", sha256 = SHA256 }, submitted_at = "2026-01-01T12:00:00.000Z",
    started_at = ("2026-01-01T12:%02d:01.000Z"):format(run), finished_at = ("2026-01-01T12:%02d:02.500Z"):format(run),
    cases = cases_of(2),
  }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

describe("recording on a real server", function()
  local server, url, pool, recorder

  setup(function() host.log.configure { level = "error" } end)
  teardown(function() host.log.configure { level = "info" } end)
  before_each(function()
    server = postgres.shared()
    url = server:migrated()
    server:sql(url, [[
      DO $$ BEGIN IF to_regrole('spec_recorder') IS NULL THEN CREATE ROLE spec_recorder LOGIN IN ROLE submitter_worker;
      END IF; END $$;
      SELECT submitter.schedule('m.soltys', 'aws_labs', '2026-01-01Z', '2026-02-01Z');
    ]])
    pool = database.open { url = server:url_of(url:match "dbname=(%S+)", "spec_recorder") }
    recorder = record.new { database = pool }
  end)
  after_each(function() pool:close() end)

  local function sql(text) return server:sql(url, text) end

  local function job_of(fields)
    local job = {
      location = location, mode = "test", started_ms = 1767268801000, document = { tokens = { fake.token } },
    }
    for name, value in pairs(fields or {}) do job[name] = value end
    return job
  end

  local function put(fields, job)
    return recorder:result(job_of(job), result_of(fields))
  end

  it("writes everything that a result says", function()
    assert(put {
      run = 2, verdict = "TLE", reason = "case 2: CPU limit", passed = 1, points = 0.5, regrade = "r1",
      cases_source = "postgres",
    })
    assert.are.equal("m.soltys|aws_labs|lab5|" .. fake.subid .. "|t|2026-01-01 12:00:00+00|", sql [[
      SET TimeZone = 'UTC';
      SELECT administrator, event, assignment, subid, assignment_id IS NULL, submitted_at, failed_at
      FROM submitter.submissions]])
    assert.are.equal("test|1|2|TLE|case 2: CPU limit|1|2|0.5|2|t|t|postgres|t|r1|2026-01-01 12:02:02.5+00|"
      .. "shipped default|f", sql [[
        SET TimeZone = 'UTC'; SELECT mode, attempt, run, verdict, reason, passed, total, points, max_points,
          source_sha256 = repeat('a', 64), cases_sha256 = repeat('a', 64), cases_source,
          policy_sha256 = repeat('a', 64), regrade, finished_at, report->'policy'->>'name', report ? 'cases'
        FROM submitter.results]])
    local rest = "|AC|t|1|1 2|3|3\n|f|||0||10|20|8589934592"
    assert.are.equal("2|1" .. rest .. "\n2|2" .. rest, sql [[
      SELECT run, number, verdict, pass, points, input, expected, actual, actual_truncated, stderr, note, exit_code,
        signal, cpu_ms, wall_ms, memory_bytes FROM submitter.case_results ORDER BY number]])
    assert.are.equal(fake.token, sql "SELECT token FROM submitter.teams")
  end)

  it("writes a run once, however often it is said", function()
    assert(put())
    local before = sql(EVERYTHING)
    assert(put({}, { standing = {} }))
    assert.are.equal(before, sql(EVERYTHING))
    -- Also by a worker who doesn't know that it stands.
    assert(put())
    assert.are.equal("1|1|2|1|0", sql(COUNTS))
  end)

  it("puts a later run over an earlier one, and never the other way round", function()
    assert(put { run = 1, verdict = "WA" })
    assert(put { run = 3, verdict = "AC" })
    assert(put { run = 2, verdict = "RTE" })
    assert.are.equal("1|3|AC", sql "SELECT attempt, run, verdict FROM submitter.results")
    -- The cases of those that counted once stay.
    assert.are.equal("1|2\n3|2", sql "SELECT run, count(*) FROM submitter.case_results GROUP BY run ORDER BY run")
  end)

  it("keeps attempts and modes apart, in whatever order they come", function()
    assert(put { attempt = 2, run = 2, source_sha256 = OTHER_SHA256, submitted_at = "2026-01-02T12:00:00.000Z" })
    assert(put { attempt = 1, run = 1, verdict = "WA" })
    assert(put({ mode = "grade" }, { mode = "grade" }))
    assert.are.equal("grade|1|1|AC\ntest|1|1|WA\ntest|2|2|AC",
      sql "SELECT mode, attempt, run, verdict FROM submitter.results ORDER BY mode, attempt")
    assert.are.equal("2026-01-02 12:00:00+00",
      sql "SET TimeZone = 'UTC'; SELECT submitted_at FROM submitter.submissions")
  end)

  -- So many tasks at once; each must succeed.
  local function at_once(count, action)
    local tasks = {}
    for number = 1, count do tasks[number] = host.task.spawn("recorder " .. number, action, number) end
    for _, task in ipairs(tasks) do
      local _, done, message = task:join()
      assert(done, message)
    end
  end

  it("writes a run once where many say it at the same time", function()
    at_once(12, function() return put() end)
    assert.are.equal("1|1|2|1|0", sql(COUNTS))
  end)

  it("ends with the last of many runs that are said at the same time", function()
    at_once(12, function(number) return put { run = (number * 5) % 12 + 1, cases = cases_of(20) } end)
    assert.are.equal("12|20", sql [[
      SELECT results.run, count(*) FROM submitter.results
      JOIN submitter.case_results ON result_id = results.id AND case_results.run = results.run GROUP BY results.run]])
  end)

  it("notices numbers that are another result's", function()
    assert(put { run = 2 })
    for what, fields in pairs {
      ["another source"] = { run = 2, source_sha256 = OTHER_SHA256 },
      ["another source, later run"] = { run = 3, source_sha256 = OTHER_SHA256 },
      ["the same run again"] = { run = 2, finished_at = "2026-01-03T12:00:00.000Z" },
      ["counted from 1 again"] = { run = 1, finished_at = "2026-01-03T12:00:00.000Z" },
    } do
      local before = sql(EVERYTHING)
      local done, _, code = put(fields)
      assert.is_nil(done, what)
      assert.are.equal("attempt_taken", code, what)
      assert.are.equal("attempt_taken", select(3, put(fields, { standing = {} })), what)
      assert.are.equal(before, sql(EVERYTHING), what)
    end
  end)

  it("leaves nothing half done where its task is cancelled", function()
    local document = result_of { cases = cases_of(3000) }
    for try = 1, 12 do
      local task = host.task.spawn("recorder", function() return recorder:result(job_of(), document) end)
      host.clock.sleep_ms(try * 3)
      task:cancel("the lease is lost")
      task:join()
      assert.is_truthy(({ ["0|0|0|0|0"] = true, ["1|1|3000|1|0"] = true })[sql(COUNTS)])
    end
    assert(recorder:result(job_of(), document))
    assert.are.equal("1|1|3000|1|0", sql(COUNTS))
  end)

  it("writes ten thousand cases in little time", function()
    local before_ms = host.clock.monotonic_ms()
    assert(put { cases = cases_of(10000) })
    local took_ms = host.clock.monotonic_ms() - before_ms
    assert.are.equal("1|1|10000|1|0", sql(COUNTS))
    assert.is_true(took_ms < 15000, took_ms .. " ms")
  end)

  describe("a failure", function()
    local FAILURE = "SELECT failed_at IS NULL, failure_mode, failure_class, failure_reason FROM submitter.submissions"
    local HEALED = "t|||"

    it("is noted of a submission that nobody knew", function()
      assert(recorder:failure(job_of { submitted_ms = 1767268800000 }, "instructor", "there are no cases"))
      assert.are.equal("f|test|instructor|there are no cases", sql(FAILURE))
      assert.are.equal("2026-01-01 12:00:00+00",
        sql "SET TimeZone = 'UTC'; SELECT submitted_at FROM submitter.submissions")
      assert(recorder:failure(job_of { mode = "grade" }, "sandbox", "no walls"))
      assert.are.equal("f|grade|sandbox|no walls", sql(FAILURE))
      assert.are.equal("2026-01-01 12:00:00+00",
        sql "SET TimeZone = 'UTC'; SELECT submitted_at FROM submitter.submissions")
      assert.are.equal("1|0|0|0|0", sql(COUNTS))
    end)

    it("may have no time of upload", function()
      assert(recorder:failure(job_of(), "sandbox", "no walls"))
      assert.are.equal("t", sql "SELECT submitted_at = failed_at FROM submitter.submissions")
    end)

    it("leaves the score as it is", function()
      assert(put())
      local before = sql "SELECT xmin, * FROM submitter.results"
      assert(recorder:failure(job_of(), "environment", "the disk is full"))
      assert.are.equal(before, sql "SELECT xmin, * FROM submitter.results")
      assert.are.equal("f|test|environment|the disk is full", sql(FAILURE))
    end)

    it("is healed by a result of its mode that is later", function()
      assert(recorder:failure(job_of(), "environment", "the disk is full"))
      assert(put({ mode = "grade", finished_at = "2999-01-01T00:00:00.000Z" }, { mode = "grade" }))
      assert.are.equal("f|test|environment|the disk is full", sql(FAILURE))
      assert(put { run = 1 })
      assert.are.equal("f|test|environment|the disk is full", sql(FAILURE))
      assert(put { run = 2, finished_at = "2999-01-01T00:00:00.000Z" })
      assert.are.equal(HEALED, sql(FAILURE))
    end)

    it("is healed by a result that is found standing afterwards", function()
      assert(put())
      assert(recorder:failure(job_of(), "environment", "the disk is full"))
      assert(put({}, { standing = {} }))
      assert.are.equal("f|test|environment|the disk is full", sql(FAILURE))
      assert(put({}, { standing = {}, started_ms = host.clock.now_ms() + 1 }))
      assert.are.equal(HEALED, sql(FAILURE))
      assert.are.equal("1|1|2|1|0", sql(COUNTS))
    end)

    it("gives way to a later one only", function()
      sql [[INSERT INTO submitter.submissions (administrator, event, assignment, subid, submitted_at, failed_at,
        failure_mode, failure_class, failure_reason) VALUES ('m.soltys', 'aws_labs', 'lab5',
        'fc55c0190dde2bc413d8d1e79fb8cca2', now(), '2999-01-01', 'test', 'instructor', 'the later one')]]
      assert(recorder:failure(job_of(), "environment", "the earlier one"))
      assert.are.equal("f|test|instructor|the later one", sql(FAILURE))
    end)
  end)

  describe("hostile content", function()
    local odd = "Robert'); DROP TABLE submitter.results;--\"\\\0\xff\t\r\n\\.\n$$ \u{202E}\u{10FFFF}"
    local legible = "Robert'); DROP TABLE submitter.results;--\"\\\\0\u{FFFD}\t\r\n\\.\n$$ \u{202E}\u{10FFFF}"

    local function case_of()
      local case = cases_of(1)[1]
      for _, field in ipairs { "input", "expected", "actual", "stderr", "note", "signal" } do case[field] = odd end
      return case
    end

    it("is stored legibly in every field", function()
      assert(put {
        verdict = "REJ", reason = odd, regrade = odd, cases = { case_of() }, policy = { name = odd, [odd] = odd },
        runner = { kind = odd },
      })
      local found = assert(pool:query([[
        SELECT reason, regrade, report->'policy'->>'name' AS name, report->'runner'->>'kind' AS kind, input, expected,
          actual, stderr, note, signal, report->'policy'->>$1::text AS member
        FROM submitter.results JOIN submitter.case_results ON result_id = id]], { legible })).rows[1]
      local count = 0
      for field, value in pairs(found) do
        assert.are.equal(legible, value, field)
        count = count + 1
      end
      assert.are.equal(11, count)
      assert(recorder:failure(job_of(), odd, odd))
      found = assert(pool:query "SELECT failure_class, failure_reason FROM submitter.submissions").rows[1]
      assert.are.same({ legible, legible }, { found.failure_class, found.failure_reason })
    end)

    it("may be in the names of keys", function()
      local names = { "a'; --", "e\xfe\x01\n", "\\x00\xff" }
      local place = assert(key.location(names[1], names[2], names[3], fake.subid))
      for _, other in ipairs { place, assert(key.location(names[1], "e\xff\x01\n", names[3], fake.subid)) } do
        assert(put({}, { location = other }))
        assert.are.equal(1, recorder:standing(other, "test").attempt)
        assert.is_false(recorder:event(other))
        assert.are.equal(1, recorder:team(other, { fake.token }).unknown)
        assert(recorder:failure(job_of { location = other }, "instructor", "x"))
      end
      assert.are.equal("2|2|4|2|0", sql(COUNTS))
      local found = assert(pool:query [[
        SELECT administrator, event, assignment FROM submitter.submissions ORDER BY event]])
      assert.are.same({
        { administrator = "a'; --", event = "e\\xfe\1\n", assignment = "\\x00\\xff" },
        { administrator = "a'; --", event = "e\\xff\1\n", assignment = "\\x00\\xff" },
      }, found.rows)
    end)

    it("may be large", function()
      local case = case_of()
      case.actual, case.input = ("\0\xff"):rep(5000000), ("x"):rep(10000000)
      assert(put { cases = { case }, reason = ("r\0"):rep(100000) })
      assert.are.equal("25000000|10000000|300000", sql [[
        SELECT octet_length(actual), octet_length(input), octet_length(reason)
        FROM submitter.results JOIN submitter.case_results ON result_id = id]])
    end)

    it("may be in figures", function()
      local case = case_of()
      case.exit_code, case.cpu_ms, case.memory_bytes, case.points = 1 << 40, 1e300, "x", 0 / 0
      assert(put { cases = { case }, limits = { cpu_ms = math.huge, memory_bytes = 1 << 62 } })
      assert.are.equal("||4611686018427387904", sql [[
        SELECT exit_code, cpu_ms, report->'limits'->>'memory_bytes'
        FROM submitter.results JOIN submitter.case_results ON result_id = id]])
    end)
  end)

  it("knows who is behind tokens of this event", function()
    local tokens = { ("1"):rep(32), ("2"):rep(32), ("3"):rep(32), ("4"):rep(32) }
    sql(([[
      SELECT submitter.schedule('m.soltys', 'other', '2026-01-01Z', '2026-02-01Z');
      SELECT submitter.enrol('m.soltys', 'aws_labs', 'a@example.org', 'A', '%s');
      SELECT submitter.enrol('m.soltys', 'aws_labs', 'b@example.org', 'B', '%s');
      SELECT submitter.enrol('m.soltys', 'other', 'c@example.org', 'C', '%s');
    ]]):format(tokens[1], tokens[2], tokens[3]))
    local team = assert(recorder:team(location, tokens))
    assert.are.same({ 2, 2 }, { team.known, team.unknown })
    assert.are.equal("a@example.org A b@example.org B", table.concat({
      team.students[1].email, team.students[1].name, team.students[2].email, team.students[2].name,
    }, " "))
  end)

  it("knows events, and what stands", function()
    assert.are.same({ starts_ms = 1767225600000, ends_ms = 1769904000000 }, recorder:event(location))
    sql "SELECT submitter.schedule('m.soltys', 'aws_labs', '2026-01-01Z', NULL)"
    assert.are.same({ starts_ms = 1767225600000 }, recorder:event(location, true))
    assert.are.same({ starts_ms = 1767225600000 }, recorder:event(location))
    sql "SELECT submitter.schedule('m.soltys', 'aws_labs', '2026-01-01Z', '2026-02-01Z')"
    assert.is_false(recorder:event(assert(key.location("m.soltys", "none", "lab5", fake.subid))))
    assert.is_false(recorder:standing(location, "test"))
    assert.is_false(recorder:submitted(location, SHA256))
    assert(put { run = 4 })
    assert(put { attempt = 3, run = 3, source_sha256 = OTHER_SHA256, verdict = "WA" })
    assert(put({ submitted_at = "2026-01-01T11:00:00.000Z" }, { mode = "test", location = assert(
      key.location("m.soltys", "aws_labs", "other", fake.subid)) }))
    assert.are.same({
      attempt = 3, run = 4, source_sha256 = OTHER_SHA256, submitted_ms = 1767268800000, verdict = "WA",
    }, recorder:standing(location, "test"))
    assert.is_false(recorder:standing(location, "grade"))
    assert.are.equal(1767268800000, recorder:submitted(location, SHA256))
  end)

  describe("with mail", function()
    local MAILS = "SELECT mails.run, email FROM submitter.mails JOIN submitter.students ON students.id = student_id "
      .. "ORDER BY mails.run, email"

    before_each(function()
      recorder = record.new { database = pool, mail = true }
      sql(([[
        SELECT submitter.enrol('m.soltys', 'aws_labs', 'a@example.org', 'A', '%s');
        SELECT submitter.enrol('m.soltys', 'aws_labs', 'a@example.org', 'A', '%s');
        SELECT submitter.enrol('m.soltys', 'aws_labs', 'b@example.org', 'B', '%s');
      ]]):format(("1"):rep(32), ("2"):rep(32), ("3"):rep(32)))
    end)

    local function mail(fields)
      assert(put(fields, { document = { tokens = { ("1"):rep(32), ("2"):rep(32), ("3"):rep(32), fake.token } } }))
      return sql(MAILS)
    end

    it("notes one for each known student of the team", function()
      assert.are.equal("1|a@example.org\n1|b@example.org", mail())
      assert.are.equal("1|a@example.org\n1|b@example.org", mail())
    end)

    it("notes none where a regrade changes nothing", function()
      mail()
      assert.are.equal("1|a@example.org\n1|b@example.org", mail { run = 2 })
      for run, fields in ipairs {
        { run = 3, verdict = "WA" }, { run = 4, verdict = "WA", passed = 1 },
        { run = 5, verdict = "WA", passed = 1, points = 0.5 },
      } do
        mail(fields)
        assert.are.equal("2", sql(("SELECT count(*) FROM submitter.mails WHERE run = %d"):format(run + 2)))
      end
      mail { run = 6, verdict = "WA", passed = 1, points = 0.5, reason = "another reason" }
      assert.are.equal("0", sql "SELECT count(*) FROM submitter.mails WHERE run = 6")
    end)

    it("compares with what was last said, to each student", function()
      mail { verdict = "WA" }
      mail { run = 2 }
      sql "UPDATE submitter.mails SET ended_at = now(), outcome = 'superseded' WHERE run = 2"
      mail { run = 3, verdict = "WA" }
      assert.are.equal("0", sql "SELECT count(*) FROM submitter.mails WHERE run = 3")
      sql(("SELECT submitter.enrol('m.soltys', 'aws_labs', 'c@example.org', 'C', '%s')"):format(fake.token))
      mail { run = 4, verdict = "WA" }
      assert.are.equal("c@example.org", sql [[
        SELECT email FROM submitter.mails JOIN submitter.students ON students.id = student_id WHERE mails.run = 4]])
    end)
  end)

  describe("by the pipeline", function()
    local parts

    before_each(function() parts = fake.parts "third_wrong" end)

    local function deliver(fields)
      local job = fake.job(parts, fields)
      job.recorder = recorder
      local done, message, code = pipeline.run(job, parts.steps)
      pipeline.close(job)
      assert(done, message)
      return job, code
    end

    local RESULTS = "SELECT attempt, run, verdict FROM submitter.results ORDER BY attempt"

    it("is done once for each grading", function()
      deliver()
      deliver()
      assert.are.equal("1|1|WA", sql(RESULTS))
      parts.store.objects[fake.prefix .. ".py"] = "sum"
      deliver()
      deliver { regrade = "r1" }
      assert.are.equal("1|1|WA\n2|3|AC", sql(RESULTS))
      assert.are.equal("1|2|9|2|0", sql(COUNTS))
    end)

    it("is done for what stood in the bucket alone, before the next attempt takes its place", function()
      local job = fake.job(parts)
      assert(pipeline.run(job, parts.steps))
      pipeline.close(job)
      parts.store.objects[fake.prefix .. ".py"] = "sum"
      deliver()
      assert.are.equal("1|1|WA\n2|2|AC", sql(RESULTS))
      assert.are.equal("1|2|6|2|0", sql(COUNTS))
    end)

    it("goes on counting where the bucket was emptied", function()
      deliver()
      local truth_key = fake.base .. "/grading/results/" .. fake.subid .. ".json"
      parts.store.objects[truth_key] = nil
      deliver()
      assert.are.equal("1|2|WA", sql(RESULTS))
      parts.store.objects[truth_key] = nil
      parts.store.objects[fake.prefix .. ".py"] = "sum"
      deliver()
      assert.are.equal("1|2|WA\n2|3|AC", sql(RESULTS))
    end)

    it("gives a result of a restored bucket the next numbers", function()
      deliver()
      local truth_key = fake.base .. "/grading/results/" .. fake.subid .. ".json"
      local first = parts.store.objects[truth_key]
      parts.store.objects[fake.prefix .. ".py"] = "sum"
      deliver()
      parts.store.objects[truth_key] = first
      parts.store.objects[fake.prefix .. ".py"] = "echo"
      deliver()
      assert.are.equal("1|1|WA\n2|2|AC\n3|3|WA", sql(RESULTS))
      for _, object_key in ipairs { truth_key, fake.prefix .. ".result.json" } do
        local seen = fake.published(parts, object_key)
        assert.are.same({ 3, 3, "WA" }, { seen.attempt, seen.run, seen.verdict })
      end
      deliver()
      assert.are.equal("1|1|WA\n2|2|AC\n3|3|WA", sql(RESULTS))
    end)
  end)
end)
