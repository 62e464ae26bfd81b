--- What the kernel says about itself, for `submitter doctor`. Nothing is tried here; each finding is
--- { state = "ok"|"warn"|"fail", name, text, remedy = text or nil }. Files are read through a function, so that specs
--- can describe any machine.
local machine = {}

local namespaces = { "user", "pid", "mnt", "net", "ipc", "uts", "cgroup" }
local controllers = { "memory", "pids", "cpuacct", "freezer" }

local function finding(state, name, text, remedy)
  return { state = state, name = name, text = text, remedy = remedy }
end

local function first_number(text)
  return text and math.tointeger(tonumber(text:match "%d+")) or nil
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
    elseif first_number(read "/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1 then
      return finding("warn", "namespaces", "AppArmor restricts user namespaces of ordinary users",
        "give submitter-sandbox an AppArmor profile that allows userns, or start submitter as root")
    end
  end
  return finding("ok", "namespaces", table.concat(namespaces, ", "))
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

--- Control groups: version and controllers.
---@param read fun(path:string):string|nil
---@return table finding
function machine.cgroup(read)
  local version, places = cgroup_mounts(read "/proc/self/mounts")
  local remedy = "mount them (systemd does), start submitter where they are delegated "
    .. "(systemd-run --user --scope -p Delegate=yes), or configure accounting = \"rlimit\", which measures less"
  if not version then
    return finding("warn", "control groups", "no memory controller is mounted here", remedy)
  end
  local present, missing = {}, {}
  if version == "v2" then
    local listed = read(places.unified .. "/cgroup.controllers") or ""
    for _, controller in ipairs { "memory", "pids", "cpu" } do
      local found = (" " .. listed:gsub("%s+", " ") .. " "):find(" " .. controller .. " ", 1, true)
      table.insert(found and present or missing, controller)
    end
  else
    for _, controller in ipairs(controllers) do
      table.insert(places[controller] and present or missing, controller)
    end
  end
  local text = ("%s with %s"):format(version, #present > 0 and table.concat(present, ", ") or "no controller")
  if #missing > 0 then
    return finding("warn", "control groups", text .. "; missing: " .. table.concat(missing, ", "), remedy)
  end
  return finding("ok", "control groups", text)
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

--- Who starts the sandbox, and has he other user ids to give to the programs?
---@param read fun(path:string):string|nil
---@param exists fun(path:string):boolean
---@param user_id integer
---@param user_name string|nil
---@return table finding
function machine.user(read, exists, user_id, user_name)
  if user_id == 0 then return finding("ok", "user ids", "started by root: any are there") end
  local function has_range(path)
    for line in (read(path) or ""):gmatch "[^\n]+" do
      local owner = line:match "^([^:]+):%d+:%d+"
      if owner == tostring(user_id) or owner == user_name then return true end
    end
    return false
  end
  local remedy = ("as root: apt-get install uidmap && usermod --add-subuids 100000-165535 "
    .. "--add-subgids 100000-165535 %s"):format(user_name or user_id)
  if not has_range "/etc/subuid" or not has_range "/etc/subgid" then
    return finding("fail", "user ids",
      "no subordinate user and group ids for this user in /etc/subuid and /etc/subgid", remedy)
  elseif not exists "/usr/bin/newuidmap" or not exists "/usr/bin/newgidmap" then
    return finding("fail", "user ids", "newuidmap and newgidmap aren't installed", remedy)
  end
  return finding("ok", "user ids", "subordinate ids, newuidmap and newgidmap are there")
end

return machine
