--- What the specs of submitter.core.http share.

local assert = require "luassert"
local host = require "submitter.host"

local support = {}

--- The options of a request that doesn't depend on the machine's environment: no proxy unless one is named.
---@param options table
---@return table
function support.direct(options)
  if options.proxy == nil then options.proxy = false end
  return options
end

---@async
function support.request(options)
  return host.http.request(support.direct(options))
end

--- What a request that must fail says: its code and its message, which must not hold "secret".
---@async
---@return string code
---@return string message
function support.failure(options)
  local response, message, code = support.request(options)
  assert.is_nil(response)
  assert.is_string(message)
  assert.is_nil(message:find("secret", 1, true), message)
  return code, message
end

--- The milliseconds that body takes.
---@async
---@param body fun()
---@return integer
function support.duration(body)
  local begun = host.clock.monotonic_ms()
  body()
  return host.clock.monotonic_ms() - begun
end

return support
