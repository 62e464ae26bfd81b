--- Purging on a real server: which rows go, and who may.
local database = require "submitter.database"
local fake_store = require "spec.fake.store"
local host = require "submitter.host"
local path = require "submitter.path"
local postgres = require "spec.postgres"
local purge = require "submitter.purge"

local old, young = ("a"):rep(32), ("b"):rep(32)
local BEFORE_MS = 1769904000000 -- 2026-02-01Z

describe("purging on a real server", function()
  local server, url, pools, store

  before_each(function()
    server, store, pools = postgres.shared(), fake_store.open(), {}
    url = server:migrated()
    server:sql(url, ([[
      SELECT submitter.enrol('a', 'e', 'ann@example.org', 'Ann', repeat('1', 32));
      INSERT INTO submitter.assignments (event_id, name) SELECT id, 's' FROM submitter.events;
      INSERT INTO submitter.cases (assignment_id, mode, position, input, expected)
        SELECT id, 'test', 1, '1', '1' FROM submitter.assignments;
      INSERT INTO submitter.submissions (administrator, event, assignment, subid, submitted_at) VALUES
        ('a', 'e', 's', '%s', '2026-01-31 23:59:59.999999Z'), ('a', 'e', 's', '%s', '2026-02-01Z'),
        ('b', 'e', 's', '%s', '2026-01-01Z');
      INSERT INTO submitter.results (submission_id, mode, attempt, run, verdict, passed, total, points, max_points,
        source_sha256, submitted_at, started_at, finished_at, report)
        SELECT submissions.id, mode, attempt, 1, 'AC', 1, 1, 1, 1, repeat('0', 64), '2026-01-01Z', now(), now(), '{}'
        FROM submitter.submissions, (VALUES ('test'), ('grade')) AS modes (mode), generate_series(1, 2) AS attempt;
      INSERT INTO submitter.teams SELECT id, repeat('1', 32) FROM submitter.results;
      INSERT INTO submitter.case_results (result_id, run, number, verdict, pass, points, input, expected, actual,
        actual_truncated, stderr) SELECT id, 1, 1, 'AC', true, 1, '', '', '', false, '' FROM submitter.results;
      INSERT INTO submitter.mails (result_id, run, student_id, verdict, passed, points)
        SELECT results.id, 1, students.id, 'AC', 1, 1 FROM submitter.results, submitter.students;
    ]]):format(old, young, old))
    for _, subid in ipairs { old, young } do
      for _, suffix in ipairs { ".json", ".py", ".out" } do
        local name = ("a/e/s/%s/%s%s"):format(subid, subid, suffix)
        store.objects[name], store.times[name] = "x", BEFORE_MS + (subid == old and -1 or 0)
      end
    end
  end)
  after_each(function()
    for _, pool in ipairs(pools) do pool:close() end
  end)

  local function open(user)
    local pool = database.open { url = user and url:gsub("user=%S+", "user=" .. user) or url }
    pools[#pools + 1] = pool
    return purge.new { store = store, database = pool, path = assert(path.parse "a"), before_ms = BEFORE_MS }
  end

  local function member(role)
    local user = "purger_" .. role .. "_" .. host.digest.random(4)
    server:sql(url, ("CREATE ROLE %s LOGIN; GRANT submitter_%s TO %s"):format(user, role, user))
    return user
  end

  local function count(name) return tonumber(server:sql(url, "SELECT count(*) FROM submitter." .. name)) end

  it("removes the rows of what is old and nothing else, as an instructor", function()
    local job = open(member "instructor")
    local list, newer = job:find()
    assert.are.same({ 1, 1, old, true }, { #list, newer, list[1].subid, list[1].has_row })
    local total = assert(job:remove(list, function(_, _, problem) assert.is_nil(problem) end))
    assert.are.same({
      submissions = 1, objects = 3, rows = 1 + 4 + 4 + 4 + 4, kept = 0, failed = 0, untried = 0,
    }, total)
    for name, expected in pairs { submissions = 2, results = 8, case_results = 8, teams = 8, mails = 8, cases = 1,
      students = 1, tokens = 1, assignments = 1, events = 1 } do
      assert.are.equal(expected, count(name))
    end
    assert.are.same({}, (job:find()))
  end)

  it("removes nothing as a worker, and says which role may", function()
    local user = member "worker"
    local job = open(user)
    local total, message, code = job:remove(assert(job:find()), function() end)
    assert.is_nil(total)
    assert.matches("the database role " .. user .. " may not remove submissions", message, 1, true)
    assert.matches("member of submitter_instructor", message, 1, true)
    assert.are.equal("environment", code)
    assert.are.equal(3, count "submissions")
    assert.are.equal(6, #store:list "a/")
  end)

  it("keeps a row that has become newer since it was found", function()
    local job = open()
    local list = assert(job:find())
    server:sql(url, ("UPDATE submitter.submissions SET submitted_at = '2026-02-02Z' WHERE subid = '%s'"):format(old))
    assert.are.equal(0, assert(job:remove(list, function() end)).rows)
    assert.are.equal(3, count "submissions")
  end)
end)
