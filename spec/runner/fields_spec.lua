local configuration = require "submitter.configuration"
local fields = require "submitter.runner.fields"
local host = require "submitter.host"
local support = require "spec.support"

describe("where programs run, as an operator says it", function()
  local root

  before_each(function() root = support.directory() end)

  after_each(support.clean)

  local function load(text, environment)
    assert(root:write("submitter.lua", "return { " .. text .. " }"))
    return configuration.load {
      path = root:path() .. "/submitter.lua", getenv = function(name) return (environment or {})[name] end,
    }
  end

  local function refused(expected, text, environment)
    local settings, message, code = load(text, environment)
    assert.is_nil(settings, text)
    assert.are.equal("environment", code)
    assert.matches(expected, message, 1, true)
  end

  it("is within the walls that are built in, unless something else is said", function()
    local settings = assert(load "")
    assert.are.same({ kind = "sandbox" }, settings.runner)
    assert.are.same({}, settings.runners)
    assert.are.same({ "default" }, settings.policy.runners)
    assert.are.same({ kind = "sandbox" }, assert(load "runner = sandbox {}").runner)
  end)

  it("may be containers, with a default for all but the image", function()
    assert.are.same({
      kind = "docker", image = "submitter-python:3.9", engine = "docker", socket = "/run/docker.sock", pool = 6,
      patience_ms = 30000, memory_reserve_bytes = 128 << 20,
    }, assert(load "slots = 4, runner = docker { image = 'submitter-python:3.9' }").runner)
    assert.are.same({
      kind = "docker", image = "a.b:5000/c/d@sha256:00", engine = "podman", socket = "/s", pool = 0,
      patience_ms = 5000, apparmor = "mine", seccomp = root:path() .. "/walls.json", runtime = "runc",
      cgroup_parent = "submitter.slice", user_namespace = "host", memory_reserve_bytes = 64 << 20,
    }, assert(load [[runner = docker { image = "a.b:5000/c/d@sha256:00", engine = "podman", socket = "/s", pool = 0,
      patience = "5s", apparmor = "mine", seccomp = "walls.json", runtime = "runc", cgroup_parent = "submitter.slice",
      user_namespace = "host", memory_reserve = "64M" }]]).runner)
  end)

  it("is chosen by the environment, which wins over the file", function()
    local variables = { SUBMITTER_RUNNER_IMAGE = "a:1", SUBMITTER_RUNNER_SOCKET = "/s" }
    local settings = assert(load("", variables))
    assert.are.same({ "docker", "a:1", "/s" },
      { settings.runner.kind, settings.runner.image, settings.runner.socket })
    settings = assert(load("runner = sandbox {}", { SUBMITTER_RUNNER_IMAGE = "a:1" }))
    assert.are.equal("docker", settings.runner.kind)
    settings = assert(load("runner = docker { image = 'b:2', pool = 1 }, runners = { x = docker { image = 'c:3' } }",
      variables))
    assert.are.same({ "a:1", 1, "/s" }, { settings.runner.image, settings.runner.pool, settings.runner.socket })
    -- There may be several of these, so the variables mean none of them.
    assert.are.same({ "c:3", "/run/docker.sock" }, { settings.runners.x.image, settings.runners.x.socket })
    -- A socket alone chooses nothing.
    assert.are.equal("sandbox", assert(load("", { SUBMITTER_RUNNER_SOCKET = "/s" })).runner.kind)
    assert.are.equal("sandbox", assert(load("", { SUBMITTER_RUNNER_IMAGE = "" })).runner.kind)
  end)

  it("finds an engine where its own tools would", function()
    local function socket(engine, environment)
      return assert(load(("runner = docker { image = 'a', engine = %q }"):format(engine), environment)).runner.socket
    end
    local both = { DOCKER_HOST = "unix:///d.sock", CONTAINER_HOST = "unix:///p.sock" }
    assert.are.equal("/d.sock", socket("docker", both))
    assert.are.equal("/p.sock", socket("podman", both))
    assert.are.equal("/run/docker.sock", socket("docker", { DOCKER_HOST = "" }))
    local user_id = 0
    finally(support.replace(host.system, { user_id = function() return user_id end }))
    assert.are.equal("/run/podman/podman.sock", socket("podman", { XDG_RUNTIME_DIR = "/run/user/5" }))
    user_id = 5
    assert.are.equal("/run/user/5/podman/podman.sock", socket("podman", { XDG_RUNTIME_DIR = "/run/user/5" }))
    assert.are.equal("/run/podman/podman.sock", socket("podman", {}))
    assert.are.equal("/run/podman/podman.sock", socket("podman", { XDG_RUNTIME_DIR = "here" }))
  end)

  it("is an engine of this machine, and no message tells how another is logged in to", function()
    local remote = { DOCKER_HOST = "ssh://user:secret@elsewhere" }
    local _, message = load("runner = docker { image = 'a' }", remote)
    assert.matches("runner: docker { … }: DOCKER_HOST names an engine by ssh://", message, 1, true)
    assert.is_nil(message:find("secret", 1, true))
    refused("runners.x: docker { … }: DOCKER_HOST", "runners = { x = docker { image = 'a' } }", remote)
    refused("something other than unix://", "runner = docker { image = 'a' }", { DOCKER_HOST = "here" })
    assert(load("runner = docker { image = 'a', socket = '/s' }", remote))
    assert(load("", remote))
  end)

  it("may be several places, which policies choose from by name", function()
    local settings = assert(load "runners = { walls = sandbox {}, heavy = docker { image = 'a', seccomp = 'p.json' } }")
    assert.are.equal("sandbox", settings.runner.kind)
    assert.are.same({ kind = "sandbox" }, settings.runners.walls)
    assert.are.same({ "a", root:path() .. "/p.json" }, { settings.runners.heavy.image, settings.runners.heavy.seccomp })
    assert.are.same({ "default", "heavy", "walls" }, settings.policy.runners)
    assert.are.same({ "default", "heavy", "walls" }, fields.names(settings))
  end)

  it("is checked", function()
    for expected, text in pairs {
      ['runner: expected docker { … } or sandbox {}, found "sandbox"'] = "runner = 'sandbox'",
      ['runner: expected docker { … } or sandbox {}, found "docker"'] = "runner = 'docker'",
      ["runner.image: is missing; expected the name of an image"] = "runner = docker {}",
      ["runner.image: expected the name of an image"] = "runner = docker { image = 'a b' }",
      ['runner.imag: unknown field; did you mean "image"?'] = "runner = docker { image = 'a', imag = 'b' }",
      ["runner.engine: expected one of"] = "runner = docker { image = 'a', engine = 'containerd' }",
      ["runner.socket: expected an absolute path"] = "runner = docker { image = 'a', socket = 'unix:///s' }",
      ["runner.socket: expected from 2 to 107 bytes"] =
        "runner = docker { image = 'a', socket = '/' .. ('x'):rep(107) }",
      ["runner.pool: expected a whole number from 0 to 1024"] = "runner = docker { image = 'a', pool = -1 }",
      ["runner.user_namespace: expected"] = "runner = docker { image = 'a', user_namespace = 'auto' }",
      ["runner.memory_reserve: expected a size"] = "runner = docker { image = 'a', memory_reserve = '1M' }",
      ["runners.Heavy: expected a word that begins with a small letter (heavy = docker { … }) as its name"] =
        "runners = { Heavy = sandbox {} }",
      ["runners.[1]: expected a word"] = "runners = { sandbox {} }",
      ["runners.x: expected docker { … } or sandbox {}"] = "runners = { x = 'sandbox' }",
      ["runners.x.image: is missing"] = "runners = { x = docker {} }",
      ["runners: expected a table of names, each with docker { … } or sandbox {}, found the number 5"] = "runners = 5",
      ["runners.default: this name means what runner says; choose another"] = "runners = { default = sandbox {} }",
      ["runners.docker: this name means docker { … }"] = "runners = { docker = sandbox {} }",
      ["runners.sandbox: this name means sandbox {}"] = "runners = { sandbox = sandbox {} }",
    } do
      refused(expected, text)
    end
  end)

  it("has one slot where the counters are those of the worker's own container", function()
    local settings = assert(load "accounting = 'container'")
    assert.are.same({ "container", 1 }, { settings.accounting, settings.slots })
    assert(load "accounting = 'container', slots = 1")
    refused("slots: 2 submissions at a time can't be told apart", "accounting = 'container', slots = 2")
    refused("slots: 2 submissions at a time can't be told apart",
      "accounting = 'container', slots = 2, runner = docker { image = 'a' }, runners = { walls = sandbox {} }")
    -- Containers of the engine's have counters each.
    assert.are.equal(2, assert(load "accounting = 'container', slots = 2, runner = docker { image = 'a' }").slots)
    assert.are.equal(host.system.processors(),
      assert(load "accounting = 'container', runner = docker { image = 'a' }").slots)
  end)

  it("shares processors out by control groups, or by the engine", function()
    for _, accounting in ipairs { "rlimit", "container" } do
      refused(("processors: a share of them takes control groups; leave out either it or accounting = %q"):format(
        accounting), ("processors = 1, accounting = %q"):format(accounting))
      assert(load(("processors = 1, accounting = %q, runner = docker { image = 'a' }"):format(accounting)))
    end
    assert(load "processors = 1")
  end)

  it("has one line about each field", function()
    for _, row in ipairs(require("submitter.schema").document { fields = fields.list }) do
      assert.is_true(#row.text > 3, row.path)
    end
  end)
end)
