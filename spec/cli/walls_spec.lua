local walls = require "submitter.cli.walls"

local outside = "namespace.user user:[1]\nnamespace.pid pid:[2]\nnamespace.mnt mnt:[3]\nnamespace.net net:[4]\n"
  .. "namespace.ipc ipc:[5]\nnamespace.uts uts:[6]\nnamespace.cgroup cgroup:[7]\n"

local good = outside:gsub(":%[", ":[9") .. [[
network refused
system refused
source refused
sys absent
devices full null random urandom zero
processes 1
user 1000
CapPrm 0000000000000000
CapEff 0000000000000000
CapAmb 0000000000000000
NoNewPrivs 1
Seccomp 2
end .
]]

describe("submitter.cli.walls", function()
  it("is content when every wall holds", function()
    local names = {}
    for _, finding in ipairs(walls.judge(good, outside)) do
      assert.equal("ok", finding.state, finding.text)
      names[#names + 1] = finding.name
    end
    assert.same({ "own namespaces", "mounts", "network", "processes", "privileges", "system calls" }, names)
  end)

  it("names the wall that doesn't, and no other", function()
    for _, change in ipairs {
      { "net:%[94%]", "net:[4]", "own namespaces", "net: shared with the machine" },
      { "namespace.ipc[^\n]*\n", "", "own namespaces", "ipc: can't be told" },
      { "network refused", "network allowed", "network", "reachable" },
      { "system refused", "system allowed", "mounts", "the system can be written" },
      { "source refused", "source allowed", "mounts", "its own source" },
      { "sys absent", "sys there", "mounts", "/sys" },
      { "devices full", "devices disk full", "mounts", "disk full" },
      { "processes 1", "processes 90", "processes", "90" },
      { "user 1000", "user 0", "privileges", "root" },
      { "CapEff 0000000000000000", "CapEff 0000000000200000", "privileges", "CapEff 0000000000200000" },
      { "CapAmb[^\n]*\n", "", "privileges", "CapAmb" },
      { "NoNewPrivs 1", "NoNewPrivs 0", "privileges", "may gain" },
      { "Seccomp 2", "Seccomp 0", "system calls", "aren't filtered" },
    } do
      local said, count = good:gsub(change[1], change[2])
      assert.equal(1, count, change[1])
      for _, finding in ipairs(walls.judge(said, outside)) do
        local expected = finding.name == change[3] and "fail" or "ok"
        assert.equal(expected, finding.state, change[2] .. ": " .. finding.name)
        if expected == "fail" then
          assert.truthy(finding.text:find(change[4], 1, true), finding.text)
          assert.truthy(finding.remedy)
        end
      end
    end
  end)

  it("believes nothing of a probe that was stopped on its way", function()
    local findings = walls.judge(good:gsub("end .\n", ""), outside)
    assert.equal(1, #findings)
    assert.equal("fail", findings[1].state)
    -- Nor where it can't be told what is outside.
    assert.equal("fail", walls.judge(good, "")[1].state)
  end)

  it("sees that the namespaces are shared where there are no walls", function()
    local seen = walls.outside()
    local finding = walls.judge(seen .. good:match "network.*$", seen)[1]
    assert.equal("fail", finding.state)
    assert.equal(7, select(2, finding.text:gsub("shared with the machine", "")))
  end)
end)
