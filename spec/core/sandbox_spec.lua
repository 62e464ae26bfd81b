local core = require "core.support"
local host = require "submitter.host"
local support = require "support"

local sandbox, clock, task = host.sandbox, host.clock, host.task

local function limits(more)
  local all = { memory_bytes = 64 << 20, cpu_ms = 1000, wall_ms = 20000, output_bytes = 1 << 16, processes = 16,
    file_bytes = 4 << 20 }
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

local function options(more)
  local all = { limits = limits(), interpreter = "/usr/bin/python3" }
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

local function submission(source, more)
  local all = { files = { { name = "main.py", data = source } }, program = "main.py", limits = limits() }
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

--- A sandbox that holds a source.
local function holding(source, more)
  local one = assert(sandbox.start(options(more)))
  assert(one:submit(submission(source)))
  return one
end

local code = core.code

--- Processes anywhere on the machine whose command line holds a word.
local function alive(word)
  local process <close> = assert(host.file.directory("/proc"))
  local found = 0
  for _, entry in ipairs(assert(process:list("."))) do
    local line = entry.name:find("^%d+$") and process:read(entry.name .. "/cmdline")
    if line and line:find(word, 1, true) then found = found + 1 end
  end
  return found
end

local function nothing_left(word)
  support.eventually("no process is left", function()
    return #core.children() == 0 and (not word or alive(word) == 0)
  end, 10000)
end

describe("core.sandbox", function()
  after_each(support.clean)

  it("runs a program once a case, with its arguments and its input #cgroup", function()
    local one <close> = holding "import sys\nprint(sys.argv[1:], repr(sys.stdin.read()))\nprint('e', file=sys.stderr)"
    assert.are.equal("cgroup", one:info().accounting)
    assert.are.equal(1, one:info().protocol)
    for number, case in ipairs {
      { {}, nil, "[] ''\n" }, { { "1", "2" }, nil, "['1', '2'] ''\n" }, { { "", "a b", "'\"$\\\n", "é" }, "in\nput",
        "['', 'a b', '\\'\"$\\\\\\n', 'é'] 'in\\nput'\n" },
    } do
      local result = assert(one:case { number = number, arguments = case[1], stdin = case[2] })
      assert.are.equal("exit", result.ending)
      assert.are.equal(0, result.exit_code)
      assert.is_nil(result.signal)
      assert.are.equal(case[3], result.stdout)
      assert.are.equal("e\n", result.stderr)
      assert.is_false(result.stdout_truncated)
      assert.is_false(result.stderr_truncated)
      assert.is_true(result.cpu_us > 0 and result.wall_us > 0 and result.memory_bytes > 100000)
      assert.is_true(math.abs(result.cpu_ms * 1000 - result.cpu_us) <= 1000)
    end
    assert.is_true(one:close())
    assert.is_true(one:close())
  end)

  it("shows the program its files and its environment, and no more #cgroup", function()
    local one <close> = assert(sandbox.start(options()))
    assert.is_true(one:submit {
      files = { { name = "main.py",
        data = "import os, helper\nprint(helper.x, os.environ['B'], 'HOME' in os.environ, os.getcwd())" },
        { name = "helper.py", data = "x = 'helper'" } },
      program = "main.py", environment = { B = "x=y", PATH = "/usr/bin" }, limits = limits(),
    })
    assert.are.equal("helper x=y False /usr/src/submitter\n", assert(one:case { number = 1, arguments = {} }).stdout)
    local two <close> = holding "import os\nprint(os.environ['HOME'], os.environ['LANG'], 'PATH' in os.environ)"
    assert.are.equal("/tmp C.UTF-8 True\n", assert(two:case { number = 1, arguments = {} }).stdout)
  end)

  describe("tells the ending", function()
    local function ending(source, more)
      local one <close> = holding(source)
      return assert(one:case { number = 1, arguments = {}, limits = limits(more) })
    end

    it("exit #cgroup", function()
      local result = ending "import sys; sys.exit(42)"
      assert.are.equal("exit", result.ending)
      assert.are.equal(42, result.exit_code)
    end)

    it("signal #cgroup", function()
      local result = ending "import os; os.kill(os.getpid(), 9)"
      assert.are.equal("signal", result.ending)
      assert.are.equal("SIGKILL", result.signal)
      assert.is_nil(result.exit_code)
      assert.are.equal("SIGSEGV", ending("import os; os.kill(os.getpid(), 11)").signal)
    end)

    it("cpu #cgroup", function()
      local result = ending("while True: pass", { cpu_ms = 200 })
      assert.are.equal("cpu", result.ending)
      assert.is_true(result.cpu_ms >= 190 and result.cpu_ms < 1000, result.cpu_ms)
    end)

    it("wall #cgroup", function()
      local result = ending("import time; time.sleep(60)", { wall_ms = 300 })
      assert.are.equal("wall", result.ending)
      assert.is_true(result.wall_ms >= 290 and result.wall_ms < 2000, result.wall_ms)
    end)

    it("memory #cgroup", function()
      local result = ending("x = b'x' * (1 << 30)\nprint(len(x))", { memory_bytes = 32 << 20 })
      assert.are.equal("memory", result.ending)
    end)

    it("output #cgroup", function()
      local result = ending("while True: print('x' * 1000)", { output_bytes = 5000 })
      assert.are.equal("output", result.ending)
      assert.are.equal(5000, #result.stdout)
      assert.is_true(result.stdout_truncated)
    end)
  end)

  it("gives no more than its share of processors #cgroup", function()
    local one <close> = holding("while True: pass", { processors = 0.4 })
    local result = assert(one:case { number = 1, arguments = {}, limits = limits { wall_ms = 500 } })
    assert.are.equal("wall", result.ending)
    assert.is_true(result.cpu_us < 0.55 * result.wall_us, ("%d of %d us"):format(result.cpu_us, result.wall_us))
  end)

  it("goes on after any ending #cgroup", function()
    local one <close> = holding [[
import sys, time, os
what = sys.argv[1]
if what == "sleep": time.sleep(60)
if what == "spin":
    while True: pass
if what == "eat": x = b"x" * (1 << 30)
if what == "die": os.kill(os.getpid(), 9)
if what == "fork" and os.fork() == 0: time.sleep(60)
print(what)]]
    for number, case in ipairs { { "sleep", "wall" }, { "fine", "exit" }, { "spin", "cpu" }, { "eat", "memory" },
      { "die", "signal" }, { "fork", "exit" }, { "fine", "exit" } } do
      local result = assert(one:case {
        number = number, arguments = { case[1] },
        limits = limits { wall_ms = case[1] == "sleep" and 300 or 20000, cpu_ms = 200 },
      })
      assert.are.equal(case[2], result.ending, case[1])
    end
  end)

  it("serves two at once #cgroup", function()
    local function one_of(word)
      return task.spawn(word, function()
        local one <close> = holding("import time, sys\ntime.sleep(0.2)\nprint(sys.argv[1], '" .. word .. "')")
        local texts = {}
        for number = 1, 3 do texts[number] = assert(one:case { number = number,
          arguments = { tostring(number) } }).stdout end
        return table.concat(texts)
      end)
    end
    local first, second = one_of "first", one_of "second"
    assert.are.same({ true, "1 first\n2 first\n3 first\n" }, { first:join() })
    assert.are.same({ true, "1 second\n2 second\n3 second\n" }, { second:join() })
    nothing_left()
  end)

  it("is brought down when a case is cancelled #cgroup", function()
    local one = holding "import sys, time; time.sleep(60)"
    local word = "w" .. host.digest.random(8)
    local before = clock.monotonic_ms()
    assert.are.equal("timeout", (select(3, task.within(500, one.case, one, { number = 1, arguments = { word } }))))
    assert.is_true(clock.monotonic_ms() - before < 2500)
    assert.are.equal("sandbox", code(one:case { number = 2, arguments = {} }))
    assert.is_true(one:close())
    nothing_left(word)
  end)

  it("may be cancelled at every moment of its start #cgroup", function()
    for _, patience_ms in ipairs { 0, 1, 2, 4, 8, 16, 32 } do
      local one = task.within(patience_ms, sandbox.start, options())
      if one then one:close() end
    end
    nothing_left()
  end)

  it("leaves no process behind when it is closed #cgroup", function()
    local word = "w" .. host.digest.random(8)
    do
      local one <close> = holding [[
import os, sys, time
if os.fork() == 0:
    os.setsid()
    time.sleep(60)
print('x', flush=True)]]
      assert.are.equal("x\n", assert(one:case { number = 1, arguments = { word } }).stdout)
    end
    assert.are.equal(0, alive(word))
    assert.are.equal(0, #core.children())
  end)

  it("leaves no process behind when it is collected, or was never used #cgroup", function()
    holding "print(1)"
    assert(sandbox.start(options()))
    collectgarbage() collectgarbage()
    nothing_left()
    local one <close> = assert(sandbox.start(options()))
    assert.is_true(one:close())
    nothing_left()
  end)

  it("is gone with the host, however that ends #cgroup", function()
    local word = "w" .. host.digest.random(8)
    local script = [[
      local sandbox = require "submitter.core.sandbox"
      local limits = { memory_bytes = 64 << 20, cpu_ms = 1000, wall_ms = 60000, output_bytes = 1 << 16, processes = 16,
        file_bytes = 1 << 20 }
      local one = assert(sandbox.start {
        limits = limits, interpreter = "/usr/bin/python3",
      })
      assert(one:submit {
        files = { { name = "a.py", data = "import time; time.sleep(60)" } }, program = "a.py", limits = limits,
      })
      io.stdout:write "up\n" io.stdout:flush()
      one:case { number = 1, arguments = { arg[1] } }]]
    local directory = support.directory()
    assert(directory:write("script.lua", script))
    local child <close> = assert(host.child.start {
      program = host.system.executable(), arguments = { "run", directory:path() .. "/script.lua", word },
      environment = core.environment(), stdout = "pipe", stderr = "inherit",
    })
    assert.are.equal("up\n", child:read("stdout"))
    support.eventually("the case runs", function() return alive(word) > 1 end)
    child:kill()
    assert.are.equal("SIGKILL", child:wait().signal)
    nothing_left(word)
  end)

  it("leaves no descriptor #cgroup", function()
    holding("print(1)"):close()
    local before = core.descriptors()
    for _ = 1, 3 do
      local one <close> = holding "print(1)"
      assert(one:case { number = 1, arguments = {} })
    end
    assert.are.equal(before, core.descriptors())
  end)

  describe("refuses", function()
    it("a second submission, and a case before the first #cgroup", function()
      local one <close> = assert(sandbox.start(options()))
      assert.error_matches(function() one:case { number = 1, arguments = {} } end, "Sandbox:submit comes first")
      assert.is_true(one:submit(submission "print(1)"))
      assert.error_matches(function() one:submit(submission "print(2)") end, "a Sandbox serves one submission")
      assert.are.equal("1\n", assert(one:case { number = 1, arguments = {} }).stdout)
    end)

    it("more than it was started for #cgroup", function()
      local one <close> = assert(sandbox.start(options()))
      for name, value in pairs { memory_bytes = 1 << 30, cpu_ms = 1001, wall_ms = 20001, output_bytes = 1 << 17,
        processes = 17,
        file_bytes = 5 << 20 } do
        assert.error_matches(function() one:submit(submission("", { limits = limits { [name] = value } })) end,
          "limits are at most those of sandbox.start")
      end
      assert.is_true(one:submit(submission "print(1)"))
      assert.error_matches(function() one:case { number = 1, arguments = {}, limits = limits { cpu_ms = 1001 } } end,
        "at most those")
      assert.are.equal("1\n", assert(one:case { number = 1, arguments = {} }).stdout)
    end)

    it("two at the same time, and anything once it is closed #cgroup", function()
      local one = holding "import time; time.sleep(0.3); print(1)"
      local running = task.spawn("case", function() return assert(one:case { number = 1, arguments = {} }).stdout end)
      clock.sleep_ms(1)
      assert.error_matches(function() one:case { number = 2, arguments = {} } end, "another task uses the Sandbox")
      assert.error_matches(function() one:close() end, "another task uses the Sandbox")
      assert.are.same({ true, "1\n" }, { running:join() })
      assert.is_true(one:close())
      for _, method in ipairs { "case", "submit", "info" } do
        assert.error_matches(function() one[method](one, { number = 1, arguments = {} }) end, "the Sandbox is closed")
      end
    end)

    it("misuse, naming what is wrong #cgroup", function()
      for _, case in ipairs {
        { { interpreter = "python3" }, "interpreter is an absolute path" },
        { { accounting = "none" }, 'accounting is "cgroup", "container" or "rlimit"' },
        { { processors = 0 }, "processors is a number from 0.1 to 1024" },
        { { processors = "half" }, "processors is a number from 0.1 to 1024" },
        { { processors = 1, accounting = "rlimit" }, 'a share of processors takes accounting "cgroup"' },
        { { processors = 1, accounting = "container" }, 'a share of processors takes accounting "cgroup"' },
        { { limits = {} }, "is missing" },
        { { limits = limits { cpus = 1 } }, 'unknown option "cpus"' },
        { { limits = limits { memory_bytes = 1 } }, "out of bounds" },
        { { limits = limits { wall_ms = -1 } }, "less than 0" },
        { { memory = 1 }, 'unknown option "memory"' },
        { { read_only = { "etc" } }, "read_only%[1%] is an absolute path" },
        { { read_only = { 5 } }, "read_only%[1%] is an absolute path" },
        { { programs = "/a\0b" }, "NUL byte" },
      } do
        assert.error_matches(function() sandbox.start(options(case[1])) end, case[2])
      end
      assert.error_matches(function() sandbox.start() end, "table expected")
      local one <close> = assert(sandbox.start(options()))
      for _, case in ipairs {
        { { files = {} }, "files holds 1 to 64 files" },
        { { files = { { name = "../x", data = "" } } }, "no plain file name" },
        { { files = { { name = "main.py" } } }, "name and data, both strings" },
        { { program = "other.py" }, "program is the name of one of the files" },
        { { environment = { "x" } }, "environment is a table" },
        { { environment = { ["A=B"] = "x" } }, "environment is a table" },
        { { environment = { A = "x\0y" } }, "environment is a table" },
        { { source = "x" }, 'unknown option "source"' },
      } do
        assert.error_matches(function() one:submit(submission("", case[1])) end, case[2])
      end
      assert.is_true(one:submit(submission "import sys\nprint(len(sys.argv))"))
      for _, case in ipairs {
        { { arguments = {} }, "number is 1 or more" },
        { { number = 1 }, "arguments is a list of strings" },
        { { number = 1, arguments = { 1 } }, "arguments is a list of strings" },
        { { number = 1, arguments = {}, input = "x" }, 'unknown option "input"' },
      } do
        assert.error_matches(function() one:case(case[1]) end, case[2])
      end
      assert.are.equal("arguments", code(one:case { number = 1, arguments = { "a\0b" } }))
      assert.are.equal("arguments", code(one:case { number = 1, arguments = { ("x"):rep(200000) } }))
      assert.are.equal("3\n", assert(one:case { number = 2, arguments = { "a", ("x"):rep(100000) } }).stdout)
    end)
  end)

  it("says what is wrong with the environment", function()
    local result, message, word = sandbox.start(options { programs = "/none/at/all" })
    assert.is_nil(result)
    assert.matches("/none/at/all/submitter%-sandbox can't be started: .*build or install it there", message)
    assert.are.equal("environment", word)
    local directory = support.directory()
    assert.are.equal("environment", code(sandbox.start(options { programs = directory:path() })))
    -- Walls without a runner.
    local bin = host.system.executable():match("^(.*)/")
    support.make_special("/bin/ln", { "-s", bin .. "/submitter-sandbox", directory:path() .. "/submitter-sandbox" })
    local _, why, runner_word = sandbox.start(options { programs = directory:path() })
    assert.are.equal("environment", runner_word, why)
    assert.matches("submitter%-runner", why)
    assert.are.equal("environment", code(sandbox.start(options { cgroup_parent = "/none/at/all" })))
    nothing_left()
  end)

  it("says so when what stands in its place isn't a sandbox", function()
    for script, expected in pairs {
      ["exit 0"] = "sandbox", ["echo no wall >&2; exit 3"] = "environment", ["kill -9 $$"] = "sandbox",
      ["echo garbage"] = "protocol", ["head -c 1000000 /dev/zero"] = "protocol",
        ["head -c 1000000 /dev/urandom"] = "protocol",
      ["printf '\\377\\377\\377\\377\\377\\377\\377\\377'; sleep 60"] = "protocol",
    } do
      local directory = support.directory()
      assert(directory:write("submitter-sandbox", "#!/bin/sh\nPATH=/usr/bin:/bin\n" .. script, { mode = tonumber("755",
        8) }))
      local result, message, word = task.within(20000, sandbox.start, options { programs = directory:path() })
      assert.is_nil(result)
      assert.are.equal(expected, word, script .. ": " .. message)
      if expected == "environment" then assert.are.equal("no wall", message) end
    end
    nothing_left()
  end)

  --- A sandbox that isn't one: says HELLO and READY, and then what the script says. Frames are written by frame
  --- TYPE PAYLOAD, in printf's escapes.
  local function pretended(script)
    local directory = support.directory()
    assert(directory:write("submitter-sandbox", [[#!/bin/bash
PATH=/usr/bin:/bin
frame() { printf "\\x$1\\x$2\\0\\0\\0$3"; }
hello() { frame 01 0d '\x1\0\0\0\x1\0\0\0\x1\0\0\0\0'; }
ready() { frame 02 00 ''; }
hello; ready
]] .. script, { mode = tonumber("755", 8) }))
    return assert(sandbox.start(options { programs = directory:path() }))
  end

  it("tells its specification what there is to count by", function()
    for _, accounting in ipairs { "cgroup", "container", "rlimit" } do
      local directory = support.directory()
      assert(directory:write("submitter-sandbox", "#!/bin/sh\n/bin/cat <&3 >&2\nexit 3\n",
        { mode = tonumber("755", 8) }))
      local one, text, word = sandbox.start(options { programs = directory:path(), accounting = accounting })
      assert.is_nil(one)
      assert.are.equal("environment", word)
      assert.is_truthy(text:find("\naccounting=" .. accounting .. "\n", 1, true), text)
    end
  end)

  it("closes one that says nonsense instead of goodbye", function()
    for _, script in ipairs {
      "exec cat >/dev/null", -- nothing at all
      -- A frame that no runner sends, one longer than it can be, half a frame, and a flood, as the answer to END.
      [[head -c 58 >/dev/null; printf '\377\377'; exec cat >/dev/null]],
      [[head -c 58 >/dev/null; printf '\6\377\377\377\377'; exec cat >/dev/null]],
      [[head -c 58 >/dev/null; printf '\3\10'; exec cat >/dev/null]],
      [[head -c 58 >/dev/null; exec cat /dev/zero]],
      [[head -c 58 >/dev/null; while :; do ready; hello; done]],
    } do
      local one = pretended(script)
      local before = clock.monotonic_ms()
      assert.is_true(task.within(20000, one.close, one), script)
      assert.is_true(clock.monotonic_ms() - before < 5000, script)
    end
    nothing_left()
  end)

  it("believes no answer that isn't the case's", function()
    local function answered(number, ending)
      return "frame 04 36 '\\x" .. number .. "\\0\\0\\0\\x" .. ending .. ("\\0"):rep(49) .. "'"
    end
    for script, expected in pairs {
      [answered(2, 1)] = "protocol", -- another case's
      [answered(1, 9)] = "protocol", -- no such ending
      ["frame 03 06 '\\x2\\0\\0\\0\\x1x'"] = "protocol", -- output of another case
      ["while :; do frame 03 0f '\\x1\\0\\0\\0\\x1xxxxxxxxxx'; done"] = "protocol", -- without end
      ["hello"] = "protocol", ["ready"] = "protocol", ["frame 06 00"] = "protocol",
      -- Another case's failure, and no word of a runner's.
      ["frame 05 0e '\\0\\x2\\0\\0\\0\\x1\\0\\0\\0x\\0\\0\\0\\0'"] = "sandbox",
      ["printf '\\4\\66'; exit 0"] = "sandbox", -- half of it
      ["exec >&-; exit 5"] = "sandbox",
    } do
      local one = pretended("sleep 0.3; " .. script .. "\nexec cat >/dev/null")
      assert.is_true(one:submit(submission ""))
      assert.are.equal(expected, code(task.within(20000, one.case, one, { number = 1, arguments = {} })), script)
      assert.are.equal("sandbox", code(one:case { number = 2, arguments = {} }))
      assert.is_true(one:close())
    end
    -- And the one that is, twice: what nobody asked for breaks it, which whoever comes next is told.
    local one = pretended("sleep 0.3; " .. answered(1, 1) .. "; " .. answered(1, 1) .. "\nexec cat >/dev/null")
    assert.is_true(one:submit(submission ""))
    assert.are.equal("exit", assert(one:case { number = 1, arguments = {} }).ending)
    support.eventually("it is of no use any more", function() return not one:info().usable end)
    assert.are.equal("protocol", code(one:case { number = 2, arguments = {} }))
    assert.are.equal("sandbox", code(one:case { number = 2, arguments = {} }))
    assert.is_true(one:close())
    nothing_left()
  end)

  it("waits for a silent one only until it is cancelled", function()
    local directory = support.directory()
    assert(directory:write("submitter-sandbox", "#!/bin/sh\nexec sleep 60", { mode = tonumber("755", 8) }))
    assert.are.equal("timeout", (select(3, task.within(50, sandbox.start, options { programs = directory:path() }))))
    nothing_left()
  end)
end)
