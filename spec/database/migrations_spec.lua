local database = require "spec.fake.database"
local host = require "submitter.host"
local migrations = require "submitter.database.migrations"
local postgres = require "spec.fake.postgres"
local sql = require "submitter.database.statements.migrations"
local support = require "spec.support"

local one, two = "CREATE TABLE submitter.one ()", "CREATE TABLE submitter.two ()"

-- By another name, since a spec that is left for later would be called by this one.
local lacks = migrations.pending

describe("submitter.database.migrations", function()
  after_each(support.clean)

  local function folder(files)
    local directory = support.directory()
    for name, text in pairs(files) do assert(directory:write(name, text)) end
    return directory:path()
  end

  local function usual(more)
    local files = { ["0001_one.sql"] = one, ["0002_two.sql"] = two, ["rights.sql"] = "GRANT", ["README.md"] = "about" }
    for name, text in pairs(more or {}) do files[name] = text or nil end
    return folder(files)
  end

  describe("read", function()
    it("finds the files that came with the program, numbered without a gap", function()
      local files = assert(migrations.read())
      assert.equal("0001_grade_book", files.list[1].name)
      for number, file in ipairs(files.list) do assert.equal(number, file.number) end
      assert.truthy(files.rights:find("submitter_worker", 1, true))
    end)

    it("gives name, hash and text of each", function()
      local files = assert(migrations.read(usual()))
      assert.same({ { number = 1, name = "0001_one", sha256 = host.digest.sha256(one), text = one },
        { number = 2, name = "0002_two", sha256 = host.digest.sha256(two), text = two } }, files.list)
      assert.equal("GRANT", files.rights)
    end)

    local function refuses(expected, path)
      local files, message, code = migrations.read(path)
      assert.is_nil(files)
      assert.truthy(message:find(expected, 1, true), message)
      assert.equal("environment", code)
    end

    it("refuses a gap", function()
      refuses("holds no migration 0003, but 0004_four.sql", usual { ["0004_four.sql"] = one })
    end)
    it("refuses a number that is there twice", function()
      refuses("two migrations of number 0002, 0002_two.sql and 0002_twofold.sql", usual { ["0002_twofold.sql"] = one })
    end)
    it("refuses a file that is no migration, rather than passing over it", function()
      refuses("3_three.sql is no migration: expected NNNN_name.sql or rights.sql", usual { ["3_three.sql"] = one })
    end)
    it("refuses a folder without rights.sql", function()
      refuses("rights.sql can't be read", folder { ["0001_one.sql"] = one })
    end)
    it("refuses a folder that isn't there", function() refuses("/none/there can't be opened", "/none/there") end)
  end)

  describe("compare", function()
    local list = { { number = 1, name = "0001_one", sha256 = "aa" }, { number = 2, name = "0002_two", sha256 = "bb" } }
    local function row(number, name, sha256)
      return { number = number, name = name, sha256 = sha256, applied_at = 1700000000000 }
    end

    it("returns what is missing, in order", function()
      assert.same(list, migrations.compare(list, {}))
      assert.same({ list[2] }, migrations.compare(list, { row(1, "0001_one", "aa") }))
      assert.same({}, migrations.compare(list, { row(1, "0001_one", "aa"), row(2, "0002_two", "bb") }))
    end)

    local function refuses(expected, ...)
      local pending, message, code = migrations.compare(list, { ... })
      assert.is_nil(pending)
      assert.truthy(message:find(expected, 1, true), message)
      assert.equal("environment", code)
    end

    it("refuses a file that was changed, and says since when it counts", function()
      refuses("0001_one was changed after it had been applied (2023-11-14T22:13:20", row(1, "0001_one", "other"))
    end)
    it("refuses another file of the same number", function()
      refuses("migration 0001 is 0001_one here, but 0001_uno in the database", row(1, "0001_uno", "aa"))
    end)
    it("refuses a database that is newer", function()
      refuses("migrated by a newer Submitter: migration 0003, 0003_three,", row(1, "0001_one", "aa"),
        row(2, "0002_two", "bb"), row(3, "0003_three", "cc"))
    end)
    it("refuses rows with a gap", function()
      refuses("says that 0002 was applied, but not 0001", row(2, "0002_two", "bb"))
    end)
  end)

  describe("pending", function()
    local function pool(is_there, rows)
      local fake = database.open()
      fake:answer(sql.has_table, { { is_there = is_there } })
      if rows then fake:answer(sql.read_applied, rows) end
      return fake
    end

    local function all()
      local names = {}
      for number, file in ipairs(migrations.read().list) do names[number] = file.name end
      return names
    end

    it("is all where the schema isn't there", function() assert.same(all(), lacks(pool(false))) end)

    it("is what no row tells of; a database that is newer lacks nothing", function()
      local expected, rows = all(), {}
      for number, name in ipairs(expected) do rows[number] = { number = number, name = name } end
      assert.same({}, lacks(pool(true, rows)))
      rows[#rows + 1] = { number = #rows + 1, name = "from the future" }
      assert.same({}, lacks(pool(true, rows)))
      assert.same(table.move(expected, 2, #expected, 1, {}), lacks(pool(true, { rows[1] })))
    end)

    it("fails as the database does", function()
      local fake = database.open()
      fake:answer(sql.has_table, function() return nil, "away", "unavailable" end)
      assert.same({ nil, "away", "unavailable" }, { lacks(fake) })
      fake = pool(true)
      fake:answer(sql.read_applied, function() return nil, "no right", "environment" end)
      assert.same({ nil, "no right", "environment" }, { lacks(fake) })
    end)
  end)

  describe("on a server", function()
    local server, rows, answers, heard
    local function trim(text) return text:match "^%s*(.-)%s*$" end

    before_each(function()
      rows, answers, heard = {}, {}, {}
      server = postgres.open()
      local function answer(text, ...) answers[trim(text)] = table.pack(...) end
      answer(sql.read_server, { rows = { { database = "grades", user = "owner", encoding = "UTF8" } } })
      answer(sql.try_lock, { rows = { { is_mine = true } } })
      answer(sql.read_missing_roles, { rows = {} })
      function server.on(text, _, parameters)
        if text == trim(sql.has_table) then return { rows = { { is_there = #rows > 0 } } } end
        if text == trim(sql.read_applied) then return { rows = table.move(rows, 1, #rows, 1, {}) } end
        if text == trim(sql.insert_applied) then
          rows[#rows + 1] = { number = parameters[1], name = parameters[2], sha256 = parameters[3], applied_at = 0 }
        elseif answers[text] then
          return table.unpack(answers[text], 1, answers[text].n)
        end
      end
    end)

    local function apply(path, url)
      return migrations.apply { directory = path or usual(), postgres = server, url = url,
        tell = function(event, name) heard[#heard + 1] = name and event .. " " .. name or event end }
    end

    -- What the connection was told that isn't asked by this module's own statements of locking and looking.
    local function said()
      local quiet, list = {}, {}
      for _, name in ipairs { "read_server", "has_table", "read_applied", "settle", "try_lock",
        "read_missing_roles" } do
        quiet[trim(sql[name])] = true
      end
      for _, text in ipairs(server.said) do
        text = text:match "^1: (.*)$"
        if not quiet[text] then list[#list + 1] = text == trim(sql.insert_applied) and "row" or text end
      end
      return list
    end

    local function refuses(expected, code_expected, ...)
      local result, message, code = apply(...)
      assert.is_nil(result)
      assert.truthy(message:find(expected, 1, true), message)
      assert.equal(code_expected, code)
      assert.equal(0, server:alive())
      return message
    end

    it("applies each file in a transaction with its row, then the rights", function()
      assert.same({ database = "grades", user = "owner", applied = { "0001_one", "0002_two" }, total = 2,
        missing_roles = {} }, apply())
      assert.same({ "BEGIN", one, "row", "COMMIT", "BEGIN", two, "row", "COMMIT", "BEGIN", "COMMIT", "BEGIN", "GRANT",
        "COMMIT" }, said())
      assert.same({ "applied 0001_one", "applied 0002_two" }, heard)
      assert.equal(host.digest.sha256(two), rows[2].sha256)
      assert.equal(0, server:alive())
    end)

    it("applies only what is missing, and the rights each time", function()
      assert(apply())
      server.said, heard = {}, {}
      server.connections = {}
      assert.same({}, assert(apply()).applied)
      assert.same({ "BEGIN", "COMMIT", "BEGIN", "GRANT", "COMMIT" }, said())
      assert.same({}, heard)
    end)

    it("looks only after it has the lock, and says when it waits for it", function()
      answers[trim(sql.try_lock)] = { { rows = { { is_mine = false } } }, n = 1 }
      assert(apply(folder { ["rights.sql"] = "GRANT" }))
      assert.same({ "waiting", "waiting" }, heard)
      assert.equal("1: " .. trim(sql.lock), server.said[5])
      assert.equal("1: " .. trim(sql.has_table), server.said[6])
    end)

    it("stops at a file that fails, rolls back, and says which", function()
      answers[two] = { nil, "syntax error", "refused", { sqlstate = "42601" }, n = 4 }
      refuses("migration 0002_two wasn't applied, and nothing of it was kept: syntax error (SQLSTATE 42601)",
        "environment")
      assert.same({ "BEGIN", one, "row", "COMMIT", "BEGIN", two, "ROLLBACK" }, said())
      assert.same({ "applied 0001_one" }, heard)
    end)

    it("refuses a file that ends the transaction", function()
      refuses("migration 0001_commits ends the transaction", "environment",
        folder { ["0001_commits.sql"] = "COMMIT", ["rights.sql"] = "" })
      assert.same({}, rows)
    end)

    it("changes nothing on a server that is too old", function()
      local connect = server.connect
      function server.connect(options)
        local connection = connect(options)
        connection.server_version = function() return 120022 end
        return connection
      end
      refuses("the server is PostgreSQL 12; Submitter needs 13 or newer", "environment")
      assert.same({}, server.said)
    end)

    it("changes nothing in a database that isn't UTF-8", function()
      answers[trim(sql.read_server)][1].rows[1].encoding = "LATIN1"
      refuses("the database grades is encoded as LATIN1; make one that is UTF-8: createdb", "environment")
      assert.same({}, said())
    end)

    it("changes nothing in somebody else's schema", function()
      answers[trim(sql.read_server)][1].rows[1].stranger = "ada"
      refuses("belongs to ada, and this is owner; migrate as ada", "environment")
      assert.same({}, said())
    end)

    it("says who may, where a right is lacking", function()
      answers[one] = { nil, "permission denied for database grades", "refused", { sqlstate = "42501" }, n = 4 }
      refuses("GRANT CREATE ON DATABASE", "environment")
    end)

    it("fails for the moment where the connection breaks", function()
      answers[two] = { nil, "server closed the connection unexpectedly", "lost", { sent = true }, n = 4 }
      refuses("migrate once more when the server answers", "unavailable")
      assert.equal(1, #rows)
    end)

    it("tells why it can't connect, but no password", function()
      server.refusal = { 'password authentication failed for "x" with "very secret"', "refused" }
      local message = refuses("password", "environment", nil, "host=h password='very secret'")
      assert.is_nil(message:find("very secret", 1, true))
      server.refusal = { "no route to host", "connect" }
      refuses("no route to host", "unavailable")
    end)

    it("gives a file and the rights as long as they take, and no longer than usual to all else", function()
      local given = {}
      local connect = server.connect
      function server.connect(options)
        local connection = connect(options)
        function connection:script(text, limits)
          given[trim(text)] = limits and limits.timeout_ms or "usual"
          return getmetatable(self).__index.script(self, text, limits)
        end
        return connection
      end
      assert(apply())
      for _, text in ipairs { one, two, "GRANT" } do assert.is_true(given[text] >= 24 * 60 * 60 * 1000, text) end
      assert.equal("usual", given.BEGIN)
    end)

    it("connects as it was told", function()
      assert(migrations.apply { directory = usual(), postgres = server, url = "host=h", connect_timeout_ms = 7 })
      assert.same({ url = "host=h", connect_timeout_ms = 7, application_name = "submitter database migrate" },
        server.connects[1])
    end)

    it("throws at options that there aren't", function()
      assert.has_error(function() migrations.apply { uri = "x" } end)
      assert.has_error(function() migrations.state { uri = "x" } end)
    end)

    it("state shows what is applied and what isn't, and writes nothing", function()
      rows[1] = { number = 1, name = "0001_one", sha256 = host.digest.sha256(one), applied_at = 1700000000000 }
      answers[trim(sql.read_missing_roles)] = { { rows = { { name = "submitter_worker" } } }, n = 1 }
      local state = assert(migrations.state { directory = usual(), postgres = server })
      assert.same({ "0002_two" }, state.pending)
      assert.equal("0001_one", state.applied[1].name)
      assert.same({ "submitter_worker" }, state.missing_roles)
      assert.same({}, said())
      assert.equal(0, server:alive())
    end)

    it("state fails where apply would", function()
      rows[1] = { number = 1, name = "0001_one", sha256 = "other", applied_at = 0 }
      local state, message = migrations.state { directory = usual(), postgres = server }
      assert.is_nil(state)
      assert.truthy(message:find("was changed after it had been applied", 1, true))
    end)
  end)

  it("says how roles are made, in one line", function()
    assert.equal("CREATE ROLE a NOLOGIN; CREATE ROLE b NOLOGIN;", migrations.role_statements { "a", "b" })
  end)
end)
