--- A PostgreSQL server in memory, in the place of host.postgres: connections with the states of real ones, statements that are
--- answered by what the spec says, and every way to break.
---
---     local server = require("spec.fake.postgres").open()
---     local pool = database.open { postgres = server }
---     server.on = function(text, connection, parameters) … end   -- nothing: an empty result; else what `query` returns
---
--- `server.said` lists what connections were told, "1: BEGIN" and so on; `server.connects` the options of the connects.
--- `server.refusal = { message, code }` refuses connections; `connect_ms` and `statement_ms` make it slow.
local host = require "submitter.host"

local Server = {}
Server.__index = Server

local Connection = {}
Connection.__index = Connection

local function trim(text)
  return text:match "^%s*(.-)%s*$"
end

-- A task that is cancelled here leaves the connection as the real one does: broken, or, if the server agreed, usable.
local function wait(connection, milliseconds)
  if milliseconds <= 0 then return end
  local returned, problem = pcall(host.clock.sleep_ms, milliseconds)
  if returned then return end
  connection.is_busy = false
  if not connection.server.agrees_to_cancel then
    connection.is_broken = true
  elseif connection.is_in_transaction then
    connection.has_failed = true
  end
  error(problem, 0)
end

local function follow(connection, text)
  if text == "BEGIN" then
    connection.is_in_transaction = true
  elseif text == "COMMIT" or text == "ROLLBACK" then
    connection.is_in_transaction, connection.has_failed = false, false
  end
end

-- Says one thing to the server and hears what it answers.
local function say(connection, text, given)
  local server = connection.server
  if connection.is_closed or connection.is_broken then return nil, "the connection is closed", "closed", {} end
  if connection.is_busy then error("two tasks use one connection at once", 3) end
  text = trim(text)
  server.said[#server.said + 1] = ("%d: %s"):format(connection.number, text)
  connection.is_busy = true
  wait(connection, server.statement_ms)
  local answer = table.pack(server.on(text, connection, given))
  connection.is_busy = false
  if connection.is_broken and answer.n == 0 then
    return nil, "server closed the connection unexpectedly", "lost", { sent = true }
  end
  if answer.n == 0 or answer[1] ~= nil then
    follow(connection, text)
    return answer[1] or { columns = {}, rows = {}, count = 0 }
  end
  if answer[3] == "lost" then
    connection.is_broken = true
  elseif text == "COMMIT" then
    follow(connection, text) -- what can't be committed is rolled back
  elseif connection.is_in_transaction and answer[3] == "refused" then
    connection.has_failed = true
  end
  return nil, answer[2], answer[3], answer[4] or {}
end

function Connection:query(text, parameters, options)
  assert(type(text) == "string" and type(parameters) == "table" and type(options) == "table", "query misused")
  return say(self, text, parameters)
end

function Connection:copy(text, rows, options)
  assert(type(text) == "string" and type(rows) == "table" and type(options) == "table", "copy misused")
  local result, message, code, details = say(self, text, rows)
  if result then return #rows end
  return nil, message, code, details
end

function Connection:script(text, options)
  assert(type(text) == "string" and (options == nil or type(options.timeout_ms) == "number"), "script misused")
  return say(self, text)
end

function Connection:state()
  if self.is_closed or self.is_broken then return "broken" end
  if self.has_failed then return "failed" end
  return self.is_in_transaction and "transaction" or "idle"
end

function Connection.server_version()
  return 150018
end

function Connection:close()
  if not self.is_closed then self.server.closes = self.server.closes + 1 end
  self.is_closed = true
end

Connection.__close = Connection.close

--- Breaks every connection, as a crash does: those in a statement notice when it would have been answered.
function Server:crash()
  for _, connection in ipairs(self.connections) do connection.is_broken = true end
end

--- How many connections a server would see.
function Server:alive()
  local count = 0
  for _, connection in ipairs(self.connections) do
    if not connection.is_closed and not connection.is_broken then count = count + 1 end
  end
  return count
end

return {
  --- A server that is there, takes everything and answers with nothing.
  open = function()
    local server = setmetatable({
      connections = {}, connects = {}, said = {}, closes = 0, connect_ms = 0, statement_ms = 0, on = function() end,
      agrees_to_cancel = false,
    }, Server)
    function server.connect(options)
      server.connects[#server.connects + 1] = options
      if server.connect_ms > 0 then host.clock.sleep_ms(server.connect_ms) end
      if server.refusal then return nil, table.unpack(server.refusal) end
      local connection = setmetatable({ server = server, number = #server.connections + 1 }, Connection)
      server.connections[connection.number] = connection
      return connection
    end
    return server
  end,
}
