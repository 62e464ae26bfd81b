local containers = require "submitter.cli.containers"
local host = require "submitter.host"
local probe = require "submitter.engine.probe"

local root = debug.getinfo(1, "S").source:match "^@(.*)/spec/cli/[^/]*$" or "."

describe("submitter.cli.containers", function()
  local facts, settings

  before_each(function()
    settings = { image = "submitter-python:3.9" }
    facts = {
      socket = "/run/docker.sock", engine = "docker", version = "20.10.24", api_version = "1.41", cgroup_version = "2",
      cgroup_driver = "systemd", runtime = "runc", processors = 4,
      security = { apparmor = true, seccomp = true, selinux = false, user_namespaces = false, rootless = false },
      limits = { memory = true, swap = true, processes = true, processors = true },
      image = { id = "sha256:" .. ("ab"):rep(32), protocol = 1, has_entry_point = true, has_volumes = false },
    }
  end)

  local function judged(name)
    for _, finding in ipairs(containers.judge(facts, settings)) do
      if finding.name == name then return finding end
    end
  end

  it("is content with an engine that can do all", function()
    local names = {}
    for index, finding in ipairs(containers.judge(facts, settings)) do
      assert.equal("ok", finding.state, finding.text)
      names[index] = finding.name
    end
    assert.same({ "engine", "engine limits", "engine rights", "image" }, names)
    assert.equal("Docker 20.10.24 at /run/docker.sock, API 1.41, runtime runc, control groups v2 by systemd",
      judged("engine").text)
    assert.equal("submitter-python:3.9, sha256:abababababab", judged("image").text)
  end)

  it("says why the engine can't be asked, and nothing more", function()
    local findings = containers.judge(nil, settings, "engine away: no socket")
    assert.same({ 1, "fail", "engine", "engine away: no socket" },
      { #findings, findings[1].state, findings[1].name, findings[1].text })
    assert.matches("SUBMITTER_RUNNER_SOCKET", findings[1].remedy, 1, true)
  end)

  it("says what to do about an engine that runs and can't be asked", function()
    local function remedy(problem) return containers.judge(nil, settings, problem)[1].remedy end
    assert.matches("^usermod ", remedy "engine closed to this user: /run/docker.sock: permission denied")
    assert.matches("patience in docker", remedy "engine slow: no whole answer within 30000 ms", 1, true)
    assert.matches("^start it", remedy "no colon in it")
  end)

  it("names what the engine can't bound", function()
    facts.limits = { memory = false, swap = false, processes = false, processors = false }
    assert.same({ "fail", "it can't bound: memory, processes" },
      { judged("engine limits").state, judged("engine limits").text })
    facts.limits.memory, facts.limits.processes = true, true
    assert.same({ "warn", "it can't bound swap: programs can have more memory than allowed" },
      { judged("engine limits").state, judged("engine limits").text })
    settings.processors = 0.5
    assert.equal("it can't bound: processors", judged("engine limits").text)
  end)

  it("tells what the containers' second wall is made of", function()
    assert.matches("root in a container is the machine's", judged("engine rights").text, 1, true)
    facts.security.user_namespaces = true
    assert.matches("user ids are mapped", judged("engine rights").text, 1, true)
    settings.user_namespace = "host"
    assert.matches("root in a container is the machine's", judged("engine rights").text, 1, true)
    facts.security.rootless = true
    assert.matches("the engine is an ordinary user's", judged("engine rights").text, 1, true)
    settings.apparmor, facts.security.apparmor = "mine", false
    assert.equal("warn", judged("engine rights").state)
    assert.matches("the profile mine counts for nothing", judged("engine rights").text, 1, true)
    facts.security.seccomp = false
    assert.matches("it filters no system calls", judged("engine rights").text, 1, true)
  end)

  it("wants an image that fits", function()
    for _, change in ipairs {
      { "warn", "doesn't say that it has submitter's runner in it", { protocol = false } },
      { "warn", "doesn't say that it has submitter's runner in it", { has_entry_point = false } },
      { "fail", "its runner speaks protocol 2, this program 1", { protocol = 2 } },
      { "warn", "declares volumes", { has_volumes = true } },
    } do
      local state, text, fields = table.unpack(change)
      local image = { id = "sha256:00", protocol = 1, has_entry_point = true, has_volumes = false }
      for name, value in pairs(fields) do image[name] = value end
      facts.image = image
      assert.equal(state, judged("image").state)
      assert.matches(text, judged("image").text, 1, true)
    end
    facts.image, facts.image_problem = nil, "no such image: submitter-python:3.9"
    assert.same({ "fail", "no such image: submitter-python:3.9" }, { judged("image").state, judged("image").text })
    assert.matches(": docker build -f docker/runner.Dockerfile --build-arg BASE=… -t submitter-python:3.9 .",
      judged("image").remedy, 1, true)
  end)

  it("says how an image is built by that very engine, and never over one that is something else", function()
    facts.image.protocol = nil
    assert.matches(": docker build -f docker/runner.Dockerfile --build-arg BASE=submitter-python:3.9 -t NAME .",
      judged("image").remedy, 1, true)
    facts.socket = "/d/s"
    assert.matches(": docker -H unix:///d/s build -f ", judged("image").remedy, 1, true)
    facts.engine = "podman"
    assert.matches(": podman --url unix:///d/s build -f ", judged("image").remedy, 1, true)
    facts.socket = "/run/podman/podman.sock"
    assert.matches(": podman build -f ", judged("image").remedy, 1, true)
  end)

  it("knows the protocol that the programs speak and images are marked with", function()
    local directory = assert(host.file.directory(root))
    local header = assert(directory:read "csrc/protocol/protocol.h")
    local image = assert(directory:read "docker/runner.Dockerfile")
    directory:close()
    assert.equal(tostring(probe.PROTOCOL), header:match "PROTOCOL_VERSION%s*=%s*(%d+)")
    assert.equal(tostring(probe.PROTOCOL), image:match 'submitter%.protocol="(%d+)"')
  end)
end)
