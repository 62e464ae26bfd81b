local database = require "submitter.database"
local fake_postgres = require "spec.fake.postgres"
local host = require "submitter.host"
local support = require "spec.support"

describe("a transaction", function()
  local server, pool, failing, restore

  before_each(function()
    server, failing = fake_postgres.open(), {}
    restore = support.replace(host.log, { error = function() end, info = function() end })
    pool = database.open { postgres = server, pool = 1, random = function() return 0 end }
    -- failing[text] = { times, message, code, details }
    server.on = function(text, connection)
      local one = failing[text]
      if not one or one[1] == 0 then return end
      one[1] = one[1] - 1
      if one.breaks then connection.is_broken = true end
      return nil, table.unpack(one, 2, 4)
    end
  end)

  after_each(function()
    pool:close()
    restore()
  end)

  -- What the server heard since the last time, of all connections.
  local function heard()
    local texts = {}
    for index, line in ipairs(server.said) do texts[index] = line:match "^%d+: (.*)$" end
    server.said = {}
    return table.concat(texts, ", ")
  end

  local function is_clean()
    local state = pool:state()
    assert.are.same({ state.open, 0 }, { state.idle, state.waiting })
    for _, connection in ipairs(server.connections) do
      assert.is_true(connection.is_closed or connection:state() == "idle")
    end
    assert.is_truthy(pool:query "next")
    server.said = {}
  end

  it("is committed when its body returns a value, and that is the result", function()
    local results = table.pack(pool:transaction(function(transaction)
      assert.are.equal(0, transaction:query("insert", { 1 }).count)
      assert.are.equal(2, transaction:copy("copy", { { 1 }, { 2 } }))
      return false, nil, "third"
    end))
    assert.are.same({ n = 3, false, nil, "third" }, results)
    assert.are.equal("BEGIN, insert, copy, COMMIT", heard())
    is_clean()
  end)

  it("is rolled back when its body says so", function()
    local results = table.pack(pool:transaction(function(transaction)
      transaction:query "insert"
      return nil, "an older attempt", "conflict", { attempt = 2 }
    end))
    assert.are.same({ n = 4, nil, "an older attempt", "conflict", { attempt = 2 } }, results)
    assert.are.equal("BEGIN, insert, ROLLBACK", heard())
    is_clean()
  end)

  it("is rolled back when its body fails, and the error goes on with its traceback", function()
    local problem = { "of the body" }
    local _, caught = pcall(pool.transaction, pool, function() error(problem) end)
    assert.are.equal(problem, caught)
    assert.are.equal("BEGIN, ROLLBACK", heard())
    local function guilty() error "here" end
    local _, trace = xpcall(pool.transaction, debug.traceback, pool, function() guilty() return true end)
    assert.matches("guilty", trace)
    is_clean()
  end)

  it("isn't committed by a body that forgot what to return", function()
    assert.error_matches(function() pool:transaction(function() end) end, "expected return value, to commit")
    assert.are.equal("BEGIN, ROLLBACK", heard())
    is_clean()
  end)

  describe("whose statement failed", function()
    before_each(function()
      failing.insert = { 1, "duplicate key", "refused", { sqlstate = "23505", constraint = "key" } }
    end)

    it("can't be committed, whatever the body makes of it", function()
      local seen
      local result, message, code, details = pool:transaction(function(transaction)
        transaction:query "insert"
        seen = table.pack(transaction:query "select")
        transaction:copy("copy", {})
        return "all is well"
      end)
      assert.are.same({ nil, "PostgreSQL: duplicate key (SQLSTATE 23505)", "conflict", "key" },
        { result, message, code, details.constraint })
      assert.are.same({ nil, message, code }, { table.unpack(seen, 1, 3) })
      assert.are.equal("BEGIN, insert, ROLLBACK", heard())
      is_clean()
    end)

    it("returns what the body makes of it", function()
      local result, message, code = pool:transaction(function(transaction)
        local _, problem = transaction:query "insert"
        return nil, "my words: " .. problem, "mine"
      end)
      assert.are.same({ nil, "mine" }, { result, code })
      assert.are.equal("my words: PostgreSQL: duplicate key (SQLSTATE 23505)", message)
      is_clean()
    end)
  end)

  it("goes on after a failure that the server knows nothing of", function()
    failing.insert = { 1, "parameter 1 has a NUL character", "invalid" }
    assert.is_true(pool:transaction(function(transaction)
      local _, _, code = transaction:query "insert"
      assert.are.equal("invalid", code)
      assert.is_truthy(transaction:query "insert")
      return true
    end))
    assert.are.equal("BEGIN, insert, insert, COMMIT", heard())
  end)

  describe("is run again", function()
    local runs

    local function run(options)
      runs = 0
      return pool:transaction(function(transaction)
        runs = runs + 1
        local result, message, code = transaction:query "insert"
        if not result then return nil, message, code end
        return runs
      end, options)
    end

    local function expect(failure, text, safely)
      for _, safe in ipairs { false, true } do
        failing = { [text] = { 1, table.unpack(failure) } }
        local result, _, code = run { safe = safe }
        if safely == "always" or safely == "safe" and safe then
          assert.is_truthy(result)
        else
          assert.are.same({ nil, "unavailable", 1 }, { result, code, runs })
        end
        is_clean()
      end
    end

    it("after a deadlock or a serialization failure, where that does no harm", function()
      for _, sqlstate in ipairs { "40001", "40P01" } do
        expect({ "try again", "refused", { sqlstate = sqlstate } }, "insert", "safe")
        expect({ "try again", "refused", { sqlstate = sqlstate } }, "COMMIT", "safe")
      end
      failing.insert = { 1, "deadlock", "refused", { sqlstate = "40P01" } }
      assert.are.equal(2, run { safe = true })
      assert.are.equal("BEGIN, insert, ROLLBACK, BEGIN, insert, COMMIT", heard())
    end)

    it("when the connection broke before COMMIT was sent, where that does no harm", function()
      expect({ "broken", "lost", { sent = true } }, "insert", "safe")
      expect({ "broken", "lost", { sent = false } }, "insert", "safe")
      expect({ "broken", "lost", { sent = false } }, "COMMIT", "safe")
      expect({ "standby", "refused", { sqlstate = "25006" } }, "insert", "safe")
    end)

    it("when a table changed after its statement was prepared, where that does no harm", function()
      expect({ "cached plan must not change result type", "refused", { sqlstate = "0A000" } }, "insert", "safe")
    end)

    it("on another connection when not even BEGIN came through, for nothing has happened", function()
      for _, sent in ipairs { true, false } do
        failing.BEGIN = { 2, "broken", "lost", { sent = sent } }
        assert.are.equal(1, run())
      end
      failing.BEGIN = { 1, "going", "refused", { sqlstate = "57P01" }, breaks = true }
      assert.are.equal(1, run())
      is_clean()
    end)

    it("five times at most", function()
      failing.insert = { 100, "deadlock", "refused", { sqlstate = "40P01" } }
      local result, message, code = run { safe = true }
      assert.are.same({ nil, "unavailable", 5 }, { result, code, runs })
      assert.are.equal("PostgreSQL: deadlock (SQLSTATE 40P01)", message)
      is_clean()
    end)

    it("never when the answer to COMMIT was lost: nobody knows", function()
      for _, failure in ipairs { { "broken", "lost", { sent = true } }, { "slow", "timeout", breaks = true },
        { "going", "refused", { sqlstate = "57P01" } } } do
        failing.COMMIT = { 1, breaks = failure.breaks, table.unpack(failure) }
        local result, message, code, details = run { safe = true }
        assert.are.same({ nil, "unavailable", true, 1 }, { result, code, details.ambiguous, runs })
        assert.matches("the transaction may have been carried out$", message)
        is_clean()
      end
    end)

    it("never when COMMIT was refused, or broken off", function()
      for code, failure in pairs { conflict = { "duplicate key", "refused", { sqlstate = "23505" } },
        unavailable = { "slow", "timeout", { sent = true } } } do
        failing.COMMIT = { 1, table.unpack(failure) }
        local result, _, found, details = run { safe = true }
        assert.are.same({ nil, code, false, 1 }, { result, found, details.ambiguous, runs })
        is_clean()
      end
    end)
  end)

  describe("of a task that is cancelled", function()
    local function cancel_in(text)
      server.said = {}
      local task = host.task.spawn("cancelled", function()
        return pool:transaction(function(transaction)
          transaction:query "insert"
          return true
        end)
      end)
      server.statement_ms = 10
      support.eventually(text, function() return server.said[#server.said] and server.said[#server.said]:find(text) end)
      task:cancel()
      server.statement_ms = 0
      assert.are.equal("cancelled", (select(3, task:join())))
    end

    it("is rolled back where the connection lives", function()
      server.agrees_to_cancel = true
      cancel_in "insert"
      assert.are.equal("BEGIN, insert, ROLLBACK", heard())
      assert.are.equal(1, server:alive())
      is_clean()
    end)

    it("is closed with its connection where that is broken", function()
      cancel_in "insert"
      assert.are.equal("BEGIN, insert", heard())
      assert.are.equal(0, server:alive())
      is_clean()
    end)

    it("never leaves a connection in a transaction to the next one, wherever it is cancelled", function()
      for _, agrees in ipairs { false, true } do
        server.agrees_to_cancel = agrees
        for _, text in ipairs { "BEGIN", "insert", "COMMIT" } do
          cancel_in(text)
          is_clean()
        end
      end
    end)

    it("is closed with its connection when the clean-up is cancelled as well", function()
      server.agrees_to_cancel = true
      local task = host.task.spawn("cancelled twice", function()
        return pool:transaction(function() host.clock.sleep_ms(60000) return true end)
      end)
      support.eventually("BEGIN", function() return #server.said == 1 end)
      server.statement_ms = 60000
      task:cancel()
      support.eventually("ROLLBACK", function() return #server.said == 2 end)
      task:cancel()
      task:join()
      server.statement_ms = 0
      assert.are.equal(0, server:alive())
      is_clean()
    end)
  end)

  it("is closed with its connection when it can't be rolled back", function()
    failing.ROLLBACK = { 1, "broken", "lost", { sent = true } }
    local result, message = pool:transaction(function() return nil, "no", "conflict" end)
    assert.are.same({ nil, "no" }, { result, message })
    assert.are.equal(0, server:alive())
    is_clean()
  end)

  it("can't be used when it is over", function()
    local kept
    pool:transaction(function(transaction) kept = transaction return true end)
    for _, name in ipairs { "query", "copy" } do
      assert.error_matches(function() kept[name](kept, "select", {}) end,
        "the transaction is over; expected transaction:query%(sql.NAME")
    end
    pcall(pool.transaction, pool, function(transaction) kept = transaction error "x" end)
    assert.error_matches(function() kept:query "select" end, "the transaction is over")
    assert.error_matches(function()
      pool:transaction(function(transaction) transaction:query(nil) return true end)
    end, "expected transaction:query")
  end)

  it("has its own way to ask: the pool would wait for itself", function()
    for _, call in ipairs { "query", "transaction" } do
      local _, problem = pcall(pool.transaction, pool, function()
        pool[call](pool, call == "query" and "select" or function() return true end)
        return true
      end)
      assert.matches("transaction_spec.lua:%d+:.*expected transaction:query%(sql.NAME", problem)
      is_clean()
    end
    assert.is_true(pool:transaction(function()
      local other = database.open { postgres = server }
      assert(other:query "of another pool")
      other:close()
      return true
    end))
  end)

  it("takes its limits of time from the pool, or from the call", function()
    local given = {}
    local query = getmetatable(server.connect {}).__index.query
    local connection_class = getmetatable(server.connections[1]).__index
    finally(function() connection_class.query = query end)
    function connection_class.query(self, text, parameters, options)
      given[#given + 1] = options
      return query(self, text, parameters, options)
    end
    pool:transaction(function(transaction)
      transaction:query "select"
      transaction:query("select", {}, { timeout_ms = 5, limit_bytes = 6 })
      return true
    end)
    assert.are.same({ { timeout_ms = 30000 }, { timeout_ms = 5, limit_bytes = 6 } }, given)
  end)
end)
