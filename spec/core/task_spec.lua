local core = require "core.support"
local host = require "submitter.host"
local support = require "support"

local task, clock = host.task, host.clock

describe("core.task", function()
  after_each(support.clean)

  describe("spawn", function()
    it("starts nothing at once, and then in the order of spawning", function()
      local seen, tasks = {}, {}
      for number = 1, 5 do
        tasks[number] = task.spawn("t" .. number, function(...) seen[#seen + 1] = table.concat({ ... }, ",") end,
          number, "x")
      end
      assert.are.same({}, seen)
      for _, one in ipairs(tasks) do assert.is_true(one:join()) end
      assert.are.same({ "1,x", "2,x", "3,x", "4,x", "5,x" }, seen)
    end)

    it("runs tasks that tasks spawn", function()
      local outer = task.spawn("outer", function()
        return select(2, task.spawn("inner", function() clock.sleep_ms(1) return 7 end):join())
      end)
      assert.are.same({ true, 7 }, { outer:join() })
    end)

    it("refuses what is no name or no function", function()
      assert.error_matches(function() task.spawn(nil, print) end, "string expected")
      assert.error_matches(function() task.spawn("name", "print") end, "function expected")
    end)

    it("knows names, states and equality", function()
      local one = task.spawn("one", function() end)
      assert.are.equal("one", one:name())
      assert.is_false(one:done())
      assert.matches("^Task%(one, ready%)$", tostring(one))
      one:join()
      assert.is_true(one:done())
      assert.matches("^Task%(one, ended%)$", tostring(one))
      assert.are.equal(task.current(), task.current())
      assert.are_not.equal(task.current(), one)
      assert.are.equal("main", task.current():name())
    end)

    it("counts tasks", function()
      local before = task.count()
      local one = task.spawn("one", function() clock.sleep_ms(1) end)
      assert.are.equal(before + 1, task.count())
      one:join()
      assert.are.equal(before, task.count())
    end)
  end)

  describe("join", function()
    it("returns all results, nil among them, each time", function()
      local one = task.spawn("one", function() return 1, nil, "x", nil end)
      assert.are.equal(5, select("#", one:join()))
      assert.are.same({ true, 1, nil, "x" }, { one:join() })
      assert.are.equal(5, select("#", one:join()))
    end)

    it("returns many results", function()
      local one = task.spawn("one", function() return table.unpack({}, 1, 5000) end)
      assert.are.equal(5001, select("#", one:join()))
    end)

    it("hands over many arguments", function()
      local one = task.spawn("one", function(...) return select("#", ...), ... end, table.unpack({}, 1, 5000))
      assert.are.equal(5000, (select(2, one:join())))
    end)

    it("lets several wait", function()
      local one = task.spawn("one", function() clock.sleep_ms(5) return "r" end)
      local waiters = {}
      for number = 1, 10 do waiters[number] = task.spawn("w", function() return one:join() end) end
      for _, waiter in ipairs(waiters) do assert.are.same({ true, true, "r" }, { waiter:join() }) end
    end)

    it("tells an error: message, code and traceback", function()
      local function deep() error("it broke") end
      local one = task.spawn("one", function() deep() end)
      local result, message, code, traceback = one:join()
      assert.is_nil(result)
      assert.matches("it broke$", message)
      assert.are.equal("failed", code)
      assert.matches("stack traceback.*deep", traceback)
    end)

    it("tells an error after a wait with its traceback", function()
      local function deep() clock.sleep_ms(1) error("it broke") end
      local _, message, code, traceback = task.spawn("one", function() deep() return 1 end):join()
      assert.matches("it broke$", message)
      assert.are.equal("failed", code)
      assert.matches("deep", traceback)
    end)

    it("tells errors that are no strings", function()
      assert.are.equal("42", (select(2, task.spawn("n", function() error(42) end):join())))
      assert.are.equal("nil", (select(2, task.spawn("n", function() error(nil) end):join())))
      local object = setmetatable({}, { __tostring = function() return "an object" end })
      assert.are.equal("an object", (select(2, task.spawn("n", function() error(object) end):join())))
      assert.matches("^table: ", (select(2, task.spawn("n", function() error({}) end):join())))
    end)

    it("survives an error object whose __tostring fails", function()
      local bad = setmetatable({}, { __tostring = function() error("worse") end })
      local result, message, code = task.spawn("n", function() error(bad) end):join()
      assert.is_nil(result)
      assert.is_string(message)
      assert.are.equal("failed", code)
      local odd = setmetatable({}, { __tostring = function() return {} end })
      assert.is_string((select(2, task.spawn("n", function() error(odd) end):join())))
    end)

    it("survives a stack overflow", function()
      local function deeper() return 1 + deeper() end
      local _, message, code = task.spawn("deep", deeper):join()
      assert.matches("stack overflow", message)
      assert.are.equal("failed", code)
    end)

    it("refuses to wait for itself", function()
      local one
      one = task.spawn("one", function() one:join() end)
      assert.matches("its own end", (select(2, one:join())))
    end)

    it("can be interrupted, and the joined one goes on", function()
      local slow = task.spawn("slow", function() clock.sleep_ms(30) return "done" end)
      assert.are.same({ nil, "timed out after 5 ms", "timeout" }, { task.within(5, slow.join, slow) })
      assert.are.same({ true, "done" }, { slow:join() })
    end)
  end)

  describe("cancel", function()
    local function cancelled(one, reason)
      local result, message, code = one:join()
      assert.is_nil(result)
      assert.matches("cancelled: " .. (reason or "by request"), message)
      assert.are.equal("cancelled", code)
    end

    it("ends a sleep", function()
      local one = task.spawn("one", function() clock.sleep_ms(60000) end)
      clock.sleep_ms(1)
      one:cancel("no longer wanted")
      cancelled(one, "no longer wanted")
    end)

    it("ends a wait for an event, and the event works on", function()
      local event = task.event()
      local one = task.spawn("one", function() event:wait() end)
      local other = task.spawn("other", function() return event:wait() end)
      local third = task.spawn("third", function() return event:wait(60000) end)
      clock.sleep_ms(1)
      one:cancel()
      third:cancel()
      cancelled(one)
      cancelled(third)
      event:set()
      assert.are.same({ true, true }, { other:join() })
    end)

    it("ends a join", function()
      local slow = task.spawn("slow", function() clock.sleep_ms(60000) end)
      local one = task.spawn("one", function() slow:join() end)
      clock.sleep_ms(1)
      one:cancel()
      cancelled(one)
      assert.is_false(slow:done())
      slow:cancel()
      cancelled(slow)
    end)

    it("lets file work finish, delivers its result, and is thrown at the next wait", function()
      local directory = support.directory()
      local result
      local one = task.spawn("one", function()
        result = { directory:write("x", "data") }
        clock.sleep_ms(0)
        result = "too far"
      end)
      clock.sleep_ms(0)
      one:cancel()
      cancelled(one)
      assert.are.same({ true }, result)
      assert.are.equal("data", directory:read("x"))
    end)

    it("leaves a task alone that doesn't wait any more", function()
      local directory = support.directory()
      local one = task.spawn("one", function() return directory:write("x", "data") end)
      clock.sleep_ms(0)
      one:cancel()
      assert.are.same({ true, true }, { one:join() })
    end)

    it("is thrown at the first wait of a task that hadn't started", function()
      local started, waited
      local one = task.spawn("one", function() started = true clock.sleep_ms(0) waited = true end)
      one:cancel()
      cancelled(one)
      assert.is_true(started)
      assert.is_nil(waited)
    end)

    it("counts once for two that were not delivered, with the first reason", function()
      local thrown = 0
      local one = task.spawn("one", function()
        for _ = 1, 3 do
          if not pcall(clock.sleep_ms, 2) then thrown = thrown + 1 end
        end
      end)
      clock.sleep_ms(0)
      one:cancel("first")
      one:cancel("second")
      one:join()
      assert.are.equal(1, thrown)
    end)

    it("can be repeated once it was delivered", function()
      local reasons = {}
      local one = task.spawn("one", function()
        for _ = 1, 2 do
          local _, message = pcall(clock.sleep_ms, 60000)
          reasons[#reasons + 1] = message:match("cancelled: (.*)$")
        end
      end)
      clock.sleep_ms(0)
      one:cancel("first")
      clock.sleep_ms(1)
      one:cancel("second")
      one:join()
      assert.are.same({ "first", "second" }, reasons)
    end)

    it("of itself is thrown at the next wait", function()
      local after
      local one = task.spawn("one", function()
        task.current():cancel("enough")
        after = true
        clock.sleep_ms(0)
        after = "too far"
      end)
      cancelled(one, "enough")
      assert.is_true(after)
    end)

    it("has no effect on a task that ended", function()
      local one = task.spawn("one", function() return 1 end)
      one:join()
      one:cancel()
      assert.are.same({ true, 1 }, { one:join() })
    end)

    it("lets clean-up wait: <close>, and what a pcall does", function()
      local seen = {}
      local one = task.spawn("one", function()
        local _ <close> = setmetatable({}, { __close = function()
          clock.sleep_ms(2)
          seen[#seen + 1] = "closed"
        end })
        local good, message = pcall(clock.sleep_ms, 60000)
        clock.sleep_ms(2)
        seen[#seen + 1] = good
        error(message, 0)
      end)
      clock.sleep_ms(1)
      one:cancel()
      cancelled(one)
      assert.are.same({ false, "closed" }, seen)
    end)

    it("makes a task failed, not cancelled, when another error ends it", function()
      local one = task.spawn("one", function()
        pcall(clock.sleep_ms, 60000)
        error("another")
      end)
      clock.sleep_ms(1)
      one:cancel()
      assert.are.equal("failed", (select(3, one:join())))
    end)

    it("is survived by a task that catches it", function()
      local one = task.spawn("one", function() pcall(clock.sleep_ms, 60000) return "went on" end)
      clock.sleep_ms(1)
      one:cancel()
      assert.are.same({ true, "went on" }, { one:join() })
    end)

    it("between completion and delivery loses no result", function()
      local event = task.event()
      local result
      local one = task.spawn("one", function() result = { event:wait() } clock.sleep_ms(0) end)
      clock.sleep_ms(1)
      event:set()
      one:cancel()
      cancelled(one)
      assert.are.same({ true }, result)
    end)
  end)

  describe("within", function()
    it("returns what body returned", function()
      assert.are.same({ 1, nil, 3 }, { task.within(1000, function(...) return ... end, 1, nil, 3) })
      assert.are.equal(0, select("#", task.within(1000, function() clock.sleep_ms(0) end)))
    end)

    it("passes errors on unchanged", function()
      local object = {}
      local _, caught = pcall(task.within, 1000, function() clock.sleep_ms(0) error(object) end)
      assert.are.equal(object, caught)
    end)

    it("ends a body that waits too long, closing what is open", function()
      local closed
      local before = clock.monotonic_ms()
      local result, message, code = task.within(20, function()
        local _ <close> = setmetatable({}, { __close = function() clock.sleep_ms(1) closed = true end })
        clock.sleep_ms(60000)
      end)
      assert.is_nil(result)
      assert.are.equal("timed out after 20 ms", message)
      assert.are.equal("timeout", code)
      assert.is_true(closed)
      assert.is_true(clock.monotonic_ms() - before < 5000)
    end)

    it("of 0 ms lets a body through that never waits", function()
      assert.are.equal(5, task.within(0, function() return 5 end))
    end)

    it("nests: the inner one fires", function()
      local inner
      local outer = { task.within(60000, function()
        inner = { task.within(5, clock.sleep_ms, 60000) }
        clock.sleep_ms(1)
        return "outer went on"
      end) }
      assert.are.equal("timeout", inner[3])
      assert.are.same({ "outer went on" }, outer)
    end)

    it("nests: the outer one fires through the inner one", function()
      local reached
      local outer = { task.within(5, function()
        task.within(60000, clock.sleep_ms, 60000)
        reached = true
      end) }
      assert.are.same({ nil, "timed out after 5 ms", "timeout" }, outer)
      assert.is_nil(reached)
    end)

    it("crosses: both fire, the outer one counts", function()
      local inner
      local outer = { task.within(5, function()
        inner = task.within(5, function()
          local until_ms = clock.monotonic_ms() + 20
          while clock.monotonic_ms() < until_ms do end -- both are over before anything waits
          clock.sleep_ms(60000)
        end)
      end) }
      assert.are.equal("timeout", outer[3])
      assert.is_nil(inner)
    end)

    it("is over once it was thrown, when the body swallows it", function()
      local result = { task.within(5, function()
        pcall(clock.sleep_ms, 60000)
        clock.sleep_ms(1)
        return "swallowed"
      end) }
      assert.are.same({ "swallowed" }, result)
      assert.is_true(clock.sleep_ms(10))
    end)

    it("doesn't take an error for its own that an earlier one threw", function()
      local kept
      task.within(1, function() kept = select(2, pcall(clock.sleep_ms, 60000)) end)
      for _ = 1, 50 do
        local good, caught = pcall(task.within, 60000, function() error(kept, 0) end)
        assert.is_false(good)
        assert.are.equal(kept, caught)
      end
      assert.matches("task.within", tostring(kept))
    end)

    it("gives way to a cancellation", function()
      local one = task.spawn("one", function() return task.within(60000, clock.sleep_ms, 60000) end)
      clock.sleep_ms(1)
      one:cancel()
      assert.are.equal("cancelled", (select(3, one:join())))
    end)

    it("delivers file work that was finished too late", function()
      local directory = support.directory()
      assert.are.same({ true }, { task.within(0, function() return directory:write("x", "y") end) })
    end)

    it("refuses what is no time or no function", function()
      assert.error_matches(function() task.within(-1, print) end, "milliseconds, 0 or more")
      assert.error_matches(function() task.within(1, "x") end, "function expected")
    end)

    it("leaves nothing behind when a task that it limits ends by a stray yield", function()
      local result = core.script [[
        local one = task.spawn("one", function()
          task.within(30, function() coroutine.yield() end)
        end)
        print(select(2, one:join()))
        one = nil
        collectgarbage() collectgarbage()
        clock.sleep_ms(60)
        print "alive"
      ]]
      assert.matches("yielded to nobody.*alive", result.stdout)
      assert.are.equal(0, result.exit_code)
    end)
  end)

  describe("events", function()
    it("wake all who wait, and stay set until cleared", function()
      local event, woken = task.event(), 0
      local tasks = {}
      for number = 1, 10 do
        tasks[number] = task.spawn("w", function() assert(event:wait()) woken = woken + 1 end)
      end
      clock.sleep_ms(1)
      assert.is_false(event:is_set())
      event:set()
      event:set()
      assert.is_true(event:is_set())
      for _, one in ipairs(tasks) do one:join() end
      assert.are.equal(10, woken)
      assert.is_true(event:wait())
      event:clear()
      assert.are.same({ nil, "timed out", "timeout" }, { event:wait(1) })
      assert.are.same({ nil, "timed out", "timeout" }, { event:wait(0) })
    end)

    it("that are set and cleared at once wake those who waited", function()
      local event = task.event()
      local one = task.spawn("w", function() return event:wait() end)
      clock.sleep_ms(1)
      event:set()
      event:clear()
      assert.are.same({ true, true }, { one:join() })
    end)

    it("may be dropped while nobody waits", function()
      for _ = 1, 100 do task.event():wait(0) end
      collectgarbage()
    end)

    it("refuse a time that is none", function()
      assert.error_matches(function() task.event():wait(-1) end, "milliseconds, 0 or more")
    end)
  end)

  describe("where nothing may wait", function()
    local function refused(body, pattern)
      local good, message = pcall(body)
      assert.is_false(good)
      assert.matches(pattern, message)
    end

    it("is a coroutine of the script's own", function()
      refused(coroutine.wrap(function() clock.sleep_ms(0) end),
        "clock.sleep_ms waits, and can't do so in a coroutine that the "
        .. "script made itself: use task.spawn")
      refused(coroutine.wrap(function() task.within(1, function() end) end), "task.within may be called in a task only")
    end)

    it("is a callback of sort and gsub, a metamethod, and require", function()
      refused(function() table.sort({ 1, 2, 3 }, function() clock.sleep_ms(0) return false end) end, "table.sort")
      refused(function() (("x"):gsub("x", function() clock.sleep_ms(0) end)):len() end, "string.gsub")
      local odd = setmetatable({}, { __tostring = function() clock.sleep_ms(0) return "" end })
      refused(function() tostring(odd) end, "metamethod")
      package.preload["spec.waiting"] = function() clock.sleep_ms(0) end
      refused(function() require "spec.waiting" end, "inside require")
      package.preload["spec.waiting"] = nil
      assert.is_true(clock.sleep_ms(0))
    end)

    it("leaves the coroutine of a task to the scheduler", function()
      local thread
      local one = task.spawn("one", function()
        thread = coroutine.running()
        clock.sleep_ms(5)
        return "slept"
      end)
      clock.sleep_ms(0)
      refused(function() coroutine.resume(thread) end, "belongs to the scheduler: use Task:cancel and Task:join")
      refused(function() coroutine.close(thread) end, "belongs to the scheduler")
      refused(function() coroutine.resume(coroutine.running()) end, "belongs to the scheduler")
      assert.are.same({ true, "slept" }, { one:join() })
      local own = coroutine.create(function(...) error((...), 0) end)
      assert.are.same({ false, "x" }, { coroutine.resume(own, "x") })
      assert.is_false((coroutine.close(own)))
    end)

    it("leaves coroutines of the script's own usable for everything else", function()
      local generator = coroutine.wrap(function() for number = 1, 3 do coroutine.yield(number) end end)
      assert.are.same({ 1, 2, 3 }, { generator(), generator(), generator() })
    end)
  end)

  describe("many", function()
    it("tasks: 10,000 at once", function()
      local event, ended = task.event(), 0
      for _ = 1, 10000 do task.spawn("one", function() event:wait() ended = ended + 1 end) end
      clock.sleep_ms(1)
      event:set()
      support.eventually("all ended", function() return ended == 10000 end, 20000)
    end)

    it("cancellations: 10,000 who wait for one event", function()
      local event, tasks = task.event(), {}
      for number = 1, 10000 do tasks[number] = task.spawn("one", function() event:wait() end) end
      clock.sleep_ms(1)
      local before = clock.cpu_us()
      for _, one in ipairs(tasks) do one:cancel() end
      for _, one in ipairs(tasks) do one:join() end
      assert.is_true(core.sanitized() or clock.cpu_us() - before < 5000000)
    end)

    it("sleeps: 100,000 of 0 ms don't make memory grow", function()
      local result = core.script [[
        local function resident()
          for line in io.lines "/proc/self/status" do
            local kilobytes = line:match "^VmRSS:%s*(%d+)"
            if kilobytes then return tonumber(kilobytes) end
          end
        end
        for _ = 1, 20000 do clock.sleep_ms(0) end
        local before = resident()
        for _ = 1, 100000 do clock.sleep_ms(0) end
        print(resident() - before)
      ]]
      assert.are.equal("", result.stderr)
      assert.is_true(core.sanitized() or tonumber(result.stdout) < 2048, result.stdout .. " KiB more")
    end)
  end)

  describe("failures", function()
    it("of a task are logged once, with a traceback, and disturb nobody", function()
      local result = core.script [[
        local function broken() clock.sleep_ms(1) error "it broke" end
        task.spawn("bad", function() broken() return 1 end)
        local good = task.spawn("good", function() clock.sleep_ms(10) return "good" end)
        print(select(2, good:join()))
      ]]
      assert.are.equal(0, result.exit_code)
      assert.are.equal("good\n", result.stdout)
      local line = assert(host.json.decode(result.stderr))
      assert.are.equal("task_failed", line.event)
      assert.are.equal("bad", line.task)
      assert.matches("it broke", line.error)
      assert.matches("broken", line.traceback)
    end)

    it("are not logged when somebody joined beforehand, or when it was a cancellation", function()
      local result = core.script [[
        local bad = task.spawn("bad", function() clock.sleep_ms(1) error "it broke" end)
        bad:join()
        local one = task.spawn("one", function() clock.sleep_ms(60000) end)
        clock.sleep_ms(1)
        one:cancel()
        clock.sleep_ms(1)
      ]]
      assert.are.equal("", result.stderr)
      assert.are.equal(0, result.exit_code)
    end)

    it("with an error object that can't be shown disturb nobody", function()
      local result = core.script [[
        task.spawn("bad", function() error(setmetatable({}, { __tostring = function() error "worse" end })) end)
        task.spawn("odd", function() error(setmetatable({}, { __tostring = function() return 1 end })) end)
        clock.sleep_ms(5)
        print "alive"
      ]]
      assert.are.equal("alive\n", result.stdout)
      assert.are.equal(0, result.exit_code)
      assert.matches('"task":"bad"', result.stderr)
      assert.matches('"task":"odd"', result.stderr)
    end)
  end)

  describe("deadlock", function()
    it("ends a main task that nothing can wake", function()
      local result = core.script [[task.event():wait()]]
      assert.are.equal(1, result.exit_code)
      assert.matches("waits for what can't happen any more", result.stderr)
    end)

    it("of two tasks that wait for one another is found", function()
      local result = core.script [[
        local a, b
        a = task.spawn("a", function() b:join() end)
        b = task.spawn("b", function() a:join() end)
        a:join()
      ]]
      assert.are.equal(1, result.exit_code)
      assert.matches("can't happen any more", result.stderr)
    end)

    it("is none while a signal could come, or a child runs", function()
      local result = core.script [[
        local child = require "submitter.core.child"
        local event = task.event()
        local handle = task.on_signal("USR1", function() event:set() end)
        local killer = assert(child.start { program = "/bin/sh",
          arguments = { "-c", "sleep 0.1; kill -USR1 " .. require "submitter.core.system".pid() } })
        event:wait()
        handle:close()
        print(killer:wait().exit_code)
      ]]
      assert.are.equal("", result.stderr)
      assert.are.equal("0\n", result.stdout)
    end)
  end)

  describe("on_signal", function()
    local function send(signal)
      assert.are.equal(0, assert(host.child.run {
        program = "/bin/sh", arguments = { "-c", "kill -$0 $1", signal, tostring(host.system.pid()) },
      }).exit_code)
    end

    it("calls the handler in a task, each time", function()
      local seen = {}
      local handle = task.on_signal("USR1", function(signal)
        clock.sleep_ms(1)
        seen[#seen + 1] = signal
      end)
      send("USR1")
      support.eventually("first", function() return #seen == 1 end)
      send("USR1")
      support.eventually("second", function() return #seen == 2 end)
      handle:close()
      handle:close()
      assert.are.same({ "USR1", "USR1" }, seen)
    end)

    it("lets several handle one signal, and survives the collector", function()
      local seen = 0
      local first = task.on_signal("USR2", function() seen = seen + 1 end)
      task.on_signal("USR2", function() seen = seen + 10 end)
      collectgarbage() collectgarbage()
      send("USR2")
      support.eventually("both", function() return seen == 11 end)
      first:close()
      send("USR2")
      support.eventually("one", function() return seen == 21 end)
    end)

    it("ends a script's wait by TERM as it decides", function()
      local result = core.script [[
        local main = task.current()
        task.on_signal("TERM", function(signal) main:cancel(signal) end)
        task.spawn("kill", function()
          require "submitter.core.child".run { program = "/bin/sh",
            arguments = { "-c", "kill $0", tostring(require "submitter.core.system".pid()) } }
        end)
        print(pcall(clock.sleep_ms, 60000))
      ]]
      assert.matches("cancelled: TERM", result.stdout)
      assert.are.equal(0, result.exit_code)
    end)

    it("refuses unknown names", function()
      assert.error_matches(function() task.on_signal("KILL", print) end, 'no such signal "KILL"')
      assert.error_matches(function() task.on_signal("TERM") end, "function expected")
    end)
  end)

  describe("the end of a script", function()
    it("cancels the tasks that are left, whose clean-up may wait", function()
      local result = core.script [[
        task.spawn("left", function()
          local _ <close> = setmetatable({}, { __close = function() clock.sleep_ms(5) print "cleaned" end })
          clock.sleep_ms(60000)
        end)
        clock.sleep_ms(1)
        print "main ended"
      ]]
      assert.are.equal("main ended\ncleaned\n", result.stdout)
      assert.are.equal("", result.stderr)
      assert.are.equal(0, result.exit_code)
    end)

    it("cancels them after an error too", function()
      local result = core.script [[
        task.spawn("left", function()
          local _ <close> = setmetatable({}, { __close = function() print "cleaned" end })
          clock.sleep_ms(60000)
        end)
        clock.sleep_ms(1)
        error(setmetatable({}, { __tostring = function() error "worse" end }))
      ]]
      assert.are.equal("cleaned\n", result.stdout)
      assert.are.equal(1, result.exit_code)
    end)

    it("waits for file work under way", function()
      local directory = support.directory()
      local result = core.script([[
        local directory = require "submitter.core.file".directory(...)
        task.spawn("left", function() directory:write("late", ("x"):rep(10000000)) end)
        clock.sleep_ms(0)
      ]], { directory:path() })
      assert.are.equal(0, result.exit_code)
      assert.are.equal(10000000, assert(directory:stat("late")).size_bytes)
    end)
  end)
end)
