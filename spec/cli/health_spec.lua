--- `submitter health`, as what restarts workers calls it.
local health = require "submitter.cli.health"
local host = require "submitter.host"
local support = require "spec.cli.support"

describe("health", function()
  describe("judges that a worker", function()
    local now_ms = 1000000000

    local function judge(alive_s, due_s, alive_only, problem)
      return health.judge({ name = "host-1-ab", problem = problem, alive_ms = alive_s and now_ms - alive_s * 1000,
        due_ms = due_s and now_ms - due_s * 1000 }, now_ms, alive_only)
    end

    it("is well", function()
      assert.is_nil(judge(0, 0))
      assert.is_nil(judge(30, 150))
      assert.is_nil(judge(-2, -2))
    end)

    it("has just begun", function()
      assert.are.equal("it hasn't given a sign of life yet", judge())
    end)

    it("hangs, whatever its queue said last", function()
      assert.are.equal("it hangs: no sign of life for 31 s", judge(31, 0))
      assert.are.equal("it hangs: no sign of life for 31 s", judge(31, 0, true))
    end)

    it("doesn't hear of its queue, which is no reason to restart it", function()
      assert.are.equal("its queue gave no answer for 151 s: no route", judge(1, 151, false, "no route"))
      assert.are.equal("its queue gave no answer for 151 s: it doesn't say why", judge(1, 151))
      assert.is_nil(judge(1, 151, true, "no route"))
    end)
  end)

  describe("looks at", function()
    local folder, lock

    before_each(function() folder = support.folder() end)
    after_each(function()
      if lock then lock:release() end
      lock = nil
      folder.remove_all()
    end)

    local function run(...)
      local ended = support.submitter(folder, { "health", ... })
      return ended.stdout .. ended.stderr, ended.exit_code
    end

    local machine = host.system.hostname():gsub("[^%w%.]", "_"):sub(1, 64)

    -- A worker with its folder locked, as one that lives has it.
    local function living(name, life)
      folder:write("var/jobs/" .. name .. "/life.json", life)
      lock = assert(folder.directory:lock("var/jobs/" .. name .. "/."))
    end

    local function life(age_ms)
      local at_ms = host.clock.now_ms() - age_ms
      return host.json.encode { alive_ms = at_ms, due_ms = at_ms }
    end

    it("nothing, where no worker runs", function()
      local text, code = run()
      assert.are.same({ "no worker runs here\n", 1 }, { text, code })
      -- One that was killed: nobody holds its lock.
      folder:write(("var/jobs/%s-7-ab/life.json"):format(machine), life(0))
      text, code = run()
      assert.are.same({ "no worker runs here\n", 1 }, { text, code })
    end)

    it("the worker that lives", function()
      living(machine .. "-7-ab", life(0))
      local text, code = run()
      assert.are.same({ machine .. "-7-ab: well\n", 0 }, { text, code })
      assert.are.equal(0, select(2, run("--pid", "7")))
      text, code = run("--pid", "8")
      assert.are.same({ "no worker runs here\n", 1 }, { text, code })
    end)

    it("one that hangs, and one that left nonsense", function()
      living(machine .. "-7-ab", life(100000))
      local text, code = run "--alive"
      assert.are.equal(1, code)
      assert.matches("it hangs: no sign of life for 10%d s", text)
      folder:write(("var/jobs/%s-7-ab/life.json"):format(machine), '{"alive_ms": "now"}')
      text, code = run()
      assert.are.equal(1, code)
      assert.matches("hasn't given a sign of life yet", text, 1, true)
    end)

    it("no worker of another machine that shares the folder", function()
      living("elsewhere-7-ab", life(0))
      assert.are.equal(1, select(2, run()))
    end)

    it("takes a number", function()
      local text, code = run("--pid", "one")
      assert.are.equal(2, code)
      assert.matches("--pid", text, 1, true)
    end)
  end)

  it("says that a real worker is well, and then that it is gone", function()
    local folder = support.folder()
    local child = assert(host.child.start {
      program = host.system.executable(), arguments = { "serve" }, stdin = "null", stdout = "null", stderr = "null",
      environment = { PATH = "/usr/bin:/bin", SUBMITTER_VAR = folder.var, SUBMITTER_CONFIG =
        folder:write("submitter.lua", "return { slots = 1, accounting = 'rlimit' }\n") },
    })
    local ended
    for _ = 1, 300 do
      ended = support.submitter(folder, { "health", "--pid", tostring(child:pid()) })
      if ended.exit_code == 0 then break end
      host.clock.sleep_ms(100)
    end
    assert.are.equal(0, ended.exit_code, ended.stdout)
    child:kill "TERM"
    assert.are.equal(0, child:wait().exit_code)
    ended = support.submitter(folder, { "health" })
    assert.are.same({ "no worker runs here\n", 1 }, { ended.stdout, ended.exit_code })
    folder.remove_all()
  end)
end)
