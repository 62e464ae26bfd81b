local client = require "submitter.engine.client"
local fake = require "spec.fake.engine"
local form = require "submitter.engine.form"
local host = require "submitter.host"
local jobs = require "submitter.jobs"
local leftovers = require "submitter.runner.leftovers"
local support = require "spec.support"

describe("what workers leave", function()
  local server, engine, var, registries

  before_each(function()
    host.log.configure { level = "error" }
    server, var, registries = fake.new(), support.directory(), {}
    engine = client.new { socket = server.socket, http = server.http }
    assert(engine:meet())
  end)

  after_each(function()
    for _, registry in ipairs(registries) do registry:close() end
    host.log.configure { level = "info" }
    support.clean()
  end)

  -- A worker of a var folder.
  local function worker(directory)
    directory = directory or var
    local registry = assert(jobs.open(assert(directory:open("jobs", { create = true }))))
    registries[#registries + 1] = registry
    return assert(leftovers.new { jobs = registry, directory = directory }), registry
  end

  local function make(owner, tag)
    local settings = { image = "submitter-python:3.9", seccomp_profile = "{}", seccomp_path = "/p" }
    local wanted = form.wanted({ memory_bytes = 64 << 20, output_bytes = 1 << 20, processes = 4 }, 0)
    return assert(engine:create("c-" .. tag, form.create(settings, wanted, owner:labels(tag), engine.kind)))
  end

  it("bears labels", function()
    local owner, registry = worker()
    assert.matches("^%x+$", owner.var)
    assert.are.same({
      ["submitter.worker"] = registry.name, ["submitter.var"] = owner.var, ["submitter.container"] = "t",
    }, owner:labels "t")
    assert.is_nil(owner:labels()["submitter.container"])
    make(owner, "t")
    assert.are.equal("t", leftovers.tag(engine:list(owner:labels())[1]))
  end)

  it("is removed by the next one of the same folder, once its worker is dead", function()
    local dead, registry = worker()
    make(dead, "dead")
    assert(engine:start(make(dead, "dead-and-running")))
    local living = worker()
    make(living, "living")
    local own = worker()
    assert.are.equal(living.var, own.var)
    make(own, "own")
    assert.are.equal(0, own:sweep(engine))
    -- Its lock goes with its process, and its folder with the next worker's start or its own end.
    registry.lock:release()
    assert.are.equal(2, own:sweep(engine))
    assert.are.same({ "c-living", "c-own" }, server:names())
    registries[2]:close()
    assert.are.equal(1, own:sweep(engine))
    assert.are.same({ "c-own" }, server:names())
  end)

  it("is nobody's business who has another folder, be it of the same path", function()
    local other, registry = worker(support.directory())
    make(other, "other")
    registry:close()
    local own = worker()
    assert.are_not.equal(other.var, own.var)
    assert.are.equal(0, own:sweep(engine))
    assert.are.equal(1, server:count())
  end)

  it("is told by its age where a command left it, which holds no lock, and only before it ran", function()
    local desk, other, own = assert(leftovers.new(nil)), assert(leftovers.new(nil)), worker()
    assert.matches("^desk%-%d+%-%x+$", desk.worker)
    assert.are.equal("desk", desk:labels("t")["submitter.var"])
    local hours_ago_s = host.clock.now_ms() // 1000 - 2 * 3600
    local function left(owner, tag)
      local id = make(owner, tag)
      server.containers[id].made_s = hours_ago_s
      return id
    end
    make(desk, "new")
    left(own, "workers")
    assert(engine:start(left(desk, "runs")))
    assert.are.equal(0, other:sweep(engine))
    for _, sweeper in ipairs { other, own } do
      left(desk, "forgotten")
      assert.are.equal(1, sweeper:sweep(engine))
      assert.are.same({ "c-new", "c-runs", "c-workers" }, server:names())
    end
  end)

  it("says what is wrong with the folder's identity", function()
    assert(var:write("identity", "not a word"))
    local nothing, message, code = leftovers.new { jobs = {}, directory = var }
    assert.are.same({ nil, "environment" }, { nothing, code })
    assert.matches(var:path() .. "/identity", message, 1, true)
  end)

  it("stays while the engine is away", function()
    local own = worker()
    server.away = true
    assert.are.equal("unavailable", (select(3, own:sweep(engine))))
  end)
end)
