--- What containers cost: a submission of a trivial program with ten cases, the original's way, ours with an empty pool and from
--- a full one, and within the walls alone.
---
---     build/submitter run spec/bench/containers.lua [ROUNDS]
---
--- The original's way is one `docker run --rm` a submission, with its folder mounted, and a loop in Python within the container
--- that starts the program once a case and writes the comparison (executeSubmission.py). It has no walls but the engine's, and
--- here no network either, which would cost it more. "The engine's own start" is a container of the same image that runs
--- `true`: made, started, waited for, removed, by the engine's API.
---
--- In each round everything is measured once, one after the other; the pool is filled again before anything else is measured.
--- Shown are the medians of the rounds, the quartiles, and the medians of the ratios in the same round. Two goals are looked at:
--- from a full pool at most twice what the walls alone take, and with an empty one, beside the cases, at most 1.1 × the engine's
--- own start. Where no engine can be had, a line says why.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local configuration = require "submitter.configuration"
local container_engine = require "spec.container_engine"
local containers = require "spec.integration.container_support"
local figures = require "spec.bench.figures"
local host = require "submitter.host"
local runner = require "submitter.runner"
local service = require "spec.bench.service"

local must, elapsed_ms = figures.must, figures.elapsed_ms
local rounds = tonumber(arg[1] or "10")
local WARM_GOAL, COLD_GOAL = 2, 1.1
local ORIGINAL = "submitter-bench-original"
-- A container that runs isn't ready yet: its walls are still to be built.
local SETTLE_MS, FULL_MS = 300, 60000
local series = {}

local function record(name, value)
  series[name] = series[name] or {}
  table.insert(series[name], value)
end

-- ---- the ways ----

local Bench = {}
Bench.__index = Bench

-- One request to the engine, on a kept connection as ours.
function Bench:ask(method, path, body)
  local response = must(host.http.request {
    method = method, url = "http://engine/v1.41" .. path, unix_socket = self.engine.socket,
    headers = body and { { "Content-Type", "application/json" } } or {}, body = body and host.json.encode(body),
  })
  if response.status >= 300 then error(("%s %s: %d %s"):format(method, path, response.status, response.body)) end
  return response.body ~= "" and host.json.decode(response.body) or nil
end

function Bench:engine_start()
  local made = self:ask("POST", "/containers/create", {
    Image = self.image, Entrypoint = { "/bin/true" }, HostConfig = { NetworkMode = "none" },
  })
  self:ask("POST", ("/containers/%s/start"):format(made.Id))
  local ended = self:ask("POST", ("/containers/%s/wait"):format(made.Id))
  assert(ended.StatusCode == 0, "true didn't end well")
  self:ask("DELETE", "/containers/" .. made.Id)
end

function Bench:original()
  local subid = host.digest.md5("original " .. host.digest.random(8))
  local folder = must(self.folder:open("original/" .. subid, { create = true }))
  local inputs, outputs = service.cases()
  for name, text in pairs { [subid .. ".py"] = service.program, ["test.in"] = inputs, ["test.out"] = outputs } do
    must(folder:write(name, text))
  end
  local took_ms = elapsed_ms(function()
    must(self.engine:command("run", "--rm", "--name", "subid" .. subid, "--network", "none", "--volume",
      folder:path() .. ":/usr/src/submitter", "--workdir", "/usr/src/submitter", ORIGINAL, "executeSubmission.py",
      subid))
  end)
  local _, passed = must(folder:read(subid .. ".out")):gsub(",Pass\r\n", "")
  assert(passed == service.CASES, "the original's report doesn't say that all passed")
  return took_ms
end

-- Ours by a runner: what a worker does with one, from the moment that a submission is there until nothing of it is left.
local function submission(name, one)
  local session
  local before = elapsed_ms(function()
    session = must(one:start(service.limits, { subid = host.digest.md5(name) }))
    must(session:submit { name = "sum.py", source = service.program, limits = service.limits })
  end)
  local cases = elapsed_ms(function()
    for number = 1, service.CASES do
      local result = must(session:case { number = number, arguments = { "1", "2", tostring(number) } })
      assert(result.stdout == 3 + number .. "\n", result.stderr)
    end
  end)
  local after = elapsed_ms(function() must(session:close()) end)
  record(name .. " before", before)
  record(name .. " cases", cases)
  record(name .. " after", after)
  record(name, before + cases + after)
end

-- Nothing is measured while containers are made for later.
function Bench:await_full(count)
  local until_ms = host.clock.monotonic_ms() + FULL_MS
  while #containers.running(self.engine, "submitter-pool-") < count do
    if host.clock.monotonic_ms() > until_ms then error "the pool isn't filled" end
    host.clock.sleep_ms(50)
  end
  host.clock.sleep_ms(SETTLE_MS)
end

-- ---- what is needed ----

local function open_runner(loaded, name, count)
  local one = must(runner.open(loaded, nil, name))
  must(one:warm(count))
  return one
end

function Bench:build_original()
  local folder = must(self.folder:open("image", { create = true }))
  local source = must(must(host.file.directory(root .. "/spec/bench")):read "executeSubmission.py")
  must(folder:write("executeSubmission.py", source))
  must(folder:write("Dockerfile", ("FROM %s\nCOPY executeSubmission.py /usr/local/bin/\n"
    .. "RUN chmod 755 /usr/local/bin/executeSubmission.py\nENTRYPOINT []\n"):format(self.engine:image "base")))
  must(self.engine:command("build", "--quiet", "--tag", ORIGINAL, folder:path()))
end

local function prepare(engine)
  local self = setmetatable({ engine = engine, image = engine:image "runner" }, Bench)
  self.native = service.deploy("bench-native", { slots = "1" })
  self.boxed = service.deploy("bench-containers", { slots = "1", runner = containers.runner(engine, { pool = "1" }) })
  self.folder = self.boxed.services.folder
  local text = ("return { var = %q, runners = { cold = %s, warm = %s } }\n"):format(self.folder:path() .. "/var",
    containers.runner(engine, { pool = "0" }), containers.runner(engine, { pool = "1" }))
  must(self.folder:write("bench.lua", text))
  local loaded = must(configuration.load { path = self.folder:path() .. "/bench.lua", getenv = function() end })
  self:build_original()
  self.runners = {
    walls = open_runner(loaded, "sandbox", 1), cold = open_runner(loaded, "cold", 0),
    warm = open_runner(loaded, "warm", 1),
  }
  self.native:start()
  self.boxed:start()
  self:await_full(2)
  return self
end

function Bench:round()
  record("original", self:original())
  record("engine", elapsed_ms(self.engine_start, self))
  submission("cold", self.runners.cold)
  submission("warm", self.runners.warm)
  self:await_full(2)
  submission("walls", self.runners.walls)
  host.clock.sleep_ms(SETTLE_MS) -- until the next stand
  record("service walls", self.native:submit())
  record("service warm", self.boxed:submit())
  self:await_full(2)
end

function Bench:close()
  self.native:stop()
  self.boxed:stop()
  for _, one in pairs(self.runners) do one:close() end
  must(self.engine:command("rmi", ORIGINAL))
end

-- ---- the table ----

local rows = {}

local function show(title, name, base, base_name)
  local text = ("%-62s %s"):format(title, figures.spread(series[name], "ms"))
  local row = { name = title, median_ms = figures.median(series[name]) }
  if base then
    row.ratio, row.base = figures.ratio(series[name], series[base]), base_name
    text = text .. ("   %.2f × %s"):format(row.ratio, base_name)
  end
  print(text)
  rows[#rows + 1] = row
end

local function judge(title, value, goal)
  print(("%-62s %9.2f, goal %s: %s"):format(title, value, goal, value <= goal and "holds" or "MISSED"))
  rows[#rows + 1] = { name = title, value = value, goal = goal }
end

local function show_parts(name)
  show("  until the program is handed over", name .. " before")
  show("  the cases", name .. " cases")
  show("  until nothing of it is left", name .. " after")
end

local function show_all(version)
  print(("containers: Docker %s, %d processors, %d rounds, %d cases each; medians (quartiles)"):format(version,
    host.system.processors(), rounds, service.CASES))
  show("the engine's own start: `true` made, started, removed", "engine")
  show("the original's way: one docker run, a loop within", "original", "engine", "engine's start")
  show("ours, pool empty", "cold", "original", "original")
  show_parts "cold"
  show("ours, pool full", "warm", "original", "original")
  show_parts "warm"
  show("the walls alone, ready", "walls", "original", "original")
  show_parts "walls"
  show("by the service, pool full, message received → deleted", "service warm", "service walls", "the walls alone")
  show("by the service, the walls alone", "service walls")
  judge("pool full over the walls alone", figures.ratio(series.warm, series.walls), WARM_GOAL)
  judge("the same by the service", figures.ratio(series["service warm"], series["service walls"]), WARM_GOAL)
  local beside = figures.paired(series.cold, series["cold cases"], function(all, cases) return all - cases end)
  judge("pool empty beside its cases, over the engine's own start", figures.ratio(beside, series.engine), COLD_GOAL)
end

local got, engine = pcall(container_engine.start)
if not got then
  print("containers: not measured: " .. tostring(engine))
  os.exit(0)
end
local bench = prepare(engine)
for _ = 1, rounds do bench:round() end
show_all(engine.version)
bench:close()
engine:close()
figures.keep("containers.json", { rounds = rounds, cases = service.CASES, rows = rows })
