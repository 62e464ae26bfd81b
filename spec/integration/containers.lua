--- A worker whose programs run in containers, on a real engine: the same reports as within the walls alone, containers that wait
--- and are used once, an orderly end, what a killed worker leaves, and policies that choose.
---
---     build/submitter run spec/integration/containers.lua [docker|podman] [SUBMISSIONS]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local container_engine = require "spec.container_engine"
local containers = require "spec.integration.container_support"
local support = require "spec.integration.support"
local host = require "submitter.host"
local key = require "submitter.key"

local check, must = support.check, support.must
local kind = arg[1] or "docker"
-- As many as the fixtures have.
local PROGRAMS = 40
local count = tonumber(arg[2] or PROGRAMS)
local POOL = 3
-- Containers that start and programs that compute share the processors.
local WALL = "2s"
local START_MS, GRADE_MS = 60000, 300000
local quick = { visibility = '"2s"', retry_delay = '"50ms"' }

local engine = container_engine.start { kind = kind }
local before = containers.surroundings(engine)

local function settings(fields)
  local all = { runner = containers.runner(engine, { pool = tostring(POOL) }) }
  for _, more in ipairs { quick, fields or {} } do
    for name, value in pairs(more) do all[name] = value end
  end
  return all
end

local function check_left(opened, title, dead_expected)
  local left = containers.settle(engine, before, opened, dead_expected)
  check(#left == 0, title .. ": no container, volume, network, message, folder, process or group is left",
    table.concat(left, "; "))
end

local function stop(worker, title)
  worker.child:kill "TERM"
  local log, ended = support.wait_worker(worker)
  check(ended.exit_code == 0, title .. ": the worker exits 0 when told to end", log:sub(-2000))
  return log
end

-- A worker that has started and whose containers wait.
local function start(opened, title)
  local already = #containers.running(engine, "submitter-pool-")
  local worker = support.start_worker(opened, { once = false })
  containers.await_log(worker, '"event":"worker_started"', START_MS)
  support.await(title .. ": the pool is full", START_MS, function()
    return #containers.running(engine, "submitter-pool-") == already + POOL
  end)
  return worker
end

local function truth_of(opened, one)
  return must(host.json.decode(must(opened.store:get(key.names(one.location, "test").truth))))
end

--- ---- the same reports ----

-- What became of every container of a worker, as the engine tells it: { id → { names = { … }, is_gone } }.
local function watch(action)
  -- Not by the docker command, which understands no event of Podman's.
  local child = must(host.child.start {
    program = "/usr/bin/curl", stdout = "pipe", stderr = "inherit", environment = { PATH = "/usr/bin:/bin" },
    arguments = { "--silent", "--no-buffer", "--unix-socket", engine.socket, "http://engine/v1.41/events" },
  })
  local text = {}
  local reader = host.task.spawn("events", function()
    repeat
      local piece = must(child:read "stdout")
      text[#text + 1] = piece
    until piece == ""
  end)
  action()
  host.clock.sleep_ms(500)
  child:kill "TERM"
  reader:join()
  child:wait()
  local lives = {}
  for line in table.concat(text):gmatch "[^\n]+" do
    local event = must(host.json.decode(line))
    local life = lives[event.Actor.ID] or { names = {} }
    if event.Type == "container" then
      lives[event.Actor.ID] = life
      local name = event.Actor.Attributes.name:gsub("^/", "")
      if life.names[#life.names] ~= name then table.insert(life.names, name) end
      -- Docker's word, and Podman's.
      life.is_gone = life.is_gone or event.Action == "destroy" or event.Action == "remove"
    end
  end
  return lives
end

local function check_lives(lives, handed)
  local used, odd, made = {}, {}, 0
  for id, life in pairs(lives) do
    made = made + 1
    local names = table.concat(life.names, ", ")
    local subid = names:match "^submitter%-pool%-%w+, subid(%x+)%-%w+$"
    if not life.is_gone or not subid and not names:find "^submitter%-pool%-%w+$" then
      odd[#odd + 1] = ("%s: its names were %s%s"):format(id:sub(1, 12), names, life.is_gone and "" or ", it isn't gone")
    end
    if subid then used[subid] = (used[subid] or 0) + 1 end
  end
  check(#odd == 0, "each container waited, was given to one submission at most, and is gone", table.concat(odd, "; "))
  local others = {}
  for _, one in ipairs(handed.graded) do
    if used[one.location.subid] ~= 1 then
      others[#others + 1] = ("%s: %s"):format(one.name, used[one.location.subid] or "none")
    end
  end
  check(#others == 0, "every submission that ran had one container, which bears its name", table.concat(others, "; "))
  check(made >= #handed.graded and made <= #handed + 2 * POOL, "as many were made as were needed",
    ("%d for %d"):format(made, #handed))
end

local function reports(opened, handed)
  local texts = {}
  for _, one in ipairs(handed) do
    local text, why = support.published(opened, one, { runner = true })
    texts[one.name] = text or why
  end
  return texts
end

local function natively()
  local opened = support.deployment("containers-native", quick, WALL)
  local handed = support.hand_in(opened, count, 3)
  local log, ended = support.wait_worker(support.start_worker(opened))
  check(ended.exit_code == 0, "the worker within the walls exits 0", log:sub(-2000))
  return reports(opened, handed)
end

local function same_reports()
  local expected = natively()
  local opened = support.deployment("containers", settings(), WALL)
  local handed
  local lives = watch(function()
    local worker = start(opened, "before any submission")
    local began = host.clock.monotonic_ms()
    handed = support.hand_in(opened, count, 3)
    support.await_empty_queue(opened, GRADE_MS)
    print(("# %d submissions in %.1f s"):format(count, (host.clock.monotonic_ms() - began) / 1000))
    stop(worker, "same reports")
  end)
  local different, refused = {}, 0
  local found = reports(opened, handed)
  handed.graded = {}
  for _, one in ipairs(handed) do
    if found[one.name] ~= expected[one.name] then
      if #different == 0 then
        io.stderr:write("within the walls ", expected[one.name], "\nin a container ", found[one.name], "\n")
      end
      different[#different + 1] = one.name
    end
    if found[one.name]:find('"verdict":"REJ"', 1, true) then
      refused = refused + 1
    else
      handed.graded[#handed.graded + 1] = one
    end
  end
  check(#different == 0, "every report is that of the walls alone", table.concat(different, "; "))
  local runner = truth_of(opened, handed.graded[1]).runner
  check(runner.kind == "docker" and runner.accounting == "container", "the result says where it ran",
    host.json.encode(runner))
  check_lives(lives, handed)
  check_left(opened, "same reports", refused)
end

--- ---- the end ----

local sleeper = "import sys, time\ntime.sleep(0.4)\nprint(sum(int(word) for word in sys.argv[1:]))\n"

local function drained()
  local opened = support.deployment("containers-drain", settings { slots = "2" })
  must(opened.folder:write("policy/default.lua", 'return { limits = { cpu = "1s", wall = "10s", memory = "48M" } }\n'))
  local worker = start(opened, "drained")
  local handed = support.hand_in(opened, 6, 3, { sleeper })
  support.await("two submissions run", START_MS, function() return #containers.running(engine, "subid") == 2 end)
  local log = stop(worker, "drained")
  local published = 0
  for _, times in pairs(support.publications { log }) do published = published + times end
  check(published >= 2 and published < #handed, "what ran was finished, and nothing new begun", published)
  local depth = must(opened.queue:depth())
  check(depth.ready == #handed - published and depth.held == 0, "the other messages wait in the queue",
    ("%d ready, %d held"):format(depth.ready, depth.held))
  local left = containers.left(engine, before)
  check(#left == 0, "drained: no container is left", table.concat(left, "; "))
end

--- ---- what a killed worker leaves ----

local function ids_of(list)
  local set = {}
  for _, one in ipairs(list) do set[one.id] = true end
  return set
end

local function added(after, earlier)
  local list = {}
  for _, one in ipairs(after) do
    if not earlier[one.id] then list[#list + 1] = one end
  end
  return list
end

local function leftovers()
  local opened = support.deployment("containers-leftovers", settings())
  local neighbour = start(opened, "a worker that lives")
  local its_own = ids_of(containers.list(engine))
  local victim = start(opened, "a worker that is killed")
  local left_behind = added(containers.list(engine), its_own)
  -- They end when nobody holds their input any more, unless they can't: the engine's freezer is such a reason.
  for _, one in ipairs(left_behind) do must(engine:command("pause", one.id)) end
  victim.child:kill "KILL"
  support.wait_worker(victim)
  local remaining = ids_of(containers.list(engine))
  for _, one in ipairs(left_behind) do check(remaining[one.id], "a killed worker leaves " .. one.name, "it is gone") end
  local stranger = support.deployment("containers-stranger", settings())
  local other = start(stranger, "a worker of another deployment")
  local after_stranger = ids_of(containers.list(engine))
  for _, one in ipairs(left_behind) do
    check(after_stranger[one.id], "another deployment leaves " .. one.name .. " alone", "it is gone")
  end
  stop(other, "another deployment")
  local successor = start(opened, "its successor")
  -- In the background, since programs needn't wait for it.
  support.await("its successor removes what it left", START_MS, function()
    local after = ids_of(containers.list(engine))
    for _, one in ipairs(left_behind) do
      if after[one.id] then return false end
    end
    return true
  end)
  local after = ids_of(containers.list(engine))
  for id in pairs(its_own) do check(after[id], "its successor leaves those of a worker that lives alone", id) end
  local handed = support.hand_in(opened, 6, 2)
  support.await_empty_queue(opened, GRADE_MS)
  local missing = {}
  for _, one in ipairs(handed) do
    local text, why = support.published(opened, one)
    if not text then missing[#missing + 1] = one.name .. ": " .. why end
  end
  check(#missing == 0, "both grade", table.concat(missing, "; "))
  stop(neighbour, "the worker that lived")
  stop(successor, "its successor")
  check_left(opened, "leftovers")
end

--- ---- policies that choose ----

local function chosen()
  local fields = settings { runners = "{ boxed = " .. containers.runner(engine, { pool = "1" }) .. " }" }
  fields.runner = "sandbox {}"
  fields.failure_limit = "1"
  local opened = support.deployment("containers-chosen", fields)
  for assignment, runner in pairs { sum = "boxed", echo = "default", route = "elsewhere" } do
    must(opened.folder:write(("policy/integration/spring/%s.lua"):format(assignment),
      ("return { runner = %q }\n"):format(runner), { parents = true }))
  end
  local handed = support.hand_in(opened, PROGRAMS, 1)
  local log, ended = support.wait_worker(support.start_worker(opened))
  check(ended.exit_code == 0, "policies that choose: the worker exits 0", log:sub(-2000))
  local wrong = {}
  for _, one in ipairs(handed) do
    local names = key.names(one.location, "test")
    local expected = one.name:find "^sum/" and "docker" or one.name:find "^echo/" and "sandbox"
    local truth = opened.store:get(names.truth)
    local decoded = truth and host.json.decode(truth)
    local runs_nowhere = not truth or decoded.verdict == "REJ"
    if expected and not runs_nowhere and decoded.runner.kind ~= expected then
      wrong[#wrong + 1] = one.name .. ": " .. decoded.runner.kind
    elseif expected and not truth or not expected and truth then
      wrong[#wrong + 1] = one.name .. ": " .. (truth or "no truth")
    end
  end
  check(#wrong == 0, "each assignment's programs run where its policy says", table.concat(wrong, "; "))
  local refusal = log:match '"reason":"([^\n]-elsewhere[^\n]-)","' or "nothing"
  check(refusal:find("boxed", 1, true) and refusal:find("runner", 1, true),
    "a runner that isn't there is the policy's error, which lists those that are", refusal)
  local left = containers.left(engine, before)
  check(#left == 0, "policies that choose: no container is left", table.concat(left, "; "))
end

--- ---- a worker that never comes ----

-- Its standard input is held by the engine, which never says that it ended. For how long it lives, while all else is tried.
local function lonely()
  local filter = host.system.executable():match "^(.*)/" .. "/seccomp.json"
  local words = { "--detach", "--interactive", "--rm", "--network=none", "--read-only", "--cap-drop=ALL",
    "--cap-add=SETUID", "--cap-add=SETGID", "--security-opt=no-new-privileges", "--security-opt=systempaths=unconfined",
    "--security-opt=apparmor=unconfined", "--security-opt=seccomp=" .. filter }
  words[#words + 1] = engine:image "runner"
  local id = must(engine:command("run", table.unpack(words))):match "^%x+"
  local began_ms = host.clock.monotonic_ms()
  while must(engine:command("ps", "--all", "--quiet", "--no-trunc")):find(id, 1, true) do host.clock.sleep_ms(500) end
  return host.clock.monotonic_ms() - began_ms
end

local alone = kind == "docker" and host.task.spawn("a container without a worker", lonely)
same_reports()
drained()
leftovers()
chosen()
if alone then
  local ended, lived_ms = host.task.within(START_MS, alone.join, alone)
  check(ended and lived_ms > 20000, "a container that nobody speaks to ends by itself, and not too soon", lived_ms)
end
engine:close()
support.finish()
