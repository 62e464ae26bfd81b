--- kill -9 of the container engine, of the worker, or of both at once, at random moments, each followed by a restart, ends in the
--- same reports as an undisturbed run, and nothing is left of any of them.
---
---     build/submitter run spec/integration/kill_engine.lua [KILLS] [SUBMISSIONS] [SEED]
---
--- The seed is printed; with it the same moments are drawn again.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local container_engine = require "spec.container_engine"
local containers = require "spec.integration.container_support"
local support = require "spec.integration.support"
local host = require "submitter.host"

local kills, count = tonumber(arg[1] or "20"), tonumber(arg[2] or "50")
local seed = tonumber(arg[3] or host.clock.now_ms() % 1000000)
local CASES, PATIENCE_MS, START_MS = 3, 600000, 120000
-- Engines that start and programs that compute share the processors.
local WALL = "2s"
-- An engine that is away for longer than this is no other test.
local AWAY_MS = 1500
print("# seed " .. seed)
math.randomseed(seed)

local engine = container_engine.start { kind = "docker", own = true }
local before = containers.surroundings(engine)
local settings = {
  runner = containers.runner(engine, { pool = "3", patience = '"5s"' }), visibility = '"2s"', retry_delay = '"50ms"',
}

local function start(services)
  return support.start_worker(services, { once = false })
end

local function stop(worker, what)
  containers.await_log(worker, '"event":"worker_started"', START_MS)
  worker.child:kill "TERM"
  local log, ended = support.wait_worker(worker)
  support.check(ended.exit_code == 0, what .. ": the worker exits 0", log:sub(-2000))
end

-- What is refused unrun while the engine is away says nothing of the image, if the worker hasn't seen it by then.
local function published(services, one)
  return support.published(services, one, { image_id = true })
end

--- The reports of an undisturbed run, by name.
local function undisturbed()
  local services = support.deployment("kill-engine-reference", settings, WALL)
  local handed = support.hand_in(services, count, CASES)
  local began = host.clock.monotonic_ms()
  local worker = start(services)
  support.await_empty_queue(services, PATIENCE_MS)
  local duration_ms = host.clock.monotonic_ms() - began
  stop(worker, "undisturbed")
  local reports = {}
  for _, one in ipairs(handed) do reports[one.name] = published(services, one) end
  return reports, duration_ms
end

local reference, duration_ms = undisturbed()
print(("# undisturbed: %d submissions in %.1f s"):format(count, duration_ms / 1000))

local services = support.deployment("kill-engine", settings, WALL)
local handed = support.hand_in(services, count, CASES)
local worker = start(services)
local done = { engine = 0, worker = 0, both = 0 }
local kinds = { "engine", "worker", "both" }

local function is_done()
  local depth = support.must(services.queue:depth())
  return depth.ready + depth.held == 0
end

local function kill_worker()
  worker.child:kill "KILL"
  support.wait_worker(worker)
end

-- Kills both in the order that chance takes, and starts both again.
local function kill(which)
  local away_ms = math.random(0, AWAY_MS)
  local worker_first = math.random(2) == 1
  if which == "worker" or which == "both" and worker_first then kill_worker() end
  if which ~= "worker" then engine:kill() end
  if which == "both" and not worker_first then kill_worker() end
  if which == "worker" then
    worker = start(services)
    return
  end
  -- The worker that is started first doesn't find the engine there.
  if which == "both" then worker = start(services) end
  host.clock.sleep_ms(away_ms)
  engine:resume()
end

-- Moments spread over the whole, so that the last kills still find work: what a kill undoes is done again.
local stretch_ms = math.max(100, duration_ms // (kills + 1))
for number = 1, kills do
  host.clock.sleep_ms(math.random(20, 2 * stretch_ms))
  if is_done() then break end
  local which = kinds[(number - 1) % #kinds + 1]
  kill(which)
  done[which] = done[which] + 1
end
local killed = done.engine + done.worker + done.both
print(("# killed: the engine %d times, the worker %d, both %d"):format(done.engine, done.worker, done.both))
support.check(killed >= math.min(kills, 3), "the kills found work", killed .. " kills")
support.await_empty_queue(services, PATIENCE_MS)
stop(worker, "killed")

local different, refused = {}, 0
for _, one in ipairs(handed) do
  local text, why = published(services, one)
  if text ~= reference[one.name] then
    different[#different + 1] = one.name .. ": " .. (why or "it differs")
    if text and #different == 1 then
      io.stderr:write("expected ", tostring(reference[one.name]), "\ngot ", text, "\n")
    end
  end
  if text and text:find('"verdict":"REJ"', 1, true) then refused = refused + 1 end
end
support.check(#different == 0, "every report is that of the undisturbed run", table.concat(different, "; "))
local left = containers.settle(engine, before, services, refused)
support.check(#left == 0, "no message, folder, process, container, volume or network is left",
  table.concat(left, "; "))
engine:close()
support.finish()
