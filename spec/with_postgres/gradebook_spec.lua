--- The grade book on a real server: which attempt counts, and whose it is.
local database = require "submitter.database"
local fake_store = require "spec.fake.store"
local gradebook = require "submitter.gradebook"
local host = require "submitter.host"
local path = require "submitter.path"
local postgres = require "spec.postgres"
local grading = require "spec.fake.grading"
local support = require "spec.support"

local ANN, BOB, EVE, NOBODY = ("1"):rep(32), ("2"):rep(32), ("3"):rep(32), ("F"):rep(32)

describe("the grade book on a real server", function()
  local server, url, pool, services

  before_each(function()
    server = postgres.shared()
    url = server:migrated()
    pool = database.open { url = url }
    services = { configuration = { policy = { from_bucket = false, limits = {} } }, store = fake_store.open(),
      database = pool }
    server:sql(url, ([[
      SELECT submitter.schedule('a', 'e', '2026-01-01Z', '2026-02-01Z');
      SELECT submitter.enrol('a', 'e', 'ann@example.org', 'Ann', '%s');
      SELECT submitter.enrol('a', 'e', 'bob@example.org', 'Bob', '%s');
      SELECT submitter.enrol('a', 'e', 'eve@example.org', '=1+1"; DROP TABLE x; --', '%s');
      INSERT INTO submitter.assignments (event_id, name) SELECT id, 's' FROM submitter.events;
    ]]):format(ANN, BOB, EVE))
  end)
  after_each(function()
    pool:close()
    support.clean()
  end)

  -- An attempt; the submission's row where it isn't there yet. at: "2026-01-10 12:00Z"
  local function attempt(subid, tokens, at, fields)
    fields = fields or {}
    local team = {}
    for index, token in ipairs(tokens) do team[index] = ("('%s')"):format(token) end
    local text = ([[
      INSERT INTO submitter.submissions (administrator, event, assignment, subid, submitted_at)
        VALUES ('a', '%s', '%s', '%s', '%s') ON CONFLICT DO NOTHING;
      WITH result AS (
        INSERT INTO submitter.results (submission_id, mode, attempt, run, verdict, passed, total, points, max_points,
          source_sha256, submitted_at, started_at, finished_at, report)
        SELECT id, '%s', %d, 1, '%s', 0, 0, %s, 10, repeat('0', 64), '%s', '%s', '%s', '{}' FROM submitter.submissions
        WHERE subid = '%s' AND event = '%s' AND assignment = '%s'
        RETURNING id
      ) INSERT INTO submitter.teams SELECT result.id, token FROM result, (VALUES %s) AS team (token);
    ]]):format(fields.event or "e", fields.assignment or "s", subid, at, fields.mode or "test", fields.attempt or 1,
      fields.verdict or "WA", fields.points or 0, at, at, at, subid, fields.event or "e", fields.assignment or "s",
      table.concat(team, ", "))
    server:sql(url, text)
  end

  local function fail(subid, mode, class, at)
    server:sql(url, ([[
      INSERT INTO submitter.submissions (administrator, event, assignment, subid, submitted_at)
        VALUES ('a', 'e', 's', '%s', '2026-01-05Z') ON CONFLICT DO NOTHING;
      UPDATE submitter.submissions SET failed_at = '%s', failure_mode = '%s', failure_class = '%s', failure_reason = 'x'
        WHERE subid = '%s';
    ]]):format(subid, at, mode, class, subid))
  end

  -- Rows as lines: who, mode, verdict, points, attempt/attempts, late, note.
  local function book(text, mode)
    local lines = {}
    local rows = assert(gradebook.rows { services = services, path = assert(path.parse(text or "a/e/s")), mode = mode })
    for index, row in ipairs(rows) do
      lines[index] = ("%s %s %s %s %s/%d%s%s"):format(row.email and row.email:match "^[^@]+" or row.subid:sub(1, 1),
        row.mode, row.verdict or "-", row.points and ("%g"):format(row.points) or "-", row.attempt or "-", row.attempts,
        row.late and " late" or "", row.note and " (" .. row.note .. ")" or "")
    end
    return lines, rows
  end

  local function best()
    services.policy_directory = grading.policies { ["a/e.lua"] = 'return { counts = "best" }' }
  end

  it("has every student of the event, also before anything was handed in", function()
    local lines, rows = book()
    assert.are.same({
      "ann test - - -/0 (nothing handed in)", "bob test - - -/0 (nothing handed in)",
      "eve test - - -/0 (nothing handed in)",
    }, lines)
    assert.are.equal('=1+1"; DROP TABLE x; --', rows[3].name)
    assert.are.equal("grade", select(2, book("a/e", "grade"))[1].mode)
    assert.are.same({}, (book "b"))
    assert.are.same({}, (book("a/e/s/" .. ("a"):rep(32))))
  end)

  it("shows the latest attempt, or the best, of equal ones the first", function()
    for number, points in ipairs { 3, 9, 9, 5 } do
      attempt(("a"):rep(32), { ANN }, ("2026-01-%02d 12:00Z"):format(9 + number), { attempt = number, points = points })
    end
    local lines, rows = book()
    assert.are.equal("ann test WA 5 4/4", lines[1])
    assert.are.equal("2026-01-13T12:00:00.000Z", host.clock.utc(rows[1].submitted_ms))
    assert.are.same({ 10, 1 }, { rows[1].max_points, rows[1].tokens })
    best()
    assert.are.equal("ann test WA 9 2/4", book()[1])
  end)

  it("counts what a student did alone and in any team, by any of his tokens, and a team's for each member", function()
    local lost = ("4"):rep(32)
    server:sql(url, ("SELECT submitter.enrol('a', 'e', 'ANN@example.org', 'Ann', '%s')"):format(lost))
    attempt(("a"):rep(32), { ANN }, "2026-01-10Z", { points = 9 })
    attempt(("b"):rep(32), { lost, BOB }, "2026-01-11Z", { points = 2 })
    attempt(("c"):rep(32), { lost:upper(), ANN }, "2026-01-09Z", { points = 1 })
    local lines, rows = book()
    assert.are.same({ "ann test WA 2 1/3", "bob test WA 2 1/1", "eve test - - -/0 (nothing handed in)" }, lines)
    assert.are.equal(rows[1].subid, rows[2].subid)
    best()
    assert.are.same({ "ann test WA 9 1/3", "bob test WA 2 1/1", "eve test - - -/0 (nothing handed in)" }, (book()))
  end)

  it("has the modes in which there are results", function()
    attempt(("a"):rep(32), { ANN }, "2026-01-10Z", { points = 1 })
    attempt(("a"):rep(32), { ANN }, "2026-01-10Z", { points = 2, mode = "grade" })
    assert.are.same({ "ann test WA 1 1/1", "bob test - - -/0 (nothing handed in)",
      "eve test - - -/0 (nothing handed in)", "ann grade WA 2 1/1", "bob grade - - -/0 (nothing handed in)",
      "eve grade - - -/0 (nothing handed in)" }, (book()))
    assert.are.equal(3, #book("a/e/s", "grade"))
    assert.are.same({ "ann test WA 1 1/1", "ann grade WA 2 1/1" }, (book("a/e/s/" .. ("a"):rep(32))))
  end)

  it("says what is late", function()
    attempt(("a"):rep(32), { ANN }, "2026-02-01 00:00:00Z")
    attempt(("b"):rep(32), { BOB }, "2026-02-01 00:00:00.001Z")
    assert.are.same({ "ann test WA 0 1/1", "bob test WA 0 1/1 late" }, { table.unpack(book(), 1, 2) })
  end)

  it("doesn't let what was refused after the end take the place of what was graded", function()
    attempt(("a"):rep(32), { ANN, BOB }, "2026-01-10Z")
    attempt(("b"):rep(32), { ANN }, "2026-02-02Z", { verdict = "REJ" })
    attempt(("c"):rep(32), { EVE }, "2026-02-02Z", { verdict = "REJ" })
    assert.are.same({ "ann test WA 0 1/2", "bob test WA 0 1/1", "eve test REJ 0 1/1 late" }, (book()))
    server:sql(url, "SELECT submitter.schedule('a', 'e', '2026-01-01Z', NULL)")
    assert.are.equal("ann test REJ 0 1/2", book()[1])
  end)

  it("lists whose tokens nobody has, and says how many of a team are unknown", function()
    attempt(("a"):rep(32), { NOBODY }, "2026-01-10Z", { points = 4 })
    attempt(("b"):rep(32), { ANN, NOBODY }, "2026-01-10Z")
    -- A token of another event counts nowhere else.
    server:sql(url, ("SELECT submitter.enrol('a', 'other', 'ann@example.org', 'Ann', '%s')"):format(("5"):rep(32)))
    attempt(("c"):rep(32), { ("5"):rep(32) }, "2026-01-10Z")
    assert.are.same({
      "ann test WA 0 1/1 (1 token unknown)", "bob test - - -/0 (nothing handed in)",
      "eve test - - -/0 (nothing handed in)", "a test WA 4 1/1 (1 token unknown)", "c test WA 0 1/1 (1 token unknown)",
    }, (book()))
  end)

  it("notes the last grading that failed, until one succeeds", function()
    attempt(("a"):rep(32), { ANN }, "2026-01-10Z", { points = 4 })
    fail(("a"):rep(32), "test", "instructor", "2026-01-11Z")
    assert.are.equal("ann test WA 4 1/1 (last grading failed: instructor)", book()[1])
    attempt(("a"):rep(32), { ANN }, "2026-01-12Z", { points = 5, attempt = 2 })
    assert.are.equal("ann test WA 5 2/2", book()[1])
    best()
    attempt(("a"):rep(32), { ANN }, "2026-01-13Z", { points = 1, attempt = 3 })
    assert.are.equal("ann test WA 5 2/3", book()[1])
  end)

  it("has what was never graded, with its students where an earlier result knows them", function()
    fail(("d"):rep(32), "test", "environment", "2026-01-11Z")
    assert.are.equal("d test - - -/0 (last grading failed: environment)", book()[4])
    -- What a student hands in for an assignment that is nowhere is no task of the others.
    server:sql(url, [[
      INSERT INTO submitter.submissions (administrator, event, assignment, subid, submitted_at, failed_at, failure_mode,
        failure_class, failure_reason)
        VALUES ('a', 'e', 'nowhere', repeat('c', 32), '2026-01-05Z', '2026-01-05Z', 'test', 'not_found', 'x')
    ]])
    assert.are.same({ "c test - - -/0 (last grading failed: not_found)" }, (book "a/e/nowhere"))
    attempt(("a"):rep(32), { ANN }, "2026-01-10Z", { points = 4 })
    fail(("a"):rep(32), "grade", "instructor", "2026-02-02Z")
    local lines = book("a/e/s", "grade")
    assert.are.same({ "ann grade - - -/0 (last grading failed: instructor)", "bob grade - - -/0 (nothing handed in)",
      "eve grade - - -/0 (nothing handed in)" }, lines)
    -- But a result of the student's counts before it.
    attempt(("b"):rep(32), { ANN, BOB }, "2026-01-09Z", { points = 6, mode = "grade" })
    assert.are.equal("ann grade WA 6 1/1", book("a/e/s", "grade")[1])
  end)

  it("is by event and assignment, and has those that the bucket alone knows", function()
    attempt(("a"):rep(32), { ANN }, "2026-01-10Z", { assignment = "only in the bucket" })
    attempt(("b"):rep(32), { ANN }, "2026-01-10Z", { event = "unknown" })
    local _, rows = book "a"
    local seen = {}
    for index, row in ipairs(rows) do
      seen[index] = ("%s/%s %s"):format(row.event, row.assignment,
        row.email and row.email:match "^[^@]+" or row.subid:sub(1, 1))
    end
    assert.are.same({ "e/only in the bucket ann", "e/only in the bucket bob", "e/only in the bucket eve", "e/s ann",
      "e/s bob", "e/s eve", "unknown/s b" }, seen)
  end)

  it("can be read by a worker's role and by an instructor's", function()
    attempt(("a"):rep(32), { ANN }, "2026-01-10Z")
    for _, role in ipairs { "worker", "instructor" } do
      local user = "book_" .. role .. "_" .. host.digest.random(4)
      server:sql(url, ("CREATE ROLE %s LOGIN; GRANT submitter_%s TO %s"):format(user, role, user))
      services.database = database.open { url = (url:gsub("user=%S+", "user=" .. user)) }
      assert.are.equal(3, #book())
      services.database:close()
    end
  end)

  it("doesn't take SQL for anything but a name", function()
    local hostile = "a'; DROP TABLE submitter.results; --"
    assert.are.same({}, gradebook.rows { services = services, path = assert(path.parse(hostile)) })
    assert.are.equal("0", server:sql(url, "SELECT count(*) FROM submitter.results"))
    assert.are.same({}, gradebook.rows { services = services, path = assert(path.parse "a/\xff") })
  end)
end)
