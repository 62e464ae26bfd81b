--- Who may what in the grade book, asked of a real server: each role and each right of each table, view and function. One that is
--- new makes this fail until it is decided here.
local migrations = require "submitter.database.migrations"
local postgres = require "spec.postgres"

local READ, WRITE, CHANGE = "SELECT", "SELECT INSERT UPDATE", "SELECT INSERT UPDATE DELETE"
local NOTHING = ""

--- What the roles may, by relation.
local relations = {
  administrators = { worker = READ, instructor = CHANGE },
  assignments = { worker = READ, instructor = CHANGE },
  case_results = { worker = WRITE, instructor = CHANGE },
  cases = { worker = READ, instructor = CHANGE },
  events = { worker = READ, instructor = CHANGE },
  final_gradings = { worker = WRITE, instructor = CHANGE },
  grade_book = { worker = READ, instructor = READ },
  mails = { worker = WRITE, instructor = CHANGE },
  migrations = { worker = READ, instructor = READ },
  results = { worker = WRITE, instructor = CHANGE },
  students = { worker = READ, instructor = CHANGE },
  submissions = { worker = WRITE, instructor = CHANGE },
  teams = { worker = WRITE, instructor = CHANGE },
  tokens = { worker = READ, instructor = CHANGE },
}

--- Who may call what; functions of triggers are called by nobody.
local functions = {
  assignment_of = { worker = true, instructor = true },
  enrol = { instructor = true },
  is_segment = { worker = true, instructor = true },
  link_submission = {}, link_submissions_anew = {}, link_submissions_of_new = {},
  make_event = { instructor = true },
  raise_cases_version = {},
  schedule = { instructor = true },
}

local users = { worker = "a_worker", instructor = "an_instructor", nobody = "a_stranger" }
local rights = { "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE" }

-- Each right tried: what it takes of a statement, and nothing else.
local attempts = {
  SELECT = "SELECT FROM submitter.%s LIMIT 0",
  INSERT = "INSERT INTO submitter.%s DEFAULT VALUES",
  UPDATE = "UPDATE submitter.%s SET %s = DEFAULT WHERE false",
  DELETE = "DELETE FROM submitter.%s WHERE false",
  TRUNCATE = "TRUNCATE submitter.%s CASCADE",
}

-- As one user: does the server refuse the statement for want of a right? Nothing of it stays.
local TRY = [[
CREATE TEMP TABLE answer (said text);
DO $try$
BEGIN
  EXECUTE $statement$%s$statement$;
  RAISE EXCEPTION 'nothing stays';
EXCEPTION
  WHEN insufficient_privilege THEN INSERT INTO answer VALUES ('refused: ' || SQLERRM);
  WHEN OTHERS THEN INSERT INTO answer VALUES ('allowed');
END
$try$;
SELECT said FROM answer;
]]

describe("the rights on the grade book", function()
  local server, url, names

  setup(function()
    server = postgres.shared()
    url = server:migrated()
    for kind, name in pairs(users) do
      server:sql(url, ("DROP ROLE IF EXISTS %s; CREATE ROLE %s LOGIN;"):format(name, name))
      if kind ~= "nobody" then server:sql(url, ("GRANT submitter_%s TO %s"):format(kind, name)) end
    end
    local database = url:match "dbname=(%S+)"
    names = {}
    for kind, name in pairs(users) do names[kind] = server:url_of(database, name) end
  end)

  teardown(function()
    for _, name in pairs(users) do server:sql(url, ("DROP OWNED BY %s; DROP ROLE %s"):format(name, name)) end
  end)

  local function lines(text)
    local list = {}
    for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
    return list
  end

  local function sorted(table_of)
    local list = {}
    for name in pairs(table_of) do list[#list + 1] = name end
    table.sort(list)
    return list
  end

  local function may(kind, right, relation)
    local granted = relations[relation][kind] or NOTHING
    return granted:find(right, 1, true) ~= nil
  end

  it("are decided for each table and view", function()
    assert.same(sorted(relations), lines(server:sql(url, [[
      SELECT relname FROM pg_class
       WHERE relnamespace = 'submitter'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
       ORDER BY relname COLLATE "C"
    ]])))
  end)

  it("are decided for each function", function()
    assert.same(sorted(functions), lines(server:sql(url, [[
      SELECT DISTINCT proname COLLATE "C" FROM pg_proc WHERE pronamespace = 'submitter'::regnamespace ORDER BY 1
    ]])))
  end)

  for _, relation in ipairs(sorted(relations)) do
    for kind, user in pairs(users) do
      it(("on %s are a %s's as decided, no more and no less"):format(relation, kind), function()
        local column = server:sql(url, ([[
          SELECT attname FROM pg_attribute WHERE attrelid = 'submitter.%s'::regclass AND attnum = 1]]):format(relation))
        for _, right in ipairs(rights) do
          -- Views take no rows, whoever asks: there the catalogue says enough.
          if relation ~= "grade_book" or right == "SELECT" then
            local said = server:sql(names[kind], TRY:format(attempts[right]:format(relation, column)))
            local expected = may(kind, right, relation) and "allowed" or "refused"
            assert.equal(expected, said:match "^%a+", right .. ": " .. said)
          end
        end
        local granted = server:sql(url, ([[
          SELECT string_agg(name, ' ')
            FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS name
           WHERE has_table_privilege('%s', 'submitter.%s', name)]]):format(user, relation))
        assert.equal(relations[relation][kind] or NOTHING, granted)
      end)
    end
  end

  it("on functions are as decided", function()
    for name, callers in pairs(functions) do
      for kind, user in pairs(users) do
        local allowed = server:sql(url, ([[
          SELECT bool_and(has_function_privilege('%s', oid, 'EXECUTE')) FROM pg_proc
          WHERE pronamespace = 'submitter'::regnamespace AND proname = '%s']]):format(user, name))
        assert.equal(callers[kind] and "t" or "f", allowed, name .. " by a " .. kind)
      end
    end
  end)

  it("on the schema are to use it, for the two roles, and to change it for nobody", function()
    for kind, user in pairs(users) do
      assert.equal(kind == "nobody" and "f|f" or "t|f", server:sql(url, ([[
        SELECT has_schema_privilege('%s', 'submitter', 'USAGE'), has_schema_privilege('%s', 'submitter', 'CREATE')]])
        :format(user, user)))
      for _, statement in ipairs { "CREATE TABLE submitter.mine ()", "DROP TABLE submitter.cases CASCADE",
        "ALTER TABLE submitter.cases ADD COLUMN mine text",
        "CREATE FUNCTION submitter.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE submitter.cases DISABLE TRIGGER ALL" } do
        assert.equal("refused", server:sql(names[kind], TRY:format(statement)):match "^%a+", statement)
      end
    end
  end)

  it("on sequences are nobody's: identity takes none", function()
    assert.equal("0", server:sql(url, [[
      SELECT count(*) FROM pg_class, unnest(ARRAY['a_worker', 'an_instructor', 'a_stranger']) AS name
       WHERE relnamespace = 'submitter'::regnamespace AND relkind = 'S'
         AND has_sequence_privilege(name, pg_class.oid, 'USAGE, SELECT, UPDATE')
    ]]))
  end)

  it("are taken away again where they were given by hand, when it is migrated once more", function()
    server:sql(url, "GRANT DELETE, TRUNCATE ON submitter.results TO submitter_worker")
    server:sql(url, "GRANT SELECT ON submitter.students TO PUBLIC")
    server:sql(url, assert(migrations.read()).rights)
    assert.equal("f|f|f", server:sql(url, [[
      SELECT has_table_privilege('a_worker', 'submitter.results', 'DELETE'),
        has_table_privilege('a_worker', 'submitter.results', 'TRUNCATE'),
        has_table_privilege('a_stranger', 'submitter.students', 'SELECT')
    ]]))
  end)

  -- What each has to do, done as that user alone.

  it("are enough for an instructor to set up a class", function()
    assert.equal("t", server:sql(names.instructor, [[
      SELECT submitter.schedule('teacher', 'labs', '2030-01-01', '2030-02-01') IS NOT NULL]]))
    assert.equal(("ab"):rep(16), server:sql(names.instructor, ([[
      SELECT submitter.enrol('teacher', 'labs', 'ada@example.org', 'Ada', '%s')]]):format(("ab"):rep(16))))
    assert.equal("2|t", server:sql(names.instructor, [[
      INSERT INTO submitter.assignments (event_id, name)
        SELECT id, 'sum' FROM submitter.events WHERE name = 'labs';
      INSERT INTO submitter.cases (assignment_id, mode, position, input, expected)
        SELECT submitter.assignment_of('teacher', 'labs', 'sum'), 'test', number, '1 2', '3'
        FROM generate_series(1, 3) AS number;
      DELETE FROM submitter.cases WHERE position = 3;
      SELECT (SELECT count(*) FROM submitter.cases), cases_version > 1 FROM submitter.assignments
        WHERE id = submitter.assignment_of('teacher', 'labs', 'sum');
    ]]))
  end)

  -- The server looks at rights when it begins to carry out, which EXPLAIN does and leaves off.
  local function explained(text)
    local values, most = {}, 0
    for number in text:gmatch "%$(%d+)" do most = math.max(most, tonumber(number)) end
    for number = 1, most do values[number] = "NULL" end
    local call = most > 0 and ("asked(%s)"):format(table.concat(values, ", ")) or "asked"
    return ("PREPARE asked AS %s; EXPLAIN EXECUTE %s"):format(text, call)
  end

  it("are enough for every statement that a worker says", function()
    local asked = { require("submitter.database.statements.cases").read_cases }
    for _, name in ipairs { "record", "mail", "final_grading", "doctor", "gradebook" } do
      local count = #asked
      for _, text in pairs(require("submitter.database.statements." .. name)) do
        local verb = text:match "^%s*(%u+)"
        if verb == "SELECT" or verb == "INSERT" or verb == "UPDATE" or verb == "WITH" then asked[#asked + 1] = text end
      end
      assert.is_true(#asked > count, name)
    end
    for _, text in ipairs(asked) do server:sql(names.worker, explained(text)) end
  end)

  it("are enough for a worker to record a result", function()
    assert.equal("Ada|AC|2", server:sql(names.worker, ([[
      INSERT INTO submitter.submissions (administrator, event, assignment, subid, submitted_at)
        VALUES ('teacher', 'labs', 'sum', md5('1'), now())
        ON CONFLICT (administrator, event, assignment, subid) DO UPDATE SET submitted_at = excluded.submitted_at;
      INSERT INTO submitter.results (submission_id, mode, attempt, run, verdict, passed, total, points, max_points,
          source_sha256, submitted_at, started_at, finished_at, report)
        SELECT id, 'test', 1, 1, 'WA', 0, 1, 0, 2, repeat('a', 64), now(), now(), now(), '{}' FROM submitter.submissions
        WHERE subid = md5('1');
      UPDATE submitter.results SET verdict = 'AC', run = 2, points = 2 WHERE source_sha256 = repeat('a', 64);
      INSERT INTO submitter.teams (result_id, token) SELECT id, '%s' FROM submitter.results
        WHERE source_sha256 = repeat('a', 64);
      SELECT student, verdict, points FROM submitter.grade_book WHERE administrator = 'teacher';
    ]]):format(("ab"):rep(16))))
    server:sql(names.worker, "COPY submitter.case_results (result_id, run, number, verdict, pass, points, input, "
      .. "expected, actual, actual_truncated, stderr) FROM STDIN;\n"
      .. server:sql(url, "SELECT id FROM submitter.results") .. "\t2\t1\tAC\tt\t2\t1 2\t3\t3\tf\t\n\\.\n")
    assert.equal("1", server:sql(names.worker, "SELECT count(*) FROM submitter.case_results WHERE stderr = ''"))
  end)
end)
