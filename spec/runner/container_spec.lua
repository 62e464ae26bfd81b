local container_runner = require "submitter.runner.container"
local fake = require "spec.fake.engine"
local host = require "submitter.host"
local jobs = require "submitter.jobs"
local support = require "spec.support"

local SUBID = "fc55c0190dde2bc413d8d1e79fb8cca2"
local ceilings = { memory_bytes = 1 << 30, output_bytes = 16 << 20, processes = 64, wall_ms = 60000 }
local limits = { memory_bytes = 64 << 20, output_bytes = 1 << 20, processes = 16, wall_ms = 50 }
local program = { name = "a.py", source = "pass", limits = limits }

describe("the container runner", function()
  local server, runner, folder

  local function open(settings, configuration)
    local given = { image = "submitter-python:3.9", engine = server.kind, socket = server.socket, pool = 2,
      patience_ms = 1000, seccomp = folder:path() .. "/seccomp.json", memory_reserve_bytes = 128 << 20 }
    for name, value in pairs(settings or {}) do given[name] = value end
    local configured = { policy = { limits = ceilings } }
    for name, value in pairs(configuration or {}) do configured[name] = value end
    return container_runner.open(configured, given, { http = server.http, sandbox = server.sandbox })
  end

  before_each(function()
    host.log.configure { level = "error" }
    folder = support.directory()
    assert(folder:write("seccomp.json", '{"defaultAction":"SCMP_ACT_ERRNO"}'))
    server = fake.new()
    runner = assert(open())
  end)

  after_each(function()
    server.away = false
    runner:close()
    local left = server:names()
    support.clean()
    host.log.configure { level = "info" }
    assert.are.same({}, left)
    assert.are.same({}, runner.known)
  end)

  local function warm(count)
    assert(runner:warm(count or 2))
    support.eventually("the pool", function() return server:count "^submitter%-pool%-" == runner.pool.wanted end)
  end

  local function start(about)
    return assert(runner:start(limits, about or { subid = SUBID }))
  end

  local function only()
    local _, container = next(server.containers)
    return container
  end

  it("asks nothing when it is opened", function()
    assert.are.same({}, server.calls)
    assert.are.same({ kind = "docker", language = "python", accounting = "container", image = "submitter-python:3.9" },
      runner:describe())
  end)

  it("says where it looked for its filter", function()
    local nothing, message, code = open { seccomp = "/nowhere/seccomp.json" }
    assert.are.same({ nil, "environment" }, { nothing, code })
    assert.matches("/nowhere/seccomp.json", message, 1, true)
    assert(folder:write("bad.json", "not JSON"))
    assert.matches("isn't JSON", (select(2, open { seccomp = folder:path() .. "/bad.json" })), 1, true)
  end)

  it("makes one for a submission where none is kept", function()
    local session = start()
    local container = only()
    assert.matches("^subid" .. SUBID .. "%-%x+$", container.name)
    assert.are.same({ 193 << 20, 48 }, { container.memory_bytes, container.processes })
    assert.are.equal(limits, container.box.limits)
    assert.are.same({ "version", "create", "attach", "start" }, {
      server.calls[1], table.unpack(server.calls, 3) })
    assert.are.same({
      kind = "docker", language = "python", version = "3.9.21", accounting = "container",
      image = "submitter-python:3.9", image_id = "sha256:" .. ("a"):rep(64),
    }, session:describe())
    assert(session:submit(program))
    assert.are.same({ files = { { name = "a.py", data = "pass" } }, program = "a.py", limits = limits },
      container.box.submission)
    assert.are.equal("x y", session:case { number = 1, arguments = { "x", "y" } }.stdout)
    assert.is_true(session:close())
    assert.are.equal(0, server:count())
    assert.is_true(session:close())
    assert.are.equal("3.9.21", runner:describe().version)
  end)

  it("names one that belongs to nobody", function()
    local session = start {}
    assert.matches("^submitter%-run%-%x+$", only().name)
    session:close()
    assert.has_error(function() runner:start(limits, { subid = "../x" }) end)
  end)

  it("keeps some ready, and gives one its name and limits when it is taken", function()
    warm()
    assert.are.equal(2, server:count())
    assert.are.same({ ceilings.memory_bytes + (144 << 20), 96 }, { only().memory_bytes, only().processes })
    local session = start()
    assert.are.equal(1, server:count "^subid")
    local container = server.containers[session.box.id]
    assert.are.same({ 193 << 20, 48 }, { container.memory_bytes, container.processes })
    assert(session:submit(program))
    host.clock.sleep_ms(30)
    -- None is made while something is measured.
    assert.are.equal(2, server:count())
    session:close()
    support.eventually("another", function() return server:count "^submitter%-pool" == 2 end)
    assert.are.equal(2, server:count())
  end)

  it("gives a program its share of processors, but not what starts", function()
    runner:close()
    runner = assert(open({}, { processors = 0.5 }))
    warm()
    assert.is_nil(only().nano_cpus)
    local session = start()
    assert.are.equal(500000000, server.containers[session.box.id].nano_cpus)
    session:close()
    runner:close()
    runner = assert(open({}, { processors = 0.5 }))
    session = start()
    assert.are.equal(500000000, only().nano_cpus)
    session:close()
  end)

  it("asks for no update where nothing changes", function()
    warm()
    local session = assert(runner:start(ceilings, { subid = SUBID }))
    for _, call in ipairs(server.calls) do assert.are_not.equal("update", call) end
    session:close()
  end)

  it("does the same with Podman", function()
    runner:close()
    server = fake.new "podman"
    runner = assert(open())
    warm()
    local session = start()
    local container = server.containers[session.box.id]
    assert.are.same({ 193 << 20, 48 }, { container.memory_bytes, container.processes })
    assert.matches("^subid", container.name)
    session:close()
  end)

  it("never starts more than two at once", function()
    server.slow.build = 20
    runner:close()
    runner = assert(open { pool = 6 })
    local building, most = 0, 0
    server.fail_build = function() return nil end
    local attach = server.sandbox.attach
    server.sandbox.attach = function(options)
      local box = attach(options)
      local build = box.build
      function box.build(...)
        building = building + 1
        most = math.max(most, building)
        local result = table.pack(build(...))
        building = building - 1
        return table.unpack(result, 1, result.n)
      end
      return box
    end
    warm()
    assert.are.equal(2, most)
  end)

  it("says why none can be made", function()
    server.images = {}
    local message, code = select(2, runner:warm(2))
    assert.are.equal("environment", code)
    assert.matches("^no such image: submitter%-python:3%.9 isn't there; build it", message)
    assert.are.equal("environment", (select(3, runner:start(limits, { subid = SUBID }))))
    assert.are.equal("environment", (select(3, runner:reach())))
  end)

  it("tries one where none is kept", function()
    runner:close()
    runner = assert(open { pool = 0 })
    assert.is_true(runner:warm(2))
    assert.are.equal(0, server:count())
    assert.are.equal("3.9.21", runner:describe().version)
    server.refuse.start = { 500, "no space left on device" }
    local message, code = select(2, runner:warm(2))
    assert.are.equal("unavailable", code)
    assert.matches("^out of disk: ", message)
  end)

  it("refuses an image that speaks another protocol", function()
    server.images["submitter-python:3.9"].Config.Labels["submitter.protocol"] = "2"
    local message, code = select(2, runner:warm(2))
    assert.are.equal("environment", code)
    assert.matches("^image doesn't fit: .*version 2", message)
  end)

  -- Whatever step fails, nothing is left.
  local failures = {
    create = { 500, "engine failed" }, attach = { 500, "engine failed" }, start = { 500, "engine failed" },
  }
  for step, refusal in pairs(failures) do
    it(("leaves nothing when %s fails"):format(step), function()
      server.refuse[step] = refusal
      local message, code = select(2, runner:start(limits, { subid = SUBID }))
      assert.are.equal("unavailable", code)
      assert.matches("^engine failed: ", message)
      assert.are.equal(0, server:count())
    end)
  end

  it("says which wall is missing in there", function()
    server.fail_build = function(container)
      server:die(container.id, 3)
      return { nil, "the stream ended: submitter-sandbox: mounts: no", "cut" }
    end
    assert.are.same({ nil, "in the container: the stream ended: submitter-sandbox: mounts: no", "environment" },
      { runner:start(limits, { subid = SUBID }) })
    server.fail_build = function(container)
      server:kill(container.id)
      return { nil, "the stream ended", "cut" }
    end
    local message, code = select(2, runner:start(limits, { subid = SUBID }))
    assert.are.equal("sandbox", code)
    assert.matches("^container killed from outside: ", message)
    server.fail_build = function() return { nil, "bad frame", "protocol" } end
    assert.are.same({ nil, "bad frame", "protocol" }, { runner:start(limits, { subid = SUBID }) })
  end)

  it("doesn't wait for a runner that says nothing", function()
    runner:close()
    runner = assert(open { patience_ms = 100 })
    server.slow.build = 60000
    local begun_ms = host.clock.monotonic_ms()
    local message, code = select(2, runner:start(limits, { subid = SUBID }))
    assert.are.equal("unavailable", code)
    assert.matches("^engine slow: ", message)
    assert.is_true(host.clock.monotonic_ms() - begun_ms < 5000)
    assert.are.equal(0, server:count())
  end)

  -- Who is cancelled at whatever step leaves nothing.
  for _, step in ipairs { "image", "create", "attach", "start", "build" } do
    it(("leaves nothing to who is cancelled in %s"):format(step), function()
      server.slow[step] = 30
      local starting = host.task.spawn("starting", function() return runner:start(limits, { subid = SUBID }) end)
      host.clock.sleep_ms(10)
      starting:cancel("not needed")
      assert.is_nil((starting:join()))
      support.eventually("nothing", function() return runner.under_way == 0 and server:count() == 0 end)
    end)
  end

  it("leaves nothing to who is cancelled while he takes one", function()
    warm()
    server.slow.rename = 30
    local starting = host.task.spawn("starting", function() return runner:start(limits, { subid = SUBID }) end)
    host.clock.sleep_ms(10)
    starting:cancel("not needed")
    starting:join()
    support.eventually("it", function() return runner.under_way == 0 end)
    assert.are.equal(1, server:count())
  end)

  for _, is_unnoticed in ipairs { false, true } do
    it(("replaces those of the pool that died%s"):format(is_unnoticed and " just now" or ""), function()
      warm()
      server.is_unnoticed = is_unnoticed
      server:restart()
      server.calls = {}
      local session = start()
      assert.are.equal(1, server:count())
      local was_asked = table.concat(server.calls, " "):find("rename", 1, true) ~= nil
      assert.are.equal(is_unnoticed, was_asked)
      assert(session:submit(program))
      session:close()
      support.eventually("the pool", function() return server:count() == 2 end)
    end)
  end

  it("replaces one of the pool that can't get its limits", function()
    warm()
    server.used_bytes = 512 << 20
    local session = start()
    support.eventually("the end of those", function() return server:count() == 1 end)
    assert.are.equal(193 << 20, only().memory_bytes)
    session:close()
  end)

  it("replaces one of the pool that dies before the program is handed over", function()
    warm()
    local session = start()
    server:die(session.box.id, 4)
    assert(session:submit(program))
    assert.is_truthy(session:case { number = 1, arguments = { "x" } })
    session:close()
    runner:close()
    runner = assert(open())
    session = start()
    server:die(session.box.id, 4)
    local message, code = select(2, session:submit(program))
    assert.are.equal("sandbox", code)
    assert.matches("^container died: .*exit code 4", message)
    session:close()
  end)

  it("tells a program that took all memory, and goes on in another container", function()
    local session = start()
    assert(session:submit(program))
    local first = session.box.id
    server.program = function(container, case)
      if case.number == 2 then
        host.clock.sleep_ms(5)
        return server:oom(container.id)
      end
      return { ending = "exit", exit_code = 0 }
    end
    assert.are.equal("exit", session:case { number = 1, arguments = {} }.ending)
    local result = assert(session:case { number = 2, arguments = {} })
    assert.are.equal("memory", result.ending)
    assert.are.same({ limits.memory_bytes, "", "", 0 }, {
      result.memory_bytes, result.stdout, result.stderr, result.cpu_ms })
    assert.is_true(result.wall_ms >= 4 and result.wall_us // 1000 == result.wall_ms, result.wall_us)
    assert.are.equal("exit", session:case { number = 3, arguments = {} }.ending)
    assert.are.equal("exit", session:case { number = 4, arguments = {} }.ending)
    assert.are_not.equal(first, session.box.id)
    assert.are.same({ first, first, session.box.id, session.box.id }, { server.cases[1].container,
      server.cases[2].container, server.cases[3].container, server.cases[4].container })
    assert.are.equal(program.source, only().box.submission.files[1].data)
    session:close()
  end)

  -- The kernel may take the runner alone, and the engine may tell of it after the end.
  for _, exit_code in ipairs { 137, 4 } do
    it(("waits for the word on memory, exit code %d"):format(exit_code), function()
      local session = start()
      assert(session:submit(program))
      server.program = function(container) server:oom(container.id, exit_code, 60) end
      assert.are.equal("memory", assert(session:case { number = 1, arguments = {} }).ending)
      session:close()
    end)
  end

  it("isn't misled by an earlier case's memory", function()
    local session = start()
    assert(session:submit(program))
    server.program = function(container, case)
      -- The runner went on after this one.
      if case.number == 1 then
        server.happened[#server.happened + 1] = { Type = "container", Action = "oom",
          Actor = { ID = container.id, Attributes = {} }, timeNano = host.clock.now_ms() * 1000000 }
        return { ending = "memory" }
      end
      return server:kill(container.id)
    end
    assert.are.equal("memory", session:case { number = 1, arguments = {} }.ending)
    host.clock.sleep_ms(3)
    local message, code = select(2, session:case { number = 2, arguments = {} })
    assert.are.equal("sandbox", code)
    assert.matches("^container killed from outside: subid.*exit code 137", message)
    session:close()
  end)

  it("names what ends a container", function()
    local session = start()
    assert(session:submit(program))
    server.program = function(container) server:die(container.id, 4) end
    local message, code = select(2, session:case { number = 1, arguments = {} })
    assert.are.equal("sandbox", code)
    assert.matches("^container died: .*exit code 4: the stream ended", message)
    session:close()

    session = start()
    assert(session:submit(program))
    server.program = function()
      server.away = true
      only().box.is_cut = true
    end
    message, code = select(2, session:case { number = 1, arguments = {} })
    assert.are.equal("unavailable", code)
    assert.matches("^engine away: ", message)
    server.away = false
    session:close()

    runner:close()
    runner = assert(open { patience_ms = 100 })
    session = start()
    assert(session:submit(program))
    server.program = function() only().box.is_cut = true end
    message, code = select(2, session:case { number = 1, arguments = {} })
    assert.are.equal("unavailable", code)
    assert.matches("^engine away: .*ended while it runs", message)
    session:close()
  end)

  it("asks seldom for a reason that the engine doesn't know", function()
    local session = start()
    assert(session:submit(program))
    server.program = function() only().box.is_cut = true end
    server.calls = {}
    assert.is_nil((session:case { number = 1, arguments = {} }))
    assert.is_true(#server.calls < 15, #server.calls)
    session:close()
  end)

  it("doesn't wait for an answer that never comes through a hanging engine", function()
    runner:close()
    runner = assert(open { patience_ms = 100 })
    local session = start()
    assert(session:submit(program))
    server.program = function() host.clock.sleep_ms(60000) end
    local begun_ms = host.clock.monotonic_ms()
    local message, code = select(2, session:case { number = 1, arguments = {} })
    local taken_ms = host.clock.monotonic_ms() - begun_ms
    assert.are.equal("unavailable", code)
    assert.matches("^engine slow: nothing comes from subid", message)
    -- The program has its time, and the engine its patience.
    assert.is_true(taken_ms >= 150 and taken_ms < 5000, taken_ms)
    assert.is_nil(runner:problem())
    session:close()
    -- Where it answers nobody that is known, so nobody counts it against the message.
    session = start()
    assert(session:submit(program))
    server.program = function()
      server.frozen = host.task.event()
      host.clock.sleep_ms(60000)
    end
    assert.are.equal("unavailable", (select(3, session:case { number = 1, arguments = {} })))
    assert.matches("^engine slow: ", (runner:problem()))
    server.frozen:set()
    session:close()
  end)

  it("passes on what isn't the container's end", function()
    local session = start()
    assert(session:submit(program))
    only().box.case = function() return nil, "bad frame", "protocol" end
    assert.are.same({ nil, "bad frame", "protocol" }, { session:case { number = 1, arguments = {} } })
    session:close()
  end)

  it("knows whether the engine is there", function()
    assert.is_true(runner:reach())
    assert.is_nil(runner:problem())
    server.away = true
    assert.are.equal("unavailable", (select(3, runner:reach())))
    local message, since_ms = runner:problem()
    assert.matches("^engine away: ", message)
    assert.is_true(math.abs(host.clock.now_ms() - since_ms) < 5000)
    server.away = false
    assert.is_true(runner:reach())
    assert.is_nil(runner:problem())
  end)

  it("knows that the engine has no room, until one could be made again", function()
    server.refuse.create = { 500, "mkdir /var/lib/docker/overlay2/x: no space left on device" }
    assert.are.equal("unavailable", (select(3, runner:start(limits))))
    local message, since_ms = runner:problem()
    assert.matches("^out of disk: ", message)
    assert.is_true(math.abs(host.clock.now_ms() - since_ms) < 5000)
    assert.matches("^out of disk: ", (select(2, runner:reach())))
    assert.are.equal(message, (runner:problem()))
    server.refuse.create = nil
    assert.is_true(runner:reach())
    assert.is_nil(runner:problem())
    assert.are.same({}, server:names())
  end)

  it("removes by force what doesn't end", function()
    runner:close()
    runner = assert(open { patience_ms = 100 })
    server.ignores_the_end = true
    local session = start()
    session:close()
    assert.are.equal(0, server:count())
  end)

  it("remembers what it couldn't remove, and does so when the engine answers again", function()
    server.ignores_the_end = true
    local session = start()
    server.away = true
    assert.is_true(session:close())
    assert.are.equal(1, server:count())
    server.away = false
    support.eventually("nothing", function() return server:count() == 0 end)
  end)

  it("leaves what others see to alone when it looks", function()
    warm()
    server.ignores_the_end = true
    local session, other = start(), start()
    server.away = true
    other:close()
    server.away, server.ignores_the_end = false, false
    support.eventually("one less", function() return server:count "^subid" == 1 end)
    assert.are.equal("running", server.containers[session.box.id].state)
    assert(session:submit(program))
    session:close()
  end)

  it("leaves what another runner of the same worker sees to alone", function()
    local var = support.directory()
    local registry = assert(jobs.open(assert(var:open("jobs", { create = true }))))
    local parts = { jobs = registry, directory = var, known = {}, http = server.http, sandbox = server.sandbox }
    local settings = { image = "submitter-python:3.9", socket = server.socket, pool = 1, patience_ms = 1000,
      seccomp = folder:path() .. "/seccomp.json" }
    local configuration = { policy = { limits = ceilings } }
    local one = assert(container_runner.open(configuration, settings, parts))
    local other = assert(container_runner.open(configuration, settings, parts))
    local session = assert(one:start(limits, { subid = SUBID }))
    assert(other:warm(1))
    support.eventually("the sweep", function() return other.sweeping:done() end)
    assert.are.equal("running", server.containers[session.box.id].state)
    session:close()
    one:close()
    other:close()
    registry:close()
  end)

  it("removes at its start what a dead worker left", function()
    local var = support.directory()
    local function worker()
      local registry = assert(jobs.open(assert(var:open("jobs", { create = true }))))
      local parts = { jobs = registry, directory = var, http = server.http, sandbox = server.sandbox }
      return registry, assert(container_runner.open({ policy = { limits = ceilings } }, {
        image = "submitter-python:3.9", socket = server.socket, pool = 1, patience_ms = 1000,
        seccomp = folder:path() .. "/seccomp.json",
      }, parts))
    end
    local dead_registry, dead = worker()
    assert(dead:warm(1))
    local left = server:names()
    assert.are.equal(1, #left)
    dead_registry.lock:release()
    local registry, living = worker()
    assert(living:warm(1))
    support.eventually("the sweep", function() return living.sweeping:done() end)
    assert.are.equal(0, server:count((left[1]:gsub("%-", "%%-"))))
    assert.are.equal(1, server:count())
    living:close()
    registry:close()
  end)

  it("removes at a desk's end what another one left", function()
    local desk = assert(open { pool = 0 })
    local made = server.http.request {
      method = "POST", url = "http://engine/v1.41/containers/create?name=left", unix_socket = server.socket,
      proxy = false, timeout_ms = 1000, body = host.json.encode {
        Image = "submitter-python:3.9", Labels = desk.leftovers:labels "left", HostConfig = { Memory = 1 << 30 },
      },
    }
    only().made_s = 1700000000
    assert.are.equal(201, made.status)
    runner:close()
    assert.are.equal(0, server:count())
  end)

  it("finds what was made without an answer", function()
    runner:close()
    runner = assert(open { patience_ms = 300 })
    server.deaf.create = true
    assert.are.equal("unavailable", (select(3, runner:start(limits, { subid = SUBID }))))
    support.eventually("nothing", function() return server:count() == 0 end)
    server.deaf.create = nil
  end)

  it("finds what was made by an engine that was silent for long", function()
    runner:close()
    runner = assert(open { patience_ms = 100 })
    assert(runner:reach())
    assert(runner.engine:image "submitter-python:3.9")
    local frozen = host.task.event()
    server.refuse.image = function()
      server.frozen = frozen
    end
    assert.are.equal("unavailable", (select(3, runner:start(limits, { subid = SUBID }))))
    server.refuse.image = nil
    host.clock.sleep_ms(400)
    -- It answers the look at what is there before it makes what it was asked for.
    frozen:set()
    support.eventually("one more", function() return server.made == 1 end)
    support.eventually("nothing", function() return server:count() == 0 end)
    assert.is_true(runner.sweeping:done() or runner.has_lost)
  end)

  it("leaves nothing of one whose taking throws", function()
    warm()
    server.http.request = function(options)
      if options.url:find("/rename", 1, true) then error("oh", 0) end
      return server:request(options)
    end
    assert.matches("oh", (select(2, runner:start(limits, { subid = SUBID }))), 1, true)
    support.eventually("its end", function() return server:count() == 1 end)
  end)

  it("ends what stands ready when it is closed, a few at a time", function()
    runner:close()
    runner = assert(open { pool = 6 })
    warm()
    runner:close()
    assert.are.equal(0, server:count())
    local nothing = runner.pool:take()
    assert.is_nil(nothing)
  end)

  it("doesn't wait for an engine that is away when it is closed", function()
    warm()
    local running = server.containers
    server.away = true
    local begun_ms = host.clock.monotonic_ms()
    local lines = support.logged(function() runner:close() end)
    assert.is_true(host.clock.monotonic_ms() - begun_ms < 5000)
    assert.are.equal("containers_left", lines[#lines].event)
    -- It ends them itself when it goes away: their standard inputs are closed.
    for id in pairs(running) do server:die(id, 0) end
  end)
end)
