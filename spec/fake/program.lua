--- A Python program beside this file, in a process of its own, that takes a line of JSON and answers one: web.py, smtp.py,
--- attach.py. It is started by the first command.
local host = require "submitter.host"

local program = {}

local Program = {}
Program.__index = Program

local function launch(self)
  local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")
  -- Never the first of PATH, and without the environment: -I.
  self.child = assert(host.child.start {
    program = "/usr/bin/python3", arguments = { "-I", here .. "/" .. self.file, table.unpack(self.arguments()) },
    environment = { PATH = "/usr/bin:/bin" }, stdin = "pipe", stdout = "pipe", stderr = "inherit",
  })
  self.pending = ""
end

local function read_line(self)
  while not self.pending:find("\n", 1, true) do
    local piece = assert(self.child:read("stdout"))
    assert(piece ~= "", "spec/fake/" .. self.file .. " ended, see its message above")
    self.pending = self.pending .. piece
  end
  local line, rest = self.pending:match("^([^\n]*)\n(.*)$")
  self.pending = rest
  return line
end

local function exchange(self, command)
  if not self.child then launch(self) end
  assert(self.child:write(host.json.encode(command) .. "\n"))
  return assert(host.json.decode(read_line(self)))
end

--- Gives a command and returns the answer; its `error` is thrown. Commands of several tasks go one after the other. One that was
--- begun is carried through in a task of its own, even if the one that asked is cancelled: so its answer can't be taken for
--- another's.
---@async
---@param command table
---@return table
function Program:ask(command)
  local asking = host.task.spawn(self.file, function()
    while self.lock do self.lock:wait() end
    self.lock = host.task.event()
    local good, reply = pcall(exchange, self, command)
    self.lock:set()
    self.lock = nil
    return good and reply or { error = reply }
  end)
  local good, reply = asking:join()
  assert(good, reply)
  assert(not reply.error, reply.error)
  return reply
end

--- Ends it. False when it wasn't running.
---@async
---@return boolean
function Program:stop()
  if not self.child then return false end
  self.child:close_input()
  if not host.task.within(10000, self.child.wait, self.child) then
    self.child:kill()
    self.child:wait()
  end
  self.child:close()
  self.child = nil
  return true
end

--- A program that isn't running yet.
---@param file string beside this one
---@param arguments (fun():string[])|nil called whenever it is started
function program.new(file, arguments)
  return setmetatable({ file = file, arguments = arguments or function() return {} end }, Program)
end

return program
