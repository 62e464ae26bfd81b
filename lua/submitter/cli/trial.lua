--- A few programs run where submissions are, for `submitter doctor`: does anything run, do the walls hold, do limits end what
--- goes to them? Findings are as those of machine.lua.
local host = require "submitter.host"
local units = require "submitter.units"
local walls = require "submitter.cli.walls"

local trial = {}

-- Time enough on a slow machine, too; what is to go to its limit of time needn't have that long.
local limits = {
  memory_bytes = 64 << 20, cpu_ms = 3000, wall_ms = 15000, output_bytes = 65536, processes = 16, file_bytes = 1 << 20,
}
local short_limits = {}
for name, value in pairs(limits) do short_limits[name] = value end
short_limits.cpu_ms = 300

-- What a runner is called where it is told about.
local titles = { sandbox = "sandbox", docker = "container" }
local remedies = {
  sandbox = "the message names what is missing and what to do about it",
  docker = "the message is the engine's or the walls'; README.md says what docker { … } takes, docker/README.md how an "
    .. "image is made",
}

local function finding(state, name, text, remedy)
  return { state = state, name = name, text = text, remedy = remedy }
end

-- One session with the probe in it, and what is done there; it is closed whatever happens.
local function within(runner, case_limits, body)
  local session, message = runner:start(case_limits, {})
  if not session then return nil, message end
  local results = table.pack(xpcall(function()
    local submitted, problem = session:submit { name = "doctor.py", source = walls.probe, limits = case_limits }
    if not submitted then return nil, problem end
    return body(session)
  end, debug.traceback))
  local closed, left = session:close()
  if not results[1] then error(results[2], 0) end
  if not closed and results[2] then
    table.insert(results[2], finding("fail", "clean-up", left, "remove what the message names by hand"))
  end
  return table.unpack(results, 2, results.n)
end

-- A program that went to a limit: did it end there? Without control groups each process is bounded by itself, and one
-- that gets no more memory fails like any other.
local function limit(name, accounting, case)
  local ending = name == "memory" and accounting == "rlimit" and "exit" or name
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

-- What a program sees that looks around, and one that takes ever more memory.
local function look(session, accounting)
  local seen, message = session:case { number = 1, arguments = { "look" } }
  if not seen then return { finding("fail", "a program", message, "see the message") } end
  if seen.ending ~= "exit" or seen.exit_code ~= 0 then
    local complaint = seen.stderr:match "([^\n]+)%s*$" or "nothing on standard error"
    return { finding("fail", "a program", ("a small program didn't run: %s (%s)"):format(seen.ending, complaint),
      "check that the interpreter works: " .. "python3 -c 'import socket'") }
  end
  local findings = walls.judge(seen.stdout, walls.outside())
  table.insert(findings, 1, finding("ok", "a program", ("ran in %d ms (%d ms CPU, %s)"):format(
    seen.wall_ms, seen.cpu_ms, units.format_bytes(seen.memory_bytes))))
  findings[#findings + 1] = limit("memory", accounting, session:case { number = 2, arguments = { "memory" } })
  return findings
end

local function append(findings, more)
  table.move(more, 1, #more, #findings + 1, findings)
end

--- Runs them.
---@async
---@param runner table an opened one, of a kind
---@return table[] findings
function trial.run(runner)
  local findings, began = {}, host.clock.monotonic_ms()
  local kind = runner:describe().kind
  local looked, message = within(runner, limits, function(session)
    local described = session:describe()
    local image = described.image and (", %s"):format(described.image) or ""
    findings[1] = finding("ok", titles[kind], ("built in %d ms, Python %s, accounting by %s%s"):format(
      host.clock.monotonic_ms() - began, described.version, described.accounting, image))
    return look(session, described.accounting)
  end)
  if not looked then
    return { finding("fail", titles[kind], message, remedies[kind]) }
  end
  append(findings, looked)
  local endless, problem = within(runner, short_limits, function(session)
    return { limit("cpu", nil, session:case { number = 1, arguments = { "endless" } }) }
  end)
  append(findings, endless or { finding("fail", "cpu limit", problem, "see the message") })
  return findings
end

return trial
