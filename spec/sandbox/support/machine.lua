--- Looks at the machine from outside: which sandboxes there are, what is left of them, what of the host may not change.
local host = require "submitter.host"

local machine = {}

-- The kernel's own files have no size and never wait: plain reading is right for them.
local function slurp(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

---@async
local function processes()
  local folder = assert(host.file.directory("/proc"))
  local entries = assert(folder:list("."))
  folder:close()
  local numbers = {}
  for _, entry in ipairs(entries) do
    local number = math.tointeger(tonumber(entry.name))
    if number then numbers[#numbers + 1] = number end
  end
  return numbers
end

-- Name, parent and the four user ids of a process; nil when it has ended.
local function describe(number)
  local status = slurp(("/proc/%d/status"):format(number))
  if not status then return nil end
  local users = {}
  for user in (status:match("\nUid:([^\n]*)") or ""):gmatch("%d+") do users[#users + 1] = math.tointeger(user) end
  return {
    number = number, name = status:match("^Name:%s*([^\n]*)"), users = users,
    parent = math.tointeger(status:match("\nPPid:%s*(%d+)")), state = status:match("\nState:%s*(%S)"),
  }
end

--- The sandboxes that this process has started and that still run: their supervisors' process numbers.
---@async
---@return table<integer, boolean>
function machine.sandboxes()
  local own, found = host.system.pid(), {}
  for _, number in ipairs(processes()) do
    local process = describe(number)
    if process and process.parent == own and process.name:find("^submitter%-sandb") then found[number] = true end
  end
  return found
end

-- Where each v1 hierarchy, and v2's, is mounted: by the list of controllers in /proc/<n>/cgroup.
local function hierarchies()
  local mounts = {}
  for line in slurp("/proc/self/mountinfo"):gmatch("[^\n]+") do
    local place, kind, options = line:match("^%S+ %S+ %S+ %S+ (%S+) .* %- (%S+) %S+ (%S+)$")
    if kind == "cgroup2" then
      mounts[""] = place
    elseif kind == "cgroup" then
      for word in options:gmatch("[^,]+") do mounts[word] = place end
    end
  end
  return mounts
end

-- The directories of the control groups of processes, as far as a pattern goes in their paths.
local function groups_of(numbers, pattern)
  local mounts, list, seen = hierarchies(), {}, {}
  for _, number in ipairs(numbers) do
    for controllers, group in (slurp(("/proc/%d/cgroup"):format(number)) or ""):gmatch("%d+:([^:\n]*):([^\n]*)") do
      local made = group:match(pattern)
      local place = mounts[controllers:match("^[^,]*")]
      local path = made and place and place .. made
      if path and not seen[path] then
        seen[path] = true
        list[#list + 1] = path
      end
    end
  end
  return list
end

-- Started by root each sandbox has sixteen user ids of its own, which its supervisor's number tells.
local first_user, users_each, sandboxes_at_once = 0x70000000, 16, 1 << 22

-- Started by an ordinary user it has two of the range that /etc/subuid gives him, by the same number.
local function use_subordinate_ids()
  local user = tostring(host.system.user_id())
  local name = ("\n" .. slurp("/etc/passwd")):match("\n([^:\n]*):[^:\n]*:" .. user .. ":")
  for owner, first, count in slurp("/etc/subuid"):gmatch("([^:\n]+):(%d+):(%d+)") do
    if owner == name or owner == user then
      first_user, users_each = math.tointeger(first), 2
      sandboxes_at_once = math.tointeger(count) // users_each
      return
    end
  end
end
if host.system.user_id() ~= 0 then use_subordinate_ids() end

-- And in a container three of those that its engine maps, the runner first.
local CONTAINED_USERS <const> = 3

---@class Traces by what one knows later whether anything of a sandbox is left
---@field numbers table<integer, boolean> of processes; what descends from them counts as well
---@field least integer the first of its user ids
---@field users integer how many there are
---@field groups string[] directories of its control groups

--- Of a sandbox that runs.
---@async
---@param supervisor integer
---@return Traces
function machine.sandbox(supervisor)
  local children = {}
  for _, number in ipairs(processes()) do
    local process = describe(number)
    if process and process.parent == supervisor then children[#children + 1] = number end
  end
  return {
    numbers = { [supervisor] = true }, groups = groups_of(children, "^(.*/submitter%-[^/]*)"), users = users_each,
    least = first_user + users_each * (supervisor % sandboxes_at_once),
  }
end

--- Of a container in which the walls stand: its processes are those in a control group that is called after it.
---@async
---@param id string the engine's
---@return Traces
function machine.container(id)
  local members, numbers, least = {}, {}, nil
  for _, number in ipairs(processes()) do
    local groups, process = slurp(("/proc/%d/cgroup"):format(number)), describe(number)
    if groups and process and groups:find(id, 1, true) then
      members[#members + 1] = number
      -- Podman has a process of its own in a group that is called after the container, too.
      numbers[number] = process.name:find "^submitter" and true or nil
      for _, user in ipairs(process.users) do
        if user > 0 and (not least or user < least) then least = user end
      end
    end
  end
  return {
    numbers = numbers, groups = groups_of(members, "^(.*" .. id .. "[^/]*)"), least = least or 0,
    users = least and CONTAINED_USERS or 0,
  }
end

local function is_of(traces, process)
  if traces.numbers[process.number] or traces.numbers[process.parent] then return true end
  for _, user in ipairs(process.users) do
    if user >= traces.least and user < traces.least + traces.users then return true end
  end
  return false
end

local function groups_left(paths, complaints)
  for _, path in ipairs(paths) do
    local folder = host.file.directory(path)
    if folder then
      folder:close()
      complaints[#complaints + 1] = ("the control group %s is left"):format(path)
    end
  end
end

--- What is left of a sandbox that has been closed, as complaints.
---@async
---@param traces Traces
---@return string[]
function machine.left_over(traces)
  local complaints = {}
  for _, number in ipairs(processes()) do
    local process = describe(number)
    if process and is_of(traces, process) then
      complaints[#complaints + 1] = ("process %d (%s, state %s) is left"):format(number, process.name, process.state)
    end
  end
  groups_left(traces.groups, complaints)
  return complaints
end

--- What is left of an engine that has been ended, as complaints.
---@async
---@param folder string where it had its data
---@param cgroup_parent string
---@return string[]
function machine.engine_left_over(folder, cgroup_parent)
  local complaints, paths = {}, {}
  for _, number in ipairs(processes()) do
    if (slurp(("/proc/%d/cmdline"):format(number)) or ""):find(folder .. "/", 1, true) then
      complaints[#complaints + 1] = ("process %d of the engine is left"):format(number)
    end
  end
  for _, place in pairs(hierarchies()) do paths[#paths + 1] = place .. cgroup_parent end
  groups_left(paths, complaints)
  if slurp("/proc/self/mountinfo"):find(folder, 1, true) then
    complaints[#complaints + 1] = "a mount of the engine is left"
  end
  return complaints
end

--- What of the machine no program may change, by name.
---@async
---@return table<string, string>
function machine.state()
  local state = {}
  for _, path in ipairs {
    "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname", "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe", "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/pid_max", "/proc/sysvipc/sem",
    "/proc/sysvipc/msg", "/proc/self/mountinfo", "/proc/self/oom_score_adj", "/proc/swaps", "/etc/passwd",
    "/etc/group", "/etc/ld.so.preload", "/proc/self/cgroup",
  } do
    state[path] = slurp(path) or ""
  end
  return state
end

-- How much of each may seem to be missing because of what else a machine does. A single program that got its memory past the
-- walls and left it there takes as much.
local tolerance = { ["available memory"] = 128 << 20, ["memory files"] = 32 << 20, ["disk space"] = 64 << 20 }

--- How much room there is on the machine: bytes by name.
---@async
---@return table<string, integer>
function machine.room()
  local memory = slurp("/proc/meminfo")
  local function kibibytes(name)
    return math.tointeger(tonumber(memory:match("\n" .. name .. ":%s*(%d+) kB")))
  end
  local listed = assert(host.child.run {
    program = "/bin/df", arguments = { "--output=avail,target", "-B1", "/", "/tmp", "/var/tmp" },
    environment = { LANG = "C" },
  })
  local disk, counted = 0, {}
  for bytes, place in listed.stdout:gmatch("\n%s*(%d+) (%S+)") do
    if not counted[place] then disk = disk + math.tointeger(tonumber(bytes)) end
    counted[place] = true
  end
  return {
    ["available memory"] = kibibytes("MemAvailable") * 1024, ["memory files"] = -kibibytes("Shmem") * 1024,
    ["disk space"] = disk,
  }
end

--- What is missing of it, as complaints.
---@param before table<string, integer>
---@param now table<string, integer>
---@return string[]
function machine.missing(before, now)
  local complaints = {}
  for name, bytes in pairs(before) do
    if bytes - now[name] > tolerance[name] then
      complaints[#complaints + 1] = ("%s: %d MiB are missing"):format(name, (bytes - now[name]) >> 20)
    end
  end
  table.sort(complaints)
  return complaints
end

--- The names of what has changed.
---@param before table<string, string>
---@param now table<string, string>
---@return string[]
function machine.changes(before, now)
  local changed = {}
  for name, value in pairs(before) do
    if now[name] ~= value then changed[#changed + 1] = name end
  end
  table.sort(changed)
  return changed
end

return machine
