--- What the kernel says about itself, for `submitter doctor`. Nothing is tried here; each finding is
--- { state = "ok"|"warn"|"fail", name, text, remedy = text or nil }. Files are read through a function, so that specs
--- can describe any machine.
local units = require "submitter.units"

local machine = {}

-- What the worker and what supervises need beside the program.
local CONTAINER_RESERVE_BYTES = 128 << 20

local namespaces = { "user", "pid", "mnt", "net", "ipc", "uts", "cgroup" }
local controllers = { "memory", "pids", "cpuacct" }

-- csrc/sandbox/identity.c: the users that sandboxes take where all are there, and how many are enough where few are.
local ROOT_USERS, FEW_USERS = { first = 0x70000000, last = 0x77ffffff }, 1024

local function finding(state, name, text, remedy)
  return { state = state, name = name, text = text, remedy = remedy }
end

local function first_number(text)
  return text and math.tointeger(tonumber(text:match "%d+")) or nil
end

-- Is this kernel so new? Releases are "6.1.0-28-amd64".
local function kernel_since(read, major, minor)
  local own_major, own_minor = (read "/proc/sys/kernel/osrelease" or ""):match "^(%d+)%.(%d+)"
  own_major, own_minor = tonumber(own_major) or 0, tonumber(own_minor) or 0
  return own_major > major or own_major == major and own_minor >= minor
end

--- The kernel: the walls are built with calls that came with 5.12 (mount_setattr), pivot_root among older ones.
---@param read fun(path:string):string|nil
---@return table finding
function machine.kernel(read)
  local release = (read "/proc/sys/kernel/osrelease" or "of unknown release"):match "^[^\n]*"
  if not kernel_since(read, 5, 12) then
    return finding("fail", "kernel", "Linux " .. release .. " can't build the walls",
      "use Linux 5.12 or newer (Debian 12, Ubuntu 22.04)")
  end
  return finding("ok", "kernel", "Linux " .. release .. "; pivot_root, mount_setattr and clone3 are there")
end

--- Namespaces: does the kernel have them, may they be made?
---@param read fun(path:string):string|nil the text of a file, nil when it isn't there
---@param exists fun(path:string):boolean
---@param user_id integer
---@return table finding
function machine.namespaces(read, exists, user_id)
  local missing = {}
  for _, name in ipairs(namespaces) do
    if not exists("/proc/self/ns/" .. name) then missing[#missing + 1] = name end
  end
  if #missing > 0 then
    return finding("fail", "namespaces", "the kernel lacks: " .. table.concat(missing, ", "),
      "use a kernel with all of them (every Debian and Ubuntu kernel has them)")
  end
  if first_number(read "/proc/sys/user/max_user_namespaces") == 0 then
    return finding("fail", "namespaces", "user namespaces are switched off (user.max_user_namespaces is 0)",
      "sysctl user.max_user_namespaces=10000")
  end
  if user_id ~= 0 then
    if first_number(read "/proc/sys/kernel/unprivileged_userns_clone") == 0 then
      return finding("fail", "namespaces", "only root may make user namespaces (kernel.unprivileged_userns_clone is 0)",
        "sysctl kernel.unprivileged_userns_clone=1, or start submitter as root")
    end
  end
  return finding("ok", "namespaces", table.concat(namespaces, ", "))
end

--- AppArmor's restriction of user namespaces, as Ubuntu has it. Only root may see which profiles are in force; whether the
--- sandbox has one shows where one is built.
---@param read fun(path:string):string|nil
---@param user_id integer
---@param load string the command, for root, that loads the profile
---@return table finding
function machine.apparmor(read, user_id, load)
  if first_number(read "/proc/sys/kernel/apparmor_restrict_unprivileged_userns") ~= 1 then
    return finding("ok", "apparmor", "user namespaces aren't restricted by it")
  elseif user_id == 0 then
    return finding("ok", "apparmor", "it restricts the user namespaces of ordinary users, not those of root")
  end
  return finding("warn", "apparmor", "it lets ordinary users have user namespaces by profile only "
    .. "(kernel.apparmor_restrict_unprivileged_userns is 1)",
    ("where no sandbox can be built below, load the profile submitter-sandbox, as root: %s"):format(load))
end

--- Where the control groups are mounted, and of which kind they are.
---@param mounts string|nil the text of /proc/self/mounts
---@return "v2"|"v1"|nil version
---@return table<string, string> places of v1's controllers, or { unified = path }
local function cgroup_mounts(mounts)
  local places, unified = {}, nil
  for place, kind, flags in (mounts or ""):gmatch "%S+ (%S+) (%S+) (%S+)[^\n]*" do
    if kind == "cgroup2" then
      unified = unified or place
    elseif kind == "cgroup" then
      for _, controller in ipairs(controllers) do
        if ("," .. flags .. ","):find("," .. controller .. ",", 1, true) then places[controller] = place end
      end
    end
  end
  if places.memory then return "v1", places end
  if unified then return "v2", { unified = unified } end
  return nil, {}
end

-- The nearest group of version 2 above this process that has the controllers, as a directory, and what it has.
local function nearest_v2(read, mount)
  local function has_both(group)
    local listed = " " .. (read(group .. "/cgroup.controllers") or ""):gsub("%s+", " ") .. " "
    return { memory = listed:find(" memory ", 1, true) ~= nil, pids = listed:find(" pids ", 1, true) ~= nil }
  end
  local group = mount .. (("\n" .. (read "/proc/self/cgroup" or "")):match "\n0::(/[^\n]+)" or "")
  local present = has_both(group)
  while not (present.memory and present.pids) and #group > #mount do
    group = group:match "^(.*)/"
    present = has_both(group)
  end
  return group, present
end

-- Does a swapped-out page count? That matters only where there is swap space.
local function swap_bounded(read, exists, version, places)
  if version == "v1" then return exists(places.memory .. "/memory.memsw.limit_in_bytes") end
  local group = nearest_v2(read, places.unified)
  -- The topmost group has no such file, whatever those below it have.
  return group == places.unified or exists(group .. "/memory.swap.max")
end

local function has_swap(read)
  return (read "/proc/swaps" or ""):find "\n." ~= nil
end

-- What the groups do, in words, for the version and controllers that are there.
local function enforced(read, version, present, swap)
  local words = {}
  if present.memory then words[#words + 1] = swap and "memory, swap" or "memory" end
  if present.pids then words[#words + 1] = "processes" end
  if version == "v2" or present.cpuacct then words[#words + 1] = "CPU time" end
  local at_once = version == "v2" and kernel_since(read, 5, 14)
  return ("%s bounds %s; kills %s"):format(version, table.concat(words, ", "),
    at_once and "a group at once" or "by user id")
end

--- Control groups: version, and what they can bound here. Whether this user may make any shows where a sandbox is built.
---@param read fun(path:string):string|nil
---@param exists fun(path:string):boolean
---@return table finding
function machine.cgroup(read, exists)
  local version, places = cgroup_mounts(read "/proc/self/mounts")
  local remedy = "mount them (systemd does), start submitter where they are delegated "
    .. "(systemd-run --user --scope -p Delegate=yes), or configure accounting = \"rlimit\", which measures less"
  if not version then
    return finding("warn", "control groups", "no memory controller is mounted here", remedy)
  end
  local present, missing = {}, {}
  if version == "v2" then
    present = select(2, nearest_v2(read, places.unified))
  else
    for _, controller in ipairs(controllers) do present[controller] = places[controller] ~= nil end
  end
  for _, controller in ipairs(version == "v2" and { "memory", "pids" } or controllers) do
    if not present[controller] then missing[#missing + 1] = controller end
  end
  local swap = present.memory and swap_bounded(read, exists, version, places)
  local text = enforced(read, version, present, swap)
  if #missing > 0 then
    return finding("warn", "control groups", text .. "; missing: " .. table.concat(missing, ", "), remedy)
  elseif not swap and has_swap(read) then
    return finding("warn", "control groups", text .. "; swap isn't bounded: programs can have more memory than allowed",
      "boot with swapaccount=1, or switch swap off: swapoff -a")
  end
  return finding("ok", "control groups", text)
end

-- A limit of memory that is one: version 2 says "max" where there is none, version 1 the largest multiple of a page.
local function memory_limit(text)
  local bytes = first_number(text)
  return bytes and bytes < 1 << 60 and bytes or nil
end

-- The files of the group that this process is in, which may stand at the mount itself: within a container it does.
local function own_group(read, version, places)
  local mount = version == "v1" and places.memory or places.unified
  local lines = "\n" .. (read "/proc/self/cgroup" or "")
  local pattern = version == "v1" and "\n%d+:[^:\n]*memory[^:\n]*:(/[^\n]*)" or "\n0::(/[^\n]*)"
  local group = lines:match(pattern)
  local file = version == "v1" and "/memory.limit_in_bytes" or "/memory.max"
  for _, place in ipairs { mount .. (group and group ~= "/" and group or ""), mount } do
    local text = read(place .. file)
    if text then return text end
  end
end

--- The counters of the container that this worker is in: can they be read, and is there room for what a policy may allow?
---@param read fun(path:string):string|nil
---@param most_bytes integer the most memory that a policy may allow a case
---@return table finding
function machine.container(read, most_bytes)
  local version, places = cgroup_mounts(read "/proc/self/mounts")
  local text = version and own_group(read, version, places)
  if not text then
    return finding("fail", "control groups", "no counters of a container can be read here",
      "use accounting = \"container\" only within one, which sees /sys/fs/cgroup, read-only")
  end
  local limit = memory_limit(text)
  local told = ("%s, those of the container; one submission at a time"):format(version)
  local wanted = most_bytes + CONTAINER_RESERVE_BYTES
  -- Not rounded to fewer digits, which might be too little.
  local wanted_text = ("%dM"):format((wanted + (1 << 20) - 1) >> 20)
  if not limit then
    return finding("warn", "control groups", told .. "; it has no memory limit of its own",
      ("give it one, of %s or more: a program may have too much for a moment before it is ended"):format(
        wanted_text))
  elseif limit < wanted then
    return finding("warn", "control groups", ("%s; its memory limit of %s may end the worker with a program that is "
      .. "allowed %s"):format(told, units.format_bytes(limit), units.format_bytes(most_bytes)),
      ("give it %s, or lower policy.limits.memory in the configuration"):format(wanted_text))
  end
  return finding("ok", "control groups", ("%s; %s memory"):format(told, units.format_bytes(limit)))
end

--- Filters of system calls.
---@param read fun(path:string):string|nil
---@return table finding
function machine.seccomp(read)
  local actions = read "/proc/sys/kernel/seccomp/actions_avail"
  if not actions then
    return finding("fail", "seccomp", "the kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER")
  end
  return finding("ok", "seccomp", (actions:gsub("%s+$", "")))
end

-- How many users or groups there are for sandboxes: nil for all that they can want, else the most in a row.
local function mapped(read, file)
  local most = 0
  for first, count in ("\n" .. (read(file) or "")):gmatch "\n%s*(%d+)%s+%d+%s+(%d+)" do
    first, count = math.tointeger(first), math.tointeger(count)
    if first <= ROOT_USERS.first and ROOT_USERS.last < first + count then return nil end
    most = math.max(most, count)
  end
  return most
end

-- Root may be that of a user namespace, such as a pod's.
local function of_root(read)
  local users, groups = mapped(read, "/proc/self/uid_map"), mapped(read, "/proc/self/gid_map")
  if not users and not groups then return finding("ok", "user ids", "started by root: any are there") end
  local count = math.min(users or groups, groups or users)
  local text = ("started by root of a user namespace, which has %d of them"):format(count)
  if count >= FEW_USERS then return finding("ok", "user ids", text .. "; sandboxes take theirs from these") end
  return finding("fail", "user ids", ("%s; sandboxes need %d"):format(text, FEW_USERS), "have the engine map 65,536 "
    .. "users and groups (/etc/subuid, /etc/subgid; in Kubernetes hostUsers: false does), or none")
end

--- Who starts the sandbox, and has he other user ids to give to the programs?
---@param read fun(path:string):string|nil
---@param exists fun(path:string):boolean
---@param user_id integer
---@param user_name string|nil
---@return table finding
function machine.user(read, exists, user_id, user_name)
  if user_id == 0 then return of_root(read) end
  local function has_range(path)
    for line in (read(path) or ""):gmatch "[^\n]+" do
      local owner = line:match "^([^:]+):%d+:%d+"
      if owner == tostring(user_id) or owner == user_name then return true end
    end
    return false
  end
  -- Above what others have: with ids in common their sandboxes would have users in common.
  local first = 100000
  for _, path in ipairs { "/etc/subuid", "/etc/subgid" } do
    for start, count in (read(path) or ""):gmatch "[^:\n]*:(%d+):(%d+)" do
      first = math.max(first, math.tointeger(start) + math.tointeger(count))
    end
  end
  local range = ("%d-%d"):format(first, first + 65535)
  local remedy = ("as root: apt-get install uidmap && usermod --add-subuids %s --add-subgids %s %s")
    :format(range, range, user_name or user_id)
  if not has_range "/etc/subuid" or not has_range "/etc/subgid" then
    return finding("fail", "user ids",
      "no subordinate user and group ids for this user in /etc/subuid and /etc/subgid", remedy)
  elseif not exists "/usr/bin/newuidmap" or not exists "/usr/bin/newgidmap" then
    return finding("fail", "user ids", "newuidmap and newgidmap aren't installed", remedy)
  end
  return finding("ok", "user ids", "subordinate ids, newuidmap and newgidmap are there")
end

return machine
