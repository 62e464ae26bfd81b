-- submitter.core.postgres as far as it can be shown without a server: spec/with_postgres/postgres_spec.lua has the rest.
local core = require "core.support"
local host = require "submitter.host"
local pgwire = require "fake.pgwire"
local support = require "support"

local clock, postgres, task = host.clock, host.postgres, host.task

local servers = {}

local function serve(...)
  local server = pgwire.start { ... }
  servers[#servers + 1] = server
  return server
end

local function absent()
  local server = pgwire.absent()
  servers[#servers + 1] = server
  return server
end

--- What a connect that must fail says; none of it may be secret.
local function failure(options)
  local connection, message, code = postgres.connect(options)
  assert.is_nil(connection)
  assert.is_nil(message:find("secret", 1, true), message)
  return code, message
end

local function duration(body)
  local begun = clock.monotonic_ms()
  body()
  return clock.monotonic_ms() - begun
end

local function connect(server)
  return assert(postgres.connect { url = server.url, connect_timeout_ms = 20000 })
end

describe("core.postgres", function()
  after_each(function()
    for _, server in ipairs(servers) do server:close() end
    servers = {}
    support.clean()
  end)

  describe("connect", function()
    it("takes no other options, and those only as they are meant", function()
      assert.has_error(function() postgres.connect { urls = "" } end, "postgres.connect: unknown option \"urls\"")
      assert.has_error(function() postgres.connect { url = 1 } end)
      assert.has_error(function() postgres.connect { url = "a\0b" } end)
      assert.has_error(function() postgres.connect { connect_timeout_ms = 0 } end)
      assert.has_error(function() postgres.connect { connect_timeout_ms = 1.5 } end)
      assert.has_error(function() postgres.connect "host=localhost" end)
    end)

    it("tells a server that isn't there", function()
      local code, message = failure { url = "host=127.0.0.1 port=1 password=secret" }
      assert.are.equal("connect", code)
      assert.truthy(message:find("Connection refused", 1, true), message)
      assert.are.equal("connect", (failure { url = "host=nowhere.invalid", connect_timeout_ms = 20000 }))
      assert.are.equal("connect", (failure { url = "host=/nowhere" }))
    end)

    it("refuses connection strings that can't be meant, and repeats nothing of them", function()
      for url, reason in pairs {
        ["secret"] = "neither a URI",
        ["postgress://u:secret@h/d"] = "neither a URI",
        ["postgress://u:secret@h/d?sslmode=require"] = "doesn't know one of its settings",
        ["host=h password=my secret"] = "has no =",
        ["host=h password='secret"] = "a quote isn't closed",
        ["host=h secret=1"] = "doesn't know one of its settings",
        ["postgresql://u:pa@secret@h/d"] = "isn't encoded",
        ["postgresql://u:pa/secret@h/d"] = "isn't encoded",
        ["postgresql://u:pa?secret@h/d"] = "isn't encoded",
        ["postgresql://u:secret/d"] = "port is no number",
        ["postgresql://u:p%zzsecret@h/d"] = "two digits",
        ["postgresql://u:p@h/d?secret=1"] = "behind the ?",
        ["host=u:pa@secret"] = "host holds an @",
        ["host=h port=secret"] = "port is no number",
      } do
        local code, message = failure { url = url }
        assert.are.equal("refused", code, url)
        assert.truthy(message:find(reason, 1, true), url .. ": " .. message)
      end
    end)

    it("refuses settings that libpq doesn't take", function()
      local code, message = failure { url = "host=127.0.0.1 sslmode=sometimes password=secret" }
      assert.are.equal("refused", code)
      assert.truthy(message:find("sslmode", 1, true), message)
      code, message = failure { url = "service=never_heard_of_it" }
      assert.are.equal("refused", code)
      assert.truthy(message:find("never_heard_of_it", 1, true), message)
    end)

    it("sets the session, and says who it is", function()
      local server = serve { "startup", pgwire.welcome, "query", pgwire.session, "hold" }
      local connection <close> = connect(server)
      assert.are.equal("idle", connection:state())
      assert.are.equal(150000, connection:server_version())
      support.eventually("the settings are told", function() return #server:came() == 2 end)
      local greeting, settings = table.unpack(server:came())
      assert.are.equal("submitter", greeting.settings.application_name)
      assert.are.equal("UTF8", greeting.settings.client_encoding)
      for _, name in ipairs { "datestyle", "timezone", "intervalstyle", "extra_float_digits", "bytea_output" } do
        assert.truthy(settings.text:find("SET " .. name, 1, true), name)
      end
    end)

    it("knows what may pass from what somebody has to change", function()
      local classes = { ["57P03"] = "connect", ["53300"] = "connect", ["57P01"] = "connect", ["28P01"] = "refused",
        ["28000"] = "refused", ["3D000"] = "refused", ["42501"] = "refused", ["0A000"] = "refused",
        ["22023"] = "refused" }
      for sqlstate, expected in pairs(classes) do
        local server = serve { "startup", pgwire.error("FATAL", sqlstate, "it said so") }
        local code, message = failure { url = server.url, connect_timeout_ms = 20000 }
        assert.are.equal(expected, code, sqlstate)
        assert.truthy(message:find("failed: it said so$"), message)
      end
    end)

    it("tells a server that ends amid the greeting, or speaks another language", function()
      for name, script in pairs {
        ended = { "startup" }, reset = { "startup", "reset" }, half = { "startup", { say = "R\0\0" } },
        garbage = { "startup", { say = ("HTTP/1.1 400 Bad Request\r\n\r\n"):rep(3) } },
        session = { "startup", pgwire.welcome, "query" },
        farewell = { "startup", pgwire.welcome, "query",
          pgwire.together(pgwire.session, pgwire.error("FATAL", "57P01", "terminating connection")) },
        session_error = { "startup", pgwire.welcome, "query",
          pgwire.together(pgwire.error("ERROR", "XX000", "no settings today"), pgwire.ready()), "hold" },
      } do
        local server = serve(script)
        local code, message = failure { url = server.url, connect_timeout_ms = 20000 }
        assert.truthy(code == "connect" or code == "refused", name)
        assert.truthy(#message > 10, name)
      end
    end)

    it("is over when its time is over, whatever the server does", function()
      for name, server in pairs {
        absent = absent(), mute = serve { "deaf" }, mute_greeted = serve { "startup", "deaf" },
        mute_session = serve { "startup", pgwire.welcome, "query", "deaf" },
      } do
        local url = server.url
        local taken = duration(function()
          local code, message = failure { url = url, connect_timeout_ms = 150 }
          assert.are.equal("timeout", code, name)
          assert.truthy(message:find("no connection within 150 ms", 1, true), message)
          assert.truthy(message:find("127.0.0.1", 1, true), message)
        end)
        assert.is_true(taken < 5000, name)
      end
    end)

    it("honours libpq's own connect_timeout", function()
      local server = serve { "deaf" }
      local code, message
      local taken = duration(function()
        code, message = failure { url = server.url .. " connect_timeout=1", connect_timeout_ms = 60000 }
      end)
      assert.are.equal("timeout", code)
      assert.truthy(message:find("said nothing", 1, true), message)
      assert.is_true(taken >= 900 and taken < 30000)
    end)

    it("takes a connect_timeout of any size", function()
      local server = serve { "deaf" }
      for _, seconds in ipairs { "9223372036854775807", "3000000", "99999999999999999999" } do
        assert.are.equal("timeout",
          (failure { url = server.url .. " connect_timeout=" .. seconds, connect_timeout_ms = 100 }))
      end
    end)

    it("says what this process lacks for it", function()
      local server = serve { "startup", pgwire.welcome, "query", pgwire.session, "hold" }
      local directory = support.directory()
      assert(directory:write("script.lua", [[
        local postgres = require "submitter.core.postgres"
        assert(postgres.connect { url = arg[1] }):close()
        local kept = {}
        repeat
          local file = io.open "/dev/null"
          kept[#kept + 1] = file
        until not file
        local connection, message, code = postgres.connect { url = arg[1] }
        kept = nil
        collectgarbage() collectgarbage()
        assert(not connection and code == "connect", code)
        assert(message:find("EMFILE", 1, true), message)
        assert(postgres.connect { url = arg[1] }):close()
      ]]))
      local result = assert(host.child.run {
        program = "/bin/sh", environment = core.environment(), arguments = { "-c", 'ulimit -n 64 && exec "$@"', "sh",
          host.system.executable(), "run", directory:path() .. "/script.lua", server.url },
      })
      assert.are.equal(0, result.exit_code, result.stderr)
    end)

    it("goes on to the next host, whether one refuses, isn't there or says nothing", function()
      local good = serve { "startup", pgwire.welcome, "query", pgwire.session, "hold" }
      local mute, gone = serve { "startup", "deaf" }, absent()
      for name, port in pairs { refusing = 1, absent = gone.port, mute = mute.port } do
        local connection, message = postgres.connect {
          url = ("host=127.0.0.1,localhost,127.0.0.1 hostaddr=127.0.0.1,127.0.0.1,127.0.0.1 port=%d,1,%d user=u "
            .. "dbname=d sslmode=disable"):format(port, good.port), connect_timeout_ms = 3000,
        }
        assert(connection, name .. ": " .. tostring(message)):close()
      end
    end)

    it("takes turns with everything else, and leaves nothing behind when it is cancelled", function()
      local server = serve { "deaf" }
      local before = core.descriptors()
      local waiting = task.spawn("connect", postgres.connect, { url = server.url, connect_timeout_ms = 60000 })
      assert.is_true(duration(function() clock.sleep_ms(50) end) < 5000)
      waiting:cancel()
      local taken = duration(function()
        local good, _, code = waiting:join()
        assert.is_nil(good)
        assert.are.equal("cancelled", code)
      end)
      assert.is_true(taken < 5000)
      support.eventually("the socket is closed", function() return core.descriptors() <= before end)
      support.eventually("the server sees it", function() return server:count "end" == 1 or #server:came() == 0 end)
    end)

    it("doesn't hold up files, however many wait", function()
      local server = serve { "deaf" }
      local waiting = {}
      for index = 1, 12 do
        waiting[index] = task.spawn("connect", postgres.connect, { url = server.url, connect_timeout_ms = 60000 })
      end
      clock.sleep_ms(20)
      local directory = support.directory()
      assert.is_true(duration(function() assert(directory:write("file", "text")) end) < 5000)
      for _, one in ipairs(waiting) do one:cancel() end
      for _, one in ipairs(waiting) do one:join() end
    end)

    it("is loaded when it is first needed", function()
      local result = core.script [[
        local postgres = require "submitter.core.postgres"
        local function loaded()
          local maps <close> = io.open "/proc/self/maps"
          return maps:read("a"):find("libpq", 1, true) ~= nil
        end
        assert(not loaded())
        local good, message, code = postgres.connect { url = "host=127.0.0.1 port=1" }
        assert(not good and code == "connect" and loaded(), message)
      ]]
      assert.are.equal(0, result.exit_code, result.stderr)
    end)

    it("doesn't keep a process that ends amid it", function()
      local server = serve { "deaf" }
      local result = core.script([[
        local postgres = require "submitter.core.postgres"
        task.spawn("connect", postgres.connect, { url = arg[1], connect_timeout_ms = 60000 })
        clock.sleep_ms(50)
      ]], { server.url })
      assert.are.equal(0, result.exit_code, result.stderr)
      assert.are.equal("", result.stderr)
    end)
  end)

  describe("a connection", function()
    local function open(...)
      local server = serve { "startup", pgwire.welcome, "query", pgwire.session, ... }
      return connect(server), server
    end

    it("takes statements only as they are meant", function()
      local connection <close> = open "hold"
      local function wrong(text, method, ...)
        local good, message = pcall(connection[method], connection, ...)
        assert.is_false(good)
        assert.truthy(tostring(message):find(text, 1, true), message)
      end
      wrong("string expected", "query")
      wrong("NUL", "query", "SELECT 'a\0b'")
      wrong("parameters are a list", "query", "SELECT 1", "x")
      wrong("parameters are a list", "query", "SELECT 1", postgres.bytea "x")
      wrong("parameter 2 is a string", "query", "SELECT 1", { 1, print })
      wrong("SQL's NULL is postgres.null", "query", "SELECT 1", { 1, nil, 3 })
      wrong("elements are strings", "query", "SELECT 1", { { 1 } })
      wrong("unknown option \"timeout\"", "query", "SELECT 1", {}, { timeout = 1 })
      wrong("timeout_ms", "query", "SELECT 1", {}, { timeout_ms = 0 })
      wrong("limit_bytes", "query", "SELECT 1", {}, { limit_bytes = -1 })
      wrong("list of rows", "copy", "COPY t FROM STDIN", 1)
      wrong("row 1 is a list of values", "copy", "COPY t FROM STDIN", { 1 })
      wrong("row 2 has 1 values, the first has 2", "copy", "COPY t FROM STDIN", { { 1, 2 }, { 1 } })
      wrong("row 1 has 0 values", "copy", "COPY t FROM STDIN", { {} })
      wrong("row 1, column 2 is a string", "copy", "COPY t FROM STDIN", { { 1, {} } })
      wrong("unknown option", "script", "BEGIN", { x = 1 })
      local many = {}
      for index = 1, 65536 do many[index] = index end
      wrong("65535 parameters at most", "query", "SELECT 1", many)
      assert.are.equal("idle", connection:state())
      assert.are.equal("Connection(open)", tostring(connection))
    end)

    it("refuses NUL bytes before anything is sent, and says where", function()
      local connection, server = open "hold"
      local _, message, code, details = connection:query("SELECT $1, $2", { "a", "b\0" })
      assert.are.equal("invalid", code)
      assert.truthy(message:find("parameter 2 holds a NUL", 1, true))
      assert.is_false(details.sent)
      assert.are.equal("invalid", core.code(connection:query("SELECT $1", { { "a", "\0" } })))
      _, message, code = connection:copy("COPY t FROM STDIN", { { "a", "b" }, { "c", "d\0" } })
      assert.are.equal("invalid", code)
      assert.truthy(message:find("row 2, column 2 holds a NUL", 1, true))
      assert.are.equal(0, server:count "PBDES")
      connection:close()
    end)

    it("is closed for good", function()
      local connection = open "hold"
      connection:close()
      connection:close()
      assert.are.equal("broken", connection:state())
      assert.are.equal(150000, connection:server_version())
      assert.are.equal("Connection(closed)", tostring(connection))
      for _, method in ipairs { "query", "script" } do
        local _, _, code, details = connection[method](connection, "SELECT 1")
        assert.are.equal("closed", code)
        assert.is_false(details.sent)
      end
      assert.are.equal("closed", core.code(connection:copy("COPY t FROM STDIN", { { 1 } })))
    end)

    it("gives what the server says", function()
      local connection <close> = open("query", pgwire.together(pgwire.bound, pgwire.columns "a", pgwire.row "x",
        pgwire.row "y", pgwire.complete "SELECT 2", pgwire.ready()), "hold")
      local result = assert(connection:query("SELECT a"))
      assert.are.same({ columns = { "a" }, rows = { { a = "x" }, { a = "y" } }, count = 2 }, result)
    end)

    it("can't be used by two tasks at once", function()
      local connection <close> = open("query", "hold")
      local first = task.spawn("first", connection.query, connection, "SELECT 1")
      clock.sleep_ms(10)
      assert.are.equal("transaction", connection:state())
      local calls = { { "query", "SELECT 2" }, { "script", "BEGIN" }, { "copy", "COPY t FROM STDIN", { { 1 } } } }
      for _, call in ipairs(calls) do
        local good, message = pcall(connection[call[1]], connection, table.unpack(call, 2))
        assert.is_false(good)
        assert.truthy(message:find("another task waits", 1, true), message)
      end
      connection:close()
      local good, result, message, code, details = first:join()
      assert.is_true(good)
      assert.is_nil(result)
      assert.are.equal("closed", code, message)
      assert.is_true(details.sent)
    end)

    it("knows that nothing was sent when the server had gone before", function()
      local connection = open()
      support.eventually("the end is seen", function() return connection:state() == "broken" end)
      local _, message, code, details = connection:query("SELECT 1")
      assert.are.equal("lost", code)
      assert.is_false(details.sent)
      assert.truthy(message:find("the connection broke: ", 1, true), message)
    end)

    it("keeps the server's farewell", function()
      local connection = open({ pause_ms = 300 },
        pgwire.error("FATAL", "57P01", "terminating connection due to administrator command"))
      support.eventually("the end is seen", function() return connection:state() == "broken" end)
      local _, message, code, details = connection:query("SELECT 1")
      assert.are.equal("lost", code)
      assert.is_false(details.sent)
      assert.truthy(message:find("administrator command", 1, true), message)
    end)

    it("tells a connection that broke amid the answer", function()
      local half = pgwire.together(pgwire.bound, pgwire.columns "a", pgwire.row "x")
      for name, steps in pairs {
        ended = { half }, reset = { half, { pause_ms = 20 }, "reset" }, cut = { half, { say = "D\0\0\0\x20\0" } },
        garbage = { { say = ("\1\2\3\4\255"):rep(20) }, "hold" },
        complete_without_end = { half, pgwire.complete "SELECT 1" },
        fatal = { pgwire.error("FATAL", "57P01", "terminating connection") },
      } do
        local connection = open("query", table.unpack(steps))
        local _, message, code, details = connection:query("SELECT a")
        assert.are.equal("lost", code, name .. ": " .. tostring(message))
        assert.is_true(details.sent, name)
        assert.are.equal(name == "fatal" and "57P01" or nil, details.sqlstate)
        assert.are.equal("broken", connection:state())
      end
    end)

    it("lets go of the descriptor that libpq closed, which is another's next", function()
      local function script(...) return { "startup", pgwire.welcome, "query", pgwire.session, ... } end
      local garbage = script("query", { say = ("\1\2\3\4\255"):rep(20) }, "hold")
      local good = script("query", pgwire.together(pgwire.bound, pgwire.columns "a", pgwire.row "x",
        pgwire.complete "SELECT 1", pgwire.ready()), "hold")
      local server = serve(garbage, garbage, good)
      local broken = { connect(server), connect(server) }
      for _, connection in ipairs(broken) do
        assert.are.equal("lost", (select(3, connection:query("SELECT 1"))))
        assert.are.equal("broken", connection:state())
      end
      -- None is closed here yet, and these have their numbers.
      local others = { connect(server), connect(server), connect(server) }
      for _, connection in ipairs(broken) do connection:close() end
      for _, connection in ipairs(others) do
        assert.are.equal("x", assert(connection:query("SELECT a")).rows[1].a)
        connection:close()
      end
    end)

    it("knows that nothing was carried out when only the beginning was sent", function()
      local answer = pgwire.together(pgwire.bound, pgwire.columns "a", pgwire.complete "SELECT 0", pgwire.ready())
      local preparing <close> = open("query", answer, "query")
      assert(preparing:query("SELECT a"))
      local _, message, code, details = preparing:query("SELECT a")
      assert.are.equal("lost", code, message)
      assert.is_false(details.sent)
      local copying <close> = open "query"
      _, message, code, details = copying:copy("COPY t FROM STDIN", { { 1 } })
      assert.are.equal("lost", code, message)
      assert.is_false(details.sent)
    end)

    it("takes an answer that was whole before the connection ended", function()
      local connection = open("query", pgwire.together(pgwire.bound, pgwire.columns "a", pgwire.row "x",
        pgwire.complete "SELECT 1", pgwire.ready()))
      assert.are.equal("x", assert(connection:query("SELECT a")).rows[1].a)
    end)

    it("asks to cancel what takes too long, and can be used when the server did", function()
      local connection, server = open("query", { pause_ms = 100 }, pgwire.together(pgwire.bound,
        pgwire.error("ERROR", "57014", "canceling statement due to user request"), pgwire.ready()),
        "query", pgwire.together(pgwire.bound, pgwire.columns "a", pgwire.row "x", pgwire.complete "SELECT 1",
          pgwire.ready()),
        "hold")
      local _, message, code, details = connection:query("SELECT a", {}, { timeout_ms = 50 })
      assert.are.equal("timeout", code)
      assert.truthy(message:find("no result within 50 ms", 1, true), message)
      assert.is_true(details.sent)
      assert.are.equal("idle", connection:state())
      support.eventually("the request came", function() return server:count "cancel" == 1 end)
      assert.are.equal("x", assert(connection:query("SELECT 'x' AS a")).rows[1].a)
      connection:close()
    end)

    it("isn't free before the request to cancel is through, which could hit the next statement", function()
      local server = serve({ "startup", pgwire.welcome, "query", pgwire.session, "query", { pause_ms = 100 },
        pgwire.together(pgwire.bound, pgwire.error("ERROR", "57014", "canceling statement due to user request"),
          pgwire.ready()), "hold" }, { { pause_ms = 600 }, "startup" })
      local connection <close> = connect(server)
      local taken = duration(function()
        assert.are.equal("timeout", (select(3, connection:query("SELECT a", {}, { timeout_ms = 50 }))))
      end)
      assert.is_true(taken >= 600, "after " .. taken .. " ms")
      assert.are.equal("idle", connection:state())
    end)

    it("takes a result that comes in spite of a request to cancel", function()
      local connection <close> = open("query", { pause_ms = 150 }, pgwire.together(pgwire.bound, pgwire.columns "a",
        pgwire.row "x", pgwire.complete "SELECT 1", pgwire.ready()), "hold")
      assert.are.equal("x", assert(connection:query("SELECT a", {}, { timeout_ms = 50 })).rows[1].a)
      assert.are.equal("idle", connection:state())
    end)

    it("closes what doesn't answer a request to cancel", function()
      local connection, server = open("query", "deaf")
      local taken = duration(function()
        local _, message, code, details = connection:query("SELECT a", {}, { timeout_ms = 50 })
        assert.are.equal("timeout", code)
        assert.truthy(message:find("the connection was closed", 1, true), message)
        assert.is_true(details.sent)
      end)
      assert.is_true(taken >= 1500 and taken < 10000)
      assert.are.equal("broken", connection:state())
      support.eventually("the request came", function() return server:count "cancel" == 1 end)
    end)

    it("is idle or broken when its task was cancelled", function()
      local waiting
      local connection <close> = open("query", { pause_ms = 100 }, pgwire.together(pgwire.bound,
        pgwire.error("ERROR", "57014", "canceling statement due to user request"), pgwire.ready()), "hold")
      waiting = task.spawn("query", connection.query, connection, "SELECT a")
      clock.sleep_ms(20)
      waiting:cancel()
      local good, _, code = waiting:join()
      assert.is_nil(good)
      assert.are.equal("cancelled", code)
      assert.are.equal("idle", connection:state())

      local deaf <close> = open("query", "deaf")
      waiting = task.spawn("query", deaf.query, deaf, "SELECT a")
      clock.sleep_ms(20)
      waiting:cancel()
      assert.is_nil((waiting:join()))
      assert.are.equal("broken", deaf:state())
    end)

    it("doesn't stumble over what the server says without being asked", function()
      local notice = pgwire.error("WARNING", "01000", "watch out", "N")
      local notification = pgwire.message("A", string.pack(">I4zz", 7, "channel", "text"))
      local parameter = pgwire.message("S", "TimeZone\0UTC\0")
      local connection <close> = open(notice, notification, parameter, "query", pgwire.together(notice, pgwire.bound,
        pgwire.columns "a", notification, pgwire.row "x", parameter, pgwire.complete "SELECT 1", notice, pgwire.ready(),
        notification, notice), "hold")
      clock.sleep_ms(20)
      assert.are.equal("x", assert(connection:query("SELECT a")).rows[1].a)
      assert.are.equal("idle", connection:state())
    end)

    it("whose server never stops talking leaves time for everything else", function()
      local notice = { flood = pgwire.message("N", "\0").say } -- shorter to say than to hear
      local url = serve({ "startup", pgwire.welcome, "query", pgwire.session, { pause_ms = 50 }, notice }).url
      local result = core.script([[
        local connection = assert(require "submitter.core.postgres".connect { url = arg[1] })
        clock.sleep_ms(500)
        assert(connection:state() == "idle")
        local _, _, code = connection:query("SELECT 1", {}, { timeout_ms = 100 })
        assert(code == "timeout" and connection:state() == "broken", code)
      ]], { url })
      assert.are.equal(0, result.exit_code, result.stderr)
    end)

    it("whose server talks instead of taking rows ends at its deadline", function()
      local notice = { flood = pgwire.error("NOTICE", "00000", "and another thing", "N").say }
      local url = serve({ "startup", pgwire.welcome, "query", pgwire.session, "query",
        pgwire.together(pgwire.bound, pgwire.copy_in), notice }).url
      local result = core.script([[
        local connection = assert(require "submitter.core.postgres".connect { url = arg[1] })
        local rows = {}
        for index = 1, 20 do rows[index] = { ("x"):rep(1 << 20) } end
        local _, _, code, details = connection:copy("COPY t FROM STDIN", rows, { timeout_ms = 300 })
        assert(code == "timeout" and not details.sent and connection:state() == "broken", code)
      ]], { url })
      assert.are.equal(0, result.exit_code, result.stderr)
    end)

    it("is broken after words that have no place in the protocol, though the server goes on", function()
      for name, said in pairs {
        fatal = pgwire.error("FATAL", "57P01", "terminating connection"),
        no_code = pgwire.message("E", "SERROR\0VERROR\0Mno code\0\0"),
      } do
        local connection <close> = open("query", pgwire.together(said, pgwire.ready "T"), "hold")
        local _, message, code, details = connection:query("SELECT a")
        assert.are.equal("lost", code, name)
        assert.is_true(details.sent)
        assert.are.equal("broken", connection:state(), name .. ": " .. message)
      end
    end)

    it("has a limit for rows without columns", function()
      local none = pgwire.message("D", string.pack(">I2", 0))
      local rows = {}
      for index = 1, 100 do rows[index] = none end
      local answer = pgwire.together(pgwire.bound, pgwire.message("T", string.pack(">I2", 0)),
        pgwire.together(table.unpack(rows)), pgwire.complete "SELECT 100", pgwire.ready())
      local connection <close> = open("query", answer, "query", answer, "hold")
      assert.are.equal(100, #assert(connection:query("SELECT FROM a", {}, { limit_bytes = 500 })).rows)
      assert.are.equal("too_large", core.code(connection:query("SELECT FROM b", {}, { limit_bytes = 499 })))
    end)

    it("gives of columns with one name the last, also where that is NULL", function()
      local columns = pgwire.message("T", string.pack(">I2zI4I2I4i2i4I2zI4I2I4i2i4I2", 2, "a", 0, 0, 25, -1, -1, 0,
        "a", 0, 0, 25, -1, -1, 0))
      local row = pgwire.message("D", string.pack(">I2s4i4", 2, "first", -1))
      local connection <close> = open("query", pgwire.together(pgwire.bound, columns, row, pgwire.complete "SELECT 1",
        pgwire.ready()), "hold")
      assert.are.same({ {} }, assert(connection:query("SELECT a")).rows)
    end)

    it("takes as many columns as the protocol can name", function()
      local names, values = {}, {}
      for index = 1, 65535 do
        names[index] = string.pack(">zI4I2I4i2i4I2", "c" .. index, 0, 0, 23, -1, -1, 0)
        values[index] = string.pack(">s4", "7")
      end
      local connection <close> = open("query", pgwire.together(pgwire.bound,
        pgwire.message("T", string.pack(">I2", 65535) .. table.concat(names)),
        pgwire.message("D", string.pack(">I2", 65535) .. table.concat(values)), pgwire.complete "SELECT 1",
        pgwire.ready()), "hold")
      local result = assert(connection:query("SELECT wide"))
      assert.are.equal(65535, #result.columns)
      assert.are.equal(7, result.rows[1].c65535)
    end)

    it("is lost when rows don't fit their columns, or columns change amid a statement", function()
      local wide = pgwire.message("D", string.pack(">I2s4s4", 2, "x", "y"))
      for name, rows in pairs {
        wide = wide,
        changed = pgwire.together(pgwire.row "x", pgwire.complete "SELECT 1", pgwire.columns "b", wide),
      } do
        local connection <close> = open("query", pgwire.together(pgwire.bound, pgwire.columns "a", rows,
          pgwire.complete "SELECT 1", pgwire.ready()), "hold")
        assert.are.equal("lost", core.code(connection:query("SELECT a")), name)
        assert.are.equal("broken", connection:state())
      end
    end)

    it("puts remarks of the server's into the log, and never on standard error", function()
      local server = serve { "startup", pgwire.welcome, "query", pgwire.session,
        pgwire.error("WARNING", "01000", "watch out", "N"), "hold" }
      local function run(level)
        return core.script([[
          local postgres = require "submitter.core.postgres"
          require "submitter.core.log".configure { level = arg[2], format = "json" }
          local connection = assert(postgres.connect { url = arg[1] })
          for _ = 1, 100 do clock.sleep_ms(2) assert(connection:state() == "idle") end
        ]], { server.url, level })
      end
      local result = run "debug"
      assert.are.equal(0, result.exit_code, result.stderr)
      local line = assert(host.json.decode(result.stderr))
      assert.are.equal("postgres_notice", line.event)
      assert.are.equal("watch out", line.message)
      assert.are.equal("01000", line.sqlstate)
      assert.are.equal("", run("info").stderr)
    end)

    it("is given back by the collector, and by the end of the process", function()
      local server = serve { "startup", pgwire.welcome, "query", pgwire.session, "query", "hold" }
      local result = core.script([[
        local postgres = require "submitter.core.postgres"
        for _ = 1, 5 do assert(postgres.connect { url = arg[1] }) end
        collectgarbage() collectgarbage()
        local kept = assert(postgres.connect { url = arg[1] })
        task.spawn("query", kept.query, kept, "SELECT 1")
        global_connection = assert(postgres.connect { url = arg[1] })
        clock.sleep_ms(20)
      ]], { server.url })
      assert.are.equal(0, result.exit_code, result.stderr)
      assert.are.equal("", result.stderr)
    end)
  end)

  it("has a NULL that is JSON's, and bytes that show their number only", function()
    assert.are.equal(host.json.null, postgres.null)
    assert.are.equal("bytea(3 bytes)", tostring(postgres.bytea "abc"))
    assert.are.equal("abc", postgres.bytea("abc").bytes)
    assert.has_error(function() postgres.bytea(1) end)
  end)
end)
