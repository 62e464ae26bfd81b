local fake = require "spec.fake.engine"
local host = require "submitter.host"
local probe = require "submitter.engine.probe"

describe("what an engine is", function()
  local server

  before_each(function()
    host.log.configure { level = "error" }
    server = fake.new()
  end)
  after_each(function() host.log.configure { level = "info" } end)

  local function facts(image)
    return probe.probe({ socket = server.socket, image = image, patience_ms = 500 }, { http = server.http })
  end

  it("is told with its image", function()
    assert.are.same({
      socket = server.socket, engine = "docker", version = "20.10.24", api_version = "1.41", cgroup_version = "1",
      cgroup_driver = "cgroupfs", runtime = "runc", processors = 2,
      security = { apparmor = false, seccomp = true, selinux = false, user_namespaces = false, rootless = false },
      limits = { memory = true, swap = true, processes = true, processors = true },
      image = {
        id = "sha256:" .. ("a"):rep(64), architecture = "amd64", size_bytes = 1000, has_entry_point = true,
        protocol = 1, has_volumes = false,
      },
    }, facts "submitter-python:3.9")
  end)

  it("is told with what protects it", function()
    server.information.SecurityOptions = { "name=apparmor", "name=seccomp,profile=default", "name=userns",
      "name=rootless" }
    assert.are.same({ apparmor = true, seccomp = true, selinux = false, user_namespaces = true, rootless = true },
      facts().security)
    server.information.SecurityOptions, server.information.Rootless = nil, true
    assert.is_true(facts().security.rootless)
  end)

  it("is told without an image that isn't there, or isn't ours", function()
    local told = facts "nosuch"
    assert.is_nil(told.image)
    assert.matches("^no such image: nosuch", told.image_problem)
    server.images.bare = { Id = "sha256:1", Config = { Entrypoint = { "/bin/sh" }, Volumes = { ["/data"] = {} } } }
    told = facts("bare").image
    assert.are.same({ false, nil, true }, { told.has_entry_point, told.protocol, told.has_volumes })
  end)

  it("can't be told while it is away", function()
    server.away = true
    local _, message, code, name = facts()
    assert.are.same({ "unavailable", "engine away" }, { code, name })
    assert.matches(server.socket, message, 1, true)
  end)
end)
