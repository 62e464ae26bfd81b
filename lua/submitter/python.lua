--- Which Python runs submissions: the one that configuration names, else the newest /usr/bin/python3*. Only /usr/bin is
--- looked at, never PATH: the walls show the system's folders, and what stands first on a PATH may be a wrapper.

local host = require "submitter.host"

local python = {}

local patience_ms = 10 * 1000

-- "3.11.2" as a list of numbers; what follows them ("rc1") doesn't count.
local function numbers(version)
  local result = {}
  for part in version:gmatch("%d+") do
    result[#result + 1] = math.tointeger(tonumber(part))
  end
  return result
end

local function is_newer(left, right)
  local left_numbers, right_numbers = numbers(left), numbers(right)
  for index = 1, math.max(#left_numbers, #right_numbers) do
    local one, other = left_numbers[index] or 0, right_numbers[index] or 0
    if one ~= other then
      return one > other
    end
  end
  return false
end

--- Asks a program which Python 3 it is.
---@async
---@param path string absolute
---@return string|nil version "3.11.2"
---@return string|nil message
---@return "environment"|nil code
function python.version(path)
  local result, message = host.task.within(patience_ms, host.child.run, {
    program = path,
    arguments = { "--version" },
    limit_bytes = 4096,
  })
  if not result then
    return nil, ("%s can't be run: %s"):format(path, message), "environment"
  end
  local version = result.stdout:match("^Python (3%.%d+[%w%.%+]*)%s*$")
  if result.exit_code ~= 0 or not version then
    return nil, ("%s doesn't say with --version that it is a Python 3"):format(path), "environment"
  end
  return version
end

local function is_candidate(name)
  return name == "python3" or name:find("^python3%.%d+$") ~= nil
end

-- The names that stand for different files: a link to another candidate is not asked again. Those with a version come
-- first, because they stay what they are when the system is upgraded.
local function candidates(directory)
  local entries, message = directory:list(".")
  if not entries then
    return nil, message
  end
  local names = {}
  for _, entry in ipairs(entries) do
    if is_candidate(entry.name) then
      names[#names + 1] = entry.name
    end
  end
  table.sort(names, function(left, right) return #left > #right or (#left == #right and left > right) end)
  local seen, distinct = {}, {}
  for _, name in ipairs(names) do
    -- Where a link leads out of the folder its file can't be told from here; then it is simply asked.
    local information = directory:stat(name, { follow = true })
    local identity = information and information.inode or name
    if not seen[identity] then
      seen[identity] = true
      distinct[#distinct + 1] = name
    end
  end
  return distinct
end

--- Finds the interpreter for submissions.
---@async
---@param configured string|nil an absolute path; it is taken as it stands, or refused
---@param folder string|nil where to look otherwise, default /usr/bin
---@return string|nil path absolute
---@return string|nil version or message
---@return "environment"|nil code
function python.find(configured, folder)
  if configured then
    if configured:sub(1, 1) ~= "/" then
      return nil, ("the configured python %q must be an absolute path"):format(configured), "environment"
    end
    local version, message, code = python.version(configured)
    if not version then
      return nil, "the configured python: " .. message, code
    end
    return configured, version
  end
  folder = folder or "/usr/bin"
  local directory, message = host.file.directory(folder)
  local names
  if directory then
    names, message = candidates(directory)
    directory:close()
  end
  if not names then
    return nil, ("%s can't be searched for Python: %s"):format(folder, message), "environment"
  end
  local best, best_version, failures = nil, nil, {}
  for _, name in ipairs(names) do
    local path = folder .. "/" .. name
    local version, why = python.version(path)
    if not version then
      failures[#failures + 1] = why
    elseif not best or is_newer(version, best_version) then
      best, best_version = path, version
    end
  end
  if best then
    return best, best_version
  end
  local reason = #failures > 0 and table.concat(failures, "; ") or "there is no python3 and no python3.<n>"
  return nil, ("no Python 3 in %s: %s; install python3, or name one with the configuration's python"):format(folder,
    reason), "environment"
end

return python
