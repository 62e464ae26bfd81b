local core = require "core.support"
local host = require "submitter.host"
local support = require "support"

local child, clock, task = host.child, host.clock, host.task

local code = core.code

local function shell(script, options)
  options = options or {}
  options.program = "/bin/sh"
  options.arguments = { "-c", script }
  options.environment = options.environment or { PATH = "/usr/bin:/bin" }
  return options
end

--- Is a process still there, and no zombie?
local function lives(pid)
  local process <close> = assert(host.file.directory("/proc"))
  local stat = process:read(pid .. "/stat")
  return stat and not stat:find("%) Z ") and true or false
end

describe("core.child", function()
  after_each(support.clean)

  describe("run", function()
    it("hands over arguments of any bytes but NUL", function()
      local bytes = {}
      for byte = 1, 255 do bytes[byte] = string.char(byte) end
      local all = table.concat(bytes)
      local result = assert(child.run { program = "/usr/bin/printf", arguments = { "%s|", "", "a b", all, "$HOME *" } })
      assert.are.equal("|a b|" .. all .. "|$HOME *|", result.stdout)
      assert.error_matches(function() child.run { program = "/bin/true", arguments = { "a", "b\0" } } end,
        "child.run: arguments%[2%] is a string without NUL bytes")
      assert.error_matches(function() child.run { program = "/bin/true", arguments = { 1 } } end, "arguments%[1%]")
      assert.error_matches(function() child.run { program = "/bin/true", arguments = "x" } end, "table expected")
    end)

    it("gives the environment whole: nothing is inherited", function()
      assert.are.equal("", assert(child.run { program = "/usr/bin/env" }).stdout)
      local result = assert(child.run { program = "/usr/bin/env", environment = { A = "1", B = "x=y\nz", C = "" } })
      local lines = {}
      for line in result.stdout:gmatch("[^\n]+") do lines[#lines + 1] = line end
      table.sort(lines)
      assert.are.same({ "A=1", "B=x=y", "C=", "z" }, lines)
      for _, bad in ipairs { { ["A=B"] = "x" }, { [""] = "x" }, { "x" }, { A = 1 }, { A = "x\0y" },
        { ["A\0"] = "x" } } do
        assert.error_matches(function() child.run { program = "/usr/bin/env", environment = bad } end,
          "environment is a table")
      end
    end)

    it("tells exit codes and signals", function()
      for _, exit_code in ipairs { 0, 1, 42, 255 } do
        local result = assert(child.run(shell("exit " .. exit_code)))
        assert.are.equal(exit_code, result.exit_code)
        assert.is_nil(result.signal)
      end
      for _, signal in ipairs { "KILL", "TERM", "SEGV", "ABRT", "PIPE" } do
        local result = assert(child.run(shell("kill -" .. signal .. " $$")))
        assert.are.equal("SIG" .. signal, result.signal)
        assert.is_nil(result.exit_code)
      end
    end)

    it("starts programs with signals as they should be", function()
      local result = assert(child.run { program = "/bin/grep", arguments = { "-E", "^Sig(Blk|Ign)",
        "/proc/self/status" } })
      for mask in result.stdout:gmatch("%x%x%x%x+") do
        -- 32 and 33 are the C library's own
        assert.are.equal(0, tonumber(mask, 16) & ~0x180000000, result.stdout)
      end
    end)

    it("measures", function()
      local result = assert(child.run(shell("i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done")))
      assert.is_true(result.user_us + result.system_us > 5000)
      assert.is_true(result.max_rss_bytes > 300 * 1024)
    end)

    it("feeds input and keeps the streams apart", function()
      local result = assert(child.run(shell("cat; echo problem >&2", { input = "a\0b\xff" })))
      assert.are.equal("a\0b\xff", result.stdout)
      assert.are.equal("problem\n", result.stderr)
      assert.is_false(result.stdout_truncated)
      assert.is_false(result.stderr_truncated)
      assert.are.equal("", assert(child.run { program = "/bin/cat" }).stdout)
      local large = ("0123456789abcdef"):rep(300000)
      assert.is_true(large == assert(child.run { program = "/bin/cat", input = large, limit_bytes = #large }).stdout)
    end)

    it("doesn't mind a program that reads nothing of a large input", function()
      local result = assert(child.run { program = "/bin/true", input = ("x"):rep(5000000) })
      assert.are.equal(0, result.exit_code)
      result = assert(child.run(shell("exec <&-; sleep 0.05; echo done", { input = ("x"):rep(5000000) })))
      assert.are.equal("done\n", result.stdout)
    end)

    it("caps what it keeps, and reads on", function()
      local result = assert(child.run(shell("head -c 10000000 /dev/zero; head -c 100 /dev/zero >&2")))
      assert.are.equal(0, result.exit_code)
      assert.are.equal(1 << 20, #result.stdout)
      assert.is_true(result.stdout_truncated)
      assert.are.equal(100, #result.stderr)
      assert.is_false(result.stderr_truncated)
      for limit, truncated in pairs { [4] = true, [5] = false, [6] = false, [1] = true } do
        result = assert(child.run { program = "/usr/bin/printf", arguments = { "12345" }, limit_bytes = limit })
        assert.are.equal(("12345"):sub(1, limit), result.stdout)
        assert.are.equal(truncated, result.stdout_truncated)
      end
      assert.error_matches(function() child.run { program = "/bin/true", limit_bytes = 0 } end,
        "limit_bytes is more than 0")
    end)

    it("gives descriptors, and no others", function()
      local large = ("x"):rep(100000)
      local result = assert(child.run(shell("cat <&3; wc -c </dev/fd/63; ls /proc/self/fd; (echo y >&3) 2>&1",
        { descriptors = { [3] = "three\n", [63] = large } })))
      assert.matches("^three\n100000\n0\n1\n2\n3\n4\n63\n", result.stdout)
      assert.matches("error", result.stdout) -- it is sealed
      result = assert(child.run(shell("cat /dev/fd/5; cat <&3", { descriptors = { [3] = "", [5] = "five" } })))
      assert.are.equal("five", result.stdout)
      for _, bad in ipairs { { [2] = "x" }, { [64] = "x" }, { x = "x" }, { [3] = 1 } } do
        assert.error_matches(function() child.run { program = "/bin/true", descriptors = bad } end,
          "descriptors is a table of")
      end
    end)

    it("lets no file of the script's own through", function()
      local kept <close> = assert(io.open("/etc/passwd"))
      for _, descriptors in ipairs { {}, { [3] = "x" } } do
        local result = assert(child.run { program = "/bin/ls", arguments = { "-l", "/proc/self/fd" },
          descriptors = descriptors })
        assert.is_nil(result.stdout:find("passwd"), result.stdout)
      end
      assert(kept)
    end)

    it("starts in a working directory", function()
      local directory = support.directory()
      local result = assert(child.run { program = "/bin/pwd", directory = directory })
      assert.are.equal(directory:path() .. "\n", result.stdout)
      local closed = assert(host.file.directory("/"))
      closed:close()
      assert.error_matches(function() child.run { program = "/bin/pwd", directory = closed } end,
        "the Directory is closed")
      assert.error_matches(function() child.run { program = "/bin/pwd", directory = "/" } end,
        "submitter.directory expected")
    end)

    it("starts a session when asked", function()
      local script = "read -r pid name state parent group session rest </proc/self/stat; "
        .. "[ $session = $$ ] && echo own || echo other"
      assert.are.equal("own\n", assert(child.run(shell(script, { new_session = true }))).stdout)
      assert.are.equal("other\n", assert(child.run(shell(script))).stdout)
    end)

    it("tells why a program can't be started", function()
      local directory = support.directory()
      assert(directory:write("plain", "x"))
      local result, message, word = child.run { program = "/none/at/all" }
      assert.is_nil(result)
      assert.matches("^child.run /none/at/all: ", message)
      assert.are.equal("ENOENT", word)
      assert.are.equal("EACCES", code(child.run { program = directory:path() .. "/plain" }))
      assert.are.equal("EACCES", code(child.run { program = directory:path() }))
      assert(directory:write("script", "x", { mode = tonumber("755", 8) }))
      assert.are.equal("ENOEXEC", code(child.run { program = directory:path() .. "/script" }))
      assert.are.equal("E2BIG", code(child.run { program = "/bin/true", arguments = { ("x"):rep(200000) } }))
      assert.error_matches(function() child.run { program = "true" } end, "program is a path")
      assert.error_matches(function() child.run { program = "/bin/true\0x" } end, "program is a path")
      assert.error_matches(function() child.run {} end, "program is a path")
      assert.error_matches(function() child.run { program = "/bin/true", stdin = "pipe" } end,
        'child.run: unknown option "stdin"')
      assert.error_matches(function() child.start { program = "/bin/true", input = "x" } end,
        'child.start: unknown option "input"')
      assert.error_matches(function() child.start { program = "/bin/true", stdout = "file" } end,
        'stdout is "null", "pipe" or "inherit"')
    end)

    it("keeps what it was told, whatever the script does to its options meanwhile", function()
      local options = shell("sleep 0.05; cat; cat <&3", {
        input = ("abc"):rep(200000) .. tostring(clock.now_ms()), descriptors = { [3] = "three"
          .. tostring(clock.now_ms()) },
      })
      local expected = options.input .. options.descriptors[3]
      local running = task.spawn("run", function() return child.run(options) end)
      clock.sleep_ms(0)
      options.input, options.program, options.arguments, options.descriptors[3], options.descriptors = nil, nil, nil,
        nil, nil
      for _ = 1, 5 do
        collectgarbage()
        local _ = ("y"):rep(600000)
        clock.sleep_ms(5)
      end
      local _, result = assert(running:join())
      assert.is_true(result.stdout == expected)
    end)
  end)

  describe("a cancelled run", function()
    it("kills the program", function()
      local before = clock.monotonic_ms()
      assert.are.same({ nil, "timed out after 50 ms", "timeout" }, { task.within(50, child.run,
        shell("trap '' TERM; sleep 60")) })
      assert.is_true(clock.monotonic_ms() - before < 5000)
      support.eventually("no child is left", function() return #core.children() == 0 end)
    end)

    it("isn't held up by a grandchild that keeps the pipes", function()
      local directory = support.directory()
      local before = clock.monotonic_ms()
      local options = shell("sleep 60 & echo $! >pid; exit 0", { directory = directory, input = ("x"):rep(1000000) })
      assert.are.equal("timeout", (select(3, task.within(100, child.run, options))))
      assert.is_true(clock.monotonic_ms() - before < 5000)
      assert(child.run(shell("kill $(cat pid)", { directory = directory })))
    end)

    it("may be cancelled before the program was started", function()
      local one = task.spawn("one", function() child.run(shell("sleep 60")) end)
      clock.sleep_ms(0)
      one:cancel()
      assert.are.equal("cancelled", (select(3, one:join())))
      support.eventually("no child is left", function() return #core.children() == 0 end)
    end)
  end)

  describe("start", function()
    it("reads, writes, waits", function()
      local cat <close> = assert(child.start { program = "/bin/cat", stdin = "pipe", stdout = "pipe" })
      assert.is_true(lives(cat:pid()))
      assert.is_true(cat:write("one"))
      assert.are.equal("one", cat:read("stdout"))
      assert.is_true(cat:write(""))
      assert.is_true(cat:write("two"))
      assert.are.equal("two", cat:read("stdout"))
      cat:close_input()
      cat:close_input()
      assert.are.equal("", cat:read("stdout"))
      assert.are.equal("", cat:read("stdout"))
      assert.are.equal("", cat:read("stderr"))
      assert.are.equal(0, cat:wait().exit_code)
      assert.are.equal(0, cat:wait().exit_code)
      assert.are.equal("EPIPE", code(cat:write("three")))
      assert.are.equal("ESRCH", code(cat:kill()))
      assert.error_matches(function() cat:read("stdin") end, "invalid option")
      assert.error_matches(function() cat:kill("NONE") end, 'no such signal "NONE"')
    end)

    it("gives nothing where nothing was asked", function()
      local one <close> = assert(child.start(shell("cat; echo x; echo y >&2; exit 3")))
      assert.are.equal(3, one:wait().exit_code)
      assert.are.equal("", one:read("stdout"))
      assert.are.equal("EPIPE", code(one:write("x")))
    end)

    it("keeps stderr apart", function()
      local one <close> = assert(child.start(shell("echo y >&2", { stderr = "pipe" })))
      assert.are.equal("y\n", one:read("stderr"))
      assert.are.equal("", one:read("stderr"))
    end)

    it("kills by name of signal", function()
      for _, signal in ipairs { "TERM", "INT", "HUP", "USR1", "USR2", "QUIT", "KILL" } do
        local one <close> = assert(child.start { program = "/bin/sleep", arguments = { "60" } })
        assert.is_true(one:kill(signal))
        assert.are.equal("SIG" .. signal, one:wait().signal)
      end
      local one <close> = assert(child.start { program = "/bin/sleep", arguments = { "60" } })
      assert.is_true(one:kill("STOP"))
      assert.is_nil(task.within(20, one.wait, one))
      assert.is_true(one:kill("CONT"))
      assert.is_true(one:kill())
      assert.are.equal("SIGKILL", one:wait().signal)
    end)

    it("kills what is closed", function()
      local pid
      do
        local one <close> = assert(child.start { program = "/bin/sleep", arguments = { "60" } })
        pid = one:pid()
        assert.is_true(lives(pid))
      end
      support.eventually("it ended", function() return not lives(pid) end)
      local one = assert(child.start { program = "/bin/sleep", arguments = { "60" } })
      one:close()
      one:close()
      assert.error_matches(function() one:pid() end, "the Child is closed")
      assert.error_matches(function() one:wait() end, "the Child is closed")
    end)

    it("kills what is collected", function()
      local pid = assert(child.start { program = "/bin/sleep", arguments = { "60" } }):pid()
      collectgarbage() collectgarbage()
      support.eventually("it ended", function() return not lives(pid) end)
    end)

    it("may be closed while another task waits for it", function()
      local one = assert(child.start { program = "/bin/sleep", arguments = { "60" }, stdout = "pipe" })
      local waiter = task.spawn("w", function() return one:wait().signal end)
      local reader = task.spawn("r", function() return one:read("stdout") end)
      clock.sleep_ms(1)
      one:close()
      assert.are.same({ true, "SIGKILL" }, { waiter:join() })
      assert.are.same({ true, "" }, { reader:join() })
    end)

    it("has one who waits and one reader a stream at a time", function()
      local one <close> = assert(child.start { program = "/bin/sleep", arguments = { "60" }, stdout = "pipe" })
      local waiter = task.spawn("w", function() one:wait() end)
      local reader = task.spawn("r", function() one:read("stdout") end)
      clock.sleep_ms(1)
      assert.error_matches(function() one:wait() end, "another task waits for this Child")
      assert.error_matches(function() one:read("stdout") end, "another task reads")
      waiter:cancel()
      reader:cancel()
      assert.are.equal("cancelled", (select(3, waiter:join())))
      assert.are.equal("cancelled", (select(3, reader:join())))
      assert.are.equal("timeout", (select(3, task.within(10, one.wait, one))))
      assert.are.equal("timeout", (select(3, task.within(10, one.read, one, "stdout"))))
      assert.is_true(one:kill())
      assert.are.equal("SIGKILL", one:wait().signal)
      assert.are.equal("", one:read("stdout"))
    end)

    it("loses nothing to a cancelled read", function()
      local one <close> = assert(child.start(shell("sleep 0.05; echo late", { stdout = "pipe" })))
      assert.are.equal("timeout", (select(3, task.within(1, one.read, one, "stdout"))))
      assert.are.equal("late\n", one:read("stdout"))
    end)

    it("ends a cancelled write, and the input with it", function()
      local one <close> = assert(child.start { program = "/bin/sleep", arguments = { "60" }, stdin = "pipe" })
      assert.are.equal("timeout", (select(3, task.within(20, one.write, one, ("x"):rep(1000000)))))
      assert.are.equal("EPIPE", code(one:write("x")))
    end)

    it("takes writes of several tasks, each whole", function()
      local cat <close> = assert(child.start { program = "/bin/cat", stdin = "pipe", stdout = "pipe" })
      local writers = {}
      for number = 1, 5 do
        writers[number] = task.spawn("w", function() return cat:write(tostring(number):rep(200000)) end)
      end
      task.spawn("end", function() for _, one in ipairs(writers) do one:join() end cat:close_input() end)
      local parts = {}
      repeat
        parts[#parts + 1] = assert(cat:read("stdout"))
      until parts[#parts] == ""
      local all = table.concat(parts)
      assert.are.equal(1000000, #all)
      local runs = 0
      for number = 1, 5 do runs = runs + (all:find(tostring(number):rep(200000), 1, true) and 1 or 0) end
      assert.are.equal(5, runs)
    end)
  end)

  it("starts 200 at once", function()
    local tasks = {}
    for number = 1, 200 do
      tasks[number] = task.spawn("t", function()
        return assert(child.run { program = "/bin/cat", input = tostring(number) }).stdout
      end)
    end
    for number, one in ipairs(tasks) do assert.are.same({ true, tostring(number) }, { one:join() }) end
  end)

  it("leaves no descriptor, and no zombie", function()
    local before = core.descriptors()
    collectgarbage("stop")
    for _ = 1, 50 do
      assert(child.run(shell("cat; exit 1", { input = "x" })))
      code(child.run { program = "/none", descriptors = { [3] = "x" } })
      task.within(0, child.run, { program = "/bin/sleep", arguments = { "60" } })
      local one = assert(child.start { program = "/bin/cat", stdin = "pipe", stdout = "pipe" })
      one:write("x")
      one:read("stdout")
      one:kill()
      one:wait()
      one:write("y")
      one:close()
    end
    support.eventually("no child is left", function() return #core.children() == 0 end)
    local self <close> = assert(host.file.directory("/proc/self/fd"))
    local without_collector = #assert(self:list("."))
    collectgarbage("restart")
    assert.is_true(without_collector <= before + 4, ("%d, then %d"):format(before, without_collector))
    assert.are.equal(before, core.descriptors() - 1)
  end)
end)
