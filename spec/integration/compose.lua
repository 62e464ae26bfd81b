--- The services of docker/compose.yaml with their settings as they stand there: the worker's image in a real engine; in the place
--- of the two images that only a registry has, PostgreSQL and moto by hand.
---
---     build/submitter run spec/integration/compose.lua
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local compose_file = require "spec.integration.compose_file"
local host = require "submitter.host"
local moto = require "spec.integration.moto"
local postgres = require "spec.postgres"
local support = require "spec.integration.support"
local worker_image = require "spec.integration.worker_image"

local check, must = support.check, support.must

local engine <close> = worker_image.engine "compose"
local docker = must(must(host.file.directory(root)):open "docker")
local build = host.system.executable():match "^(.*)/"
local parent = must(host.file.directory(build .. "/integration", { create = true }))
must(parent:remove_tree "compose")
local folder = must(parent:open("compose", { create = true }))
must(folder:write("sum.py", "import sys\nprint(sum(map(int, sys.argv[1:])))\n"))
must(folder:write("slow.py", "import sys, time\ntime.sleep(2)\nprint(sum(map(int, sys.argv[1:])))\n"))
must(folder:write("test.in", "1 2 3\n-5 5\n"))
must(folder:write("test.out", "6\n0\n"))

-- ---- the files ----

local plain = compose_file.read(docker, { "compose.yaml" }, {})
local names = {}
for name in pairs(plain.services) do names[#names + 1] = name end
table.sort(names)
names = table.concat(names, " ")
check(names == "cloud database migrate setup worker", "Compose takes the file", names)
for _, name in ipairs { "cloud", "database" } do
  local image = plain.services[name].image
  check(image:find ":[%d.]+$", ("the image of %s is pinned"):format(name), image)
end
local with_engine = compose_file.read(docker, { "compose.yaml", "compose.engine.yaml" }, { DOCKER_GROUP = "998" })
local one = with_engine.services.worker
check(tostring(one.group_add[1]) == "998" and one.environment.SUBMITTER_RUNNER_IMAGE == "submitter-python:3.9",
  "and the one over it for the engine's socket", host.json.encode(one))
check(table.concat(one.security_opt, " "):find("no-new-privileges:true", 1, true),
  "whose worker's programs get no new rights", host.json.encode(one.security_opt))
local refused, why = pcall(compose_file.read, docker, { "compose.yaml", "compose.engine.yaml" }, {})
check(not refused and tostring(why):find("DOCKER_GROUP", 1, true), "which says what it needs", why)

local function secrets_in(text)
  for _, file in ipairs { "database", "migrate", "worker", "cloud" } do
    for value in must(docker:read("compose/example/" .. file .. ".env")):gmatch "=([^\n]+)" do
      if text:find(value, 1, true) then return value end
    end
  end
end
for _, file in ipairs { "compose.yaml", "compose.engine.yaml", "compose/submitter.lua", "compose/database.sh" } do
  check(not secrets_in(must(docker:read(file))), file .. " holds no secret")
end
local given = {}
for name in pairs { database = true, migrate = true, setup = true, worker = true } do
  given[name] = plain.services[name].environment
end
check(not given.worker.POSTGRES_PASSWORD and not given.migrate.AWS_SECRET_ACCESS_KEY and not given.setup.PGPASSWORD
  and not given.database.PGPASSWORD, "each service is given its own secrets alone")

local program = moto.find()
if not program then
  print "ok - the services # SKIP moto_server isn't on this machine"
  engine:close()
  support.finish()
end

-- ---- what comes from a registry, by hand ----

local cloud = moto.start(program)
local server = postgres.start { tcp = true }
local owner = given.database
server:sql(server.url, ("CREATE ROLE %s SUPERUSER LOGIN PASSWORD '%s'"):format(owner.POSTGRES_USER,
  owner.POSTGRES_PASSWORD))
server:sql(server.url, ("CREATE DATABASE %s OWNER %s TEMPLATE template0"):format(owner.POSTGRES_DB,
  owner.POSTGRES_USER))
-- As PostgreSQL's image runs it: by its socket, as the owner.
local ended = must(host.child.run { program = "/bin/sh", arguments = { docker:path() .. "/compose/database.sh" },
  environment = { PATH = "/usr/bin:/bin", PGHOST = server.folder, PGPORT = server.socket_port,
    POSTGRES_USER = owner.POSTGRES_USER, POSTGRES_DB = owner.POSTGRES_DB, GRADER_PASSWORD = owner.GRADER_PASSWORD } })
check(ended.exit_code == 0, "the database is made ready", ended.stderr)

local database = ("@127.0.0.1:%d/%s"):format(server.port, owner.POSTGRES_DB)
local services = compose_file.read(docker, { "compose.yaml" }, {
  SUBMITTER_ENDPOINT_URL = cloud.endpoint,
  SUBMITTER_QUEUE_URL = cloud.endpoint .. "/123456789012/submissions",
  SUBMITTER_DEAD_LETTER_URL = cloud.endpoint .. "/123456789012/submissions-dead",
  SUBMITTER_OWNER_URL = "postgresql://submitter" .. database,
  SUBMITTER_DATABASE_URL = "postgresql://grader" .. database,
}).services

-- ---- ours, in the engine ----

local image = worker_image.build(engine)
local function words_of(name) return compose_file.words(services[name], docker:path(), image) end

for _, name in ipairs { "setup", "migrate" } do
  for _, time in ipairs { "", ", once more" } do
    local output, message = worker_image.run(engine, words_of(name))
    check(output, name .. " ends well" .. time, message)
  end
end

local worker = worker_image.start(engine, "submitter-test-compose-" .. host.digest.md5(build):sub(1, 8),
  table.move(words_of "worker", 1, 200, 3, { "--health-interval", "1s" }))
local well, log = worker:await_health "healthy"
check(well, "the worker becomes healthy", log)

-- As `docker compose run` does it: another container of that service, with this command.
local function command_in_worker(command)
  local words = { "--volume", folder:path() .. ":/class:ro" }
  for _, list in ipairs { words_of "worker", command } do table.move(list, 1, #list, #words + 1, words) end
  return worker_image.run(engine, words)
end

-- Those that docker/README.md shows.
local shown = {}
for line in must(docker:read "README.md"):gmatch 'run %-%-rm %-%-volume "%$PWD:/class:ro" worker \\\n([^\n]+)' do
  local words = {}
  for word in line:gmatch "%S+" do words[#words + 1] = word end
  shown[#shown + 1] = words
end
check(#shown == 2 and shown[2][1] == "submit", "the README shows how cases are brought and programs handed in",
  #shown)
local output, message = command_in_worker(shown[1])
check(output, "cases are imported", message)
output, message = command_in_worker(shown[2])
check(output and output:find("all passed", 1, true), "a submission goes through", output or message)

local function results()
  return server:sql(server:url_of(owner.POSTGRES_DB),
    "SELECT attempt, verdict FROM submitter.results ORDER BY attempt"):gsub("\n", " ")
end
check(results() == "1|AC", "and is in the grade book", results())

local slow = {}
for index, word in ipairs(shown[2]) do slow[index] = word:gsub("sum%.py", "slow.py") end
slow[#slow] = slow[#slow] ~= "--wait" and slow[#slow] or nil
output, message = command_in_worker(slow)
check(output, "another is handed in", message)
support.await("it is in flight", 60000, function()
  return must(worker:exec("submitter", "status", "--format", "json")):find '"job"'
end)
local began = host.clock.monotonic_ms()
local exit_code = worker:stop(60)
local took_s = (host.clock.monotonic_ms() - began) / 1000
check(exit_code == 0 and took_s < 55, "SIGTERM ends the worker within its grace period",
  ("%d, %.1f s"):format(exit_code, took_s))
check(results() == "1|AC 2|AC", "and what was in flight is finished", results())
worker:remove()
server:close()
cloud.close()
engine:close()
support.finish()
