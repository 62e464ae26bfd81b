--- Sorted names of one folder of the queue, kept and used up from the front, so that a folder of thousands is listed a
--- few times and not for every message.

local host = require "submitter.host"
local units = require "submitter.units"

local listing = {}

-- How long a listing is trusted; one that took long is trusted longer, so that listing never takes more than a
-- twentieth of the time.
local trusted_us = 1000 * 1000
local trusted_factor = 20

-- Files that Directory:replace is about to put in place.
local reserved = ".submitter-"

---@class Listing
local Listing = {}
Listing.__index = Listing

--- The names of one folder that are messages, in order. What else lies there is left alone, and logged once.
---@async
---@param directory Directory the queue's
---@param folder string
---@param parse fun(name:string):table|nil
---@param strangers table<string, true> what was logged already
---@return string[]|nil
---@return string|nil message
---@return string|nil code
function listing.names(directory, folder, parse, strangers)
  local entries, message, code = directory:list(folder)
  if not entries then
    return nil, message, code
  end
  local names = {}
  for _, entry in ipairs(entries) do
    local path = folder .. "/" .. entry.name
    if entry.type == "file" and parse(entry.name) then
      names[#names + 1] = entry.name
    elseif entry.name:sub(1, #reserved) ~= reserved and not strangers[path] then
      strangers[path] = true
      host.log.warn("queue_stranger", {
        folder = directory:path() .. "/" .. folder,
        name = units.format_text(entry.name),
        hint = "not a message; it is left alone, remove it by hand",
      })
    end
  end
  return names
end

--- Lists a folder.
---@async
---@param directory Directory
---@param folder string
---@param parse fun(name:string):table|nil
---@param strangers table<string, true>
---@return Listing|nil
---@return string|nil message
---@return string|nil code
function listing.new(directory, folder, parse, strangers)
  local before_us = host.clock.monotonic_us()
  local names, message, code = listing.names(directory, folder, parse, strangers)
  if not names then
    return nil, message, code
  end
  local now_us = host.clock.monotonic_us()
  return setmetatable({
    names = names,
    front = 1,
    trusted_until_us = now_us + math.max(trusted_us, trusted_factor * (now_us - before_us)),
  }, Listing)
end

--- May it still be used, or has it to be made anew?
---@return boolean
function Listing:is_fresh()
  return host.clock.monotonic_us() < self.trusted_until_us
end

--- The first name that was not taken yet.
---@return string|nil
function Listing:first()
  return self.names[self.front] or nil
end

--- The last one.
---@return string|nil
function Listing:last()
  return self.front <= #self.names and self.names[#self.names] or nil
end

--- Takes the first name.
---@return string|nil
function Listing:take_first()
  local name = self:first()
  if name then
    -- Not nil: the table stays an array. Not the text: a long listing's names needn't stay in memory.
    self.names[self.front] = false
    self.front = self.front + 1
  end
  return name
end

--- Takes the last name.
---@return string|nil
function Listing:take_last()
  local name = self:last()
  if name then
    self.names[#self.names] = nil
  end
  return name
end

--- Puts a name where a fresh listing would have it.
---@param name string
function Listing:insert(name)
  local low, high = self.front, #self.names + 1
  while low < high do
    local middle = (low + high) // 2
    if self.names[middle] < name then
      low = middle + 1
    else
      high = middle
    end
  end
  table.insert(self.names, low, name)
end

return listing
