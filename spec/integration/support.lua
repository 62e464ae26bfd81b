--- What the integration scripts share: a deployment of its own below the build folder, the fixtures handed in, workers
--- started and stopped, reports read. Scripts print TAP.
local configuration = require "submitter.configuration"
local host = require "submitter.host"
local key = require "submitter.key"
local services = require "submitter.services"
local submit = require "submitter.cli.submit"
local ability = require "spec.ability"
local catalogue = require "spec.fixtures.catalogue"

local support = {}

local ADMIN, EVENT = "integration", "spring"

local function must(value, message)
  if value == nil then error(message, 2) end
  return value
end
support.must = must

--- ---- TAP ----

local tests, failures = 0, 0

--- One result; why is shown when it is not ok.
function support.check(ok, name, why)
  tests = tests + 1
  if not ok then failures = failures + 1 end
  print(("%sok %d - %s%s"):format(ok and "" or "not ", tests, name,
    ok and "" or " # " .. host.text.escape(tostring(why or "it does not hold"))))
  io.stdout:flush()
  return ok
end

--- Ends the script with the exit code that the checks deserve.
function support.finish()
  print("1.." .. tests)
  os.exit(failures == 0 and tests > 0)
end

--- ---- a deployment ----

-- How programs are bounded here. Where this user can have no sandbox at all the script ends, as one skipped test.
---@async
local function accounting(name)
  local reason = ability.reason_to_skip "rlimit"
  if reason then
    print(("ok 1 - %s # SKIP %s"):format(name, reason))
    os.exit(0)
  end
  local best = ability.reason_to_skip "cgroup" and "rlimit" or "cgroup"
  print("# accounting = " .. best)
  return best
end

--- A fresh folder below the build folder with a configuration and small limits; opened as services.open gives them.
---@async
---@param name string of the folder
---@param settings table<string, string>|nil more fields, as Lua text
---@param wall string|nil the limit of time on the clock: more, where the machine may be so busy that what only computes meets it
function support.deployment(name, settings, wall)
  local build = host.system.executable():match "^(.*)/"
  local parent = must(host.file.directory(build .. "/integration", { create = true }))
  must(parent:remove_tree(name))
  local folder = must(parent:open(name, { create = true }))
  local fields = { ("  var = %q,"):format(folder:path() .. "/var"), ("  policy = { directory = %q },"):format(
    folder:path() .. "/policy"), ("  accounting = %q,"):format(accounting(name)) }
  for field, value in pairs(settings or {}) do fields[#fields + 1] = ("  %s = %s,"):format(field, value) end
  must(folder:write("submitter.lua", "return {\n" .. table.concat(fields, "\n") .. "\n}\n"))
  must(folder:write("policy/default.lua", ('return { limits = { cpu = "200ms", wall = %q, memory = "48M", '
    .. 'output = "32K", processes = 8, files = "1M" } }\n'):format(wall or "700ms"), { parents = true }))
  local path = folder:path() .. "/submitter.lua"
  local loaded = must(configuration.load { path = path, getenv = function() return nil end })
  local opened = must(services.open(loaded, "store", "queue", "policies"))
  opened.path, opened.folder = path, folder
  return opened
end

local function first_lines(text, count)
  local at = 0
  for _ = 1, count do at = (text:find("\n", at + 1, true)) or #text end
  return text:sub(1, at)
end

--- Installs the fixtures' assignments, cut to a few cases so that hundreds of submissions fit a test, and hands in so many
--- programs in turn, all kinds or those that are given, for the sum, each by a student of its own. Returns { name, location }.
---@async
---@param opened table
---@param count integer
---@param case_count integer
---@param sources string[]|nil
function support.hand_in(opened, count, case_count, sources)
  local root = host.system.lua_directory() .. "/../spec/fixtures"
  local programs = {}
  for _, assignment in ipairs(catalogue.read(root)) do
    for name, text in pairs(assignment.files) do
      must(opened.store:put(("%s/%s/%s/grading/%s"):format(ADMIN, EVENT, assignment.name, name),
        first_lines(text, case_count)))
    end
    for _, program in ipairs(assignment.programs) do
      programs[#programs + 1] = { assignment = assignment.name, program = program }
    end
  end
  for index, source in ipairs(sources or {}) do
    if index == 1 then programs = {} end
    programs[index] = { assignment = "sum", program = { name = "given", source = source } }
  end
  local handed = {}
  for index = 1, count do
    local kind = programs[(index - 1) % #programs + 1]
    local one = must(submit.hand_in(opened, {
      source = kind.program.source, admin = ADMIN, event = EVENT, assignment = kind.assignment,
      tokens = { host.digest.md5("student " .. index) },
    }))
    handed[index] = { name = kind.assignment .. "/" .. kind.program.name .. " " .. index, location = one.location }
  end
  return handed
end

--- Starts the worker as an operator would. Its log is collected in worker.log until it ends.
---@async
---@param opened {path:string} the configuration's path
---@param options {once:boolean|nil, environment:table<string, string>|nil}|nil once: default true
function support.start_worker(opened, options)
  options = options or {}
  local arguments = { "serve", "--config", opened.path }
  if options.once ~= false then arguments[#arguments + 1] = "--once" end
  local child = must(host.child.start {
    program = host.system.executable(), arguments = arguments, stderr = "pipe",
    environment = options.environment or { PATH = "/usr/bin:/bin" },
  })
  local worker = { child = child, log = {} }
  worker.reader = host.task.spawn("log", function()
    repeat
      local piece = must(child:read "stderr")
      worker.log[#worker.log + 1] = piece
    until piece == ""
  end)
  return worker
end

--- Waits for its end; the whole log and how it ended.
---@async
function support.wait_worker(worker)
  local ended = worker.child:wait()
  worker.reader:join()
  return table.concat(worker.log), ended
end

--- ---- what came out ----

local function each_line(log, visit)
  for line in log:gmatch "[^\n]+" do
    local entry = line:find("^{") and host.json.decode(line)
    if entry then visit(entry) end
  end
end

--- How often each subid was published anew, by the workers' logs.
function support.publications(logs)
  local count = {}
  for _, log in ipairs(logs) do
    each_line(log, function(entry)
      if entry.event == "submission_published" and not entry.stood then
        count[entry.subid] = (count[entry.subid] or 0) + 1
      end
    end)
  end
  return count
end

-- What may differ between two gradings of the same: times, usage, the count of runs, and texts that carry them.
local variable = { cpu_ms = true, wall_ms = true, memory_bytes = true, run = true, started_at = true,
  finished_at = true, submitted_at = true, version = true }

local function steady(value, aside)
  if type(value) ~= "table" then return value end
  local copy = {}
  for field, item in pairs(value) do
    if not variable[field] and not aside[field] then copy[field] = steady(item, aside) end
  end
  -- A flood is cut where it is killed: how much more it had written by then is chance.
  if copy.verdict == "OLE" and copy.actual then copy.actual = nil end
  return copy
end

--- Everything that was published for a submission, without what may differ, as one text; nil and why when nothing was.
---@async
---@param opened table
---@param one table of support.hand_in
---@param aside table<string, true>|nil more fields that may differ
function support.published(opened, one, aside)
  local names = key.names(one.location, "test")
  local parts = {}
  for _, which in ipairs { "truth", "result" } do
    local text, message = opened.store:get(names[which])
    if not text then return nil, which .. ": " .. message end
    local same = host.json.encode(steady(must(host.json.decode(text)), aside or {}))
    -- Which of its two limits a program that never ends meets first is chance where the machine is busy.
    same = same:gsub("wall clock limit of %d+ ms", "time limit"):gsub("CPU limit of %d+ ms", "time limit")
    parts[#parts + 1] = same
  end
  local csv, message = opened.store:get(names.out)
  if not csv then return nil, "out: " .. message end
  local failed = opened.store:head(names.error)
  if parts[1]:find('"OLE"', 1, true) then csv = "" end
  return table.concat(parts, "\n") .. "\n" .. csv .. (failed and "error.json" or "")
end

--- What must not be left: messages, job folders, processes, control groups. A list of texts.
---@async
function support.leftovers(opened, dead_expected)
  local found = {}
  local depth = must(opened.queue:depth())
  if depth.ready + depth.held > 0 then
    found[#found + 1] = ("%d messages in the queue"):format(depth.ready + depth.held)
  end
  if dead_expected and depth.dead ~= dead_expected then
    found[#found + 1] = ("%d dead letters, expected %d"):format(depth.dead, dead_expected)
  end
  for _, folder in ipairs(must(opened.directory:list "jobs")) do
    if folder.type == "directory" then found[#found + 1] = "jobs/" .. folder.name end
  end
  for _, process in ipairs(support.processes(opened)) do found[#found + 1] = process end
  for _, group in ipairs(support.cgroups()) do found[#found + 1] = "control group " .. group end
  return found
end

local function read_proc(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a" or ""
  if file then file:close() end
  return text
end

--- Processes that this deployment's workers left behind: those whose command line names its configuration, and programs
--- of a sandbox that nobody owns any more (their parent is process 1). Sandboxes of others that run now don't count.
---@async
function support.processes(opened)
  local found = {}
  local program = host.system.executable():match("^(.*)/"):gsub("%p", "%%%0")
  for _, entry in ipairs(must(must(host.file.directory "/proc"):list ".")) do
    if entry.name:find "^%d+$" and tonumber(entry.name) ~= host.system.pid() then
      local command = read_proc("/proc/" .. entry.name .. "/cmdline"):gsub("%z", " ")
      local parent = read_proc("/proc/" .. entry.name .. "/stat"):match "^.*%) %S+ (%d+)"
      local orphan = parent == "1" and command:find("^" .. program .. "/submitter%-")
      if command:find(opened.path, 1, true) or orphan then
        found[#found + 1] = ("process %s: %s"):format(entry.name, command)
      end
    end
  end
  return found
end

--- Control groups that a sandbox left behind (v1 and v2), below the group of this process: those whose maker, whose number
--- is in the name, is dead. Sandboxes of others that live at this moment don't count.
---@async
function support.cgroups()
  local found = {}
  for line in read_proc("/proc/self/cgroup"):gmatch "[^\n]+" do
    local controllers, path = line:match "^%d+:([^:]*):(.*)$"
    local base = "/sys/fs/cgroup" .. (controllers ~= "" and "/" .. controllers:gsub("^name=", "") or "") .. path
    local directory = host.file.directory(base)
    for _, entry in ipairs(directory and directory:list "." or {}) do
      local maker = entry.type == "directory" and entry.name:match "^submitter%-(%d+)%-"
      if maker and read_proc("/proc/" .. maker .. "/stat") == "" then
        found[#found + 1] = base .. "/" .. entry.name
      end
    end
  end
  return found
end

--- Waits until something holds; ends the script when it doesn't.
---@async
---@param what string
---@param patience_ms integer
---@param condition fun():any
function support.await(what, patience_ms, condition)
  local until_ms = host.clock.monotonic_ms() + patience_ms
  while not condition() do
    if host.clock.monotonic_ms() > until_ms then
      error(("it doesn't come to this: %s (waited for %d s)"):format(what, patience_ms // 1000), 2)
    end
    host.clock.sleep_ms(50)
  end
end

--- Waits until the queue holds no message, visible or not.
---@async
---@param opened table
---@param patience_ms integer
function support.await_empty_queue(opened, patience_ms)
  support.await("the queue is empty", patience_ms, function()
    local depth = must(opened.queue:depth())
    return depth.ready + depth.held == 0
  end)
end

--- Waits until nothing is left, for the moment that a killed sandbox's supervisor takes to clean up; the list otherwise.
---@async
function support.settle(opened, dead_expected)
  local found
  for _ = 1, 100 do
    found = support.leftovers(opened, dead_expected)
    if #found == 0 then break end
    host.clock.sleep_ms(50)
  end
  return found
end

return support
