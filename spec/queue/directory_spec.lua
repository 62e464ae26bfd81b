local host = require "submitter.host"
local queue_module = require "submitter.queue.directory"
local support = require "spec.support"

describe("the directory queue", function()
  local root, queue

  -- Another process's view of the same spool: its own descriptors, listings and watches.
  local function open_other(options)
    options = options or {}
    options.directory = options.directory or assert(root:open("."))
    return assert(queue_module.open(options))
  end

  before_each(function()
    root = support.directory()
    queue = assert(queue_module.open { directory = root, visibility_ms = 30000 })
  end)

  after_each(function()
    queue:close()
    support.clean()
  end)

  local function receive_one(from, options)
    local messages = assert((from or queue):receive(options))
    assert.are.equal(1, #messages)
    return messages[1]
  end

  local function lease_lost(...)
    local done, message, code = ...
    assert.is_nil(done)
    assert.are.equal("lease_lost", code)
    assert.matches("not held any more", message)
  end

  local function names(folder)
    local found = {}
    for index, entry in ipairs(root:list(folder)) do
      found[index] = entry.name
    end
    return found
  end

  local function depth()
    local counts = assert(queue:depth())
    return ("%d %d %d"):format(counts.ready, counts.held, counts.dead)
  end

  describe("a message", function()
    it("is received as it was sent, and deleted", function()
      local before_ms = host.clock.now_ms()
      local body = "{\"a\":1}\0\xff\r\n"
      local id = assert(queue:send(body))
      assert.matches("^%x+$", id)
      assert.are.equal("1 0 0", depth())
      local message = receive_one()
      assert.are.equal(id, message.id)
      assert.are.equal(body, message.body)
      assert.are.equal(1, message.receives)
      assert.are.equal(0, message.failures)
      assert.is_true(message.sent_ms >= before_ms and message.sent_ms <= host.clock.now_ms())
      assert.are.equal("0 1 0", depth())
      assert.is_true(queue:delete(message))
      assert.are.equal("0 0 0", depth())
      assert.are.same({}, queue:receive())
    end)

    it("comes in the order of sending", function()
      for index = 1, 50 do
        assert(queue:send(tostring(index)))
      end
      local got = {}
      for _, message in ipairs(assert(queue:receive { max = 20 })) do
        got[#got + 1] = message.body
      end
      for _ = 1, 30 do
        got[#got + 1] = receive_one().body
      end
      for index = 1, 50 do
        assert.are.equal(tostring(index), got[index])
      end
    end)

    it("may be empty, and at most 256 KiB", function()
      assert(queue:send(""))
      assert.are.equal("", receive_one().body)
      assert(queue:send(("x"):rep(256 << 10)))
      assert.are.equal(256 << 10, #receive_one().body)
      local id, message, code = queue:send(("x"):rep((256 << 10) + 1))
      assert.is_nil(id)
      assert.are.equal("too_large", code)
      assert.matches("262145 bytes", message)
      assert.are.equal("0 2 0", depth())
    end)

    it("is hidden from others while it is held", function()
      assert(queue:send("x"))
      receive_one()
      assert.are.same({}, queue:receive { max = 10 })
      assert.are.same({}, open_other():receive { max = 10 })
    end)

    it("comes back when its deadline has passed, with its receipts counted", function()
      local id = assert(queue:send("x"))
      local first = receive_one(queue, { visibility_ms = 40 })
      local second = receive_one(open_other(), { wait_ms = 2000 })
      assert.are.equal(id, second.id)
      assert.are.equal("x", second.body)
      assert.are.equal(2, second.receives)
      assert.are.equal(0, second.failures)
      assert.are.equal(first.sent_ms, second.sent_ms)
      lease_lost(queue:delete(first))
      lease_lost(queue:extend(first, 1000))
      lease_lost(queue:fail(first, 0))
      lease_lost(queue:release(first, 0))
      lease_lost(queue:dead_letter(first, "reason", "class"))
      assert.are.equal("0 1 0", depth())
      assert.is_true(queue:delete(second))
    end)

    it("goes to one of two who receive at once", function()
      for _ = 1, 100 do
        assert(queue:send("x"))
      end
      local seen, tasks = {}, {}
      for index = 1, 4 do
        local other = open_other()
        tasks[index] = host.task.spawn("receiver", function()
          repeat
            local messages = assert(other:receive { max = 3 })
            for _, message in ipairs(messages) do
              assert(not seen[message.id], "received twice")
              seen[message.id] = true
            end
          until #messages == 0
        end)
      end
      for _, task in ipairs(tasks) do
        assert(task:join())
      end
      local count = 0
      for _ in pairs(seen) do
        count = count + 1
      end
      assert.are.equal(100, count)
    end)
  end)

  describe("extend", function()
    it("keeps a message hidden", function()
      assert(queue:send("x"))
      local message = receive_one(queue, { visibility_ms = 100 })
      assert.is_true(queue:extend(message, 30000))
      host.clock.sleep_ms(130)
      assert.are.same({}, open_other():receive())
      assert.is_true(queue:extend(message, 20000))
      assert.is_true(queue:delete(message))
      lease_lost(queue:extend(message, 1000))
      assert.are.equal("0 0 0", depth())
    end)

    it("that was cancelled leaves a message that can be deleted", function()
      for _, is_done in ipairs { true, false } do
        assert(queue:send("x"))
        local message = receive_one()
        local reached
        queue.directory = support.disguise(root, { rename = function(directory, ...)
          local moved = not is_done or directory:rename(...)
          reached = true
          host.clock.sleep_ms(10000)
          return moved
        end })
        local lease = host.task.spawn("lease", function() queue:extend(message, 20000) end)
        support.eventually("the extend is under way", function() return reached end)
        lease:cancel()
        assert.are.equal("cancelled", select(3, lease:join()))
        queue.directory = root
        assert.is_true(queue:extend(message, 10000))
        assert.is_true(queue:delete(message))
        assert.are.equal("0 0 0", depth())
      end
    end)

    it("may be overtaken by a delete at any moment", function()
      for round = 1, 50 do
        assert(queue:send("x"))
        local message = receive_one()
        local lease = host.task.spawn("lease", function()
          for _ = 1, round % 5 do
            queue:extend(message, 20000)
          end
        end)
        if round % 2 == 0 then
          host.clock.sleep_ms(0)
        end
        assert(queue:delete(message))
        assert(lease:join())
      end
      assert.are.equal("0 0 0", depth())
    end)
  end)

  describe("giving back", function()
    it("with release counts nothing", function()
      assert(queue:send("x"))
      local message = receive_one()
      assert.is_true(queue:release(message))
      lease_lost(queue:delete(message))
      local again = receive_one()
      assert.are.equal(2, again.receives)
      assert.are.equal(0, again.failures)
    end)

    it("with fail counts a failure", function()
      assert(queue:send("x"))
      for failures = 1, 3 do
        assert.is_true(queue:fail(receive_one(), 0))
        local message = receive_one()
        assert.are.equal(failures, message.failures)
        assert.is_true(queue:release(message))
      end
    end)

    it("with a delay hides the message for that long", function()
      local id = assert(queue:send("x"))
      assert.is_true(queue:fail(receive_one(), 80))
      assert.are.equal("0 1 0", depth())
      assert.are.same({}, queue:receive())
      local start_ms = host.clock.monotonic_ms()
      local message = receive_one(queue, { wait_ms = 2000 })
      local waited_ms = host.clock.monotonic_ms() - start_ms
      assert.are.equal(id, message.id)
      assert.are.equal(1, message.failures)
      assert.is_true(waited_ms >= 60 and waited_ms < 1000, waited_ms)
      assert.is_true(queue:release(message, 60000))
      assert.are.same({}, open_other():receive())
    end)

    it("puts the message before younger ones", function()
      assert(queue:send("old"))
      assert(queue:send("young"))
      assert(queue:send("younger"))
      assert.is_true(queue:release(receive_one()))
      assert.are.equal("old", receive_one().body)
    end)
  end)

  it("delays what is sent with a delay", function()
    assert(queue:send("later", { delay_ms = 80 }))
    assert.are.equal("0 1 0", depth())
    assert.are.same({}, queue:receive())
    local message = receive_one(open_other(), { wait_ms = 2000 })
    assert.are.equal("later", message.body)
    assert.are.equal(1, message.receives)
  end)

  describe("dead letters", function()
    it("keep the message and the reason", function()
      local id = assert(queue:send("body\0"))
      assert.is_true(queue:fail(receive_one(), 0))
      local message = receive_one()
      local before_ms = host.clock.now_ms()
      assert.is_true(queue:dead_letter(message, "no such thing", "message"))
      assert.are.equal("0 0 1", depth())
      local letter = queue:dead_letters()[1]
      assert.is_true(letter.died_ms >= before_ms)
      letter.died_ms = nil
      assert.are.same({ id = id, body = "body\0", reason = "no such thing", class = "message", receives = 2,
        failures = 2, sent_ms = message.sent_ms }, letter)
      lease_lost(queue:dead_letter(message, "again", "message"))
    end)

    it("are written again when the message came back in between", function()
      assert(queue:send("x"))
      local message = receive_one(queue, { visibility_ms = 50 })
      local remove = queue.delete
      queue.delete = function() error("killed here") end
      assert.has_error(function() queue:dead_letter(message, "first", "message") end)
      queue.delete = remove
      assert.are.equal("0 1 1", depth())
      local held = names("held")[1]
      assert(root:rename("held/" .. held, "ready/" .. held:match("^%d+%-(.+)%.%x+$")))
      assert.is_true(queue:dead_letter(receive_one(), "second", "message"))
      assert.are.equal("0 0 1", depth())
      assert.are.equal("second", queue:dead_letters()[1].reason)
    end)

    it("are listed by the time of death; what can't be read is logged", function()
      for index = 1, 3 do
        assert(queue:send(tostring(index)))
      end
      local messages = queue:receive { max = 3 }
      for _, index in ipairs { 2, 3, 1 } do
        assert(queue:dead_letter(messages[index], "r", "c"))
        host.clock.sleep_ms(2)
      end
      assert(root:write("dead/abc.json", "{"))
      assert(root:write("dead/notes.txt", "x"))
      local letters
      local logged = support.logged(function() letters = queue:dead_letters() end)
      assert.are.equal(1, #logged)
      assert.are.equal("queue_dead_letter_unreadable", logged[1].event)
      assert.are.same({ "2", "3", "1" }, { letters[1].body, letters[2].body, letters[3].body })
    end)
  end)

  describe("what lies in the spool and isn't a message", function()
    it("is left alone and logged once", function()
      assert(root:write("ready/README", "hello"))
      assert(root:write("ready/1700000000000-zz.0.0", "bad id"))
      assert(root:make("ready/1700000000000-" .. ("0"):rep(32) .. ".0.0"))
      assert(root:write("held/stranger", "x"))
      assert(root:write("ready/.submitter-1~", "half a message"))
      support.make_special("/bin/ln", { "-s", "/etc/passwd",
        root:path() .. "/ready/1700000000000-" .. ("1"):rep(32) .. ".0.0" })
      assert(queue:send("x"))
      local logged = support.logged(function()
        assert.are.equal("x", receive_one().body)
        assert.are.same({}, queue:receive { wait_ms = 20 })
        queue:depth()
      end)
      assert.are.equal(5, #logged)
      for _, line in ipairs(logged) do
        assert.are.equal("queue_stranger", line.event)
      end
      assert.are.equal(5, #names("ready"))
      assert.are.equal("0 1 0", depth())
    end)

    it("is set aside when it has a message's name and more than a message holds", function()
      assert(root:write("ready/1700000000000-" .. ("0"):rep(32) .. ".0.0", ("x"):rep((256 << 10) + 1)))
      assert(queue:send("small"))
      local logged = support.logged(function()
        assert.are.equal("small", receive_one().body)
      end)
      assert.are.equal("queue_message_too_large", logged[1].event)
      assert.are.equal("0 1 1", depth())
      local letter = queue:dead_letters()[1]
      assert.are.equal("", letter.body)
      assert.matches(("dead/%s.body"):format(("0"):rep(32)), letter.reason, 1, true)
      assert.are.equal((256 << 10) + 1, root:stat("dead/" .. ("0"):rep(32) .. ".body").size_bytes)
    end)
  end)

  it("doesn't lose a message when the clock is set back", function()
    assert(queue:send("x"))
    assert(queue:send("y"))
    receive_one(queue, { visibility_ms = 12 * 3600 * 1000 })
    local real_ms = host.clock.now_ms
    -- By a few seconds: still held. By a day: the deadline is farther ahead than any visibility.
    local restore = support.replace(host.clock, { now_ms = function() return real_ms() - 5000 end })
    finally(restore)
    local other = open_other()
    assert.are.equal("y", receive_one(other).body)
    assert.are.same({}, other:receive())
    host.clock.now_ms = function() return real_ms() - 24 * 3600 * 1000 end
    other = open_other()
    assert.are.same({ "x", "y" }, { receive_one(other).body, receive_one(other).body })
  end)

  describe("waiting", function()
    it("ends when a message is sent by another", function()
      local other = open_other()
      local sender = host.task.spawn("sender", function()
        host.clock.sleep_ms(50)
        assert(other:send("x"))
      end)
      local start_ms = host.clock.monotonic_ms()
      assert.are.equal("x", receive_one(queue, { wait_ms = 5000 }).body)
      assert.is_true(host.clock.monotonic_ms() - start_ms < 2000)
      assert(sender:join())
    end)

    it("ends when another's message is due, though it was held after the wait began", function()
      local other = open_other()
      local sender = host.task.spawn("sender", function()
        host.clock.sleep_ms(20)
        assert(other:send("delayed", { delay_ms = 100 }))
      end)
      local start_ms = host.clock.monotonic_ms()
      assert.are.equal("delayed", receive_one(queue, { wait_ms = 5000 }).body)
      assert.is_true(host.clock.monotonic_ms() - start_ms < 2000)
      assert(sender:join())
    end)

    it("ends when the holder of a message is gone", function()
      assert(queue:send("x"))
      receive_one(open_other(), { visibility_ms = 150 })
      local start_ms = host.clock.monotonic_ms()
      assert.are.equal(2, receive_one(queue, { wait_ms = 5000 }).receives)
      local waited_ms = host.clock.monotonic_ms() - start_ms
      assert.is_true(waited_ms > 100 and waited_ms < 2000, waited_ms)
    end)

    it("ends with nothing after the time given", function()
      local start_ms = host.clock.monotonic_ms()
      assert.are.same({}, queue:receive { wait_ms = 60 })
      local waited_ms = host.clock.monotonic_ms() - start_ms
      assert.is_true(waited_ms >= 55 and waited_ms < 1000, waited_ms)
    end)

    it("costs no processor time", function()
      assert(queue:send("held", { delay_ms = 60000 }))
      queue:receive { wait_ms = 20 }
      local listings = 0
      queue.directory = support.disguise(root, { list = function(directory, path)
        listings = listings + 1
        return directory:list(path)
      end })
      local before_us = host.clock.cpu_us()
      assert.are.same({}, queue:receive { wait_ms = 800 })
      assert.is_true(host.clock.cpu_us() - before_us < 20000)
      assert.is_true(listings <= 8, listings)
    end)

    it("is shared by those who wait in one process", function()
      local got, tasks = {}, {}
      for index = 1, 3 do
        tasks[index] = host.task.spawn("receiver", function()
          for _, message in ipairs(assert(queue:receive { wait_ms = 3000 })) do
            got[#got + 1] = message.body
          end
        end)
      end
      host.clock.sleep_ms(20)
      for index = 1, 3 do
        assert(queue:send(tostring(index)))
      end
      for _, task in ipairs(tasks) do
        assert(task:join())
      end
      table.sort(got)
      assert.are.same({ "1", "2", "3" }, got)
      assert.are.same({}, queue:receive { wait_ms = 10 })
    end)

    it("leaves no task behind", function()
      local before = host.task.count()
      queue:receive { wait_ms = 10 }
      queue:wait_for_change(1)
      host.clock.sleep_ms(5)
      assert.are.equal(before, host.task.count())
    end)

    it("falls back to looking every second where nothing can be watched", function()
      local blind = support.disguise(root, {
        watch = function() return nil, "no space left on device", "ENOSPC" end,
      })
      local other = open_other { directory = blind }
      local sender = host.task.spawn("sender", function()
        host.clock.sleep_ms(50)
        assert(queue:send("x"))
      end)
      local logged = support.logged(function()
        assert.are.equal("x", receive_one(other, { wait_ms = 5000 }).body)
        assert.are.same({}, other:receive { wait_ms = 20 })
      end)
      assert.are.equal(1, #logged)
      assert.are.equal("queue_unwatched", logged[1].event)
      assert(sender:join())
    end)

    it("for a change ends with one, also with one that came before the wait", function()
      queue:wait_for_change(1)
      local changed, _, code = queue:wait_for_change(20)
      assert.is_nil(changed)
      assert.are.equal("timeout", code)
      local other = open_other()
      assert(other:send("x"))
      assert.is_true(queue:wait_for_change(3000))
      local task = host.task.spawn("deleter", function()
        host.clock.sleep_ms(20)
        assert(other:delete(receive_one(other)))
      end)
      assert.is_true(queue:wait_for_change(3000))
      assert(task:join())
    end)
  end)

  describe("a cancelled receive", function()
    local function slow_directory(name, hook)
      return support.disguise(root, { [name] = function(directory, ...)
        hook(...)
        return directory[name](directory, ...)
      end })
    end

    it("has taken nothing, wherever it was", function()
      for index = 1, 6 do
        assert(queue:send(tostring(index)))
      end
      local ready = names("ready")
      for _, method in ipairs { "list", "rename", "read" } do
        for calls = 1, 4 do
          local count = 0
          local other
          other = open_other { directory = slow_directory(method, function()
            count = count + 1
            if count == calls then
              host.clock.sleep_ms(10000)
            end
          end) }
          local receiver = host.task.spawn("receiver", function() return other:receive { max = 5, wait_ms = 100 } end)
          support.eventually("the receiver is stopped", function() return count >= calls or receiver:done() end)
          receiver:cancel("the test says so")
          local good, result, code = receiver:join()
          if good then
            for _, message in ipairs(result) do
              assert(other:release(message))
            end
          else
            assert.are.equal("cancelled", code)
            assert.are.same(ready, names("ready"))
          end
          assert.are.same({}, names("held"))
          ready = names("ready")
          assert.are.equal(6, #ready)
        end
      end
    end)

    it("may end by a deadline", function()
      local result, _, code = host.task.within(30, queue.receive, queue, { wait_ms = 10000 })
      assert.is_nil(result)
      assert.are.equal("timeout", code)
      assert(queue:send("x"))
      assert.are.equal("x", receive_one().body)
    end)
  end)

  it("doesn't look empty while a message is given back", function()
    assert(queue:send("x"))
    receive_one()
    local held = names("held")[1]
    queue.directory = support.disguise(root, { list = function(directory, folder)
      if folder == "held" and root:stat("held/" .. held) then
        assert(root:rename("held/" .. held, "ready/" .. held:match("^%d+%-(.+)%.%x+$")))
      end
      return directory:list(folder)
    end })
    assert.are.equal("1 0 0", depth())
  end)

  it("doesn't look empty while a message is given back and taken again by another", function()
    assert(queue:send("x"))
    receive_one()
    local held = names("held")[1]
    local ready = held:match("^%d+%-(.+)%.%x+$")
    local listed = 0
    queue.directory = support.disguise(root, { list = function(directory, folder)
      listed = listed + 1
      if listed == 2 then
        assert(root:rename("held/" .. held, "ready/" .. ready))
      elseif listed == 3 then
        assert(root:rename("ready/" .. ready, "held/" .. held))
      end
      return directory:list(folder)
    end })
    assert.are.equal("0 1 0", depth())
  end)

  it("says when it can't give back what is expired or was just taken", function()
    assert(queue:send("x"))
    assert(queue:send("y"))
    local function denied(directory, from, to)
      if from:find("^held/") then
        return nil, "permission denied", "EACCES"
      end
      return directory:rename(from, to)
    end
    local other = open_other { directory = support.disguise(root, {
      rename = denied,
      read = function() error("out of memory") end,
    }) }
    local logged = support.logged(function()
      assert.has_error(function() other:receive { visibility_ms = 0 } end)
    end)
    assert.are.equal("queue_give_back_failed", logged[1].event)
    host.clock.sleep_ms(2)
    other = open_other { directory = support.disguise(root, { rename = denied }) }
    local messages, message, code = other:receive()
    assert.is_nil(messages)
    assert.are.equal("unavailable", code)
    assert.matches("permission denied", message)
    assert.are.equal(2, #queue:receive { max = 5 })
  end)

  it("says unavailable when the spool can't be used, and works on afterwards", function()
    assert(queue:send("x"))
    local other = open_other { directory = support.disguise(root, {
      rename = function() return nil, "read-only file system", "EROFS" end,
    }) }
    local messages, message, code = other:receive()
    assert.is_nil(messages)
    assert.are.equal("unavailable", code)
    assert.matches("read%-only", message)
    assert.are.equal("x", receive_one().body)
  end)

  it("receives thousands with few listings", function()
    for index = 1, 3000 do
      local name = ("ready/%013d-%032x.0.0"):format(1700000000000 + index, index)
      assert(root:write(name, tostring(index)))
    end
    local listings = 0
    queue.directory = support.disguise(root, { list = function(directory, path)
      listings = listings + 1
      return directory:list(path)
    end })
    for index = 1, 3000 do
      local message = receive_one()
      assert.are.equal(tostring(index), message.body)
      assert(queue:delete(message))
    end
    assert.is_true(listings < 50, listings)
    assert.are.equal("0 0 0", depth())
  end)

  it("throws on misuse", function()
    assert.has_error(function() queue:receive { wait = 5 } end)
    assert.has_error(function() queue:receive { visibility_ms = -1 } end)
    assert.has_error(function() queue:receive { visibility_ms = 12 * 3600 * 1000 + 1 } end)
    assert.has_error(function() queue:send("x", { delay = 5 }) end)
    assert.has_error(function() queue:send(5) end)
    assert.has_error(function() queue:send("x", { delay_ms = 1.5 }) end)
    assert.has_error(function() queue:send("x", { delay_ms = 12 * 3600 * 1000 + 1 }) end)
    assert.has_error(function() queue_module.open {} end)
    assert.has_error(function() queue_module.open { directory = root, visibility = 5 } end)
    assert.has_error(function() queue_module.open { directory = root, visibility_ms = -5 } end)
    assert(queue:send("x"))
    local message = receive_one()
    assert.has_error(function() queue:dead_letter(message, "reason") end)
    assert.has_error(function() queue:fail(message, "5s") end)
  end)

  it("loses nothing to kill -9 at any moment", function()
    local count = 40
    for index = 1, count do
      assert(queue:send(tostring(index)))
    end
    assert(root:make("done"))
    local script = [[
      local host = require "submitter.host"
      local root = assert(host.file.directory(arg[1]))
      local queue = assert(require("submitter.queue.directory").open { directory = root, visibility_ms = 300 })
      while true do
        for _, message in ipairs(assert(queue:receive { max = 2, wait_ms = 2000 })) do
          host.clock.sleep_ms(message.id:byte(10) % 7)
          assert(root:write("done/" .. message.body, "", { append = true }))
          if message.receives == 1 and message.id:byte(12) % 4 == 0 then
            assert(queue:fail(message, 20))
          else
            queue:delete(message)
          end
        end
      end
    ]]
    local function worker()
      return assert(host.child.start {
        program = host.system.executable(), arguments = { "run", "-", root:path() }, stdin = "pipe", stderr = "inherit",
      })
    end
    local function empty()
      local counts = queue:depth()
      return counts.ready + counts.held == 0
    end
    for round = 1, 12 do
      local children = { worker(), worker() }
      for _, child in ipairs(children) do
        assert(child:write(script))
        child:close_input()
      end
      if round == 12 then
        support.eventually("all is done", empty, 20000)
      else
        host.clock.sleep_ms(20 + 17 * round % 60)
      end
      for _, child in ipairs(children) do
        child:kill("KILL")
        child:wait()
      end
    end
    assert.are.equal(count, #names("done"))
    assert.are.equal("0 0 0", depth())
  end)
end)
