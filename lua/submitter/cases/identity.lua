--- A hash over case records, the same wherever they came from: line ends, file sizes and row ids don't count, content
--- does.
local host = require "submitter.host"

local identity = {}

-- Every text goes in with its length before it, so that no two lists of cases make the same bytes. The first one says how
-- many others follow: what most cases don't have isn't there at all.
local function piece(case)
  if case.points == nil and case.visibility == nil then
    return string.pack("<s8s8s8s8", case.form, case.name or "", case.input, case.expected)
  end
  return string.pack("<s8s8s8s8s8s8", case.form .. ", points, visibility", case.name or "", case.input, case.expected,
    case.points and ("%.17g"):format(case.points) or "", case.visibility or "")
end

--- What a case is worth and who may see it count where they stand beside the case itself; what a policy says of it
--- doesn't.
---@param list table[] case records
---@return string sha256 in hexadecimal
function identity.sha256(list)
  local pieces = {}
  for index, case in ipairs(list) do pieces[index] = piece(case) end
  return host.digest.sha256(table.concat(pieces))
end

return identity
