--- The pool on a real server: one that goes away and comes back, deadlocks, locks, a crowd.
local database = require "submitter.database"
local host = require "submitter.host"
local postgres = require "spec.postgres"
local support = require "spec.support"

describe("the pool on a real server", function()
  local server, url, pools, logged, restore

  setup(function() server = postgres.start() end)
  teardown(function() server:close() end)

  before_each(function()
    url, pools, logged = server:database(), {}, {}
    server:sql(url, "CREATE TABLE marks (id integer PRIMARY KEY, mark integer NOT NULL)")
    local function log(event) logged[#logged + 1] = event end
    restore = support.replace(host.log, { error = log, info = log })
  end)

  after_each(function()
    for _, pool in ipairs(pools) do pool:close() end
    restore()
  end)

  local function open(options)
    local given = { url = url }
    for name, value in pairs(options or {}) do given[name] = value end
    local pool = database.open(given)
    pools[#pools + 1] = pool
    return pool
  end

  local INSERT = "INSERT INTO marks (id, mark) VALUES ($1::integer, $2::integer)"
  local UPDATE = "UPDATE marks SET mark = mark + $2::integer WHERE id = $1::integer"
  local SLEEP = "SELECT pg_sleep($1::float8)"

  local function count_marks()
    return tonumber(server:sql(url, "SELECT count(*) FROM marks"))
  end

  -- Sessions of this database beside psql's own.
  local function sessions()
    return tonumber(server:sql(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
      .. "AND application_name = 'submitter'"))
  end

  it("asks and is answered, over as few connections as it takes", function()
    local pool = open { pool = 3 }
    local tasks = {}
    for number = 1, 60 do
      tasks[number] = host.task.spawn("insert " .. number, function() return pool:query(INSERT, { number, number }) end)
    end
    for _, task in ipairs(tasks) do
      local _, result, message = task:join()
      assert.are.equal(1, result and result.count, message)
    end
    assert.are.same({ size = 3, open = 3, idle = 3, waiting = 0 }, pool:state())
    assert.are.equal(3, sessions())
    local sum = pool:query("SELECT count(*) AS rows, sum(mark) AS sum FROM marks WHERE mark > $1::integer", { 30 })
    assert.are.same({ rows = 30, sum = 1365 }, sum.rows[1])
    pool:close()
    support.eventually("the end of the sessions", function() return sessions() == 0 end, 30000)
  end)

  it("names what is wrong by the code that callers branch on", function()
    local pool = open()
    assert(pool:query(INSERT, { 1, 1 }))
    local function fails(code, words, ...)
      local result, message, found, details = pool:query(...)
      assert.is_nil(result)
      assert.are.equal(code, found, message)
      assert.matches(words, message, 1, true)
      return details
    end
    local details = fails("conflict", "duplicate key", INSERT, { 1, 1 })
    assert.are.same({ "23505", "marks_pkey" }, { details.sqlstate, details.constraint })
    fails("environment", "submitter database migrate", "SELECT x FROM absent")
    fails("invalid", "PostgreSQL", "SELECT $1::text::integer AS number", { "one" })
    fails("invalid", "", "SELECT $1::text AS text", { "a\0b" })
    fails("unavailable", "statement_timeout", SLEEP, { 600.0 }, { timeout_ms = 50 })
    fails("too_large", "", "SELECT repeat('x', 1000000) AS text", {}, { limit_bytes = 1000 })
    assert.are.equal(1, pool:query("SELECT mark FROM marks").rows[1].mark)
  end)

  it("says what to do when it isn't let in", function()
    local wrong = { [server:url_of "absent"] = "createdb", [server:url_of("postgres", "nobody")] = "CREATE ROLE" }
    for where, remedy in pairs(wrong) do
      local result, message, code = open({ url = where }):query "SELECT 1 AS one"
      assert.are.same({ nil, "environment" }, { result, code }, message)
      assert.matches(remedy, message, 1, true)
    end
  end)

  it("plans anew what it prepared before a table changed", function()
    local pool = open { pool = 1 }
    assert(pool:query(INSERT, { 1, 7 }))
    for _ = 1, 4 do assert(pool:query "SELECT * FROM marks") end
    server:sql(url, "ALTER TABLE marks ADD COLUMN note text DEFAULT 'new'")
    local result, message = pool:query "SELECT * FROM marks"
    assert.are.equal("new", result and result.rows[1].note, message)
  end)

  it("finds connections that the server has closed", function()
    local pool = open { pool = 2 }
    assert(pool:query "SELECT 1 AS one")
    server:sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'submitter'")
    support.eventually("their end", function() return sessions() == 0 end, 30000)
    host.clock.sleep_ms(1100)
    assert(pool:query(INSERT, { 1, 1 }))
    assert.are.equal(1, count_marks())
  end)

  describe("in transactions", function()
    it("does all or nothing", function()
      local pool = open { pool = 1 }
      assert.are.equal("done", pool:transaction(function(transaction)
        assert(transaction:query(INSERT, { 1, 1 }))
        assert.are.equal(2, transaction:copy("COPY marks (id, mark) FROM STDIN", { { 2, 2 }, { 3, 3 } }))
        return "done"
      end))
      assert.are.equal(3, count_marks())
      local result, _, code = pool:transaction(function(transaction)
        assert(transaction:query(INSERT, { 4, 4 }))
        transaction:query(INSERT, { 1, 1 })
        return "ignored"
      end)
      assert.are.same({ nil, "conflict" }, { result, code })
      pcall(pool.transaction, pool, function(transaction)
        assert(transaction:query(INSERT, { 5, 5 }))
        error "no"
      end)
      assert.are.equal(3, count_marks())
      assert.are.equal(1, sessions())
    end)

    it("hears at COMMIT what was put off until then", function()
      server:sql(url, "ALTER TABLE marks ADD CONSTRAINT late UNIQUE (mark) DEFERRABLE INITIALLY DEFERRED")
      local result, _, code, details = open():transaction(function(transaction)
        assert(transaction:query(INSERT, { 1, 1 }))
        assert(transaction:query(INSERT, { 2, 1 }))
        return true
      end)
      assert.are.same({ nil, "conflict", "late", false }, { result, code, details.constraint, details.ambiguous })
      assert.are.equal(0, count_marks())
    end)

    it("leaves no lock behind when its task is cancelled", function()
      local pool = open { pool = 1 }
      assert(pool:query(INSERT, { 1, 1 }))
      for _, wait in ipairs { "in a statement", "between two" } do
        local has_lock = host.task.event()
        local task = host.task.spawn("cancelled", function()
          return pool:transaction(function(transaction)
            assert(transaction:query(UPDATE, { 1, 100 }))
            has_lock:set()
            if wait == "in a statement" then transaction:query(SLEEP, { 600.0 }) else host.clock.sleep_ms(600000) end
            return true
          end)
        end)
        assert(has_lock:wait(30000))
        host.clock.sleep_ms(20)
        task:cancel()
        assert.are.equal("cancelled", (select(3, task:join())))
        server:sql(url, "SET lock_timeout = '30s'; UPDATE marks SET mark = mark + 1")
        assert(pool:query(UPDATE, { 1, 1 }))
      end
      assert.are.equal("5", server:sql(url, "SELECT mark FROM marks"))
      assert.are.equal("0", server:sql(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        .. "AND state LIKE 'idle in transaction%'"))
    end)

    it("is run again after a deadlock", function()
      local pool = open { pool = 2 }
      server:sql(url, "INSERT INTO marks VALUES (1, 0), (2, 0)")
      local runs, locked, both = 0, 0, host.task.event()
      local tasks = {}
      for number = 1, 2 do
        tasks[number] = host.task.spawn("transaction " .. number, function()
          return pool:transaction(function(transaction)
            runs = runs + 1
            if not transaction:query(UPDATE, { number, 1 }) then return nil, "the first", "unavailable" end
            locked = locked + 1
            if locked == 2 then both:set() end
            both:wait(30000)
            local result, message, code = transaction:query(UPDATE, { 3 - number, 1 })
            if not result then return nil, message, code end
            return true
          end, { safe = true })
        end)
      end
      for _, task in ipairs(tasks) do
        local _, result, message = task:join()
        assert.is_true(result, message)
      end
      assert.are.equal(3, runs)
      assert.are.equal("2|2", server:sql(url, "SELECT min(mark), max(mark) FROM marks"))
    end)
  end)

  it("has one more waiting than connections for as long as was said, and no longer", function()
    local pool = open { pool = 1, wait_timeout_ms = 50 }
    local task = host.task.spawn("slow", function() return pool:query(SLEEP, { 600.0 }) end)
    support.eventually("its connection", function() return sessions() == 1 end, 30000)
    local result, message, code = pool:query "SELECT 1 AS one"
    assert.are.same({ nil, "unavailable" }, { result, code })
    assert.matches("became free", message)
    task:cancel()
    task:join()
    assert(pool:query "SELECT 1 AS one")
  end)

  it("is one of two that share nothing", function()
    local one, other = open { pool = 1 }, open { pool = 1 }
    assert.is_true(one:transaction(function(transaction)
      assert(transaction:query(INSERT, { 1, 1 }))
      assert.are.equal(0, other:query("SELECT count(*) AS rows FROM marks").rows[1].rows)
      return true
    end))
    assert.are.equal(1, other:query("SELECT count(*) AS rows FROM marks").rows[1].rows)
    assert.are.equal(2, sessions())
  end)

  -- Twenty tasks write without a pause, each number once; the server is killed under them and comes back. What was said to be
  -- written is there, nothing is there twice, and what nobody knows is told as such.
  it("loses nothing and goes on by itself when the server is killed under twenty tasks", function()
    local pool = open()
    local next_id, written, unknown, stopped = 0, {}, {}, false
    local failed_fast = 0
    local function write()
      next_id = next_id + 1
      local id = next_id
      local result, message, code, details = pool:query(INSERT, { id, 1 })
      if result then
        written[#written + 1] = id
      else
        assert.are.equal("unavailable", code, message)
        if details.ambiguous then unknown[id] = true else failed_fast = failed_fast + 1 end
        host.clock.sleep_ms(5)
      end
    end
    local tasks = {}
    for number = 1, 20 do
      tasks[number] = host.task.spawn("writer " .. number, function()
        while not stopped do write() end
      end)
    end
    support.eventually("some writing", function() return #written > 50 end, 60000)
    server:kill()
    support.eventually("word of it", function() return pool:state().away end, 60000)
    support.eventually("calls that fail at once", function() return failed_fast > 50 end, 60000)
    server:resume()
    local before = #written
    support.eventually("it to go on", function() return #written > before + 50 end, 60000)
    stopped = true
    for _, task in ipairs(tasks) do assert(task:join()) end
    local there = {}
    for id in server:sql(url, "SELECT id FROM marks"):gmatch "%d+" do there[tonumber(id)] = true end
    for _, id in ipairs(written) do assert.is_true(there[id], "written and lost: " .. id) end
    for _, id in ipairs(written) do there[id] = nil end
    for id in pairs(there) do assert.is_true(unknown[id], "said to have failed, and is there: " .. id) end
    assert.are.same({ "database_away", "database_back" }, logged)
    assert.is_nil(pool:state().away)
    assert.are.equal(0, pool:state().waiting)
  end)

  it("repeats what does no harm until the server is back, if that is soon", function()
    local pool = open { pool = 1 }
    assert(pool:query(INSERT, { 1, 0 }))
    local task = host.task.spawn("safe", function()
      return pool:query("SELECT pg_sleep(0.3), mark FROM marks", {}, { safe = true })
    end)
    host.clock.sleep_ms(100)
    server:sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'submitter'")
    local _, result, message = task:join()
    assert.are.equal(0, result and result.rows[1].mark, message)
  end)
end)
