--- The migrator on real servers: what it makes, what it refuses and leaves, two at once, users who may little.
local host = require "submitter.host"
local migrations = require "submitter.database.migrations"
local pools = require "submitter.database"
local postgres = require "spec.postgres"
local support = require "spec.support"

-- By another name, since a spec that is left for later would be called by this one.
local lacks = migrations.pending

describe("submitter.database.migrations, on PostgreSQL", function()
  local server
  setup(function() server = postgres.shared() end)
  after_each(support.clean)

  local function count(url, from)
    return tonumber(server:sql(url, "SELECT count(*) FROM " .. from))
  end

  local function folder(files)
    local directory = support.directory()
    for name, text in pairs(files) do assert(directory:write(name, text)) end
    return directory:path()
  end

  -- The real files and more of them.
  local function more(files)
    local real = assert(migrations.read())
    for _, file in ipairs(real.list) do files[file.name .. ".sql"] = files[file.name .. ".sql"] or file.text end
    files["rights.sql"] = files["rights.sql"] or real.rights
    return folder(files), #real.list
  end

  local function refuses(expected, code_expected, options)
    local result, message, code = migrations.apply(options)
    assert.is_nil(result)
    assert.truthy(message:find(expected, 1, true), message)
    assert.equal(code_expected, code)
  end

  local function user(name, rights)
    server:sql(server.url, ("DROP ROLE IF EXISTS %s; CREATE ROLE %s LOGIN %s"):format(name, name, rights or ""))
  end

  local function as(url, name) return server:url_of(url:match "dbname=(%S+)", name) end

  it("makes an empty database into a grade book, and finds nothing to do the second time", function()
    local url = server:database()
    local heard = {}
    local before = assert(migrations.state { url = url })
    local result = assert(migrations.apply { url = url, tell = function(event, name)
      heard[#heard + 1] = event .. " " .. name
    end })
    assert.same(before.pending, result.applied)
    assert.equal("0001_grade_book", result.applied[1])
    assert.equal("applied 0001_grade_book", heard[1])
    assert.equal(#result.applied, #heard)
    assert.same({}, result.missing_roles)
    assert.equal("postgres", result.user)
    local names = server:sql(url, "SELECT string_agg(name, ' ' ORDER BY number) FROM submitter.migrations")
    assert.equal(table.concat(result.applied, " "), names)

    local again = assert(migrations.apply { url = url })
    assert.same({}, again.applied)
    local state = assert(migrations.state { url = url })
    assert.same({}, state.pending)
    assert.equal(result.total, #state.applied)
    assert.is_true(math.abs(state.applied[1].applied_at - host.clock.now_ms()) < 10 * 60 * 1000)
  end)

  it("state changes nothing", function()
    local url = server:database()
    assert(migrations.state { url = url })
    assert.equal(0, count(url, "pg_namespace WHERE nspname = 'submitter'"))
  end)

  it("the command does it as well", function()
    local url = server:database()
    local function run(...)
      return assert(host.child.run { program = host.system.executable(), arguments = { "database", "migrate", ... },
        environment = { PATH = "/usr/bin:/bin", SUBMITTER_DATABASE_URL = url } })
    end
    local dry = run "--dry-run"
    assert.equal(0, dry.exit_code, dry.stderr)
    assert.truthy(dry.stdout:find("pending   0001_grade_book\n", 1, true), dry.stdout)
    local done = run()
    assert.equal(0, done.exit_code, done.stderr)
    assert.truthy(done.stdout:find("applied   0001_grade_book\n", 1, true), done.stdout)
    assert.equal("", done.stderr)
    local again = run()
    assert.truthy(again.stdout:find("all applied before", 1, true), again.stdout)
  end)

  it("pending says what a database lacks, to who may only work there", function()
    local url = server:database()
    assert(migrations.apply { url = url })
    user "pending_worker"
    local function lacking()
      local pool = pools.open { url = as(url, "pending_worker"), pool = 1 }
      local names, message, code = lacks(pool)
      pool:close()
      return names, message, code
    end
    local names, message, code = lacking()
    assert.is_nil(names)
    assert.equal("environment", code)
    assert.truthy(message:find("GRANT submitter_worker", 1, true), message)
    server:sql(url, "GRANT submitter_worker TO pending_worker")
    assert.same({}, lacking())
    server:sql(url, "DELETE FROM submitter.migrations WHERE number > 1")
    assert.equal("0002_upkeep", lacking()[1])
    server:sql(url, "DROP ROLE pending_worker")
  end)

  it("two at once take turns, and each file is applied once", function()
    local url = server:database()
    local slow, total = more { ["0001_grade_book.sql"] = migrations.read().list[1].text .. "\nSELECT pg_sleep(0.5);\n" }
    local results, heard = {}, {}
    local tasks = {}
    for number = 1, 3 do
      tasks[number] = host.task.spawn("migrate", function()
        results[number] = table.pack(migrations.apply { url = url, directory = slow, tell = function(event)
          heard[event] = (heard[event] or 0) + 1
        end })
      end)
    end
    for _, task in ipairs(tasks) do task:join() end
    local applied = 0
    for _, result in ipairs(results) do applied = applied + #assert(table.unpack(result, 1, result.n)).applied end
    assert.equal(total, applied)
    assert.equal(total, heard.applied)
    assert.is_true(heard.waiting >= 2)
    assert.equal(total, count(url, "submitter.migrations"))
  end)

  it("a file that fails leaves nothing of itself, and those before it stay", function()
    local url = server:database()
    local path, total = more {}
    local bad = ("%04d_bad"):format(total + 1)
    local directory = assert(host.file.directory(path))
    assert(directory:write(bad .. ".sql", "CREATE TABLE submitter.half (); SELECT 1 / 0;"))
    refuses("migration " .. bad .. " wasn't applied, and nothing of it was kept: ", "environment",
      { url = url, directory = path })
    assert.equal(total, count(url, "submitter.migrations"))
    assert.equal(0, count(url, "pg_class WHERE relname IN ('half', 'whole')"))
    -- Mended, it goes on where it stopped.
    assert(directory:write(bad .. ".sql", "CREATE TABLE submitter.whole ();"))
    assert.same({ bad }, assert(migrations.apply { url = url, directory = path }).applied)
    -- For this program such a database is of a newer one.
    refuses("was migrated by a newer Submitter: migration " .. bad:sub(1, 4), "environment", { url = url })
    local pool = pools.open { url = url, pool = 1 }
    assert.same({}, lacks(pool))
    pool:close()
  end)

  it("a file may not end its transaction", function()
    local url = server:database()
    refuses("ends the transaction", "environment", { url = url, directory = folder {
      ["0001_ends.sql"] = "CREATE SCHEMA submitter; COMMIT;", ["rights.sql"] = "SELECT 1" } })
  end)

  it("refuses a file that was changed after it had been applied, and a row that is missing", function()
    local url = server:database()
    assert(migrations.apply { url = url })
    refuses("migration 0002_upkeep was changed after it had been applied", "environment",
      { url = url, directory = more { ["0002_upkeep.sql"] = "SELECT 1" } })
    server:sql(url, "DELETE FROM submitter.migrations WHERE number = 1")
    refuses("says that 0002 was applied, but not 0001", "environment", { url = url })
  end)

  it("refuses a database that isn't UTF-8", function()
    server:sql(server.url, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    refuses("the database latin is encoded as LATIN1", "environment", { url = server:url_of "latin" })
  end)

  it("says why it can't connect", function()
    refuses("createdb", "environment", { url = server:url_of "none_of_this_name" })
    refuses("can't connect", "unavailable", { url = "host=/none/there dbname=x" })
  end)

  it("says who may make the schema, and takes one that was made for it", function()
    local url = server:database()
    user "owner_to_be"
    refuses("CREATE SCHEMA submitter AUTHORIZATION", "environment", { url = as(url, "owner_to_be") })
    server:sql(url, "CREATE SCHEMA submitter AUTHORIZATION owner_to_be")
    assert(migrations.apply { url = as(url, "owner_to_be") })
    user "somebody_else"
    refuses("belongs to owner_to_be, and this is somebody_else; migrate as owner_to_be", "environment",
      { url = as(url, "somebody_else") })
    server:sql(url, "DROP OWNED BY owner_to_be CASCADE; DROP ROLE owner_to_be, somebody_else")
  end)

  it("settings of the user count for nothing", function()
    local url = server:database()
    user "hurried"
    server:sql(url, [[
      CREATE SCHEMA submitter AUTHORIZATION hurried;
      ALTER ROLE hurried SET statement_timeout = '5s';
      ALTER ROLE hurried SET lock_timeout = '200ms';
      ALTER ROLE hurried SET default_transaction_isolation = 'serializable';
      ALTER ROLE hurried SET search_path = evil, pg_catalog;
      CREATE SCHEMA evil;
      CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz '1970-01-01' $$;
      GRANT USAGE ON SCHEMA evil TO hurried;
    ]])
    local holding = host.task.spawn("holding the lock", function()
      server:sql(url, "BEGIN; SELECT pg_advisory_xact_lock(126943972911476); SELECT pg_sleep(1); COMMIT")
    end)
    support.eventually("the lock is held", function()
      return count(url, "pg_locks WHERE locktype = 'advisory' AND granted") > 0
    end)
    local has_waited
    assert(migrations.apply { url = as(url, "hurried"),
      tell = function(event) has_waited = has_waited or event == "waiting" end })
    holding:join()
    assert.is_true(has_waited)
    assert.equal("t", server:sql(url, "SELECT min(applied_at) > '2000-01-01' FROM submitter.migrations"))
    server:sql(url, "DROP OWNED BY hurried CASCADE; DROP ROLE hurried")
  end)

  it("two at once take turns also where transactions see nothing that others did after they began", function()
    local url = server:database()
    server:sql(url, ("ALTER DATABASE %s SET default_transaction_isolation = 'repeatable read'"):format(
      url:match "dbname=(%S+)"))
    local slow = more { ["0001_grade_book.sql"] = migrations.read().list[1].text .. "\nSELECT pg_sleep(0.5);\n" }
    local results, tasks = {}, {}
    for number = 1, 2 do
      tasks[number] = host.task.spawn("migrate", function()
        results[number] = table.pack(migrations.apply { url = url, directory = slow })
      end)
    end
    for _, task in ipairs(tasks) do task:join() end
    for _, result in ipairs(results) do assert(table.unpack(result, 1, result.n)) end
  end)

  it("a dump that is restored elsewhere is as good", function()
    local copy = server:database()
    local dumped = assert(host.child.run { program = "/usr/bin/pg_dump", arguments = { "-d", server:migrated() },
      environment = { PATH = "/usr/bin:/bin" } })
    assert.equal(0, dumped.exit_code, dumped.stderr)
    server:sql(copy, dumped.stdout)
    assert.same({}, assert(migrations.apply { url = copy }).applied)
    assert.equal("32", server:sql(copy, "SELECT length(submitter.enrol('teacher', 'labs', 'ada@example.org', 'Ada'))"))
  end)

  describe("roles, which are the whole server's", function()
    local own
    setup(function() own = postgres.start() end)
    teardown(function() own:close() end)

    local function roles()
      return own:sql(own.url, [[
        SELECT coalesce(string_agg(rolname || ' ' || rolcanlogin, ', ' ORDER BY rolname), 'none') FROM pg_roles
         WHERE rolname LIKE 'submitter%']])
    end

    it("are left to an administrator by a user who may not make them; the next migrate grants", function()
      own:sql(own.url, "CREATE ROLE modest LOGIN")
      local url = own:database()
      own:sql(url, "CREATE SCHEMA submitter AUTHORIZATION modest")
      local modest = own:url_of(url:match "dbname=(%S+)", "modest")
      local result = assert(migrations.apply { url = modest })
      assert.same({ "submitter_instructor", "submitter_worker" }, result.missing_roles)
      assert.equal("none", roles())
      assert.equal(result.total, tonumber(own:sql(url, "SELECT count(*) FROM submitter.migrations")))
      own:sql(own.url, migrations.role_statements(result.missing_roles))
      assert.same({}, assert(migrations.apply { url = modest }).missing_roles)
      assert.equal("t|f", own:sql(url, [[
        SELECT has_table_privilege('submitter_worker', 'submitter.results', 'INSERT'),
          has_table_privilege('submitter_worker', 'submitter.results', 'DELETE')]]))
      own:sql(url, "DROP OWNED BY submitter_worker, submitter_instructor")
      own:sql(url, "DROP ROLE submitter_worker, submitter_instructor")
    end)

    it("are made once by migrates of several databases at once", function()
      assert.equal("none", roles())
      -- Each waits where it has made the roles and not committed, so that the others really meet them.
      local slow = more { ["rights.sql"] = migrations.read().rights .. "\nSELECT pg_sleep(0.3);\n" }
      local tasks, failures, urls = {}, {}, {}
      for number = 1, 3 do urls[number] = own:database() end
      for number, url in ipairs(urls) do
        tasks[number] = host.task.spawn("migrate", function()
          local result, message = migrations.apply { url = url, directory = slow }
          failures[number] = result and table.concat(result.missing_roles) or message
        end)
      end
      for _, task in ipairs(tasks) do task:join() end
      assert.same({ "", "", "" }, failures)
      assert.equal("submitter_instructor false, submitter_worker false", roles())
      for _, url in ipairs(urls) do
        assert.equal("t", own:sql(url, "SELECT has_table_privilege('submitter_worker', 'submitter.results', 'INSERT')"))
      end
    end)
  end)
end)
