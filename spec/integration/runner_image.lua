--- The image in which submissions run (docker/runner.Dockerfile), built by a real engine: its size, what it says of itself, bases
--- with Pythons in unusual places, and those that it refuses.
---
---     build/submitter run spec/integration/runner_image.lua [docker|podman]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local container_engine = require "spec.container_engine"
local container_runner = require "submitter.runner.container"
local support = require "spec.integration.support"
local host = require "submitter.host"

local check, must = support.check, support.must
local LARGEST_ABOVE_BASE = 5 * 1000 * 1000
local PATIENCE_MS = 120000
local LIMITS = {
  memory_bytes = 64 << 20, cpu_ms = 5000, wall_ms = 20000, output_bytes = 65536, processes = 16, file_bytes = 1 << 20,
}
-- What tells where a Python comes from.
local PROGRAM = "import json, sys\n"
  .. "print(sys.executable, sys.prefix, '%d.%d.%d' % sys.version_info[:3], json.dumps([1]))\n"

local engine <close> = container_engine.start { kind = arg[1] or "docker" }
local base = engine:image "base"
local work = must(host.file.directory(host.system.executable():match "^(.*)/" .. "/engine"))
must(work:make("bases", { parents = true }))
local made = {}

-- Another base, by what is done to the usual one.
local function derive(name, steps)
  must(work:write("bases/Dockerfile." .. name, ("FROM %s\n%s\n"):format(base, steps)))
  local tag = "submitter-test-" .. name
  made[#made + 1] = tag
  return engine:build { folder = work:path() .. "/bases", file = "Dockerfile." .. name, name = tag }
end

local function build_on(name, on)
  local tag = "submitter-test-runner-" .. name
  made[#made + 1] = tag
  return engine:build { file = "docker/runner.Dockerfile", name = tag, arguments = { BASE = on, BUILDER = base } }
end

-- One case in a container of the image; what it printed, or why there is none.
local function run(image)
  local runner = must(container_runner.open({ policy = { limits = LIMITS } }, {
    image = image, socket = engine.socket, pool = 0, patience_ms = PATIENCE_MS,
    cgroup_parent = engine.kind == "podman" and engine.cgroup_parent or nil,
  }))
  local session, message = runner:start(LIMITS, { subid = host.digest.random(16) })
  if not session then return nil, message end
  local described, result = session:describe(), nil
  local done
  done, message = session:submit { name = "program.py", source = PROGRAM, limits = LIMITS }
  if done then result, message = session:case { number = 1, arguments = {} } end
  session:close()
  runner:close()
  if not result then return nil, message end
  return result.stdout, result.stderr, described
end

local function inspect(image, format)
  return (must(engine:command("image", "inspect", "--format", format, image)):gsub("%s+$", ""))
end

local function check_image(image)
  local size = tonumber(inspect(image, "{{.Size}}")) - tonumber(inspect(base, "{{.Size}}"))
  print(("# %d bytes above its base"):format(size))
  check(size > 0 and size <= LARGEST_ABOVE_BASE, "it is at most 5 MB larger than its base", size)
  local header = must(io.open(root .. "/csrc/protocol/protocol.h")):read "a"
  local version = header:match "PROTOCOL_VERSION = (%d+)"
  check(inspect(image, '{{index .Config.Labels "submitter.protocol"}}') == version,
    "its label says which protocol its runner speaks", version)
  local command = inspect(image, "{{.Config.Cmd}}")
  check(command == "[]", "no command of the base's is left", command)
  local said, message = engine:command("run", "--rm", "--network", "none", image, "--help")
  check(said and said:find("submitter-sandbox", 1, true), "its entry point is the walls", message or said)
  local printed, problem, described = run(image)
  check(printed and printed:find("/usr/bin/python3", 1, true) == 1, "a program runs in it", printed or problem)
  check(described and printed:find(described.version, 1, true), "by the Python that it says it has", printed)
end

-- name, what is done to the base, what the program prints first
local strange = {
  { "opt", "RUN mkdir -p /opt/python/bin /opt/python/lib && mv /usr/bin/python3.11 /opt/python/bin/python3 && "
    .. "cp -R /usr/lib/python3.11 /opt/python/lib/ && rm -rf /usr/lib/python3* /usr/bin/python3*\n"
    .. 'ENV PATH="/opt/python/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n'
    .. 'USER 1000:1000\nWORKDIR /tmp\nENTRYPOINT ["/bin/false"]', "/opt/python/bin/python3 /opt/python " },
  { "venv", "RUN python3 -m venv --without-pip /opt/course\n"
    .. 'ENV PATH="/opt/course/bin:/usr/sbin:/usr/bin:/sbin:/bin"', "/opt/course/bin/python3 /opt/course " },
}

local refused = {
  { "none", "RUN rm /usr/bin/python3*", "has no python3" },
  { "old", "RUN printf '#!/bin/sh\\nexec /usr/bin/python3 -I -c \"import sys; sys.version_info = (3, 7, 17); "
    .. "exec(open(sys.argv[1]).read())\" \"$2\"\\n' >/usr/local/bin/python3 && chmod 0755 /usr/local/bin/python3",
    "python3 is 3.7, 3.8 is the least" },
  { "home", "RUN python3 -m venv --without-pip /root/course\n"
    .. 'ENV PATH="/root/course/bin:/usr/sbin:/usr/bin:/sbin:/bin"', "is in /root/course, which the walls can't show" },
}

local function check_strange(name, steps, expected)
  local good, image = pcall(function() return build_on(name, derive(name, steps)) end)
  local printed, message
  if good then printed, message = run(image) end
  check(printed and printed:find(expected, 1, true) == 1, "a base of another kind: " .. name,
    printed or message or image)
end

local function check_refused(name, steps, expected)
  local good, message = pcall(function() return build_on(name, derive(name, steps)) end)
  check(not good and message:find(expected, 1, true), "a base that is refused: " .. name, message)
end

check_image(engine:image "runner")
for _, one in ipairs(strange) do check_strange(table.unpack(one)) end
for _, one in ipairs(refused) do check_refused(table.unpack(one)) end
-- Those that weren't built aren't there.
for _, name in ipairs(made) do engine:command("image", "rm", "--force", name) end
must(work:remove_tree "bases")
work:close()
engine:close()
support.finish()
