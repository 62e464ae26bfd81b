--- Cases as they lie in the bucket below `grading/`: two files of lines, else a folder of file pairs.
local limits = require "submitter.cases.limits"
local lines = require "submitter.cases.lines"
local pairing = require "submitter.cases.pairs"
local schema = require "submitter.schema"

local bucket = {}

local function read(store, key)
  local data, message, code = store:get(key, { limit_bytes = limits.file_bytes })
  if data then return data end
  if code == "too_large" then
    return nil, ("%s is too large: %s; split it into cases in files of their own"):format(key, message), "instructor"
  end
  return nil, message, code
end

--- The files of cases in a folder: by name of the case, the keys of the halves.
---@async
---@param store table
---@param folder string a prefix that ends in "/"
---@return table<string, {in:string|nil, out:string|nil}>|nil
---@return string|nil message
---@return string|nil code
function bucket.halves(store, folder)
  local entries, message, code = store:list(folder)
  if not entries then return nil, message, code end
  -- A store may drop the leading "/" of the keys that it lists.
  local below = folder:gsub("^/", "")
  local halves = {}
  for _, entry in ipairs(entries) do
    local file = entry.key:gsub("^/", ""):sub(#below + 1)
    local name, half = pairing.half(file)
    -- A "/" in the name is a file of a folder further down, which is nobody's case.
    if name and not file:find("/", 1, true) then
      halves[name] = halves[name] or {}
      halves[name][half] = folder .. file
    end
  end
  return halves
end

local function read_pairs(store, names, halves)
  local folder = names.cases_folder:gsub("/$", "")
  local in_order, message, code = pairing.names(halves, folder)
  if not in_order then return nil, message, code end
  local contents, all_bytes = {}, 0
  for _, name in ipairs(in_order) do
    contents[name] = {}
    for half, key in pairs(halves[name]) do
      contents[name][half], message, code = read(store, key)
      if not contents[name][half] then return nil, message, code end
      all_bytes = all_bytes + #contents[name][half]
    end
    if all_bytes > limits.all_bytes then
      return nil, ("the files below %s have more than %d bytes together: make the cases smaller, or fewer"):format(
        folder, limits.all_bytes), "instructor"
    end
  end
  return pairing.read(contents, folder)
end

--- Reads the cases of a mode. Where both forms are there the lines count, and the result has a notice.
---@async
---@param store table
---@param names table keys, of `submitter.key`: cases_in, cases_out, cases_folder
---@return table|nil found cases, sha256, notice; from lines also input_text and expected_text, as they were read
---@return string|nil message
---@return string|nil code
function bucket.read(store, names)
  local input_text, input_message, input_code = read(store, names.cases_in)
  if not input_text and input_code ~= "not_found" then return nil, input_message, input_code end
  local expected_text, expected_message, expected_code = read(store, names.cases_out)
  if not expected_text and expected_code ~= "not_found" then return nil, expected_message, expected_code end
  local halves, message, code = bucket.halves(store, names.cases_folder)
  if not halves then return nil, message, code end
  local has_pairs = next(halves) ~= nil

  if input_text and expected_text then
    local found
    found, message, code = lines.read(input_text, expected_text, { input = names.cases_in, expected = names.cases_out })
    if not found then return nil, message, code end
    found.input_text, found.expected_text = input_text, expected_text
    if has_pairs then
      found.notice = ("both %s and pairs below %s are there: the lines count, the pairs don't; remove either"):format(
        names.cases_in, names.cases_folder)
    end
    return found
  elseif input_text or expected_text then
    return nil, ("%s is not there, but %s is: a case needs both; upload the other"):format(
      input_text and names.cases_out or names.cases_in, input_text and names.cases_in or names.cases_out), "not_found"
  elseif has_pairs then
    return read_pairs(store, names, halves)
  end
  return nil, ("there are no cases: neither %s and %s nor pairs below %s; upload them"):format(
    names.cases_in, names.cases_out, names.cases_folder), "not_found"
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
