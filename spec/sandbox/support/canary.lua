--- Secrets planted all over the host, which must never be seen or touched from within the walls: files with open modes in
--- the folders where hosts keep things, and a neighbour: a process with secrets in its environment, memory and open files, and
--- with services that nobody may reach.
local host = require "submitter.host"

local canary = {}

---@class Canary
local Canary = {}
Canary.__index = Canary

local function folders()
  local wanted = { os.getenv("TMPDIR") or "/tmp", "/tmp", "/var/tmp", "/dev/shm", os.getenv("HOME") or "/root" }
  local list, seen = {}, {}
  for _, path in ipairs(wanted) do
    if path ~= "" and not seen[path] then
      seen[path] = true
      list[#list + 1] = path
    end
  end
  return list
end

-- Files of the system's that a program's link may point to, where they are.
local system_files <const> = { "/etc/passwd", "/etc/shadow", "/usr/bin/env", "/usr/bin" }

-- Owner, group, mode and number of names of a path, whatever it points to; nil where it isn't.
---@async
local function describe(path)
  local result = assert(host.child.run {
    program = "/usr/bin/stat", arguments = { "--format=%u:%g %a, %h names", "--", path },
    environment = { LC_ALL = "C" },
  })
  return result.exit_code == 0 and result.stdout or nil
end

-- What isn't owned, or may be used, as it was.
---@async
local function changed_owners(self)
  local complaints = {}
  for path, before in pairs(self.described) do
    local now = describe(path)
    if now ~= before then
      complaints[#complaints + 1] = ("%s was %s and is %s"):format(path, before, now or "gone"):gsub("\n", "")
    end
  end
  table.sort(complaints)
  return complaints
end

-- Open to all, whatever the umask of whoever started this.
---@async
local function open_to_all(folder)
  local result = assert(host.child.run {
    program = "/usr/bin/chmod", arguments = { "a+rwX", "--", folder, folder .. "/secret.txt" },
    environment = { LC_ALL = "C" },
  })
  assert(result.exit_code == 0, result.stderr)
end

-- A folder of our own in each, open to all, so that nothing but the walls protects what is in it.
---@async
local function plant_files(self)
  for _, path in ipairs(folders()) do
    local parent = host.file.directory(path)
    local name = "submitter-attacks-" .. host.digest.random(8)
    if parent and parent:make(name) then
      assert(parent:write(name .. "/secret.txt", self.secret .. "\n"))
      self.planted[#self.planted + 1] = { parent = parent, name = name, path = ("%s/%s/secret.txt"):format(path, name) }
      open_to_all(("%s/%s"):format(path, name))
    elseif parent then
      parent:close()
    end
  end
  assert(#self.planted > 0, "no folder of the host can be written: nothing can be planted")
  for _, path in ipairs(self:paths()) do
    self.described[path] = assert(describe(path))
    local folder = path:match("^(.*)/")
    self.described[folder] = assert(describe(folder))
  end
  for _, path in ipairs(system_files) do self.described[path] = describe(path) end
end

---@async
local function start_neighbour(self, interpreter, program)
  local folder = self.planted[1]
  self.neighbour = assert(host.child.start {
    program = interpreter, arguments = { "-I", program, (folder.path:gsub("/secret%.txt$", "/socket")) },
    environment = { SECRET = self.secret, PATH = "/usr/bin:/bin", LANG = "C.UTF-8" }, stdin = "pipe", stdout = "pipe",
    stderr = "inherit", descriptors = { [9] = self.secret },
  })
  self.from_neighbour = ""
  self.address = assert(host.task.within(10000, self.hear, self))
end

--- Plants everything.
---@async
---@param secret string what must never come out
---@param interpreter string for the neighbour
---@param program string its source
---@return Canary
function canary.plant(secret, interpreter, program)
  local self = setmetatable({ secret = secret, planted = {}, described = {} }, Canary)
  local good, message = pcall(function()
    plant_files(self)
    start_neighbour(self, interpreter, program)
  end)
  if not good then
    self:remove()
    error(message, 0)
  end
  return self
end

--- The neighbour's next line.
---@async
---@return string
function Canary:hear()
  while not self.from_neighbour:find("\n", 1, true) do
    local piece = assert(self.neighbour:read("stdout"))
    if piece == "" then error("the neighbour has ended", 0) end
    self.from_neighbour = self.from_neighbour .. piece
  end
  local line, rest = self.from_neighbour:match("^([^\n]*)\n(.*)$")
  self.from_neighbour = rest
  return line
end

--- The paths of the planted files.
---@return string[]
function Canary:paths()
  local paths = {}
  for index, one in ipairs(self.planted) do paths[index] = one.path end
  return paths
end

--- Asks the neighbour what it saw, looks at the files: what isn't as it was, as complaints.
---@async
---@return string[]
function Canary:complaints()
  local complaints = changed_owners(self)
  for _, one in ipairs(self.planted) do
    local text = one.parent:read(one.name .. "/secret.txt")
    if text ~= self.secret .. "\n" then complaints[#complaints + 1] = one.path .. " was changed" end
    for _, entry in ipairs(one.parent:list(one.name) or {}) do
      if entry.name ~= "secret.txt" and entry.name ~= "socket" then
        complaints[#complaints + 1] = ("%s appeared beside %s"):format(entry.name, one.path)
      end
    end
  end
  self.neighbour:close_input()
  local line, message = host.task.within(10000, self.hear, self)
  if not line then
    complaints[#complaints + 1] = "the neighbour doesn't answer any more: " .. tostring(message)
  elseif line ~= "nobody" then
    complaints[#complaints + 1] = "the neighbour had visitors: " .. line
  else
    local ended = self.neighbour:wait()
    if ended.exit_code ~= 0 then
      complaints[#complaints + 1] = ("the neighbour ended with %s"):format(ended.signal or ended.exit_code)
    end
  end
  return complaints
end

--- Takes everything away.
---@async
function Canary:remove()
  if self.neighbour then self.neighbour:close() end
  for _, one in ipairs(self.planted) do
    assert(one.parent:remove_tree(one.name))
    one.parent:close()
  end
  self.planted = {}
end

return canary
