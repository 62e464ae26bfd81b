--- Which submissions lie in the bucket below a PATH, and which objects belong to each: `<subid>/…` and the whole truths in
--- `grading/results/`. What else lies there (cases, other files of `grading/`, strangers) is none.
---
--- Keys may begin with a "/" or not. On S3 these are two places, and a submission that lies in both is there twice; where the
--- store drops the slash (`store.drops_slash`) they are one.
local host = require "submitter.host"
local key = require "submitter.key"
local units = require "submitter.units"

local submissions = {}

---@class SubmissionObject
---@field location Location of the submission that it belongs to
---@field part "document"|"source"|"beside"|"truth" "beside": another object below `<subid>/`
---@field mode "test"|"grade"|nil of a truth
---@field key string
---@field modified_ms integer

--- What the keys of a bucket may begin with.
---@param store table
---@return string[] roots
function submissions.roots(store)
  return store.drops_slash and { "" } or { "", "/" }
end

local hexadecimal = {}
for digit in ("0123456789abcdef"):gmatch "." do hexadecimal[#hexadecimal + 1] = digit end

local function digits_after(prefix)
  local prefixes = {}
  for index, digit in ipairs(hexadecimal) do prefixes[index] = prefix .. digit end
  return prefixes
end

-- Prefixes that cover together what of a prefix counts, where a store refuses to list that in one go. A subid is hexadecimal, so
-- that within an assignment the next character is known; names of assignments and events aren't.
local function split(prefix)
  local _, slashes = prefix:gsub("^/", ""):gsub("/", "")
  local last = prefix:match "[^/]*$"
  if last == "" and slashes == 3 then
    local prefixes = digits_after(prefix)
    prefixes[#prefixes + 1] = prefix .. "grading/results/"
    return prefixes
  elseif #last < 32 and (slashes == 3 and last ~= "" or slashes == 5) then
    return digits_after(prefix)
  end
  return nil
end

-- Calls `visit(entry)` for every object below a prefix.
local function walk(store, prefix, visit)
  local entries, message, code = store:list(prefix)
  if entries then
    for _, entry in ipairs(entries) do
      local good
      good, message, code = visit(entry)
      if good == nil then return nil, message, code end
    end
    return true
  end
  local parts = code == "too_large" and split(prefix)
  if not parts then
    if code == "too_large" then
      message = ("%s; name an event or an assignment of %s, one after the other"):format(message,
        units.format_text(prefix, key.limit_bytes))
    end
    return nil, message, code
  end
  for _, part in ipairs(parts) do
    local good
    good, message, code = walk(store, part, visit)
    if good == nil then return nil, message, code end
  end
  return true
end

local function beside(entry, location, name)
  local part = "beside"
  if entry.key == location.key then part = "document" end
  if name == location.subid .. ".py" then part = "source" end
  return { location = location, part = part, key = entry.key, modified_ms = entry.modified_ms }
end

-- What an object is to a submission; nil when it is nothing to any. No message could name a key that isn't UTF-8, so what lies
-- there was never handed in.
local function classify(entry)
  if not utf8.len(entry.key) then return nil end
  local root, rest = entry.key:match "^(/?)(.*)$"
  local admin, event, assignment, folder, name = rest:match "^([^/]+)/([^/]+)/([^/]+)/([^/]+)/(.+)$"
  if not admin then return nil end
  if folder ~= "grading" then
    local location = key.location(admin, event, assignment, folder, root)
    return location and beside(entry, location, name)
  end
  local subid, suffix = name:match "^results/(%x+)(.*)$"
  local mode = suffix == ".json" and "test" or suffix == ".grade.json" and "grade" or nil
  local location = mode and key.location(admin, event, assignment, subid, root)
  if not location then return nil end
  return { location = location, part = "truth", mode = mode, key = entry.key, modified_ms = entry.modified_ms }
end

local function prefixes_of(path, root)
  local base = root .. path.text
  if not path.subid then return { base .. "/" } end
  local results = ("%s%s/%s/%s/grading/results/%s."):format(root, path.admin, path.event, path.assignment, path.subid)
  return { base .. "/", results }
end

--- Calls a function for every object that belongs to a submission below a path. At most 100,000 entries are held at a time.
---@async
---@param store table
---@param path Path of submitter.path
---@param visit fun(object:SubmissionObject):true|nil, string|nil, string|nil returning nil, message, code ends it
---@return true|nil
---@return string|nil message
---@return string|nil code "too_large": more lies below an admin or an event than one list takes; or the visitor's
function submissions.objects(store, path, visit)
  for _, root in ipairs(submissions.roots(store)) do
    for _, prefix in ipairs(prefixes_of(path, root)) do
      local good, message, code = walk(store, prefix, function(entry)
        local object = classify(entry)
        if object then return visit(object) end
        return true
      end)
      if not good then return nil, message, code end
    end
  end
  return true
end

---@class FoundSubmission
---@field location Location
---@field modified_ms integer when its document was written

--- Every submission below a path: those whose document is there.
---@async
---@param store table
---@param path Path
---@return FoundSubmission[]|nil sorted by key within each spelling of the keys
---@return string|nil message
---@return string|nil code
function submissions.below(store, path)
  local found = {}
  local good, message, code = submissions.objects(store, path, function(object)
    if object.part == "document" then
      found[#found + 1] = { location = object.location, modified_ms = object.modified_ms }
    end
    return true
  end)
  if not good then return nil, message, code end
  return found
end

--- Every object that belongs to one submission, as it is now.
---@async
---@param store table
---@param location Location whose root counts
---@return SubmissionObject[]|nil
---@return string|nil message
---@return string|nil code
function submissions.of(store, location)
  local found = {}
  local folder = ("%s%s/%s/"):format(location.root, location.base, location.subid)
  local truths = ("%s%s/grading/results/%s."):format(location.root, location.base, location.subid)
  for _, prefix in ipairs { folder, truths } do
    local good, message, code = walk(store, prefix, function(entry)
      found[#found + 1] = classify(entry)
      return true
    end)
    if not good then return nil, message, code end
  end
  return found
end

--- For people: where a submission lies.
---@param location Location
---@return string
function submissions.describe(location)
  return (host.text.repair(location.root .. location.base .. "/" .. location.subid))
end

return submissions
