--- Keys of the bucket: which are allowed, which one is a student's submission document, and what stands beside it.
--- Pure: knows neither a store nor a clock. The form is
--- `<admin>/<event>/<assignment>/<subid>/<subid>.json`, with or without one leading "/", which on S3 is another key.

local units = require "submitter.units"

local key = {}

--- The longest key and the longest segment of one, in bytes.
key.limit_bytes = 1024
key.segment_limit_bytes = 255

local reserved = ".submitter-"

-- A key that isn't too long is shown whole: its end says which object it is.
local function shown(text)
  return units.format_text(text, key.limit_bytes)
end

local function check_segment(segment, what)
  if segment == "" then
    return nil, what .. " has an empty segment: two slashes meet, or one stands at the end"
  end
  if segment == "." or segment == ".." then
    return nil, ('%s has a segment "%s", which is refused: write the whole key'):format(what, segment)
  end
  if #segment > key.segment_limit_bytes then
    return nil, ("%s has a segment of %d bytes; at most %d are allowed"):format(what, #segment,
      key.segment_limit_bytes)
  end
  if segment:sub(1, #reserved) == reserved then
    return nil, ('%s has a segment that begins with "%s", which is kept for files being written'):format(what, reserved)
  end
  return true
end

--- Is this a key that any store of this project can hold?
---@param text any
---@return true|nil
---@return string|nil message
---@return "invalid_key"|nil code
function key.check(text)
  if type(text) ~= "string" then
    return nil, "expected a key (a text), found " .. (text == nil and "nothing" or "a " .. type(text)), "invalid_key"
  end
  if text == "" or text == "/" then
    return nil, "the key is empty", "invalid_key"
  end
  if #text > key.limit_bytes then
    return nil, ("the key %s has %d bytes; at most %d are allowed"):format(units.format_text(text, 60), #text,
      key.limit_bytes), "invalid_key"
  end
  local what = "the key " .. shown(text)
  if text:find("\0", 1, true) then
    return nil, what .. " holds a NUL byte", "invalid_key"
  end
  for segment in (text:gsub("^/", "", 1) .. "/"):gmatch("([^/]*)/") do
    local good, message = check_segment(segment, what)
    if not good then
      return nil, message, "invalid_key"
    end
  end
  return true
end

---@class Location where one submission stands in the bucket
---@field root "/"|"" what its keys begin with
---@field admin string
---@field event string
---@field assignment string
---@field subid string 32 lower-case hexadecimal digits
---@field key string the whole key of the submission document
---@field base string "<admin>/<event>/<assignment>", without root
local Location = {}
Location.__index = Location

local function new_location(root, admin, event, assignment, subid)
  local base = admin .. "/" .. event .. "/" .. assignment
  return setmetatable({
    root = root,
    admin = admin,
    event = event,
    assignment = assignment,
    subid = subid,
    base = base,
    key = ("%s%s/%s/%s.json"):format(root, base, subid, subid),
  }, Location)
end

--- The same place with the keys written the other way: with a leading "/" or without. Without an argument it flips.
---@param root "/"|""|nil
---@return Location
function Location:with_root(root)
  root = root or (self.root == "" and "/" or "")
  if root ~= "/" and root ~= "" then
    error('expected location:with_root("/" or "")', 2)
  end
  return new_location(root, self.admin, self.event, self.assignment, self.subid)
end

local function is_subid(text)
  return #text == 32 and not text:find("[^0-9a-f]")
end

--- Takes the key of a submission document apart. Five segments of 255 bytes at most leave room within 1024 for every
--- name that key.names builds.
---@param text any
---@return Location|nil
---@return string|nil message
---@return "invalid_key"|nil code
function key.parse_document(text)
  local good, message = key.check(text)
  if not good then
    return nil, message, "invalid_key"
  end
  local form = "<admin>/<event>/<assignment>/<subid>/<subid>.json"
  local root, rest = text:match("^(/?)(.*)$")
  local admin, event, assignment, folder, name = rest:match("^([^/]+)/([^/]+)/([^/]+)/([^/]+)/([^/]+)$")
  if not admin then
    return nil, ("the key %s isn't a submission document's: expected %s"):format(shown(text), form),
      "invalid_key"
  end
  if not is_subid(folder) then
    return nil, ("the key %s isn't a submission document's: %s is no subid (32 lower-case hexadecimal digits) in %s")
      :format(shown(text), units.format_text(folder, 40), form), "invalid_key"
  end
  if name ~= folder .. ".json" then
    return nil, ('the key %s isn\'t a submission document\'s: expected the name "%s.json", found %s')
      :format(shown(text), folder, units.format_text(name, 60)), "invalid_key"
  end
  return new_location(root, admin, event, assignment, folder)
end

--- Builds a location from its parts, checked.
---@param admin string
---@param event string
---@param assignment string
---@param subid string
---@param root "/"|""|nil default ""
---@return Location|nil
---@return string|nil message
---@return "invalid_key"|nil code
function key.location(admin, event, assignment, subid, root)
  if root ~= nil and root ~= "/" and root ~= "" then
    error('expected key.location(admin, event, assignment, subid, "/" or "")', 2)
  end
  local parts = { { "admin", admin }, { "event", event }, { "assignment", assignment } }
  for _, part in ipairs(parts) do
    local name, value = part[1], part[2]
    if type(value) ~= "string" or value == "" then
      return nil, ("%s must be a text that isn't empty"):format(name), "invalid_key"
    end
    if value:find("/", 1, true) then
      return nil, ('%s %s holds a "/", which separates the parts of a key'):format(name, units.format_text(value)),
        "invalid_key"
    end
  end
  if type(subid) ~= "string" or not is_subid(subid) then
    return nil, "subid must be 32 lower-case hexadecimal digits, found "
      .. (type(subid) == "string" and units.format_text(subid, 40) or "a " .. type(subid)), "invalid_key"
  end
  return key.parse_document(new_location(root or "", admin, event, assignment, subid).key)
end

---@class Names keys that belong to one submission in one mode; those that end in "/" are prefixes
---@field document string what the front end wrote about the submission
---@field source string the student's program
---@field result string the report that the student sees, JSON
---@field out string the same, CSV
---@field error string why it couldn't be graded, when that was ours
---@field truth string the whole report, for the instructor
---@field cases_in string
---@field cases_out string
---@field cases_folder string
---@field policy string
---@field grading string

--- All keys that belong to one submission, each beginning with the location's root.
---@param location Location
---@param mode "test"|"grade"
---@return Names
function key.names(location, mode)
  if mode ~= "test" and mode ~= "grade" then
    error('expected key.names(location, "test" or "grade")', 2)
  end
  local grading = location.root .. location.base .. "/grading/"
  local beside = ("%s%s/%s/%s"):format(location.root, location.base, location.subid, location.subid)
  local infix = mode == "grade" and ".grade" or ""
  return {
    document = beside .. ".json",
    source = beside .. ".py",
    result = beside .. infix .. ".result.json",
    out = beside .. infix .. ".out",
    error = beside .. infix .. ".error.json",
    truth = grading .. "results/" .. location.subid .. infix .. ".json",
    cases_in = grading .. mode .. ".in",
    cases_out = grading .. mode .. ".out",
    cases_folder = grading .. mode .. "/",
    policy = grading .. "policy.lua",
    grading = grading,
  }
end

return key
