--- `submitter doctor`: what this machine can enforce and what is reachable, by trying it where that is possible.
local host = require "submitter.host"
local kernel = require "submitter.kernel"
local machine = require "submitter.cli.machine"
local options = require "submitter.cli.options"
local policy = require "submitter.policy"
local python = require "submitter.python"
local reach = require "submitter.cli.reach"
local services = require "submitter.services"
local terminal = require "submitter.cli.terminal"
local units = require "submitter.units"
local walls = require "submitter.cli.walls"

local command = { name = "doctor", summary = "what this machine can enforce, and what to do about it" }

function command.describe(parser)
  parser:description("Looks at the kernel, the programs, the Python interpreter, the folders, tries bucket, queue and "
    .. "database with the credentials that it finds, and builds one sandbox to run a few programs in it. Exits 3 when "
    .. "something needed fails; each finding says what to do.\n\nExample: submitter doctor")
end

local function finding(state, name, text, remedy)
  return { state = state, name = name, text = text, remedy = remedy }
end

local function exists(path)
  local stream = io.open(path, "rb")
  if stream then stream:close() end
  return stream ~= nil
end

local function user_name(user_id)
  for line in (kernel.read "/etc/passwd" or ""):gmatch "[^\n]+" do
    local name, number = line:match "^([^:]+):[^:]*:(%d+):"
    if tonumber(number) == user_id then return name end
  end
  return nil
end

local function programs()
  local folder = host.system.executable():match "^(.*)/"
  local missing = {}
  for _, name in ipairs { "submitter-sandbox", "submitter-runner" } do
    if not exists(folder .. "/" .. name) then missing[#missing + 1] = name end
  end
  if #missing > 0 then
    return finding("fail", "programs", table.concat(missing, " and ") .. " not found in " .. folder,
      "build them: make; or install all three programs in one folder: make install")
  end
  return finding("ok", "programs",
    ("submitter %s, submitter-sandbox and submitter-runner in %s"):format(host.system.version(), folder))
end

--- The command that loads the AppArmor profile. It names the installed program; one that stands elsewhere needs its own path.
local function load_profile()
  local folder = host.system.executable():match "^(.*)/"
  local installed = folder .. "/../share/submitter/apparmor/submitter-sandbox"
  if exists(installed) then return ("apparmor_parser -r %s"):format(installed) end
  return ("sed 's|/usr{,/local}/bin/|%s/|' %s/../docker/apparmor/submitter-sandbox | apparmor_parser -r"):format(
    folder, host.system.lua_directory())
end

local function interpreter(configured)
  local path, version = python.find(configured)
  if not path then
    return finding("fail", "python", version, "apt-get install python3, or set python in the configuration")
  end
  return finding("ok", "python", ("%s, version %s"):format(path, version)), path
end

--- Opens var as the worker does, and writes there.
local function storage(opened)
  local name = ("doctor-%d"):format(host.system.pid())
  local written, message = opened.directory:replace(name, "probe\n")
  if not written then
    return finding("fail", "var", message,
      "see that this user may write in " .. opened.directory:path() .. ", and that there is room")
  end
  opened.directory:remove(name)
  return finding("ok", "var", opened.directory:path() .. " can be written")
end

--- Who we are to AWS: where credentials, region, and endpoints that aren't the configuration's were found.
local function identity(opened)
  local who = opened.session:describe()
  if who.message then return finding("fail", "aws", who.message, "see lua/submitter/aws/README.md") end
  local text = ("credentials by %s, region %s"):format(who.credentials, who.region or "of the queue")
  for _, pair in ipairs { { "bucket", "s3" }, { "queue", "sqs" } } do
    local part, service = table.unpack(pair)
    local settings = opened.configuration[part]
    local found = settings.kind == service and not settings.endpoint
      and opened.session:endpoint(service, { region = settings.region })
    if found and found.custom then text = ("%s, %s at %s (%s)"):format(text, part, found.url, found.source) end
  end
  return finding("ok", "aws", text)
end

local function policies(opened)
  local loaded, message = policy.load {
    directory = opened.policy_directory, ceilings = opened.configuration.policy.limits,
  }
  if not loaded then return finding("fail", "policy", message, "mend the file that the message names") end
  return finding("ok", "policy", ("%s: %s memory, %s CPU, %s wall clock a case"):format(loaded.name,
    units.format_bytes(loaded.limits.memory_bytes), units.format_ms(loaded.limits.cpu_ms),
    units.format_ms(loaded.limits.wall_ms)))
end

-- Time enough on a slow machine, too; what is to go to its limit of time needn't have that long.
local limits = {
  memory_bytes = 64 << 20, cpu_ms = 3000, wall_ms = 15000, output_bytes = 65536, processes = 16, file_bytes = 1 << 20,
}
local short_limits = {}
for name, value in pairs(limits) do short_limits[name] = value end
short_limits.cpu_ms = 300

--- What the probe sees outside, to compare with.
local function outside(path)
  local result = host.child.run {
    program = path, arguments = { "-I", "-c", walls.probe, "namespaces" }, environment = { LANG = "C.UTF-8" },
  }
  return result and result.stdout or ""
end

--- A program that goes to a limit: does it end there? Without control groups each process is bounded by itself, and one that
--- gets no more memory fails like any other.
local function limit(box, number, name, accounting)
  local ending = name == "memory" and accounting == "rlimit" and "exit" or name
  local case = box:case {
    number = number, arguments = { name == "cpu" and "endless" or name },
    limits = name == "cpu" and short_limits or nil,
  }
  local title = name .. " limit"
  if not case or case.ending ~= ending or case.exit_code == 0 then
    return finding("fail", title, "not enforced: the program ended by "
      .. (case and case.ending or "a fault of the sandbox"), "control groups are needed for it; see the lines above")
  elseif ending ~= name then
    return finding("warn", title, "enforced for each process alone: it multiplies with them; too much shows as RTE",
      "accounting = \"cgroup\" in the configuration, where control groups can be had")
  end
  return finding("ok", title, "enforced")
end

local function try_cases(box, path)
  local seen, message = box:case { number = 1, arguments = { "look" } }
  if not seen then return { finding("fail", "a program", message, "see the message") } end
  if seen.ending ~= "exit" or seen.exit_code ~= 0 then
    local complaint = seen.stderr:match "([^\n]+)%s*$" or "nothing on standard error"
    return { finding("fail", "a program", ("a small program didn't run: %s (%s)"):format(seen.ending, complaint),
      "check that the interpreter works: " .. "python3 -c 'import socket'") }
  end
  local findings = walls.judge(seen.stdout, outside(path))
  table.insert(findings, 1, finding("ok", "a program", ("ran in %d ms (%d ms CPU, %s)"):format(
    seen.wall_ms, seen.cpu_ms, units.format_bytes(seen.memory_bytes))))
  for number, name in ipairs { "memory", "cpu" } do
    findings[#findings + 1] = limit(box, number + 1, name, box:info().accounting)
  end
  return findings
end

local function sandbox(configured, path)
  local began = host.clock.monotonic_ms()
  local box, message = host.sandbox.start {
    limits = limits, interpreter = path, accounting = configured.accounting, cgroup_parent = configured.cgroup_parent,
    processors = configured.processors,
  }
  if not box then
    return { finding("fail", "sandbox", message, "the message names the wall and what to do about it") }
  end
  local taken = host.clock.monotonic_ms() - began
  local info = box:info()
  local findings = { finding("ok", "sandbox", ("built in %d ms, accounting by %s"):format(taken, info.accounting)) }
  local submitted
  submitted, message = box:submit {
    files = { { name = "doctor.py", data = walls.probe } }, program = "doctor.py", limits = limits,
  }
  local tried = submitted and try_cases(box, path) or { finding("fail", "a program", message, "see the message") }
  table.move(tried, 1, #tried, 2, findings)
  local closed
  closed, message = box:close()
  if not closed then
    findings[#findings + 1] = finding("fail", "clean-up", message, "remove what the message names by hand")
  end
  return findings
end

--- What the worker opens: by the names of the parts and of the findings about them.
local looks = {
  { "var", "var", storage, "choose a folder that can be written: var in the configuration, or SUBMITTER_VAR" },
  { "store", "bucket", reach.bucket, "see bucket in the configuration" },
  { "queue", "queue", reach.queue, "see queue in the configuration" },
  { "database", "database", reach.database, "see database in the configuration" },
  { "policies", "policy", policies, "mend the file that the message names" },
}

local function parts(configured, show)
  local opened = services.open(configured)
  for _, look in ipairs(looks) do
    local part, name, try, remedy = table.unpack(look)
    local had_session = opened.session ~= nil
    local good, message = opened:open(part)
    if opened.session and not had_session then show(identity(opened)) end
    local found = good and try(opened) or finding("fail", name, message, remedy)
    for _, one in ipairs(found.state and { found } or found) do show(one) end
  end
  opened:close()
end

local styles = { ok = "green", warn = "yellow", fail = "red" }

function command.run(arguments)
  local configured, message, code = options.configuration(arguments)
  if not configured then return nil, message, code end
  local pen = terminal.pen(terminal.has_colour(1))
  local failed, unwritten = false, nil
  local function show(one)
    failed = failed or one.state == "fail"
    io.stdout:write(pen(styles[one.state], ("%-5s"):format(one.state)), ("%-15s"):format(one.name),
      terminal.escape(one.text), "\n")
    if one.remedy then io.stdout:write((" "):rep(20), pen("dim", "▸ "), terminal.escape(one.remedy), "\n") end
    local flushed, problem = io.stdout:flush()
    unwritten = unwritten or not flushed and problem
  end

  local user_id = host.system.user_id()
  show(programs())
  show(machine.kernel(kernel.read))
  show(machine.namespaces(kernel.read, exists, user_id))
  show(machine.apparmor(kernel.read, user_id, load_profile()))
  show(machine.cgroup(kernel.read, exists))
  show(machine.seccomp(kernel.read))
  show(machine.user(kernel.read, exists, user_id, user_name(user_id)))
  local found, path = interpreter(configured.python)
  show(found)
  parts(configured, show)
  if configured.mail then show(reach.mail(configured.mail)) end
  if path then
    for _, one in ipairs(sandbox(configured, path)) do show(one) end
  end
  if unwritten then return nil, "can't write to standard output: " .. unwritten, "environment" end
  if failed then return nil, "something that is needed failed; see the lines marked fail", "environment" end
  return 0
end

return command
