--- What the walls cost over a bare fork and exec, beside those of bubblewrap.
---
---     build/submitter run spec/bench/walls.lua [ROUNDS]
---
--- The program is /usr/bin/true, which does nothing, and for comparison an empty one in Python. In each round everything is
--- measured once, a case and a bare start by turns; shown are the medians of the rounds, the quartiles, and the medians of
--- the differences and ratios to a bare start in the same round.
---
--- "Once" is what a submission costs beside its cases: walls built, submission handed over, first case as far as it takes longer
--- than the others, walls taken down. Where groups are of version 1, moving the runner and the launcher into theirs waits for the
--- kernel 7 to 15 ms; a worker has that behind it before a submission arrives. So the goal is looked at where nothing is moved:
--- with accounting by rlimits.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local host = require "submitter.host"
local python = require "submitter.python"
local figures = require "spec.bench.figures"

local must, elapsed_ms = figures.must, figures.elapsed_ms
local rounds = tonumber(arg[1] or "40")
local ONCE_GOAL_MS, CASE_GOAL_MS = 6, 0.5
local CASES = 8
local NOTHING, BUBBLEWRAP = "/usr/bin/true", "/usr/bin/bwrap"
local build = host.system.executable():match "^(.*)/"
local limits = { memory_bytes = 256 << 20, cpu_ms = 2000, wall_ms = 6000, output_bytes = 1 << 20, processes = 16,
  file_bytes = 16 << 20 }
local interpreter, version = python.find(nil)
must(interpreter, version)

-- ---- the ways to start a program ----

local function start(program, arguments)
  local child <close> = must(host.child.start { program = program, arguments = arguments })
  local ended = child:wait()
  assert(ended.exit_code == 0, ("%s ended with %s"):format(program, ended.exit_code or ended.signal))
end

local function bare_python()
  start(interpreter, { "/dev/null", "1" })
end

-- The walls that bubblewrap has like ours; it has no filter of system calls unless one is given, no limits and no groups.
local bubblewrap = { "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv",
  "--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--hostname", "sandbox" }

local function prepare_bubblewrap()
  local top = must(host.file.directory "/")
  for _, name in ipairs { "bin", "lib", "lib64" } do
    if top:stat(name) then table.move({ "--ro-bind", "/" .. name, "/" .. name }, 1, 3, #bubblewrap + 1, bubblewrap) end
  end
  table.move({ "--", NOTHING }, 1, 2, #bubblewrap + 1, bubblewrap)
end

local function by_hand(accounting)
  start(build .. "/submitter-sandbox", { "--accounting", accounting, "--", NOTHING })
end

--- What else the machine does: walls and processes are made slower where others make some, ours and bubblewrap's alike.
local function load_average()
  local file <close> = assert(io.open "/proc/loadavg")
  return file:read "a":match "^%S+"
end

-- ---- rounds ----

local series = {}

local function record(name, value)
  series[name] = series[name] or {}
  table.insert(series[name], value)
end

--- The host's way: walls once, several cases, each beside a bare start. Records what is paid once, a case, and a bare start.
local function submission(name, accounting, program, bare)
  local sandbox
  local once = elapsed_ms(function()
    sandbox = must(host.sandbox.start { limits = limits, interpreter = program, accounting = accounting })
  end)
  record(name .. " build", once)
  once = once + elapsed_ms(function()
    must(sandbox:submit { files = { { name = "empty.py", data = "" } }, program = "empty.py", limits = limits })
  end)
  local cases, bares = {}, {}
  local function case(number)
    return elapsed_ms(function()
      local result = must(sandbox:case { number = number, arguments = { "1" } })
      assert(result.exit_code == 0, result.stderr)
    end)
  end
  local first = case(1)
  for number = 1, CASES do
    bares[number] = elapsed_ms(bare)
    cases[number] = case(number + 1)
  end
  once = once + elapsed_ms(function() sandbox:close() end)
  record(name .. " case", figures.median(cases))
  record(name .. " bare", figures.median(bares))
  record(name .. " once", once + first - figures.median(cases))
end

local function bare_nothing()
  start(NOTHING)
end

--- Why this machine can't account by cgroups; nil when it can.
local function without_groups()
  local sandbox, message, code = host.sandbox.start { limits = limits, interpreter = NOTHING, accounting = "cgroup" }
  if sandbox then
    sandbox:close()
  elseif code ~= "environment" then
    error(message)
  end
  return message
end

local load_before = load_average()
local missing = without_groups()
local ways = missing and { "rlimit" } or { "rlimit", "cgroup" }

local function round()
  record("bare", elapsed_ms(bare_nothing))
  record("bare python", elapsed_ms(bare_python))
  record("bubblewrap", elapsed_ms(start, BUBBLEWRAP, bubblewrap))
  for _, way in ipairs(ways) do
    record("by hand " .. way, elapsed_ms(by_hand, way))
    submission(way, way, NOTHING, bare_nothing)
  end
  submission("python", ways[#ways], interpreter, bare_python)
end

-- ---- the table ----

local rows = {}

--- base: the name of a series to compare with.
local function show(title, name, base)
  local values = series[name]
  if not values then return end
  local text = ("%-58s %s"):format(title, figures.spread(values, "ms"))
  local row = { name = title, median_ms = figures.median(values) }
  if base then
    row.over_bare_ms, row.ratio = figures.difference(values, series[base]), figures.ratio(values, series[base])
    text = text .. ("   bare + %.2f ms, %.2f × bare"):format(row.over_bare_ms, row.ratio)
  end
  print(text)
  rows[#rows + 1] = row
end

local function judge(title, value, goal)
  print(("%-58s %9.2f ms, goal %s ms: %s"):format(title, value, goal, value <= goal and "holds" or "MISSED"))
end

local function show_all()
  print(("%d processors, load %s before, %d rounds, %d cases each; medians (quartiles)"):format(
    host.system.processors(), load_before, rounds, CASES))
  show("bare fork and exec of true", "bare")
  show("once behind bubblewrap's walls (no filter, no limits)", "bubblewrap", "bare")
  show("once behind ours, by hand, accounting rlimit", "by hand rlimit", "bare")
  print(("  the same %42s %16.2f × bubblewrap"):format("", figures.ratio(series["by hand rlimit"], series.bubblewrap)))
  show("once behind ours, by hand, accounting cgroup", "by hand cgroup", "bare")
  for _, way in ipairs(ways) do
    show(("a submission, once, accounting %s"):format(way), way .. " once")
    show("  of which until the walls stand and the runner is ready", way .. " build")
    show("  one more case", way .. " case", way .. " bare")
  end
  show(("bare fork and exec of python %s, empty program"):format(version), "bare python")
  show(("  one more case of it, accounting %s"):format(ways[#ways]), "python case", "python bare")
  if missing then print("no accounting by cgroups here: " .. missing) end
  judge("once a submission, nothing moved into a cgroup", figures.median(series["rlimit once"]), ONCE_GOAL_MS)
  local way = ways[#ways]
  judge(("a case over a bare fork and exec, accounting %s"):format(way),
    figures.difference(series[way .. " case"], series[way .. " bare"]), CASE_GOAL_MS)
  if tonumber(load_before) > host.system.processors() then
    print(("the machine was busy, a load of %s on %d processors: on one that isn't, all of it is less"):format(
      load_before, host.system.processors()))
  end
end

prepare_bubblewrap()
for _ = 1, rounds do round() end
show_all()
figures.keep("walls.json", { rounds = rounds, cases = CASES, rows = rows })
