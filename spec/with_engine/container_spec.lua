--- Containers on a real engine: what one is to the kernel, how it ends, that nothing is left.
local container_engine = require "spec.container_engine"
local container_runner = require "submitter.runner.container"
local engine = require "submitter.engine"
local host = require "submitter.host"
local jobs = require "submitter.jobs"
local support = require "spec.support"

local SUBID = "fc55c0190dde2bc413d8d1e79fb8cca2"
local ceilings = { memory_bytes = 512 << 20, cpu_ms = 20000, wall_ms = 60000, output_bytes = 16 << 20, processes = 64,
  file_bytes = 64 << 20 }
local limits = { memory_bytes = 96 << 20, cpu_ms = 5000, wall_ms = 20000, output_bytes = 1 << 20, processes = 16,
  file_bytes = 16 << 20 }
local SOURCE = [[
import os, sys, time
word = sys.argv[1]
if word == "sleep": time.sleep(15)
if word == "memory": list(bytearray(1 << 20) for _ in range(4096))
print(word, os.getuid(), os.getpid() < 100)
]]

for _, kind in ipairs { "docker", "podman" } do
  describe(("a container on a real engine (%s)"):format(kind), function()
    local server, image, client, runners

    setup(function()
      server = container_engine.start { kind = kind }
      image = server:image "runner"
      client = engine.open { socket = server.socket }
    end)
    teardown(function() server:close() end)

    before_each(function()
      host.log.configure { level = "error" }
      runners = {}
    end)

    after_each(function()
      local labels = {}
      for index, runner in ipairs(runners) do
        runner:close()
        labels[index] = runner.leftovers:labels()
      end
      host.log.configure { level = "info" }
      support.clean()
      for _, label in ipairs(labels) do assert.are.same({}, client:list(label)) end
    end)

    local function open(settings, parts, processors)
      local given = { image = image, engine = kind, socket = server.socket, pool = 1, patience_ms = 60000,
        cgroup_parent = server.cgroup_parent }
      for name, value in pairs(settings or {}) do given[name] = value end
      local configuration = { policy = { limits = ceilings }, processors = processors }
      local runner = assert(container_runner.open(configuration, given, parts))
      runners[#runners + 1] = runner
      return runner
    end

    local function start(runner)
      local session = assert(runner:start(limits, { subid = SUBID }))
      assert(session:submit { name = "a.py", source = SOURCE, limits = limits })
      return session
    end

    local function ask(method, path)
      return assert(host.http.request {
        method = method, url = "http://engine/v1.41" .. path, unix_socket = server.socket, proxy = false,
      })
    end

    local function inspect(session)
      return assert(host.json.decode(ask("GET", ("/containers/%s/json"):format(session.box.id)).body))
    end

    local function word(session, number, argument)
      return session:case { number = number, arguments = { argument } }
    end

    it("runs cases, from the pool and anew", function()
      local runner = open({}, nil, 0.9)
      assert(runner:warm(1))
      for round = 1, 2 do
        if round == 2 then runner.pool:want(0) end
        local session = start(runner)
        assert.are.equal("one 1000 True\n", word(session, 1, "one").stdout)
        assert.are.equal("memory", word(session, 2, "memory").ending)
        assert.are.equal("three 1000 True\n", word(session, 3, "three").stdout)
        local described = session:describe()
        assert.are.same({ "docker", "container", image }, { described.kind, described.accounting, described.image })
        assert.matches("^3%.", described.version)
        assert.matches("^sha256:%x+$", described.image_id)
        -- Podman's inspection tells what was asked at first.
        local found = kind == "docker" and inspect(session)
        if found then
          assert.matches("^/subid" .. SUBID .. "%-%x+$", found.Name)
          local has = found.HostConfig
          assert.are.same({ (96 + 1 + 128) << 20, (96 + 1 + 128) << 20, 48, 900000000 },
            { has.Memory, has.MemorySwap, has.PidsLimit, has.NanoCpus })
        end
        assert(session:close())
      end
    end)

    it("says what the engine refuses", function()
      local message, code = select(2, open({ image = "submitter-nosuch:1" }):warm(1))
      assert.are.equal("environment", code)
      assert.matches("^no such image: submitter%-nosuch:1 isn't there", message)
      message, code = select(2, open({ image = server:image "base" }):warm(1))
      assert.are.equal("environment", code)
      assert.matches("^image doesn't fit: ", message)
    end)

    it("tells that one was killed from outside, and goes on with the next", function()
      local runner = open { pool = 0 }
      local session = start(runner)
      local id = session.box.id
      host.task.spawn("killer", function()
        host.clock.sleep_ms(300)
        ask("POST", ("/containers/%s/kill?signal=KILL"):format(id))
      end)
      local message, code = select(2, word(session, 1, "sleep"))
      assert.are.equal("sandbox", code)
      assert.matches("^container killed from outside: subid.*exit code 137", message)
      assert(session:close())
    end)

    it("leaves nothing to who is cancelled at whatever moment", function()
      local runner = open { pool = 0 }
      for _, after_ms in ipairs { 1, 15, 60, 150, 300 } do
        local starting = host.task.spawn("starting", function() return runner:start(limits, { subid = SUBID }) end)
        host.clock.sleep_ms(after_ms)
        starting:cancel "not needed"
        starting:join()
      end
      support.eventually("the end of all", function() return runner.under_way == 0 end, 60000)
      assert.are.same({}, client:list(runner.leftovers:labels()))
    end)

    it("removes what a dead worker left", function()
      local var = support.directory()
      local function worker()
        local registry = assert(jobs.open(assert(var:open("jobs", { create = true }))))
        return registry, open({}, { jobs = registry, directory = var, known = {} })
      end
      local dead_registry, dead = worker()
      assert(dead:warm(1))
      local left = assert(client:list(dead.leftovers:labels()))
      assert.are.equal(1, #left)
      dead_registry.lock:release()
      local registry, living = worker()
      assert(living:warm(1))
      support.eventually("the sweep", function() return living.sweeping:done() end, 60000)
      assert.are.same({}, client:list(dead.leftovers:labels()))
      assert.are.equal(1, #assert(client:list(living.leftovers:labels())))
      living:close()
      registry:close()
    end)
  end)
end
