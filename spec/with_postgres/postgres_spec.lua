-- submitter.core.postgres against a real server. spec/core/postgres_spec.lua has what a server does rarely.
local host = require "submitter.host"
local servers = require "spec.postgres"
local support = require "support"

local clock, postgres, task = host.clock, host.postgres, host.task
local null, bytea = postgres.null, postgres.bytea

local function duration(body)
  local begun = clock.monotonic_ms()
  body()
  return clock.monotonic_ms() - begun
end

local function connect(url)
  return assert(postgres.connect { url = url, connect_timeout_ms = 30000 })
end

--- Code, message and details of what must have failed.
local function failure(result, message, code, details)
  assert.is_nil(result)
  return code, message, details
end

describe("core.postgres with a server", function()
  local server, url, connection

  setup(function()
    server = servers.shared()
    url = server:database()
  end)

  before_each(function() connection = connect(url) end)

  after_each(function()
    connection:close()
    support.clean()
  end)

  --- The value of one expression.
  local function value(expression, parameters)
    local result = assert(connection:query("SELECT (SELECT " .. expression .. ") AS value", parameters))
    assert.are.equal(1, #result.rows)
    return result.rows[1].value
  end

  describe("values", function()
    it("come as what they are", function()
      for expression, expected in pairs {
        ["NULL::int"] = false, ["true"] = true, ["1::smallint"] = 1, ["(-2147483648)::int"] = -2147483648,
        ["9223372036854775807::bigint"] = math.maxinteger, ["(-9223372036854775808)::bigint"] = math.mininteger,
        ["4294967295::oid"] = 4294967295, ["0.1::float8"] = 0.1, ["0.1::float4"] = 0.1, ["1e308::float8"] = 1e308,
        ["'Infinity'::float8"] = math.huge, ["'-Infinity'::float4"] = -math.huge, ["1.10::numeric"] = "1.10",
        ["'NaN'::numeric"] = "NaN", ["'x'::text"] = "x", ["''::text"] = "", ["'ab'::char(4)"] = "ab  ",
        ["'n'::name"] = "n", ["'\\x00ff0a5c'::bytea"] = "\0\xff\n\\", ["''::bytea"] = "",
        ["'2026-11-24'::date"] = "2026-11-24", ["'{\"a\": [1, null]}'::jsonb"] = '{"a": [1, null]}',
        ["'00000000-0000-0000-0000-00000000000A'::uuid"] = "00000000-0000-0000-0000-00000000000a",
        ["'1 day 2 hours'::interval"] = "1 day 02:00:00", ["'{1,2}'::int[]"] = "{1,2}",
        ["'{{a},{b}}'::text[]"] = "{{a},{b}}",
      } do
        local got = value(expression)
        if expected == false then expected = nil end
        assert.are.equal(expected, got, expression)
        assert.are.equal(math.type(expected), math.type(got), expression)
      end
      local nan = value "'NaN'::float8"
      assert.is_true(nan ~= nan)
    end)

    it("of time are milliseconds, and agree with the server's own count", function()
      for _, text in ipairs { "1970-01-01 00:00:00+00", "2026-11-24 15:21:03.123999+00", "1969-12-31 23:59:59.9995+00",
        "2000-02-29 23:59:59.999999+00", "0044-03-15 00:00:00+00 BC", "4714-11-24 00:00:00+00 BC",
        "1880-01-01 00:00:00-00:25:21", "294276-12-31 00:00:00.001+00", "2026-11-24 20:51:03+05:30",
        "0001-01-01 00:00:00+00 BC" } do
        for _, type in ipairs { "timestamptz", "timestamp" } do
          local row = assert(connection:query([[
            SELECT $1::text::timestamptz AT TIME ZONE 'UTC' AS naive, $1::text::timestamptz AS aware,
              floor(extract(epoch FROM $1::text::timestamptz) * 1000)::bigint AS expected ]], { text })).rows[1]
          assert.are.equal(row.expected, row[type == "timestamp" and "naive" or "aware"], text)
        end
      end
      assert.are.equal(math.huge, value "'infinity'::timestamptz")
      assert.are.equal(-math.huge, value "'-infinity'::timestamp")
      assert.are.equal(1795533663123,
        value("timestamptz 'epoch' + $1::bigint * interval '1 millisecond'", { 1795533663123 }))
    end)

    it("are lists where they are arrays of texts", function()
      assert.are.same({}, value "'{}'::text[]")
      assert.are.same({ "a", null, "NULL", "", " b ", "c,d", '"', "\\", "{}", "\n" },
        value [[ARRAY['a', NULL, 'NULL', '', ' b ', 'c,d', '"', E'\\', '{}', E'\n']::text[] ]])
      assert.are.same({ "a" }, value "'[5:5]={a}'::varchar[]")
    end)

    it("go and come back unchanged", function()
      local all = {}
      for byte = 1, 127 do all[#all + 1] = string.char(byte) end
      local text = table.concat(all) .. "ä€😀"
      assert.are.equal(text, value("$1::text", { text }))
      assert.are.equal("", value("$1::text", { "" }))
      local bytes = {}
      for byte = 0, 255 do bytes[#bytes + 1] = string.char(byte) end
      assert.are.equal(table.concat(bytes), value("$1::bytea", { bytea(table.concat(bytes)) }))
      assert.are.equal("", value("$1::bytea", { bytea "" }))
      local list = { "", "a", null, "NULL", text, "{}", '"', "\\", ",", " " }
      assert.are.same(list, value("$1::text[]", { list }))
      assert.are.same({}, value("$1::text[]", { {} }))
      for _, number in ipairs { 0, 1, -1, math.maxinteger, math.mininteger } do
        assert.are.equal(number, value("$1::bigint", { number }))
      end
      for _, number in ipairs { 0.1, 1 / 3, 1e-320, -1.7976931348623157e308, math.huge, -math.huge, 2.0 ^ 53 } do
        assert.are.equal(number, value("$1::float8", { number }))
      end
      assert.is_true(value("$1::bool", { true }))
      assert.is_false(value("$1::bool", { false }))
      assert.is_nil(value("$1::text", { null }))
    end)

    it("are never SQL, whatever they hold", function()
      assert(connection:script "CREATE TABLE hostile (a text)")
      local texts = { "'; DROP TABLE hostile; --", "$1", "\\'; SELECT 1", "%s", "$$", "\\N", "\\.", "{a}", "NULL",
        "E'\\x41'" }
      for _, text in ipairs(texts) do
        assert(connection:query("INSERT INTO hostile VALUES ($1)", { text }))
      end
      local rows = assert(connection:query("SELECT a FROM hostile ORDER BY ctid")).rows
      for index, text in ipairs(texts) do assert.are.equal(text, rows[index].a) end
      assert.are.same({ "NULL" }, value("array_agg(a) FILTER (WHERE a = ANY($1)) FROM hostile", { { "NULL", "none" } }))
      assert(connection:script "DROP TABLE hostile")
    end)

    it("that are no UTF-8 are refused by the server", function()
      local code, _, details = failure(connection:query("SELECT $1::text", { "\xff" }))
      assert.are.equal("refused", code)
      assert.are.equal("22021", details.sqlstate)
      assert.are.equal("idle", connection:state())
    end)

    it("may have 10 MB, both ways", function()
      local text = ("äbc\n"):rep(2 << 20)
      assert.is_true(text == value("$1::text", { text }))
      local bytes = ("\0\1\2\xff"):rep((10 << 20) // 4)
      assert.is_true(bytes == value("$1::bytea", { bytea(bytes) }))
    end)

    it("don't depend on what role, database or session are set to", function()
      assert(connection:script [[
        ALTER ROLE postgres SET datestyle = 'German'; ALTER ROLE postgres SET timezone = 'Asia/Kolkata';
        ALTER ROLE postgres SET bytea_output = 'escape'; ALTER ROLE postgres SET intervalstyle = 'iso_8601';
        ALTER ROLE postgres SET extra_float_digits = -15; ALTER ROLE postgres SET client_encoding = 'LATIN1'
      ]])
      finally(function() assert(connection:script "ALTER ROLE postgres RESET ALL") end)
      local other <close> = connect(url)
      local row = assert(other:query([[
        SELECT '1970-01-01 00:00:00+00'::timestamptz AS t, '\xff'::bytea AS b, '1 day'::interval AS i,
          0.1::float8 + 0.2::float8 AS f, '€'::text AS e ]])).rows[1]
      assert.are.same({ t = 0, b = "\xff", i = "1 day", f = 0.1 + 0.2, e = "€" }, row)
    end)

    it("that can't be read after a session's settings were changed are told", function()
      assert(connection:script "SET datestyle = German")
      local code, message = failure(connection:query "SELECT now() AS moment")
      assert.are.equal("invalid", code)
      assert.truthy(message:find("moment", 1, true))
    end)
  end)

  describe("a statement", function()
    it("gives names, rows and count", function()
      assert.are.same({ columns = { "a", "b" }, rows = { { a = 1 }, { a = 2, b = "x" } }, count = 2 },
        assert(connection:query "SELECT * FROM (VALUES (1, NULL), (2, 'x')) AS t (a, b)"))
      assert.are.same({ columns = { "a" }, rows = {}, count = 0 }, assert(connection:query "SELECT 1 AS a WHERE false"))
      assert.are.same({ columns = {}, rows = {}, count = 0 }, assert(connection:query ""))
      assert(connection:script "CREATE TABLE counted (a int)")
      assert.are.equal(3, assert(connection:query "INSERT INTO counted VALUES (1), (2), (3)").count)
      assert.are.equal(2, assert(connection:query("UPDATE counted SET a = a WHERE a > $1", { 1 })).count)
      assert.are.same({ columns = { "a" }, rows = { { a = 3 } }, count = 1 },
        assert(connection:query "DELETE FROM counted WHERE a = 3 RETURNING a"))
      assert(connection:script "DROP TABLE counted")
    end)

    it("gives many rows in order", function()
      local result = assert(connection:query "SELECT i, i::text || 'x' AS t FROM generate_series(1, 50000) AS i")
      assert.are.equal(50000, result.count)
      for index, row in ipairs(result.rows) do
        if row.i ~= index or row.t ~= index .. "x" then error("row " .. index) end
      end
    end)

    it("is one statement", function()
      local code, _, details = failure(connection:query "SELECT 1; SELECT 2")
      assert.are.equal("refused", code)
      assert.are.equal("42601", details.sqlstate)
    end)

    it("tells the server's error and where it is", function()
      assert(connection:script "CREATE TABLE errors (a int CONSTRAINT errors_key UNIQUE, b int NOT NULL)")
      assert(connection:query "INSERT INTO errors VALUES (1, 1)")
      local code, message, details = failure(connection:query("INSERT INTO errors VALUES ($1, 1)", { 1 }))
      assert.are.equal("refused", code)
      assert.are.equal('duplicate key value violates unique constraint "errors_key"', message)
      assert.are.same({ sent = true, sqlstate = "23505", constraint = "errors_key", table = "errors",
        detail = "Key (a)=(1) already exists." }, details)
      details = select(3, failure(connection:query "INSERT INTO errors VALUES (2, NULL)"))
      assert.are.equal("23502", details.sqlstate)
      assert.are.equal("b", details.column)
      code, message, details = failure(connection:query "SELECT c FROM errors")
      assert.are.equal("refused", code)
      assert.are.equal("42703", details.sqlstate)
      assert.truthy(message:find('"c"', 1, true))
      assert.are.equal("idle", connection:state())
      assert(connection:script "DROP TABLE errors")
    end)

    it("whose error repeats a large value has a message that can be read", function()
      local _, message = failure(connection:query("SELECT $1::text::int", { ("x"):rep(5 << 20) }))
      assert.is_true(#message < 4096)
      assert.are.equal(1, value "1")
    end)

    it("that is refused while a large parameter is still on its way doesn't block", function()
      local code = failure(connection:query("SELEC $1", { ("x"):rep(30 << 20) }))
      assert.are.equal("refused", code)
      assert.are.equal(1, value "1")
    end)

    it("is held within limit_bytes, and the connection can be used afterwards", function()
      local code, message = failure(connection:query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)", {},
        { limit_bytes = 1 << 20 }))
      assert.are.equal("too_large", code)
      assert.truthy(message:find("1048576", 1, true))
      assert.are.equal("idle", connection:state())
      assert.are.equal(1, value "1")
      assert(connection:query("SELECT repeat('x', 100)", {}, { limit_bytes = 105 }))
      assert.are.equal("too_large", (failure(connection:query("SELECT repeat('x', 101)", {}, { limit_bytes = 105 }))))
      assert.are.equal(1, value "1")
    end)

    it("is ended when its time is over, and the connection can be used afterwards", function()
      local taken = duration(function()
        local code, message, details = failure(connection:query("SELECT pg_sleep(60)", {}, { timeout_ms = 100 }))
        assert.are.equal("timeout", code)
        assert.truthy(message:find("100 ms", 1, true))
        assert.is_true(details.sent)
      end)
      assert.is_true(taken < 10000)
      assert.are.equal("idle", connection:state())
      assert.are.equal(1, value "1")
      assert(connection:script "BEGIN")
      assert.are.equal("timeout", (failure(connection:query("SELECT pg_sleep(60)", {}, { timeout_ms = 50 }))))
      assert.are.equal("failed", connection:state())
      assert(connection:script "ROLLBACK")
      assert.are.equal("idle", connection:state())
      assert.are.equal("timeout", (failure(connection:script("SELECT pg_sleep(60)", { timeout_ms = 50 }))))
      assert.are.equal(1, value "1")
    end)

    it("never suffers from the cancelling of the one before", function()
      for _ = 1, 30 do
        connection:query("SELECT pg_sleep(0.02)", {}, { timeout_ms = 20 })
        assert.are.equal(7, value "7")
      end
    end)

    it("is ended with its task, and the connection can be used afterwards", function()
      local waiting = task.spawn("sleeper", connection.query, connection, "SELECT pg_sleep(60)")
      clock.sleep_ms(50)
      local taken = duration(function()
        waiting:cancel()
        local good, _, code = waiting:join()
        assert.is_nil(good)
        assert.are.equal("cancelled", code)
      end)
      assert.is_true(taken < 10000)
      assert.are.equal("idle", connection:state())
      assert.are.equal(1, value "1")
      local result, _, code = task.within(50, connection.query, connection, "SELECT pg_sleep(60)")
      assert.is_nil(result)
      assert.are.equal("timeout", code)
      assert.are.equal(1, value "1")
    end)
  end)

  describe("preparing", function()
    local function prepared()
      return value "(SELECT count(*) FROM pg_prepared_statements)"
    end

    it("begins with the second use", function()
      local count = prepared() -- once
      assert.are.equal(0, count)
      assert.are.equal(1, prepared()) -- itself
      assert(connection:query("SELECT 1 + $1", { 1 }))
      assert.are.equal(1, prepared())
      for number = 1, 5 do
        assert.are.equal(number + 1, assert(connection:query("SELECT 1 + $1 AS s", { number })).rows[1].s)
      end
      assert.are.equal(2, prepared())
    end)

    it("doesn't mix up bytes and texts", function()
      for _ = 1, 3 do
        assert.are.equal("\\x61", value("$1::text", { bytea "a" }))
        assert.are.equal("a", value("$1::text", { "a" }))
      end
    end)

    it("is bounded, and what fell out is forgotten by the server", function()
      for _ = 1, 2 do
        for number = 1, 150 do
          for _ = 1, 2 do assert.are.equal(number, value(tostring(number))) end
        end
      end
      assert.is_true(prepared() <= 65)
      assert(connection:script "BEGIN")
      for number = 200, 400 do
        for _ = 1, 2 do assert.are.equal(number, value(tostring(number))) end
      end
      assert(connection:script "COMMIT")
      for _ = 1, 3 do value "0" end
      assert.is_true(prepared() <= 65)
    end)

    it("is done anew when tables change", function()
      assert(connection:script "CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)")
      local text = "SELECT * FROM changing"
      for _ = 1, 3 do assert.are.same({ { a = 1 } }, assert(connection:query(text)).rows) end
      assert(connection:script "ALTER TABLE changing ADD b text DEFAULT 'x'")
      for _ = 1, 3 do assert.are.same({ { a = 1, b = "x" } }, assert(connection:query(text)).rows) end
      assert(connection:script "BEGIN; ALTER TABLE changing DROP b")
      local code, _, details = failure(connection:query(text))
      assert.are.equal("refused", code)
      assert.are.equal("0A000", details.sqlstate)
      assert.are.equal("failed", connection:state())
      assert(connection:script "ROLLBACK")
      for _ = 1, 3 do assert.are.same({ { a = 1, b = "x" } }, assert(connection:query(text)).rows) end
      assert(connection:script "DROP TABLE changing")
    end)

    it("is done anew when the server was told to forget", function()
      for _ = 1, 3 do value "5" end
      assert(connection:script "DEALLOCATE ALL")
      for _ = 1, 3 do assert.are.equal(5, value "5") end
    end)

    it("isn't tried in a transaction that failed", function()
      assert(connection:query "SELECT 6")
      assert(connection:script "BEGIN")
      failure(connection:query "SELECT 1/0")
      local _, _, details = failure(connection:query "SELECT 6")
      assert.are.equal("25P02", details.sqlstate)
      assert(connection:query "ROLLBACK")
      assert.are.equal("idle", connection:state())
    end)
  end)

  describe("a script", function()
    it("runs all of it or, outside of a block, nothing", function()
      local result = assert(connection:script [[
        CREATE TABLE scripted (a int); INSERT INTO scripted VALUES (1); SELECT a FROM scripted ]])
      assert.are.same({ columns = {}, rows = {}, count = 1 }, result)
      local code = failure(connection:script [[
        INSERT INTO scripted VALUES (2); SELECT 1/0; INSERT INTO scripted VALUES (3) ]])
      assert.are.equal("refused", code)
      assert.are.equal(1, value "count(*) FROM scripted")
      assert(connection:script "DROP TABLE scripted")
    end)

    it("leaves a transaction as it says", function()
      assert.are.equal("idle", connection:state())
      assert(connection:script "BEGIN")
      assert.are.equal("transaction", connection:state())
      failure(connection:query "SELECT 1/0")
      assert.are.equal("failed", connection:state())
      assert(connection:script "ROLLBACK")
      assert.are.equal("idle", connection:state())
    end)

    it("takes no COPY", function()
      assert.has_error(function() connection:script "CREATE TEMP TABLE c (a int); COPY c FROM STDIN" end,
        "Connection:script: COPY ... FROM STDIN is for Connection:copy")
      assert.are.equal("idle", connection:state())
      assert.has_error(function() connection:query "COPY (SELECT 1) TO STDOUT" end)
      assert.are.equal("broken", connection:state())
    end)
  end)

  describe("a copy", function()
    before_each(function()
      assert(connection:script "CREATE TABLE copied (n int CHECK (n >= 0), t text, f float8, b bool, y bytea)")
    end)
    after_each(function() server:sql(url, "DROP TABLE copied") end)

    local into = "COPY copied FROM STDIN"

    it("takes all kinds of values", function()
      local rows = {
        { 1, "a\tb\nc\rd\\e", 0.1, true, bytea "\0\1\\\n\xff" }, { 2, null, 1 / 0, false, bytea "" },
        { 3, "\\N", -1e-300, true, null }, { 4, "", 2, false, null }, { 5, "\\.", 3.0, true, null },
        { null, "ä€😀", null, null, null },
      }
      assert.are.equal(6, assert(connection:copy(into, rows)))
      local read = assert(connection:query "SELECT * FROM copied ORDER BY ctid").rows
      for index, row in ipairs(rows) do
        for place, name in ipairs { "n", "t", "f", "b", "y" } do
          local expected = row[place]
          if expected == null then expected = nil end
          if type(expected) == "table" then expected = expected.bytes end
          assert.are.equal(expected, read[index][name], index .. name)
        end
      end
      assert.are.equal(0, assert(connection:copy(into, {})))
    end)

    it("takes 10,000 rows, and gives them back", function()
      local rows = {}
      for index = 1, 10000 do
        rows[index] = { index, ("line %d\n"):format(index):rep(5), index / 7, index % 2 == 0, null }
      end
      assert.are.equal(10000, assert(connection:copy(into, rows)))
      local read = assert(connection:query "SELECT * FROM copied ORDER BY n").rows
      assert.are.equal(10000, #read)
      for index, row in ipairs(read) do
        local sent = rows[index]
        if row.n ~= sent[1] or row.t ~= sent[2] or row.f ~= sent[3] or row.b ~= sent[4] then error("row " .. index) end
      end
    end)

    it("takes values of 10 MB", function()
      local large = ("\\\n\tä"):rep(2 << 20)
      assert.are.equal(1, assert(connection:copy(into, { { 1, large, 1, true, bytea(large) } })))
      assert.is_true(value "t = convert_from(y, 'UTF8') FROM copied")
      assert.are.equal(#large, value "octet_length(t) FROM copied")
    end)

    it("says which line the server refuses, and leaves nothing", function()
      local rows = {}
      for index = 1, 100000 do rows[index] = { index == 777 and -1 or index, "some text", 0.5, true, null } end
      local code, message, details = failure(connection:copy(into, rows))
      assert.are.equal("refused", code)
      assert.are.equal("23514", details.sqlstate)
      assert.truthy(message:find("COPY copied, line 777", 1, true), message)
      assert.are.equal("idle", connection:state())
      assert.are.equal(0, value "count(*) FROM copied")
      local _, other = failure(connection:copy(into, { { 1, "", 1, true, null }, { 2, "", "oops", true, null } }))
      assert.truthy(other:find('COPY copied, line 2, column f: "oops"', 1, true), other)
      assert.are.equal("refused", (failure(connection:copy("COPY nowhere FROM STDIN", { { 1 } }))))
      assert.are.equal("refused", (failure(connection:copy(into, { { 1, 2 } }))))
      assert.are.equal("idle", connection:state())
    end)

    it("is ended when its time is over or its task is, whatever the server waits for", function()
      assert(connection:script [[
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END $$;
        CREATE TRIGGER slow BEFORE INSERT ON copied FOR EACH ROW EXECUTE FUNCTION slow()
      ]])
      finally(function() server:sql(url, "DROP FUNCTION slow CASCADE") end)
      local rows = {}
      for index = 1, 20000 do rows[index] = { index, ("x"):rep(1000), 1, true, null } end
      local code, _, details = failure(connection:copy(into, rows, { timeout_ms = 100 }))
      assert.are.equal("timeout", code)
      assert.is_false(details.sent)
      assert.are.equal("idle", connection:state())
      local waiting = task.spawn("copy", connection.copy, connection, into, rows)
      clock.sleep_ms(100)
      waiting:cancel()
      assert.is_nil((waiting:join()))
      assert.are.equal("idle", connection:state())
      assert.are.equal(0, value "count(*) FROM copied")
      -- All of it is with the server, which works on it.
      code = failure(connection:copy(into, { table.unpack(rows, 1, 50) }, { timeout_ms = 500 }))
      assert.are.equal("timeout", code)
      assert.are.equal("idle", connection:state())
    end)

    it("is a COPY", function()
      assert.has_error(function() connection:copy("SELECT 1", { { 1 } }) end,
        "Connection:copy: it isn't COPY ... FROM STDIN")
      assert.are.equal("idle", connection:state())
    end)
  end)
end)
