local attach = require "fake.attach"
local core = require "core.support"
local host = require "submitter.host"
local http_support = require "core.http_support"
local support = require "support"

local sandbox, task = host.sandbox, host.task
local out, err, message, type_of = attach.out, attach.err, attach.message, attach.type
local duration = http_support.duration

local path = "/v1.41/containers/0123abcd/attach?stream=1&stdin=1&stdout=1&stderr=1"
local limits = { memory_bytes = 64 << 20, cpu_ms = 1000, wall_ms = 20000, output_bytes = 16 << 20, processes = 16,
  file_bytes = 4 << 20 }
local submission = { files = { { name = "main.py", data = "print(1)" } }, program = "main.py", limits = limits }

local function joined(...)
  local whole = {}
  for _, script in ipairs { ... } do table.move(script, 1, #script, #whole + 1, whole) end
  return whole
end

-- What an engine and a runner do that are in good order, step by step.
local opened = { { request = true }, { send = attach.upgraded } }
local built = joined(opened, { { send = out(attach.hello()) }, { ["until"] = type_of.build },
  { send = out(message "ready") } })
local given = joined(built, { { ["until"] = type_of.submission } })
local ended = { { ["until"] = type_of["end"] }, { send = out(message "bye") } }

local function answered(number, text)
  return out(attach.output(number, 1, text) .. attach.result(number, #text))
end

describe("core.sandbox.attach", function()
  local directory, engine, before

  local function start(script)
    engine = attach.start(directory, script)
    before = core.descriptors()
    return engine
  end

  local function connect(more)
    local options = { socket = engine.path, path = path, limits = limits }
    for name, value in pairs(more or {}) do options[name] = value end
    return sandbox.attach(options)
  end

  --- Attached to an engine of this script.
  local function attached(script)
    start(script)
    return assert(connect())
  end

  --- Attached, built and given a submission.
  local function holding(script)
    local one = attached(script)
    assert(one:build())
    assert(one:submit(submission))
    return one
  end

  local function case(one, more)
    local options = { number = 1, arguments = {} }
    for name, value in pairs(more or {}) do options[name] = value end
    return one:case(options)
  end

  --- What attaching says that must fail.
  local function refusal(script, more)
    start(script)
    local one, text, code, status = connect(more)
    assert.is_nil(one)
    assert.are.equal(engine.path .. ": ", text:sub(1, #engine.path + 2))
    return code, text:sub(#engine.path + 3), status
  end

  before_each(function() directory = support.directory() end)

  -- Whatever a spec did: no descriptor of this process and no connection of the engine's is left.
  after_each(function()
    if engine then
      support.eventually("all descriptors are closed", function() return core.descriptors() <= before end)
      support.eventually("all connections are closed", function()
        for _, connection in ipairs(engine:told()) do
          if connection.open then return false end
        end
        return true
      end)
      engine:close()
      engine = nil
    end
    directory:close()
    support.clean()
  end)

  teardown(attach.stop)

  describe("opens the streams", function()
    local function whole_session(one)
      assert(one:build())
      assert.are.same({ protocol = 1, accounting = "container", python = "3.11.2", usable = true }, one:info())
      assert(one:submit(submission))
      local result = assert(case(one))
      assert.are.equal("exit", result.ending)
      assert.are.equal("one\n", result.stdout)
      assert.are.equal("two\n", assert(one:case { number = 2, arguments = { "a" }, stdin = "in" }).stdout)
      assert.is_true(one:close())
    end

    local session = joined(given, { { ["until"] = type_of.case }, { send = answered(1, "one\n") },
      { ["until"] = type_of.case }, { send = answered(2, "two\n") } }, ended)

    local function with(script, change)
      local changed = {}
      for index, step in ipairs(script) do
        changed[index] = {}
        for key, value in pairs(step) do changed[index][key] = value end
        change(changed[index])
      end
      return changed
    end

    it("by 101, with a request that asks to upgrade", function()
      whole_session(attached(session))
      local told = engine:told()[1]
      assert.are.equal("POST " .. path .. " HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        .. "Content-Length: 0\r\n\r\n", told.head)
      assert.are.same({ type_of.build, type_of.file, type_of.submission, type_of.case, type_of.stdin, type_of.case,
        type_of["end"] }, told.types)
    end)

    it("by 200 without an upgrade", function()
      whole_session(attached(with(session, function(step)
        if step.send == attach.upgraded then step.send = attach.not_upgraded end
      end)))
    end)

    it("whatever pieces it comes in", function()
      for _, bytes in ipairs { 1, 2, 3, 9 } do
        whole_session(attached(with(session, function(step) step.piece_bytes = bytes end)))
        engine:close()
      end
    end)

    it("with the runner's first word right behind the answer, and in one piece with it", function()
      local one <close> = attached { { request = true }, { send = attach.upgraded .. out(attach.hello "3.13.1") },
        { ["until"] = type_of.build }, { send = out(message "ready") }, table.unpack(ended) }
      support.eventually("the first word is read without anybody asking", function() return one:info().python end)
      assert.is_false(one:info().usable)
      assert(one:build())
      assert.are.equal("3.13.1", one:info().python)
    end)

    it("with frames of both streams, empty ones and a protocol's frame over several", function()
      local hello = attach.hello()
      local one <close> = attached { { request = true }, { send = attach.upgraded .. out "" .. err "note\n"
        .. out(hello:sub(1, 3)) .. err "" .. out(hello:sub(4, 4)) .. err "another\n" .. attach.frame(0, hello:sub(5)) },
        { ["until"] = type_of.build }, { send = out(message "ready") }, table.unpack(ended) }
      assert(one:build())
    end)

    it("tells no version that the runner didn't tell", function()
      local one <close> = attached(joined(opened, { { pause_ms = 100 }, { send = out(attach.hello "") },
        { ["until"] = type_of.build }, { send = out(message "ready") } }, ended))
      assert.is_nil(one:info().accounting)
      assert(one:build())
      assert.are.same({ protocol = 1, accounting = "container", usable = true }, one:info())
    end)

    it("of a runner behind the walls of this machine #cgroup", function()
      local programs = host.system.executable():match "^(.*)/"
      assert(directory:write("spec", "version=1\nprogram=" .. programs .. "/submitter-runner\n"
        .. "interpreter=/usr/bin/python3\ninterpreter_version=3.x\nmemory_bytes=67108864\ncpu_ms=1000\nwall_ms=20000\n"
        .. "output_bytes=16777216\nprocesses=16\nfile_bytes=4194304\n"))
      local one <close> = attached(joined(opened, { { piece_bytes = 1000,
        run = { programs .. "/submitter-sandbox", "--spec", directory:path() .. "/spec" } } }))
      assert(one:build())
      assert.are.equal("3.x", one:info().python)
      assert(one:submit { files = { { name = "main.py",
        data = "import sys\nprint(sys.argv[1:], len(sys.stdin.read()))\nprint('e', file=sys.stderr)" } },
        program = "main.py", limits = limits })
      local result = assert(one:case { number = 1, arguments = { "a", "b c" }, stdin = ("x"):rep(3000000) })
      assert.are.equal("['a', 'b c'] 3000000\n", result.stdout)
      assert.are.equal("e\n", result.stderr)
      assert.is_true(one:close())
    end)
  end)

  describe("says why there are none", function()
    local function refused(answer, rest)
      return refusal { { request = true }, { send = answer }, table.unpack(rest or { { silent = true } }) }
    end

    it("when the engine refuses", function()
      for _, example in ipairs {
        { 404, "HTTP/1.1 404 Not Found\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
          .. "No such container: x\r\n", ": No such container: x", { { pause_ms = 1 } } },
        { 404, "HTTP/1.1 404 Not Found\r\nContent-Length: 61\r\n\r\n"
          .. '{"cause":"no such container","message":"no container \\"x\\""}\n', ': no container "x"' },
        { 409, "HTTP/1.1 409 Conflict\r\nContent-Length: 37\r\n\r\n" .. '{"message":"container x is paused"} \n',
          ": container x is paused" },
        { 500, "HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n26\r\n"
          .. '{"message":"no space left on device"}\n\r\n0\r\n\r\n', ": no space left on device" },
        { 503, "HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n", "" },
        { 204, "HTTP/1.1 204 No Content\r\n\r\n", "", { { pause_ms = 1 } } },
      } do
        local code, text, status = refused(example[2], example[4])
        assert.are.equal("refused", code)
        assert.are.equal(example[1], status)
        assert.are.equal(("the container engine answered with status %d%s"):format(example[1], example[3]), text)
        engine:close()
      end
    end)

    it("when it answers, but without the streams", function()
      local code, text, status = refused "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
      assert.are.equal("refused", code)
      assert.are.equal(200, status)
      assert.are.equal("the container engine answered with status 200 without the container's streams: OK", text)
    end)

    it("when its reason never comes to an end", function()
      local code, text, status
      local long = "HTTP/1.1 500 X\r\n\r\n" .. ("no "):rep(10000)
      assert.is_true(duration(function() code, text, status = refused(long) end) < 5000)
      assert.are.same({ "refused", 500 }, { code, status })
      assert.is_true(#text < 600, text)
      engine:close()
      local slow = { { request = true }, { send = "HTTP/1.1 409 X\r\n\r\nbecause" }, { silent = true } }
      code, text, status = refusal(slow, { timeout_ms = 200 })
      assert.are.same({ "refused", 409 }, { code, status })
      assert.is_truthy(text:find("409: because", 1, true), text)
    end)

    it("when nobody is there", function()
      start {}
      local real = engine.path
      local function nobody(socket)
        local one, text, code, status = connect { socket = socket }
        assert.is_nil(one)
        assert.are.equal("connect", code)
        assert.is_nil(status)
        return text
      end
      local text = nobody(real .. "-missing")
      assert.are.equal(real .. "-missing: no connection to the container engine: no such file or directory (ENOENT); "
        .. "is the container engine running?", text)
      assert(directory:write("file", ""))
      assert.is_truthy(nobody(directory:path() .. "/file"):find("ECONNREFUSED", 1, true))
      assert.is_truthy(nobody("/" .. ("x"):rep(300)):find("ENAMETOOLONG", 1, true))
    end)

    it("when it goes away before it has answered", function()
      for _, script in ipairs {
        {}, { { request = true } }, { { request = true }, { send = attach.upgraded:sub(1, 30) } },
        { { close = "reset" } },
        { { request = true }, { send = "HTTP/1.1 100 Continue\r\n\r\n" } },
      } do
        local code, text = refusal(script)
        assert.are.equal("cut", code)
        assert.is_truthy(text:find("the connection before it answered", 1, true), text)
        engine:close()
      end
    end)

    it("when it is another server, or none", function()
      for _, answer in ipairs { "220 mail.example ESMTP\r\n", "\r\n", "HTTP/2 200\r\n\r\n", ("x"):rep(20000),
        "HTTP/1.1 101 X\r\n" .. ("A: b\r\n"):rep(5000) } do
        local code, text = refused(answer)
        assert.are.equal("cut", code)
        assert.is_truthy(text:find("whoever listens there is no container engine", 1, true), text)
        engine:close()
      end
    end)

    it("when it is silent, or slower than it may be", function()
      for _, script in ipairs {
        { { silent = true } }, { { request = true }, { silent = true } },
        { { request = true }, { send = attach.upgraded, piece_bytes = 1, every_ms = 50 }, { silent = true } },
      } do
        local code, text
        local taken = duration(function() code, text = refusal(script, { timeout_ms = 300 }) end)
        assert.are.equal("timeout", code)
        assert.are.equal("timed out: no answer of the container engine within 300 ms", text)
        assert.is_true(taken >= 290 and taken < 5000, taken)
        engine:close()
      end
    end)
  end)

  describe("is cancelled", function()
    local function cancelled(body)
      local running = task.spawn("waiting", body)
      host.clock.sleep_ms(50)
      running:cancel()
      local good, text = running:join()
      assert.is_falsy(good)
      assert.is_truthy(tostring(text):find "cancelled", text)
    end

    local function gone()
      support.eventually("the engine sees the connection's end", function() return not engine:told()[1].open end)
    end

    it("while it waits for the answer", function()
      start { { request = true }, { silent = true } }
      cancelled(function() connect() end)
      gone()
    end)

    it("while it waits for the rest of a refusal", function()
      start { { request = true }, { send = "HTTP/1.1 404 X\r\n\r\n" }, { silent = true } }
      cancelled(function() connect() end)
      gone()
    end)

    it("while it waits for the runner's first word", function()
      local one <close> = attached(joined(opened, { { silent = true } }))
      cancelled(function() one:build() end)
      gone()
      assert.is_false(one:info().usable)
    end)

    it("while it waits for the walls", function()
      local one <close> = attached(joined(opened, { { send = out(attach.hello()) }, { ["until"] = type_of.build },
        { to_end = true } }))
      cancelled(function() one:build() end)
      gone()
      assert.is_true(engine:told()[1].half_closed)
    end)

    it("while it waits for a case, whose submission was given", function()
      local one = holding(joined(given, { { ["until"] = type_of.case }, { to_end = true } }))
      cancelled(function() case(one) end)
      assert.are.equal("sandbox", core.code(case(one)))
      local taken = duration(function() assert.is_true(one:close()) end)
      assert.is_true(taken < 2000, taken)
      gone()
      assert.is_true(engine:told()[1].half_closed)
    end)

    it("while the engine takes no more of what is written", function()
      local one = holding(joined(given, { { silent = true } }))
      cancelled(function() case(one, { stdin = ("x"):rep(10 << 20) }) end)
      assert.are.equal("sandbox", core.code(case(one)))
      one = nil -- luacheck: ignore
      collectgarbage()
      gone()
    end)
  end)

  describe("is cut", function()
    local function cut(tail, script)
      local one <close> = holding(joined(given, { { ["until"] = type_of.case } }, script))
      local result, text, code = case(one)
      assert.is_nil(result)
      assert.are.equal("cut", code)
      assert.are.equal("the container's stream ended unexpectedly" .. tail, text)
      assert.are.equal("sandbox", core.code(case(one)))
    end

    it("in the middle of a case", function() cut("", {}) end)

    it("in the middle of frames, of its own and of the runner's", function()
      cut(" (in the middle of a frame)", { { send = answered(1, "one"):sub(1, 5) } })
      engine:close()
      cut(" (in the middle of a frame)", { { send = answered(1, "one"):sub(1, 12) } })
      engine:close()
      cut("", { { send = out(attach.result(1):sub(1, 12)) } })
    end)

    it("by a reset", function()
      local one <close> = holding(joined(given, { { close = "reset" } }))
      local result, text, code = case(one)
      assert.is_nil(result)
      assert.are.equal("cut", code)
      assert.is_truthy(text:find("connection reset by peer", 1, true), text)
    end)

    it("with what was said on standard error, or the end of that", function()
      cut(": submitter-sandbox: no walls", { { send = err "submitter-sandbox: " .. err "no walls\n\n" } })
      engine:close()
      local long = "\n" .. ("0123456789"):rep(1000) .. "the end\n"
      cut(": " .. long:sub(-1024, -2), { { send = err(long) } })
    end)

    it("with a whole character at the beginning of the end", function()
      cut(": " .. ("ä"):rep(511), { { send = err(("ä"):rep(2000) .. "\n") } })
    end)

    it("before it was built", function()
      local one <close> = attached(joined(opened, { { send = err "no such program\n" } }))
      local good, text, code = one:build()
      assert.is_nil(good)
      assert.are.equal("cut", code)
      assert.are.equal("the container's stream ended unexpectedly: no such program", text)
    end)

    it("while it waited for a submission, whose hand-over is told why", function()
      local one <close> = attached(joined(built, { { send = err "killed\n" } }))
      assert(one:build())
      support.eventually("it is known to be of no use", function() return not one:info().usable end)
      local good, text, code = one:submit(submission)
      assert.is_nil(good)
      assert.are.equal("cut", code)
      assert.are.equal("the container's stream ended unexpectedly: killed", text)
      assert.are.equal("sandbox", core.code(one:submit(submission)))
      assert.is_true(one:close())
    end)
  end)

  it("breaks at what isn't in frames, and at a runner out of order", function()
    local ready = message "ready"
    for bytes, expected in pairs {
      ["Python 3.11.2 (main)\n"] = "isn't in frames",
      [attach.frame(3, ready)] = "isn't in frames",
      [string.pack(">I1I1I1I1s4", 1, 0, 1, 0, ready)] = "isn't in frames",
      [out(ready)] = "READY out of turn",
      [out "\255\255\255\255\255\255"] = "",
      [out(attach.hello() .. attach.hello())] = "HELLO out of turn",
    } do
      local one <close> = attached(joined(opened, { { send = bytes }, { to_end = true } }))
      local good, text, code = one:build()
      assert.is_nil(good)
      assert.are.equal("protocol", code)
      assert.is_truthy(text:find(expected, 1, true), text)
      engine:close()
    end
  end)

  it("believes no failure that blames the student, and takes words of the runner's own", function()
    for word, expected in pairs { rejected = "sandbox", late = "sandbox", lease_lost = "sandbox", cut = "sandbox",
      mem = "sandbox", memory_ = "sandbox", memory = "memory", walls = "walls" } do
      local one <close> = attached(joined(opened, { { send = out(attach.hello()) }, { ["until"] = type_of.build },
        { send = out(attach.failure(true, 0, word, "it says so")) }, { to_end = true } }))
      local good, text, code = one:build()
      assert.is_nil(good)
      assert.are.same({ expected, "it says so" }, { code, text })
      engine:close()
    end
    local one <close> = holding(joined(given, { { ["until"] = type_of.case },
      { send = out(attach.failure(false, 1, "policy", "not the program's")) }, { ["until"] = type_of.case },
      { send = answered(1, "done") } }, ended))
    assert.are.equal("sandbox", core.code(case(one)))
    assert.are.equal("done", assert(case(one)).stdout)
  end)

  it("reads the largest amounts that a runner can tell", function()
    local one <close> = holding(joined(given, { { ["until"] = type_of.case },
      { send = out(attach.result(1, 0, math.maxinteger)) } }, ended))
    local result = assert(case(one))
    assert.are.same({ math.maxinteger, math.maxinteger // 1000 + 1 }, { result.cpu_us, result.cpu_ms })
  end)

  it("takes any amount on standard error", function()
    local flood = { send = err(("e"):rep(1 << 16)), times = 320 }
    local one <close> = holding(joined(opened, { { send = out(attach.hello()) }, flood, { ["until"] = type_of.build },
      { send = out(message "ready") }, { ["until"] = type_of.case }, flood, { send = answered(1, "done") } }, ended))
    assert.are.equal("done", assert(case(one)).stdout)
  end)

  it("takes 10 MB of output, and no more than is allowed", function()
    local text = ("0123456789abcdef"):rep(4096)
    local much = { send = out(attach.output(1, 1, text)), times = 160 }
    local one <close> = holding(joined(given, { { ["until"] = type_of.case }, much,
      { send = out(attach.result(1, 160 * #text)) } }, ended))
    assert.are.equal(text:rep(160), assert(case(one)).stdout)
    engine:close()
    local another <close> = holding(joined(given, { { ["until"] = type_of.case }, much, { to_end = true } }))
    local smaller = { output_bytes = 1 << 20 }
    for name, value in pairs(limits) do smaller[name] = smaller[name] or value end
    assert.are.equal("protocol", core.code(case(another, { limits = smaller })))
  end)

  it("gives 10 MB of input to a container that takes it slowly", function()
    local one <close> = holding(joined(given, { { ["until"] = type_of.case, read_every_ms = 1 },
      { send = answered(1, "done") } }, ended))
    assert.are.equal("done", assert(case(one, { stdin = ("0123456789"):rep(1 << 20) })).stdout)
    assert.is_true(engine:told()[1].received > 10 << 20)
  end)

  describe("is closed", function()
    it("at once when the container has said nothing, started or not", function()
      local one = attached(joined(opened, { { silent = true } }))
      local taken = duration(function() assert.is_true(one:close()) end)
      assert.is_true(taken < 2000, taken)
    end)

    it("by half when the runner doesn't end", function()
      local one = holding(joined(given, { { ["until"] = type_of["end"] }, { to_end = true } }))
      local taken = duration(function() assert.is_true(one:close()) end)
      assert.is_true(taken >= 2900 and taken < 10000, taken)
      assert.is_true(engine:told()[1].half_closed)
    end)

    it("by the collector", function()
      local one = attached(joined(built, { { to_end = true } }))
      assert(one:build())
      one = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      support.eventually("the engine sees its end", function() return not engine:told()[1].open end)
    end)
  end)

  it("leaves nothing when the script ends, wherever it is", function()
    assert(directory:write("script.lua", [[
      local clock, sandbox = require "submitter.core.clock", require "submitter.core.sandbox"
      local limits = { memory_bytes = 64 << 20, cpu_ms = 1000, wall_ms = 20000, output_bytes = 1 << 20, processes = 16,
        file_bytes = 4 << 20 }
      local program = { files = { { name = "main.py", data = "" } }, program = "main.py", limits = limits }
      require "submitter.core.task".spawn("left", function()
        kept = assert(sandbox.attach { socket = arg[1], path = "/", limits = limits })
        if arg[2] == "kept" then return end
        assert(kept:build())
        assert(kept:submit(program))
        kept:case { number = 1, arguments = {}, stdin = ("x"):rep(4 << 20) }
      end)
      clock.sleep_ms(200)]]))
    local script = directory:path() .. "/script.lua"
    for _, example in ipairs {
      { "the answer is awaited", { { request = true }, { silent = true } } },
      { "the first word is awaited", joined(opened, { { silent = true } }) },
      { "nothing is asked", joined(opened, { { send = out(attach.hello()) }, { silent = true } }), "kept" },
      { "a case runs", joined(given, { { ["until"] = type_of.case }, { to_end = true } }) },
      { "input isn't taken", joined(given, { { silent = true } }) },
    } do
      start(example[2])
      local result
      local taken = duration(function() result = core.program { "run", script, engine.path, example[3] } end)
      assert.are.same({ 0, "" }, { result.exit_code, result.stderr }, example[1])
      assert.is_true(taken < 5000, example[1])
      support.eventually(example[1], function() return not engine:told()[1].open end)
      engine:close()
    end
  end)

  it("names misuse", function()
    start(joined(built, ended))
    local function misuse(expected, body, ...)
      local good, text = pcall(body, ...)
      assert.is_false(good)
      assert.is_truthy(tostring(text):find(expected, 1, true), text)
    end
    for _, example in ipairs {
      { { socket = "engine.sock" }, "sandbox.attach: socket is the absolute path" },
      { { path = "containers" }, "sandbox.attach: path begins with /" },
      { { path = "/a b" }, "sandbox.attach: path begins with /" },
      { { path = "/a\r\nHost: b" }, "sandbox.attach: path begins with /" },
      { { path = "/a\0" }, "path holds a NUL byte" },
      { { interpreter = "/usr/bin/python3" }, "interpreter" },
      { { timeout_ms = 0 }, "timeout_ms" },
      { { limits = {} }, "limits.memory_bytes" },
    } do
      misuse(example[2], connect, example[1])
    end
    local one <close> = assert(connect())
    misuse("Sandbox:build comes first", one.submit, one, submission)
    misuse("Sandbox:submit comes first", one.case, one, { number = 1, arguments = {} })
    assert(one:build())
    misuse("a Sandbox is built once", one.build, one)
  end)
end)
