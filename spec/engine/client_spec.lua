local client = require "submitter.engine.client"
local fake = require "spec.fake.engine"
local form = require "submitter.engine.form"
local host = require "submitter.host"
local support = require "spec.support"

local limits = { memory_bytes = 64 << 20, output_bytes = 1 << 20, processes = 8 }
local settings = { image = "submitter-python:3.9", seccomp_profile = "{}", seccomp_path = "/p" }

describe("the client of an engine", function()
  local server, engine

  local function connect(kind)
    server = fake.new(kind)
    engine = client.new { socket = server.socket, patience_ms = 200, http = server.http, sandbox = server.sandbox }
  end

  before_each(function()
    host.log.configure { level = "error" }
    connect()
  end)
  after_each(function() host.log.configure { level = "info" } end)

  local function body(labels)
    assert(engine:meet())
    return form.create(settings, form.wanted(limits, 0), labels or {}, engine.kind)
  end

  local function make(name, labels)
    return assert(engine:create(name, body(labels)))
  end

  it("finds out who it is, and speaks the version that both know", function()
    assert(engine:meet())
    assert.are.same({ "docker", "/v1.41" }, { engine.kind, engine.prefix })
    assert(engine:info())
    assert(engine:meet())
    assert.are.same({ "version", "info" }, server.calls)
    connect "podman"
    assert(engine:meet())
    assert.are.equal("podman", engine.kind)
    server.api, server.least_api, server.prefix = "1.52", "1.44", "/v1.44"
    assert(engine:version())
    assert.are.equal("/v1.44", engine.prefix)
    assert(engine:info())
  end)

  it("says that an engine is too old", function()
    server.api = "1.40"
    local nothing, message, code, name = engine:info()
    assert.is_nil(nothing)
    assert.are.same({ "environment", "engine too old" }, { code, name })
    assert.matches("1.40", message, 1, true)
  end)

  for _, kind in ipairs { "docker", "podman" } do
    it(("has a container's whole life with %s"):format(kind), function()
      connect(kind)
      local since_ms = host.clock.now_ms()
      local id = make("one", { a = "b" })
      assert(engine:attach(id, limits))
      assert.is_true(engine:start(id))
      assert.is_true(engine:start(id))
      assert.is_true(engine:rename(id, "other"))
      assert.is_true(engine:update(id, form.wanted(limits, 1 << 20, 0.5)))
      assert.are.same({ 66 << 20, 40, 500000000 }, {
        server.containers[id].memory_bytes, server.containers[id].processes, server.containers[id].nano_cpus,
      })
      local listed = engine:list { a = "b" }
      assert.are.same({ 1, id, { a = "b" }, "running" }, { #listed, listed[1].id, listed[1].labels, listed[1].state })
      assert.is_true(math.abs(listed[1].made_s - host.clock.now_ms() // 1000) < 60)
      assert.are.same({}, engine:list { a = "c" })
      assert.are.same({ nil, "engine slow" }, { engine:wait_removed(id, 10), (select(4, engine:wait_removed(id, 10))) })
      server:oom(id)
      assert.is_true(engine:wait_removed(id, 10))
      assert.is_true(engine:remove(id))
      local actions = {}
      for index, event in ipairs(assert(engine:events(id, since_ms))) do actions[index] = event.action end
      assert.are.same({ "create", "start", "oom", "die", "destroy" }, actions)
      assert.are.equal(137, engine:events(id, since_ms)[4].exit_code)
      assert.are.same({}, engine:events(id, host.clock.now_ms() + 1000))
    end)
  end

  it("removes what runs, what is gone and what is being removed", function()
    local id = make "one"
    assert(engine:start(id))
    assert.is_true(engine:remove(id))
    assert.is_true(engine:remove(id))
    id = make "two"
    server.is_removing = true
    local removing = host.task.spawn("removing", function() return engine:remove(id) end)
    host.clock.sleep_ms(20)
    assert.is_false(removing:done())
    server.is_removing = false
    assert(engine:remove(id))
    assert.are.same({ true, true }, { removing:join() })
    assert.are.equal(0, server:count())
  end)

  it("names what it is refused", function()
    assert.are.equal("no such image", (select(4, engine:image "nosuch")))
    assert.matches("^no such image: nosuch isn't there; build it", (select(2, engine:image "nosuch")))
    make "one"
    assert.are.equal("name taken", (select(4, engine:create("one", body()))))
    assert.are.equal("engine refused", (select(4, engine:create("one two", body()))))
    assert.are.equal("no such container", (select(4, engine:start "nosuch")))
    assert.are.equal("no such container", (select(4, engine:attach("abc", limits))))
    server.refuse.create = { 500, "mkdir /x: no space left on device" }
    assert.are.same({ "unavailable", "out of disk" }, { select(3, engine:create("two", body())) })
  end)

  it("knows that an engine is away, and that it is back", function()
    local lines = {}
    finally(support.replace(host.log, {
      warn = function(event) lines[#lines + 1] = event end, info = function(event) lines[#lines + 1] = event end,
    }))
    assert(engine:meet())
    server.away = true
    local before_ms = host.clock.now_ms()
    for _ = 1, 2 do
      local _, message, code, name = engine:ping()
      assert.are.same({ "unavailable", "engine away" }, { code, name })
      assert.matches("^engine away: .*/run/fake%.sock.*GET /_ping", message)
    end
    assert.is_true(engine.away.since_ms >= before_ms)
    assert.matches("engine away", engine.away.message, 1, true)
    assert.are.equal("engine away", (select(4, engine:attach("abc", limits))))
    -- Another may have taken its place.
    server.kind, server.away = "podman", false
    assert(engine:info())
    assert.is_nil(engine.away)
    assert.are.equal("podman", engine.kind)
    assert.are.same({ "engine_away", "engine_back" }, lines)
  end)

  it("says so to the log, unless somebody else tells it", function()
    for _, is_quiet in ipairs { false, true } do
      engine = client.new { socket = server.socket, is_quiet = is_quiet, http = server.http }
      server.away = true
      local lines = support.logged(function() engine:ping() end)
      assert.are.equal(is_quiet and 0 or 1, #lines)
      assert.is_truthy(engine.away)
      server.away = false
      assert(engine:ping())
      assert.is_nil(engine.away)
    end
  end)

  it("knows that a container wasn't removed though the wait for it is over", function()
    local id = make "one"
    server.fail_removal = "device or resource busy"
    local nothing, message, code, name = engine:wait_removed(id, 100)
    assert.is_nil(nothing)
    assert.are.same({ "unavailable", "engine failed" }, { code, name })
    assert.matches("device or resource busy", message, 1, true)
    server.fail_removal = ""
    assert.is_true(engine:wait_removed(id, 100))
  end)

  it("waits for no answer for longer than its patience", function()
    server.slow.create = 5000
    local asked = body()
    local begun_ms = host.clock.monotonic_ms()
    local _, message, code, name = engine:create("one", asked)
    assert.are.same({ "unavailable", "engine slow" }, { code, name })
    assert.matches("POST /containers/create", message, 1, true)
    local taken_ms = host.clock.monotonic_ms() - begun_ms
    assert.is_true(taken_ms >= 190 and taken_ms < 4000, taken_ms)
  end)

  it("asks once more what a dead connection swallowed, unless it would do something twice", function()
    local cut, sent = true, 0
    local http = { request = function(options)
      sent = sent + 1
      if cut then
        cut = false
        return nil, "the connection ended", "cut"
      end
      return server:request(options)
    end }
    engine = client.new { socket = server.socket, patience_ms = 200, http = http }
    assert(engine:ping())
    assert.are.equal(2, sent)
    local asked = body()
    cut, sent = true, 0
    assert.are.equal("engine away", (select(4, engine:create("one", asked))))
    assert.are.equal(1, sent)
  end)

  it("says when this user may not use the socket", function()
    -- What the kernel would say; nothing is closed to root.
    finally(support.replace(io, { open = function() return nil, "Permission denied", 13 end }))
    engine = client.new { socket = "/run/closed", http = { request = function()
      return nil, "can't connect", "connect"
    end } }
    local _, message, code, name = engine:ping()
    assert.are.same({ "environment", "engine closed to this user" }, { code, name })
    assert.matches("^engine closed to this user: /run/closed: can't connect", message)
    assert.is_nil(engine.away)
  end)

  it("doesn't believe what isn't an answer", function()
    local http = { request = function() return { status = 200, headers = {}, body = "<html>" } end }
    engine = client.new { socket = "/s", http = http }
    assert.are.equal("engine failed", (select(4, engine:info())))
    http.request = function() return { status = 200, headers = {}, body = "[1]" } end
    assert.are.equal("engine too old", (select(4, engine:info())))
  end)

  it("is made with what it knows", function()
    assert.has_error(function() client.new { socket = "/s", host = "x" } end)
    assert.has_error(function() client.new {} end)
  end)
end)
