--- Cases in a real PostgreSQL: reading, replacing, and the commands on them.
local bucket_source = require("submitter.cases").bucket_source
local database = require "submitter.database"
local first = require("submitter.cases").first
local host = require "submitter.host"
local identity = require "submitter.cases.identity"
local key = require "submitter.key"
local postgres = require "spec.postgres"
local postgres_source = require("submitter.cases").postgres_source
local replace = require "submitter.cases.postgres_replace"
local sql = require "submitter.database.statements.cases"
local support = require "spec.cli.support"

local store = require "spec.fake.store"

local subid = ("a"):rep(32)
local place = { admin = "a", event = "e", assignment = "s" }

local function asked(mode, admin)
  local location = assert(key.location(admin or "a", "e", "s", subid))
  return { location = location, mode = mode or "test", names = key.names(location, mode or "test") }
end

local function line(number, input, expected, fields)
  local made = { number = number, form = "line", input = input, expected = expected }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

-- A pool that tells how many queries went through it, and how many rows came.
local function counting(pool)
  local counted = { queries = 0, rows = 0 }
  function counted.query(_, ...)
    counted.queries = counted.queries + 1
    local result, message, code, details = pool:query(...)
    if result then counted.rows = counted.rows + #result.rows end
    return result, message, code, details
  end
  return counted
end

describe("cases in a real PostgreSQL", function()
  local server, url, pools
  before_each(function()
    server, pools = postgres.shared(), {}
    url = server:migrated()
  end)
  after_each(function()
    for _, pool in ipairs(pools) do pool:close() end
  end)

  local function open(user)
    local pool = database.open { url = user and url:gsub("user=%S+", "user=" .. user) or url }
    pools[#pools + 1] = pool
    return pool
  end

  local function version() return server:sql(url, "SELECT cases_version FROM submitter.assignments") end

  it("are what was put there, whatever it is", function()
    local pool = open()
    local nasty = "'; DROP TABLE submitter.cases; -- \\N \\. \t\r\n\u{FEFF}\1\u{10FFFF}\"$1"
    local list = {
      line(1, nasty, nasty), line(2, "", ""), line(3, "1\n2\n", "\n\n"), line(4, "\\N", "\\."),
      line(5, "x", "y", { form = "file", name = "it's \\ \"large\"", points = 2.5, visibility = "after_due" }),
      line(6, "x", "y", { points = 0 }),
    }
    local there = { admin = nasty:gsub("[\r\n]", ""), event = "e", assignment = "s" }
    local done = assert(replace(pool, there, "grade", list))
    assert.are.same({ "administrator " .. there.admin, "event e", "assignment s" }, done.made)
    local found = assert(postgres_source { database = pool }:read(asked("grade", there.admin)))
    assert.are.same(list, found.cases)
    assert.are.equal(identity.sha256(list), found.sha256)
    assert.are.equal("postgres", found.source)
  end)

  it("that are missing are named", function()
    local source = postgres_source { database = open() }
    local function missing(text)
      local found, message, code = source:read(asked "grade")
      assert.is_nil(found)
      assert.are.equal("not_found", code)
      assert.matches(text, message, 1, true)
    end
    missing 'no administrator "a"'
    server:sql(url, "INSERT INTO submitter.administrators (name) VALUES ('a')")
    missing 'administrator "a" has no event "e"'
    server:sql(url,
      "INSERT INTO submitter.events (administrator_id, name) SELECT id, 'e' FROM submitter.administrators")
    missing 'event "e" of "a" has no assignment "s"'
    server:sql(url, "INSERT INTO submitter.assignments (event_id, name) SELECT id, 's' FROM submitter.events")
    missing 'assignment "a/e/s" has no cases of mode grade'
    server:sql(url, "INSERT INTO submitter.cases (assignment_id, mode, position, input, expected) "
      .. "SELECT id, 'grade', 3, '1', '2' FROM submitter.assignments")
    assert.are.same({ line(3, "1", "2") }, assert(source:read(asked "grade")).cases)
  end)

  it("are ten thousand in one query, and none of them a second time while nothing changed", function()
    local pool = open()
    local list = {}
    for number = 1, 10000 do list[number] = line(number, ("%d\nand more"):format(number), ("x"):rep(100)) end
    assert(replace(pool, place, "test", list))
    local counted = counting(pool)
    local source = postgres_source { database = counted }
    assert.are.equal(identity.sha256(list), assert(source:read(asked())).sha256)
    assert.are.same({ 1, 10000 }, { counted.queries, counted.rows })
    for _ = 1, 5 do assert(source:read(asked())) end
    assert.are.same({ 6, 10005 }, { counted.queries, counted.rows })
  end)

  it("aren't looked at while nothing changed, also where one assignment has them all", function()
    local pool = open()
    assert(replace(pool, place, "test", { line(1, "1", "2") }))
    server:sql(url, "INSERT INTO submitter.cases (assignment_id, mode, position, input, expected) "
      .. "SELECT id, 'test', number, '1', '2' FROM submitter.assignments, generate_series(2, 20000) AS number; ANALYZE")
    local function plan(known)
      return server:sql(url, ("SET plan_cache_mode = force_generic_plan; PREPARE reading AS %s; "
        .. "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE reading ('a', 'e', 's', 'test', %s, 100001)"):format(
        sql.read_cases, known))
    end
    local nothing_new = plan(server:sql(url, "SELECT id || ', ' || cases_version FROM submitter.assignments"))
    assert.matches("on cases one (never executed)", nothing_new, 1, true)
    assert.matches("on cases one (actual rows=20000", plan "0, 0", 1, true)
  end)

  it("keep nobody from recording results while they are replaced", function()
    assert(replace(open(), place, "test", { line(1, "1", "2") }))
    local is_locked, may_end, ended = host.task.event(), host.task.event(), nil
    local writer = host.task.spawn("replaces", function()
      return open():transaction(function(transaction)
        assert(transaction:query(sql.lock_assignment, { place.admin, place.event, place.assignment }))
        assert(transaction:query(sql.delete_cases, { 1, "test" }))
        is_locked:set()
        may_end:wait()
        return true
      end)
    end)
    is_locked:wait()
    local recorded = pcall(function()
      server:sql(url, ("SET lock_timeout = '10s'; INSERT INTO submitter.submissions (administrator, event, assignment, "
        .. "subid, submitted_at) VALUES ('a', 'e', 's', '%s', now())"):format(subid))
      ended = server:sql(url, "SELECT assignment_id IS NOT NULL FROM submitter.submissions")
    end)
    may_end:set()
    assert(writer:join())
    assert.is_true(recorded)
    assert.are.equal("t", ended)
  end)

  it("are at once the new ones, whoever changes them", function()
    local pool = open()
    assert(replace(pool, place, "test", { line(1, "1", "2"), line(2, "3", "4") }))
    local source = postgres_source { database = pool }
    local function expected() return assert(source:read(asked())).cases[1].expected end
    assert.are.equal("2", expected())
    server:sql(url, "UPDATE submitter.cases SET expected = 'changed' WHERE position = 1")
    assert.are.equal("changed", expected())
    server:sql(url, "DELETE FROM submitter.cases WHERE position = 1")
    assert.are.equal("4", expected())
    server:sql(url, "DELETE FROM submitter.assignments")
    assert.are.equal("not_found", select(3, source:read(asked())))
    assert(replace(pool, place, "test", { line(1, "1", "anew") }))
    assert.are.equal("anew", expected())
  end)

  it("stay known where the same are put there again", function()
    local pool = open()
    local list = { line(1, "1", "2", { points = 1 }), line(2, "é\n", "", { form = "file", name = "x" }) }
    assert(replace(pool, place, "test", list))
    local before = version()
    assert.are.same({ made = {}, replaced = 2, own = 1, unchanged = true }, replace(pool, place, "test", list))
    assert.are.equal(before, version())
    assert.are.same({ made = {}, replaced = 2, own = 1, unchanged = false },
      replace(pool, place, "test", { line(1, "1", "2") }))
    assert.are_not.equal(before, version())
  end)

  it("are never seen half replaced, also by several at once", function()
    local pool, reader = open(), open()
    local versions = {}
    for name = 1, 3 do
      local list = {}
      for number = 1, 50 * name do list[number] = line(number, tostring(name), tostring(name)) end
      versions[name] = list
    end
    assert(replace(pool, place, "test", versions[1]))
    local writers, is_over = {}, false
    for name = 1, 3 do
      writers[name] = host.task.spawn("replaces", function()
        for _ = 1, 10 do assert(replace(pool, place, "test", versions[name])) end
      end)
    end
    local looker = host.task.spawn("reads", function()
      local seen = {}
      while not is_over do
        local found = assert(postgres_source { database = reader }:read(asked()))
        local name = tonumber(found.cases[1].input)
        assert(found.sha256 == identity.sha256(versions[name]), "half of it")
        seen[name] = true
      end
      return seen
    end)
    for _, one in ipairs(writers) do assert(one:join()) end
    is_over = true
    assert(looker:join())
  end)

  it("may be read by a worker, and written by nobody but whom that is granted", function()
    server:sql(url, "DROP ROLE IF EXISTS cases_worker; CREATE ROLE cases_worker LOGIN IN ROLE submitter_worker")
    server:sql(url, "DROP ROLE IF EXISTS cases_teacher; CREATE ROLE cases_teacher LOGIN IN ROLE submitter_instructor")
    assert(replace(open "cases_teacher", place, "test", { line(1, "1", "2") }))
    local worker = open "cases_worker"
    assert.are.equal(1, #assert(postgres_source { database = worker }:read(asked())).cases)
    local done, _, code = replace(worker, place, "test", { line(1, "1", "3") })
    assert.is_nil(done)
    assert.are.equal("environment", code)
    assert.are.equal("1|2", server:sql(url, "SELECT input, expected FROM submitter.cases"))
  end)

  it("come from the bucket where the database has none, never because it is away", function()
    local own = postgres.start()
    local pool = database.open { url = own:migrated(), is_quiet = true }
    pools[#pools + 1] = pool
    local bucket = bucket_source { store = store.open {
      ["a/e/s/grading/test.in"] = "1\n", ["a/e/s/grading/test.out"] = "bucket\n",
    } }
    local both = first { postgres_source { database = pool }, bucket }
    assert.are.equal("bucket", assert(both:read(asked())).source)
    local _, message, code = both:read(asked "grade")
    assert.are.equal("not_found", code)
    assert.matches('in the database there is no administrator "a"', message, 1, true)
    assert.matches("neither a/e/s/grading/grade.in", message, 1, true)
    assert(replace(pool, place, "test", { line(1, "1", "database") }))
    assert.are.equal("database", assert(both:read(asked())).cases[1].expected)
    own:kill()
    local found
    found, _, code = both:read(asked())
    own:close()
    assert.is_nil(found)
    assert.are.equal("unavailable", code)
  end)

  describe("by the commands", function()
    local folder
    before_each(function() folder = support.folder() end)
    after_each(function() folder.remove_all() end)

    local function run(...)
      return support.submitter(folder, { "cases", ... }, { environment = { SUBMITTER_DATABASE_URL = url } })
    end

    local function done(...)
      local ended = run(...)
      assert.are.equal(0, ended.exit_code, ended.stderr .. ended.stdout)
      return ended.stdout, ended.stderr
    end

    local function refused(...)
      local ended = run(...)
      assert.are.equal(2, ended.exit_code, ended.stderr .. ended.stdout)
      return ended.stderr
    end

    local function path(name) return folder.path .. "/" .. name end

    local function files(input_text, expected_text)
      return "--in", folder:write("x.in", input_text), "--out", folder:write("x.out", expected_text)
    end

    it("are imported, with what was missing, and exported as they came", function()
      assert.are.equal("made       administrator a, event e, assignment s\n"
        .. "imported   2 test cases of a/e/s into the database, where there were none\n",
        (done("import", "a/e/s", files("1 2\n\n", "3\n0\n"))))
      local before = version()
      assert.are.equal("unchanged  2 test cases of a/e/s: the same are in the database already\n",
        (done("import", "a/e/s", files("1 2\n\n", "3\n0\n"))))
      assert.are.equal(before, version())
      local stdout, stderr = done("export", "a/e/s", "--in", path "y.in", "--out", path "y.out")
      assert.are.equal("", stderr)
      assert.matches("exported   2 test cases of a/e/s from the database to", stdout, 1, true)
      assert.are.equal("1 2\n\n", folder:read "y.in")
      assert.are.equal("3\n0\n", folder:read "y.out")
      assert.are.equal("imported   1 test case of a/e/s into the database, in the place of 2\n",
        (done("import", "a/e/s", files("7\n", "7\n"))))
      -- Nothing of a bucket was made for that.
      assert.is_nil((folder.directory:stat "var/bucket/a"))
    end)

    it("have points and a visibility that can be said, and export says how", function()
      done("import", "a/e/s", "--points", "1,2.5", "--visibility", "hidden", files("1\n2\n", "1\n2\n"))
      assert.are.equal("1|1|hidden\n2|2.5|hidden",
        server:sql(url, "SELECT position, points, visibility FROM submitter.cases ORDER BY position"))
      local _, stderr = done("export", "a/e/s", "--in", path "y.in", "--out", path "y.out")
      assert.are.equal("submitter cases: import them with --points 1,2.5 --visibility hidden\n", stderr)
      local before = version()
      done("import", "a/e/s", "--in", path "y.in", "--out", path "y.out", "--points", "1,2.5", "--visibility", "hidden")
      assert.are.equal(before, version())
      assert.matches("replaced   2 had points or a visibility of their own",
        done("import", "a/e/s", files("1\n2\n", "1\n2\n")), 1, true)
      assert.matches("names 3 numbers for 2 cases",
        refused("import", "a/e/s", "--points", "1,2,3", files("1\n2\n", "1\n2\n")), 1, true)
      done("import", "a/e/s", "--points", "3", files("1\n2\n3\n4\n", "1\n2\n3\n4\n"))
      _, stderr = done("export", "a/e/s", "--in", path "y.in", "--out", path "y.out")
      assert.are.equal("submitter cases: import them with --points 3\n", stderr)
      server:sql(url, "UPDATE submitter.cases SET points = NULL WHERE position = 3")
      _, stderr = done("export", "a/e/s", "--in", path "y.in", "--out", path "y.out")
      assert.are.equal("submitter cases: the files can't hold their points\n", stderr)
      done("import", "a/e/s", files("1\n2\n", "1\n2\n"))
      server:sql(url, "UPDATE submitter.cases SET points = 3, visibility = 'visible' WHERE position = 2")
      _, stderr = done("export", "a/e/s", "--in", path "y.in", "--out", path "y.out")
      assert.are.equal("submitter cases: the files can't hold their points, their visibility\n", stderr)
    end)

    it("of several lines go out into a folder and come back the same", function()
      local pool = open()
      local list = { line(1, "a\nb", "1\n\n"), line(2, "c\r", "\u{FEFF}") }
      assert(replace(pool, place, "grade", list))
      local before = version()
      assert.matches("case 1: its input has a line break; name a folder",
        refused("export", "a/e/s", "--mode", "grade", "--in", path "y.in", "--out", path "y.out"), 1, true)
      local _, stderr = done("export", "a/e/s", "--mode", "grade", "--in", path "pairs/")
      assert.are.equal("submitter cases: import them with --form line --unnamed\n", stderr)
      assert.matches("unchanged",
        done("import", "a/e/s", "--mode", "grade", "--in", path "pairs", "--form", "line", "--unnamed"), 1, true)
      assert.are.equal(before, version())
      done("import", "a/e/s", "--mode", "grade", "--in", path "pairs")
      assert.are.equal("file|1\nfile|2", server:sql(url, "SELECT form, name FROM submitter.cases ORDER BY position"))
    end)

    it("are the same pairs in the bucket and in the database", function()
      folder:write("pairs/case2.in", "2\n")
      folder:write("pairs/case2.out", "B")
      folder:write("pairs/case10.in", "10\n")
      folder:write("pairs/case10.out", "J\n")
      done("import", "a/e/s", "--in", path "pairs", "--to", "bucket")
      local _, stderr = done("export", "a/e/s", "--in", path "from_bucket/")
      assert.are.equal("", stderr)
      done("import", "a/e/s", "--in", path "from_bucket")
      local stdout
      stdout, stderr = done("export", "a/e/s", "--in", path "from_database/")
      assert.are.equal("", stderr)
      assert.matches("from the database", stdout, 1, true)
      for _, name in ipairs { "case2.in", "case2.out", "case10.in", "case10.out" } do
        assert.are.equal(folder:read("pairs/" .. name), folder:read("from_database/" .. name))
      end
      local bucket = bucket_source { store = store.open {
        ["a/e/s/grading/test/case2.in"] = "2\n", ["a/e/s/grading/test/case2.out"] = "B",
        ["a/e/s/grading/test/case10.in"] = "10\n", ["a/e/s/grading/test/case10.out"] = "J\n",
      } }
      assert.are.equal(assert(bucket:read(asked())).sha256,
        assert(postgres_source { database = open() }:read(asked())).sha256)
    end)

    it("that no text can hold are refused with their place, and nothing is written", function()
      assert.matches("case 2: what is expected has a NUL byte at byte offset 3",
        refused("import", "a/e/s", files("1\n2\n", "1\nabc\0d\n")), 1, true)
      assert.matches("case 1: the input has the byte 0xE9, which is no UTF-8 at byte offset 4",
        refused("import", "a/e/s", files("caf \xe9\n", "1\n")), 1, true)
      assert.matches("leave other cases in the bucket", refused("import", "a/e/s", files("\0\n", "1\n")), 1, true)
      assert.are.equal("0", server:sql(url, "SELECT count(*) FROM submitter.administrators"))
      done("import", "a/e/s", "--to", "bucket", files("caf \xe9\n", "\0\n"))
      assert.are.equal("caf \xe9\n", folder:read "var/bucket/a/e/s/grading/test.in")
    end)

    it("that don't count where they were put are told about", function()
      done("import", "a/e/s", files("1\n", "1\n"))
      local _, stderr = done("import", "a/e/s", "--to", "bucket", files("2\n", "2\n"))
      assert.matches("the database has other cases, and they count", stderr, 1, true)
      _, stderr = done("import", "a/e/s", "--mode", "grade", "--to", "bucket", files("2\n", "2\n"))
      assert.are.equal("", stderr)
    end)

    it("are checked where they count #cgroup", function()
      done("import", "a/e/s", "--points", "3", files("1 2\n3 4\n", "3\n7\n"))
      local program = folder:write("solution.py", "import sys\nprint(sum(map(int, sys.argv[1:])))\n")
      local stdout = done("check", "a/e/s", program)
      assert.matches("2 test cases of a/e/s from the database", stdout, 1, true)
      assert.matches("AC: all passed · 2 of 2 cases passed · 6 of 6 points", stdout, 1, true)
      server:sql(url, "UPDATE submitter.cases SET expected = '8' WHERE position = 2")
      assert.are.equal(1, run("check", "a/e/s", program).exit_code)
    end)
  end)
end)
