--- One transaction on one connection: what a body of `pool:transaction` gets, and what becomes of it when the body has ended.
local failures = require "submitter.database.failures"
local sql = require "submitter.database.statements.session"

local transaction = {}

-- A server that doesn't answer to ROLLBACK in this time does it when the connection is closed.
local ROLLBACK_MS = 5000

local form = "transaction:query(sql.NAME, { … }, { timeout_ms =, limit_bytes = }) or transaction:copy(sql.NAME, rows) "
  .. "within the body of pool:transaction(function(transaction) … return value end)"

---@class Transaction
---@field failure DatabaseFailure|nil the first that made it void
local Transaction = {}
Transaction.__index = Transaction

-- BEGIN, COMMIT or ROLLBACK.
---@async
local function command(self, text, timeout_ms)
  local done, message, code, details = self.connection:script(text, { timeout_ms = timeout_ms })
  if done then return true end
  return nil, failures.statement(message, code, details, self.connection:state())
end

-- Afterwards the connection is idle; or it isn't, and then the pool closes it, which is as good.
---@async
local function roll_back(self)
  local state = self.connection:state()
  if state ~= "idle" and state ~= "broken" then command(self, sql.rollback, ROLLBACK_MS) end
end

-- What one statement came to. A failure that the server knows of voids all that follows; one that was found here, before anything
-- was sent, doesn't.
local function note(self, result, message, code, details)
  if result then return result end
  local state = self.connection:state()
  local failure = failures.statement(message, code, details, state)
  if state ~= "transaction" then self.failure = failure end
  return nil, failure.message, failure.code, failure.details
end

local function check(self, text)
  if self.is_over then error("the transaction is over; expected " .. form, 3) end
  if type(text) ~= "string" then error("expected " .. form, 3) end
  return self.failure
end

--- As `pool:query`, within the transaction. After a failure that made it void the same failure again.
---@async
---@param text string a statement of submitter.database.statements
---@param parameters table|nil
---@param options {timeout_ms:integer|nil, limit_bytes:integer|nil}|nil
---@return table|nil result
---@return string|nil message
---@return string|nil code
---@return table|nil details
function Transaction:query(text, parameters, options)
  local void = check(self, text)
  if void then return nil, void.message, void.code, void.details end
  return note(self, self.connection:query(text, parameters or {}, self.limits(options)))
end

--- Many rows into a table: COPY … FROM STDIN.
---@async
---@param text string a statement of submitter.database.statements
---@param rows table[] lists of values
---@param options {timeout_ms:integer|nil}|nil
---@return integer|nil count
---@return string|nil message
---@return string|nil code
---@return table|nil details
function Transaction:copy(text, rows, options)
  local void = check(self, text)
  if void then return nil, void.message, void.code, void.details end
  return note(self, self.connection:copy(text, rows, self.limits(options)))
end

-- The body was left by an error, a cancellation or a deadline.
function Transaction:__close()
  if self.is_over then return end
  self.is_over = true
  roll_back(self)
end

local function failed(failure)
  return { n = 4, nil, failure.message, failure.code, failure.details }
end

-- A body that changed its mind, or whose statement failed.
---@async
local function give_up(self, results)
  local failure = self.failure
  roll_back(self)
  if results[1] ~= nil then return failed(failure), failure end
  if results[2] == nil then
    error("a body of pool:transaction returned neither a value nor a message; expected return value, to commit, or "
      .. "return nil, message, code, to roll back", 0)
  end
  return results, failure
end

---@async
local function commit(self, results)
  local done, failure = command(self, sql.commit, self.timeout_ms)
  if done then return results end
  if failure.details.ambiguous then
    failure.message = failure.message .. "; this was the answer to COMMIT: the transaction may have been carried out"
    failure.again = nil
  end
  return failed(failure), failure
end

--- Begins one, runs the body and ends it: commits what returned a value, rolls everything else back.
---@async
---@param options {connection:table, timeout_ms:integer, limits:fun(options:table|nil):table,
--- body:fun(transaction:Transaction):...}
---@return table results what the body returned, or a failure in its place; with `n`
---@return DatabaseFailure|nil failure of the server, if there was one; then nothing was carried out, or `details.ambiguous`
---@return boolean|nil before_body the body wasn't called
function transaction.run(options)
  local self <close> = setmetatable({
    connection = options.connection, timeout_ms = options.timeout_ms, limits = options.limits, is_over = false,
  }, Transaction)
  local begun, failure = command(self, sql.begin, self.timeout_ms)
  if not begun then
    self.is_over = true
    return failed(failure), failure, true
  end
  local results = table.pack(options.body(self))
  self.is_over = true
  if results[1] == nil or self.failure then return give_up(self, results) end
  return commit(self, results)
end

return transaction
