local failures = require "submitter.database.failures"

describe("a failed statement", function()
  local function refused(sqlstate)
    return failures.statement("what the server says", "refused", { sqlstate = sqlstate })
  end

  it("has the code that callers branch on", function()
    local codes = {
      ["08006"] = "unavailable", ["57P01"] = "unavailable", ["57P03"] = "unavailable", ["53300"] = "unavailable",
      ["53100"] = "unavailable", ["40001"] = "unavailable", ["40P01"] = "unavailable", ["25006"] = "unavailable",
      ["57014"] = "unavailable", ["XX000"] = "unavailable", ["P0001"] = "unavailable", ["0A000"] = "unavailable",
      ["28P01"] = "environment", ["28000"] = "environment", ["3D000"] = "environment", ["3F000"] = "environment",
      ["42501"] = "environment", ["42P01"] = "environment", ["42703"] = "environment", ["42601"] = "environment",
      ["23505"] = "conflict", ["23503"] = "conflict", ["22021"] = "invalid", ["22P05"] = "invalid",
      ["54000"] = "too_large",
    }
    for sqlstate, code in pairs(codes) do
      local failure = refused(sqlstate)
      assert.are.equal(code, failure.code, sqlstate)
      assert.matches("PostgreSQL: what the server says (SQLSTATE " .. sqlstate .. ")", failure.message, 1, true)
      assert.are.equal(sqlstate, failure.details.sqlstate)
    end
    assert.are.equal("unavailable", failures.statement("?", "refused", nil).code)
    assert.are.equal("too_large", failures.statement("too much", "too_large", {}).code)
    assert.are.equal("invalid", failures.statement("NUL", "invalid", {}).code)
    assert.are.equal("unavailable", failures.statement("slow", "timeout", {}).code)
    assert.are.equal("unavailable", failures.statement("?", "something new", {}).code)
  end)

  it("says what to do where somebody has to do something", function()
    assert.matches("run \"submitter database migrate\" as the schema's owner$", refused("42P01").message)
    assert.matches("submitter_worker", refused("42501").message)
    assert.matches("statement_timeout", failures.statement("slow", "timeout", {}).message)
    assert.are.equal("PostgreSQL: what the server says (SQLSTATE 23505)", refused("23505").message)
  end)

  it("may be sent again only if nothing can have come of it, or it does no harm", function()
    local again = {
      ["0A000"] = "safe", ["26000"] = "safe", ["25006"] = "always", ["40001"] = "safe", ["40P01"] = "safe",
      ["57P01"] = "safe", ["08006"] = "safe",
    }
    for sqlstate, when in pairs(again) do assert.are.equal(when, refused(sqlstate).again, sqlstate) end
    for _, sqlstate in ipairs { "23505", "42P01", "53300", "57014", "22021", "XX000" } do
      assert.is_nil(refused(sqlstate).again)
    end
    assert.are.equal("always", failures.statement("broken", "lost", { sent = false }).again)
    assert.are.equal("safe", failures.statement("broken", "lost", { sent = true }).again)
    assert.are.equal("safe", failures.statement("broken", "lost", nil).again)
    assert.are.equal("always", failures.statement("closed", "closed", {}).again)
    assert.is_nil(failures.statement("slow", "timeout", {}).again)
  end)

  it("tells whether it may have been carried out all the same", function()
    local function is_ambiguous(code, details, state)
      return failures.statement("what happened", code, details, state).details.ambiguous
    end
    assert.is_true(is_ambiguous("lost", { sent = true }, "broken"))
    assert.is_false(is_ambiguous("lost", { sent = false }, "broken"))
    assert.is_true(is_ambiguous("refused", { sent = true, sqlstate = "57P01" }, "broken"))
    for _, sqlstate in ipairs { "23505", "40001", "57014" } do
      assert.is_false(is_ambiguous("refused", { sent = true, sqlstate = sqlstate }, "idle"))
    end
    assert.is_true(is_ambiguous("timeout", { sent = true }, "broken"))
    assert.is_false(is_ambiguous("timeout", { sent = false }, "broken"))
    assert.is_false(is_ambiguous("timeout", { sent = true }, "idle"))
    assert.is_false(is_ambiguous("timeout", { sent = true }, "failed"))
  end)

  it("leaves the connection's own details alone", function()
    local details = { sent = true }
    failures.statement("broken", "lost", details)
    assert.are.same({ sent = true }, details)
  end)

  it("is told on one line of bounded length, without what steers a terminal", function()
    assert.are.equal("PostgreSQL: first; second\\e[31m",
      failures.statement("first\n\tsecond\27[31m\n", "lost").message)
    local long = failures.statement(("ä"):rep(1000), "lost").message
    assert.is_true(#long < 540)
    assert.is_truthy(utf8.len(long))
  end)
end)

describe("a failed connection", function()
  it("passes by itself or by somebody's doing", function()
    local codes = { connect = "unavailable", timeout = "unavailable", refused = "environment", library = "environment" }
    for code, expected in pairs(codes) do
      local message, found = failures.connect("what libpq says", code)
      assert.are.equal(expected, found)
      assert.matches("^can't connect to PostgreSQL: what libpq says", message)
    end
    assert.are.equal("can't connect to PostgreSQL: refused; is it running?",
      (failures.connect("refused\n\tis it running?\n", "connect")))
  end)

  it("says what to do", function()
    local remedies = {
      ['FATAL:  password authentication failed for user "w"'] = "check the password file",
      ["fe_sendauth: no password supplied"] = "check the password file",
      ['FATAL:  database "d" does not exist'] = "createdb",
      ['FATAL:  role "w" does not exist'] = "CREATE ROLE",
      ['FATAL:  no pg_hba.conf entry for host "1.2.3.4"'] = "pg_hba.conf of the server",
      ["root certificate file does not exist"] = "sslrootcert",
      ["SSL error: certificate verify failed"] = "sslrootcert",
      ["server does not support SSL, but SSL was required"] = "see sslmode",
      ["invalid connection option"] = "SUBMITTER_DATABASE_URL",
    }
    for said, remedy in pairs(remedies) do
      local message = failures.connect(said, "refused")
      assert.matches(remedy, message:sub(#said), 1, true)
    end
  end)
end)
