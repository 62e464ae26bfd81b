--- Connections that several tasks share: so many at most, made when they are needed, replaced when they break. Says what failed,
--- does again what may be done again, and spares a server that is away (breaker.lua).
local address = require "submitter.database.address"
local breaker = require "submitter.database.breaker"
local failures = require "submitter.database.failures"
local host = require "submitter.host"
local schema = require "submitter.schema"
local sql = require "submitter.database.statements.session"
local transaction = require "submitter.database.transaction"
local turns = require "submitter.database.turns"

local pool = {}

local SIZE = 4
local CONNECT_TIMEOUT_MS, STATEMENT_TIMEOUT_MS = 5000, 30000
local IDLE_MS = 3 * 60 * 1000
-- A connection that rested longer is asked whether anybody is there before a statement is trusted to it.
local PING_AFTER_MS, PING_TIMEOUT_MS = 1000, 2000
-- How often one call is tried, and the pause before the second time; it doubles, with jitter.
local ATTEMPTS, PAUSE_MS = 5, 50

---@class Pool
---@field size integer
---@field open integer connections that there are, or that are being made
---@field idle table[] { connection =, since_ms = }, the longest idle first
local Pool = {}
Pool.__index = Pool

-- ---- connections ----

local function drop(self, connection)
  connection:close()
  self.open = self.open - 1
end

-- When one connection broke, the others hardly live.
local function drop_idle(self)
  local idle = self.idle
  self.idle = {}
  for _, one in ipairs(idle) do drop(self, one.connection) end
end

-- Closes what has been idle for too long; runs as long as anything is.
local function reap(self)
  while #self.idle > 0 do
    local rested_ms = self.clock.monotonic_ms() - self.idle[1].since_ms
    if rested_ms >= self.idle_ms then
      drop(self, table.remove(self.idle, 1).connection)
    else
      self.closed:wait(self.idle_ms - rested_ms)
    end
  end
  self.reaper = nil
end

local function keep(self, connection)
  self.idle[#self.idle + 1] = { connection = connection, since_ms = self.clock.monotonic_ms() }
  self.reaper = self.reaper or host.task.spawn("database: idle connections", reap, self)
end

-- Does an idle connection still lead to a server?
---@async
local function answers(self, one)
  if one.connection:state() ~= "idle" then return false end
  if self.clock.monotonic_ms() - one.since_ms < PING_AFTER_MS then return true end
  return one.connection:query(sql.ping, {}, { timeout_ms = PING_TIMEOUT_MS }) ~= nil
end

-- One of the idle connections that is well, the one used last first.
---@async
local function idle_one(self)
  while #self.idle > 0 do
    local one = table.remove(self.idle)
    local returned, good = pcall(answers, self, one)
    if returned and good then return one.connection end
    drop(self, one.connection)
    if not returned then error(good, 0) end
  end
  return nil
end

-- A new connection, if it is this caller's turn to try. Failure without a message: it isn't.
---@async
local function connect(self)
  local attempt = self.breaker:begin()
  if not attempt then return nil end
  self.open = self.open + 1
  local returned, connection, message, code = pcall((self.postgres or host.postgres).connect, {
    url = self.url, connect_timeout_ms = self.connect_timeout_ms, application_name = "submitter",
  })
  if returned and connection then
    self.breaker:succeeded()
    return connection
  end
  self.open = self.open - 1
  if not returned then
    self.breaker:abandoned(attempt)
    error(connection, 0)
  end
  message, code = failures.connect(address.redact(message, self.url), code)
  self.breaker:failed(attempt, message, code)
  return nil
end

-- ---- one call ----

-- A turn, and the connection that was found for it; given back when it goes out of scope, however that comes.
local Lease = {}

function Lease:__close()
  local owner, connection = self.pool, self.connection
  if connection and (owner.is_closed or self.is_spoiled or connection:state() ~= "idle") then
    drop(owner, connection)
  elseif connection then
    keep(owner, connection)
  end
  owner.turns:give()
end

local CLOSED = "the pool of database connections is closed"

---@async
local function take_turn(self)
  if self.turns:take(self.wait_timeout_ms) then return setmetatable({ pool = self }, Lease) end
  return nil, ("no database connection became free within %d ms, all %d are in use; see pool in the configuration's "
    .. "postgres { … }"):format(self.wait_timeout_ms, self.size), "unavailable", {}
end

-- Once: results, and the failure of the server that they tell of, if there is one; or nil when there is no connection yet.
---@async
local function try(self, action)
  local lease <close>, message, code, details = take_turn(self)
  if not lease then return { n = 4, nil, message, code, details } end
  if self.is_closed then return { n = 4, nil, CLOSED, "unavailable", {} } end
  lease.connection = idle_one(self) or connect(self)
  if not lease.connection then return nil end
  local results, failure, is_before = action(lease.connection)
  if failure and (failure.spoils or lease.connection:state() == "broken") then
    lease.is_spoiled = true
    drop_idle(self)
  end
  return results, failure, is_before
end

-- Until it is done, or can't be, or has been tried often enough.
---@async
local function perform(self, action, may_repeat)
  local patience, attempts = {}, 0
  while true do
    if #self.idle == 0 then
      local admitted, message, code = self.breaker:admits(patience)
      if not admitted then return nil, message, code, {} end
    end
    local results, failure, is_before = try(self, action)
    if results then
      attempts = attempts + 1
      if not failure or attempts >= ATTEMPTS or not may_repeat(failure, is_before) then
        return table.unpack(results, 1, results.n)
      end
      self.clock.sleep_ms(math.floor(self.random() * (PAUSE_MS << attempts)))
    end
  end
end

local function check_outside(self, level)
  if self.bodies[coroutine.running()] then
    error("the pool was asked within the body of a transaction, which has a connection and could wait for a second one "
      .. "forever; expected transaction:query(sql.NAME, { … }) of the transaction that the body was given", level + 1)
  end
end

local query_names = { safe = true, timeout_ms = true, limit_bytes = true }
local query_form = "pool:query(sql.NAME, { … }, { safe =, timeout_ms =, limit_bytes = })"

--- One statement, on a connection of its own time. Waits for one to be free, then for the answer.
---@async
---@param text string a statement of submitter.database.statements
---@param parameters table|nil list of strings, integers, floats, booleans, postgres.null, postgres.bytea(…), lists of strings
---@param options {safe:boolean|nil, timeout_ms:integer|nil, limit_bytes:integer|nil}|nil safe: to carry it out twice is as good
--- as once, so it may be sent again when the connection broke while it was under way. timeout_ms: of the statement, default the
--- pool's. limit_bytes: most that is taken of a result
---@return table|nil result { columns =, rows =, count = }
---@return string|nil message
---@return "unavailable"|"environment"|"conflict"|"invalid"|"too_large"|nil code
---@return table|nil details of a failure: sqlstate, constraint, table, column, detail, hint, and ambiguous: it may have been
--- carried out
function Pool:query(text, parameters, options)
  schema.check_options(options, query_names, query_form)
  if type(text) ~= "string" or type(parameters or {}) ~= "table" then error("expected " .. query_form, 2) end
  check_outside(self, 2)
  local is_safe, limits = options and options.safe or false, self.limits(options)
  return perform(self, function(connection)
    local result, message, code, details = connection:query(text, parameters or {}, limits)
    if result then return { n = 1, result } end
    local failure = failures.statement(message, code, details, connection:state())
    return { n = 4, nil, failure.message, failure.code, failure.details }, failure
  end, function(failure) return failure.again == "always" or failure.again == "safe" and is_safe end)
end

local transaction_names = { safe = true }
local transaction_form = "pool:transaction(function(transaction) … return value end, { safe = })"

-- Marks the task as being in a body, until this goes out of scope.
local Inside = {}
function Inside:__close() self.bodies[self.thread] = nil end

local function enter(self)
  local thread = coroutine.running()
  self.bodies[thread] = true
  return setmetatable({ bodies = self.bodies, thread = thread }, Inside)
end

--- Several statements that are carried out together or not at all. The body returns a value to commit, or nil, message, code to
--- roll back; when it throws, or its task is cancelled, that goes on and nothing was done. Statements that failed in it can't be
--- committed, whatever it returns.
---@async
---@param body fun(transaction:Transaction):any, ... the pool itself must not be used in it
---@param options {safe:boolean|nil}|nil safe: the body may be run again from its beginning, after a deadlock, a serialization
--- failure, or when the connection broke before COMMIT was sent
---@return any ... what the body returned; or nil, message, code, details, as of `query`. details.ambiguous: COMMIT was sent and
--- its answer was lost
function Pool:transaction(body, options)
  schema.check_options(options, transaction_names, transaction_form)
  if type(body) ~= "function" then error("expected " .. transaction_form, 2) end
  check_outside(self, 2)
  local is_safe = options and options.safe or false
  return perform(self, function(connection)
    return transaction.run {
      connection = connection, timeout_ms = self.statement_timeout_ms, limits = self.limits,
      body = function(one)
        local inside <close> = enter(self) -- luacheck: ignore 211
        return body(one)
      end,
    }
  end, function(failure, is_before) return failure.again ~= nil and (is_safe or is_before) end)
end

-- ---- the whole ----

---@class PoolState
---@field size integer connections at most
---@field open integer
---@field idle integer of those that are open
---@field waiting integer calls that wait for their turn
---@field away {since_ms:integer, reason:string}|nil since when (wall clock) the server can't be reached, and why

--- What it is doing.
---@return PoolState
function Pool:state()
  local away = self.breaker.away
  return {
    size = self.size, open = self.open, idle = #self.idle, waiting = #self.turns.waiting,
    away = away and { since_ms = away.since_ms, reason = away.reason } or nil,
  }
end

--- For people: which database, without secrets.
---@return string
function Pool:describe()
  return address.describe(self.url)
end

--- Closes all connections, those in use when they are given back. Calls fail from now on.
function Pool:close()
  self.is_closed = true
  self.closed:set()
  drop_idle(self)
end

-- Options for the connection.
local function limiter(statement_timeout_ms)
  return function(options)
    options = options or {}
    return { timeout_ms = options.timeout_ms or statement_timeout_ms, limit_bytes = options.limit_bytes }
  end
end

local open_names = { url = true, pool = true, connect_timeout_ms = true, statement_timeout_ms = true,
  wait_timeout_ms = true, idle_ms = true, is_quiet = true, postgres = true, clock = true, random = true }
local silence = { info = function() end, error = function() end }
local open_form = "database.open { url =, pool = 1 or more, connect_timeout_ms =, statement_timeout_ms = }"

--- Makes a pool; connects and waits for nothing yet.
---@param options {url:string|nil, pool:integer|nil, connect_timeout_ms:integer|nil, statement_timeout_ms:integer|nil,
--- wait_timeout_ms:integer|nil, idle_ms:integer|nil, is_quiet:boolean|nil, postgres:table|nil, clock:table|nil,
--- random:(fun():number)|nil}|nil
--- url: a conninfo or URI for libpq; nil or "": libpq's environment says where. pool: connections at most, default 4.
--- connect_timeout_ms: default 5000. statement_timeout_ms: default 30000. wait_timeout_ms: longest wait for a free connection,
--- default that of a statement. idle_ms: when one that nobody needs is closed, default three minutes. is_quiet: the log isn't
--- told when the server is away, for who tells it himself. The last three stand in for host.postgres, host.clock and
--- math.random in specs
---@return Pool
function pool.open(options)
  schema.check_options(options, open_names, open_form)
  options = options or {}
  local size = options.pool or SIZE
  if math.type(size) ~= "integer" or size < 1 then error("expected " .. open_form, 2) end
  local clock, random = options.clock or host.clock, options.random or math.random
  local statement_timeout_ms = options.statement_timeout_ms or STATEMENT_TIMEOUT_MS
  return setmetatable({
    url = options.url, size = size, postgres = options.postgres, clock = clock, random = random,
    connect_timeout_ms = options.connect_timeout_ms or CONNECT_TIMEOUT_MS, statement_timeout_ms = statement_timeout_ms,
    wait_timeout_ms = options.wait_timeout_ms or statement_timeout_ms, idle_ms = options.idle_ms or IDLE_MS,
    limits = limiter(statement_timeout_ms), turns = turns.new(size),
    breaker = breaker.new { clock = clock, random = random, log = options.is_quiet and silence or host.log },
    open = 0, idle = {}, bodies = {}, is_closed = false, closed = host.task.event(),
  }, Pool)
end

return pool
