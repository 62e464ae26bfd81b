local database = require "submitter.database"
local fake_postgres = require "spec.fake.postgres"
local host = require "submitter.host"
local support = require "spec.support"

describe("the pool", function()
  local server, pools, logged, restore

  before_each(function()
    server, pools, logged = fake_postgres.open(), {}, {}
    local function log(event, fields) logged[#logged + 1] = { event, fields.reason } end
    restore = support.replace(host.log, { error = log, info = log })
  end)

  after_each(function()
    for _, pool in ipairs(pools) do pool:close() end
    restore()
  end)

  local function open(options)
    local given = { postgres = server, random = function() return 0.1 end }
    for name, value in pairs(options or {}) do given[name] = value end
    local pool = database.open(given)
    pools[#pools + 1] = pool
    return pool
  end

  -- Queries "1", "2", … in a task each.
  local function query_all(pool, count, options)
    local tasks = {}
    for number = 1, count do
      tasks[number] = host.task.spawn("query " .. number, function()
        return pool:query(tostring(number), {}, options)
      end)
    end
    return tasks
  end

  local function said(text)
    local count = 0
    for _, line in ipairs(server.said) do
      if line:match "^%d+: (.*)$" == text then count = count + 1 end
    end
    return count
  end

  -- Fails the first so many statements of this text.
  local function fail_first(count, text, message, code, details)
    server.on = function(asked)
      if asked == text and count > 0 then
        count = count - 1
        return nil, message, code, details
      end
    end
  end

  local function moved_clock()
    local clock = { now = 0, sleep_ms = host.clock.sleep_ms }
    function clock.monotonic_ms() return clock.now end
    return clock
  end

  describe("connects", function()
    it("when it has to, as it is told, and not more often", function()
      local pool = open { url = "dbname=grades", connect_timeout_ms = 1234, statement_timeout_ms = 777 }
      assert.are.same({ size = 4, open = 0, idle = 0, waiting = 0 }, pool:state())
      local options
      server.on = function(text)
        options = text
        return { columns = { "n" }, rows = { { n = 1 } }, count = 1 }
      end
      for _ = 1, 3 do assert.are.equal(1, pool:query("ask").rows[1].n) end
      assert.are.equal("ask", options)
      assert.are.same({ { url = "dbname=grades", connect_timeout_ms = 1234, application_name = "submitter" } },
        server.connects)
      assert.are.same({ size = 4, open = 1, idle = 1, waiting = 0 }, pool:state())
    end)

    it("as often as it may, and has the rest wait their turn in the order in which they came", function()
      local pool = open { pool = 2 }
      server.statement_ms = 5
      local tasks = query_all(pool, 10)
      host.clock.sleep_ms(1)
      assert.are.same({ size = 2, open = 2, idle = 0, waiting = 8 }, pool:state())
      for _, task in ipairs(tasks) do assert.are.same({ true }, { (task:join()) }) end
      local order = {}
      for index, line in ipairs(server.said) do order[index] = tonumber(line:match ": (%d+)$") end
      assert.are.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, order)
      assert.are.equal(2, #server.connections)
      assert.are.same({ size = 2, open = 2, idle = 2, waiting = 0 }, pool:state())
    end)

    it("and says so when none became free in time", function()
      local pool = open { pool = 1, wait_timeout_ms = 10 }
      server.statement_ms = 200
      local first = query_all(pool, 1)[1]
      host.clock.sleep_ms(1)
      local result, message, code = pool:query("late")
      assert.are.same({ nil, "unavailable" }, { result, code })
      assert.matches("free within 10 ms, all 1 are in use; see pool in the configuration", message)
      assert.are.equal(0, pool:state().waiting)
      assert.is_true((first:join()))
      assert.are.same({ "1: 1" }, server.said)
    end)

    it("anew where a connection broke, and mistrusts the idle ones then", function()
      local pool = open()
      server.statement_ms = 5
      for _, task in ipairs(query_all(pool, 3)) do task:join() end
      assert.are.equal(3, pool:state().idle)
      server.on = function(text, connection)
        if text == "break" then connection.is_broken = true end
      end
      local result, _, code, details = pool:query "break"
      assert.are.same({ nil, "unavailable", true }, { result, code, details.ambiguous })
      assert.are.same({ size = 4, open = 0, idle = 0, waiting = 0 }, pool:state())
      assert.is_truthy(pool:query "on we go")
      assert.are.equal(4, #server.connections)
    end)

    it("anew, and at once, where an idle connection is known to be broken", function()
      local pool = open { clock = { monotonic_ms = host.clock.monotonic_ms, sleep_ms = error } }
      pool:query "1"
      server:crash()
      assert.is_truthy(pool:query "2")
      assert.are.same({ "1: 1", "2: 2" }, server.said)
    end)
  end)

  describe("before use", function()
    it("asks a connection that rested whether anybody is there", function()
      local clock = moved_clock()
      local pool = open { clock = clock }
      pool:query "1"
      clock.now = 999
      pool:query "2"
      clock.now = 2000
      pool:query "3"
      assert.are.same({ "1: 1", "1: 2", "1: SELECT 1", "1: 3" }, server.said)
      fail_first(1, "SELECT 1", "broken", "lost", { sent = true })
      clock.now = 3000
      assert.is_truthy(pool:query "4")
      assert.are.same({ "1: SELECT 1", "2: 4" }, { server.said[5], server.said[6] })
      assert.are.equal(1, pool:state().open)
    end)

    it("and loses nothing when it is cancelled in that", function()
      local clock = moved_clock()
      local pool = open { clock = clock, pool = 1 }
      pool:query "1"
      clock.now = 5000
      server.statement_ms = 60000
      local task = query_all(pool, 1)[1]
      host.clock.sleep_ms(1)
      task:cancel()
      task:join()
      assert.are.same({ size = 1, open = 0, idle = 0, waiting = 0 }, pool:state())
      server.statement_ms = 0
      assert.is_truthy(pool:query "2")
    end)
  end)

  it("closes connections that nobody has needed for a while", function()
    local pool = open { idle_ms = 20 }
    server.statement_ms = 2
    for _, task in ipairs(query_all(pool, 3)) do task:join() end
    support.eventually("their end", function() return pool:state().open == 0 end)
    assert.are.equal(3, server.closes)
    assert.is_truthy(pool:query "again")
    support.eventually("its end", function() return pool:state().open == 0 end)
  end)

  it("closes what is idle at once, and what is in use when it is given back", function()
    local count, pool = host.task.count(), open { pool = 2 }
    server.statement_ms = 10
    pool:query "1"
    local tasks = query_all(pool, 4)
    host.clock.sleep_ms(1)
    pool:close()
    assert.is_true((tasks[1]:join()))
    for _, task in ipairs(tasks) do task:join() end
    support.eventually("the end of all tasks", function() return host.task.count() == count end)
    assert.are.equal(0, server:alive())
    assert.are.equal(0, pool:state().open)
    local result, message, code = pool:query "3"
    assert.are.same({ nil, "the pool of database connections is closed", "unavailable" }, { result, message, code })
    pool:close()
  end)

  describe("of a task that is cancelled", function()
    it("forgets the place in the line", function()
      local pool = open { pool = 1 }
      server.statement_ms = 10
      local tasks = query_all(pool, 3)
      host.clock.sleep_ms(1)
      tasks[2]:cancel()
      for _, task in ipairs(tasks) do task:join() end
      assert.are.same({ "1: 1", "1: 3" }, server.said)
      assert.are.same({ size = 1, open = 1, idle = 1, waiting = 0 }, pool:state())
    end)

    it("keeps the connection when it is usable, and replaces it when it isn't", function()
      local pool = open { pool = 1 }
      for _, agrees in ipairs { true, false } do
        server.agrees_to_cancel, server.statement_ms = agrees, 60000
        local task = query_all(pool, 1)[1]
        host.clock.sleep_ms(1)
        task:cancel()
        assert.are.equal("cancelled", (select(3, task:join())))
        assert.are.equal(agrees and 1 or 0, pool:state().idle)
      end
      server.statement_ms = 0
      assert.is_truthy(pool:query "2")
      assert.are.equal(2, #server.connections)
    end)

    it("lets another one connect", function()
      local pool = open { pool = 1 }
      server.connect_ms = 60000
      local tasks = query_all(pool, 2)
      host.clock.sleep_ms(1)
      server.connect_ms = 0
      tasks[1]:cancel()
      assert.is_true((tasks[2]:join()))
      assert.are.same({ "1: 2" }, server.said)
      assert.are.equal(1, pool:state().open)
    end)

    it("keeps a deadline a deadline", function()
      local pool = open()
      server.statement_ms = 60000
      local result, message, code = host.task.within(5, pool.query, pool, "1")
      assert.are.same({ nil, "timed out after 5 ms", "timeout" }, { result, message, code })
      assert.are.equal(0, pool:state().open)
    end)
  end)

  describe("sends a statement again", function()
    it("when it was never sent", function()
      local pool = open()
      fail_first(2, "1", "broken", "lost", { sent = false })
      assert.is_truthy(pool:query "1")
      assert.are.same({ "1: 1", "2: 1", "3: 1" }, server.said)
    end)

    it("when it may have been carried out only if that does no harm", function()
      local pool = open()
      for _, failure in ipairs { { "broken", "lost", { sent = true } }, { "going", "refused", { sqlstate = "57P01" } },
        { "deadlock", "refused", { sqlstate = "40P01" } } } do
        server.said = {}
        fail_first(1, "1", table.unpack(failure))
        local result, _, code = pool:query "1"
        assert.are.same({ nil, "unavailable", 1 }, { result, code, said "1" })
        fail_first(1, "1", table.unpack(failure))
        assert.is_truthy(pool:query("1", {}, { safe = true }))
        assert.are.equal(3, said "1")
      end
    end)

    it("when only a standby is there, on another connection", function()
      local pool = open()
      fail_first(1, "1", "cannot execute INSERT in a read-only transaction", "refused", { sqlstate = "25006" })
      assert.is_truthy(pool:query "1")
      assert.are.same({ "1: 1", "2: 1" }, server.said)
    end)

    it("five times at most, with growing pauses", function()
      local slept = {}
      local clock = { monotonic_ms = host.clock.monotonic_ms, sleep_ms = function(time) slept[#slept + 1] = time end }
      local pool = open { clock = clock, random = function() return 1 end }
      fail_first(100, "1", "deadlock detected", "refused", { sqlstate = "40P01" })
      local result, message, code, details = pool:query("1", {}, { safe = true })
      assert.are.same({ nil, "PostgreSQL: deadlock detected (SQLSTATE 40P01)", "unavailable", "40P01" },
        { result, message, code, details.sqlstate })
      assert.are.equal(5, said "1")
      assert.are.same({ 100, 200, 400, 800 }, slept)
    end)

    it("never when the answer would be the same", function()
      local pool = open()
      for _, failure in ipairs { { "refused", "23505", "conflict" }, { "refused", "42P01", "environment" },
        { "invalid", nil, "invalid" }, { "too_large", nil, "too_large" }, { "timeout", nil, "unavailable" } } do
        server.said = {}
        fail_first(100, "1", "no", failure[1], { sqlstate = failure[2] })
        local result, _, code = pool:query("1", {}, { safe = true })
        assert.are.same({ nil, failure[3], 1 }, { result, code, said "1" })
      end
      assert.are.equal(1, #server.connections)
    end)
  end)

  describe("while the server is away", function()
    before_each(function() server.refusal = { "connection refused", "connect" } end)

    it("tries again for a second, then says why", function()
      local pool = open()
      local before_ms = host.clock.monotonic_ms()
      local result, message, code = pool:query "1"
      assert.are.same({ nil, "unavailable" }, { result, code })
      assert.are.equal("can't connect to PostgreSQL: connection refused", message)
      assert.is_true(#server.connects > 1)
      assert.is_true(host.clock.monotonic_ms() - before_ms < 1500)
      local state = pool:state()
      assert.are.equal("can't connect to PostgreSQL: connection refused", state.away.reason)
      assert.is_true(math.abs(state.away.since_ms - host.clock.now_ms()) < 60000)
      assert.are.equal(0, state.open)
      assert.are.same({ { "database_away", message } }, logged)
    end)

    it("has one caller try for all, and fails the others at once", function()
      local pool = open()
      while pool:query "1" == nil and pool.breaker.away.pause_ms < 5000 do
        pool.breaker.away.due_ms = 0 -- the pause is over
      end
      local connects = #server.connects
      local before_ms = host.clock.monotonic_ms()
      for _, task in ipairs(query_all(pool, 100)) do
        local _, result, _, code = task:join()
        assert.are.same({ nil, "unavailable" }, { result, code })
      end
      assert.is_true(host.clock.monotonic_ms() - before_ms < 1000)
      assert.are.equal(connects, #server.connects)
      pool.breaker.away.due_ms, server.connect_ms = 0, 20
      for _, task in ipairs(query_all(pool, 100)) do
        local _, result = task:join()
        assert.is_nil(result)
      end
      assert.are.equal(connects + 1, #server.connects)
      assert.are.equal(1, #logged)
    end)

    it("is back as soon as one caller finds it, and says so once", function()
      local pool = open()
      local tasks = query_all(pool, 20)
      host.clock.sleep_ms(50)
      server.refusal = nil
      for _, task in ipairs(tasks) do
        local _, result = task:join()
        assert.is_truthy(result)
      end
      assert.is_nil(pool:state().away)
      assert.are.same({ "database_away", "database_back", nil },
        { logged[1][1], logged[2][1], logged[3] })
      assert.are.equal(20, #server.said)
    end)

    it("goes on with connections that it has", function()
      local pool = open()
      server.refusal = nil
      pool:query "1"
      server.refusal, server.statement_ms = { "too many clients", "connect" }, 30
      local tasks = query_all(pool, 2)
      host.clock.sleep_ms(5)
      assert.is_truthy(pool:state().away)
      for _, task in ipairs(tasks) do
        local _, result = task:join()
        assert.is_truthy(result)
      end
      assert.are.equal(1, #server.connections)
      pool.breaker.away.due_ms = math.maxinteger
      assert.is_truthy(pool:query "2")
    end)

    it("has the next caller try when the one who did was cancelled", function()
      local pool = open()
      pool:query "1"
      pool.breaker.away.due_ms, server.connect_ms = 0, 60000
      local task = query_all(pool, 1)[1]
      host.clock.sleep_ms(1)
      task:cancel()
      task:join()
      server.connect_ms, server.refusal = 0, nil
      assert.is_truthy(pool:query "2")
      assert.are.equal(1, pool:state().open)
    end)

    it("waits for nobody to change a password, and never shows one", function()
      local pool = open { url = "postgres://worker:hunter2@h/d" }
      server.refusal = { 'password "hunter2" of worker is wrong', "refused" }
      local result, message, code = pool:query "1"
      assert.are.same({ nil, "environment", 1 }, { result, code, #server.connects })
      assert.matches('password "…" of worker is wrong; check the password file', message, 1, true)
      assert.are.same({ { "database_away", message } }, logged)
      assert.is_nil(pool:query "2")
      assert.are.equal(1, #server.connects)
      assert.is_nil(pool:describe():find("hunter", 1, true))
      pool.breaker.away.due_ms, server.refusal = 0, nil
      assert.is_truthy(pool:query "3")
    end)
  end)

  it("is one of several that have nothing to do with each other", function()
    local one, other = open { pool = 1 }, open { pool = 1 }
    server.statement_ms = 10
    local tasks = { query_all(one, 1)[1], query_all(other, 1)[1] }
    host.clock.sleep_ms(1)
    assert.are.same({ 1, 1 }, { one:state().open, other:state().open })
    for _, task in ipairs(tasks) do assert.is_true((task:join())) end
    one:close()
    assert.is_truthy(other:query "1")
  end)

  it("refuses what it isn't made for", function()
    local pool = open()
    assert.has_error(function() database.open { size = 3 } end,
      'unknown option "size"; expected database.open { url =, pool = 1 or more, connect_timeout_ms =, '
        .. "statement_timeout_ms = }")
    assert.error_matches(function() database.open { pool = 0 } end, "expected database.open.*1 or more")
    assert.error_matches(function() pool:query("1", {}, { retry = true }) end, 'unknown option "retry"')
    assert.error_matches(function() pool:query() end, "expected pool:query%(sql.NAME")
    assert.error_matches(function() pool:query("1", "2") end, "expected pool:query%(sql.NAME")
    assert.error_matches(function() pool:transaction {} end, "expected pool:transaction%(function")
    assert.error_matches(function() pool:transaction(function() end, { attempts = 1 }) end, "unknown option")
  end)
end)
