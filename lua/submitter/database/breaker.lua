--- Spares callers and server each other while the server can't be reached: a circuit breaker. After a connection that failed
--- there is a pause, which grows; when it is over, one caller tries, and the others wait a little for what he finds, or fail
--- at once.
local host = require "submitter.host"

local breaker = {}

local PAUSE_FIRST_MS, PAUSE_LONGEST_MS = 200, 5000
-- How long one call waits for the server's return, all its tries together.
local PATIENCE_MS = 1000

---@class Breaker
---@field away table|nil since when (since_ms, wall clock), why (reason, code), the next try (due_ms), who tries (attempt)
local Breaker = {}
Breaker.__index = Breaker

-- Wakes those who wait for a change; who waits from now on waits for the next one.
local function wake(away)
  away.changed:set()
  away.changed = host.task.event()
end

-- Between half of the pause and all of it, so that many workers don't come back together.
local function set_pause(self, away, pause_ms)
  away.pause_ms = pause_ms
  away.due_ms = self.clock.monotonic_ms() + pause_ms // 2 + math.floor(self.random() * (pause_ms // 2))
end

-- Until when it pays to wait for a change: nil when somebody may try now.
local function next_change_ms(away, patience, now_ms)
  if away.attempt then return patience.until_ms end
  if now_ms >= away.due_ms then return nil end
  return away.due_ms
end

--- Waits until it makes sense to ask for a connection. What passes only when somebody changes something isn't waited for.
---@async
---@param patience table empty at the first time, and the same for all tries of a call
---@return true|nil
---@return string|nil reason of the last failure
---@return "unavailable"|"environment"|nil code
function Breaker:admits(patience)
  while self.away do
    local away, now_ms = self.away, self.clock.monotonic_ms()
    patience.until_ms = patience.until_ms or now_ms + PATIENCE_MS
    local until_ms = next_change_ms(away, patience, now_ms)
    if not until_ms then return true end
    local is_hopeless = away.code == "environment" and not away.attempt
    if is_hopeless or until_ms > patience.until_ms or now_ms >= patience.until_ms then
      return nil, away.reason, away.code
    end
    away.changed:wait(math.max(1, until_ms - now_ms))
  end
  return true
end

--- Asks for leave to connect, at once. Who has it tells what became of it: `succeeded`, `failed` or `abandoned`.
---@return table|nil attempt nil: it is the turn of somebody else, or of nobody yet
function Breaker:begin()
  local away, attempt = self.away, {}
  if not away then return attempt end
  if away.attempt or self.clock.monotonic_ms() < away.due_ms then return nil end
  away.attempt = attempt
  return attempt
end

--- The server is there. Whoever found it, and whenever he began.
function Breaker:succeeded()
  local away = self.away
  if not away then return end
  self.away = nil
  self.log.info("database_back", { away_ms = self.clock.monotonic_ms() - away.began_ms })
  wake(away)
end

--- It isn't. Of several who began while it seemed to be there the first one counts.
---@param attempt table of `begin`
---@param reason string for people
---@param code "unavailable"|"environment"
function Breaker:failed(attempt, reason, code)
  local away = self.away
  if not away then
    away = { since_ms = host.clock.now_ms(), began_ms = self.clock.monotonic_ms(), changed = host.task.event() }
    self.away = away
    set_pause(self, away, PAUSE_FIRST_MS)
    self.log.error("database_away", { reason = reason, class = code })
  elseif away.attempt == attempt then
    away.attempt = nil
    set_pause(self, away, math.min(away.pause_ms * 2, PAUSE_LONGEST_MS))
  else
    return
  end
  away.reason, away.code = reason, code
  wake(away)
end

--- Who tried was cancelled: the next one may.
---@param attempt table of `begin`
function Breaker:abandoned(attempt)
  local away = self.away
  if not away or away.attempt ~= attempt then return end
  away.attempt = nil
  wake(away)
end

--- For a server that is taken to be there.
---@param options {clock:{monotonic_ms:fun():integer}, random:(fun():number), log:table|nil} log: default host.log
---@return Breaker
function breaker.new(options)
  return setmetatable({ clock = options.clock, random = options.random, log = options.log or host.log }, Breaker)
end

return breaker
