--- Cases as they lie in the bucket below `grading/`: two files of lines, else a folder of file pairs.
local limits = require "submitter.cases.limits"
local lines = require "submitter.cases.lines"
local pairing = require "submitter.cases.pairs"
local schema = require "submitter.schema"

local bucket = {}

-- So often is it read anew where somebody changes it meanwhile.
local TRIES = 3

local function read(store, key)
  local data, about, code = store:get(key, { limit_bytes = limits.file_bytes })
  if data then return data, about end
  if code == "too_large" then
    return nil, ("%s is too large: %s; split it into cases in files of their own"):format(key, about), "instructor"
  end
  return nil, about, code
end

--- The files of cases in a folder: by name of the case, the keys of the halves.
---@async
---@param store table
---@param folder string a prefix that ends in "/"
---@return table<string, {in:string|nil, out:string|nil}>|nil
---@return table<string, string>|string marks by key, another one for an object that was changed; or the message
---@return string|nil code
function bucket.halves(store, folder)
  local entries, message, code = store:list(folder)
  if not entries then return nil, message, code end
  -- A store may drop the leading "/" of the keys that it lists.
  local below = folder:gsub("^/", "")
  local halves, marks = {}, {}
  for _, entry in ipairs(entries) do
    local file = entry.key:gsub("^/", ""):sub(#below + 1)
    local name, half = pairing.half(file)
    -- A "/" in the name is a file of a folder further down, which is nobody's case.
    if name and not file:find("/", 1, true) then
      halves[name] = halves[name] or {}
      halves[name][half] = folder .. file
      marks[folder .. file] = ("%d %d"):format(entry.modified_ms, entry.size_bytes)
    end
  end
  return halves, marks
end

-- ---- what is read belongs together ----
-- A bucket gives one object at a time. Who replaces cases (bucket_replace.lua, or somebody by hand, inputs before expectations)
-- may do so between two of them; old inputs with new expectations would be wrong answers for everybody.

-- Is an object still the one that was read? One that is gone isn't.
local function is_still(store, key, about)
  local now, message, code = store:head(key)
  if now then
    -- Without an ETag the time is exact.
    return now.modified_ms == about.modified_ms and now.size_bytes == about.size_bytes
      and (now.etag or about.etag) == about.etag
  elseif code == "not_found" then
    return false
  end
  return nil, message, code
end

local function are_same(marks, others)
  for key, mark in pairs(marks) do
    if others[key] ~= mark then return false end
  end
  for key in pairs(others) do
    if not marks[key] then return false end
  end
  return true
end

-- Are the pairs still those that were read, and is nobody at work on them?
local function are_still(store, names, marks)
  local guard, message, code = store:head(names.cases_in)
  if guard then return false end
  if code ~= "not_found" then return nil, message, code end
  local halves, others
  halves, others, code = bucket.halves(store, names.cases_folder)
  if not halves then return nil, others, code end
  return are_same(marks, others)
end

-- The texts of all halves; false when one of them is gone.
local function read_halves(store, folder, halves)
  local contents, all_bytes = {}, 0
  for name, pair in pairs(halves) do
    contents[name] = {}
    for half, key in pairs(pair) do
      local text, message, code = read(store, key)
      if not text then
        if code == "not_found" then return false end
        return nil, message, code
      end
      contents[name][half], all_bytes = text, all_bytes + #text
    end
    if all_bytes > limits.all_bytes then
      return nil, ("the files below %s have more than %d bytes together: make the cases smaller, or fewer"):format(
        folder, limits.all_bytes), "instructor"
    end
  end
  return contents
end

local function read_pairs(store, names, halves, marks)
  local folder = names.cases_folder:gsub("/$", "")
  local contents, message, code = read_halves(store, folder, halves)
  if not contents then return contents, message, code end
  local still
  still, message, code = are_still(store, names, marks)
  if not still then return still, message, code end
  return pairing.read(contents, folder)
end

local function read_lines(names, input_text, expected_text, has_pairs)
  local found, message, code = lines.read(input_text, expected_text, { input = names.cases_in,
    expected = names.cases_out })
  if not found then return nil, message, code end
  found.input_text, found.expected_text = input_text, expected_text
  if has_pairs then
    found.notice = ("both %s and pairs below %s are there: the lines count, the pairs don't; remove either"):format(
      names.cases_in, names.cases_folder)
  end
  return found
end

-- What is there; false when it was changed meanwhile.
local function read_once(store, names)
  local input_text, input_about, input_code = read(store, names.cases_in)
  if not input_text and input_code ~= "not_found" then return nil, input_about, input_code end
  local expected_text, expected_message, expected_code = read(store, names.cases_out)
  if not expected_text and expected_code ~= "not_found" then return nil, expected_message, expected_code end
  local halves, marks, code = bucket.halves(store, names.cases_folder)
  if not halves then return nil, marks, code end
  local has_pairs = next(halves) ~= nil

  if input_text and expected_text then
    local still, message, why = is_still(store, names.cases_in, input_about)
    if not still then return still, message, why end
    return read_lines(names, input_text, expected_text, has_pairs)
  elseif input_text or expected_text then
    return nil, ("%s is not there, but %s is: a case needs both; upload the other"):format(
      input_text and names.cases_out or names.cases_in, input_text and names.cases_in or names.cases_out), "not_found"
  elseif has_pairs then
    return read_pairs(store, names, halves, marks)
  end
  return nil, ("there are no cases: neither %s and %s nor pairs below %s; upload them"):format(
    names.cases_in, names.cases_out, names.cases_folder), "not_found"
end

--- Reads the cases of a mode. Where both forms are there the lines count, and the result has a notice.
---@async
---@param store table
---@param names table keys, of `submitter.key`: cases_in, cases_out, cases_folder
---@return table|nil found cases, sha256, notice; from lines also input_text and expected_text, as they were read
---@return string|nil message
---@return string|nil code
function bucket.read(store, names)
  for _ = 1, TRIES do
    local found, message, code = read_once(store, names)
    if found ~= false then return found, message, code end
  end
  return nil, ("the cases %s and those below %s are being replaced; it is tried again when that is done"):format(
    names.cases_in, names.cases_folder), "not_found"
end

---@class BucketCases
local Source = {}
Source.__index = Source

--- Reads the cases of a mode, as `bucket.read` does.
---@async
---@param asked {names:Names}
---@return table|nil found
---@return string|nil message
---@return string|nil code
function Source:read(asked)
  local found, message, code = bucket.read(self.store, asked.names)
  if found then found.source = self.name end
  return found, message, code
end

--- A source over a store.
---@param options {store:table}
---@return BucketCases
function bucket.source(options)
  local expected = "cases.bucket_source { store = store }"
  if type(options) ~= "table" or not options.store then error("expected " .. expected, 2) end
  schema.check_options(options, { store = true }, expected)
  return setmetatable({ name = "bucket", store = options.store }, Source)
end

return bucket
