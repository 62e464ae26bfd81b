local core = require "core.support"
local host = require "submitter.host"
local support = require "support"

local clock, file, task = host.clock, host.file, host.task

local function link(target, directory, name)
  support.make_special("/bin/ln", { "-s", target, directory:path() .. "/" .. name })
end

local function fifo(directory, name)
  support.make_special("/usr/bin/mkfifo", { directory:path() .. "/" .. name })
end

local code = core.code

--- The names of a listing.
local function names(directory, path)
  local found = {}
  for index, entry in ipairs(assert(directory:list(path or "."))) do found[index] = entry.name end
  return found
end

describe("core.file", function()
  local directory
  before_each(function() directory = support.directory() end)
  after_each(support.clean)

  describe("directory", function()
    it("opens by any path, following links", function()
      assert(directory:make("real"))
      link("real", directory, "alias")
      local opened <close> = assert(file.directory(directory:path() .. "/alias"))
      assert(opened:write("x", "1"))
      assert.are.equal("1", directory:read("real/x"))
      assert.are.equal(directory:path() .. "/real", opened:path())
      assert.matches("^/", assert(file.directory(".")):path())
    end)

    it("makes it with its parents", function()
      assert.are.equal("ENOENT", code(file.directory(directory:path() .. "/a/b/c")))
      local opened <close> = assert(file.directory(directory:path() .. "/a/b/c", { create = true, mode = tonumber("700",
        8) }))
      assert.are.equal(directory:path() .. "/a/b/c", opened:path())
      assert.are.equal(tonumber("700", 8), directory:stat("a/b/c").mode)
      assert(file.directory(directory:path() .. "/a/b/c", { create = true })):close()
    end)

    it("tells failures", function()
      assert(directory:write("plain", ""))
      assert.are.equal("ENOTDIR", code(file.directory(directory:path() .. "/plain")))
      assert.are.equal("ENOTDIR", code(file.directory(directory:path() .. "/plain/x", { create = true })))
      assert.are.equal("ENOENT", code(file.directory("")))
      assert.error_matches(function() file.directory("a\0b") end, "NUL")
      assert.error_matches(function() file.directory("/", { mkdir = true }) end,
        'file.directory: unknown option "mkdir"')
    end)

    it("is closed once, and then refuses everything", function()
      local opened = assert(file.directory(directory:path()))
      assert.matches("^Directory%(/", tostring(opened))
      opened:close()
      opened:close()
      assert.are.equal("Directory(closed)", tostring(opened))
      for _, method in ipairs { "path", "read", "write", "list", "stat", "lock", "watch", "open" } do
        assert.error_matches(function() opened[method](opened, "x", method == "write" and "x" or nil) end,
          "the Directory is closed")
      end
    end)

    it("may be closed while work in it is under way", function()
      local opened = assert(file.directory(directory:path()))
      local tasks = {}
      for number = 1, 20 do
        tasks[number] = task.spawn("w", function() return opened:write("f" .. number, ("x"):rep(100000)) end)
      end
      clock.sleep_ms(0)
      opened:close()
      collectgarbage()
      for _, one in ipairs(tasks) do assert.are.same({ true, true }, { one:join() }) end
      assert.are.equal(20, #names(directory))
    end)

    it("opens below, and makes it there", function()
      assert.are.equal("ENOENT", code(directory:open("a/b")))
      local opened <close> = assert(directory:open("a/b", { create = true }))
      assert.are.equal(directory:path() .. "/a/b", opened:path())
      assert(opened:write("x", "1"))
      assert.are.equal("1", directory:read("a/b/x"))
      assert.are.equal(directory:path(), assert(directory:open(".")):path())
      assert.are.equal("ENOTDIR", code(directory:open("a/b/x")))
      assert.are.equal("EINVAL", code(opened:open("..")))
      assert.error_matches(function() directory:open("a", { parents = true }) end, 'unknown option "parents"')
    end)
  end)

  describe("confinement", function()
    local every = {
      read = function(path) return directory:read(path) end,
      write = function(path) return directory:write(path, "x") end,
      replace = function(path) return directory:replace(path, "x") end,
      list = function(path) return directory:list(path) end,
      stat = function(path) return directory:stat(path) end,
      make = function(path) return directory:make(path) end,
      make_parents = function(path) return directory:make(path, { parents = true }) end,
      remove = function(path) return directory:remove(path) end,
      remove_tree = function(path) return directory:remove_tree(path) end,
      open = function(path) return directory:open(path) end,
      open_create = function(path) return directory:open(path, { create = true }) end,
      lock = function(path) return directory:lock(path) end,
      watch = function(path) return directory:watch(path) end,
      rename_from = function(path) return directory:rename(path, "new") end,
      rename_to = function(path) return directory:rename("old", path) end,
      write_parents = function(path) return directory:write(path, "x", { parents = true }) end,
    }

    for name, try in pairs(every) do
      it("refuses paths that lead out, by " .. name, function()
        assert(directory:write("old", "old"))
        for _, path in ipairs { "..", "../x", "a/../../x", "a/..", "/etc/passwd", "/", "", "./../x", "..//x" } do
          assert.are.equal("EINVAL", code(try(path)), path)
        end
        assert.are.equal("ENAMETOOLONG", code(try(("a/"):rep(2048) .. "b")))
        assert.error_matches(function() try("a\0b") end, "NUL")
        assert.error_matches(function() try(nil) end, "string expected")
      end)
    end

    it("refuses links on the way, out and in", function()
      assert(directory:make("real"))
      assert(directory:write("real/x", "inside"))
      link("/etc", directory, "out")
      link("real", directory, "in")
      for _, way in ipairs { "out", "in" } do
        assert.are.equal("ELOOP", code(directory:read(way .. "/x")))
        assert.are.equal("ELOOP", code(directory:write(way .. "/x", "y")))
        assert.are.equal("ELOOP", code(directory:write(way .. "/n/x", "y", { parents = true })))
        assert.is_truthy(code(directory:replace(way .. "/x", "y")))
        assert.is_truthy(code(directory:list(way)))
        assert.is_truthy(code(directory:open(way)))
        assert.is_truthy(code(directory:remove(way .. "/x")))
        assert.is_truthy(code(directory:remove_tree(way .. "/x")))
        assert.is_truthy(code(directory:rename("real/x", way .. "/y")))
        assert.is_truthy(code(directory:watch(way)))
        assert.is_truthy(code(directory:make(way .. "/d")))
      end
      assert.are.equal("inside", directory:read("real/x"))
    end)

    it("refuses a link as the file itself", function()
      assert(directory:write("real", "inside"))
      link("real", directory, "in")
      link("/etc/hostname", directory, "out")
      assert.are.equal("ELOOP", code(directory:read("in")))
      assert.are.equal("ELOOP", code(directory:write("in", "x")))
      assert.are.equal("ELOOP", code(directory:write("out", "x")))
      assert.are.equal("ELOOP", code(directory:lock("out")))
      assert.are.equal("inside", directory:read("real"))
    end)

    it("follows links when asked, only beneath", function()
      assert(directory:make("d"))
      assert(directory:write("real", "inside"))
      link("real", directory, "in")
      link("../real", directory, "d/up")
      link("../../../../etc/hostname", directory, "d/far")
      link("/etc/hostname", directory, "out")
      link("loop", directory, "loop")
      link("gone", directory, "dangling")
      assert.are.equal("inside", directory:read("in", { follow = true }))
      assert.are.equal("inside", directory:read("d/up", { follow = true }))
      assert.are.equal("EXDEV", code(directory:read("out", { follow = true })))
      assert.are.equal("EXDEV", code(directory:read("d/far", { follow = true })))
      assert.are.equal("EXDEV", code(directory:write("out", "x", { follow = true })))
      assert.are.equal("ELOOP", code(directory:read("loop", { follow = true })))
      assert.are.equal("ENOENT", code(directory:read("dangling", { follow = true })))
      assert.is_true(directory:write("in", "changed", { follow = true }))
      assert.are.equal("changed", directory:read("real"))
      assert.are.equal("link", directory:stat("in").type)
      assert.are.equal("file", directory:stat("in", { follow = true }).type)
      assert.are.equal("EXDEV", code(directory:stat("out", { follow = true })))
      assert.matches("leads out of " .. directory:path():gsub("%-", "%%-"), (select(2, directory:read("out",
        { follow = true }))))
    end)

    it("refuses magic links", function()
      local process <close> = assert(file.directory("/proc/self"))
      assert.is_truthy(code(process:read("root/etc/hostname", { follow = true })))
      assert.is_truthy(code(process:read("exe", { follow = true })))
      assert.is_truthy(code(process:list("cwd")))
    end)

    it("replaces a link, and doesn't write through it", function()
      assert(directory:write("real", "inside"))
      link("real", directory, "in")
      assert.is_true(directory:replace("in", "new"))
      assert.are.equal("inside", directory:read("real"))
      assert.are.equal("file", directory:stat("in").type)
    end)

    it("removes a link, and not what it points to", function()
      assert(directory:make("real"))
      assert(directory:write("real/x", "inside"))
      link("real", directory, "one")
      link("real", directory, "two")
      assert.is_true(directory:remove("one"))
      assert.is_true(directory:remove_tree("two"))
      assert.are.equal("inside", directory:read("real/x"))
    end)
  end)

  describe("read", function()
    it("returns any bytes", function()
      local bytes = {}
      for byte = 0, 255 do bytes[#bytes + 1] = string.char(byte) end
      local data = table.concat(bytes):rep(1000)
      assert.is_true(directory:write("x", data))
      assert.is_true(data == directory:read("x"))
      assert.is_true(directory:write("empty", ""))
      assert.are.equal("", directory:read("empty"))
    end)

    it("tells failures", function()
      assert(directory:make("d"))
      assert.are.equal("ENOENT", code(directory:read("none")))
      assert.are.equal("EISDIR", code(directory:read("d")))
      assert.are.equal("EISDIR", code(directory:read(".")))
      assert(directory:write("x", ""))
      assert.are.equal("ENOTDIR", code(directory:read("x/y")))
      assert.matches("^reading none: ", (select(2, directory:read("none"))))
    end)

    it("refuses more than its limit, exactly", function()
      assert(directory:write("x", "12345"))
      assert.are.equal("12345", directory:read("x", { limit_bytes = 5 }))
      local result, message, word = directory:read("x", { limit_bytes = 4 })
      assert.is_nil(result)
      assert.matches("more than 4 bytes", message)
      assert.are.equal("EFBIG", word)
      assert.are.equal("EFBIG", code(directory:read("x", { limit_bytes = 0 })))
      assert(directory:write("empty", ""))
      assert.are.equal("", directory:read("empty", { limit_bytes = 0 }))
      assert.error_matches(function() directory:read("x", { limit_bytes = -1 }) end, "0 or more")
      assert.error_matches(function() directory:read("x", { limit_bytes = "5" }) end, "limit_bytes is an integer")
      assert.error_matches(function() directory:read("x", { limit = 5 }) end, 'Directory:read: unknown option "limit"')
    end)

    it("reads files whose size the system doesn't tell, under the limit too", function()
      local process <close> = assert(file.directory("/proc/self"))
      assert.matches("^Name:", process:read("status"))
      assert.are.equal("EFBIG", code(process:read("status", { limit_bytes = 10 })))
    end)

    it("never opens a FIFO, socket or device", function()
      fifo(directory, "fifo")
      assert.are.equal("ENOTREG", code(directory:read("fifo")))
      assert.are.equal("ENXIO", code(directory:write("fifo", "x")))
      local devices <close> = assert(file.directory("/dev"))
      assert.are.equal("ENOTREG", code(devices:read("zero")))
      assert.are.equal("ENOTREG", code(devices:write("null", "x")))
      assert.are.equal("other", directory:stat("fifo").type)
    end)
  end)

  describe("write", function()
    it("replaces the content, appends, and makes parents", function()
      assert.is_true(directory:write("x", "long content"))
      assert.is_true(directory:write("x", "short"))
      assert.are.equal("short", directory:read("x"))
      assert.is_true(directory:write("x", "er", { append = true, sync = true }))
      assert.are.equal("shorter", directory:read("x"))
      assert.are.equal("ENOENT", code(directory:write("a/b/x", "1")))
      assert.is_true(directory:write("a/b/x", "1", { parents = true }))
      assert.are.equal("1", directory:read("a/b/x"))
      assert.is_true(directory:write("a//./b/y", "1", { parents = true }))
      assert.are.same({ "x", "y" }, names(directory, "a/b"))
    end)

    it("has modes, and exclusive", function()
      assert(directory:write("x", "", { mode = tonumber("600", 8) }))
      assert.are.equal(tonumber("600", 8), directory:stat("x").mode)
      assert.are.equal("EEXIST", code(directory:write("x", "", { exclusive = true })))
      link("gone", directory, "dangling")
      assert.are.equal("EEXIST", code(directory:write("dangling", "", { exclusive = true })))
      assert.is_true(directory:write("y", "", { exclusive = true }))
      assert.error_matches(function() directory:write("z", "", { mode = 4096 }) end, "mode is 0 to 4095")
      assert.error_matches(function() directory:write("z", "", { create = true }) end, 'unknown option "create"')
      assert.error_matches(function() directory:write("z") end, "string expected")
    end)

    it("tells failures", function()
      assert(directory:make("d"))
      assert.are.equal("EISDIR", code(directory:write("d", "x")))
      assert.are.equal("EINVAL", code(directory:replace(".", "x")))
      assert.are.equal("EISDIR", code(directory:replace("d", "x")))
      assert.are.same({ "d" }, names(directory))
    end)
  end)

  describe("names", function()
    it("of 255 bytes work, of 256 don't", function()
      local long = ("n"):rep(255)
      for _, method in ipairs { "write", "replace" } do
        assert.is_true(directory[method](directory, long, method))
        assert.are.equal(method, directory:read(long))
        assert.are.equal("ENAMETOOLONG", code(directory[method](directory, long .. "n", "x")))
      end
      assert.are.same({ long }, names(directory))
      assert.is_true(directory:make("d/" .. long, { parents = true }))
      assert.are.equal("ENAMETOOLONG", code(directory:make("d/" .. long .. "n", { parents = true })))
      assert.are.equal("ENAMETOOLONG", code(directory:stat(long .. "n")))
      assert.is_true(directory:rename(long, ("m"):rep(255)))
      assert.is_true(directory:remove(("m"):rep(255)))
    end)

    it("of any bytes work", function()
      local odd = "\1\n\xff'\" \\*$"
      assert(directory:write(odd, "1"))
      assert.are.same({ odd }, names(directory))
      assert.are.equal("1", directory:read(odd))
      assert(directory:remove(odd))
    end)
  end)

  describe("replace", function()
    it("gives mode, parents, exclusive", function()
      assert.is_true(directory:replace("a/x", "1", { parents = true, mode = tonumber("640", 8) }))
      assert.are.equal(tonumber("640", 8), directory:stat("a/x").mode)
      assert.are.equal("EEXIST", code(directory:replace("a/x", "2", { exclusive = true })))
      assert.are.equal("1", directory:read("a/x"))
      assert.is_true(directory:replace("a/y", "2", { exclusive = true, sync = false }))
      assert.are.same({ "x", "y" }, names(directory, "a"))
      assert.are.equal("ENOENT", code(directory:replace("b/x", "1")))
      assert.error_matches(function() directory:replace("x", "1", { append = true }) end, 'unknown option "append"')
    end)

    it("is seen whole by readers, while 50 tasks replace", function()
      local ended, readings = 0, 0
      assert(directory:replace("x", ("0"):rep(20000), { sync = false }))
      for number = 1, 50 do
        task.spawn("writer", function()
          for _ = 1, 4 do
            assert(directory:replace("x", string.char(48 + number):rep(20000 + number), { sync = false }))
          end
          ended = ended + 1
        end)
      end
      while ended < 50 do
        local data = assert(directory:read("x"))
        local first = data:sub(1, 1)
        assert.is_nil(data:find("[^" .. (first:find("%w") and first or "%" .. first) .. "]"))
        assert.are.equal(20000 + first:byte() - 48, #data)
        readings = readings + 1
      end
      assert.is_true(readings > 0)
      assert.are.same({ "x" }, names(directory))
    end)

    it("exclusively has one winner among 50", function()
      local winners, losers, tasks = 0, 0, {}
      for number = 1, 50 do
        tasks[number] = task.spawn("t", function()
          local good, _, word = directory:replace("x", tostring(number), { exclusive = true, sync = false })
          if good then winners = winners + 1 else losers = losers + (word == "EEXIST" and 1 or 0) end
        end)
      end
      for _, one in ipairs(tasks) do assert(one:join()) end
      assert.are.equal(1, winners)
      assert.are.equal(49, losers)
    end)

    it("heals what a crash left", function()
      assert(directory:write(".submitter-x~", "half"))
      assert.is_true(directory:replace("x", "whole"))
      assert.are.same({ "x" }, names(directory))
      assert.are.equal("whole", directory:read("x"))
    end)
  end)

  describe("list and stat", function()
    it("list sorted by bytes, with types", function()
      for _, name in ipairs { "b", "a", "B", "\xc3\xa9", "10", "9", ".h" } do assert(directory:write(name, "")) end
      assert(directory:make("d"))
      link("a", directory, "l")
      fifo(directory, "p")
      assert.are.same({ ".h", "10", "9", "B", "a", "b", "d", "l", "p", "\xc3\xa9" }, names(directory))
      local types = {}
      for _, entry in ipairs(directory:list(".")) do types[entry.name] = entry.type end
      assert.are.same({ "file", "directory", "link", "other" }, { types.a, types.d, types.l, types.p })
      assert.are.same({}, directory:list("d"))
      assert.are.equal("ENOTDIR", code(directory:list("a")))
      assert.are.equal("ENOENT", code(directory:list("none")))
    end)

    it("list thousands", function()
      for number = 1, 3000 do assert(directory:write(("%05d"):format(number), "")) end
      local found = names(directory)
      assert.are.equal(3000, #found)
      assert.are.equal("00001", found[1])
      assert.are.equal("03000", found[3000])
    end)

    it("stat tells what it is", function()
      local before = clock.now_ms()
      assert(directory:write("x", "12345"))
      local status = assert(directory:stat("x"))
      assert.are.equal("file", status.type)
      assert.are.equal(5, status.size_bytes)
      assert.are.equal(1, status.links)
      assert.is_true(status.inode > 0)
      assert.is_true(math.abs(status.modified_ms - before) < 10000)
      support.make_special("/bin/ln", { directory:path() .. "/x", directory:path() .. "/y" })
      assert.are.equal(2, directory:stat("y").links)
      assert.are.equal(status.inode, directory:stat("y").inode)
      assert.are.equal("directory", directory:stat(".").type)
      assert.are.equal("ENOENT", code(directory:stat("none")))
      assert.error_matches(function() directory:stat("x", { links = true }) end, 'unknown option "links"')
    end)
  end)

  describe("make", function()
    it("makes one, or all", function()
      assert.is_true(directory:make("d", { mode = tonumber("700", 8) }))
      assert.are.equal(tonumber("700", 8), directory:stat("d").mode)
      assert.are.equal("EEXIST", code(directory:make("d")))
      assert.is_true(directory:make("d", { parents = true }))
      assert.are.equal("ENOENT", code(directory:make("a/b")))
      assert.is_true(directory:make("a/b/c/", { parents = true }))
      assert.is_true(directory:make(".", { parents = true }))
      assert(directory:write("x", ""))
      assert.are.equal("EEXIST", code(directory:make("x")))
      assert.are.equal("ENOTDIR", code(directory:make("x", { parents = true })))
      assert.are.equal("ENOTDIR", code(directory:make("x/y", { parents = true })))
      assert.error_matches(function() directory:make("y", { create = true }) end, 'unknown option "create"')
    end)

    it("by many at once", function()
      local tasks = {}
      for number = 1, 30 do
        tasks[number] = task.spawn("t", function() return directory:make("a/b/c/d", { parents = true }) end)
      end
      for _, one in ipairs(tasks) do assert.are.same({ true, true }, { one:join() }) end
    end)
  end)

  describe("remove", function()
    it("takes files and empty directories", function()
      assert(directory:write("x", ""))
      assert(directory:make("d/e", { parents = true }))
      assert.is_true(directory:remove("x"))
      assert.are.equal("ENOENT", code(directory:remove("x")))
      assert.are.equal("ENOTEMPTY", code(directory:remove("d")))
      assert.is_true(directory:remove("d/e"))
      assert.is_true(directory:remove("d/"))
      assert.are.equal("EINVAL", code(directory:remove(".")))
    end)
  end)

  describe("remove_tree", function()
    it("takes everything, and nothing is fine too", function()
      assert(directory:write("t/a/b/x", "1", { parents = true }))
      assert(directory:write("t/y", "1"))
      fifo(directory, "t/fifo")
      link("/etc", directory, "t/out")
      link("gone", directory, "t/dangling")
      assert.is_true(directory:remove_tree("t"))
      assert.are.same({}, names(directory))
      assert.is_true(directory:remove_tree("t"))
      assert.is_true(directory:remove_tree("none/deeper"))
      assert(directory:write("x", ""))
      assert.is_true(directory:remove_tree("x"))
      assert.are.equal("EINVAL", code(directory:remove_tree(".")))
    end)

    it("takes trees of any depth and width, without descriptors to spare", function()
      assert(directory:make("t" .. ("/d"):rep(300), { parents = true }))
      assert(directory:make("t" .. ("/d"):rep(100) .. ("/e"):rep(150), { parents = true }))
      for number = 1, 100 do
        assert(directory:write(("t/w%d/x"):format(number), "", { parents = true }))
        assert(directory:write("t" .. ("/d"):rep(number) .. "/x", ""))
      end
      local before = core.descriptors()
      assert.is_true(directory:remove_tree("t"))
      assert.are.same({}, names(directory))
      assert.are.equal(before, core.descriptors())
    end)

    it("takes a deep tree that has the names which it gives meanwhile", function()
      -- Where the newest entry comes first: the names are still taken when the deep folder is come to.
      local memory <close> = assert(host.file.directory("/dev/shm"))
      local place = "submitter-spec-" .. host.digest.random(8)
      local threads <close> = assert(host.file.directory("/proc/self/task"))
      memory:remove_tree "none" -- all threads of the pool are there
      for _, thread in ipairs(assert(threads:list("."))) do
        for number = 0, 200 do
          assert(memory:write(("%s/.submitter-deep-%s-%d"):format(place, thread.name, number), "", { parents = true }))
        end
      end
      assert(memory:make(place .. ("/d"):rep(300), { parents = true }))
      assert.is_true(memory:remove_tree(place))
      assert.are.equal("ENOENT", code(memory:stat(place)))
    end)

    it("takes a tree deeper than any path", function()
      local level = assert(directory:open("t", { create = true }))
      for _ = 1, 3 do
        level = assert(level:open(("d/"):rep(1500), { create = true }))
      end
      assert.is_true(directory:remove_tree("t"))
      assert.are.same({}, names(directory))
    end)

    it("takes directories that nobody may enter, as an ordinary user", function()
      local result = assert(host.child.run {
        program = "/bin/sh",
        environment = core.environment { DIRECTORY = directory:path(), PROGRAM = host.system.executable(),
          PATH = "/usr/bin:/bin" },
        arguments = { "-c", [[
          cd "$DIRECTORY" && chmod 755 . && mkdir -p t/closed/in t/noexec/in t/nowrite
          touch t/closed/in/x t/noexec/in/x t/nowrite/x
          # The program where that user can reach it, with what it looks for beside it.
          mkdir -p installed/bin installed/lua/submitter && cp "$PROGRAM" installed/bin/
          touch installed/lua/submitter/host.lua
          touch outside && chmod 444 outside && ln -s ../outside t/link
          cat >script.lua <<'end'
            local directory = assert(require "submitter.core.file".directory(arg[1]))
            print(directory:remove_tree "t")
end
          chmod 0 t/closed; chmod 400 t/noexec; chmod 500 t/nowrite
          if [ "$(id -u)" = 0 ]; then
            chown -hR 65534 .
            exec setpriv --reuid 65534 --regid 65534 --clear-groups -- \
              installed/bin/submitter run script.lua "$DIRECTORY"
          fi
          exec installed/bin/submitter run script.lua "$DIRECTORY"]] },
      })
      assert.are.equal("true\n", result.stdout, result.stderr)
      assert.are.equal("ENOENT", code(directory:stat("t")))
      assert.are.equal(tonumber("444", 8), directory:stat("outside").mode)
    end)
  end)

  describe("rename", function()
    it("replaces, or not", function()
      assert(directory:write("a", "a"))
      assert(directory:write("b", "b"))
      assert.are.equal("EEXIST", code(directory:rename("a", "b", { exclusive = true })))
      assert.is_true(directory:rename("a", "b", { sync = true }))
      assert.are.equal("a", directory:read("b"))
      assert.are.equal("ENOENT", code(directory:rename("a", "c")))
      assert.are.equal("ENOENT", code(directory:rename("b", "d/c")))
      assert(directory:make("d"))
      assert.is_true(directory:rename("b", "d/c", { exclusive = true }))
      assert.are.equal("EINVAL", code(directory:rename("d", "d/e")))
      assert.error_matches(function() directory:rename("a", "b", { replace = true }) end, 'unknown option "replace"')
    end)
  end)

  describe("lock", function()
    it("is exclusive, or shared", function()
      local first = assert(directory:lock("l"))
      assert.are.equal("busy", code(directory:lock("l")))
      assert.are.equal("busy", code(directory:lock("l", { shared = true })))
      first:release()
      first:release()
      local one <close> = assert(directory:lock("l", { shared = true }))
      local two <close> = assert(directory:lock("l", { shared = true }))
      assert.are.equal("busy", code(directory:lock("l")))
      assert(one and two)
    end)

    it("works on directories", function()
      assert(directory:make("d"))
      local first <close> = assert(directory:lock("d"))
      assert.are.equal("busy", code(directory:lock("d")))
      local here = assert(directory:lock("."))
      assert.are.equal("busy", code(directory:lock(".")))
      here:release()
      assert(directory:lock(".")):release()
      assert(first)
    end)

    it("waits as long as it is told", function()
      local first = assert(directory:lock("l"))
      local before = clock.monotonic_ms()
      assert.are.equal("busy", code(directory:lock("l", { wait_ms = 50 })))
      assert.is_true(clock.monotonic_ms() - before >= 49)
      local waiting = task.spawn("w", function()
        local lock <close> = assert(directory:lock("l", { wait_ms = 10000 }))
        return lock ~= nil
      end)
      clock.sleep_ms(20)
      assert.is_false(waiting:done())
      first:release()
      assert.are.same({ true, true }, { waiting:join() })
      assert(directory:lock("l", { wait_ms = math.maxinteger })):release()
      assert.error_matches(function() directory:lock("l", { wait_ms = -1 }) end, "wait_ms is 0 or more")
      assert.error_matches(function() directory:lock("l", { timeout_ms = 1 }) end, 'unknown option "timeout_ms"')
    end)

    it("is passed on to each of many who wait", function()
      local held, most, tasks = 0, 0, {}
      for number = 1, 20 do
        tasks[number] = task.spawn("t", function()
          local lock <close> = assert(directory:lock("l", { wait_ms = 20000 }))
          held = held + 1
          most = math.max(most, held)
          clock.sleep_ms(1)
          held = held - 1
          return lock ~= nil
        end)
      end
      for _, one in ipairs(tasks) do assert.are.same({ true, true }, { one:join() }) end
      assert.are.equal(1, most)
    end)

    it("that is waited for can be given up at once, and isn't held then", function()
      local first = assert(directory:lock("l"))
      local before = clock.monotonic_ms()
      assert.are.same({ nil, "timed out after 20 ms", "timeout" }, { task.within(20, directory.lock, directory, "l",
        { wait_ms = 30000 }) })
      assert.is_true(clock.monotonic_ms() - before < 5000)
      local waiters = {}
      for number = 1, 10 do
        waiters[number] = task.spawn("w", function() directory:lock("l", { wait_ms = 30000 }) end)
      end
      clock.sleep_ms(10)
      first:release()
      for _, one in ipairs(waiters) do one:cancel() end
      for _, one in ipairs(waiters) do one:join() end
      -- Those who got it before the cancellation reached them hold it until the collector comes.
      collectgarbage() collectgarbage()
      assert(directory:lock("l")):release()
    end)

    it("is given back by the collector", function()
      assert(directory:lock("l"))
      collectgarbage() collectgarbage()
      assert(directory:lock("l")):release()
    end)

    it("holds between processes, until the process ends however it ends", function()
      local directory_path = directory:path()
      assert(directory:write("holder.lua", [[
        local directory = assert(require "submitter.core.file".directory(arg[1]))
        lock = assert(directory:lock "l")
        io.stdout:write "held\n" io.stdout:flush()
        require "submitter.core.clock".sleep_ms(60000)]]))
      local holder <close> = assert(host.child.start {
        program = host.system.executable(), arguments = { "run", directory_path .. "/holder.lua", directory_path },
        environment = core.environment(), stdout = "pipe", stderr = "inherit",
      })
      assert.are.equal("held\n", holder:read("stdout"))
      assert.are.equal("busy", code(directory:lock("l")))
      assert.are.equal("busy", code(directory:lock("l", { shared = true, wait_ms = 20 })))
      holder:kill()
      assert.are.equal("SIGKILL", holder:wait().signal)
      assert(directory:lock("l")):release()
    end)

    it("isn't inherited by children", function()
      local lock = assert(directory:lock("l"))
      local child <close> = assert(host.child.start { program = "/bin/sleep", arguments = { "60" } })
      lock:release()
      assert(directory:lock("l")):release()
      assert(child)
    end)
  end)

  describe("watch", function()
    it("wakes for what appears, changes and vanishes", function()
      local watch <close> = assert(directory:watch("."))
      for _, change in ipairs {
        function() assert(directory:write("x", "1")) end,
        function() assert(directory:replace("x", "2")) end,
        function() assert(directory:rename("x", "y")) end,
        function() assert(directory:remove("y")) end,
      } do
        while watch:wait(30) do end
        change()
        assert.is_true(watch:wait(5000))
      end
    end)

    it("times out", function()
      local watch <close> = assert(directory:watch("."))
      local before = clock.monotonic_ms()
      assert.are.same({ nil, "timed out", "timeout" }, { watch:wait(30) })
      assert.is_true(clock.monotonic_ms() - before >= 29)
      assert.are.same({ nil, "timed out", "timeout" }, { watch:wait(0) })
    end)

    it("remembers what changed while nobody waited", function()
      local watch <close> = assert(directory:watch("."))
      assert(directory:write("x", "1"))
      clock.sleep_ms(20)
      assert.is_true(watch:wait(1000))
    end)

    it("can be cancelled, waited for by one only, and closed meanwhile", function()
      local watch = assert(directory:watch("."))
      local one = task.spawn("one", function() watch:wait() end)
      clock.sleep_ms(1)
      assert.error_matches(function() watch:wait(1) end, "another task waits")
      one:cancel()
      assert.are.equal("cancelled", (select(3, one:join())))
      local two = task.spawn("two", function() watch:wait(60000) return "over" end)
      clock.sleep_ms(1)
      watch:close()
      assert.are.same({ true, "over" }, { two:join() })
      watch:close()
      assert.error_matches(function() watch:wait(1) end, "the Watch is closed")
      assert.error_matches(function() assert(directory:watch(".")):wait(-1) end, "milliseconds, 0 or more")
    end)

    it("tells failures, and leaves no descriptor", function()
      assert.are.equal("ENOENT", code(directory:watch("none")))
      assert(directory:write("x", ""))
      assert.are.equal("ENOTDIR", code(directory:watch("x")))
      local before = core.descriptors()
      for _ = 1, 50 do assert(directory:watch(".")):close() end
      assert.are.equal(before, core.descriptors())
    end)
  end)

  it("leaves no descriptor open", function()
    assert(directory:write("x", "1"))
    local before = core.descriptors()
    for number = 1, 100 do
      directory:read("x")
      directory:read("none")
      directory:list(".")
      directory:replace("y", tostring(number), { sync = false })
      directory:lock("l"):release()
      directory:open("."):close()
    end
    assert.are.equal(before, core.descriptors())
  end)
end)
