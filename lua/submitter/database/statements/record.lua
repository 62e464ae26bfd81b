--- Statements of `submitter.record`: what came of submissions, written once however often it is said; who is behind a
--- submission's tokens; when its event is. Names of administrators, events and assignments are those of keys, written
--- legibly.
return {
  --- $1 administrator, $2 event: no row where the event isn't there.
  event = [[
    SELECT events.starts_at, events.ends_at
    FROM submitter.events JOIN submitter.administrators ON administrators.id = events.administrator_id
    WHERE administrators.name = $1::text AND events.name = $2::text
  ]],

  --- $1 administrator, $2 event, $3 tokens in lower case: a row for each token that is a student's of this event.
  team = [[
    SELECT tokens.token, students.id, students.email, students.name
    FROM submitter.tokens
    JOIN submitter.events ON events.id = tokens.event_id
    JOIN submitter.administrators ON administrators.id = events.administrator_id
    JOIN submitter.students ON students.id = tokens.student_id
    WHERE administrators.name = $1::text AND events.name = $2::text AND tokens.token = ANY ($3::text[])
    ORDER BY students.id, tokens.token
  ]],

  --- $1 administrator, $2 event, $3 assignment, $4 subid, $5 mode: the highest attempt, and how often the submission was
  --- graded in all.
  standing = [[
    SELECT results.attempt, results.source_sha256, results.submitted_at, results.verdict,
      max(results.run) OVER () AS run
    FROM submitter.submissions JOIN submitter.results ON results.submission_id = submissions.id
    WHERE submissions.administrator = $1::text AND submissions.event = $2::text AND submissions.assignment = $3::text
      AND submissions.subid = $4::text AND results.mode = $5::text
    ORDER BY results.attempt DESC
    LIMIT 1
  ]],

  --- $1 administrator, $2 event, $3 assignment, $4 subid, $5 source_sha256: when just that was first handed in, in
  --- whichever mode it was graded.
  submitted = [[
    SELECT min(results.submitted_at) AS submitted_at
    FROM submitter.submissions JOIN submitter.results ON results.submission_id = submissions.id
    WHERE submissions.administrator = $1::text AND submissions.event = $2::text AND submissions.assignment = $3::text
      AND submissions.subid = $4::text AND results.source_sha256 = $5::text
  ]],

  --- $1 administrator, $2 event, $3 assignment, $4 subid, $5 mode, $6 attempt, $7 run, $8 source_sha256, $9 finished_at,
  --- $10 the moment up to which a failure is healed by this result. `stands`: the row is this very run, or a later one of
  --- the same source; else another result has taken its number. `has_failed`: a failure is noted that is healed.
  recorded = [[
    SELECT results.source_sha256 = $8::text
        AND (results.run = $7::integer AND results.finished_at = $9::timestamptz
          OR results.run > $7::integer AND results.finished_at >= $9::timestamptz) AS stands,
      coalesce(submissions.failure_mode = $5::text AND submissions.failed_at <= $10::timestamptz, false) AS has_failed
    FROM submitter.submissions JOIN submitter.results ON results.submission_id = submissions.id
    WHERE submissions.administrator = $1::text AND submissions.event = $2::text AND submissions.assignment = $3::text
      AND submissions.subid = $4::text AND results.mode = $5::text AND results.attempt = $6::integer
  ]],

  --- $1 administrator, $2 event, $3 assignment, $4 subid, $5 submitted_at, $6 mode, $7 the moment up to which a failure of
  --- this mode is healed. Its id; until the transaction ends nobody else records anything of this submission.
  put_submission = [[
    INSERT INTO submitter.submissions AS submission (administrator, event, assignment, subid, submitted_at)
    VALUES ($1::text, $2::text, $3::text, $4::text, $5::timestamptz)
    ON CONFLICT (administrator, event, assignment, subid) DO UPDATE SET
      submitted_at = greatest(submission.submitted_at, excluded.submitted_at),
      failed_at = CASE WHEN submission.failure_mode = $6::text AND submission.failed_at <= $7::timestamptz
        THEN NULL ELSE submission.failed_at END,
      failure_mode = CASE WHEN submission.failure_mode = $6::text AND submission.failed_at <= $7::timestamptz
        THEN NULL ELSE submission.failure_mode END,
      failure_class = CASE WHEN submission.failure_mode = $6::text AND submission.failed_at <= $7::timestamptz
        THEN NULL ELSE submission.failure_class END,
      failure_reason = CASE WHEN submission.failure_mode = $6::text AND submission.failed_at <= $7::timestamptz
        THEN NULL ELSE submission.failure_reason END
    RETURNING id
  ]],

  --- $1 submission's id, $2 mode, $3 attempt, $4 run, $5 verdict, $6 reason, $7 passed, $8 total, $9 points,
  --- $10 max_points, $11 source_sha256, $12 cases_sha256, $13 cases_source, $14 policy_sha256, $15 regrade,
  --- $16 submitted_at, $17 started_at, $18 finished_at, $19 report. Its id; no row where what is there isn't an earlier run
  --- of the same source.
  put_result = [[
    INSERT INTO submitter.results AS result (submission_id, mode, attempt, run, verdict, reason, passed, total, points,
      max_points, source_sha256, cases_sha256, cases_source, policy_sha256, regrade, submitted_at, started_at,
      finished_at, report)
    VALUES ($1::bigint, $2::text, $3::integer, $4::integer, $5::text, $6::text, $7::integer, $8::integer,
      $9::double precision, $10::double precision, $11::text, $12::text, $13::text, $14::text, $15::text,
      $16::timestamptz, $17::timestamptz, $18::timestamptz, $19::jsonb)
    ON CONFLICT (submission_id, mode, attempt) DO UPDATE SET
      run = excluded.run, verdict = excluded.verdict, reason = excluded.reason, passed = excluded.passed,
      total = excluded.total, points = excluded.points, max_points = excluded.max_points,
      cases_sha256 = excluded.cases_sha256, cases_source = excluded.cases_source,
      policy_sha256 = excluded.policy_sha256, regrade = excluded.regrade, submitted_at = excluded.submitted_at,
      started_at = excluded.started_at, finished_at = excluded.finished_at, report = excluded.report
    WHERE excluded.run > result.run AND excluded.source_sha256 = result.source_sha256
    RETURNING id
  ]],

  copy_case_results = [[
    COPY submitter.case_results (result_id, run, number, verdict, pass, points, input, expected, actual,
      actual_truncated, stderr, note, exit_code, signal, cpu_ms, wall_ms, memory_bytes) FROM STDIN
  ]],

  --- $1 result's id, $2 tokens in lower case.
  put_team = [[
    INSERT INTO submitter.teams (result_id, token) SELECT $1::bigint, unnest($2::text[])
    ON CONFLICT (result_id, token) DO NOTHING
  ]],

  --- $1 result's id, $2 run, $3 verdict, $4 passed, $5 points, $6 administrator, $7 event, $8 tokens in lower case: a mail
  --- for each student behind them, unless the last one about this result says the same.
  put_mails = [[
    INSERT INTO submitter.mails (result_id, run, student_id, verdict, passed, points)
    SELECT $1::bigint, $2::integer, student.id, $3::text, $4::integer, $5::double precision
    FROM (
      SELECT DISTINCT tokens.student_id AS id
      FROM submitter.tokens
      JOIN submitter.events ON events.id = tokens.event_id
      JOIN submitter.administrators ON administrators.id = events.administrator_id
      WHERE administrators.name = $6::text AND events.name = $7::text AND tokens.token = ANY ($8::text[])
    ) AS student
    LEFT JOIN LATERAL (
      SELECT mails.verdict, mails.passed, mails.points FROM submitter.mails
      WHERE mails.result_id = $1::bigint AND mails.student_id = student.id
        AND mails.outcome IS DISTINCT FROM 'superseded'
      ORDER BY mails.run DESC LIMIT 1
    ) AS last ON true
    WHERE (last.verdict, last.passed, last.points) IS DISTINCT FROM ($3::text, $4::integer, $5::double precision)
    ON CONFLICT (result_id, run, student_id) DO NOTHING
  ]],

  --- $1 administrator, $2 event, $3 assignment, $4 subid, $5 submitted_at or NULL, $6 failed_at, $7 mode, $8 class,
  --- $9 reason. Of two failures the later counts; results stay as they are.
  put_failure = [[
    INSERT INTO submitter.submissions AS submission (administrator, event, assignment, subid, submitted_at, failed_at,
      failure_mode, failure_class, failure_reason)
    VALUES ($1::text, $2::text, $3::text, $4::text, coalesce($5::timestamptz, $6::timestamptz), $6::timestamptz,
      $7::text, $8::text, $9::text)
    ON CONFLICT (administrator, event, assignment, subid) DO UPDATE SET
      submitted_at = greatest(submission.submitted_at, $5::timestamptz), failed_at = excluded.failed_at,
      failure_mode = excluded.failure_mode, failure_class = excluded.failure_class,
      failure_reason = excluded.failure_reason
    WHERE submission.failed_at IS NULL OR submission.failed_at <= excluded.failed_at
  ]],
}
