-- The grade book: who teaches what, which cases decide, who handed in, and what came of it.
--
-- Names of administrators, events and assignments are segments of the bucket's keys. What a student brought is stored as it can be
-- read: a NUL character, which text can't hold, as \0, and bytes that are no UTF-8 as U+FFFD.
--
-- Applied in a transaction by `submitter database migrate`, which writes down in submitter.migrations that it was.

-- An administrator of the server may have made it beforehand, for a user who may not.
DO $$
BEGIN
  IF to_regnamespace('submitter') IS NULL THEN
    CREATE SCHEMA submitter;
  END IF;
END
$$;
COMMENT ON SCHEMA submitter IS 'The grade book of Submitter. Change it by numbered migrations only: submitter database migrate.';

CREATE TABLE submitter.migrations (
  number integer PRIMARY KEY CHECK (number > 0),
  name text NOT NULL,
  sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE submitter.migrations IS 'Which files of docker/postgres were applied to this database.';
COMMENT ON COLUMN submitter.migrations.number IS 'The file''s number: 1 for 0001_grade_book.sql; no number is left out.';
COMMENT ON COLUMN submitter.migrations.name IS 'The file''s name without .sql.';
COMMENT ON COLUMN submitter.migrations.sha256 IS 'Of the file as it was applied: a file is never changed afterwards.';
COMMENT ON COLUMN submitter.migrations.applied_at IS 'When.';

CREATE FUNCTION submitter.is_segment(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT octet_length(name) BETWEEN 1 AND 255 AND name NOT IN ('.', '..') AND position('/' IN name) = 0
    AND left(name, 11) <> '.submitter-'
$$;
COMMENT ON FUNCTION submitter.is_segment(text) IS
  'Can this be one part of a key of the bucket? The same rule as in lua/submitter/key.lua.';

-- ---- who teaches what ----

CREATE TABLE submitter.administrators (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE CHECK (submitter.is_segment(name)),
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE submitter.administrators IS 'Who teaches: the first part of the bucket''s keys.';
COMMENT ON COLUMN submitter.administrators.id IS 'Its number, which nothing outside of the database knows.';
COMMENT ON COLUMN submitter.administrators.name IS 'As in the keys.';
COMMENT ON COLUMN submitter.administrators.created_at IS 'When this row was made.';

CREATE TABLE submitter.events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  administrator_id bigint NOT NULL REFERENCES submitter.administrators,
  name text NOT NULL CHECK (submitter.is_segment(name)),
  starts_at timestamptz,
  ends_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (administrator_id, name),
  CONSTRAINT events_start_before_they_end CHECK (starts_at < ends_at)
);
COMMENT ON TABLE submitter.events IS 'A course, a sheet or an examination: the second part of the keys.';
COMMENT ON COLUMN submitter.events.id IS 'Its number, which nothing outside of the database knows.';
COMMENT ON COLUMN submitter.events.administrator_id IS 'Whose it is.';
COMMENT ON COLUMN submitter.events.name IS 'As in the keys; one administrator''s events have different names.';
COMMENT ON COLUMN submitter.events.starts_at IS 'When it begins; NULL: it has always been open.';
COMMENT ON COLUMN submitter.events.ends_at IS
  'When it ends; NULL: never. What is handed in later is late. After it all is graded on the grade cases.';
COMMENT ON COLUMN submitter.events.created_at IS 'When this row was made.';

CREATE TABLE submitter.assignments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id bigint NOT NULL REFERENCES submitter.events,
  name text NOT NULL CHECK (submitter.is_segment(name)),
  cases_version bigint NOT NULL DEFAULT 1,
  cases_changed_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (event_id, name)
);
COMMENT ON TABLE submitter.assignments IS 'What is to be programmed: the third part of the keys.';
COMMENT ON COLUMN submitter.assignments.id IS 'Its number, which nothing outside of the database knows.';
COMMENT ON COLUMN submitter.assignments.event_id IS 'Of which event.';
COMMENT ON COLUMN submitter.assignments.name IS 'As in the keys; the assignments of an event have different names.';
COMMENT ON COLUMN submitter.assignments.cases_version IS
  'Goes up by itself whenever its cases change, so that workers needn''t read them again while it stands. An assignment that was '
  'removed and made anew has another id: only both together say which cases were read.';
COMMENT ON COLUMN submitter.assignments.cases_changed_at IS
  'When cases_version went up last; NULL: not yet. A result that was finished before is on older cases.';
COMMENT ON COLUMN submitter.assignments.created_at IS 'When this row was made.';

CREATE TABLE submitter.cases (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  assignment_id bigint NOT NULL REFERENCES submitter.assignments ON DELETE CASCADE,
  mode text NOT NULL CHECK (mode IN ('test', 'grade')),
  position integer NOT NULL CHECK (position > 0),
  name text CHECK (submitter.is_segment(name)),
  form text NOT NULL DEFAULT 'line' CHECK (form IN ('line', 'file')),
  input text NOT NULL,
  expected text NOT NULL,
  points double precision CHECK (points BETWEEN 0 AND 1000000),
  visibility text CHECK (visibility IN ('visible', 'hidden', 'after_due')),
  -- Deferred, so that positions and names can be exchanged in one transaction; the index serves reading in order as well.
  UNIQUE (assignment_id, mode, position) DEFERRABLE INITIALLY DEFERRED,
  UNIQUE (assignment_id, mode, name) DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON TABLE submitter.cases IS
  'What programs are run on, and what they have to print. Removed together with their assignment.';
COMMENT ON COLUMN submitter.cases.id IS 'Its number, which nothing outside of the database knows.';
COMMENT ON COLUMN submitter.cases.assignment_id IS 'Of which assignment.';
COMMENT ON COLUMN submitter.cases.mode IS 'test: feedback while the event runs; grade: the final mark.';
COMMENT ON COLUMN submitter.cases.position IS 'The order in which they run, from 1; gaps don''t matter.';
COMMENT ON COLUMN submitter.cases.name IS 'What a pair of files is called, NAME.in and NAME.out; NULL: a number is enough.';
COMMENT ON COLUMN submitter.cases.form IS
  'line: the input is a command line''s words (policy may say otherwise); file: the input is standard input, whole.';
COMMENT ON COLUMN submitter.cases.input IS 'What the program is given.';
COMMENT ON COLUMN submitter.cases.expected IS 'What it has to print; how exactly is the policy''s comparison to say.';
COMMENT ON COLUMN submitter.cases.points IS 'What passing is worth; NULL: what the policy says, and that is 1 unless it says so.';
COMMENT ON COLUMN submitter.cases.visibility IS
  'Whether students see it: visible, hidden, after_due; NULL: what the policy says.';

-- ---- students ----

CREATE TABLE submitter.students (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL CHECK (email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$' AND octet_length(email) <= 254),
  name text NOT NULL CHECK (name !~ '[[:cntrl:]]'),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX students_email_key ON submitter.students (lower(email));
COMMENT ON TABLE submitter.students IS
  'Who learns. Deleting a student takes his tokens and mails along; what he handed in stays, as that of tokens which nobody has.';
COMMENT ON COLUMN submitter.students.id IS 'Its number, which nothing outside of the database knows.';
COMMENT ON COLUMN submitter.students.email IS 'Who it is, and where mail goes; capitals don''t make it another.';
COMMENT ON COLUMN submitter.students.name IS 'For people.';
COMMENT ON COLUMN submitter.students.created_at IS 'When this row was made.';

CREATE TABLE submitter.tokens (
  token text PRIMARY KEY CHECK (token ~ '^[0-9a-f]{32}$'),
  student_id bigint NOT NULL REFERENCES submitter.students ON DELETE CASCADE,
  event_id bigint NOT NULL REFERENCES submitter.events,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON submitter.tokens (event_id, student_id);
CREATE INDEX ON submitter.tokens (student_id);
COMMENT ON TABLE submitter.tokens IS
  'By what a student shows who he is: one event''s, and he may have several, a new one for one that was lost.';
COMMENT ON COLUMN submitter.tokens.token IS 'As the front end gives it out: 32 hexadecimal digits, here in lower case.';
COMMENT ON COLUMN submitter.tokens.student_id IS 'Whose it is.';
COMMENT ON COLUMN submitter.tokens.event_id IS 'Where it counts; anywhere else it is a token that nobody knows.';
COMMENT ON COLUMN submitter.tokens.created_at IS 'When this row was made.';

-- ---- what was handed in, and what came of it ----

-- The names stand here as well as the key: a submission may be for an assignment that lies in the bucket alone.
CREATE TABLE submitter.submissions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  administrator text NOT NULL,
  event text NOT NULL,
  assignment text NOT NULL,
  subid text NOT NULL CHECK (subid ~ '^[0-9a-f]{32}$'),
  assignment_id bigint REFERENCES submitter.assignments ON DELETE SET NULL,
  submitted_at timestamptz NOT NULL,
  failed_at timestamptz,
  failure_mode text CHECK (failure_mode IN ('test', 'grade')),
  failure_class text,
  failure_reason text,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (administrator, event, assignment, subid),
  CONSTRAINT submissions_failure_is_whole
    CHECK (num_nulls(failed_at, failure_mode, failure_class, failure_reason) IN (0, 4))
);
CREATE INDEX ON submitter.submissions (assignment_id);
CREATE INDEX ON submitter.submissions (submitted_at);
COMMENT ON TABLE submitter.submissions IS
  'What the same students handed in for the same assignment, however often. Deleting it takes its results along.';
COMMENT ON COLUMN submitter.submissions.id IS 'Its number, which nothing outside of the database knows.';
COMMENT ON COLUMN submitter.submissions.administrator IS 'The first part of its key.';
COMMENT ON COLUMN submitter.submissions.event IS 'The second part of its key.';
COMMENT ON COLUMN submitter.submissions.assignment IS 'The third part of its key.';
COMMENT ON COLUMN submitter.submissions.subid IS 'The fourth part of its key: the students as a group, for this assignment.';
COMMENT ON COLUMN submitter.submissions.assignment_id IS
  'The assignment of these names; NULL: it isn''t in the database. Kept by triggers, whatever is written here.';
COMMENT ON COLUMN submitter.submissions.submitted_at IS 'When its newest attempt was uploaded.';
COMMENT ON COLUMN submitter.submissions.failed_at IS
  'When it last couldn''t be graded, through no fault of its students; NULL: it could, the last time.';
COMMENT ON COLUMN submitter.submissions.failure_mode IS 'In which mode it couldn''t.';
COMMENT ON COLUMN submitter.submissions.failure_class IS 'Whose business that is, in a word: instructor, environment, …';
COMMENT ON COLUMN submitter.submissions.failure_reason IS 'Why, in a sentence.';
COMMENT ON COLUMN submitter.submissions.created_at IS 'When this row was made.';

CREATE TABLE submitter.results (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  submission_id bigint NOT NULL REFERENCES submitter.submissions ON DELETE CASCADE,
  mode text NOT NULL CHECK (mode IN ('test', 'grade')),
  attempt integer NOT NULL CHECK (attempt > 0),
  run integer NOT NULL CHECK (run > 0),
  verdict text NOT NULL CHECK (verdict IN ('AC', 'WA', 'TLE', 'MLE', 'OLE', 'RTE', 'SKIP', 'REJ')),
  reason text,
  passed integer NOT NULL CHECK (passed BETWEEN 0 AND total),
  total integer NOT NULL,
  points double precision NOT NULL CHECK (points BETWEEN 0 AND max_points),
  max_points double precision NOT NULL CHECK (max_points < 'Infinity'),
  source_sha256 text NOT NULL CHECK (source_sha256 ~ '^[0-9a-f]{64}$'),
  cases_sha256 text CHECK (cases_sha256 ~ '^[0-9a-f]{64}$'),
  cases_source text CHECK (cases_source IN ('postgres', 'bucket', 'files')),
  policy_sha256 text CHECK (policy_sha256 ~ '^[0-9a-f]{64}$'),
  regrade text,
  submitted_at timestamptz NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  report jsonb NOT NULL,
  UNIQUE (submission_id, mode, attempt)
);
COMMENT ON TABLE submitter.results IS
  'What came of an attempt, on the test or on the grade cases. A submission that couldn''t be graded has none.';
COMMENT ON COLUMN submitter.results.id IS 'Its number, which nothing outside of the database knows.';
COMMENT ON COLUMN submitter.results.submission_id IS 'Of which submission.';
COMMENT ON COLUMN submitter.results.mode IS 'On which cases: test or grade.';
COMMENT ON COLUMN submitter.results.attempt IS 'From 1; one more whenever something else was handed in.';
COMMENT ON COLUMN submitter.results.run IS 'How often it was graded; this is the last.';
COMMENT ON COLUMN submitter.results.verdict IS
  'AC all passed; WA wrong answer; TLE time, MLE memory, OLE output over the limit; RTE ended by an error; SKIP nothing ran; '
  'REJ can''t be graded through its own fault. The whole has that of the first case that didn''t pass.';
COMMENT ON COLUMN submitter.results.reason IS 'Why not AC, in a sentence.';
COMMENT ON COLUMN submitter.results.passed IS 'How many cases passed.';
COMMENT ON COLUMN submitter.results.total IS 'Of how many.';
COMMENT ON COLUMN submitter.results.points IS 'What the passed ones are worth.';
COMMENT ON COLUMN submitter.results.max_points IS 'What all are worth.';
COMMENT ON COLUMN submitter.results.source_sha256 IS 'Of document and program as graded.';
COMMENT ON COLUMN submitter.results.cases_sha256 IS 'Of the cases; NULL: rejected before they were read.';
COMMENT ON COLUMN submitter.results.cases_source IS 'Where the cases came from; NULL: they weren''t read.';
COMMENT ON COLUMN submitter.results.policy_sha256 IS 'Of all files of the policy; NULL: rejected before it counted.';
COMMENT ON COLUMN submitter.results.regrade IS 'Which regrading it answers; NULL: none.';
COMMENT ON COLUMN submitter.results.submitted_at IS 'When the attempt was uploaded: what decides whether it is late.';
COMMENT ON COLUMN submitter.results.started_at IS 'When its grading began.';
COMMENT ON COLUMN submitter.results.finished_at IS 'When its grading ended.';
COMMENT ON COLUMN submitter.results.report IS 'The whole report without its cases: limits, policy, runner and the rest.';

CREATE TABLE submitter.case_results (
  result_id bigint NOT NULL REFERENCES submitter.results ON DELETE CASCADE,
  run integer NOT NULL CHECK (run > 0),
  number integer NOT NULL CHECK (number > 0),
  verdict text NOT NULL CHECK (verdict IN ('AC', 'WA', 'TLE', 'MLE', 'OLE', 'RTE', 'SKIP')),
  pass boolean NOT NULL,
  points double precision NOT NULL CHECK (points BETWEEN 0 AND 1000000),
  input text NOT NULL,
  expected text NOT NULL,
  actual text NOT NULL,
  actual_truncated boolean NOT NULL,
  stderr text NOT NULL,
  note text,
  exit_code integer,
  signal text,
  cpu_ms bigint,
  wall_ms bigint,
  memory_bytes bigint,
  PRIMARY KEY (result_id, run, number)
);
COMMENT ON TABLE submitter.case_results IS
  'What came of each case. Those of earlier runs stay: the ones that count are of the run that results says.';
COMMENT ON COLUMN submitter.case_results.result_id IS 'Of which result.';
COMMENT ON COLUMN submitter.case_results.run IS 'Of which of its runs.';
COMMENT ON COLUMN submitter.case_results.number IS 'The case''s number in that run, from 1.';
COMMENT ON COLUMN submitter.case_results.verdict IS 'As for results; SKIP: it wasn''t run.';
COMMENT ON COLUMN submitter.case_results.pass IS 'Whether it passed.';
COMMENT ON COLUMN submitter.case_results.points IS 'What was earned with it.';
COMMENT ON COLUMN submitter.case_results.input IS 'What the program was given, as the case was then.';
COMMENT ON COLUMN submitter.case_results.expected IS 'What it had to print, as the case was then.';
COMMENT ON COLUMN submitter.case_results.actual IS 'What it printed: NUL as \0, what is no UTF-8 as U+FFFD.';
COMMENT ON COLUMN submitter.case_results.actual_truncated IS 'Whether it printed more than is kept.';
COMMENT ON COLUMN submitter.case_results.stderr IS 'What it wrote to standard error, the beginning of it.';
COMMENT ON COLUMN submitter.case_results.note IS 'What the comparison says about the difference.';
COMMENT ON COLUMN submitter.case_results.exit_code IS 'What it ended with; NULL: by a signal, or not at all.';
COMMENT ON COLUMN submitter.case_results.signal IS 'By which signal it ended; NULL: by none.';
COMMENT ON COLUMN submitter.case_results.cpu_ms IS 'Processor time in milliseconds.';
COMMENT ON COLUMN submitter.case_results.wall_ms IS 'Time on the clock in milliseconds.';
COMMENT ON COLUMN submitter.case_results.memory_bytes IS 'The most memory that it had, in bytes.';

CREATE TABLE submitter.teams (
  result_id bigint NOT NULL REFERENCES submitter.results ON DELETE CASCADE,
  token text NOT NULL CHECK (token ~ '^[0-9A-Fa-f]{32}$'),
  PRIMARY KEY (result_id, token)
);
CREATE INDEX ON submitter.teams (lower(token));
COMMENT ON TABLE submitter.teams IS
  'Who handed an attempt in. A token that nobody was given is kept as well: it counts as soon as somebody is.';
COMMENT ON COLUMN submitter.teams.result_id IS 'The result of that attempt.';
COMMENT ON COLUMN submitter.teams.token IS 'One of the tokens in the submission''s document; capitals don''t matter.';

-- ---- what is to be done, and was done, once ----

CREATE TABLE submitter.final_gradings (
  event_id bigint NOT NULL REFERENCES submitter.events ON DELETE CASCADE,
  ends_at timestamptz NOT NULL,
  regrade text NOT NULL,
  queued integer NOT NULL CHECK (queued >= 0),
  queued_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (event_id, ends_at)
);
COMMENT ON TABLE submitter.final_gradings IS
  'Events that had ended and whose submissions were queued for the grade cases. An event that ends anew is queued anew.';
COMMENT ON COLUMN submitter.final_gradings.event_id IS 'Which event.';
COMMENT ON COLUMN submitter.final_gradings.ends_at IS 'The end that it had then.';
COMMENT ON COLUMN submitter.final_gradings.regrade IS 'The regrade id in those messages and in their results.';
COMMENT ON COLUMN submitter.final_gradings.queued IS 'How many messages.';
COMMENT ON COLUMN submitter.final_gradings.queued_at IS 'When.';

CREATE TABLE submitter.mails (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  result_id bigint NOT NULL REFERENCES submitter.results ON DELETE CASCADE,
  run integer NOT NULL CHECK (run > 0),
  student_id bigint NOT NULL REFERENCES submitter.students ON DELETE CASCADE,
  verdict text NOT NULL,
  passed integer NOT NULL,
  points double precision NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  next_try_at timestamptz NOT NULL DEFAULT now(),
  tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
  uncertain integer NOT NULL DEFAULT 0 CHECK (uncertain >= 0),
  ended_at timestamptz,
  outcome text CHECK (outcome IN ('sent', 'superseded', 'refused')),
  problem text,
  UNIQUE (result_id, run, student_id),
  CONSTRAINT mails_end_with_an_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX ON submitter.mails (next_try_at) WHERE ended_at IS NULL;
CREATE INDEX ON submitter.mails (student_id);
COMMENT ON TABLE submitter.mails IS 'Mails to students: written with the result, sent afterwards.';
COMMENT ON COLUMN submitter.mails.id IS 'Its number, which nothing outside of the database knows.';
COMMENT ON COLUMN submitter.mails.result_id IS 'About which result.';
COMMENT ON COLUMN submitter.mails.run IS 'And which of its runs: a regrading that changes something is worth another mail.';
COMMENT ON COLUMN submitter.mails.student_id IS 'To whom.';
COMMENT ON COLUMN submitter.mails.verdict IS 'What that run came to: another that comes to the same is worth no mail.';
COMMENT ON COLUMN submitter.mails.passed IS 'How many cases passed in that run.';
COMMENT ON COLUMN submitter.mails.points IS 'How many points that run gave.';
COMMENT ON COLUMN submitter.mails.created_at IS 'When the result was recorded.';
COMMENT ON COLUMN submitter.mails.next_try_at IS 'Not to be tried before.';
COMMENT ON COLUMN submitter.mails.tries IS 'How often it was tried.';
COMMENT ON COLUMN submitter.mails.uncertain IS 'How often nobody could tell whether it had arrived.';
COMMENT ON COLUMN submitter.mails.ended_at IS 'When it was done with; NULL: it is still to be sent.';
COMMENT ON COLUMN submitter.mails.outcome IS
  'sent; superseded: a newer result has its own; refused: the mail server will never take it.';
COMMENT ON COLUMN submitter.mails.problem IS 'What the last try that failed met with.';
