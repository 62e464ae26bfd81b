--- What the service costs, against the bare interpreter in the same run.
---
---     build/submitter run spec/bench/bench.lua [ROUNDS]
---
--- "Bare" is `python3 FILE.py ARGUMENTS` by the same interpreter from the same /usr that the sandbox shows, with a
--- cleared environment. Rounds are interleaved (bare, sandbox, whole service, …), so that a machine whose speed drifts doesn't
--- favour one of them; shown are medians, the quartiles beside them, and the median of the ratios round by round.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local host = require "submitter.host"
local python = require "submitter.python"
local figures = require "spec.bench.figures"
local service = require "spec.bench.service"

local must, elapsed_ms = figures.must, figures.elapsed_ms
local rounds = tonumber(arg[1] or "15")
local CASES, limits = service.CASES, service.limits
local environment = { PATH = "/usr/local/bin:/usr/bin:/bin", HOME = "/tmp", LANG = "C.UTF-8" }

local rows = {}

--- values, base: one a round. base nil: no ratio.
local function show(name, unit, values, base, base_name)
  local text = ("%-58s %s"):format(name, figures.spread(values, unit))
  local ratio = base and figures.ratio(values, base)
  if base then text = text .. ("   %.2f × %s"):format(ratio, base_name) end
  print(text)
  rows[#rows + 1] = { name = name, unit = unit, median = figures.median(values), ratio = ratio, base = base_name }
end

-- ---- what is measured ----

local interpreter, version = python.find(nil)
must(interpreter, version)

local whole = service.deploy("bench", { slots = "2" })
local file = whole.services.folder
must(file:write("sum.py", service.program))
local program_path = file:path() .. "/sum.py"

local function bare()
  local ended = must(host.child.run { program = interpreter, arguments = { program_path, "1", "2", "3" },
    environment = environment })
  assert(ended.stdout == "6\n", ended.stderr)
end

local function bare_ten()
  for _ = 1, CASES do bare() end
end

local function in_sandbox(case_times)
  local sandbox = must(host.sandbox.start { limits = limits, interpreter = interpreter })
  must(sandbox:submit { files = { { name = "sum.py", data = service.program } }, program = "sum.py", limits = limits })
  for number = 1, CASES do
    case_times[#case_times + 1] = elapsed_ms(function()
      local result = must(sandbox:case { number = number, arguments = { "1", "2", "3" } })
      assert(result.stdout == "6\n", result.stderr)
    end)
  end
  sandbox:close()
end

-- ---- the run ----

print(("%s %s, %d processors, %d rounds; medians (quartiles)"):format(interpreter, version, host.system.processors(),
  rounds))
whole:start()
host.clock.sleep_ms(1000)
local idle = whole:figures()
whole:submit()

local one, ten, cases, whole_sandbox, by_service = {}, {}, {}, {}, {}
local cpu_before = whole:figures().cpu_ms
for round = 1, rounds do
  one[round] = elapsed_ms(bare)
  ten[round] = elapsed_ms(bare_ten)
  local times = {}
  whole_sandbox[round] = elapsed_ms(in_sandbox, times)
  cases[round] = figures.median(times)
  by_service[round] = whole:submit()
end
local after = whole:figures()
local host_cpu_ms = (after.cpu_ms - cpu_before) / rounds
whole:stop()

show("bare python3 FILE.py ARGUMENTS", "ms", one)
show("ten of them", "ms", ten, one, "bare")
show("one more case in a sandbox", "ms", cases, one, "bare")
show("ten cases in a cold sandbox, built and taken down", "ms", whole_sandbox, ten, "ten bare")
show("ten cases by the service, message received → deleted", "ms", by_service, ten, "ten bare")
show("  the same", "ms", by_service, one, "bare")

-- Start of a script.
file:write("empty.lua", "")
local empty = file:path() .. "/empty.lua"
local ours, theirs = {}, {}
for round = 1, 2 * rounds do
  ours[round] = elapsed_ms(function()
    must(host.child.run { program = host.system.executable(), arguments = { "run", empty } })
  end)
  theirs[round] = elapsed_ms(function() must(host.child.run { program = "/usr/bin/lua5.4", arguments = { empty } }) end)
end
show("lua5.4 on an empty script", "ms", theirs)
show("submitter run on the same", "ms", ours, theirs, "lua5.4")

print(("%-58s %9.2f MiB"):format("worker idle, sandboxes ready: memory (RSS)", idle.rss_mib))
print(("%-58s %9.2f MiB"):format("worker after the rounds", after.rss_mib))
print(("%-58s %9.2f ms"):format("worker's own CPU a submission of ten cases (by 10 ms ticks)", host_cpu_ms))

figures.keep("figures.json", { rounds = rounds, rows = rows, idle_rss_mib = idle.rss_mib, host_cpu_ms = host_cpu_ms })
