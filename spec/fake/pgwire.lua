--- A server of PostgreSQL's protocol that answers from a script, also wrongly, late or never: pgwire.py in a process of its
--- own. For what a real server does rarely. Words of the protocol: PostgreSQL's "Frontend/Backend Protocol", "Message Formats".
---
---     local pgwire = require "fake.pgwire"
---     local server = pgwire.start { { "startup", pgwire.welcome, "query", pgwire.session, "query", pgwire.cut … } }
---     … connect { url = server.url } …
---     server:came()                       -- what came so far: { { connection = 1, came = "startup", settings = {…} }, … }
---     server:close()
---
--- Scripts are taken by the connections in their order, the last one by all others (also by the one that asks to cancel). A step:
---
---     "startup"           takes the greeting in (declines TLS); tells "startup", or "cancel" and ends
---     "query"             takes messages in up to Query, Sync or the farewell; tells their letters, such as "PBDES"
---     { say = "bytes" }   { pause_ms = 10 }
---     { flood = "bytes" } says it again and again, for ever, and hears nothing
---     "hold"              says nothing until the client goes away; "deaf": for ever
---     "reset"             ends the connection by a reset; the end of the script ends it in order
---
--- `pgwire.absent()` is a port where nothing answers, not even by a refusal.

local host = require "submitter.host"

local pgwire = {}

local Server = {}
Server.__index = Server

--- A message of the server's.
---@param kind string its letter
---@param body string
---@return table step
function pgwire.message(kind, body)
  return { say = kind .. string.pack(">I4", #body + 4) .. body }
end

--- Several steps that say something in one go.
---@return table step
function pgwire.together(...)
  local said = {}
  for index, step in ipairs { ... } do said[index] = step.say end
  return { say = table.concat(said) }
end

--- CommandComplete with a tag such as "SELECT 1".
function pgwire.complete(tag) return pgwire.message("C", tag .. "\0") end

--- ReadyForQuery; status "I" idle, "T" in a transaction, "E" in one that failed.
function pgwire.ready(status) return pgwire.message("Z", status or "I") end

--- ErrorResponse, or a notice with kind "N".
function pgwire.error(severity, sqlstate, text, kind)
  return pgwire.message(kind or "E",
    ("S%s\0V%s\0C%s\0M%s\0\0"):format(severity, severity, sqlstate, text))
end

--- RowDescription of one column of the type text.
function pgwire.columns(name)
  return pgwire.message("T", string.pack(">I2zI4I2I4i2i4I2", 1, name, 0, 0, 25, -1, -1, 0))
end

--- DataRow of one value.
function pgwire.row(value) return pgwire.message("D", string.pack(">I2s4", 1, value)) end

pgwire.welcome = pgwire.together(
  pgwire.message("R", string.pack(">I4", 0)),
  pgwire.message("S", "server_version\0" .. "15.0\0"),
  pgwire.message("K", string.pack(">I4I4", 7, 7)),
  pgwire.ready())
--- CopyInResponse: the server waits for rows of one column.
pgwire.copy_in = pgwire.message("G", string.pack(">I1I2I2", 0, 1, 0))
-- The answer to the five settings of a session.
pgwire.session = pgwire.together(pgwire.complete "SET", pgwire.complete "SET", pgwire.complete "SET",
  pgwire.complete "SET", pgwire.complete "SET", pgwire.ready())
-- ParseComplete, BindComplete; what comes before rows of a statement's first use.
pgwire.bound = pgwire.together(pgwire.message("1", ""), pgwire.message("2", ""))

local function as_hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function encode(scripts)
  local result = host.json.array {}
  for index, script in ipairs(scripts) do
    result[index] = host.json.array {}
    for place, step in ipairs(script) do
      local said = type(step) == "table" and (step.say and "say" or step.flood and "flood")
      result[index][place] = said and { [said] = as_hex(step[said]) } or step
    end
  end
  return result
end

local function launch(scripts)
  local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")
  local child = assert(host.child.start {
    program = "/usr/bin/python3", arguments = { "-I", here .. "/pgwire.py" },
    environment = { PATH = "/usr/bin:/bin" }, stdin = "pipe", stdout = "pipe", stderr = "inherit",
  })
  assert(child:write(host.json.encode(scripts) .. "\n")) -- an argument could be too long
  local self = setmetatable({ child = child, said = "" }, Server)
  self.port = tonumber(self:line())
  self.url = ("host=127.0.0.1 port=%d user=u dbname=d sslmode=disable"):format(self.port)
  self.list = {}
  self.reader = host.task.spawn("fake.pgwire", function()
    while true do
      local line = self:line()
      if not line then return end
      self.list[#self.list + 1] = host.json.decode(line)
    end
  end)
  return self
end

function Server:line()
  while not self.said:find("\n", 1, true) do
    local piece = self.child:read "stdout"
    if not piece or piece == "" then return nil end
    self.said = self.said .. piece
  end
  local line, rest = self.said:match("^([^\n]*)\n(.*)$")
  self.said = rest
  return line
end

---@async
---@param scripts table[] one a connection
---@return table server with port and url
function pgwire.start(scripts) return launch(encode(scripts)) end

--- A server whose port drops what wants to connect, as a host that isn't there does.
---@async
function pgwire.absent() return launch "absent" end

--- What came, in order: connection (its number), came, and settings of a greeting or text of a simple query.
---@return table[]
function Server:came() return self.list end

--- How many times something came.
---@param what string
---@return integer
function Server:count(what)
  local count = 0
  for _, one in ipairs(self.list) do
    if one.came == what then count = count + 1 end
  end
  return count
end

---@async
function Server:close()
  self.child:close_input()
  self.child:wait()
  self.reader:join()
  self.child:close()
end

return pgwire
