--- kill -9 of workers that record in PostgreSQL, one of two or both, at random moments, while students hand in again and messages
--- come twice: afterwards each attempt is recorded once and whole, and bucket and database agree.
---
---     build/submitter run spec/integration/kill_database.lua [KILLS] [SUBMISSIONS] [SEED]
---
--- The seed is printed; with it the same moments are drawn again.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local book = require "spec.integration.book"
local host = require "submitter.host"
local postgres = require "spec.postgres"
local submission = require "submitter.submission"
local submit = require "submitter.cli.submit"
local support = require "spec.integration.support"

local kills, count = tonumber(arg[1] or "20"), tonumber(arg[2] or "24")
local seed = tonumber(arg[3] or host.clock.now_ms() % 1000000)
local PATIENCE_MS = 300000
print("# seed " .. seed)
math.randomseed(seed)

local must = support.must
local server = postgres.shared()
local services, owner = book.deployment(server, "kill-database", { visibility = '"2s"', retry_delay = '"50ms"' })
local handed = support.hand_in(services, count, 3)
book.move_cases(services, owner)

local function hand_in_again(index, version)
  local location = handed[index].location
  must(submit.hand_in(services, {
    source = ("print(%d)\n"):format(version), admin = location.admin, event = location.event,
    assignment = location.assignment, tokens = { host.digest.md5("student " .. index) },
  }))
end

-- A message that comes twice, for two workers to take at the same time; every other time it asks for a regrade.
local function announce_twice(index, version)
  local body = submission.message {
    key = handed[index].location.key, mode = "test", regrade = version % 2 == 0 and "again-" .. version or nil,
  }
  for _ = 1, 2 do must(services.queue:send(body)) end
end

-- Holds up whoever writes into a table, so that a kill finds workers between bucket and database, or half-way through a
-- transaction, and not only at the students' programs, which take most of the time.
local tables = { "submissions", "results", "case_results", "teams" }

local function hold_up(seconds)
  local name = tables[math.random(#tables)]
  return host.task.spawn("held up", function()
    server:sql(owner, ("BEGIN; LOCK TABLE submitter.%s IN EXCLUSIVE MODE; SELECT pg_sleep(%.2f); COMMIT"):format(name,
      seconds))
  end)
end

local function start() return support.start_worker(services, { once = false }) end

local workers = { start(), start() }
for number = 1, kills do
  for _ = 1, 3 do hand_in_again(math.random(count), number) end
  for _ = 1, 2 do announce_twice(math.random(count), number) end
  local held_up = hold_up(math.random() * 1.2)
  host.clock.sleep_ms(math.random(20, 1200))
  local both = math.random(4) == 1
  local first = math.random(2)
  for _, index in ipairs { first, both and 3 - first or nil } do workers[index].child:kill "KILL" end
  for _, index in ipairs { first, both and 3 - first or nil } do
    support.wait_worker(workers[index])
    workers[index] = start()
  end
  must(held_up:join())
end
print("# killed " .. kills .. " times")
support.await_empty_queue(services, PATIENCE_MS)
for index in ipairs(workers) do book.stop(workers[index], "kills") end
local attempts = book.number(server, owner, "SELECT count(*) FROM submitter.results")
local runs = book.number(server, owner, "SELECT sum(run) FROM submitter.results")
print(("# %d attempts of %d submissions recorded"):format(attempts, count))
support.check(attempts > count and runs > attempts, "students handed in again, and were graded again", attempts)
book.check(server, services, owner, handed, "kills")
book.check_settled(services, "kills")
services:close()
server:close()
support.finish()
