--- moto_server, where it is on the machine: S3 and SQS as other people understood them.
local host = require "submitter.host"
local support = require "spec.integration.support"

local must = support.must
local moto = {}

--- The program, however it is installed: what is on the path may be a shell script that only finds it with this environment.
---@async
---@return string|nil path
function moto.find()
  local found = must(host.child.run { program = "/bin/sh", arguments = { "-c",
    'p=$(command -v moto_server) || exit 1; q=$(command -v pyenv >/dev/null && pyenv which moto_server 2>/dev/null); '
    .. 'echo "${q:-$p}"' }, environment = { PATH = os.getenv "PATH" or "", HOME = os.getenv "HOME" or "/" } })
  return found.exit_code == 0 and found.stdout:match "^[^\n]+" or nil
end

-- A number that is free now; the server can't be told to take whichever is.
local function free_port()
  return (must(host.child.run { program = "/usr/bin/python3", arguments = { "-I", "-c",
    "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])" } }).stdout:match "%d+")
end

--- Starts one on 127.0.0.1. It ends with this process.
---@async
---@param program string of find
---@return {endpoint:string, close:fun()}
function moto.start(program)
  local port = free_port()
  local endpoint = "http://127.0.0.1:" .. port
  local child = must(host.child.start { program = program, arguments = { "-H", "127.0.0.1", "-p", port },
    environment = { PATH = "/usr/bin:/bin", HOME = "/nonexistent" } })
  support.await("moto_server answers", 60000, function()
    local answer = host.http.request { method = "GET", url = endpoint .. "/moto-api/data.json", timeout_ms = 2000 }
    return answer and answer.status == 200
  end)
  return { endpoint = endpoint, close = function()
    child:kill "TERM"
    child:wait()
  end }
end

return moto
