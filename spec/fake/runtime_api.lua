--- The Lambda Runtime API for specs: a server on 127.0.0.1 that keeps strictly to what AWS publishes. See runtime_api.py.
local host = require "submitter.host"

local Api = {}
Api.__index = Api

local function line(self)
  while not self.rest:find("\n", 1, true) do
    local piece = assert(self.child:read "stdout")
    if piece == "" then error("the stand-in of the Runtime API ended", 3) end
    self.rest = self.rest .. piece
  end
  local first, rest = self.rest:match "^(.-)\n(.*)$"
  self.rest = rest
  return first
end

local function ask(self, command)
  assert(self.child:write(host.json.encode(command) .. "\n"))
  return assert(host.json.decode(line(self)))
end

--- Queues an invocation for whoever asks for the next.
---@async
---@param event string the payload
---@param options {left_ms:integer|nil, headers:table<string, string>|nil}|nil left_ms: until its deadline, default 3000;
--- headers: instead of the real ones, "" for none
---@return string id
function Api:invoke(event, options)
  options = options or {}
  return ask(self, { ["do"] = "invoke", event = event, left_ms = options.left_ms, headers = options.headers }).id
end

--- What became of an invocation, once it is answered.
---@async
---@param id string
---@param timeout_ms integer|nil default 20000
---@return {kind:"response"|"error"|"none", body:table, type:string|nil}
function Api:outcome(id, timeout_ms)
  return ask(self, { ["do"] = "outcome", id = id, timeout_ms = timeout_ms or 20000 })
end

--- The next such request is refused with a status, or its connection is cut.
---@async
---@param what "next"|"response"|"error"
---@param status integer|"cut"
function Api:refuse(what, status)
  local cut = status == "cut"
  ask(self, { ["do"] = "refuse", what = what, status = cut and 0 or status, cut = cut })
end

--- Everything that was seen.
---@async
---@return {init_error:table|nil, violations:string[], waiting:integer, requests:integer, connections:integer}
function Api:state()
  return ask(self, { ["do"] = "state" })
end

function Api:close()
  self.child:close()
end

return {
  --- Starts one; `api.address` is what AWS_LAMBDA_RUNTIME_API holds.
  ---@async
  open = function()
    local folder = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" or "."
    local child = assert(host.child.start {
      program = "/usr/bin/python3", arguments = { "-I", folder .. "/runtime_api.py" }, stdin = "pipe", stdout = "pipe",
      stderr = "inherit",
    })
    local api = setmetatable({ child = child, rest = "" }, Api)
    api.address = "127.0.0.1:" .. line(api)
    return api
  end,
}
