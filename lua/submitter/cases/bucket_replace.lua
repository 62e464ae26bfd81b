--- Puts cases into the bucket in the place of those of an assignment and mode. A bucket changes one object at a time, so while
--- this is at work nothing must look complete: `<mode>.in` alone means that more is on its way, and whoever grades comes back
--- later. Also where this ends in the middle; done once more, it makes all well.
local bucket = require "submitter.cases.bucket"
local limits = require "submitter.cases.limits"
local pairing = require "submitter.cases.pairs"
local units = require "submitter.units"

local GUARD = "the cases of this mode are being replaced\n"

local function check(texts)
  local all_bytes = 0
  for name, text in pairs(texts) do
    all_bytes = all_bytes + #text
    if #text > limits.file_bytes then
      return nil, ("%s has %d bytes, more than %d; make it smaller"):format(units.format_text(name), #text,
        limits.file_bytes), "instructor"
    end
  end
  if all_bytes > limits.all_bytes then
    return nil, ("the cases have %d bytes together, more than %d; make them smaller, or fewer"):format(all_bytes,
      limits.all_bytes), "instructor"
  end
  return true
end

-- The files of pairs that are to stand, by key.
local function texts_of_pairs(names, list)
  local texts = {}
  for _, case in ipairs(list) do
    texts[names.cases_folder .. case.name .. ".in"] = case.input
    texts[names.cases_folder .. case.name .. ".out"] = case.expected
  end
  return texts
end

local function sorted(texts)
  local keys = {}
  for key in pairs(texts) do keys[#keys + 1] = key end
  return pairing.sort(keys)
end

-- Writes the pairs that are to stand, and removes every half that isn't to.
local function write_pairs(store, names, texts)
  local halves, message, code = bucket.halves(store, names.cases_folder)
  if not halves then return nil, message, code end
  for _, pair in pairs(halves) do
    for _, key in pairs(pair) do
      local removed = texts[key] ~= nil
      if not removed then removed, message, code = store:delete(key) end
      if not removed then return nil, message, code end
    end
  end
  for _, key in ipairs(sorted(texts)) do
    local put
    put, message, code = store:put(key, texts[key])
    if not put then return nil, message, code end
  end
  return true
end

local function write(store, names, new, texts)
  local done, message, code = store:delete(names.cases_out)
  if not done then return nil, message, code end
  done, message, code = store:put(names.cases_in, new.input_text or GUARD)
  if not done then return nil, message, code end
  done, message, code = write_pairs(store, names, new.input_text and {} or texts)
  if not done then return nil, message, code end
  if new.input_text then return store:put(names.cases_out, new.expected_text) end
  return store:delete(names.cases_in)
end

-- Line ends count here, although they make no other cases: what is read again is to be what was written.
local function is_same(standing, new)
  return standing.sha256 == new.sha256 and standing.input_text == new.input_text
    and standing.expected_text == new.expected_text and not standing.notice
end

--- Replaces them, whichever form they had. Where the very same stand already nothing is written.
---@async
---@param store table
---@param names Names
---@param new {cases:table[], sha256:string, input_text:string|nil, expected_text:string|nil} of `cases.lines`, with the two
--- texts, or of `cases.pairs`, each with its name
---@return {replaced:integer|nil, unchanged:boolean}|nil done replaced: how many cases stood; nil where what stood was no use
---@return string|nil message
---@return string|nil code
return function(store, names, new)
  local texts = new.input_text and { [names.cases_in] = new.input_text, [names.cases_out] = new.expected_text }
    or texts_of_pairs(names, new.cases)
  local fits, message, code = check(texts)
  if not fits then return nil, message, code end
  local standing
  standing, message, code = bucket.read(store, names)
  if not standing and code ~= "not_found" and code ~= "instructor" then return nil, message, code end
  if standing and is_same(standing, new) then return { replaced = #standing.cases, unchanged = true } end
  local replaced = standing and #standing.cases or code == "not_found" and 0 or nil
  local written
  written, message, code = write(store, names, new, texts)
  if not written then return nil, message, code end
  return { replaced = replaced, unchanged = false }
end
