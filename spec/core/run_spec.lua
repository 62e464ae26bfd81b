local core = require "core.support"
local host = require "submitter.host"
local support = require "support"

describe("submitter run", function()
  local directory
  before_each(function() directory = support.directory() end)
  after_each(support.clean)

  --- Runs a script as it is written, without what core.script puts before it.
  local function run(text, arguments, options)
    assert(directory:write("script.lua", text))
    return core.program({ "run", directory:path() .. "/script.lua", table.unpack(arguments or {}) }, options)
  end

  it("hands arguments over as arg and ...", function()
    local result = run("print(select('#', ...), ...) print(#arg, arg[1], arg[2], arg[3]) print(arg[0], arg[-1])",
      { "a b", "", "--help" })
    assert.are.equal(("3\ta b\t\t--help\n3\ta b\t\t--help\n%s/script.lua\trun\n"):format(directory:path()),
      result.stdout)
    assert.are.equal("", result.stderr)
    assert.are.equal(0, result.exit_code)
  end)

  it("hands any bytes but NUL over", function()
    local result = run("io.write((...))", { "\1\xff\n'\"$" })
    assert.are.equal("\1\xff\n'\"$", result.stdout)
    local many = {}
    for number = 1, 5000 do many[number] = "x" end
    assert.are.equal("5000\n", run("print(select('#', ...))", many).stdout)
  end)

  it("skips a #! line", function()
    assert.are.equal("1\n", run("#!/usr/bin/env submitter run\nprint(1)").stdout)
    assert.matches(":2: it broke", run("#!/x\nerror 'it broke'").stderr)
  end)

  it("reads standard input for -", function()
    local result = core.program({ "run", "-", "x" }, { input = "#!x\nprint('in', ..., arg[0])" })
    assert.are.equal("in\tx\t-\n", result.stdout)
    assert.matches("stdin:1: it broke", core.program({ "run", "-" }, { input = "error 'it broke'" }).stderr)
  end)

  it("waits at the top level", function()
    assert.are.equal("true\n", run("print(require 'submitter.core.clock'.sleep_ms(1))").stdout)
  end)

  describe("ends", function()
    it("with 1, the message and a traceback after an error", function()
      local result = run("local function deep() error 'it broke' end\ndeep()\nreturn")
      assert.are.equal(1, result.exit_code)
      assert.matches("^submitter: .*script.lua:1: it broke\nstack traceback:\n.*deep", result.stderr)
      assert.are.equal("", result.stdout)
    end)

    it("with 1 for a script that is missing or none", function()
      local missing = core.program { "run", directory:path() .. "/none.lua" }
      assert.are.equal(1, missing.exit_code)
      assert.matches("^submitter: cannot open .*none.lua", missing.stderr)
      local broken = run "x ="
      assert.are.equal(1, broken.exit_code)
      assert.matches("script.lua:1: ", broken.stderr)
      assert.are.equal(1, core.program({ "run", directory:path() }).exit_code)
    end)

    it("with 1 for error objects, shown by their __tostring", function()
      local result = run("error(setmetatable({}, { __tostring = function() return 'an object' end }))")
      assert.are.equal(1, result.exit_code)
      assert.are.equal("submitter: an object\n", result.stderr)
      result = run("error({})")
      assert.are.equal(1, result.exit_code)
      assert.matches("error object is a table value", result.stderr)
      assert.are.equal(1, run("error()").exit_code)
      assert.are.equal(1, run("error(setmetatable({}, { __tostring = function() error 'x' end }))").exit_code)
      assert.are.equal(1, run("error(setmetatable({}, { __tostring = function() return 5 end }))").exit_code)
    end)

    it("with what os.exit says", function()
      for call, expected in pairs {
        ["os.exit(true)"] = 0, ["os.exit(false)"] = 1, ["os.exit()"] = 0, ["os.exit(7)"] = 7,
          ["os.exit(true, true)"] = 0,
        ["os.exit(false, true)"] = 1, ["os.exit(9, true)"] = 9, ["os.exit(255)"] = 255, ["os.exit(256)"] = 0,
        ["return 5"] = 0,
      } do
        local result = run("io.write 'x' " .. call)
        assert.are.equal(expected, result.exit_code, call .. result.stderr)
        assert.are.equal("x", result.stdout)
        assert.are.equal("", result.stderr)
      end
    end)

    it("with what os.exit says in a task, in a coroutine, and with work under way", function()
      local text = [[
        local task, clock = require "submitter.core.task", require "submitter.core.clock"
        local file, child = require "submitter.core.file", require "submitter.core.child"
        local directory = file.directory(...)
        for number = 1, 10 do
          task.spawn("w", function() directory:write("f" .. number, ("x"):rep(1000000)) end)
          task.spawn("s", function() task.within(60000, clock.sleep_ms, 60000) end)
          task.spawn("c", function() child.run { program = "/bin/sleep", arguments = { "60" } } end)
        end
        task.on_signal("USR1", print)
        local watch = directory:watch "."
        task.spawn("watch", function() watch:wait() end)
        task.spawn("exit", function() clock.sleep_ms(2) %s end)
        clock.sleep_ms(60000)]]
      for _, call in ipairs { "os.exit(7)", "os.exit(7, true)", "coroutine.wrap(function() os.exit(7, true) end)()" } do
        local result = run(text:format(call), { directory:path() })
        assert.are.equal("", result.stderr)
        assert.are.equal(7, result.exit_code)
        assert.are.equal(1000000, assert(directory:stat("f10")).size_bytes)
      end
    end)

    it("closing what the state holds, when asked", function()
      local text = "setmetatable({}, { __gc = function() print 'collected' end }) os.exit(3, %s)"
      assert.are.equal("collected\n", run(text:format("true")).stdout)
      assert.are.equal("", run(text:format("false")).stdout)
    end)

    it("by the signal that nobody handles", function()
      local child <close> = assert(host.child.start {
        program = host.system.executable(), arguments = { "run", "-" }, stdin = "pipe", stdout = "pipe",
        environment = core.environment(),
      })
      assert(child:write("print 'up' io.stdout:flush() require 'submitter.core.clock'.sleep_ms(60000)"))
      child:close_input()
      assert.are.equal("up\n", child:read("stdout"))
      child:kill("TERM")
      assert.are.equal("SIGTERM", child:wait().signal)
    end)
  end)

  it("survives standard streams that are closed", function()
    assert(directory:write("script.lua", [[
      local directory = assert(require "submitter.core.file".directory(...))
      local log = require "submitter.core.log"
      local kept <close> = io.open(... .. "/own", "w")
      log.info "logged"
      print "printed"
      kept:write "own"
      local child = require "submitter.core.child"
      directory:write("x", assert(child.run { program = "/bin/cat", input = "through" }).stdout)]]))
    local result = assert(host.child.run {
      program = "/bin/sh", environment = core.environment(),
      arguments = { "-c", '"$0" run "$1/script.lua" "$1" <&- >&- 2>&-', host.system.executable(), directory:path() },
    })
    assert.are.equal(0, result.exit_code)
    assert.are.equal("through", directory:read("x"))
    assert.are.equal("own", directory:read("own"))
  end)

  it("tells when descriptors are used up, and goes on", function()
    assert(directory:write("script.lua", [[
      local file, child = require "submitter.core.file", require "submitter.core.child"
      local directory, kept = assert(file.directory(...)), {}
      while true do
        local one, _, code = file.directory "/"
        if not one then print(code) break end
        kept[#kept + 1] = one
      end
      local function code(...) print((select(3, ...))) end
      code(child.run { program = "/bin/true" })
      code(directory:replace("x", "1"))
      code(directory:read "script.lua")
      code(directory:lock "l")
      code(directory:watch ".")
      code(directory:remove_tree "x")
      kept = nil
      collectgarbage()
      print(directory:replace("x", "1"))]]))
    local result = assert(host.child.run {
      program = "/bin/sh", environment = core.environment(),
      arguments = { "-c", 'ulimit -n 150; exec "$0" run "$1/script.lua" "$1"', host.system.executable(),
        directory:path() },
    })
    assert.are.equal(("EMFILE\n"):rep(7) .. "true\n", result.stdout, result.stderr)
  end)

  it("explains itself", function()
    local help = core.program { "run", "--help" }
    assert.are.equal(0, help.exit_code)
    assert.matches("^Usage: submitter run SCRIPT.lua", help.stdout)
    local usage = core.program { "run" }
    assert.are.equal(2, usage.exit_code)
    assert.matches("^Usage: ", usage.stderr)
    assert.are.equal("", usage.stdout)
  end)

  describe("environment", function()
    it("has LUA_INIT, a chunk or a file", function()
      local result = run("print(started)", nil, { environment = { LUA_INIT = "started = 'by init'" } })
      assert.are.equal("by init\n", result.stdout)
      assert(directory:write("init.lua", "started = 'by file ' .. arg[0]:match('[^/]*$')"))
      result = run("print(started)", nil, { environment = { LUA_INIT = "@" .. directory:path() .. "/init.lua" } })
      assert.are.equal("by file script.lua\n", result.stdout)
      result = run("print(started)", nil, { environment = { LUA_INIT = "started = 1", LUA_INIT_5_4 = "started = 2" } })
      assert.are.equal("2\n", result.stdout)
      result = run("print(1)", nil, { environment = { LUA_INIT = "error 'it broke'" } })
      assert.are.equal(1, result.exit_code)
      assert.matches("LUA_INIT:1: it broke", result.stderr)
      assert.are.equal("", result.stdout)
    end)

    it("has LUA_PATH, for run only", function()
      assert(directory:make("submitter/cli", { parents = true }))
      assert(directory:write("mine.lua", "return 'mine'"))
      assert(directory:write("submitter/cli/init.lua", "return { main = function() print 'planted' return 0 end }"))
      local environment = { LUA_PATH = directory:path() .. "/?.lua;" .. directory:path() .. "/?/init.lua;;",
        LUA_INIT = "print 'init'", LUA_CPATH = directory:path() .. "/?.so" }
      local result = run("print((require 'mine'))", nil, { environment = environment })
      assert.are.equal("init\nmine\n", result.stdout)
      for _, options in ipairs { { environment = environment, directory = directory }, { directory = directory } } do
        result = core.program({ "--version" }, options)
        assert.is_nil(result.stdout:find("planted"))
        assert.is_nil(result.stdout:find("init"))
        assert.are.equal(0, result.exit_code, result.stderr)
      end
    end)

    it("finds the project's own modules first", function()
      assert(directory:make("submitter", { parents = true }))
      assert(directory:write("submitter/host.lua", "error 'planted'"))
      local result = run("print(require 'submitter.host'.system.version())", nil, { directory = directory })
      assert.matches("^%d", result.stdout)
    end)
  end)
end)
