--- The worker in a pod, without a cluster: the image of docker/worker.Dockerfile, run by runc with what docker/k8s/worker's
--- Deployment says of users, capabilities, filter, memory and mounts. Bucket and queue are folders, for this pod has no network.
---
---     build/submitter run spec/integration/pod.lua     root; what make peers installs, and an engine that builds the image
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local host = require "submitter.host"
local support = require "spec.integration.support"
local worker_image = require "spec.integration.worker_image"

local check, must = support.check, support.must

local PATIENCE_MS = 60000
local RUNC = "/usr/sbin/runc"
local build = host.system.executable():match "^(.*)/"
local name = ("submitter-test-pod-%d"):format(host.system.pid())
local tree = must(host.file.directory(root))

local function skip(reason)
  print("ok 1 - a pod # SKIP " .. reason)
  print "1..1"
  os.exit(0)
end
if not io.open(RUNC) then skip(RUNC .. " isn't installed (package runc)") end
if not io.open(build .. "/peers/node") then skip "make peers installs what reads the Deployment" end

-- Runs a program; how it ended.
local function run(program, ...)
  return must(host.child.run { program = program, arguments = { ... }, limit_bytes = 16 << 20,
    environment = { PATH = os.getenv "PATH", LC_ALL = "C.UTF-8", HOME = "/nonexistent" } })
end
local function succeed(...)
  local ended = run(...)
  if ended.exit_code ~= 0 then error(table.concat({ ... }, " ") .. ": " .. ended.stderr .. ended.stdout, 0) end
  return ended.stdout
end

-- ---- the bundle ----

local engine <close> = worker_image.engine "a pod"
local image = worker_image.build(engine)
local parent = must(host.file.directory(build .. "/integration", { create = true }))
must(parent:remove_tree "pod")
local bundle = must(parent:open("pod", { create = true }))
local path = bundle:path()
must(bundle:make "rootfs")
engine:command("rm", "--force", name)
must(engine:command("create", "--name", name, image))
must(engine:command("export", "--output", path .. "/image.tar", name))
must(engine:command("rm", name))
engine:close()
succeed("/bin/tar", "-x", "-f", path .. "/image.tar", "-C", path .. "/rootfs")
must(bundle:remove "image.tar")

-- The shipped configuration, but for where submissions are: kubelet's job with the ConfigMaps is done by hand.
local configuration = must(tree:read "docker/k8s/worker/submitter.lua"):gsub("\n  bucket = [^\n]*", "")
  :gsub("\n  queue = sqs {.-\n  },", "")
for _, volume in ipairs { "var", "configuration", "policy", "database" } do
  must(bundle:open("volumes/" .. volume, { create = true }))
end
must(bundle:write("volumes/configuration/submitter.lua", configuration))
must(bundle:write("volumes/policy/default.lua", must(tree:read "docker/k8s/worker/policy/default.lua")))
for file, text in pairs {
  ["sum.py"] = "import sys\nprint(sum(map(int, sys.argv[1:])))\n",
  ["slow.py"] = "import sys, time\ntime.sleep(2)\nprint(sum(map(int, sys.argv[1:])))\n",
  ["hungry.py"] = "x = bytearray(400 << 20)\nprint(len(x))\n",
  ["test.in"] = "1 2 3\n", ["test.out"] = "6\n",
} do
  must(bundle:write("volumes/var/" .. file, text))
end

local function prepare(...)
  return host.json.decode(succeed(build .. "/peers/node", build .. "/peers/pod.mjs", tree:path(), path,
    path .. "/rootfs/usr/local/share/submitter/worker-seccomp.json", "/" .. name, ...))
end

local about = prepare("submitter", "doctor")
local first = ("%d:%d"):format(about.first_user, about.first_user)
-- Kubelet maps what is mounted; here it is given away.
succeed("/bin/chown", "-hR", first, path .. "/rootfs", path .. "/volumes")

local function runc(...) return run(RUNC, "--root", path .. "/state", ...) end
local function exec(...) return runc("exec", name, ...) end
-- Whatever ends this script, the pod ends with it.
local _ <close> = setmetatable({}, { __close = function() runc("delete", "--force", name) end })

-- ---- what it can enforce ----

local ended = runc("run", "--bundle", path, name)
check(ended.exit_code == 0 and ended.stdout:find("accounting by container", 1, true),
  "doctor finds all walls in order, and measures by the pod's counters", ended.stdout .. ended.stderr)

-- ---- the worker ----

prepare("submitter", table.unpack(about.args))
local worker = must(host.child.start { program = "/bin/sh", environment = { PATH = os.getenv "PATH" }, arguments = {
  "-c", "exec \"$0\" --root \"$1\"/state run --bundle \"$1\" \"$2\" 2>\"$1\"/worker.log", RUNC, path, name,
} })
local function answers(words)
  return exec(table.unpack(words)).exit_code == 0
end
support.await("the startup probe is content", PATIENCE_MS, function() return answers(about.startup) end)
support.await("so is the readiness probe", PATIENCE_MS, function() return answers(about.readiness) end)
check(answers(about.liveness), "so is the liveness probe")

local pid = host.json.decode(runc("state", name).stdout).pid
check(succeed("/usr/bin/stat", "-c", "%u", "/proc/" .. pid):match "%d+" == tostring(about.first_user),
  "outside it is nobody's", pid)
local status = must(must(host.file.directory "/proc"):read(pid .. "/status"))
check(status:find "\nCapBnd:%s*00000000000000c0\n" and status:find "\nNoNewPrivs:%s*1\n"
  and status:find "\nSeccomp:%s*2\n", "it has two capabilities, can raise no rights, and is filtered", status)
check(exec("/bin/sh", "-c", "echo >/usr/local/bin/x").exit_code ~= 0
  and exec("/bin/sh", "-c", "echo >/var/lib/submitter/x").exit_code == 0, "it can write to its folder alone")

local function submitter(...) return exec("submitter", ...) end
must(submitter("cases", "import", "m/labs/sum", "--in", "test.in", "--out", "test.out").exit_code == 0)
local function submit(program, token, ...)
  return submitter("submit", program, "--admin", "m", "--event", "labs", "--assignment", "sum",
    "--token", token:rep(32), "--format", "json", ...)
end
local graded = submit("sum.py", "a", "--wait")
check(graded.exit_code == 0 and graded.stdout:find '"verdict": ?"AC"', "it grades", graded.stdout .. graded.stderr)
graded = submit("hungry.py", "b", "--wait")
check(graded.stdout:find '"verdict": ?"MLE"', "a program that takes too much memory is seen to", graded.stdout)
check(answers(about.liveness), "which harms nobody else")
local truths = path .. "/volumes/var/bucket/m/labs/sum/grading/results"
local results = run("/bin/sh", "-c", ('cat "%s"/*.json'):format(truths)).stdout
local function count(pattern) return select(2, results:gsub(pattern, "")) end
local told, by_container = count '"accounting"', count '"accounting": ?"container"'
check(told == 2 and by_container == told, "results say how they were measured", results)

-- ---- its end ----

submit("slow.py", "c")
support.await("a submission is in flight", PATIENCE_MS, function()
  return submitter("status", "--format", "json").stdout:find '"job"'
end)
must(runc("kill", name, "TERM").exit_code == 0)
local over = must(worker:wait())
check(over.exit_code == 0, "SIGTERM ends it in order", must(bundle:read "worker.log"))
results = run("/bin/ls", truths).stdout
check(count "%.json" == 3, "after what was in flight", results)

must(parent:remove_tree "pod")
support.finish()
