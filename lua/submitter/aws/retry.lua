--- When a request to AWS is tried again: the SDKs' standard mode (AWS SDKs and Tools Reference Guide, "Retry behavior";
--- botocore/retries/standard.py and quota.py).

local answer = require "submitter.aws.answer"

local retry = {}

local QUOTA = 500
local COST, TIMEOUT_COST = 5, 10
local LONGEST_MS = 20 * 1000
-- How much longer than its own back-off a client waits because S3 or another service says so in x-amz-retry-after.
local AMZ_ADDITIONAL_MS = 5 * 1000

---@class Quota what a client may still spend on retries: a service that is down isn't asked three times by everybody
---@field left integer
local Quota = {}
Quota.__index = Quota

--- Takes what a retry costs, unless too little is left.
---@param cost integer
---@return boolean
function Quota:acquire(cost)
  if cost > self.left then
    return false
  end
  self.left = self.left - cost
  return true
end

--- Gives back after a success: what its last retry cost, or 1 when it needed none.
---@param cost integer|nil
function Quota:release(cost)
  self.left = math.min(QUOTA, self.left + (cost or 1))
end

--- A full bucket; one a client.
---@return Quota
function retry.quota()
  return setmetatable({ left = QUOTA }, Quota)
end

--- What a retry takes from the quota.
---@param code string|nil the class or code of what failed
---@return integer
function retry.cost(code)
  return code == "timeout" and TIMEOUT_COST or COST
end

-- What the service asks for: in milliseconds (AWS), in seconds or as a date (RFC 9110).
local function wish_ms(response, now_s)
  local milliseconds = math.tointeger(tonumber(answer.header(response, "x-amz-retry-after")))
  if milliseconds then
    return milliseconds, AMZ_ADDITIONAL_MS
  end
  local text = answer.header(response, "retry-after")
  local seconds = text and text:match("^%d+$") and tonumber(text)
  local date_s = answer.http_date_s(text)
  if not seconds and date_s then
    seconds = date_s - now_s
  end
  if seconds then
    return math.floor(1000 * math.min(seconds, 3600)), LONGEST_MS
  end
  return nil
end

--- How long to wait: full jitter, rand(0, 1) × min(2^retries, 20) seconds, and longer if the answer asks for it, within
--- bounds: a service can't put a worker to sleep.
---@param retries integer before this one
---@param random fun():number from 0 to 1
---@param response {headers:string[][]}|nil
---@param now_s integer the service's time
---@return integer milliseconds
function retry.delay_ms(retries, random, response, now_s)
  local own_ms = math.floor(random() * math.min(LONGEST_MS, 1000 * (1 << math.min(retries, 10))))
  local asked_ms, additional_ms
  if response then
    asked_ms, additional_ms = wish_ms(response, now_s)
  end
  if not asked_ms then
    return own_ms
  end
  return math.max(own_ms, math.min(asked_ms, own_ms + additional_ms, LONGEST_MS + AMZ_ADDITIONAL_MS))
end

return retry
