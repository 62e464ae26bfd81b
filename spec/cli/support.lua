--- What the specs of the command line share: a folder of their own, the real program as a child, captured output.
local host = require "submitter.host"
local shared = require "spec.support"

local support = {}

local function must(value, message)
  if value == nil then error(message, 3) end
  return value
end

--- A fresh folder, and `var` below it for the program; `folder.remove_all()` takes it away again.
---@async
function support.folder()
  local directory = shared.directory()
  local folder = { directory = directory, path = directory:path(), var = directory:path() .. "/var" }
  function folder.write(_, path, data)
    must(directory:write(path, data, { parents = true }))
    return folder.path .. "/" .. path
  end
  function folder.read(_, path) return directory:read(path) end
  function folder.remove_all()
    directory:close()
    shared.clean()
  end
  return folder
end

--- The folder of fixtures, wherever the specs are started.
support.fixtures = (debug.getinfo(1, "S").source:match "^@(.*)/cli/[^/]*$" or "spec") .. "/fixtures"

--- Runs the real program with everything below the folder's var and the fixtures' policy.
---@async
---@param folder table of support.folder
---@param arguments string[]
---@param options {input:string|nil, environment:table|nil}|nil
---@return {exit_code:integer, stdout:string, stderr:string}
function support.submitter(folder, arguments, options)
  local environment = {
    PATH = "/usr/bin:/bin", SUBMITTER_VAR = folder.var,
    SUBMITTER_POLICY = must(host.file.directory(support.fixtures .. "/policy")):path(),
  }
  for name, value in pairs(options and options.environment or {}) do environment[name] = value end
  return must(host.child.run {
    program = host.system.executable(), arguments = arguments, environment = environment,
    input = options and options.input or "", limit_bytes = 8 << 20,
  })
end

--- Calls a function and returns what it wrote to io.stdout and io.stderr, then its results.
---@param body function
---@return string output
---@return string errors
---@return any ...
function support.capture(body, ...)
  local stdout, stderr = io.stdout, io.stderr
  local function collector()
    local pieces = {}
    return {
      write = function(self, ...)
        for _, piece in ipairs { ... } do pieces[#pieces + 1] = tostring(piece) end
        return self
      end,
      flush = function() return true end,
      text = function() return table.concat(pieces) end,
    }
  end
  local output, errors = collector(), collector()
  rawset(io, "stdout", output)
  rawset(io, "stderr", errors)
  local results = table.pack(pcall(body, ...))
  rawset(io, "stdout", stdout)
  rawset(io, "stderr", stderr)
  if not results[1] then error(results[2], 0) end
  return output.text(), errors.text(), table.unpack(results, 2, results.n)
end

return support
