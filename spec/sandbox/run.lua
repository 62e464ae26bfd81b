-- Runs hostile and honest programs within the walls and looks, from outside, whether the walls held:
--
--     build/submitter run spec/sandbox/run.lua [--accounting rlimit | --engine docker|podman] [NAME…]
--
-- Each is a file <name>.py beside this one, whose header says how it is to end (README.md). Prints TAP; exits 1 if anything
-- failed. Two run at a time, except those that measure.
local here = arg[0]:match("^(.*)/[^/]*$") or "."
for _, pattern in ipairs { "/../../lua/?/init.lua;", "/../../lua/?.lua;", "/../../?.lua;", "/support/?.lua;" } do
  package.path = here .. pattern .. package.path
end

local host = require "submitter.host"
local python = require "submitter.python"
local canary = require "canary"
local contained = require "contained"
local header = require "header"
local judge = require "judge"
local machine = require "machine"
local native = require "native"

-- How much slower than an ordinary machine this one is (an emulated one some ten times): what programs are given in time,
-- and how late a verdict may be, is that much more.
local slowness_name = "SUBMITTER_TEST_SLOWNESS"
local slowness = math.tointeger(tonumber(os.getenv(slowness_name) or "1")) or error(slowness_name .. " is no number", 0)
local secret_name, patience_ms = "SUBMITTER_ATTACK_SECRET", 20 * 1000 * slowness

-- The handles have to be kept: one that is collected handles nothing any more.
local function on_stop(handler)
  local handles = {}
  for _, signal in ipairs { "TERM", "INT", "HUP" } do
    handles[#handles + 1] = host.task.on_signal(signal, handler)
  end
  return handles
end

-- ---- the host process, with secrets of its own ----

-- Whatever a host process has in its environment and open files must not get in. So it is run with both: itself again.
local function run_with_secrets()
  local secret = "CANARY-" .. host.digest.random(16)
  local environment = { [secret_name] = secret }
  for _, name in ipairs { "PATH", "HOME", "TMPDIR", "LANG", "DOCKER_HOST", slowness_name } do
    environment[name] = os.getenv(name)
  end
  local arguments = { "run", arg[0] }
  for _, word in ipairs(arg) do arguments[#arguments + 1] = word end
  local child <close> = assert(host.child.start {
    program = host.system.executable(), arguments = arguments, environment = environment, stdin = "null",
    stdout = "inherit", stderr = "inherit", descriptors = { [9] = secret },
  })
  local handles <const> = on_stop(function(signal) child:kill(signal) end)
  local ended = child:wait()
  for _, handle in ipairs(handles) do handle:close() end
  os.exit(ended.exit_code or 1)
end

-- ---- programs ----

local function read_program(folder, name)
  local source = assert(folder:read(name .. ".py"))
  local good, parsed = pcall(header.read, source)
  if not good then error(("%s.py: %s"):format(name, parsed), 0) end
  parsed.name = name
  parsed.limits.cpu_ms, parsed.limits.wall_ms = parsed.limits.cpu_ms * slowness, parsed.limits.wall_ms * slowness
  parsed.within = parsed.within and parsed.within * slowness
  parsed.files = { { name = name .. ".py", data = source } }
  for _, other in ipairs(parsed.with) do
    parsed.files[#parsed.files + 1] = { name = other, data = assert(folder:read("support/" .. other)) }
  end
  return parsed
end

local function read_programs(folder, names)
  local wanted, programs = {}, {}
  for _, name in ipairs(names) do wanted[name] = true end
  for _, entry in ipairs(assert(folder:list("."))) do
    local name = entry.name:match("^(.+)%.py$")
    if name and (#names == 0 or wanted[name]) then
      programs[#programs + 1] = read_program(folder, name)
      wanted[name] = nil
    end
  end
  if next(wanted) then error(("there is no program %s"):format(next(wanted)), 0) end
  return programs
end

-- Which modules of those that programs need this Python has, and what kind of machine it runs on.
local function ask_interpreter(place, programs)
  local names, seen = {}, {}
  for _, program in ipairs(programs) do
    for _, name in ipairs(program.modules) do
      if not seen[name] then names[#names + 1] = name end
      seen[name] = true
    end
  end
  local question = "import importlib, os, sys\nprint(os.uname().machine)\nfor name in sys.argv[1:]:\n"
    .. "  try: importlib.import_module(name); print(name)\n  except ImportError: pass"
  local abilities = {}
  for line in place:python { "-I", "-c", question, table.unpack(names) }:gmatch("[^\n]+") do abilities[line] = true end
  return abilities
end

local function reason_to_skip(program, abilities)
  if program.machine and not abilities[program.machine] then
    return "written for " .. program.machine
  end
  for _, name in ipairs(program.modules) do
    if not abilities[name] then return "this Python has no module " .. name end
  end
end

-- ---- one program ----

-- {secrets} stands for several arguments, the others for one.
local function fill_arguments(setting, program, number)
  local arguments = {}
  for _, word in ipairs(program.arguments) do
    if word == "{secrets}" then
      for _, path in ipairs(setting.canary:paths()) do arguments[#arguments + 1] = path end
    else
      arguments[#arguments + 1] = word:gsub("{number}", tostring(number)):gsub("{neighbour}", setting.canary.address)
        :gsub("{host}", tostring(host.system.pid()))
    end
  end
  return arguments
end

local function run_cases(setting, program, box, complain)
  local done, message = box:submit {
    files = program.files, program = program.name .. ".py", limits = program.limits,
  }
  if not done then return complain("the submission was refused: " .. message) end
  for number = 1, program.cases do
    local before = host.clock.monotonic_ms()
    local result
    result, message = box:case {
      number = number, arguments = fill_arguments(setting, program, number), stdin = program.input,
    }
    if not result then return complain(("case %d: the sandbox failed: %s"):format(number, message)) end
    local elapsed_ms = host.clock.monotonic_ms() - before
    local complaints, only_late =
      judge.case(program, setting, result, elapsed_ms)
    for _, complaint in ipairs(complaints) do
      complain(program.cases > 1 and ("case %d %s"):format(number, complaint) or complaint, only_late)
    end
  end
end

-- All that is wrong, as complaints; and whether all of them are about lateness.
local function run_program(setting, program)
  local complaints, only_late = {}, true
  local function complain(text, late)
    complaints[#complaints + 1] = text
    only_late = only_late and late or false
  end
  local box = setting.place:start(program.limits)
  local in_time, message = host.task.within(patience_ms, function()
    run_cases(setting, program, box, complain)
    return true
  end)
  if not in_time then complain(("it didn't come to an end: %s"):format(message)) end
  local closed
  closed, message = host.task.within(patience_ms, box.close, box)
  if not closed then complain("the sandbox didn't close: " .. tostring(message)) end
  for _, complaint in ipairs(box:left_over()) do complain(complaint) end
  return complaints, only_late
end

-- What else runs on the machine can make us late, the walls' own lateness comes again: twice more is asked.
local function run_patiently(setting, program)
  for attempt = 1, 3 do
    local complaints, only_late = run_program(setting, program)
    if attempt == 3 or #complaints == 0 or not only_late then return complaints end
  end
end

-- ---- all of them ----

local passed, failed = 0, 0

local function report(name, complaints, skipped)
  if #complaints == 0 then passed = passed + 1 else failed = failed + 1 end
  local number = passed + failed
  if skipped then
    print(("ok %d - %s # SKIP %s"):format(number, name, skipped))
  elseif #complaints == 0 then
    print(("ok %d - %s"):format(number, name))
  else
    print(("not ok %d - %s # %s"):format(number, name, (table.concat(complaints, "; "):gsub("\n", "\\n"))))
  end
  io.stdout:flush()
end

local function run_one(setting, program)
  local skipped = reason_to_skip(program, setting.abilities)
  if skipped then return report(program.name, {}, skipped) end
  local good, complaints = pcall(run_patiently, setting, program)
  report(program.name, good and complaints or { complaints })
end

local function run_lot(setting, programs, at_once)
  if #programs == 0 then return end
  setting.place:prepare(at_once)
  local tasks, next_one = {}, 1
  for index = 1, at_once do
    tasks[index] = host.task.spawn("attacks", function()
      while programs[next_one] do
        local program = programs[next_one]
        next_one = next_one + 1
        run_one(setting, program)
      end
    end)
  end
  for _, task in ipairs(tasks) do assert(task:join()) end
end

local function run_all(setting, programs)
  local lots = { [false] = {}, [true] = {} }
  for _, program in ipairs(programs) do
    local lot = lots[program.alone or false]
    lot[#lot + 1] = program
  end
  run_lot(setting, lots[true], 1)
  run_lot(setting, lots[false], 2)
end

local function read_arguments()
  local options, names, index = { accounting = "cgroup" }, {}, 1
  while arg[index] do
    local option = arg[index]:match("^%-%-(.*)$")
    if option == "accounting" or option == "engine" then
      options[option], index = arg[index + 1] or "", index + 2
    else
      names[#names + 1], index = arg[index], index + 1
    end
  end
  if options.accounting ~= "cgroup" and options.accounting ~= "rlimit" then
    error("--accounting cgroup or --accounting rlimit", 0)
  elseif options.engine and options.engine ~= "docker" and options.engine ~= "podman" then
    error("--engine docker or --engine podman", 0)
  end
  return options, names
end

-- What ends gives its memory back a little later.
local function missing_room(before)
  local complaints
  for _ = 1, 15 do
    complaints = machine.missing(before, machine.room())
    if #complaints == 0 then break end
    host.clock.sleep_ms(1000)
  end
  return complaints
end

-- What whoever called this got wrong is said in a line.
local function usage(good, ...)
  if good then return ... end
  io.stderr:write("run.lua: ", tostring((...)), "\n")
  os.exit(2)
end

local function main()
  local secret = os.getenv(secret_name)
  if not secret then return run_with_secrets() end
  local options, names = usage(pcall(read_arguments))
  local folder <close> = setmetatable({ value = assert(host.file.directory(here)) },
    { __close = function(self) self.value:close() end })
  local programs = usage(pcall(read_programs, folder.value, names))
  local place = options.engine and contained.open(options.engine, programs) or native.open(options.accounting)
  local setting = { place = place, accounting = place.accounting, slowness = slowness, secret = secret,
    abilities = ask_interpreter(place, programs) }
  local before, room = machine.state(), machine.room()
  setting.canary = canary.plant(secret, assert(python.find()), here .. "/support/neighbour.py")
  local stopped = false
  local handles <const> = on_stop(function()
    -- A terminal and whoever started us may both say so.
    if stopped then return end
    stopped = true
    setting.canary:remove()
    os.exit(1)
  end)
  local good, message = pcall(run_all, setting, programs)
  report("canaries and neighbour are untouched", setting.canary:complaints())
  for _, handle in ipairs(handles) do handle:close() end
  setting.canary:remove()
  report("nothing is left where they ran", place:close())
  local changes = machine.changes(before, machine.state())
  report("the machine is as it was", #changes > 0 and { "changed: " .. table.concat(changes, ", ") } or {})
  report("memory and disk are back where they were", missing_room(room))
  print(("1..%d"):format(passed + failed))
  if not good then error(message, 0) end
  os.exit(failed == 0 and 0 or 1)
end

main()
