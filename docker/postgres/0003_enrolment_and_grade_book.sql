-- For front ends and for people in psql: a class is set up and read by names, without anybody looking up an id.

CREATE FUNCTION submitter.make_event(administrator text, event text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  found_id bigint;
BEGIN
  INSERT INTO submitter.administrators (name) VALUES ($1) ON CONFLICT DO NOTHING;
  INSERT INTO submitter.events (administrator_id, name)
    SELECT id, $2 FROM submitter.administrators WHERE name = $1 ON CONFLICT DO NOTHING;
  SELECT events.id INTO STRICT found_id
    FROM submitter.events JOIN submitter.administrators ON administrators.id = events.administrator_id
   WHERE administrators.name = $1 AND events.name = $2;
  RETURN found_id;
END
$$;
COMMENT ON FUNCTION submitter.make_event(text, text) IS
  'Makes an administrator''s event, and the administrator, where they aren''t there yet. Returns the event''s id.';

CREATE FUNCTION submitter.schedule(administrator text, event text, starts_at timestamptz, ends_at timestamptz) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  found_id bigint := submitter.make_event($1, $2);
BEGIN
  UPDATE submitter.events SET starts_at = $3, ends_at = $4 WHERE id = found_id;
  RETURN found_id;
END
$$;
COMMENT ON FUNCTION submitter.schedule(text, text, timestamptz, timestamptz) IS
  'Says when an event begins and ends (NULL: open), and makes it where it isn''t there yet. Returns the event''s id.';

CREATE FUNCTION submitter.enrol(administrator text, event text, email text, name text, token text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  event_found bigint := submitter.make_event($1, $2);
  student_found bigint;
  wanted text := lower($5);
  holder bigint;
  place bigint;
  place_name text;
BEGIN
  INSERT INTO submitter.students (email, name) VALUES ($3, coalesce($4, '')) ON CONFLICT DO NOTHING;
  SELECT id INTO STRICT student_found FROM submitter.students WHERE lower(email) = lower($3);
  UPDATE submitter.students SET name = $4 WHERE id = student_found AND name <> $4;
  IF wanted IS NULL THEN
    -- One at a time for each student, so that two calls at once give one token.
    PERFORM FROM submitter.students WHERE id = student_found FOR NO KEY UPDATE;
    SELECT token INTO wanted FROM submitter.tokens
     WHERE student_id = student_found AND event_id = event_found ORDER BY created_at DESC, token LIMIT 1;
    IF wanted IS NULL THEN
      wanted := replace(gen_random_uuid()::text, '-', '');
    END IF;
  END IF;
  INSERT INTO submitter.tokens (token, student_id, event_id) VALUES (wanted, student_found, event_found) ON CONFLICT DO NOTHING;
  SELECT student_id, event_id INTO STRICT holder, place FROM submitter.tokens WHERE token = wanted;
  IF holder <> student_found THEN
    RAISE EXCEPTION 'the token is another student''s' USING ERRCODE = 'unique_violation', HINT =
      'Give each student a token of his own; without one a new one is made.';
  ELSIF place <> event_found THEN
    SELECT concat(administrators.name, '/', events.name) INTO STRICT place_name
      FROM submitter.events JOIN submitter.administrators ON administrators.id = events.administrator_id WHERE events.id = place;
    RAISE EXCEPTION 'the token is another event''s: %', place_name USING ERRCODE = 'unique_violation', HINT =
      'A token counts in one event; without one a new one is made.';
  END IF;
  RETURN wanted;
END
$$;
COMMENT ON FUNCTION submitter.enrol(text, text, text, text, text) IS
  'Makes or finds administrator, event and student (by the e-mail; the name is brought up to date, NULL leaves it), and gives the '
  'student the token, 32 hexadecimal digits; NULL: the newest that he has there, else a new one. Returns the token. May be called '
  'again. A token that is another student''s or another event''s is an error.';

CREATE VIEW submitter.grade_book AS
  SELECT submissions.administrator, submissions.event, submissions.assignment, results.mode,
         members.student_id, students.email, students.name AS student, members.token,
         submissions.subid, results.attempt, results.run, results.verdict, results.reason, results.passed, results.total,
         results.points, results.max_points, results.submitted_at, results.finished_at,
         coalesce(results.submitted_at > events.ends_at, false) AS late,
         row_number() OVER (
           PARTITION BY submissions.administrator, submissions.event, submissions.assignment, results.mode, members.person
           ORDER BY (results.verdict = 'REJ' AND results.submitted_at > events.ends_at) IS TRUE, results.submitted_at DESC,
                    results.attempt DESC, results.id DESC) = 1 AS is_latest,
         row_number() OVER (
           PARTITION BY submissions.administrator, submissions.event, submissions.assignment, results.mode, members.person
           ORDER BY (results.verdict = 'REJ' AND results.submitted_at > events.ends_at) IS TRUE, results.points DESC,
                    results.submitted_at, results.attempt, results.id) = 1 AS is_best,
         results.id AS result_id
    FROM submitter.submissions
    JOIN submitter.results ON results.submission_id = submissions.id
    LEFT JOIN submitter.administrators ON administrators.name = submissions.administrator
    LEFT JOIN submitter.events ON events.administrator_id = administrators.id AND events.name = submissions.event
    -- One row for each student, though he may have handed in with two tokens; one for each token that nobody has.
    LEFT JOIN LATERAL (
      SELECT tokens.student_id, min(lower(teams.token)) AS token,
             coalesce(tokens.student_id::text, min(lower(teams.token))) AS person
        FROM submitter.teams
        LEFT JOIN submitter.tokens ON tokens.token = lower(teams.token) AND tokens.event_id = events.id
       WHERE teams.result_id = results.id
       GROUP BY tokens.student_id, CASE WHEN tokens.student_id IS NULL THEN lower(teams.token) END
    ) AS members ON true
    LEFT JOIN submitter.students ON students.id = members.student_id;
COMMENT ON VIEW submitter.grade_book IS
  'For reading: each student''s attempts with what came of them. Which of them counts is the policy''s to say: take those with '
  'is_latest or those with is_best. Students who handed nothing in aren''t there: they are in tokens.';
COMMENT ON COLUMN submitter.grade_book.administrator IS 'Whose event.';
COMMENT ON COLUMN submitter.grade_book.event IS 'Which event.';
COMMENT ON COLUMN submitter.grade_book.assignment IS 'Which assignment.';
COMMENT ON COLUMN submitter.grade_book.mode IS 'On the test or on the grade cases.';
COMMENT ON COLUMN submitter.grade_book.student_id IS 'Whose attempt; NULL: nobody was given the token.';
COMMENT ON COLUMN submitter.grade_book.email IS 'The student''s address; NULL: nobody was given the token.';
COMMENT ON COLUMN submitter.grade_book.student IS 'The student''s name; NULL: nobody was given the token.';
COMMENT ON COLUMN submitter.grade_book.token IS 'By which he handed in, in lower case; of several the first.';
COMMENT ON COLUMN submitter.grade_book.subid IS 'The submission: the students as a group, for this assignment.';
COMMENT ON COLUMN submitter.grade_book.attempt IS 'From 1; one more whenever something else was handed in.';
COMMENT ON COLUMN submitter.grade_book.run IS 'How often it was graded.';
COMMENT ON COLUMN submitter.grade_book.verdict IS 'As in results.';
COMMENT ON COLUMN submitter.grade_book.reason IS 'Why not AC, in a sentence.';
COMMENT ON COLUMN submitter.grade_book.passed IS 'How many cases passed.';
COMMENT ON COLUMN submitter.grade_book.total IS 'Of how many.';
COMMENT ON COLUMN submitter.grade_book.points IS 'What the passed ones are worth.';
COMMENT ON COLUMN submitter.grade_book.max_points IS 'What all are worth.';
COMMENT ON COLUMN submitter.grade_book.submitted_at IS 'When it was uploaded.';
COMMENT ON COLUMN submitter.grade_book.finished_at IS 'When its grading ended.';
COMMENT ON COLUMN submitter.grade_book.late IS 'Whether that was after the event''s end.';
COMMENT ON COLUMN submitter.grade_book.is_latest IS
  'Whether it is what the student handed in last, in this mode. What was refused after the event''s end counts as older than all else.';
COMMENT ON COLUMN submitter.grade_book.is_best IS
  'Whether it has the most points of what the student handed in, in this mode; of equal ones the first.';
COMMENT ON COLUMN submitter.grade_book.result_id IS 'The result, for case_results and its report.';
