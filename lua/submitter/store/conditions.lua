--- What every kind of bucket takes as the condition of a put.

local conditions = {}

local expected = 'expected store:put(key, data, { if_match = "etag" } or { if_none_match = true })'
local known = { if_match = true, if_none_match = true }

--- Checks the options of a put; misuse is told to whom called it.
---@param options {if_match:string|nil, if_none_match:true|nil}|nil
---@return string|nil if_match
---@return true|nil if_none_match
function conditions.check(options)
  for name in pairs(options or {}) do
    if not known[name] then
      error(("unknown option %q; %s"):format(tostring(name), expected), 3)
    end
  end
  local etag, absent = options and options.if_match, options and options.if_none_match
  if (etag ~= nil and (absent ~= nil or type(etag) ~= "string")) or (absent ~= nil and absent ~= true) then
    error(expected, 3)
  end
  return etag, absent
end

return conditions
