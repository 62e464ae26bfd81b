--- `submitter doctor`: what this machine can enforce and what is reachable, by trying it where that is possible.
local configuration = require "submitter.configuration"
local host = require "submitter.host"
local machine = require "submitter.cli.machine"
local options = require "submitter.cli.options"
local policy = require "submitter.policy"
local python = require "submitter.python"
local terminal = require "submitter.cli.terminal"
local units = require "submitter.units"

local command = { name = "doctor", summary = "what this machine can enforce, and what to do about it" }

function command.describe(parser)
  parser:description("Looks at the kernel, the programs, the Python interpreter, the folders, and builds one sandbox "
    .. "to run a few programs in it. Exits 3 when something needed fails; each finding says what to do.\n\nExample: "
    .. "submitter doctor")
end

local function finding(state, name, text, remedy)
  return { state = state, name = name, text = text, remedy = remedy }
end

local function read(path)
  local stream = io.open(path, "rb")
  if not stream then return nil end
  local data = stream:read "a"
  stream:close()
  return data
end

local function exists(path)
  local stream = io.open(path, "rb")
  if stream then stream:close() end
  return stream ~= nil
end

local function user_name(user_id)
  for line in (read "/etc/passwd" or ""):gmatch "[^\n]+" do
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

local function interpreter(configured)
  local path, version = python.find(configured)
  if not path then
    return finding("fail", "python", version, "apt-get install python3, or set python in the configuration")
  end
  return finding("ok", "python", ("%s, version %s"):format(path, version)), path
end

--- Opens var and its parts as every command does, and writes there.
local function storage(configured)
  local services, message = configuration.open(configured, { jobs = false })
  if not services then
    return finding("fail", "var", message,
      "choose a folder that can be written: var in the configuration, or SUBMITTER_VAR")
  end
  local name = ("doctor-%d"):format(host.system.pid())
  local written
  written, message = services.directory:replace(name, "probe\n")
  if not written then
    return finding("fail", "var", message,
      "see that this user may write in " .. services.directory:path() .. ", and that there is room"), services
  end
  services.directory:remove(name)
  return finding("ok", "var", services.directory:path() .. " can be written"), services
end

--- Tries what the worker will do, whatever the bucket holds: listing it could take hours.
local function bucket(store)
  local name = ("doctor-%d"):format(host.system.pid())
  local done, message = store:put(name, "probe\n")
  if done then
    done, message = store:get(name)
    local deleted, problem = store:delete(name)
    if done and not deleted then done, message = nil, problem end
  end
  if not done then return finding("fail", "bucket", message, "look at bucket/ below var") end
  return finding("ok", "bucket", "a directory; an object was put there, read and deleted")
end

local function parts(services)
  local findings = { bucket(services.store) }
  local depth, message = services.queue:depth()
  findings[2] = depth and finding(depth.dead > 0 and "warn" or "ok", "queue",
      ("a directory spool: %d ready, %d held, %d dead"):format(depth.ready, depth.held, depth.dead),
      depth.dead > 0 and "submitter deadletters list" or nil)
    or finding("fail", "queue", message, "look at queue/ below var")
  return findings
end

local function policies(services, configured)
  local loaded, message = policy.load { directory = services.policy_directory, ceilings = configured.policy.limits }
  if not loaded then return finding("fail", "policy", message, "mend the file that the message names") end
  return finding("ok", "policy", ("%s: %s memory, %s CPU, %s wall clock a case"):format(loaded.name,
    units.format_bytes(loaded.limits.memory_bytes), units.format_ms(loaded.limits.cpu_ms),
    units.format_ms(loaded.limits.wall_ms)))
end

-- What a student's program sees, told in words that `walls` looks for; then one that takes too much memory, one that
-- never ends.
local probe = [[
import os, socket, sys
kind = sys.argv[1]
if kind == "memory":
    kept = []
    while True:
        kept.append(b"x" * 1048576)
elif kind == "endless":
    while True:
        pass
def refused(attempt):
    try:
        attempt()
    except OSError:
        return "refused"
    return "allowed"
def write(path):
    open(path, "w").close()
    os.unlink(path)
print("network", refused(lambda: socket.create_connection(("192.0.2.1", 80), 0.2)))
print("system", refused(lambda: write("/usr/submitter-doctor")))
print("source", refused(lambda: open(sys.argv[0], "a")))
print("processes", sum(name.isdigit() for name in os.listdir("/proc")))
print("root", "yes" if os.getuid() == 0 else "no")
]]

local limits = {
  memory_bytes = 64 << 20, cpu_ms = 300, wall_ms = 3000, output_bytes = 65536, processes = 16, file_bytes = 1 << 20,
}

--- Judges what the probe printed.
local function walls(printed)
  local said = {}
  for name, value in printed:gmatch "(%w+) (%w+)\n" do said[name] = value end
  local open = {}
  if said.network ~= "refused" then open[#open + 1] = "the network is reachable" end
  if said.system ~= "refused" then open[#open + 1] = "the system can be written" end
  if said.source ~= "refused" then open[#open + 1] = "the program can change its own source" end
  if said.root ~= "no" then open[#open + 1] = "the program is root inside" end
  if not said.processes then open[#open + 1] = "the probe didn't finish" end
  return open
end

local function try_cases(box)
  local findings = {}
  local seen, message = box:case { number = 1, arguments = { "look" } }
  if not seen then return { finding("fail", "a program", message, "see the message") } end
  if seen.ending ~= "exit" or seen.exit_code ~= 0 then
    local complaint = seen.stderr:match "([^\n]+)%s*$" or "nothing on standard error"
    return { finding("fail", "a program", ("a small program didn't run: %s (%s)"):format(seen.ending, complaint),
      "check that the interpreter works: " .. "python3 -c 'import socket'") }
  end
  findings[1] = finding("ok", "a program", ("ran in %d ms (%d ms CPU, %s)"):format(
    seen.wall_ms, seen.cpu_ms, units.format_bytes(seen.memory_bytes)))
  local open = walls(seen.stdout)
  findings[2] = #open == 0 and finding("ok", "walls", "no network, system and source read-only, not root")
    or finding("fail", "walls", table.concat(open, ", "),
      "don't grade programs of strangers on this machine; report this")
  for number, expected in ipairs { "memory", "cpu" } do
    local case = box:case { number = number + 1, arguments = { expected == "cpu" and "endless" or expected } }
    local name = expected .. " limit"
    if case and case.ending == expected then
      findings[#findings + 1] = finding("ok", name, "enforced")
    else
      findings[#findings + 1] = finding("fail", name,
        "not enforced: the program ended by " .. (case and case.ending or "a fault of the sandbox"),
        "control groups are needed for it; see the lines above")
    end
  end
  return findings
end

local function sandbox(configured, path)
  local began = host.clock.monotonic_ms()
  local box, message = host.sandbox.start {
    limits = limits, interpreter = path, accounting = configured.accounting, cgroup_parent = configured.cgroup_parent,
  }
  if not box then
    return { finding("fail", "sandbox", message, "the message names the wall; see also the lines above") }
  end
  local taken = host.clock.monotonic_ms() - began
  local info = box:info()
  local findings = { finding("ok", "sandbox", ("built in %d ms, accounting by %s"):format(taken, info.accounting)) }
  local submitted
  submitted, message = box:submit {
    files = { { name = "doctor.py", data = probe } }, program = "doctor.py", limits = limits,
  }
  local tried = submitted and try_cases(box) or { finding("fail", "a program", message, "see the message") }
  table.move(tried, 1, #tried, 2, findings)
  local closed
  closed, message = box:close()
  if not closed then
    findings[#findings + 1] = finding("fail", "clean-up", message, "remove what the message names by hand")
  end
  return findings
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
  show(machine.namespaces(read, exists, user_id))
  show(machine.cgroup(read))
  show(machine.seccomp(read))
  show(machine.user(read, exists, user_id, user_name(user_id)))
  local found, path = interpreter(configured.python)
  show(found)
  local services
  found, services = storage(configured)
  show(found)
  if services then
    for _, one in ipairs(parts(services)) do show(one) end
    show(policies(services, configured))
    services:close()
  end
  if path then
    for _, one in ipairs(sandbox(configured, path)) do show(one) end
  end
  if unwritten then return nil, "can't write to standard output: " .. unwritten, "environment" end
  if failed then return nil, "something that is needed failed; see the lines marked fail", "environment" end
  return 0
end

return command
