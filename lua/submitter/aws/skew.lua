--- How far this machine's clock is from a service's. Signatures bear a time; S3 refuses them when it is more than 15 minutes
--- off, other services after 5.

local skew = {}

-- The SDKs' thresholds: what explains a refusal (Go, Rust) and what is worth correcting without one (JavaScript).
local REFUSED_S = 4 * 60
local ACCEPTED_S = 5 * 60
-- Two answers that agree within this have seen the same clock.
local AGREEMENT_S = 60

---@class Skew
---@field offset_s integer to add to this machine's time
local Skew = {}
Skew.__index = Skew

--- Learns from an answer that may have been refused for its time.
---@param date_s integer the answer's
---@param now_s integer this machine's
---@param signed_offset_s integer the correction that the refused request was signed with
---@return boolean useful the next signature will bear another time
function Skew:refused(date_s, now_s, signed_offset_s)
  if math.abs(date_s - now_s - self.offset_s) >= REFUSED_S then
    self.offset_s, self.suspected_s = date_s - now_s, nil
  end
  -- Another request may have been told in the meantime.
  return math.abs(self.offset_s - signed_offset_s) >= REFUSED_S
end

--- Learns from an answer that was good: the signature was accepted, but may be near the edge, or the service lenient. One
--- such answer proves nothing, because something on the way may have written a Date of its own; a second that agrees does.
---@param date_s integer
---@param now_s integer
---@return boolean changed
function Skew:accepted(date_s, now_s)
  local offset_s = date_s - now_s
  if math.abs(offset_s - self.offset_s) < ACCEPTED_S then
    self.suspected_s = nil
    return false
  elseif self.suspected_s and math.abs(offset_s - self.suspected_s) < AGREEMENT_S then
    self.offset_s, self.suspected_s = offset_s, nil
    return true
  end
  self.suspected_s = offset_s
  return false
end

--- One a client.
---@return Skew
function skew.new()
  return setmetatable({ offset_s = 0, suspected_s = nil }, Skew)
end

return skew
