--- What can go wrong with a container engine, each brought about: what the worker says, that nothing is counted against the
--- submissions, and that it goes on by itself when it can.
---
---     build/submitter run spec/integration/container_faults.lua [NAME]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local container_engine = require "spec.container_engine"
local containers = require "spec.integration.container_support"
local support = require "spec.integration.support"
local host = require "submitter.host"
local key = require "submitter.key"

local check, must = support.check, support.must
local START_MS, GRADE_MS = 60000, 300000
local PATIENCE = "2s"
local right = "import sys\nprint(sum(int(word) for word in sys.argv[1:]))\n"
local slow = "import sys, time\ntime.sleep(%s)\nprint(sum(int(word) for word in sys.argv[1:]))\n"

local engine = container_engine.start { kind = "docker", own = true }
local before = containers.surroundings(engine)

local function deployment(name, fields)
  local opened = support.deployment("fault-" .. name, {
    runner = containers.runner(engine, fields or { pool = "2", patience = ("%q"):format(PATIENCE) }),
    visibility = '"2s"', retry_delay = '"50ms"', slots = "2",
  })
  must(opened.folder:write("policy/default.lua",
    'return { limits = { cpu = "1s", wall = "4s", memory = "64M", files = "16M" } }\n'))
  return opened
end

local function serve(opened)
  return support.start_worker(opened, { once = false })
end

local function submitter(opened, ...)
  return must(host.child.run { program = host.system.executable(), arguments = { ... },
    environment = { PATH = "/usr/bin:/bin", SUBMITTER_CONFIG = opened.path } })
end

local function truth_of(opened, one)
  local text, message = opened.store:get(key.names(one.location, "test").truth)
  if not text then return nil, message end
  return host.json.decode(text)
end

local function verdicts(truth)
  local list = {}
  for index, case in ipairs(truth.cases) do list[index] = case.verdict end
  return table.concat(list, " ")
end

local function check_verdicts(opened, handed, title, expected)
  local wrong = {}
  for _, one in ipairs(handed) do
    local truth, why = truth_of(opened, one)
    local found = truth and verdicts(truth) or why
    if found ~= expected then wrong[#wrong + 1] = one.name .. ": " .. tostring(found) end
  end
  check(#wrong == 0, ("%s: all are graded, each %s"):format(title, expected), table.concat(wrong, "; "))
end

local function says(log, text)
  return log:find(text, 1, true) ~= nil
end

-- The reasons that a log gives for an event.
local function reasons(log, event)
  local list = {}
  for line in log:gmatch "[^\n]+" do
    local entry = line:find "^{" and host.json.decode(line)
    if entry and entry.event == event then list[#list + 1] = tostring(entry.reason) end
  end
  return list
end

-- What isn't a submission's fault isn't counted against its message, but for what shows itself only by what comes after it.
local function check_counted(log, title, most)
  local counted = reasons(log, "submission_retried")
  check(#counted <= most, ("%s: %d failures at most are counted"):format(title, most), table.concat(counted, "; "))
end

local function finish(opened, worker, title)
  worker.child:kill "TERM"
  local log, ended = support.wait_worker(worker)
  check(ended.exit_code == 0, title .. ": the worker exits 0", log:sub(-2000))
  local left = containers.settle(engine, before, opened, 0)
  check(#left == 0, title .. ": nothing is left, no message given up", table.concat(left, "; "))
  return log
end

local function await_running(title, count)
  support.await(title .. ": programs run", START_MS, function()
    return #containers.running(engine, "subid") >= count
  end)
end

local faults = {}

faults[#faults + 1] = { name = "no such image", run = function(title)
  local opened = deployment("image", { image = '"submitter-missing:9"' })
  support.hand_in(opened, 1, 1, { right })
  local log, ended = support.wait_worker(serve(opened))
  check(ended.exit_code == 3, title .. ": serve ends with exit code 3", ended.exit_code or ended.signal)
  check(says(log, "no such image") and says(log, "submitter-missing:9") and says(log, "docker/README.md"),
    title .. ": serve says which and how it is built", log:sub(-2000))
  local depth = must(opened.queue:depth())
  check(depth.ready == 1 and depth.held == 0, title .. ": the message stays in the queue", depth.ready)
  local doctor = submitter(opened, "doctor")
  check(doctor.exit_code == 3 and says(doctor.stdout, "no such image")
    and says(doctor.stdout, "docker/README.md"), title .. ": so does doctor", doctor.stdout)
end }

faults[#faults + 1] = { name = "engine away at the start", run = function(title)
  local opened = deployment "start"
  engine:stop()
  local handed = support.hand_in(opened, 3, 2, { right })
  local worker = serve(opened)
  containers.await_log(worker, "engine away", START_MS)
  host.clock.sleep_ms(500)
  local doctor = submitter(opened, "doctor")
  check(doctor.exit_code == 3 and says(doctor.stdout, "engine away"), title .. ": doctor says so", doctor.stdout)
  engine:resume()
  support.await_empty_queue(opened, GRADE_MS)
  check_verdicts(opened, handed, title, "AC AC")
  check_counted(finish(opened, worker, title), title, 0)
end }

faults[#faults + 1] = { name = "engine away in the middle", run = function(title)
  local opened = deployment "middle"
  local worker = serve(opened)
  local handed = support.hand_in(opened, 6, 2, { slow:format "0.3" })
  await_running(title, 2)
  engine:kill()
  containers.await_log(worker, "engine away", START_MS)
  host.clock.sleep_ms(1500)
  engine:resume()
  support.await_empty_queue(opened, GRADE_MS)
  check_verdicts(opened, handed, title, "AC AC")
  finish(opened, worker, title)
end }

faults[#faults + 1] = { name = "engine slow", run = function(title)
  local opened = deployment "slow"
  local worker = serve(opened)
  local handed = support.hand_in(opened, 4, 2, { slow:format "0.8" })
  await_running(title, 2)
  host.clock.sleep_ms(300) -- into the case: nothing but its answer is waited for
  engine:freeze()
  containers.await_log(worker, "engine slow", START_MS)
  support.await("both are given back", START_MS, function()
    local log = table.concat(worker.log)
    return #reasons(log, "submission_put_off") + #reasons(log, "submission_retried") >= 2
  end)
  engine:thaw()
  support.await_empty_queue(opened, GRADE_MS)
  check_verdicts(opened, handed, title, "AC AC")
  check_counted(finish(opened, worker, title), title, 0)
end }

faults[#faults + 1] = { name = "killed from outside", run = function(title)
  local opened = deployment "killed"
  local worker = serve(opened)
  local handed = support.hand_in(opened, 2, 2, { slow:format "0.8" })
  await_running(title, 2)
  host.clock.sleep_ms(300) -- into the case
  for _, one in ipairs(containers.running(engine, "subid")) do must(engine:command("kill", one.id)) end
  support.await_empty_queue(opened, GRADE_MS)
  check_verdicts(opened, handed, title, "AC AC")
  local said = reasons(finish(opened, worker, title), "submission_retried")
  check(#said == 2 and says(said[1], "killed from outside") and says(said[2], "killed from outside"),
    title .. ": the worker says so of each", table.concat(said, "; "))
end }

-- Take all the memory that there is, in the second case of three: for itself; and in files, which stay when it is killed, so that
-- there is none for the runner either.
local filling = { [[
import sys
words, kept = sys.argv[1:], []
while len(words) == 2:
    kept.append(bytearray(1 << 20))
print(sum(int(word) for word in words))
]], [[
import sys
words = sys.argv[1:]
with open("/tmp/large", "wb") as large:
    while len(words) == 2:
        large.write(bytes(1 << 20))
print(sum(int(word) for word in words))
]] }

local function set_cases(opened)
  local base = "integration/spring/sum/grading/"
  must(opened.store:put(base .. "test.in", "1 2 3\n1 2\n4 5 6\n"))
  must(opened.store:put(base .. "test.out", "6\n3\n15\n"))
end

faults[#faults + 1] = { name = "out of memory", run = function(title)
  local opened = deployment("memory", { pool = "2", memory_reserve = '"16M"' })
  must(opened.folder:write("policy/default.lua",
    'return { limits = { cpu = "4s", wall = "8s", memory = "64M", files = "256M" } }\n'))
  local handed = support.hand_in(opened, 2, 1, filling)
  set_cases(opened)
  local worker = serve(opened)
  support.await_empty_queue(opened, GRADE_MS)
  check_verdicts(opened, handed, title, "AC MLE AC")
  finish(opened, worker, title)
end }

-- Has the kernel end the runner, when memory runs out, and not the program: walls and runner see to the reverse.
local function offer_runner(id)
  for _, pid in ipairs(containers.members(engine, id)) do
    local status = io.open(("/proc/%s/status"):format(pid))
    local user = status and status:read "a":match "\nUid:%s*(%d+)"
    if status then status:close() end
    local score = io.open(("/proc/%s/oom_score_adj"):format(pid), "w")
    if score then
      score:write(user == "0" and "1000" or "-1000")
      score:close()
    end
  end
end

faults[#faults + 1] = { name = "container out of memory", run = function(title)
  local opened = deployment("engine-memory", { pool = "2", memory_reserve = '"16M"' })
  local handed = support.hand_in(opened, 1, 1, { (filling[1]:gsub("words, kept", [[
if len(sys.argv) == 3:
    import time
    time.sleep(1.5)
%0]])) })
  set_cases(opened)
  local worker = serve(opened)
  await_running(title, 1)
  host.clock.sleep_ms(700) -- into the second case
  local container = containers.running(engine, "subid")[1]
  offer_runner(container.id)
  -- Less than what the runner looks out for: the kernel comes first.
  must(engine:command("update", "--memory", "24m", "--memory-swap", "24m", container.id))
  support.await_empty_queue(opened, GRADE_MS)
  check_verdicts(opened, handed, title, "AC MLE AC")
  -- It waits until that second is over.
  local events = must(engine:command("events", "--since", "60s", "--until", tostring(os.time() + 1), "--filter",
    "container=" .. container.id, "--format", "{{.Action}}"))
  check(says(events, "oom\n") and says(events, "die\n"), title .. ": the engine saw it die of that", events)
  finish(opened, worker, title)
end }

-- In the engine's view of the file system, which nobody else has.
local function within_engine(...)
  local ended = must(host.child.run {
    program = "/usr/bin/nsenter", arguments = { "--target", containers.daemon(engine), "--mount", ... },
    environment = { PATH = "/usr/sbin:/usr/bin:/sbin:/bin" },
  })
  if ended.exit_code ~= 0 then error(ended.stderr) end
end

-- One page is all the room that it has for what containers are made of. One alone, so that nothing but the name of the fault says
-- that it isn't the submission's.
faults[#faults + 1] = { name = "out of disk", run = function(title)
  local opened = deployment("disk", { pool = "0", patience = ("%q"):format(PATIENCE) })
  local handed = support.hand_in(opened, 1, 2, { right })
  local place = engine.folder .. "/data/containers"
  within_engine("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", place)
  local worker = serve(opened)
  containers.await_log(worker, "out of disk", START_MS)
  support.await("as many tries as would make a dead letter", START_MS, function()
    return #reasons(table.concat(worker.log), "submission_put_off") >= 5
  end)
  within_engine("umount", place)
  support.await_empty_queue(opened, GRADE_MS)
  check_verdicts(opened, handed, title, "AC AC")
  check_counted(finish(opened, worker, title), title, 0)
end }

for _, fault in ipairs(faults) do
  if not arg[1] or fault.name:find(arg[1], 1, true) then fault.run(fault.name) end
end
engine:close()
support.finish()
