--- Which files of the policy directory count for a submission, and reading them.
local lookup = {}

local LIMIT_BYTES = 256 * 1024

-- What the kernel says where no file stands under that name: `x.lua` may be a file where a folder `x.lua` would have to
-- be, or the folder of an admin of that name where the file of admin `x` would be, and an assignment's name may be too
-- long to have `.lua` behind it.
local absent = { ENOENT = true, ENOTDIR = true, EISDIR = true, ENAMETOOLONG = true }

-- What stands there and can't be a policy, now or later.
local unfit = { EFBIG = true, ENOTREG = true }

--- The files that count, the most general first. The names come from a key that was checked, so none has a "/" or is
--- "..".
---@param location table|nil of `submitter.key`; without one only the deployment's default counts
---@return string[]
function lookup.names(location)
  local names = { "default.lua" }
  if location then
    -- An admin called "default" would be counted twice.
    if location.admin ~= "default" then names[2] = location.admin .. ".lua" end
    names[#names + 1] = ("%s/%s.lua"):format(location.admin, location.event)
    names[#names + 1] = ("%s/%s/%s.lua"):format(location.admin, location.event, location.assignment)
  end
  return names
end

--- Reads those that are there, in that order.
---@async
---@param directory table a Directory of the host; links are followed as far as they stay within
---@param location table|nil
---@return {name:string, text:string}[]|nil
---@return string|nil message
---@return "policy"|"unavailable"|nil code
function lookup.read(directory, location)
  local files = {}
  for _, name in ipairs(lookup.names(location)) do
    local text, message, code = directory:read(name, { limit_bytes = LIMIT_BYTES, follow = true })
    if text then
      files[#files + 1] = { name = name, text = text }
    elseif not absent[code] then
      return nil, ("%s: %s"):format(name, message), unfit[code] and "policy" or "unavailable"
    end
  end
  return files
end

return lookup
