--- The image of docker/worker.Dockerfile in a real engine, for the scripts that try it.
local container_engine = require "spec.container_engine"
local host = require "submitter.host"
local support = require "spec.integration.support"

local worker_image = {}

local must = support.must
--- Stands in `documented` for the number of the socket's group.
worker_image.GROUP = "GROUP"
-- The emulated machine is ten times slower.
local PATIENCE_MS = 300000

--- The engine; without one the script ends, as one skipped test.
---@async
---@param name string of the script
---@return ContainerEngine
function worker_image.engine(name)
  local started, engine = pcall(container_engine.start)
  if started then return engine end
  print(("ok 1 - %s # SKIP %s"):format(name, (tostring(engine):gsub("%s+", " "))))
  print "1..1"
  os.exit(0)
end

--- Builds it on a base of Debian's packages.
---@async
---@param engine ContainerEngine
---@return string name
function worker_image.build(engine)
  local build = host.system.executable():match "^(.*)/"
  return engine:build { file = "docker/worker.Dockerfile", arguments = { BASE = engine:image "base" },
    name = "submitter-test-worker:" .. host.digest.md5(build):sub(1, 12) }
end

---@class WorkerContainer
---@field engine ContainerEngine
---@field name string
local Container = {}
Container.__index = Container

--- Starts a container in the background.
---@async
---@param engine ContainerEngine
---@param name string
---@param words string[] of `docker run`, the image and its command at their end
---@return WorkerContainer
function worker_image.start(engine, name, words)
  engine:command("rm", "--force", name)
  must(engine:command("run", "--detach", "--name", name, table.unpack(words)))
  return setmetatable({ engine = engine, name = name }, Container)
end

--- Runs one to its end.
---@async
---@param engine ContainerEngine
---@param words string[] as of start
---@return string|nil output
---@return string|nil message
function worker_image.run(engine, words)
  return engine:command("run", "--rm", table.unpack(words))
end

--- Runs a command in it.
---@async
---@return string|nil output
---@return string|nil message
function Container:exec(...)
  return self.engine:command("exec", self.name, ...)
end

--- What the engine says of it.
---@async
---@param format string of `docker inspect`
---@return string
function Container:inspect(format)
  return (must(self.engine:command("inspect", "--format", format, self.name)):gsub("%s+$", ""))
end

--- What its health check says: "starting", "healthy", "unhealthy".
---@async
---@return string
function Container:health()
  return self:inspect "{{.State.Health.Status}}"
end

--- Waits until it says so.
---@async
---@param status string
---@return boolean came
---@return string|nil log what the checks said, where it didn't
function Container:await_health(status)
  local until_ms = host.clock.monotonic_ms() + PATIENCE_MS
  while self:health() ~= status do
    if host.clock.monotonic_ms() > until_ms or self:inspect "{{.State.Running}}" ~= "true" then
      return false, self:inspect "{{json .State}}"
    end
    host.clock.sleep_ms(250)
  end
  return true
end

-- A line for each process: its number, in the container, and its command line.
local LIST = 'for p in /proc/[0-9]*; do echo "${p#/proc/} $(tr "\\0" " " <$p/cmdline 2>/dev/null)"; done'

--- Sends a signal to its processes whose command line begins so; its health checks are the worker's own program. From within,
--- because an engine may be in a PID namespace of its own.
---@async
---@param signal string "STOP"
---@param command string
---@return integer count of processes
function Container:signal(signal, command)
  local count = 0
  for pid, line in must(self:exec("sh", "-c", LIST)):gmatch "(%d+) ([^\n]*)" do
    if line:sub(1, #command) == command then
      must(self:exec("sh", "-c", ("kill -%s %s"):format(signal, pid)))
      count = count + 1
    end
  end
  return count
end

--- As an operator stops it.
---@async
---@param grace_s integer
---@return integer exit_code
function Container:stop(grace_s)
  must(self.engine:command("stop", "--time", tostring(grace_s), self.name))
  return tonumber(self:inspect "{{.State.ExitCode}}")
end

---@async
function Container:remove()
  must(self.engine:command("rm", "--force", self.name))
end

--- The words of a `docker run` that a README shows, so that what is tried is what is said: without `docker run`, --detach and
--- its --name.
---@async
---@param readme string
---@param marker string stands in that command alone
---@return string[]
function worker_image.documented(readme, marker)
  for block in ("\n" .. readme):gmatch "\n    docker run(.-[^\\])%f[\n]" do
    if block:find(marker, 1, true) then
      local words = {}
      block = block:gsub("\\\n", " "):gsub('"%$%(stat [^)]*%)"', worker_image.GROUP)
      for word in block:gmatch "%S+" do words[#words + 1] = word end
      for index = #words, 1, -1 do
        if words[index] == "--detach" then table.remove(words, index) end
        if words[index] == "--name" then
          table.remove(words, index + 1)
          table.remove(words, index)
        end
      end
      return words
    end
  end
  error(("no `docker run` with %s is shown"):format(marker), 2)
end

--- The same with other words in the place of some.
---@param words string[]
---@param others table<string, string>
---@return string[]
function worker_image.with(words, others)
  local changed = {}
  for index, word in ipairs(words) do changed[index] = others[word] or word end
  return changed
end

return worker_image
