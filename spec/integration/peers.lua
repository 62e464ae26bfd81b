--- The real peers of spec/support, from Lua: programs of Node's that say one line of JSON when they are ready and answer
--- commands in lines of JSON (spec/support/lines.mjs). `make peers` installs them.
local host = require "submitter.host"
local support = require "spec.integration.support"

local must = support.must
local peers = {}

local build = host.system.executable():match "^(.*)/"
local directory = build .. "/peers"

-- Not the machine's own credentials, proxies or certificates, whatever this process was started with.
local environment = { PATH = "/usr/sbin:/usr/bin:/sbin:/bin", HOME = directory, AWS_EC2_METADATA_DISABLED = "true" }

local function node()
  local path = directory .. "/node"
  local file = io.open(path, "rb")
  if not file then error(("%s is missing: run `make peers` first"):format(path), 0) end
  file:close()
  return path
end

--- A fresh folder below the build folder.
---@async
---@param name string
---@return Directory
function peers.folder(name)
  local parent = must(host.file.directory(build .. "/integration", { create = true }))
  must(parent:remove_tree(name))
  return must(parent:open(name, { create = true }))
end

--- Runs a program of theirs to its end; an error where it fails.
---@async
---@param script string
---@param ... string arguments
---@return string what it printed
function peers.run(script, ...)
  local ended = must(host.child.run { program = node(), arguments = { directory .. "/" .. script, ... },
    environment = environment, limit_bytes = 16 << 20 })
  if ended.exit_code ~= 0 then
    error(("%s ended with %s: %s"):format(script, ended.exit_code or ended.signal, ended.stderr), 2)
  end
  return ended.stdout
end

---@class Peer
---@field ready table what it said when it was ready
local Peer = {}
Peer.__index = Peer

-- The next line that it prints.
local function read_line(self)
  while true do
    local at = self.unread:find("\n", 1, true)
    if at then
      local line = self.unread:sub(1, at - 1)
      self.unread = self.unread:sub(at + 1)
      return line
    end
    local piece = must(self.child:read "stdout")
    if piece == "" then
      self.log:join()
      error(("%s ended: %s"):format(self.script, table.concat(self.errors)), 0)
    end
    self.unread = self.unread .. piece
  end
end

local function read_answer(self)
  local answer = must(host.json.decode(read_line(self)))
  if answer.error then error(("%s: %s"):format(self.script, answer.error), 0) end
  return answer
end

--- Starts a program of theirs and waits until it is ready. It ends when this process does.
---@async
---@param script string
---@param ... string arguments
---@return Peer
function peers.start(script, ...)
  local self = setmetatable({ script = script, unread = "", errors = {} }, Peer)
  self.child = must(host.child.start { program = node(), arguments = { directory .. "/" .. script, ... },
    environment = environment, stdin = "pipe", stdout = "pipe", stderr = "pipe" })
  self.log = host.task.spawn("log", function()
    repeat
      local piece = must(self.child:read "stderr")
      self.errors[#self.errors + 1] = piece
      if piece ~= "" then io.stderr:write(piece) end
    until piece == ""
  end)
  self.ready = read_answer(self)
  return self
end

--- Asks it something and waits for the answer. One task at a time.
---@async
---@param command string
---@param argument table|nil
---@return table
function Peer:ask(command, argument)
  local question = { command = command }
  for name, value in pairs(argument or {}) do question[name] = value end
  must(self.child:write(host.json.encode(question) .. "\n"))
  return read_answer(self)
end

--- Ends it and waits until it has cleaned up.
---@async
function Peer:close()
  self.child:close_input()
  local ended = self.child:wait()
  self.log:join()
  support.check(ended.exit_code == 0, self.script .. " gave everything back", table.concat(self.errors))
end

return peers
