--- The grade book in a real PostgreSQL, with real workers: every submission recorded once, whatever happens to the server.
---
---     build/submitter run spec/integration/database.lua [SUBMISSIONS] [SUBMISSIONS DURING AN OUTAGE]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local book = require "spec.integration.book"
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

local function deployment(name) return book.deployment(server, name) end
local function number(owner, text) return book.number(server, owner, text) end
local function check_book(...) book.check(server, ...) end
local submitter, move_cases, check_settled, stop = book.submitter, book.move_cases, book.check_settled, book.stop

local RESULTS = "SELECT count(*) FROM submitter.results"

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
  local function results() return number(owner, RESULTS) end
  support.await("some are recorded", PATIENCE_MS, function() return results() >= outage_count // 4 end)
  server:kill()
  host.clock.sleep_ms(AWAY_MS)
  server:resume()
  support.await("all are recorded", PATIENCE_MS, function() return results() >= outage_count end)
  support.await_empty_queue(services, PATIENCE_MS)
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
  support.await("the test cases are graded", PATIENCE_MS, function() return number(owner, RESULTS) >= 30 end)
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
  local listed = submitter(services, owner, "results", ADMIN .. "/" .. EVENT, "--format", "csv")
  local line = listed:match("[^\n]*" .. late.location.subid .. "[^\n]*") or listed
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
  local listed = submitter(services, owner, "results", HOSTILE_NAME, "--format", "csv")
  check(listed:find(subids[1], 1, true), "hostile: the grade book has them", listed)
  check_settled(services, "hostile")
  services:close()
end

crowd()
outage()
the_end()
hostility()
server:close()
support.finish()
