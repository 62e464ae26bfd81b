--- The policy that may stand beside an assignment's cases, where the operator lets it count.
local LIMIT_BYTES = 256 * 1024

--- Reads it, as policy.load takes files.
---@async
---@param configuration table says whether it counts (policy.from_bucket)
---@param store table
---@param key string of submitter.key's names
---@return {name:string, text:string}[]|nil files empty where it doesn't count or isn't there
---@return string|nil message
---@return string|nil code of the store
return function(configuration, store, key)
  if not configuration.policy.from_bucket then return {} end
  local text, message, code = store:get(key, { limit_bytes = LIMIT_BYTES })
  if text then return { { name = key, text = text } } end
  if code == "not_found" then return {} end
  return nil, message, code
end
