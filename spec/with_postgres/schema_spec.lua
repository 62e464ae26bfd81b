--- The grade book itself, on a real server: what it takes and refuses, what follows from what, what goes along with what.
local postgres = require "spec.postgres"

local token, other_token = ("ab"):rep(16), ("cd"):rep(16)

-- One of each: Ada is enrolled in teacher/labs, has handed in "sum" twice, the second time too late and for fewer points.
local CLASS = ([[
  SELECT submitter.schedule('teacher', 'labs', '2030-01-01', '2030-02-01');
  SELECT submitter.enrol('teacher', 'labs', 'ada@example.org', 'Ada', '%s');
  INSERT INTO submitter.assignments (event_id, name)
    SELECT id, named.name FROM submitter.events, (VALUES ('sum'), ('echo')) AS named (name);
  INSERT INTO submitter.cases (assignment_id, mode, position, name, input, expected)
    SELECT submitter.assignment_of('teacher', 'labs', 'sum'), 'test', number, 'case' || number, '1 2', '3'
    FROM generate_series(1, 3) AS number;
  INSERT INTO submitter.submissions (administrator, event, assignment, subid, submitted_at)
    VALUES ('teacher', 'labs', 'sum', md5('1'), '2030-02-02');
  INSERT INTO submitter.results (submission_id, mode, attempt, run, verdict, passed, total, points, max_points,
      source_sha256, submitted_at, started_at, finished_at, report)
    SELECT id, 'test', attempt, 1, 'WA', 3 - attempt, 3, 3 - attempt, 3, repeat('a', 64),
      timestamptz '2030-01-31' + (attempt - 1) * interval '2 days', now(), now(), '{}'
    FROM submitter.submissions, generate_series(1, 2) AS attempt;
  INSERT INTO submitter.case_results (result_id, run, number, verdict, pass, points, input, expected, actual,
      actual_truncated, stderr)
    SELECT id, 1, 1, 'WA', false, 0, '1 2', '3', '4', false, '' FROM submitter.results;
  INSERT INTO submitter.teams (result_id, token) SELECT id, unnest(ARRAY['%s', '%s']) FROM submitter.results;
  INSERT INTO submitter.mails (result_id, run, student_id, verdict, passed, points)
    SELECT results.id, 1, students.id, 'WA', 1, 1 FROM submitter.results, submitter.students;
  INSERT INTO submitter.final_gradings (event_id, ends_at, regrade, queued)
    SELECT id, ends_at, 'final', 1 FROM submitter.events;
]]):format(token, token:upper(), other_token)

describe("the grade book's schema", function()
  local server, url

  local function sql(text) return server:sql(url, text) end

  -- A database of one's own with one of each in it.
  local function make()
    url = server:migrated()
    sql(CLASS)
  end

  setup(function() server = postgres.shared() end)

  local function refuses(expected, statement)
    local good, message = pcall(sql, statement)
    assert.is_false(good, "taken: " .. statement)
    assert.truthy(message:find(expected, 1, true), message)
  end

  local function version(assignment)
    return sql(("SELECT cases_version FROM submitter.assignments WHERE name = '%s'"):format(assignment or "sum"))
  end

  describe("explains itself:", function()
    setup(make)

    it("each table, view, column and function has a comment", function()
      assert.equal("", sql [[
        SELECT relname FROM pg_class WHERE relnamespace = 'submitter'::regnamespace AND relkind IN ('r', 'v')
          AND obj_description(oid, 'pg_class') IS NULL
        UNION ALL
        SELECT relname || '.' || attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
         WHERE relnamespace = 'submitter'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped
           AND col_description(attrelid, attnum) IS NULL
        UNION ALL
        SELECT proname FROM pg_proc WHERE pronamespace = 'submitter'::regnamespace
           AND obj_description(oid, 'pg_proc') IS NULL
      ]])
    end)

    it("each function has a search path that nobody else sets", function()
      assert.equal("", sql [[
        SELECT proname FROM pg_proc WHERE pronamespace = 'submitter'::regnamespace
           AND 'search_path=pg_catalog, pg_temp' <> ALL (coalesce(proconfig, '{}'))
      ]])
    end)

    it("each foreign key leads from an index, so that a row can be removed without reading all others", function()
      assert.equal("", sql [[
        SELECT conrelid::regclass || ' ' || conname FROM pg_constraint
         WHERE connamespace = 'submitter'::regnamespace AND contype = 'f' AND NOT EXISTS (
           SELECT FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1] AND array_length(conkey, 1) = 1)
      ]])
    end)
  end)

  describe("refuses", function()
    setup(make)

    local assignment = "submitter.assignment_of('teacher', 'labs', 'sum')"
    for what, case in pairs {
      ["a name with a slash"] = { "administrators_name_check",
        "INSERT INTO submitter.administrators (name) VALUES ('a/b')" },
      ["an empty name"] = { "administrators_name_check", "INSERT INTO submitter.administrators (name) VALUES ('')" },
      ["a name that leads upwards"] = { "events_name_check", "UPDATE submitter.events SET name = '..'" },
      ["a name of 256 bytes"] = { "events_name_check", "UPDATE submitter.events SET name = repeat('é', 128)" },
      ["a name that is kept"] = { "assignments_name_check",
        "UPDATE submitter.assignments SET name = '.submitter-x' WHERE name = 'sum'" },
      ["an administrator of the same name"] = { "administrators_name_key",
        "INSERT INTO submitter.administrators (name) VALUES ('teacher')" },
      ["an event that ends before it starts"] = { "events_start_before_they_end",
        "UPDATE submitter.events SET ends_at = starts_at" },
      ["another mode"] = { "cases_mode_check", "UPDATE submitter.cases SET mode = 'final'" },
      ["another form"] = { "cases_form_check", "UPDATE submitter.cases SET form = 'lines'" },
      ["a case in the place of another"] = { "cases_assignment_id_mode_position_key",
        "UPDATE submitter.cases SET position = 1" },
      ["a case with the name of another"] = { "cases_assignment_id_mode_name_key",
        "UPDATE submitter.cases SET name = 'case1'" },
      ["a place before the first"] = { "cases_position_check", "UPDATE submitter.cases SET position = 0" },
      ["points below nothing"] = { "cases_points_check", "UPDATE submitter.cases SET points = -1" },
      ["points that are no number"] = { "cases_points_check", "UPDATE submitter.cases SET points = 'NaN'" },
      ["another visibility"] = { "cases_visibility_check", "UPDATE submitter.cases SET visibility = 'never'" },
      ["the same student in capitals"] = { "students_email_key",
        "INSERT INTO submitter.students (email, name) VALUES ('ADA@example.org', '')" },
      ["an address that mail can't go to"] = { "students_email_check",
        "INSERT INTO submitter.students (email, name) VALUES ('ada', '')" },
      ["an address that is a second header"] = { "students_email_check",
        "INSERT INTO submitter.students (email, name) VALUES (E'x@example.org\\nBcc:y@example.org', '')" },
      ["a name that is a second header"] = { "students_name_check",
        "UPDATE submitter.students SET name = E'Ada\\r\\nBcc: y@example.org'" },
      ["a token that is none"] = { "tokens_token_check", "UPDATE submitter.tokens SET token = 'x'" },
      ["a token in capitals"] = { "tokens_token_check", "UPDATE submitter.tokens SET token = upper(token)" },
      ["a token twice"] = { "tokens_pkey",
        "INSERT INTO submitter.tokens SELECT token, student_id, event_id FROM submitter.tokens" },
      ["a subid that is none"] = { "submissions_subid_check", "UPDATE submitter.submissions SET subid = upper(subid)" },
      ["half a failure"] = { "submissions_failure_is_whole", "UPDATE submitter.submissions SET failed_at = now()" },
      ["a result of an attempt twice"] = { "results_submission_id_mode_attempt_key",
        "UPDATE submitter.results SET attempt = 1" },
      ["a failure as a result"] = { "results_verdict_check", "UPDATE submitter.results SET verdict = 'IE'" },
      ["more passed than there are"] = { "results_check", "UPDATE submitter.results SET passed = 4" },
      ["more points than there are"] = { "results_check", "UPDATE submitter.results SET points = 4" },
      ["points without end"] = { "results_max_points_check", "UPDATE submitter.results SET max_points = 'Infinity'" },
      ["a hash that is none"] = { "results_source_sha256_check", "UPDATE submitter.results SET source_sha256 = ''" },
      ["another source of cases"] = { "results_cases_source_check",
        "UPDATE submitter.results SET cases_source = 'elsewhere'" },
      ["a case's result as IE"] = { "case_results_verdict_check", "UPDATE submitter.case_results SET verdict = 'IE'" },
      ["a case's result twice"] = { "case_results_pkey",
        "INSERT INTO submitter.case_results SELECT * FROM submitter.case_results" },
      ["a team's token that is none"] = { "teams_token_check", "UPDATE submitter.teams SET token = 'x'" },
      ["a mail that ended in nothing"] = { "mails_end_with_an_outcome", "UPDATE submitter.mails SET ended_at = now()" },
      ["a mail twice"] = { "mails_result_id_run_student_id_key",
        "INSERT INTO submitter.mails (result_id, run, student_id, verdict, passed, points) "
          .. "SELECT result_id, run, student_id, verdict, passed, points FROM submitter.mails" },
      ["the same end queued twice"] = { "final_gradings_pkey",
        "INSERT INTO submitter.final_gradings SELECT * FROM submitter.final_gradings" },
      ["a number of one's own"] = { "cannot insert a non-DEFAULT value",
        "INSERT INTO submitter.administrators (id, name) VALUES (77, 'x')" },
      ["removing an administrator with events"] = { "events_administrator_id_fkey",
        "DELETE FROM submitter.administrators" },
      ["removing an event with assignments"] = { "assignments_event_id_fkey",
        "DELETE FROM submitter.tokens; DELETE FROM submitter.events" },
      ["removing an event with tokens"] = { "tokens_event_id_fkey",
        "DELETE FROM submitter.assignments; DELETE FROM submitter.events" },
      ["a case of no assignment"] = { "cases_assignment_id_fkey",
        "UPDATE submitter.cases SET assignment_id = 77 + " .. assignment },
    } do
      it(what, function() refuses(case[1], "BEGIN; " .. case[2] .. "; COMMIT") end)
    end
  end)

  describe("raises cases_version", function()
    before_each(make)

    it("with every statement that changes one", function()
      local before = 1
      local function rises(statement)
        if statement then sql(statement) end
        local after = tonumber(version())
        assert.is_true(after > before, statement)
        before = after
      end
      rises()
      rises "UPDATE submitter.cases SET points = 2"
      rises "DELETE FROM submitter.cases WHERE position = 3"
      rises("COPY submitter.cases (assignment_id, mode, position, input, expected) FROM STDIN;\n"
        .. sql "SELECT submitter.assignment_of('teacher', 'labs', 'sum')" .. "\tgrade\t1\t1\t1\n\\.\n")
      rises "TRUNCATE submitter.cases"
      sql "UPDATE submitter.cases SET points = 2"
      assert.equal(before, tonumber(version()))
    end)

    it("to one that there never was, also after a backup was restored, or the clock went backwards", function()
      local forgotten = tonumber(version())
      -- What was written since the backup is gone, and other cases come in its place.
      sql "UPDATE submitter.assignments SET cases_version = 1; UPDATE submitter.cases SET input = 'other'"
      assert.is_true(tonumber(version()) > forgotten)
      sql "UPDATE submitter.assignments SET cases_version = 9000000000000000000; UPDATE submitter.cases SET points = 3"
      assert.equal("9000000000000000001", version())
    end)

    it("of both assignments when a case moves from one to the other, and of no other", function()
      sql "INSERT INTO submitter.assignments (event_id, name) SELECT id, 'third' FROM submitter.events"
      sql "UPDATE submitter.assignments SET cases_version = 9000000000000000000"
      sql [[
        UPDATE submitter.cases SET assignment_id = submitter.assignment_of('teacher', 'labs', 'echo')
         WHERE position = 1]]
      assert.same({ "9000000000000000001", "9000000000000000001", "9000000000000000000" },
        { version "sum", version "echo", version "third" })
    end)

    it("and says when", function()
      assert.equal("t|t", sql [[
        SELECT (SELECT cases_changed_at > now() - interval '1 hour' FROM submitter.assignments WHERE name = 'sum'),
          (SELECT cases_changed_at IS NULL FROM submitter.assignments WHERE name = 'echo')]])
    end)

    it("for whoever may change cases, though he may not change assignments", function()
      local before = version()
      sql [[
        DROP ROLE IF EXISTS writer_of_cases;
        CREATE ROLE writer_of_cases;
        GRANT USAGE ON SCHEMA submitter TO writer_of_cases;
        GRANT SELECT, UPDATE ON submitter.cases TO writer_of_cases;
        GRANT EXECUTE ON FUNCTION submitter.is_segment(text) TO writer_of_cases;
        SET ROLE writer_of_cases;
        UPDATE submitter.cases SET points = 1;
      ]]
      assert.not_equal(before, version())
      sql "DROP OWNED BY writer_of_cases; DROP ROLE writer_of_cases"
    end)

    it("not when it is rolled back", function()
      local before = version()
      sql "BEGIN; DELETE FROM submitter.cases; ROLLBACK"
      assert.equal(before, version())
    end)
  end)

  it("lets cases change places in one transaction", function()
    make()
    sql "UPDATE submitter.cases SET position = 4 - position"
    assert.equal("case3", sql "SELECT name FROM submitter.cases WHERE position = 1")
  end)

  describe("links submissions with assignments by their names", function()
    before_each(make)

    local function linked()
      return sql [[
        SELECT name FROM submitter.submissions LEFT JOIN submitter.assignments ON assignments.id = assignment_id]]
    end

    it("whatever is written there", function()
      assert.equal("sum", linked())
      sql "UPDATE submitter.submissions SET assignment_id = submitter.assignment_of('teacher', 'labs', 'echo')"
      assert.equal("sum", linked())
    end)

    it("also when the assignment comes later, goes and comes again", function()
      sql "DELETE FROM submitter.assignments WHERE name = 'sum'"
      assert.equal("", linked())
      assert.equal("2", sql "SELECT count(*) FROM submitter.results")
      sql "INSERT INTO submitter.assignments (event_id, name) SELECT id, 'sum' FROM submitter.events"
      assert.equal("sum", linked())
    end)

    it("also when anything is given another name", function()
      for table_name, name in pairs { administrators = "teacher", events = "labs", assignments = "sum" } do
        sql(("UPDATE submitter.%s SET name = 'x' WHERE name = '%s'"):format(table_name, name))
        assert.equal("", linked(), table_name)
        sql(("UPDATE submitter.%s SET name = '%s' WHERE name = 'x'"):format(table_name, name))
        assert.equal("sum", linked(), table_name)
      end
      local echo = sql "SELECT submitter.assignment_of('teacher', 'labs', 'echo')"
      sql "UPDATE submitter.assignments SET name = 'old' WHERE name = 'sum'"
      sql "UPDATE submitter.assignments SET name = 'sum' WHERE name = 'echo'"
      assert.equal(echo, sql "SELECT assignment_id FROM submitter.submissions")
    end)
  end)

  describe("on removing", function()
    before_each(make)

    local function counts()
      return sql [[
        SELECT (SELECT count(*) FROM submitter.submissions), (SELECT count(*) FROM submitter.results),
          (SELECT count(*) FROM submitter.case_results), (SELECT count(*) FROM submitter.teams),
          (SELECT count(*) FROM submitter.mails), (SELECT count(*) FROM submitter.tokens),
          (SELECT count(*) FROM submitter.cases), (SELECT count(*) FROM submitter.final_gradings)]]
    end

    it("a student takes tokens and mails along, and no result", function()
      assert.equal("1|2|2|4|2|1|3|1", counts())
      sql "DELETE FROM submitter.students WHERE email = 'ada@example.org'"
      assert.equal("1|2|2|4|0|0|3|1", counts())
      assert.equal("0", sql "SELECT count(*) FROM submitter.grade_book WHERE student IS NOT NULL OR email IS NOT NULL")
      assert.equal("4", sql "SELECT count(*) FROM submitter.grade_book")
    end)

    it("a submission takes all along that came of it", function()
      sql "DELETE FROM submitter.submissions"
      assert.equal("0|0|0|0|0|1|3|1", counts())
    end)

    it("an assignment takes its cases along, and no submission", function()
      sql "DELETE FROM submitter.assignments"
      assert.equal("1|2|2|4|2|1|0|1", counts())
    end)

    it("an event needs its assignments and tokens removed before, and leaves the submissions", function()
      sql "DELETE FROM submitter.assignments; DELETE FROM submitter.tokens; DELETE FROM submitter.events"
      assert.equal("1|2|2|4|2|0|0|0", counts())
    end)
  end)

  describe("enrol", function()
    before_each(make)

    local function enrol(...)
      local values = {}
      for _, value in ipairs { ... } do values[#values + 1] = value and "'" .. value .. "'" or "NULL" end
      return ("SELECT submitter.enrol(%s)"):format(table.concat(values, ", "))
    end

    it("makes administrator, event, student and token, and gives the token", function()
      assert.equal(other_token, sql(enrol("new", "first", "eve@example.org", "Eve", other_token:upper())))
      assert.equal("eve@example.org|Eve|first|new", sql(([[
        SELECT students.email, students.name, events.name, administrators.name
          FROM submitter.tokens JOIN submitter.students ON students.id = student_id
          JOIN submitter.events ON events.id = event_id
          JOIN submitter.administrators ON administrators.id = administrator_id
         WHERE token = '%s']]):format(other_token)))
    end)

    it("may be called again", function()
      for _ = 1, 2 do assert.equal(token, sql(enrol("teacher", "labs", "ADA@example.org", "Ada", token))) end
      assert.equal("1|1|1|1", sql [[
        SELECT (SELECT count(*) FROM submitter.administrators), (SELECT count(*) FROM submitter.events),
          (SELECT count(*) FROM submitter.students), (SELECT count(*) FROM submitter.tokens)]])
    end)

    it("without a token gives the newest, else a new one", function()
      assert.equal(token, sql(enrol("teacher", "labs", "ada@example.org", "Ada")))
      local given = sql(enrol("teacher", "labs", "bob@example.org", "Bob"))
      assert.truthy(given:find "^%x+$" and #given == 32)
      assert.equal(given, sql(enrol("teacher", "labs", "bob@example.org", "Bob")))
      assert.not_equal(given, sql(enrol("teacher", "other", "bob@example.org", "Bob")))
    end)

    it("gives a student a second token, and brings the name up to date", function()
      sql(enrol("teacher", "labs", "ada@example.org", "Ada Lovelace", other_token))
      assert.equal("Ada Lovelace|2", sql [[
        SELECT name, count(*) FROM submitter.students JOIN submitter.tokens ON student_id = id GROUP BY name]])
      sql(enrol("teacher", "labs", "ada@example.org", false, other_token))
      assert.equal("Ada Lovelace", sql "SELECT name FROM submitter.students")
    end)

    it("refuses a token that is another's, and makes nobody", function()
      refuses("the token is another student's", enrol("teacher", "labs", "eve@example.org", "Eve", token))
      refuses("the token is another event's: teacher/labs", enrol("teacher", "exam", "ada@example.org", "Ada", token))
      refuses("tokens_token_check", enrol("teacher", "labs", "eve@example.org", "Eve", "short"))
      assert.equal("1|1", sql [[
        SELECT (SELECT count(*) FROM submitter.students), (SELECT count(*) FROM submitter.events)]])
    end)
  end)

  it("schedule makes an event, moves it, opens it", function()
    make()
    sql "SELECT submitter.schedule('teacher', 'exam', '2030-05-01T10:00Z', '2030-05-01T12:00Z')"
    assert.equal("02:00:00", sql "SELECT ends_at - starts_at FROM submitter.events WHERE name = 'exam'")
    sql "SELECT submitter.schedule('teacher', 'exam', NULL, NULL)"
    assert.equal("t", sql "SELECT starts_at IS NULL AND ends_at IS NULL FROM submitter.events WHERE name = 'exam'")
    assert.equal("2", sql "SELECT count(*) FROM submitter.events")
  end)

  describe("grade_book", function()
    before_each(make)

    it("shows each student's attempts: which is the latest, which the best, which is late", function()
      assert.equal("2|WA|1|3|t|t|f\n1|WA|2|3|f|f|t", sql [[
        SELECT attempt, verdict, points, max_points, late, is_latest, is_best FROM submitter.grade_book
         WHERE student = 'Ada' ORDER BY attempt DESC]])
    end)

    it("doesn't let what was refused after the end take the place of what was graded", function()
      sql "UPDATE submitter.results SET verdict = 'REJ', points = 3 WHERE attempt = 2"
      local read = [[
        SELECT attempt, is_latest, is_best FROM submitter.grade_book WHERE student = 'Ada' ORDER BY attempt DESC]]
      assert.equal("2|f|f\n1|t|t", sql(read))
      sql "SELECT submitter.schedule('teacher', 'labs', NULL, NULL)"
      assert.equal("2|t|t\n1|f|f", sql(read))
    end)

    it("has a row for a token that nobody has, until somebody is given it", function()
      assert.equal("2", sql(("SELECT count(*) FROM submitter.grade_book WHERE email IS NULL AND token = '%s'"):format(
        other_token)))
      sql(("SELECT submitter.enrol('teacher', 'labs', 'eve@example.org', 'Eve', '%s')"):format(other_token))
      assert.equal("Ada\nEve", sql "SELECT student FROM submitter.grade_book WHERE is_latest ORDER BY student")
    end)

    it("has one row for a student who handed in with two tokens, in two groups as well", function()
      sql(("SELECT submitter.enrol('teacher', 'labs', 'ada@example.org', 'Ada', '%s')"):format(other_token))
      sql(([[
        INSERT INTO submitter.submissions (administrator, event, assignment, subid, submitted_at)
          VALUES ('teacher', 'labs', 'sum', md5('2'), now());
        INSERT INTO submitter.results (submission_id, mode, attempt, run, verdict, passed, total, points, max_points,
            source_sha256, submitted_at, started_at, finished_at, report)
          SELECT id, 'test', 1, 1, 'AC', 3, 3, 3, 3, repeat('a', 64), '2030-01-01', now(), now(), '{}'
          FROM submitter.submissions WHERE subid = md5('2');
        INSERT INTO submitter.teams (result_id, token)
          SELECT id, '%s' FROM submitter.results WHERE verdict = 'AC';
      ]]):format(other_token))
      assert.equal("Ada|2|f\nAda|1|t", sql [[
        SELECT student, attempt, is_best FROM submitter.grade_book WHERE is_latest OR is_best ORDER BY is_latest DESC]])
    end)

    it("doesn't take a token of another event for a student's", function()
      sql(([[
        DELETE FROM submitter.tokens;
        SELECT submitter.enrol('teacher', 'exam', 'ada@example.org', 'Ada', '%s')]]):format(token))
      assert.equal("0", sql "SELECT count(*) FROM submitter.grade_book WHERE student IS NOT NULL")
    end)

    it("shows submissions to events that only the bucket knows", function()
      sql "DELETE FROM submitter.assignments; DELETE FROM submitter.tokens; DELETE FROM submitter.events"
      assert.equal("4|f", sql "SELECT count(*), bool_or(late) FROM submitter.grade_book")
    end)
  end)

  describe("has indexes for", function()
    setup(make)

    for what, case in pairs {
      ["the cases of an assignment in order"] = { "cases_assignment_id_mode_position_key",
        "SELECT FROM submitter.cases WHERE assignment_id = 1 AND mode = 'test' ORDER BY position" },
      ["a submission by its names"] = { "submissions_administrator_event_assignment_subid_key",
        "SELECT FROM submitter.submissions WHERE administrator = 'a' AND event = 'e'" },
      ["old submissions"] = { "submissions_submitted_at_idx",
        "SELECT FROM submitter.submissions WHERE submitted_at < '2030-01-01'" },
      ["the results of a submission"] = { "results_submission_id_mode_attempt_key",
        "SELECT FROM submitter.results WHERE submission_id = 1 AND mode = 'test' ORDER BY attempt DESC LIMIT 1" },
      ["the cases of a result"] = { "case_results_pkey",
        "SELECT FROM submitter.case_results WHERE result_id = 1 AND run = 1 ORDER BY number" },
      ["the tokens of an event"] = { "tokens_event_id_student_id_idx",
        "SELECT FROM submitter.tokens WHERE event_id = 1" },
      ["what a token handed in"] = { "teams_lower_idx", "SELECT FROM submitter.teams WHERE lower(token) = 'x'" },
      ["mails that are due"] = { "mails_next_try_at_idx",
        "SELECT FROM submitter.mails WHERE ended_at IS NULL AND next_try_at <= now() ORDER BY next_try_at LIMIT 1" },
      ["a student by his address"] = { "students_email_key",
        "SELECT FROM submitter.students WHERE lower(email) = 'ada@example.org'" },
    } do
      it(what, function()
        local plan = sql("SET enable_seqscan = off; SET enable_bitmapscan = off; EXPLAIN " .. case[2])
        assert.truthy(plan:find(case[1], 1, true), plan)
        assert.is_nil(plan:find("Sort", 1, true), plan)
      end)
    end
  end)
end)
