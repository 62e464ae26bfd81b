-- Connections of submitter.core.postgres to a real server: how they come about, and how they end.
local core = require "core.support"
local host = require "submitter.host"
local servers = require "spec.postgres"
local support = require "support"

local clock, postgres, task = host.clock, host.postgres, host.task
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

  --- The process that serves a connection.
  local function backend(of)
    return assert(of:query("SELECT pg_backend_pid() AS pid")).rows[1].pid
  end

  describe("a connection that breaks", function()
    local function break_off(of)
      local pid = backend(of)
      assert(connection:query("SELECT pg_terminate_backend($1)", { pid }))
    end

    it("between statements is noticed before the next is sent", function()
      local other <close> = connect(url)
      break_off(other)
      support.eventually("it is noticed", function() return other:state() == "broken" end)
      local code, message, details = failure(other:query "SELECT 1")
      assert.are.equal("lost", code)
      assert.is_false(details.sent)
      assert.truthy(message:find("administrator command", 1, true), message)
      local third <close> = connect(url)
      break_off(third)
      clock.sleep_ms(200)
      details = select(3, failure(third:query "SELECT 1"))
      assert.is_false(details.sent)
    end)

    it("amid a statement says so", function()
      local other <close> = connect(url)
      local pid = backend(other)
      local waiting = task.spawn("sleeper", other.query, other, "SELECT pg_sleep(60)")
      clock.sleep_ms(50)
      assert(connection:query("SELECT pg_terminate_backend($1)", { pid }))
      local good, result, message, code, details = waiting:join()
      assert.is_true(good)
      assert.are.equal("lost", (failure(result, message, code)))
      assert.is_true(details.sent)
      assert.are.equal("57P01", details.sqlstate)
      assert.are.equal("broken", other:state())
    end)

    it("takes its transaction with it", function()
      assert(connection:script "CREATE TABLE broken (a int)")
      local other <close> = connect(url)
      assert(other:script "BEGIN; INSERT INTO broken VALUES (1)")
      other:close()
      assert.are.equal(0, assert(connection:query "SELECT count(*) AS n FROM broken").rows[1].n)
      assert(connection:script "DROP TABLE broken")
    end)

    it("with its server is lost, wherever it was, and the next one stands when it is back", function()
      local own = servers.start()
      finally(function() own:close() end)
      local first = connect(own.url)
      assert(first:script "CREATE TABLE t (a text)")
      local idle, amid, copying, open = connect(own.url), connect(own.url), connect(own.url), connect(own.url)
      assert(open:script "BEGIN")
      local rows = {}
      for index = 1, 100000 do rows[index] = { ("x"):rep(500) } end
      local tasks = {
        task.spawn("amid", amid.query, amid, "SELECT pg_sleep(60)"),
        task.spawn("copying", copying.copy, copying, "COPY t FROM STDIN WHERE pg_sleep(0.001) IS NOT NULL", rows),
      }
      clock.sleep_ms(100)
      own:kill()
      for index, one in ipairs(tasks) do
        local good, result, message, code, details = one:join()
        assert.is_true(good, result)
        assert.are.equal("lost", (failure(result, message, code)))
        assert.are.equal(index == 1, details.sent)
      end
      for _, one in ipairs { idle, open } do
        local code, _, details = failure(one:query "SELECT 1")
        assert.are.equal("lost", code)
        assert.is_false(details.sent)
        assert.are.equal("broken", one:state())
      end
      assert.are.equal("connect", (failure(postgres.connect { url = own.url })))
      own:resume()
      local after <close> = connect(own.url)
      assert.are.equal(0, assert(after:query "SELECT count(*) AS n FROM t").rows[1].n)
    end)
  end)

  describe("connecting", function()
    it("takes the next host when the first is dead, and one that may be written to if asked", function()
      local port = server.socket_port
      local there = ("host=/nowhere,%s port=%s,%s dbname=postgres user=postgres"):format(server.folder, port, port)
      connect(there):close()
      connect(there .. " target_session_attrs=read-write"):close()
      local read_only = server:database()
      server:sql(read_only, [[DO 'BEGIN EXECUTE format($$ALTER DATABASE %I SET default_transaction_read_only = on$$,
        current_database()); END']])
      local code, message = failure(postgres.connect { url = read_only .. " target_session_attrs=read-write" })
      assert.are.equal("connect", code)
      assert.truthy(message:find("read-only", 1, true), message)
      connect(read_only):close()
    end)

    it("says what somebody has to change", function()
      assert.are.equal("refused", (failure(postgres.connect { url = server:url_of "never_made" })))
      assert.are.equal("refused", (failure(postgres.connect { url = server:url_of("postgres", "never_made") })))
    end)

    it("names itself, but not over another name", function()
      local name = "SELECT current_setting('application_name') AS a"
      assert.are.equal("submitter", assert(connection:query(name)).rows[1].a)
      local named <close> = connect(url .. " application_name=class")
      assert.are.equal("class", assert(named:query(name)).rows[1].a)
    end)

    it("knows the environment, the service file and the password file", function()
      local own = servers.start { tcp = true }
      finally(function() own:close() end)
      own:sql(own.url, "CREATE ROLE teacher LOGIN PASSWORD 'it''s: a \\secret'")
      local folder = support.directory()
      local private = { mode = tonumber("600", 8) }
      assert(folder:write("passwords", ("127.0.0.1:%d:*:teacher:it's\\: a \\\\secret\n"):format(own.port), private))
      assert(folder:write("services",
        ("[grades]\nhost=127.0.0.1\nport=%d\ndbname=postgres\nuser=teacher\n"):format(own.port)))
      local script = [[
        local postgres = require "submitter.core.postgres"
        local connection, message, code = postgres.connect { url = arg[1], connect_timeout_ms = 30000 }
        if not connection then io.write(code, ": ", message) return end
        io.write(connection:query("SELECT current_user || ' ' || current_setting('TimeZone') AS who").rows[1].who)
      ]]
      local function run(target, environment)
        environment.HOME = "/nowhere"
        local result = core.script(script, { target }, { environment = environment })
        assert.are.equal("", result.stderr)
        assert.is_nil(result.stdout:find("secret", 1, true), result.stdout)
        return result.stdout
      end
      local path = folder:path()
      local direct = { PGHOST = "127.0.0.1", PGPORT = tostring(own.port), PGUSER = "teacher", PGDATABASE = "postgres",
        PGPASSWORD = "it's: a \\secret", PGTZ = "Asia/Kolkata", PGDATESTYLE = "German", PGCLIENTENCODING = "LATIN1" }
      assert.are.equal("teacher UTC", run("", direct))
      direct.PGPASSWORD = "wrong secret"
      assert.truthy(run("", direct):find "^refused: .*password authentication failed")
      direct.PGPASSWORD = nil
      assert.truthy(run("", direct):find "^refused: .*no password supplied")
      direct.PGPASSFILE = path .. "/passwords"
      assert.are.equal("teacher UTC", run("", direct))
      local service = { PGSERVICEFILE = path .. "/services", PGPASSFILE = path .. "/passwords", PGSERVICE = "grades" }
      assert.are.equal("teacher UTC", run("", service))
      service.PGSERVICE = nil
      assert.are.equal("teacher UTC", run("service=grades", service))
      local uri = ("postgresql://teacher:it's%%3A%%20a%%20%%5Csecret@127.0.0.1:%d/postgres"):format(own.port)
      assert.are.equal("teacher UTC", run(uri, {}))
    end)
  end)

  describe("TLS", function()
    local own, ca_file, other_ca

    local function openssl(...)
      local result = assert(host.child.run { program = "/usr/bin/openssl", arguments = { ... } })
      assert.are.equal(0, result.exit_code, result.stderr)
    end

    setup(function()
      local folder = support.directory()
      local path = folder:path()
      local function authority(name)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
          "/CN=" .. name, "-keyout", path .. "/" .. name .. ".key", "-out", path .. "/" .. name .. ".pem")
        return assert(folder:read(name .. ".pem"))
      end
      local texts = { authority "ca", authority "other" }
      assert(folder:write("ext", "subjectAltName=DNS:localhost\nbasicConstraints=CA:false\n"))
      openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=server", "-keyout",
        path .. "/server.key", "-out", path .. "/server.csr")
      openssl("x509", "-req", "-in", path .. "/server.csr", "-CA", path .. "/ca.pem", "-CAkey", path .. "/ca.key",
        "-CAcreateserial", "-days", "1", "-extfile", path .. "/ext", "-out", path .. "/server.crt")
      own = servers.start { tcp = true, settings = { "ssl=on" }, files = {
        ["server.crt"] = assert(folder:read "server.crt"), ["server.key"] = assert(folder:read "server.key"),
      } }
      own:sql(own.url, "ALTER ROLE postgres PASSWORD 'pw'")
      local kept = assert(host.file.directory(own.folder))
      assert(kept:write("ca.pem", texts[1]))
      assert(kept:write("other.pem", texts[2]))
      ca_file, other_ca = own.folder .. "/ca.pem", own.folder .. "/other.pem"
    end)

    teardown(function() own:close() end)

    local function target(name, ca, more)
      return ("host=%s hostaddr=127.0.0.1 port=%d user=postgres password=pw dbname=postgres sslmode=verify-full "
        .. "sslrootcert=%s %s"):format(name, own.port, ca, more or "")
    end

    it("is verified in full", function()
      local secure <close> = connect(target("localhost", ca_file))
      assert.is_true(assert(secure:query "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").rows[1].ssl)
      for reason, wrong in pairs {
        ["certificate verify failed"] = target("localhost", other_ca),
        ["does not match host name"] = target("elsewhere.invalid", ca_file),
        ["does not exist"] = target("localhost", "/nowhere/ca.pem"),
      } do
        local code, message = failure(postgres.connect { url = wrong, connect_timeout_ms = 30000 })
        assert.are.equal("refused", code, message)
        assert.truthy(message:find(reason, 1, true), message)
        assert.is_nil(message:find("pw", 1, true))
      end
    end)

    it("carries large values both ways, errors, cancelling and the end", function()
      local secure <close> = connect(target("localhost", ca_file))
      local text = ("0123456789abcdef"):rep((10 << 20) // 16)
      for _ = 1, 3 do assert.is_true(text == assert(secure:query("SELECT $1::text AS t", { text })).rows[1].t) end
      local many = assert(secure:query "SELECT repeat('x', i % 100) FROM generate_series(1, 100000) AS i").rows
      assert.are.equal(100000, #many)
      assert.are.equal("timeout", (failure(secure:query("SELECT pg_sleep(60)", {}, { timeout_ms = 100 }))))
      assert.are.equal("idle", secure:state())
      local rows = {}
      for index = 1, 20000 do rows[index] = { ("y"):rep(200) } end
      assert(secure:script "CREATE TEMP TABLE t (a text)")
      assert.are.equal(20000, assert(secure:copy("COPY t FROM STDIN", rows)))
      local pid = backend(secure)
      own:sql(own.url, ("SELECT pg_terminate_backend(%d)"):format(pid))
      support.eventually("it is noticed", function() return secure:state() == "broken" end)
    end)
  end)

  it("gives everything back", function()
    local before = core.descriptors()
    for _ = 1, 20 do
      local one = connect(url)
      assert(one:query "SELECT 1")
      one:close()
      connect(url) -- the collector's
    end
    assert.are.equal(before, core.descriptors())
    support.eventually("the server has none left", function()
      local count = [[SELECT count(*) AS n FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()]]
      return assert(connection:query(count)).rows[1].n == 0
    end)
  end)

  it("serves many at once, each connection its own task", function()
    local tasks = {}
    for index = 1, 20 do
      tasks[index] = task.spawn("client " .. index, function()
        local own <close> = connect(url)
        for number = 1, 20 do
          local sum = assert(own:query("SELECT $1::int * 1000 + $2::int AS sum", { index, number })).rows[1].sum
          assert(sum == index * 1000 + number)
        end
      end)
    end
    for _, one in ipairs(tasks) do assert(one:join()) end
  end)
end)
