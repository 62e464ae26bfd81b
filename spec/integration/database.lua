--- The grade book in a real PostgreSQL, with real workers: every submission recorded once, whatever happens to the server.
---
---     build/submitter run spec/integration/database.lua [SUBMISSIONS] [SUBMISSIONS DURING AN OUTAGE]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local host = require "submitter.host"
local postgres = require "spec.postgres"
local submit = require "submitter.cli.submit"
local support = require "spec.integration.support"

local count = tonumber(arg[1] or "500")
local outage_count = tonumber(arg[2] or "100")
local AWAY_MS = 10000
local PATIENCE_MS = 600000

local check, must = support.check, support.must
local server = postgres.shared()

-- A deployment with a database of its own, whose workers are no more than submitter_worker.
local function deployment(name)
  local owner = server:migrated()
  local database_name = owner:match "dbname=(%S+)"
  server:sql(owner, "DO $$ BEGIN CREATE ROLE spec_worker LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$; "
    .. "GRANT submitter_worker TO spec_worker")
  local settings = { database = ("postgres { url = %q }"):format(server:url_of(database_name, "spec_worker")) }
  return support.deployment(name, settings), owner
end

-- What a command printed.
local function submitter(services, owner, ...)
  local ended = must(host.child.run {
    program = host.system.executable(), arguments = { ... }, limit_bytes = 64 << 20,
    environment = { PATH = "/usr/bin:/bin", SUBMITTER_CONFIG = services.path, SUBMITTER_DATABASE_URL = owner },
  })
  if ended.exit_code ~= 0 then
    error(("submitter %s: exit code %s: %s%s"):format(table.concat({ ... }, " "), ended.exit_code, ended.stderr,
      ended.stdout))
  end
  return ended.stdout
end

-- Brings the cases that were put into the bucket into the database, and takes them out of the bucket.
local function move_cases(services, owner)
  for _, assignment in ipairs { "sum", "echo", "route" } do
    local folder = ("integration/spring/%s/grading/"):format(assignment)
    for _, half in ipairs { "in", "out" } do
      must(services.folder:write(assignment .. "." .. half, must(services.store:get(folder .. "test." .. half))))
      must(services.store:delete(folder .. "test." .. half))
    end
    local place = services.folder:path() .. "/" .. assignment
    submitter(services, owner, "cases", "import", "integration/spring/" .. assignment, "--in", place .. ".in", "--out",
      place .. ".out")
  end
end

local function number(owner, text)
  return tonumber((server:sql(owner, text)))
end

local consistent = {
  ["results"] = "SELECT count(*) FROM submitter.results",
  ["submissions"] = "SELECT count(*) FROM submitter.submissions",
  ["team members"] = "SELECT count(*) FROM submitter.teams",
}

-- One row a submission, its cases once, and the same in the bucket.
local function check_book(services, owner, handed, what)
  for name, statement in pairs(consistent) do
    local rows = number(owner, statement)
    check(rows == #handed, ("%s: %d %s"):format(what, #handed, name), rows)
  end
  local odd = server:sql(owner, [[
    SELECT s.subid, r.total, count(c.number) FROM submitter.results r
      JOIN submitter.submissions s ON s.id = r.submission_id
      LEFT JOIN submitter.case_results c ON c.result_id = r.id AND c.run = r.run
      GROUP BY s.subid, r.id, r.total HAVING count(c.number) <> r.total]])
  check(odd == "", what .. ": as many rows of cases as cases", odd)
  local verdicts, different = {}, {}
  for line in server:sql(owner, "SELECT s.subid || ' ' || r.verdict || ' ' || r.passed || ' ' || r.attempt FROM "
    .. "submitter.results r JOIN submitter.submissions s ON s.id = r.submission_id"):gmatch "[^\n]+" do
    verdicts[line:match "^%x+"] = line:match " (.*)$"
  end
  for _, one in ipairs(handed) do
    local truth = host.json.decode(services.store:get(
      ("%s/grading/results/%s.json"):format(one.location.base, one.location.subid)) or "{}")
    local expected = ("%s %s %s"):format(truth.verdict, truth.passed, truth.attempt)
    if verdicts[one.location.subid] ~= expected then
      different[#different + 1] = ("%s: %s in the bucket, %s in the database"):format(one.name, expected,
        tostring(verdicts[one.location.subid]))
    end
  end
  check(#different == 0, what .. ": bucket and database agree",
    table.concat(different, "; ", 1, math.min(5, #different)))
end

local function check_settled(services, what)
  local letters = must(services.queue:dead_letters())
  local failed = {}
  for _, letter in ipairs(letters) do
    if letter.class ~= "rejected" then failed[#failed + 1] = tostring(letter.reason) end
  end
  check(#failed == 0, what .. ": no dead letter but of what can't be graded", table.concat(failed, "; "))
  local left = support.settle(services)
  check(#left == 0, what .. ": no message, job folder, process or control group is left", table.concat(left, "; "))
end

local function stop(worker, what)
  worker.child:kill "TERM"
  local log, ended = support.wait_worker(worker)
  check(ended.exit_code == 0, what .. ": a worker ends when told to", log:sub(-2000))
  return log
end

local function crowd()
  local services, owner = deployment "database-crowd"
  local handed = support.hand_in(services, count, 3)
  move_cases(services, owner)
  local began = host.clock.monotonic_ms()
  local workers = { support.start_worker(services), support.start_worker(services) }
  for index, worker in ipairs(workers) do
    local log, ended = support.wait_worker(worker)
    check(ended.exit_code == 0, ("crowd: worker %d exits 0"):format(index), log:sub(-2000))
  end
  print(("# %d submissions in %.1f s"):format(count, (host.clock.monotonic_ms() - began) / 1000))
  check_book(services, owner, handed, "crowd")
  local sources = server:sql(owner,
    "SELECT DISTINCT coalesce(cases_source, 'none') FROM submitter.results WHERE verdict <> 'REJ'")
  check(sources == "postgres", "crowd: the cases were the database's", sources)
  check_settled(services, "crowd")
  services:close()
end

local function outage()
  local services, owner = deployment "database-outage"
  local handed = support.hand_in(services, outage_count, 3)
  move_cases(services, owner)
  local worker = support.start_worker(services, { once = false })
  local function results() return number(owner, consistent.results) end
  support.await("some are recorded", PATIENCE_MS, function() return results() >= outage_count // 4 end)
  server:kill()
  host.clock.sleep_ms(AWAY_MS)
  server:resume()
  support.await("all are recorded", PATIENCE_MS, function() return results() >= outage_count end)
  support.await("the queue is empty", PATIENCE_MS, function()
    local depth = must(services.queue:depth())
    return depth.ready + depth.held == 0
  end)
  local log = stop(worker, "outage")
  check(log:find('"event":"database_away"', 1, true) and log:find('"event":"database_back"', 1, true),
    "outage: its log says when the database was away", log:sub(1, 2000))
  check_book(services, owner, handed, "outage")
  check_settled(services, "outage")
  services:close()
end

local ADMIN, EVENT = "integration", "spring"

local function hand_in_late(services)
  return must(submit.hand_in(services, {
    source = "import sys; print(sum(map(int, sys.argv[1:])))", admin = ADMIN, event = EVENT, assignment = "sum",
    tokens = { host.digest.md5 "a late student" },
  }))
end

-- Two workers; the event ends while they serve. Two of three assignments have grade cases, one of them in the bucket.
local function the_end()
  local services, owner = deployment "database-end"
  local handed = support.hand_in(services, 30, 3)
  move_cases(services, owner)
  must(services.folder:write("grade.in", "1 2\n"))
  must(services.folder:write("grade.out", "3\n"))
  local place = services.folder:path() .. "/grade."
  submitter(services, owner, "cases", "import", ADMIN .. "/" .. EVENT .. "/sum", "--mode", "grade",
    "--in", place .. "in", "--out", place .. "out")
  must(services.store:put(("%s/%s/echo/grading/grade.in"):format(ADMIN, EVENT), "x\n"))
  must(services.store:put(("%s/%s/echo/grading/grade.out"):format(ADMIN, EVENT), "x\n"))
  local workers = { support.start_worker(services, { once = false }), support.start_worker(services, { once = false }) }
  support.await("the test cases are graded", PATIENCE_MS, function() return number(owner, consistent.results) >= 30 end)
  server:sql(owner, ("SELECT submitter.schedule('%s', '%s', NULL, now())"):format(ADMIN, EVENT))
  local wanted = {}
  for _, one in ipairs(handed) do
    if one.location.assignment ~= "route" then wanted[#wanted + 1] = one.location.subid end
  end
  local function finals() return number(owner, "SELECT count(*) FROM submitter.results WHERE mode = 'grade'") end
  support.await("the grade cases are graded", PATIENCE_MS, function() return finals() >= #wanted end)
  local late = hand_in_late(services)
  support.await("the late one is graded", PATIENCE_MS, function() return finals() > #wanted end)
  local logs = stop(workers[1], "end") .. stop(workers[2], "end")
  check(finals() == #wanted + 1, "end: all that have grade cases are graded on them", finals())
  check(select(2, logs:gsub('"event":"final_grading_queued"', "")) == 1, "end: one worker of two queued them, once")
  check(number(owner, "SELECT queued FROM submitter.final_gradings") == #wanted, "end: it is noted how many")
  check(server:sql(owner, "SELECT DISTINCT run FROM submitter.results WHERE mode = 'grade'") == "1",
    "end: each was graded once")
  local sources = server:sql(owner, [[
    SELECT string_agg(DISTINCT r.cases_source || ' ' || s.assignment, ', ') FROM submitter.results r
      JOIN submitter.submissions s ON s.id = r.submission_id WHERE mode = 'grade' AND verdict <> 'REJ']])
  check(sources == "bucket echo, postgres sum", "end: cases came from the database, else from the bucket", sources)
  local book = submitter(services, owner, "results", ADMIN .. "/" .. EVENT, "--format", "csv")
  local line = book:match("[^\n]*" .. late.location.subid .. "[^\n]*") or book
  check(line:find "grade" and line:find "AC" and line:find ",yes," and not line:find "test",
    "end: who came late is graded on the grade cases alone, and late in the grade book", line)
  check_settled(services, "end")
  services:close()
end

local HOSTILE_NAME = "Robert'); DROP TABLE submitter.results;--"
local hostile = {
  { "sys.stdout.buffer.write(b'\\0nul\\0')", "\\0nul\\0" },
  { "sys.stdout.buffer.write(b'\\xff\\xfe latin')", "\xEF\xBF\xBD\xEF\xBF\xBD latin" },
  { "print(\"'); DROP TABLE submitter.results; --\")", "'); DROP TABLE submitter.results; --" },
  { "print('\\\\.')", "\\." },
  { "print('\\t\\\\N\\t\\r')", "\\N" },
  { "sys.stdout.write('x' * 10000000)", "xxxxxxxxxx" },
}

-- What students print, what they call things: kept as it can be read, and never taken for SQL.
local function hostility()
  local services, owner = deployment "database-hostile"
  must(services.folder:write("policy/default.lua", 'return { input = "line", limits = { output = "16M" } }\n'))
  local base = HOSTILE_NAME .. "/e'\"$$/a\\"
  must(services.store:put(base .. "/grading/test.in", "'; DELETE FROM submitter.cases; --\n"))
  must(services.store:put(base .. "/grading/test.out", "$1\n"))
  local subids = {}
  for index, one in ipairs(hostile) do
    local made = must(submit.hand_in(services, {
      source = "import sys\n" .. one[1], admin = HOSTILE_NAME, event = "e'\"$$", assignment = "a\\",
      tokens = { host.digest.md5("hostile " .. index) },
    }))
    subids[index] = made.location.subid
  end
  local log, ended = support.wait_worker(support.start_worker(services))
  check(ended.exit_code == 0, "hostile: the worker exits 0", log:sub(-2000))
  for index, one in ipairs(hostile) do
    local kept = server:sql(owner, ([[
      SELECT actual FROM submitter.case_results JOIN submitter.results ON results.id = result_id
        JOIN submitter.submissions ON submissions.id = submission_id WHERE subid = '%s']]):format(subids[index]))
    check(kept:find(one[2], 1, true), ("hostile: output %d is there to be read"):format(index), kept:sub(1, 200))
  end
  local names = server:sql(owner,
    "SELECT DISTINCT administrator || '|' || event || '|' || assignment FROM submitter.submissions")
  check(names == HOSTILE_NAME .. "|e'\"$$|a\\", "hostile: names are what they were", names)
  local book = submitter(services, owner, "results", HOSTILE_NAME, "--format", "csv")
  check(book:find(subids[1], 1, true), "hostile: the grade book has them", book)
  check_settled(services, "hostile")
  services:close()
end

crowd()
outage()
the_end()
hostility()
server:close()
support.finish()
