local host = require "submitter.host"
local sandbox_runner = require "submitter.runner.sandbox"
local support = require "spec.support"

local ceilings = { memory_bytes = 1 << 30 }
local limits = { memory_bytes = 64 << 20 }

describe("the built-in runner", function()
  local runner, started, open, restore, fail, broken

  -- A sandbox that records what it is asked.
  local function start(options)
    local sandbox = { options = options, number = #started + 1 }
    started[sandbox.number] = sandbox
    host.clock.sleep_ms(2)
    if fail() then return nil, "no cgroup", "environment" end
    open = open + 1
    function sandbox.info() return { protocol = 1, accounting = "cgroup", python = "3.11.2" } end
    function sandbox:submit(submission)
      if broken[self.number] then return nil, "it is gone", "sandbox" end
      self.submission = submission
      return true
    end
    function sandbox.case(_, case) return { case = case } end
    function sandbox:close()
      if not self.closed then
        self.closed = true
        open = open - 1
      end
      return true
    end
    return sandbox
  end

  before_each(function()
    started, open, broken, fail = {}, 0, {}, function() return false end
    restore = support.replace(host.sandbox, { start = start })
    runner = assert(sandbox_runner.open {
      python = "/usr/bin/python3", accounting = "cgroup", cgroup_parent = "/x", processors = 0.5,
      policy = { limits = ceilings },
    })
  end)

  after_each(function()
    runner:close()
    assert.are.equal(0, open)
    restore()
  end)

  it("says which interpreter it has", function()
    local described = runner:describe()
    assert.matches("^3%.", described.version)
    assert.are.same({ "sandbox", "python", "cgroup" }, { described.kind, described.language, described.accounting })
    local missing, message, code = sandbox_runner.open { python = "/nowhere/python3", policy = { limits = {} } }
    assert.is_nil(missing)
    assert.are.equal("environment", code)
    assert.matches("/nowhere/python3", message, 1, true)
  end)

  it("builds a sandbox for the limits, and hands over and passes on", function()
    local session = assert(runner:start(limits))
    assert.are.same({
      limits = limits, interpreter = "/usr/bin/python3", accounting = "cgroup", cgroup_parent = "/x",
      processors = 0.5,
    }, started[1].options)
    assert.are.same({ kind = "sandbox", language = "python", version = "3.11.2", accounting = "cgroup" },
      session:describe())
    assert(session:submit { name = "a.py", source = "pass", limits = limits })
    assert.are.same({ files = { { name = "a.py", data = "pass" } }, program = "a.py", limits = limits },
      started[1].submission)
    assert.are.same({ case = { number = 1, arguments = { "x" }, stdin = "y", limits = limits } },
      session:case { number = 1, arguments = { "x" }, stdin = "y" })
    assert.is_true(session:close())
    assert.is_true(session:close())
    assert.are.equal(1, #started)
  end)

  it("says why it can't", function()
    fail = function() return true end
    assert.are.same({ nil, "no cgroup", "environment" }, { runner:start(limits) })
    assert.are.same({ nil, "no cgroup", "environment" }, { runner:warm(2) })
    assert.are.same({ nil, "no cgroup", "environment" }, { runner:start(limits) })
  end)

  it("keeps some ready, for the ceilings, and makes another when one has ended", function()
    assert.is_true(runner:warm(2))
    support.eventually("both", function() return open == 2 end)
    local session = assert(runner:start(limits))
    assert.are.equal(2, #started)
    assert.are.equal(ceilings, started[1].options.limits)
    assert(session:submit { name = "a.py", source = "pass", limits = limits })
    assert.are.equal(limits, started[1].submission.limits)
    assert.are.equal(2, #started)
    session:close()
    support.eventually("another", function() return #started == 3 and open == 2 end)
    session:close()
    host.clock.sleep_ms(5)
    assert.are.equal(3, #started)
  end)

  it("builds more when more are needed than are ready", function()
    runner:warm(1)
    local one, other = assert(runner:start(limits)), assert(runner:start(limits))
    assert.are.equal(limits, started[2].options.limits)
    one:close()
    other:close()
    support.eventually("the next", function() return open == 1 end)
    assert.are.equal(3, #started)
  end)

  it("replaces one that died while it stood ready, once", function()
    runner:warm(1)
    support.eventually("it", function() return open == 1 end)
    broken[1] = true
    local session = assert(runner:start(limits))
    assert(session:submit { name = "a.py", source = "pass", limits = limits })
    assert.is_true(started[1].closed)
    assert.are.equal(limits, started[2].options.limits)
    session:close()
    runner:close()
    broken[#started + 1] = true
    session = assert(runner:start(limits))
    local program = { name = "a.py", source = "", limits = limits }
    assert.are.same({ nil, "it is gone", "sandbox" }, { session:submit(program) })
    session:close()
  end)

  it("loses none to who was cancelled while he waited", function()
    local warming = host.task.spawn("warming", function() return runner:warm(1) end)
    local waiting = host.task.spawn("waiting", function() return runner:start(limits) end)
    host.clock.sleep_ms(0)
    waiting:cancel("not needed")
    waiting:join()
    warming:join()
    support.eventually("it", function() return open == 1 end)
    assert(runner:start(limits)):close()
    assert.is_true(started[1].closed)
  end)
end)
