--- A hash over case records, the same wherever they came from: line ends, file sizes and row ids don't count, content
--- does.
local host = require "submitter.host"

local identity = {}

--- Every text goes in with its length before it, so that no two lists of cases make the same bytes.
---@param list table[] case records
---@return string sha256 in hexadecimal
function identity.sha256(list)
  local pieces = {}
  for index, case in ipairs(list) do
    pieces[index] = string.pack("<s8s8s8s8", case.form, case.name or "", case.input, case.expected)
  end
  return host.digest.sha256(table.concat(pieces))
end

return identity
