local form = require "submitter.engine.form"
local host = require "submitter.host"

local limits = { memory_bytes = 256 << 20, output_bytes = 1 << 20, processes = 16 }
local settings = { image = "submitter-python:3.9", seccomp_path = "/usr/share/submitter/seccomp.json",
  seccomp_profile = '{"defaultAction":"SCMP_ACT_ERRNO"}' }
local labels = { ["submitter.worker"] = "w" }

-- Word by word: whoever changes a right of these containers changes it here as well, and says why.
local DOCKER = [[
{
  "AttachStderr": true,
  "AttachStdin": true,
  "AttachStdout": true,
  "Entrypoint": [
    "/usr/lib/submitter/submitter-sandbox",
    "--spec",
    "/usr/lib/submitter/container.spec"
  ],
  "Healthcheck": {
    "Test": [
      "NONE"
    ]
  },
  "HostConfig": {
    "AutoRemove": true,
    "CapAdd": [
      "SETUID",
      "SETGID"
    ],
    "CapDrop": [
      "ALL"
    ],
    "Init": false,
    "IpcMode": "private",
    "LogConfig": {
      "Type": "none"
    },
    "MaskedPaths": [],
    "Memory": 403701760,
    "MemorySwap": 403701760,
    "NanoCpus": 500000000,
    "NetworkMode": "none",
    "PidsLimit": 48,
    "Privileged": false,
    "ReadonlyPaths": [],
    "ReadonlyRootfs": true,
    "SecurityOpt": [
      "no-new-privileges",
      "apparmor=unconfined",
      "seccomp={\"defaultAction\":\"SCMP_ACT_ERRNO\"}"
    ],
    "ShmSize": 1048576,
    "Ulimits": [
      {
        "Hard": 0,
        "Name": "core",
        "Soft": 0
      },
      {
        "Hard": 1024,
        "Name": "nofile",
        "Soft": 1024
      },
      {
        "Hard": 4096,
        "Name": "nproc",
        "Soft": 4096
      }
    ]
  },
  "Image": "submitter-python:3.9",
  "Labels": {
    "submitter.worker": "w"
  },
  "OpenStdin": true,
  "StdinOnce": true,
  "Tty": false,
  "User": "0:0",
  "WorkingDir": "/"
}]]

describe("what an engine is asked for", function()
  local wanted = form.wanted(limits, 128 << 20, 0.5)

  it("is this container, word by word", function()
    assert.are.equal(DOCKER, host.json.encode(form.create(settings, wanted, labels, "docker"), { indent = 2 }))
  end)

  it("is the same of Podman, but for the profile's path and the unmasking", function()
    local asked = DOCKER:gsub('"seccomp={[^\n]*', [["seccomp=/usr/share/submitter/seccomp.json",
      "unmask=ALL"]])
    assert.are.equal(asked, host.json.encode(form.create(settings, wanted, labels, "podman"), { indent = 2 }))
  end)

  it("has what the operator chose", function()
    local chosen = { image = "i", seccomp_profile = "{}", seccomp_path = "/p", apparmor = "submitter", runtime = "crun",
      cgroup_parent = "/exam", user_namespace = "host" }
    local asked = form.create(chosen, form.wanted(limits, 0), {}, "docker").HostConfig
    assert.are.equal("apparmor=submitter", asked.SecurityOpt[2])
    assert.are.same({ "crun", "/exam", "host" }, { asked.Runtime, asked.CgroupParent, asked.UsernsMode })
    assert.is_nil(asked.NanoCpus)
    -- Podman's service has one runtime and takes no other.
    assert.is_nil(form.create(chosen, form.wanted(limits, 0), {}, "podman").HostConfig.Runtime)
  end)

  it("tells what happened up to now", function()
    local filters = { "filters", '{"container":["abc"],"type":["container"]}' }
    assert.are.same({ { "since", "1795550371.005000000" }, { "until", "1795550372.000000000" }, filters },
      form.events("abc", 1795550371005, 1795550372000, "docker"))
    assert.are.same({ { "since", "1795550371.005000000" }, { "stream", "false" }, filters },
      form.events("abc", 1795550371005, 1795550372000, "podman"))
  end)

  it("changes for a submission", function()
    local path, body, is_own = form.update("abc", wanted, "docker")
    assert.are.same({ "/containers/abc/update", nil }, { path, is_own })
    assert.are.same({ Memory = 385 << 20, MemorySwap = 385 << 20, PidsLimit = 48, NanoCpus = 500000000 }, body)
    path, body, is_own = form.update("abc", wanted, "podman")
    assert.are.same({ "/containers/abc/update", true }, { path, is_own })
    assert.are.same({
      memory = { limit = 385 << 20, swap = 385 << 20 }, pids = { limit = 48 }, cpu = { quota = 50000, period = 100000 },
    }, body)
    assert.is_nil(select(2, form.update("abc", form.wanted(limits, 0), "podman")).cpu)
  end)
end)
