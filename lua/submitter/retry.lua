--- When a failed message is tried again.
local retry = {}

local LONGEST_MS = 5 * 60 * 1000
-- Messages that failed together should not come back together.
local JITTER = 0.1

--- The first delay, doubled with each failure on record, at most the longest, and up to a tenth more.
---@param failures integer failures on record before this one
---@param first_ms integer
---@param random (fun():number)|nil a number from 0 to 1; for specs
---@param longest_ms integer|nil default five minutes
---@return integer milliseconds
function retry.delay_ms(failures, first_ms, random, longest_ms)
  -- Beyond 2^30 the longest delay is reached whatever the first one was.
  local delay_ms = math.min(longest_ms or LONGEST_MS, first_ms * (1 << math.min(failures, 30)))
  return delay_ms + math.floor(delay_ms * JITTER * (random or math.random)())
end

return retry
