local machine = require "submitter.cli.machine"

--- A machine described by the texts of its files.
local function described(files)
  return function(path) return files[path] end, function(path) return files[path] ~= nil end
end

local function with_namespaces(files)
  for name in ("user pid mnt net ipc uts cgroup"):gmatch "%a+" do files["/proc/self/ns/" .. name] = "" end
  return files
end

describe("submitter.cli.machine", function()
  describe("namespaces", function()
    it("is content when all are there", function()
      local read, exists = described(with_namespaces { ["/proc/sys/user/max_user_namespaces"] = "15000\n" })
      assert.equal("ok", machine.namespaces(read, exists, 0).state)
    end)

    it("names those that are missing", function()
      local files = with_namespaces {}
      files["/proc/self/ns/cgroup"] = nil
      local finding = machine.namespaces(described(files))
      assert.equal("fail", finding.state)
      assert.truthy(finding.text:find("cgroup", 1, true))
    end)

    it("says how to switch them on", function()
      local read, exists = described(with_namespaces { ["/proc/sys/user/max_user_namespaces"] = "0\n" })
      local finding = machine.namespaces(read, exists, 0)
      assert.equal("fail", finding.state)
      assert.truthy(finding.remedy:find("sysctl", 1, true))
    end)

    it("looks at what ordinary users may do", function()
      local files = with_namespaces { ["/proc/sys/kernel/unprivileged_userns_clone"] = "0\n" }
      local read, exists = described(files)
      assert.equal("ok", machine.namespaces(read, exists, 0).state)
      assert.equal("fail", machine.namespaces(read, exists, 1000).state)
      files["/proc/sys/kernel/unprivileged_userns_clone"] = "1\n"
      files["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = "1\n"
      assert.equal("warn", machine.namespaces(read, exists, 1000).state)
    end)
  end)

  describe("cgroup", function()
    local v1 = "cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0\n"
      .. "cgroup /sys/fs/cgroup/pids cgroup rw,nosuid,pids 0 0\n"
      .. "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0\n"

    it("reads version 1 and names what is missing", function()
      local finding = machine.cgroup(described { ["/proc/self/mounts"] = v1 })
      assert.equal("warn", finding.state)
      assert.truthy(finding.text:find("missing: freezer", 1, true))
      finding = machine.cgroup(described {
        ["/proc/self/mounts"] = v1 .. "cgroup /sys/fs/cgroup/freezer cgroup rw,freezer 0 0\n",
      })
      assert.equal("ok", finding.state)
      assert.truthy(finding.text:find("^v1"))
    end)

    it("reads version 2", function()
      local files = {
        ["/proc/self/mounts"] = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
        ["/sys/fs/cgroup/cgroup.controllers"] = "cpuset cpu io memory pids\n",
      }
      assert.equal("ok", machine.cgroup(described(files)).state)
      files["/sys/fs/cgroup/cgroup.controllers"] = "cpu pids\n"
      local finding = machine.cgroup(described(files))
      assert.equal("warn", finding.state)
      assert.truthy(finding.text:find("missing: memory", 1, true))
    end)

    it("prefers version 1 where only that has the memory controller", function()
      local finding = machine.cgroup(described {
        ["/proc/self/mounts"] = v1 .. "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
      })
      assert.truthy(finding.text:find("^v1"))
    end)

    it("warns when there is none", function()
      assert.equal("warn", machine.cgroup(described {}).state)
    end)
  end)

  it("wants seccomp", function()
    assert.equal("fail", machine.seccomp(described {}).state)
    assert.equal("ok", machine.seccomp(described { ["/proc/sys/kernel/seccomp/actions_avail"] = "kill allow\n" }).state)
  end)

  describe("user", function()
    it("asks nothing of root", function()
      local read, exists = described {}
      assert.equal("ok", machine.user(read, exists, 0).state)
    end)

    it("wants subordinate ids and the programs that map them", function()
      local files = {}
      local read, exists = described(files)
      assert.equal("fail", machine.user(read, exists, 1000, "ada").state)
      files["/etc/subuid"] = "bob:100000:65536\nada:165536:65536\n"
      files["/etc/subgid"] = "1000:165536:65536\n"
      local finding = machine.user(read, exists, 1000, "ada")
      assert.equal("fail", finding.state)
      assert.truthy(finding.text:find("newuidmap", 1, true))
      files["/usr/bin/newuidmap"], files["/usr/bin/newgidmap"] = "", ""
      assert.equal("ok", machine.user(read, exists, 1000, "ada").state)
    end)
  end)
end)
