--- Cases as pairs of files: `<name>.in` goes to standard input as it stands, `<name>.out` is the whole expectation.
local identity = require "submitter.cases.identity"

local pairing = {}

--- A key by which names sort as people count: "case2" before "case10". Runs of digits compare by their value, whose
--- number of digits goes first. Names that count the same ("1", "01") are then in order of their bytes.
local function natural(name)
  return (name:gsub("%d+", function(digits)
    local value = digits:gsub("^0+", "")
    return ("%03d%s"):format(#value, value)
  end))
end

--- Sorts names as people count. Sorts the list itself and returns it.
---@param names string[]
---@return string[]
function pairing.sort(names)
  local keys = {}
  for _, name in ipairs(names) do keys[name] = natural(name) end
  table.sort(names, function(left, right)
    if keys[left] ~= keys[right] then return keys[left] < keys[right] end
    return left < right
  end)
  return names
end

--- Splits a file's name into the case's name and which half it is; nil for a file that is no half of a case.
---@param file string
---@return string|nil name
---@return "in"|"out"|nil half
function pairing.half(file)
  local name, half = file:match("^(.+)%.(%a+)$")
  if half == "in" or half == "out" then return name, half end
end

--- The names of the pairs in order; an error when a half is alone.
---@param halves table<string, table> by name, with something at `["in"]` and at `out`
---@param folder string|nil what to call their folder in messages
---@return string[]|nil names
---@return string|nil message
---@return string|nil code
function pairing.names(halves, folder)
  local place = folder and folder .. "/" or ""
  local names = {}
  for name in pairs(halves) do names[#names + 1] = name end
  pairing.sort(names)
  for _, name in ipairs(names) do
    local pair = halves[name]
    local present = pair["in"] ~= nil and "in" or "out"
    local absent = present == "in" and "out" or "in"
    if pair[absent] == nil then
      return nil, ("%s%s.%s has no %s.%s beside it: a case needs both; add it or remove the other"):format(
        place, name, present, name, absent), "instructor"
    end
  end
  if #names == 0 then
    return nil, ("%s holds no pair of files: there is no case; put <name>.in and <name>.out there"):format(
      folder or "the folder of cases"), "instructor"
  end
  return names
end

--- Makes cases of pairs that were read.
---@param halves table<string, {in:string, out:string}> by name
---@param folder string|nil what to call their folder in messages
---@return {cases:table[], sha256:string}|nil
---@return string|nil message
---@return string|nil code
function pairing.read(halves, folder)
  local names, message, code = pairing.names(halves, folder)
  if not names then return nil, message, code end
  local list = {}
  for number, name in ipairs(names) do
    list[number] = {
      number = number, name = name, form = "file", input = halves[name]["in"], expected = halves[name].out,
    }
  end
  return { cases = list, sha256 = identity.sha256(list) }
end

return pairing
