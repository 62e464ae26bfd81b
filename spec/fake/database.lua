--- A pool of submitter.database in memory: statements are answered by what the spec says, by their text.
---
---     local database = require("spec.fake.database").open()
---     database:answer(sql.read_cases, { { position = 1, input = "1 2" } })            -- rows
---     database:answer(sql.insert_result, function(parameters) return nil, "it is there already", "conflict" end)
---
--- What was asked is in `database.calls`, in order, each { sql =, parameters =, options =, rows = of a copy, transaction = its
--- number or nil }; how transactions ended in `database.ended`: "committed" or "rolled back". A function `database.trouble(call)`
--- may return message, code and details: then that call fails; COMMIT is such a call. As strict as the real one: a statement
--- without an answer, the wrong number of parameters, the pool within a body, a transaction after its end are errors.
local Database = {}
Database.__index = Database

local Transaction = {}
Transaction.__index = Transaction

-- What a statement's placeholders want.
local function parameter_count(sql)
  local most = 0
  for number in sql:gmatch "%$(%d+)" do most = math.max(most, tonumber(number)) end
  return most
end

local function has_nul(value)
  if type(value) == "table" then
    for _, one in ipairs(value) do
      if has_nul(one) then return true end
    end
    return false
  end
  return type(value) == "string" and value:find("\0", 1, true) ~= nil
end

-- Rows, a result or a failure as the real one returns them.
local function as_result(answer, ...)
  if answer == nil then
    local message, code, details = ...
    return nil, message, code, details or {}
  end
  if answer.rows then return answer end
  local columns, seen = {}, {}
  for _, row in ipairs(answer) do
    for name in pairs(row) do
      if not seen[name] then columns[#columns + 1] = name end
      seen[name] = true
    end
  end
  table.sort(columns)
  return { columns = columns, rows = answer, count = #answer }
end

local function ask(self, call)
  self.calls[#self.calls + 1] = call
  local answer = self.answers[call.sql]
  if answer == nil then error("the fake database has no answer to this statement:\n" .. tostring(call.sql), 3) end
  if call.parameters and #call.parameters ~= parameter_count(call.sql) then
    error(("the statement wants %d parameters, it has got %d:\n%s"):format(parameter_count(call.sql), #call.parameters,
      call.sql), 3)
  end
  for number, value in ipairs(call.parameters or {}) do
    if has_nul(value) then return nil, ("parameter %d has a NUL character"):format(number), "invalid", {} end
  end
  local message, code, details = self.trouble(call)
  if message then return nil, message, code, details or {} end
  if type(answer) ~= "function" then return as_result(answer) end
  return as_result(answer(call.rows or call.parameters, call.options))
end

--- What a statement is answered: rows; a result { rows =, count = }; or a function of its parameters (or a copy's rows) and
--- options that returns one of these, or nil, message, code, details.
function Database:answer(sql, answer)
  assert(type(sql) == "string", "expected database:answer(sql.NAME, rows or function)")
  self.answers[sql] = answer
end

--- The calls with one statement.
function Database:asked(sql)
  local found = {}
  for _, call in ipairs(self.calls) do
    if call.sql == sql then found[#found + 1] = call end
  end
  return found
end

function Database:query(sql, parameters, options)
  if self.inside[coroutine.running()] then error("the pool was asked within the body of a transaction", 2) end
  return ask(self, { sql = sql, parameters = parameters or {}, options = options or {} })
end

function Transaction:query(sql, parameters, options)
  if self.is_over then error("the transaction is over", 2) end
  local failure = self.failure
  if failure then return nil, table.unpack(failure, 1, 3) end
  local result, message, code, details = ask(self.database, {
    sql = sql, parameters = parameters or {}, options = options or {}, transaction = self.number,
  })
  if not result and code ~= "invalid" then self.failure = { message, code, details } end
  return result, message, code, details
end

function Transaction:copy(sql, rows, options)
  if self.is_over then error("the transaction is over", 2) end
  local failure = self.failure
  if failure then return nil, table.unpack(failure, 1, 3) end
  for number, row in ipairs(rows) do
    if has_nul(row) then return nil, ("row %d has a NUL character"):format(number), "invalid", {} end
  end
  local result, message, code, details = ask(self.database, {
    sql = sql, rows = rows, options = options or {}, transaction = self.number,
  })
  if result then return #rows end
  self.failure = { message, code, details }
  return nil, message, code, details
end

function Database:transaction(body)
  local thread = coroutine.running()
  if self.inside[thread] then error("the pool was asked within the body of a transaction", 2) end
  local number = #self.ended + 1
  self.ended[number] = "rolled back"
  local transaction = setmetatable({ database = self, number = number }, Transaction)
  self.inside[thread] = true
  local results = table.pack(pcall(body, transaction))
  self.inside[thread], transaction.is_over = nil, true
  if not results[1] then error(results[2], 0) end
  if results[2] == nil then
    if results[3] == nil then error("the body returned neither a value nor a message", 2) end
  elseif transaction.failure then
    return nil, table.unpack(transaction.failure, 1, 3)
  else
    local message, code, details = self.trouble { sql = "COMMIT", transaction = number }
    if message then return nil, message, code, details or {} end
    self.ended[number] = "committed"
  end
  return table.unpack(results, 2, results.n)
end

--- As the spec sets it: `database.away`.
function Database:state()
  return { size = 4, open = 1, idle = 1, waiting = 0, away = self.away }
end

function Database.describe()
  return "a database in memory"
end

function Database:close()
  self.is_closed = true
end

return {
  open = function()
    return setmetatable({ answers = {}, calls = {}, ended = {}, inside = {}, trouble = function() end }, Database)
  end,
  --- Without answers.
}
