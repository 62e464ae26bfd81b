--- What the integration scripts with a database share: a deployment whose grade book is in PostgreSQL, and whether bucket and
--- book agree.
local host = require "submitter.host"
local key = require "submitter.key"
local support = require "spec.integration.support"

local book = {}

local check, must = support.check, support.must
-- A worker's start on an emulated machine.
local START_MS = 60000

--- A deployment with a database of its own, whose workers are no more than submitter_worker.
---@async
---@param server PostgresServer
---@param name string of the folder
---@param settings table<string, string>|nil more fields of the configuration, as Lua text
---@return table services
---@return string owner a conninfo: the database as its owner
function book.deployment(server, name, settings)
  local owner = server:migrated()
  server:sql(owner, "DO $$ BEGIN CREATE ROLE spec_worker LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$; "
    .. "GRANT submitter_worker TO spec_worker")
  local url = server:url_of(owner:match "dbname=(%S+)", "spec_worker")
  local fields = { database = ("postgres { url = %q }"):format(url) }
  for field, value in pairs(settings or {}) do fields[field] = value end
  return support.deployment(name, fields), owner
end

--- What a command printed. Throws when it fails.
---@async
function book.submitter(services, owner, ...)
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

--- Brings the cases that were put into the bucket into the database, and takes them out of the bucket.
---@async
function book.move_cases(services, owner)
  for _, assignment in ipairs { "sum", "echo", "route" } do
    local folder = ("integration/spring/%s/grading/"):format(assignment)
    for _, half in ipairs { "in", "out" } do
      must(services.folder:write(assignment .. "." .. half, must(services.store:get(folder .. "test." .. half))))
      must(services.store:delete(folder .. "test." .. half))
    end
    local place = services.folder:path() .. "/" .. assignment
    book.submitter(services, owner, "cases", "import", "integration/spring/" .. assignment, "--in", place .. ".in",
      "--out", place .. ".out")
  end
end

--- The number that a statement answers.
---@async
function book.number(server, owner, text)
  return tonumber((server:sql(owner, text)))
end

-- What the database has of each submission in mode test: its attempts, each "verdict passed run", in order.
local function attempts_of(server, owner)
  local attempts = {}
  for line in server:sql(owner, [[
    SELECT s.subid || ' ' || r.verdict || ' ' || r.passed || ' ' || r.attempt || ' ' || r.run
    FROM submitter.results r JOIN submitter.submissions s ON s.id = r.submission_id
    WHERE r.mode = 'test' ORDER BY s.subid, r.attempt]]):gmatch "[^\n]+" do
    local subid, result = line:match "^(%x+) (.*)$"
    attempts[subid] = attempts[subid] or {}
    table.insert(attempts[subid], result)
  end
  return attempts
end

local function read(services, object_key)
  return host.json.decode(services.store:get(object_key) or "{}")
end

-- Why bucket and book say different things of a submission; nil where they agree. Every attempt that ever stood in the bucket
-- is in the book, once.
local function difference(services, one, attempts)
  local names = key.names(one.location, "test")
  local truth, result = read(services, names.truth), read(services, names.result)
  local standing = ("%s %s %s %s"):format(truth.verdict, truth.passed, truth.attempt, truth.run)
  local shown = ("%s %s %s %s"):format(result.verdict, result.passed, result.attempt, result.run)
  local recorded = attempts and attempts[#attempts] or "nothing"
  if shown ~= standing then return ("%s is the truth, %s is shown"):format(standing, shown) end
  if recorded ~= standing then return ("%s in the bucket, %s in the database"):format(standing, recorded) end
  if #attempts ~= truth.attempt then return ("%d of %d attempts in the database"):format(#attempts, truth.attempt) end
  return nil
end

--- Checks that each submission's attempts are recorded once, with their teams and all of their cases, and that the last is
--- what stands in the bucket and what students see.
---@async
---@param server PostgresServer
---@param services table
---@param owner string
---@param handed table[] of support.hand_in; each by one student
---@param what string in front of the names of the checks
function book.check(server, services, owner, handed, what)
  local attempts, different, results = attempts_of(server, owner), {}, 0
  for _, one in ipairs(handed) do
    local found = attempts[one.location.subid]
    results = results + #(found or {})
    local why = difference(services, one, found)
    if why then different[#different + 1] = one.name .. ": " .. why end
  end
  check(#different == 0, what .. ": bucket and database agree",
    table.concat(different, "; ", 1, math.min(5, #different)))
  for name, expected in pairs { submissions = #handed, results = results, teams = results } do
    local rows = book.number(server, owner, ({
      submissions = "SELECT count(*) FROM submitter.submissions",
      results = "SELECT count(*) FROM submitter.results",
      teams = "SELECT count(*) FROM submitter.teams",
    })[name])
    check(rows == expected, ("%s: %d %s"):format(what, expected, name), rows)
  end
  local odd = server:sql(owner, [[
    SELECT s.subid, r.attempt, r.total, count(c.number) FROM submitter.results r
      JOIN submitter.submissions s ON s.id = r.submission_id
      LEFT JOIN submitter.case_results c ON c.result_id = r.id AND c.run = r.run
      GROUP BY s.subid, r.id, r.attempt, r.total HAVING count(c.number) <> r.total]])
  check(odd == "", what .. ": as many rows of cases as cases", odd)
  local failed = server:sql(owner,
    "SELECT subid, failure_reason FROM submitter.submissions WHERE failed_at IS NOT NULL")
  check(failed == "", what .. ": no failure is noted", failed)
end

--- Checks that nothing was given up but what can't be graded, and that nothing is left.
---@async
function book.check_settled(services, what)
  local letters = must(services.queue:dead_letters())
  local failed = {}
  for _, letter in ipairs(letters) do
    if letter.class ~= "rejected" then failed[#failed + 1] = tostring(letter.reason) end
  end
  check(#failed == 0, what .. ": no dead letter but of what can't be graded", table.concat(failed, "; "))
  local left = support.settle(services)
  check(#left == 0, what .. ": no message, job folder, process or control group is left", table.concat(left, "; "))
end

--- Tells a worker to end, once it has begun, and returns its log.
---@async
function book.stop(worker, what)
  support.await("the worker has begun", START_MS, function()
    return table.concat(worker.log):find('"event":"worker_started"', 1, true)
  end)
  worker.child:kill "TERM"
  local log, ended = support.wait_worker(worker)
  check(ended.exit_code == 0, what .. ": a worker ends when told to", log:sub(-2000))
  return log
end

return book
