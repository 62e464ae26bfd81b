--- The worker's image, by itself: what is in it, as whom it runs, both ways of running programs as docker/README.md shows them,
--- its health, its end.
---
---     build/submitter run spec/integration/images.lua
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local host = require "submitter.host"
local support = require "spec.integration.support"
local worker_image = require "spec.integration.worker_image"

local check, must = support.check, support.must

local LARGEST_BYTES = 150 * 1000 * 1000
local TOKEN = ("a"):rep(32)
local engine <close> = worker_image.engine "the worker's image"
local tree = must(host.file.directory(root))
local readme = must(tree:read "docker/README.md")
local build = host.system.executable():match "^(.*)/"
local suffix = host.digest.md5(build):sub(1, 8)
local volume = "submitter-test-images-" .. suffix
local parent = must(host.file.directory(build .. "/integration", { create = true }))
must(parent:remove_tree "images")
local class = must(parent:open("images", { create = true }))

must(class:write("sum.py", "import sys\nprint(sum(map(int, sys.argv[1:])))\n"))
must(class:write("slow.py", "import sys, time\ntime.sleep(2)\nprint(sum(map(int, sys.argv[1:])))\n"))
must(class:write("hungry.py", "x = bytearray(400 << 20)\nprint(len(x))\n"))
must(class:write("test.in", "1 2 3\n"))
must(class:write("test.out", "6\n"))
local shown = { "--volume", class:path() .. ":/class:ro" }

local function words_of(...)
  local words = {}
  for _, list in ipairs { ... } do table.move(list, 1, #list, #words + 1, words) end
  return words
end

local began = host.clock.monotonic_ms()
local image = worker_image.build(engine)
print(("# the image was built in %.1f s"):format((host.clock.monotonic_ms() - began) / 1000))

-- ---- what it is ----

local function about(format)
  return (must(engine:command("image", "inspect", "--format", format, image)):gsub("%s+$", ""))
end

local bytes = tonumber(about "{{.Size}}")
print(("# the whole image has %.1f MB"):format(bytes / 1e6))
check(bytes < LARGEST_BYTES, "the image has less than 150 MB, its base among them", bytes)
check(about "{{.Config.User}} {{.Config.StopSignal}} {{json .Config.Entrypoint}} {{json .Config.Cmd}}"
  == '10001:10001 SIGTERM ["submitter"] ["serve"]', "it runs the worker as an ordinary user",
  about "{{json .Config}}")
check(about '{{index .Config.Labels "org.opencontainers.image.version"}}' == host.system.version(),
  "its label has the version of the program", about "{{json .Config.Labels}}")
check(about "{{json .Config.Volumes}}" == "null", "it makes no volume that nobody named")

local function inside(script, ...)
  return worker_image.run(engine, words_of({ "--network", "none", "--entrypoint", "/bin/sh", ... },
    { image, "-c", script }))
end

local found = inside "id -u; find / -xdev -perm /6000 -type f 2>/dev/null; ls /usr/src; command -v gcc make"
check(found == nil, "the compiler isn't in it", found)
found = inside "id -u; find / -xdev -perm /6000 -type f 2>/dev/null; ls /usr/src"
check(found == "10001\n", "no program in it gives root away, and no source is left", found)
found = inside "touch /usr/local/bin/x || touch /etc/submitter/x"
check(found == nil, "its user can change neither program nor settings", found)

-- ---- programs within walls in the worker's own container ----

local walls = worker_image.documented(readme, "systempaths=unconfined")
local function within_walls(...)
  return words_of({ "--network", "none" }, shown, worker_image.with(walls, {
    ["submitter:/var/lib/submitter"] = volume .. ":/var/lib/submitter", ["submitter-worker"] = image,
    ["seccomp=docker/worker-seccomp.json"] = "seccomp=" .. tree:path() .. "/docker/worker-seccomp.json",
  }), { ... })
end

local grade = { "grade", "/class/sum.py", "--in", "/class/test.in", "--out", "/class/test.out" }
local output, message = worker_image.run(engine, within_walls(table.unpack(grade)))
check(output and output:find("all passed", 1, true), "with the README's rights a program runs within walls", message)
output, message = worker_image.run(engine, within_walls("grade", "/class/hungry.py", "--in", "/class/test.in", "--out",
  "/class/test.out"))
check(not output and message:find("MLE: case 1", 1, true), "one that takes too much memory is told so",
  output or message)
output, message = worker_image.run(engine, within_walls "doctor")
check(output and output:find("\nok   sandbox", 1, true) and not output:find "\nFAIL", "and the doctor is content",
  output or message)
output, message = worker_image.run(engine, words_of({ "--network", "none" }, shown, { image }, grade))
check(not output and message:find("seccomp", 1, true), "without them it says what is missing", output or message)

-- The health check is the image's own, only more often.
local worker = worker_image.start(engine, "submitter-test-images-" .. suffix,
  words_of({ "--health-interval", "1s" }, within_walls()))
local well, log = worker:await_health "healthy"
check(well, "a worker that serves is healthy", log)
must(worker:exec("submitter", "cases", "import", "m/labs/sum", "--in", "/class/test.in", "--out", "/class/test.out"))
local function submit(program, assignment, ...)
  return worker:exec("submitter", "submit", "/class/" .. program, "--admin", "m", "--event", "labs", "--assignment",
    assignment, "--token", TOKEN, ...)
end
output, message = submit("sum.py", "sum", "--wait")
check(output and output:find("all passed", 1, true), "a submission goes through", message)

check(worker:signal("STOP", "submitter serve") == 1, "the worker is one process")
local hung = host.clock.monotonic_ms()
local ill
ill, log = worker:await_health "unhealthy"
print(("# a worker that hangs was found out after %.0f s"):format((host.clock.monotonic_ms() - hung) / 1000))
check(ill, "a worker that hangs is unhealthy", log)
check(worker:inspect "{{json .State.Health.Log}}":find("no sign of life", 1, true), "and the check says why",
  worker:inspect "{{json .State.Health.Log}}")
worker:signal("CONT", "submitter serve")
well, log = worker:await_health "healthy"
check(well, "when it goes on it is healthy again", log)

-- A sandbox that is killed leaves what ran in it to process 1.
local killed = worker:signal("KILL", "/usr/local/bin/submitter-sandbox")
check(killed > 0, "a sandbox waits for the next submission", killed)
host.clock.sleep_ms(1000)
output = must(worker:exec("sh", "-c", "cat /proc/[0-9]*/stat"))
check(not output:find ") Z ", "processes that lost their parent are reaped", output)

must(submit("slow.py", "sum"))
support.await("the submission is in flight", 60000, function()
  return must(worker:exec("submitter", "status", "--format", "json")):find '"job"'
end)
began = host.clock.monotonic_ms()
local exit_code = worker:stop(60)
local took_s = (host.clock.monotonic_ms() - began) / 1000
check(exit_code == 0, "SIGTERM ends the worker in order", exit_code)
check(took_s < 55, "before its grace period is over", took_s)
worker:remove()
output, message = worker_image.run(engine, { "--network", "none", "--volume", volume .. ":/var/lib/submitter",
  "--entrypoint", "/bin/sh", image, "-c", "submitter status --format json; cat bucket/m/labs/sum/*/*.result.json" })
check(output and output:find '"ready": 0' and output:find '"held": 0' and output:find '"attempt": ?2',
  "what was in flight was finished, and nothing is left in the queue", output or message)
-- ---- programs in containers of their own ----

local socket = worker_image.documented(readme, "SUBMITTER_RUNNER_IMAGE")
local group = must(host.child.run { program = "/usr/bin/stat", arguments = { "-c", "%g", engine.socket } }).stdout
socket = words_of({ "--network", "none" }, shown, worker_image.with(socket, {
  [worker_image.GROUP] = group:match "%d+", ["submitter-worker"] = image,
  ["submitter:/var/lib/submitter"] = volume .. ":/var/lib/submitter",
  ["/run/docker.sock:/run/docker.sock"] = engine.socket .. ":/run/docker.sock",
  ["SUBMITTER_RUNNER_IMAGE=submitter-python:3.9"] = "SUBMITTER_RUNNER_IMAGE=" .. engine:image "runner",
}))
output, message = worker_image.run(engine, words_of(socket, grade))
check(output and output:find("all passed", 1, true), "by the engine's socket a program runs in a container of its own",
  output or message)
must(engine:command("volume", "rm", volume))

engine:close()
support.finish()
