local host = require "submitter.host"
local jobs = require "submitter.jobs"
local support = require "spec.support"

local subid = "fc55c0190dde2bc413d8d1e79fb8cca2"

describe("jobs", function()
  local root

  before_each(function()
    root = support.directory()
    host.log.configure { level = "warn" }
  end)

  after_each(function()
    host.log.configure { level = "info" }
    support.clean()
  end)

  local function open()
    -- Descriptors of its own, as another worker would have.
    return assert(jobs.open(assert(root:open("."))))
  end

  local function names(path)
    local found = {}
    for index, entry in ipairs(root:list(path or ".")) do
      found[index] = entry.name
    end
    return found
  end

  it("makes a private folder for each grading", function()
    local registry = open()
    local one, two = assert(registry:make(subid)), assert(registry:make(subid))
    assert.are_not.equal(one.name, two.name)
    assert.matches("^" .. subid .. "%.%d+$", one.name)
    assert.are.equal(root:path() .. "/" .. registry.name .. "/" .. one.name, one.path)
    assert(one.directory:write("test.in", "1"))
    assert.are.equal(tonumber("700", 8), root:stat(registry.name .. "/" .. one.name).mode)
    assert.are.equal(tonumber("700", 8), root:stat(registry.name).mode)
    assert.is_true(one.remove())
    assert.is_true(one:remove())
    assert.are.same({ two.name }, names(registry.name))
    registry:close()
  end)

  it("names a worker's folder by machine and process", function()
    local registry = open()
    assert.matches("^[%w%._]+%-" .. host.system.pid() .. "%-%x+$", registry.name)
    assert.are.same({ registry.name }, names())
    registry:close()
  end)

  it("removes its own folder with all in it at the end", function()
    local registry = open()
    local folder = assert(registry:make(subid))
    assert(folder.directory:make("deep/er", { parents = true }))
    assert.is_true(registry:close())
    assert.is_true(registry:close())
    assert.are.same({}, names())
    assert.has_error(function() registry:make(subid) end)
  end)

  it("leaves word of how the worker gets on", function()
    local registry = open()
    assert(registry:tell { last_poll_ms = 5 })
    assert(registry:tell { last_poll_ms = 7, problem = "no route" })
    assert.are.same({ last_poll_ms = 7, problem = "no route" },
      host.json.decode((root:read(registry.name .. "/" .. jobs.state_file))))
    assert(registry:close())
    assert.is_true(registry:tell {})
    assert.is_nil(root:stat(registry.name))
  end)

  it("leaves signs of life", function()
    local registry = open()
    assert(registry:beat { alive_ms = 5, due_ms = 4 })
    assert.are.same({ alive_ms = 5, due_ms = 4 },
      host.json.decode((root:read(registry.name .. "/" .. jobs.life_file))))
    assert(registry:close())
    assert.is_true(registry:beat { alive_ms = 6, due_ms = 5 })
    assert.is_nil(root:stat(registry.name))
  end)

  it("leaves each word in one step, for those who read meanwhile", function()
    local registry = open()
    for file, leave in pairs {
      [jobs.state_file] = function() assert(registry:tell { last_poll_ms = 5 }) end,
      [jobs.life_file] = function() assert(registry:beat { alive_ms = 5, due_ms = 4 }) end,
    } do
      local path = registry.name .. "/" .. file
      leave()
      local before = assert(root:stat(path)).inode
      leave()
      assert.are_not.equal(before, assert(root:stat(path)).inode)
    end
    assert(registry:close())
  end)

  it("leaves living workers alone", function()
    local first = open()
    local folder = assert(first:make(subid))
    local second = open()
    assert(folder.directory:write("x", "1"))
    second:close()
    assert.are.same({ first.name }, names())
    first:close()
  end)

  it("sweeps what dead workers left", function()
    local script = [[
      local host = require "submitter.host"
      local registry = assert(require("submitter.jobs").open(assert(host.file.directory(arg[1]))))
      local folder = assert(registry:make("fc55c0190dde2bc413d8d1e79fb8cca2"))
      assert(folder.directory:write("x.py", "print(1)"))
      io.stdout:write("ready\n")
      io.stdout:flush()
      host.clock.sleep_ms(60000)
    ]]
    local child = assert(host.child.start { program = host.system.executable(),
      arguments = { "run", "-", root:path() }, stdin = "pipe", stdout = "pipe", stderr = "inherit" })
    assert(child:write(script))
    child:close_input()
    assert.are.equal("ready\n", child:read("stdout"))
    local living = names()
    assert.are.equal(1, #living)
    open():close()
    assert.are.same(living, names())
    child:kill("KILL")
    child:wait()
    local logged = support.logged(function()
      local registry = open()
      assert.are.same({ registry.name }, names())
      registry:close()
    end)
    assert.are.same({}, logged)
  end)

  it("doesn't touch what no worker made", function()
    assert(root:make("notes"))
    assert(root:make("lost+found"))
    assert(root:make(".hidden-1-abc"))
    assert(root:write("host-1-abc", "a file"))
    support.make_special("/bin/ln", { "-s", "notes", root:path() .. "/host-2-abc" })
    local registry = open()
    registry:close()
    assert.are.same({ ".hidden-1-abc", "host-1-abc", "host-2-abc", "lost+found", "notes" }, names())
  end)

  it("never takes a worker that is just starting for a dead one", function()
    local tasks, registries = {}, {}
    for index = 1, 12 do
      tasks[index] = host.task.spawn("starter", function()
        for _ = 1, 3 do
          local registry = open()
          local folder = assert(registry:make(subid))
          assert(folder.directory:write("x", "1"))
          registries[#registries + 1] = registry
        end
      end)
    end
    for _, task in ipairs(tasks) do
      assert(task:join())
    end
    assert.are.equal(36, #names())
    for _, registry in ipairs(registries) do
      assert(root:stat(registry.name .. "/" .. subid .. ".1/x"))
      registry:close()
    end
    assert.are.same({}, names())
  end)

  it("waits while another worker starts", function()
    local gate = assert(root:lock("."))
    local done
    local task = host.task.spawn("starter", function()
      open():close()
      done = true
    end)
    host.clock.sleep_ms(40)
    assert.is_nil(done)
    assert.are.same({}, names())
    gate:release()
    assert(task:join())
    assert.is_true(done)
  end)

  it("says what is wrong with the folder", function()
    local function denied()
      return nil, "permission denied", "EACCES"
    end
    for _, method in ipairs { "make", "list", "lock", "open" } do
      local registry, message, code = jobs.open(support.disguise(root, { [method] = denied }))
      assert.is_nil(registry)
      assert.are.equal("environment", code)
      assert.matches("permission denied", message)
    end
    -- And the gate is open again.
    open():close()
  end)

  it("says when it can't judge or remove what another left, and goes on", function()
    assert(root:make("host-1-a"))
    assert(root:make("host-2-b"))
    assert(root:make("host-3-c"))
    local disguised = support.disguise(root, {
      lock = function(directory, name, ...)
        if name == "host-1-a/." then
          return nil, "permission denied", "EACCES"
        elseif name == "host-2-b/." then
          return nil, "no such file or directory", "ENOENT"
        end
        return directory:lock(name, ...)
      end,
      remove_tree = function(directory, name)
        if name == "host-3-c" then
          return nil, "read-only file system", "EROFS"
        end
        return directory:remove_tree(name)
      end,
    })
    local logged = support.logged(function()
      local registry = assert(jobs.open(disguised))
      assert.is_true(registry:close())
    end)
    assert.are.equal(2, #logged)
    assert.are.same({ event = "jobs_unswept", fields = { folder = "host-1-a", error = "permission denied" } },
      logged[1])
    assert.are.same({ event = "jobs_unswept", fields = { folder = "host-3-c", error = "read-only file system" } },
      logged[2])
    assert(root:lock("host-3-c")):release()
  end)

  it("leaves nothing in the place of a worker that ends while it is judged", function()
    assert(root:make("host-1-a"))
    local disguised = support.disguise(root, {
      list = function(directory, path)
        local entries = directory:list(path)
        assert(root:remove_tree("host-1-a"))
        return entries
      end,
      -- As if it were killed before it gets to remove anything.
      remove_tree = function() return nil, "killed", "EINTR" end,
    })
    assert.are.same({}, support.logged(function() assert(jobs.open(disguised)) end))
    assert.is_nil(root:stat("host-1-a"))
  end)

  it("lets go of its folder even if that can't be removed", function()
    local registry = assert(jobs.open(support.disguise(root, {
      remove_tree = function() return nil, "read-only file system", "EROFS" end,
    })))
    local closed, message, code = registry:close()
    assert.is_nil(closed)
    assert.are.equal("environment", code)
    assert.matches("read%-only", message)
    assert(root:lock(registry.name)):release()
  end)

  it("leaves no folder behind that can't be opened", function()
    local registry = open()
    registry.directory = support.disguise(registry.directory, {
      open = function() return nil, "too many open files", "EMFILE" end,
    })
    local folder, message, code = registry:make(subid)
    assert.is_nil(folder)
    assert.are.equal("environment", code)
    assert.matches("too many open files", message)
    assert.are.same({}, names(registry.name))
    registry:close()
  end)

  it("tells who is alive", function()
    local registry, other, dead = open(), open(), open()
    assert.is_true(registry:lives(registry.name))
    assert.is_true(registry:lives(other.name))
    dead.lock:release()
    assert.is_false(registry:lives(dead.name))
    -- Nobody's folder is made by asking.
    assert.is_false(registry:lives "host-1-a")
    assert.is_false(registry:lives "../x")
    assert.is_nil(root:stat "host-1-a")
    assert(other:close())
    assert.is_false(registry:lives(other.name))
    registry:close()
  end)

  it("takes hexadecimal digits only for a name", function()
    local registry = open()
    assert.has_error(function() registry:make("../x") end)
    assert.has_error(function() registry:make("") end)
    assert.has_error(function() registry:make() end)
    registry:close()
  end)
end)
