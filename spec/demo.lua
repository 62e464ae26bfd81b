--- `make demo`: plays the front end for three assignments and all their student programs, has the real worker grade
--- them, and shows what was published. Exits 1 if a verdict isn't the expected one or anything is left behind.
---
---     build/submitter run spec/demo.lua [docker|podman]
---
--- With an engine's name the programs run in containers: of the engine that answers, or of one that root starts for the demo.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/.."
package.path = root .. "/?.lua;" .. package.path

local ability = require "spec.ability"
local catalogue = require "spec.fixtures.catalogue"
local configuration = require "submitter.configuration"
local container_engine = require "spec.container_engine"
local host = require "submitter.host"
local key = require "submitter.key"
local result = require "submitter.cli.result"
local services = require "submitter.services"
local submit = require "submitter.cli.submit"
local terminal = require "submitter.cli.terminal"

local ADMIN, EVENT = "demo", "spring"
--- What submissions run in where the programs run in containers.
local OFFICIAL = "python:3.9-slim"
--- Whose report is shown in full.
local SHOWN = "sum/wrong_negative"

local colour = terminal.has_colour(1)
local pen = terminal.pen(colour)

local function say(...) io.stdout:write(table.concat({ ... }), "\n") io.stdout:flush() end

local function must(value, message)
  if value == nil then
    io.stderr:write("demo: ", tostring(message), "\n")
    os.exit(3)
  end
  return value
end

--- Without control groups each process is bounded by itself, and a program that gets no more memory fails like any other.
local without_groups = { MLE = "RTE" }

--- Says what it costs where there are no control groups. Where not even another sandbox can be built, doctor says so later.
local function choose_accounting()
  local best, reason = ability.accounting()
  if best ~= "rlimit" then return "cgroup" end
  say(pen("yellow", "No control group can be had here: the demo sets accounting = \"rlimit\"."), " What that costs:")
  say("limits hold for each process alone, so memory multiplies with a program's processes, and too much of it shows")
  say("as RTE, not MLE.")
  say(pen("dim", "The reason: " .. reason), "\n")
  return "rlimit"
end

-- The official image where a registry is to be had, else one of this machine's own packages.
local function runner_image(engine)
  if engine:command("image", "inspect", OFFICIAL) or engine:command("pull", "--quiet", OFFICIAL) then
    say("Building the runner's image on ", OFFICIAL, ".")
    return engine:build { file = "docker/runner.Dockerfile", name = "submitter-python:3.9",
      arguments = { BASE = OFFICIAL } }
  end
  say("No registry gives ", OFFICIAL, ": building the runner's image on a base made of Debian's packages.")
  return engine:image "runner"
end

-- An engine with the image, and the line of the configuration that names them.
local function open_engine(kind)
  if kind ~= "docker" and kind ~= "podman" then
    must(nil, ("RUNNER=%s: docker or podman, or leave it out for the sandbox that is built in"):format(kind))
  end
  local started, engine = pcall(container_engine.start, { kind = kind })
  must(started or nil, engine)
  say(("%s %s %s"):format(engine.kind, engine.version,
    engine.own and "was started for the demo." or "answers at " .. engine.socket .. "."))
  local built, image = pcall(runner_image, engine)
  must(built or nil, image)
  local group = engine.cgroup_parent and (", cgroup_parent = %q"):format(engine.cgroup_parent) or ""
  return engine, ("  runner = docker { image = %q, engine = %q, socket = %q%s },\n"):format(image, engine.kind,
    engine.socket, group)
end

--- A folder of its own, made anew, with a configuration that names it.
local function prepare(build, fixtures, accounting, runner)
  local folder = must(host.file.directory(build, { create = true }))
  must(folder:remove_tree "demo")
  must(folder:make "demo")
  local text = ("-- The demo's configuration, made by spec/demo.lua.\n"
    .. "return {\n  var = %q,\n  policy = { directory = %q },\n%s}\n"):format(
    build .. "/demo/var", fixtures .. "/policy", runner or ("  accounting = %q,\n"):format(accounting))
  must(folder:write("demo/submitter.lua", text))
  local path = build .. "/demo/submitter.lua"
  -- Without the environment, where SUBMITTER_VAR would lead to the user's own submissions.
  local loaded = must(configuration.load { path = path, getenv = function() return nil end })
  return must(services.open(loaded, "store", "queue")), path
end

--- Ends here, with the findings and remedies, where the machine can't run the programs.
local function check_machine(config)
  local doctor = must(host.child.run {
    program = host.system.executable(), arguments = { "doctor", "--config", config },
    environment = { PATH = "/usr/bin:/bin" },
  })
  if doctor.exit_code == 0 then return end
  say(doctor.stdout)
  io.stderr:write("demo: this machine can't run the programs yet; do what the lines marked fail say\n")
  os.exit(3)
end

--- What the instructor does: cases into the bucket.
local function install(store, assignment)
  for name, text in pairs(assignment.files) do
    must(store:put(("%s/%s/%s/grading/%s"):format(ADMIN, EVENT, assignment.name, name), text))
  end
end

--- What the front end does, for every program as a student of its own.
local function hand_in(opened, assignment, accounting)
  local handed = {}
  for _, program in ipairs(assignment.programs) do
    local token = host.digest.md5("student " .. program.name)
    local one = must(submit.hand_in(opened, {
      source = program.source, admin = ADMIN, event = EVENT, assignment = assignment.name, tokens = { token },
    }))
    handed[#handed + 1] = {
      name = assignment.name .. "/" .. program.name, location = one.location, usual = program.verdict,
      expected = accounting == "rlimit" and without_groups[program.verdict] or program.verdict,
    }
  end
  return handed
end

--- What the operator does: the worker, a program of its own. Its log goes to a file and moves the progress bar.
local function serve(config, log, total)
  local worker = must(host.child.start {
    program = host.system.executable(), arguments = { "serve", "--once", "--config", config },
    environment = { PATH = "/usr/bin:/bin" }, stderr = "pipe",
  })
  for _, signal in ipairs { "INT", "TERM" } do
    host.task.on_signal(signal, function()
      worker:kill()
      os.exit(130)
    end)
  end
  local bar, done = terminal.progress(total), 0
  bar:update(0)
  while true do
    local piece = must(worker:read "stderr")
    if piece == "" then break end
    log:write(piece)
    for _ in piece:gmatch '"event":"submission_published"' do done = done + 1 end
    bar:update(done)
  end
  bar:clear()
  return worker:wait()
end

local function plain(value) return value ~= host.json.null and value or nil end

--- What the student finds, or nil and why there is nothing.
local function published(store, one)
  local names = key.names(one.location, "test")
  local text, message = store:get(names.result)
  if not text then return nil, message end
  return host.json.decode(text)
end

local function row(one, report)
  local assignment, program = one.name:match "^(.-)/(.*)$"
  local cpu_ms, wall_ms = 0, 0
  for _, case in ipairs(report and plain(report.cases) or {}) do
    cpu_ms = cpu_ms + (plain(case.cpu_ms) or 0)
    wall_ms = wall_ms + (plain(case.wall_ms) or 0)
  end
  return {
    assignment, program, report and report.verdict or "none",
    one.expected == one.usual and one.expected or ("%s for %s"):format(one.expected, one.usual),
    report and report.total > 0 and ("%d/%d"):format(report.passed, report.total) or "",
    ("%.2f s"):format(cpu_ms / 1000), ("%.2f s"):format(wall_ms / 1000),
    report and plain(report.reason) or "",
  }
end

local function verdict_style(value, cells)
  return value ~= cells[4]:match "^%u+" and "red" or terminal.verdict_styles[value]
end

local summary_columns = {
  { title = "assignment" }, { title = "program" }, { title = "verdict", style = verdict_style }, { title = "expected" },
  { title = "passed", right = true }, { title = "CPU", right = true }, { title = "wall", right = true },
  { title = "reason" },
}

local function show_summary(store, handed)
  local rows, surprises, refused = {}, {}, 0
  for _, one in ipairs(handed) do
    local report, message = published(store, one)
    rows[#rows + 1] = row(one, report)
    if one.expected == "REJ" then refused = refused + 1 end
    if not report then
      surprises[#surprises + 1] = one.name .. ": nothing was published: " .. message
    elseif report.verdict ~= one.expected then
      surprises[#surprises + 1] = ("%s: %s, expected %s"):format(one.name, report.verdict, one.expected)
    end
  end
  say(table.concat(terminal.table(summary_columns, rows, { colour = colour }), "\n"))
  return surprises, refused
end

local function show_report(store, handed)
  for _, one in ipairs(handed) do
    local report = one.name == SHOWN and published(store, one)
    if report then
      local names = key.names(one.location, "test")
      say("\n", pen("bold", "One report in full: " .. one.name))
      say("\n", pen("dim", names.out))
      say((host.text.escape(must(store:get(names.out)):gsub("\r\n", "\n"), { keep_newlines = true })))
      say(pen("dim", names.result .. ", as submit --wait shows it"))
      say(table.concat(result.lines(report, { colour = colour }), "\n"))
    end
  end
end

local function containers_left(engine, found)
  local listed = must(engine:command("ps", "--all", "--filter", "label=submitter.worker", "--format", "{{.Names}}"))
  for name in listed:gmatch "[^\n]+" do found[#found + 1] = "a container is left: " .. name end
end

--- Nothing may be left but what was refused, which is set aside for the operator to see.
local function leftovers(opened, refused, engine)
  local found = {}
  if engine then containers_left(engine, found) end
  local depth = must(opened.queue:depth())
  if depth.ready + depth.held > 0 then
    found[#found + 1] = ("%d messages are left in the queue"):format(depth.ready + depth.held)
  end
  if depth.dead ~= refused then
    found[#found + 1] = ("%d dead letters, expected %d, one for each program that is refused"):format(
      depth.dead, refused)
  end
  for _, worker in ipairs(opened.directory:list "jobs" or {}) do
    for _, job in ipairs(opened.directory:list("jobs/" .. worker.name) or {}) do
      if job.type == "directory" then
        found[#found + 1] = "a job folder is left: jobs/" .. worker.name .. "/" .. job.name
      end
    end
  end
  return found
end

local build = host.system.executable():match "^(.*)/"
local fixtures = must(host.file.directory(root .. "/spec/fixtures")):path()
local engine, runner
if arg[1] and arg[1] ~= "" then engine, runner = open_engine(arg[1]) end
local accounting = engine and "container" or choose_accounting()
local opened, config = prepare(build, fixtures, accounting, runner)
check_machine(config)

local handed = {}
for _, assignment in ipairs(catalogue.read(fixtures)) do
  install(opened.store, assignment)
  local programs = hand_in(opened, assignment, accounting)
  table.move(programs, 1, #programs, #handed + 1, handed)
end
say(("%d programs are handed in for %d assignments; grading them."):format(#handed, #catalogue.assignments))

local began = host.clock.monotonic_ms()
local log_path = build .. "/demo/serve.log"
local log = must(io.open(log_path, "wb"))
local ended = serve(config, log, #handed)
log:close()
say(("Graded in %.1f s.\n"):format((host.clock.monotonic_ms() - began) / 1000))

local problems, refused = show_summary(opened.store, handed)
if ended.exit_code ~= 0 then
  table.insert(problems, 1, ("the worker ended with %s; see %s"):format(
    ended.signal or "exit code " .. ended.exit_code, log_path))
end
show_report(opened.store, handed)
for _, left in ipairs(leftovers(opened, refused, engine)) do problems[#problems + 1] = left end

if engine then engine:close() end

say("\n", pen("bold", "To look at"))
say("  bucket     ", build, "/demo/var/bucket/", ADMIN, "/", EVENT)
say("  log        ", log_path)
say("  queue      ", host.system.executable(), " status --config ", config)
say("  refused    ", host.system.executable(), " deadletters list --config ", config)
say("  your own   ", host.system.executable(), " grade FILE.py --in ", fixtures, "/sum/test.in --out ", fixtures,
  "/sum/test.out")

if #problems > 0 then
  io.stderr:write("\ndemo: ", #problems, " problems\n")
  for _, problem in ipairs(problems) do io.stderr:write("  ", host.text.escape(problem), "\n") end
  os.exit(1)
end
local different = 0
for _, one in ipairs(handed) do
  if one.expected ~= one.usual then different = different + 1 end
end
say("\n", pen("green", ("All %d verdicts are as expected%s, and nothing is left behind."):format(#handed,
  different > 0 and (", %d of them for want of control groups"):format(different) or "")))
