--- Tells a submission that can't be graded from a time in which none can: the bucket is away, a right was taken, the disk is
--- full. When one message after the other fails for what isn't its own fault, and nothing was graded in between, that is an
--- outage: then failures say nothing about the messages, and whoever takes more of them only wears them out.
local outage = {}

-- Whose end may come by itself or by the operator, and never by another try alone.
local general = { unavailable = true, environment = true }

local PAUSE_FIRST_MS, PAUSE_LONGEST_MS = 200, 10000

---@class Outage
---@field failures integer in a row, of whichever messages
---@field first string|nil the message that the row began with
---@field pause_ms integer|nil the last pause
---@field is_on boolean
local Outage = {}
Outage.__index = Outage

local function clear(self)
  self.failures, self.first, self.pause_ms, self.is_on = 0, nil, nil, false
end

--- Can an outage be to blame for an outcome?
---@param outcome {kind:string, class:string|nil}
---@return boolean
function outage.may_explain(outcome)
  return general[outcome.class] ~= nil and outcome.kind ~= "lost"
end

--- Whether it is to blame for an outcome.
---@param outcome {kind:string, class:string|nil}
---@return boolean
function Outage:explains(outcome)
  return self.is_on and outage.may_explain(outcome)
end

--- Learns from what became of a message. One alone, however often it fails, is no outage, unless something that every
--- submission needs is known to be away.
---@param id string the message's
---@param outcome {kind:string, class:string|nil, was_tried:boolean|nil} was_tried: whether anything was done that needs more
---than the message
---@param is_known boolean|nil something that all need is known to be away
---@return "began"|"ended"|nil change
function Outage:note(id, outcome, is_known)
  if not outcome.was_tried or outcome.kind == "lost" then return nil end
  local was_on = self.is_on
  if not general[outcome.class] then
    clear(self)
    return was_on and "ended" or nil
  end
  self.failures = self.failures + 1
  self.first = self.first or id
  self.is_on = self.is_on or self.first ~= id or is_known == true
  return self.is_on and not was_on and "began" or nil
end

--- How long to wait before the next try whether it is over: longer and longer, up to ten seconds.
---@return integer milliseconds
function Outage:next_pause_ms()
  self.pause_ms = math.min((self.pause_ms or PAUSE_FIRST_MS // 2) * 2, PAUSE_LONGEST_MS)
  return self.pause_ms
end

--- None so far.
---@return Outage
function outage.new()
  local self = setmetatable({}, Outage)
  clear(self)
  return self
end

return outage
