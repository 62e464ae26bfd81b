---@meta submitter.core.clock
local clock = {}

--- Wall clock, milliseconds since the epoch.
---@return integer
function clock.now_ms() end

--- Monotonic clock, milliseconds from an arbitrary start.
---@return integer
function clock.monotonic_ms() end

--- Monotonic clock, microseconds from an arbitrary start.
---@return integer
function clock.monotonic_us() end

--- CPU time of this process, user and system, microseconds.
---@return integer
function clock.cpu_us() end

---@async
---@param milliseconds integer
---@return true
function clock.sleep_ms(milliseconds) end

--- RFC 3339 in UTC with milliseconds: "2026-11-24T05:55:34.123Z".
---@param epoch_ms integer|nil now when nil
---@return string
function clock.utc(epoch_ms) end

return clock
