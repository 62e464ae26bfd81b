--- The walls as a program within them finds them, for `submitter doctor`: a small program that looks around and tries to get
--- out, and what its answers mean. Findings are as those of machine.lua.
local host = require "submitter.host"

local walls = {}

local namespaces = { "user", "pid", "mnt", "net", "ipc", "uts", "cgroup" }
local devices = "full null random urandom zero"

--- Python. Its argument says what it is to do: "look" (prints a line "name value" for each thing that it finds), "memory" (takes
--- ever more), "endless" (never ends).
walls.probe = [[
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
for name in "user pid mnt net ipc uts cgroup".split():
    print("namespace." + name, os.readlink("/proc/self/ns/" + name))
print("network", refused(lambda: socket.create_connection(("192.0.2.1", 80), 0.2)))
print("system", refused(lambda: write("/usr/submitter-doctor")))
print("source", refused(lambda: open(sys.argv[0], "a")))
print("sys", "there" if os.path.exists("/sys") else "absent")
print("devices", " ".join(sorted(name for name in os.listdir("/dev") if not os.path.islink("/dev/" + name)
                                 and not os.path.isdir("/dev/" + name))))
print("processes", sum(name.isdigit() for name in os.listdir("/proc")))
print("user", os.getuid())
for line in open("/proc/self/status"):
    name, value = line.split(":", 1)
    if name in ("CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Seccomp"):
        print(name, value.strip())
print("end .")
]]

local OUTSIDE = [[for name; do echo "namespace.$name $(readlink "/proc/self/ns/$name")"; done]]

--- The namespaces of this process, as the probe tells those within. It takes no interpreter, which a machine that has the
--- programs run in containers may not have.
---@async
---@return string
function walls.outside()
  local result = host.child.run {
    program = "/bin/sh", arguments = { "-c", OUTSIDE, "sh", table.unpack(namespaces) },
    environment = { PATH = "/usr/bin:/bin" },
  }
  return result and result.stdout or ""
end

local function answers(printed)
  local said = {}
  for name, value in printed:gmatch "([%w.]+) ([^\n]+)\n" do said[name] = value end
  return said
end

-- A wall that holds is told by what it gives, one that doesn't by what is open.
local function wall(name, holds, open)
  if #open == 0 then return { state = "ok", name = name, text = holds } end
  return {
    state = "fail", name = name, text = table.concat(open, ", "),
    remedy = "don't grade programs of strangers on this machine; report this",
  }
end

local function note(list, wrong, text)
  if wrong then list[#list + 1] = text end
end

local function own_namespaces(inside, outside)
  local open = {}
  for _, name in ipairs(namespaces) do
    local key = "namespace." .. name
    note(open, not inside[key] or not outside[key], name .. ": can't be told")
    note(open, inside[key] and inside[key] == outside[key], name .. ": shared with the machine")
  end
  return wall("own namespaces", table.concat(namespaces, ", "), open)
end

local function mounts(inside)
  local open = {}
  note(open, inside.system ~= "refused", "the system can be written")
  note(open, inside.source ~= "refused", "the program can change its own source")
  note(open, inside.sys ~= "absent", "/sys is there")
  note(open, inside.devices ~= devices, "devices: " .. tostring(inside.devices))
  return wall("mounts", "a root of its own; system and source read-only, no /sys, five harmless devices", open)
end

local function network(inside)
  local open = {}
  note(open, inside.network ~= "refused", "the network is reachable")
  return wall("network", "none", open)
end

local function processes(inside)
  local open = {}
  note(open, inside.processes ~= "1", ("%s processes are to be seen"):format(inside.processes))
  return wall("processes", "it sees none but its own", open)
end

local function privileges(inside)
  local open = {}
  note(open, inside.user == "0", "the program is root inside")
  for _, name in ipairs { "CapPrm", "CapEff", "CapAmb" } do
    note(open, not (inside[name] or ""):find "^0+$", ("it has capabilities: %s %s"):format(name, inside[name]))
  end
  note(open, inside.NoNewPrivs ~= "1", "it may gain privileges")
  return wall("privileges", "not root, no capability, no way to gain any", open)
end

local function system_calls(inside)
  local open = {}
  note(open, inside.Seccomp ~= "2", "they aren't filtered")
  return wall("system calls", "filtered", open)
end

--- What the probe's answers mean, wall by wall.
---@param inside string what it printed within the walls, asked to look
---@param outside string of walls.outside
---@return table[] findings
function walls.judge(inside, outside)
  local within, without = answers(inside), answers(outside)
  if not within["end"] then
    return { wall("walls", "", { "the program that looks at them didn't get to its end" }) }
  end
  return {
    own_namespaces(within, without), mounts(within), network(within), processes(within), privileges(within),
    system_calls(within),
  }
end

return walls
