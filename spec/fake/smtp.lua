--- A scriptable SMTP server, for specs of what sends mail: smtp.py in a process of its own.
---
---     local smtp = require "fake.smtp"
---     local server = smtp.start { tls = "start", users = { worker = "secret" } }
---     server:answer("RCPT", { reply = "550 5.1.1 nobody" })
---     … server:url() …                        -- "smtp://127.0.0.1:40000"
---     server:mails()[1].data                  -- what came, dots undone
---     teardown(smtp.stop)                     -- ends the process, which all servers share
---
--- Stages: "greeting", the commands ("EHLO", "HELO", "STARTTLS", "AUTH", "NOOP", "MAIL", "RCPT", "DATA", "QUIT"), "RCPT address"
--- for one recipient alone, and "message", the reply to a whole mail. An answer is a table, or a list of them: one for each time
--- the stage comes, the last one again and again; { } is the usual answer. Keys, all optional:
---
---     reply = "450 4.2.0 later"     in place of the usual reply
---     delay_ms = 50                 before the reply
---     endless = true                the reply again and again, without a line end but its own, until the client goes away
---     hang = true                   never a reply, until the client goes away
---     close = true                  closes without a reply; then_close = true: after it
---     taken = false                 of "message": the mail isn't kept, whatever the reply
---
--- tls: "start" (STARTTLS is offered), "implicit" (from the first byte). certificate: a kind of web.lua's, default "good".

local host = require "submitter.host"
local program = require "fake.program"
local web = require "fake.web"

local smtp = {}

local process = program.new "smtp.py"

local Server = {}
Server.__index = Server

local function ask(command) return process:ask(command) end

--- Opens a server on a port of its own.
---@async
---@param options table|nil tls, certificate; users: passwords by name; size: the largest mail; mechanisms: of logins, default
--- PLAIN and LOGIN; login_without_tls: whether they are offered in the open
---@return table server with port, ca_file (with tls) and the methods below
function smtp.start(options)
  options = options or {}
  local site = options.tls and web.start { tls = options.certificate or "good" }
  local reply = ask {
    ["do"] = "listen", tls = options.tls, certificate = site and site.certificate, users = options.users,
    size = options.size, mechanisms = options.mechanisms and host.json.array(options.mechanisms),
    login_without_tls = options.login_without_tls,
  }
  if site then site:close() end
  return setmetatable({ number = reply.server, port = reply.port, ca_file = site and site.ca_file,
    scheme = options.tls == "implicit" and "smtps" or "smtp" }, Server)
end

--- Ends the process, with every server.
---@async
function smtp.stop()
  web.stop()
  process:stop()
end

---@return string
function Server:url()
  return ("%s://127.0.0.1:%d"):format(self.scheme, self.port)
end

--- What a stage answers from now on.
---@async
---@param stage string
---@param answer table an answer, or a list of them
function Server:answer(stage, answer)
  ask { ["do"] = "answer", server = self.number, stage = stage,
    answers = host.json.array(#answer > 0 and answer or { answer }) }
end

--- The mails that were taken since the start or the last forget: from, to (a list), data, tls, user, connection (its number),
--- parameters (of MAIL).
---@async
---@return table[]
function Server:mails()
  local mails = ask({ ["do"] = "told", server = self.number }).mails
  for _, mail in ipairs(mails) do
    mail.data = mail.data:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
  end
  return mails
end

--- What clients said, "<connection> <line>", without logins and mails; and how many connections were opened and are open.
---@async
---@return string[] lines
---@return integer opened
---@return integer open
function Server:lines()
  local told = ask { ["do"] = "told", server = self.number }
  return told.lines, told.opened, told.open
end

---@async
function Server:forget()
  ask { ["do"] = "forget", server = self.number }
end

--- Closes every open connection.
---@async
function Server:drop()
  ask { ["do"] = "drop", server = self.number }
end

--- Stops listening: connections to its port are refused from now on.
---@async
function Server:close()
  ask { ["do"] = "close", server = self.number }
end

return smtp
