--- docker/compose.yaml as Compose itself understands it, and its services as words of `docker run`.
local host = require "submitter.host"
local support = require "spec.integration.support"

local must = support.must
local compose_file = {}

-- Debian's docker-compose prints YAML, and brings what reads it.
local TO_JSON = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"

---@async
local function run(program, arguments, options)
  local ended = must(host.child.run { program = program, arguments = arguments, directory = options.directory,
    environment = options.environment or { PATH = "/usr/bin:/bin" }, input = options.input or "",
    limit_bytes = 4 << 20 })
  if ended.exit_code ~= 0 then return nil, program .. ": " .. ended.stderr .. ended.stdout end
  return ended.stdout
end

--- What `docker-compose config` makes of the files; an error says what it refused.
---@async
---@param directory Directory docker/
---@param files string[] names in it
---@param environment table<string, string> what the files' ${…} are to be
---@return table document
function compose_file.read(directory, files, environment)
  local arguments = {}
  for _, name in ipairs(files) do table.move({ "--file", name }, 1, 2, #arguments + 1, arguments) end
  arguments[#arguments + 1] = "config"
  local words = { PATH = "/usr/bin:/bin", HOME = "/nonexistent", LC_ALL = "C.UTF-8" }
  for name, value in pairs(environment) do words[name] = value end
  local text = must(run("/usr/bin/docker-compose", arguments, { directory = directory, environment = words }))
  return must(host.json.decode(must(run("/usr/bin/python3", { "-I", "-c", TO_JSON }, { input = text }))))
end

local function add(words, ...)
  for _, word in ipairs { ... } do words[#words + 1] = word end
end

-- Each field of a service that the files use, as Compose would ask the engine for it.
local fields = {
  read_only = function(words, value) if value then add(words, "--read-only") end end,
  init = function(words, value) if value then add(words, "--init") end end,
  mem_limit = function(words, value) add(words, "--memory", value) end,
  memswap_limit = function(words, value) add(words, "--memory-swap", value) end,
  pids_limit = function(words, value) add(words, "--pids-limit", tostring(value)) end,
  cap_drop = function(words, list) for _, value in ipairs(list) do add(words, "--cap-drop", value) end end,
  cap_add = function(words, list) for _, value in ipairs(list) do add(words, "--cap-add", value) end end,
  group_add = function(words, list) for _, value in ipairs(list) do add(words, "--group-add", tostring(value)) end end,
  tmpfs = function(words, list) for _, value in ipairs(list) do add(words, "--tmpfs", value) end end,
  volumes = function(words, list) for _, value in ipairs(list) do add(words, "--volume", value) end end,
  security_opt = function(words, list, folder)
    for _, value in ipairs(list) do
      -- A profile's path counts from the files' folder; the old Compose writes it with a colon.
      add(words, "--security-opt", (value:gsub("^seccomp[:=]([^/])", "seccomp=" .. folder .. "/%1")))
    end
  end,
  environment = function(words, map)
    for name, value in pairs(map) do add(words, "--env", ("%s=%s"):format(name, value)) end
  end,
}
-- What the engine isn't asked for, or the test decides.
local others = {
  image = true, build = true, command = true, depends_on = true, restart = true, stop_grace_period = true,
}

--- A service as words of `docker run`, on the host's network, since an engine for tests has no other.
---@param service table of read
---@param folder string path of docker/
---@param image string in the place of the service's
---@return string[]
function compose_file.words(service, folder, image)
  local words = { "--network", "host" }
  for name, value in pairs(service) do
    if fields[name] then
      fields[name](words, value, folder)
    elseif not others[name] then
      error(("the field %q of a service isn't understood by this test"):format(name), 2)
    end
  end
  add(words, image)
  add(words, table.unpack(service.command or {}))
  return words
end

return compose_file
