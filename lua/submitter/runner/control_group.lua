--- Makes room for the control groups of sandboxes. In version 2 of control groups, one that holds a process can't hand
--- controllers down to groups within it. A service that systemd gave a group of its own (`Delegate=yes`), or a container,
--- therefore moves itself into a leaf of it before its first sandbox: then the sandboxes' groups stand beside that leaf,
--- in the part of the tree that is the service's, and not above it in somebody else's.
--- See https://systemd.io/CGROUP_DELEGATION/ and cgroups(7), "no internal processes".
local host = require "submitter.host"
local kernel = require "submitter.kernel"

local control_group = {}

local LEAF = "worker"

-- Once is enough: the leaf gets the controllers, too, as soon as there is a sandbox beside it.
local has_entered = false

local function has_words(text, ...)
  local found = {}
  for word in (text or ""):gmatch "%S+" do found[word] = true end
  for _, word in ipairs { ... } do
    if not found[word] then return false end
  end
  return true
end

-- The directory of this process's group, where version 2 is what sandboxes will use.
local function own_directory(read)
  local mount
  for place, kind, flags in (read "/proc/self/mounts" or ""):gmatch "%S+ (%S+) (%S+) (%S+)[^\n]*" do
    if kind == "cgroup" and ("," .. flags .. ","):find(",memory,", 1, true) then return nil end
    if kind == "cgroup2" then mount = mount or place end
  end
  local group = ("\n" .. (read "/proc/self/cgroup" or "")):match "\n0::(/[^\n]*)"
  -- A group outside the namespace of this process is told as "/..".
  if not mount or not group or group:find("/..", 1, true) then return nil end
  return group == "/" and mount or mount .. group
end

--- Moves this process into a leaf of its own group, where that makes room: in version 2, in a group that isn't the
--- hierarchy's root, has the controllers that sandboxes need, and holds no other process (those we have no business to move).
---@async
---@param read nil|fun(path:string):string|nil the text of a file, nil when it can't be read; for specs
---@return string|nil leaf its directory; nil when nothing was to be done or, with a message, when it can't be
---@return string|nil message
function control_group.step_aside(read)
  read = read or kernel.read
  local directory = own_directory(read)
  -- The root of the hierarchy has no type, and may hold processes and hand down.
  if not directory or not read(directory .. "/cgroup.type") then return nil end
  if not has_words(read(directory .. "/cgroup.controllers"), "memory", "pids") then return nil end
  local members = read(directory .. "/cgroup.procs") or ""
  if members ~= ("%d\n"):format(host.system.pid()) then return nil end
  local folder, message = host.file.directory(directory .. "/" .. LEAF, { create = true })
  if not folder then return nil, message end
  folder:close()
  local leaf = directory .. "/" .. LEAF
  local stream, problem = io.open(leaf .. "/cgroup.procs", "wb")
  if not stream then return nil, problem end
  local written = stream:write(("%d\n"):format(host.system.pid()))
  local closed, reason = stream:close()
  if not written or not closed then
    return nil, ("%s/cgroup.procs: %s"):format(leaf, reason or "it can't be written")
  end
  return leaf
end

--- Does that before the first sandbox of this process, where sandboxes are to have control groups and nobody said where. The log
--- is told when it can't be done: then the sandboxes' groups may still be had elsewhere.
---@async
---@param configuration {accounting:string, cgroup_parent:string|nil}
---@param read nil|fun(path:string):string|nil as for step_aside
function control_group.enter(configuration, read)
  if has_entered or configuration.accounting ~= "cgroup" or configuration.cgroup_parent then return end
  local leaf, problem = control_group.step_aside(read)
  if leaf then
    has_entered = true
    host.log.debug("control_group_entered", { path = leaf })
  elseif problem then
    host.log.warn("control_group_not_entered", { message = problem })
  end
end

return control_group
