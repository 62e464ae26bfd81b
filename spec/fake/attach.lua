--- A container engine's socket as far as attaching goes, and the runner behind it: attach.py in a process of its own. It answers
--- as a script says, byte for byte.
---
---     local attach = require "fake.attach"
---     local engine = attach.start(directory, { { request = true }, { send = attach.upgraded }, … })
---     … engine.path …                         -- of the socket
---     engine:told()[1].types                  -- what came
---     teardown(attach.stop)                   -- ends the process, which all engines share
---
--- Each connection goes through the whole script and is closed at its end. A step is one of:
---
---     { request = true }                      reads the request's head
---     { send = bytes, piece_bytes =, every_ms =, times = }    whole, or in pieces with a pause after each; again and again
---     { ["until"] = 69, read_every_ms = }     reads the host's frames up to one of that type; a pause after each 64 KiB
---     { to_end = true }                       reads until the client closed its half
---     { run = { "/program", … }, piece_bytes = }      a program in the container's place
---     { pause_ms = 50 }   { silent = true }   until the client is gone, both ways
---     { close = true }    { close = "reset" } by a reset: something that came stays unread

local host = require "submitter.host"
local program = require "fake.program"

local attach = {}

local process = program.new "attach.py"

local Engine = {}
Engine.__index = Engine

local function as_hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function encode(script)
  local steps = host.json.array {}
  for index, step in ipairs(script) do
    local copy = {}
    for key, value in pairs(step) do copy[key] = value end
    copy.send = step.send and as_hex(step.send)
    copy.run = step.run and host.json.array(step.run)
    steps[index] = copy
  end
  return steps
end

--- Opens a socket in a directory.
---@async
---@param directory Directory
---@param script table[]
---@return table engine with path and the methods below
function attach.start(directory, script)
  local path = ("%s/engine-%s.sock"):format(directory:path(), host.digest.random(4))
  local reply = process:ask { ["do"] = "listen", path = path, script = encode(script) }
  return setmetatable({ number = reply.server, path = path }, Engine)
end

--- Ends the process, with every engine.
---@async
function attach.stop() process:stop() end

--- The script of connections from now on.
---@async
function Engine:script(script)
  process:ask { ["do"] = "script", server = self.number, script = encode(script) }
end

--- What came, one a connection, in their order: head (of the request), types (of the frames that were read), received (bytes
--- behind the head) and their sha256, half_closed (the client closed its half, or all, and that was read), open.
---@async
---@return table[]
function Engine:told()
  local list = process:ask({ ["do"] = "told", server = self.number }).connections
  for _, connection in ipairs(list) do
    assert(connection.problem == host.json.null, connection.problem)
    connection.head = connection.head:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
  end
  return list
end

--- Stops listening, and closes what is connected.
---@async
function Engine:close()
  process:ask { ["do"] = "close", server = self.number }
end

-- ---- bytes ----

--- The answer of Docker 20.10, and that of Podman 4.3 to who doesn't ask to upgrade.
attach.upgraded = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n"
  .. "Upgrade: tcp\r\n\r\n"
attach.not_upgraded = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"

--- Types of the protocol's frames (csrc/protocol/protocol.h).
attach.type = { hello = 1, ready = 2, output = 3, result = 4, failure = 5, bye = 6, build = 65, file = 66,
  submission = 67, stdin = 68, case = 69, ["end"] = 70 }

--- A frame of one of the container's streams, with as many bytes as are given.
---@param number integer
---@param bytes string
---@return string
function attach.frame(number, bytes) return string.pack(">I1xxxs4", number, bytes) end

function attach.out(bytes) return attach.frame(1, bytes) end
function attach.err(bytes) return attach.frame(2, bytes) end

--- What the runner says, unframed.
function attach.message(name, payload) return string.pack("<I1s4", attach.type[name], payload or "") end

function attach.hello(python)
  return attach.message("hello", string.pack("<I4I4I1s4", 1, 1, 2, python or "3.11.2"))
end

function attach.output(number, stream, bytes)
  return attach.message("output", string.pack("<I4I1", number, stream) .. bytes)
end

--- The result of a case that ended by itself with exit code 0.
function attach.result(number, stdout_bytes, cpu_us)
  return attach.message("result", string.pack("<I4I1I1I4I4I8I8I8I8I8", number, 1, 0, 0, 0, cpu_us or 2000, 3000,
    1 << 20, stdout_bytes or 0, 0))
end

--- A failure of the runner's; number: of the case that it concerns, 0 for none.
function attach.failure(is_fatal, number, code, text)
  return attach.message("failure", string.pack("<I1I4s4s4", is_fatal and 1 or 0, number, code, text))
end

return attach
