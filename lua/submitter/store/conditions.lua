--- What every kind of bucket takes as the condition of a put.

local schema = require "submitter.schema"

local conditions = {}

local form = 'store:put(key, data, { if_match = "etag" } or { if_none_match = true })'
local known = { if_match = true, if_none_match = true }

--- Checks the options of a put; misuse is told to whom called it.
---@param options {if_match:string|nil, if_none_match:true|nil}|nil
---@return string|nil if_match
---@return true|nil if_none_match
function conditions.check(options)
  schema.check_options(options, known, form, 3)
  local etag, absent = options and options.if_match, options and options.if_none_match
  if (etag ~= nil and (absent ~= nil or type(etag) ~= "string")) or (absent ~= nil and absent ~= true) then
    error("expected " .. form, 3)
  end
  return etag, absent
end

return conditions
