local control_group = require "submitter.runner.control_group"
local host = require "submitter.host"
local support = require "spec.support"

describe("the worker's control group", function()
  local root, files

  -- A machine whose hierarchy of version 2 is mounted at a plain folder, and whose group of this process is /service.
  before_each(function()
    root = support.directory()
    assert(root:make "service")
    files = {
      ["/proc/self/mounts"] = ("proc /proc proc rw 0 0\ncgroup2 %s cgroup2 rw,nsdelegate 0 0\n"):format(root:path()),
      ["/proc/self/cgroup"] = "0::/service\n",
      [root:path() .. "/service/cgroup.type"] = "domain\n",
      [root:path() .. "/service/cgroup.controllers"] = "cpu memory pids\n",
      [root:path() .. "/service/cgroup.procs"] = ("%d\n"):format(host.system.pid()),
    }
  end)

  after_each(support.clean)

  local function step_aside()
    return control_group.step_aside(function(path) return files[path] end)
  end

  local function untouched()
    local leaf, message = step_aside()
    assert.is_nil(leaf)
    assert.is_nil(message)
    assert.are.same({}, root:list "service")
  end

  it("is left for a leaf of it", function()
    assert.are.equal(root:path() .. "/service/worker", step_aside())
    assert.are.equal(("%d\n"):format(host.system.pid()), root:read "service/worker/cgroup.procs")
  end)

  it("is left inside a container's own hierarchy as well", function()
    files["/proc/self/cgroup"] = "0::/\n"
    for _, name in ipairs { "type", "controllers", "procs" } do
      files[root:path() .. "/cgroup." .. name] = files[root:path() .. "/service/cgroup." .. name]
    end
    assert.are.equal(root:path() .. "/worker", step_aside())
  end)

  it("stays when it is the hierarchy's root", function()
    files["/proc/self/cgroup"] = "0::/\n"
    files[root:path() .. "/cgroup.procs"] = ("%d\n"):format(host.system.pid())
    untouched()
  end)

  it("stays when others live in it", function()
    files[root:path() .. "/service/cgroup.procs"] = ("1\n%d\n"):format(host.system.pid())
    untouched()
  end)

  it("stays when it lacks a controller that sandboxes need", function()
    files[root:path() .. "/service/cgroup.controllers"] = "cpu io pids\n"
    untouched()
  end)

  it("stays where sandboxes use version 1", function()
    files["/proc/self/mounts"] = files["/proc/self/mounts"] .. "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
    files["/proc/self/cgroup"] = "4:memory:/\n0::/service\n"
    untouched()
  end)

  it("stays where its place can't be seen", function()
    files["/proc/self/cgroup"] = "0::/../..\n"
    untouched()
    files["/proc/self/cgroup"] = nil
    untouched()
  end)

  it("is left once, before the first sandbox whose group is this program's to choose", function()
    package.loaded["submitter.runner.control_group"] = nil
    local fresh = require "submitter.runner.control_group"
    package.loaded["submitter.runner.control_group"] = control_group
    local function read(path) return files[path] end
    fresh.enter({ accounting = "rlimit" }, read)
    fresh.enter({ accounting = "cgroup", cgroup_parent = "/elsewhere" }, read)
    assert.are.same({}, root:list "service")
    fresh.enter({ accounting = "cgroup" }, read)
    assert.are.equal(1, #root:list "service")
    -- With a sandbox beside it the leaf is a group like that which was left.
    files["/proc/self/cgroup"] = "0::/service/worker\n"
    for _, name in ipairs { "type", "controllers", "procs" } do
      files[root:path() .. "/service/worker/cgroup." .. name] = files[root:path() .. "/service/cgroup." .. name]
    end
    fresh.enter({ accounting = "cgroup" }, read)
    for _, entry in ipairs(root:list "service/worker") do assert.are.equal("file", entry.type) end
  end)

  it("says why it couldn't be left", function()
    assert(root:remove_tree "service")
    assert(root:write("service", "in the way"))
    local leaf, message = step_aside()
    assert.is_nil(leaf)
    assert.matches("service", message, 1, true)
  end)
end)
