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
      assert.equal("ok", machine.namespaces(read, exists, 1000).state)
    end)
  end)

  it("wants a kernel that has what the walls are built with", function()
    local function state(release)
      return machine.kernel(described { ["/proc/sys/kernel/osrelease"] = release }).state
    end
    assert.equal("ok", state "5.12.0\n")
    assert.equal("ok", state "6.1.0-28-amd64\n")
    assert.equal("fail", state "5.11.22-generic\n")
    assert.equal("fail", state "4.19.0\n")
    assert.equal("fail", machine.kernel(described {}).state)
  end)

  describe("apparmor", function()
    local restricted = { ["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = "1\n" }

    it("is content where nothing is restricted, or root isn't concerned", function()
      assert.equal("ok", machine.apparmor(described {}, nil, nil).state)
      assert.equal("ok", machine.apparmor(described {
        ["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = "0\n",
      }, nil, nil).state)
      local read = described(restricted)
      assert.equal("ok", machine.apparmor(read, 0, "load it").state)
    end)

    it("names the profile and how to load it", function()
      local read = described(restricted)
      local finding = machine.apparmor(read, 1000, "apparmor_parser -r /there")
      assert.equal("warn", finding.state)
      assert.truthy(finding.text:find("apparmor_restrict_unprivileged_userns", 1, true))
      assert.truthy(finding.remedy:find("profile submitter-sandbox, as root: apparmor_parser -r /there", 1, true))
    end)
  end)

  describe("container", function()
    local most = 1 << 30

    local function v2(group, limit)
      return { ["/proc/self/mounts"] = "cgroup2 /sys/fs/cgroup cgroup2 ro 0 0\n", ["/proc/self/cgroup"] = "0::/\n",
        ["/sys/fs/cgroup" .. group .. "/memory.max"] = limit }
    end

    it("reads the counters of both versions, wherever the group stands", function()
      local finding = machine.container(described(v2("", "2147483648\n")), most)
      assert.equal("ok", finding.state)
      assert.equal("v2, those of the container; one submission at a time; 2G memory", finding.text)
      local files = v2("/a/b", "2147483648\n")
      files["/proc/self/cgroup"] = "0::/a/b\n"
      assert.equal("ok", machine.container(described(files), most).state)
      files = { ["/proc/self/mounts"] = "cgroup /sys/fs/cgroup/memory cgroup ro,memory 0 0\n",
        ["/proc/self/cgroup"] = "12:pids:/x\n11:memory:/docker/ab\n",
        -- Where control groups have no namespace of their own, the container's stands at the mount all the same.
        ["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "2147483648\n" }
      assert.matches("^v1, .* 2G memory$", machine.container(described(files), most).text)
      files["/sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes"] = "3221225472\n"
      assert.matches("^v1, .* 3G memory$", machine.container(described(files), most).text)
    end)

    it("wants room for the largest program, and what supervises it", function()
      for _, limit in ipairs { "max\n", "9223372036854771712\n" } do
        local finding = machine.container(described(v2("", limit)), most)
        assert.equal("warn", finding.state)
        assert.matches("no memory limit of its own", finding.text, 1, true)
      end
      local finding = machine.container(described(v2("", "1073741824\n")), most)
      assert.equal("warn", finding.state)
      assert.matches("its memory limit of 1G may end the worker", finding.text, 1, true)
      assert.matches("give it 1152M, or lower policy.limits.memory", finding.remedy, 1, true)
      assert.equal("ok", machine.container(described(v2("", tostring(1152 << 20))), most).state)
    end)

    it("says when there is none", function()
      for _, files in ipairs { {}, v2("/elsewhere", "max\n") } do
        local finding = machine.container(described(files), most)
        assert.equal("fail", finding.state)
        assert.matches("/sys/fs/cgroup", finding.remedy, 1, true)
      end
    end)
  end)

  describe("cgroup", function()
    local v1 = "cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0\n"
      .. "cgroup /sys/fs/cgroup/pids cgroup rw,nosuid,pids 0 0\n"
      .. "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0\n"

    it("reads version 1 and names what is missing", function()
      local finding = machine.cgroup(described { ["/proc/self/mounts"] = (v1:gsub("[^\n]*pids[^\n]*\n", "")) })
      assert.equal("warn", finding.state)
      assert.truthy(finding.text:find("missing: pids", 1, true))
      assert.is_nil(finding.text:find("processes", 1, true))
      finding = machine.cgroup(described { ["/proc/self/mounts"] = v1 })
      assert.equal("ok", finding.state)
      assert.equal("v1 bounds memory, processes, CPU time; kills by user id", finding.text)
    end)

    it("wants swap bounded where there is any", function()
      local files = { ["/proc/self/mounts"] = v1, ["/proc/swaps"] = "Filename Type Size\n/dev/sda2 partition 100\n" }
      local finding = machine.cgroup(described(files))
      assert.equal("warn", finding.state)
      assert.truthy(finding.remedy:find("swapoff", 1, true))
      files["/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"] = "1\n"
      finding = machine.cgroup(described(files))
      assert.equal("ok", finding.state)
      assert.truthy(finding.text:find("memory, swap, processes", 1, true))
    end)

    describe("of version 2", function()
      local files

      before_each(function()
        files = {
          ["/proc/self/mounts"] = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
          ["/proc/self/cgroup"] = "0::/user.slice/some.scope/host\n",
          ["/sys/fs/cgroup/cgroup.controllers"] = "cpuset cpu io memory pids\n",
          ["/proc/sys/kernel/osrelease"] = "6.1.0\n",
        }
      end)

      it("is enough with memory and pids", function()
        local finding = machine.cgroup(described(files))
        assert.equal("ok", finding.state)
        assert.equal("v2 bounds memory, swap, processes, CPU time; kills a group at once", finding.text)
        files["/proc/sys/kernel/osrelease"] = "5.13.0\n"
        assert.truthy(machine.cgroup(described(files)).text:find("kills by user id", 1, true))
        files["/sys/fs/cgroup/cgroup.controllers"] = "cpu pids\n"
        finding = machine.cgroup(described(files))
        assert.equal("warn", finding.state)
        assert.truthy(finding.text:find("missing: memory", 1, true))
      end)

      it("looks at the nearest group that has both", function()
        files["/sys/fs/cgroup/user.slice/some.scope/cgroup.controllers"] = "memory pids\n"
        files["/sys/fs/cgroup/user.slice/some.scope/host/cgroup.controllers"] = "\n"
        files["/proc/swaps"] = "Filename Type Size\n/dev/sda2 partition 100\n"
        assert.equal("warn", machine.cgroup(described(files)).state)
        files["/sys/fs/cgroup/user.slice/some.scope/memory.swap.max"] = "max\n"
        assert.equal("ok", machine.cgroup(described(files)).state)
      end)
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
    it("tells root of all users from that of a namespace with few", function()
      local files = { ["/proc/self/uid_map"] = "         0          0 4294967295\n" }
      files["/proc/self/gid_map"] = files["/proc/self/uid_map"]
      local read, exists = described(files)
      local function found()
        local finding = machine.user(read, exists, 0)
        return { finding.state, finding.text:match "%d+", finding.remedy ~= nil }
      end
      assert.same({ "ok", nil, false }, found())
      assert.equal("started by root: any are there", machine.user(read, exists, 0).text)
      -- hostUsers: false; a rootless engine's root and those of /etc/subuid.
      files["/proc/self/gid_map"] = "0 1000 1\n1 100000 65536\n"
      assert.same({ "ok", "65536", false }, found())
      files["/proc/self/uid_map"] = "0 1441792 65535\n"
      assert.same({ "ok", "65535", false }, found())
      files["/proc/self/gid_map"] = "0 1000 1\n"
      assert.same({ "fail", "1", true }, found())
    end)

    it("wants subordinate ids and the programs that map them", function()
      local files = {}
      local read, exists = described(files)
      local lacking = machine.user(read, exists, 1000, "ada")
      assert.equal("fail", lacking.state)
      assert.truthy(lacking.remedy:find("--add-subuids 100000-165535 --add-subgids 100000-165535 ada", 1, true))
      files["/etc/subuid"], files["/etc/subgid"] = "bob:100000:65536\n", "bob:165536:65536\n"
      assert.truthy(machine.user(read, exists, 1000, "ada").remedy:find("--add-subuids 231072-296607 ", 1, true))
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
