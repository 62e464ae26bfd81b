--- What starts and ends container engines for tests (spec/container_engine.lua): several at once, stopped, killed, stalled and
--- back again, and that nothing is left of them, whatever became of who started them.
---
---     build/submitter run spec/integration/engine.lua [docker|podman]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = ("%s/?.lua;%s/spec/sandbox/support/?.lua;"):format(root, root) .. package.path

local container_engine = require "spec.container_engine"
local machine = require "machine"
local support = require "spec.integration.support"
local host = require "submitter.host"

local check, must = support.check, support.must
local kind = arg[1] or "docker"
local GONE_MS = 60000

-- Starts an engine and a container in it, says where, and lives on: whoever runs this kills it.
if arg[2] == "--keep" then
  local engine = container_engine.start { kind = kind, own = true }
  must(engine:command("run", "--detach", "--network", "none", engine:image "base", "sleep", "1000"))
  print(engine.folder .. " " .. engine.cgroup_parent)
  io.stdout:flush()
  host.clock.sleep_ms(600000)
  os.exit(1)
end

local function left_of(folder, cgroup_parent)
  return table.concat(machine.engine_left_over(folder, cgroup_parent), "; ")
end

local function answers(engine)
  local ended = must(host.child.run {
    program = "/usr/bin/timeout",
    arguments = { "2", "/usr/bin/docker", "--host", "unix://" .. engine.socket, "version" },
    environment = { PATH = "/usr/bin:/bin", HOME = "/nonexistent" },
  })
  return ended.exit_code == 0
end

local function check_life(engine)
  check(answers(engine), "it answers")
  local image = engine:image "base"
  check(engine:image "base" == image, "an image is made once")
  local printed, message = engine:command("run", "--rm", "--network", "none", image, "python3", "-c", "print(6 * 7)")
  check(printed == "42\n", "a container runs", message or printed)
  engine:freeze()
  check(not answers(engine), "stalled it answers nothing")
  engine:thaw()
  check(answers(engine), "it goes on")
  engine:kill()
  check(not answers(engine), "killed it answers nothing")
  engine:resume()
  check(answers(engine), "it comes back on the same socket")
  check(engine:command("image", "inspect", image) ~= nil, "with its images")
  engine:restart()
  check(answers(engine), "it can be restarted")
end

local function check_end(engine, title)
  engine:close()
  local left = left_of(engine.folder, engine.cgroup_parent)
  check(left == "", title .. ": no process, group or mount is left", left)
end

local function check_two(engine)
  local second = container_engine.start { kind = kind, own = true }
  check(second.socket ~= engine.socket and answers(second), "a second one has a socket of its own")
  check_end(second, "the second is ended")
  check(answers(engine), "the first goes on")
end

-- Whoever started one is killed outright, with a container running in it.
local function check_orphan()
  local child = must(host.child.start {
    program = host.system.executable(), arguments = { "run", arg[0], kind, "--keep" }, stdout = "pipe",
    stderr = "inherit", environment = { PATH = "/usr/bin:/bin" },
  })
  local line = must(child:read "stdout")
  local folder, cgroup_parent = line:match "^(%S+) (%S+)\n"
  check(folder ~= nil, "another process starts one", line)
  local before = #machine.engine_left_over(folder, cgroup_parent)
  check(before > 1, "its processes and groups are seen", before)
  child:kill()
  child:wait()
  local until_ms = host.clock.monotonic_ms() + GONE_MS
  local left = left_of(folder, cgroup_parent)
  while left ~= "" and host.clock.monotonic_ms() < until_ms do
    host.clock.sleep_ms(100)
    left = left_of(folder, cgroup_parent)
  end
  check(left == "", "killed with a container running, nothing of it is left", left)
end

local refused, message = pcall(container_engine.start, { kind = "rkt" })
check(not refused and message:find("docker or podman", 1, true), "an unknown engine is refused", message)
local engine = container_engine.start { kind = kind, own = true }
print(("# %s %s"):format(engine.kind, engine.version))
check_life(engine)
check_two(engine)
check_end(engine, "it is ended")
check_orphan()
support.finish()
