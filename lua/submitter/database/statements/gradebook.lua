--- SQL of the grade book. Parameters that are empty ask for all.
return {
  -- The assignments below a path, for the policy of each.
  -- $1 administrator, $2 event, $3 assignment
  read_assignments = [[
    SELECT event.name AS event, assignment.name AS assignment
    FROM submitter.administrators AS administrator
    JOIN submitter.events AS event ON event.administrator_id = administrator.id
    JOIN submitter.assignments AS assignment ON assignment.event_id = event.id
    WHERE administrator.name = $1
      AND ($2::text = '' OR event.name = $2::text)
      AND ($3::text = '' OR assignment.name = $3::text)
    UNION
    SELECT submission.event, submission.assignment
    FROM submitter.submissions AS submission
    WHERE submission.administrator = $1
      AND ($2::text = '' OR submission.event = $2::text)
      AND ($3::text = '' OR submission.assignment = $3::text)
    ORDER BY event, assignment
  ]],

  -- One row for each student, assignment and mode: the attempt that counts of all that the student had a part in; one for each
  -- submission of whose tokens none is known; one for each student of the event without either. A grading that failed is an
  -- attempt without a result, which counts only where there is no other. What was refused as it came after the end counts
  -- only where nothing was graded: another team of the student's may have handed in long before.
  --
  -- Large sets are joined to tables, by their keys, and never to each other: also a server that has no statistics yet, in the
  -- hour after an examination, needs no more than moments.
  -- $1 administrator, $2 event, $3 assignment, $4 subid, $5 mode,
  -- $6 the assignments, "event/assignment", where the best attempt counts and not the latest
  read_book = [[
    WITH event AS (
      SELECT event.id, event.name, event.ends_at
      FROM submitter.administrators AS administrator
      JOIN submitter.events AS event ON event.administrator_id = administrator.id
      WHERE administrator.name = $1 AND ($2::text = '' OR event.name = $2::text)
    ), submission AS (
      SELECT submission.*, event.id AS event_id, event.ends_at,
        submission.event || '/' || submission.assignment = ANY ($6::text[]) AS best_counts
      FROM submitter.submissions AS submission
      LEFT JOIN event ON event.name = submission.event
      WHERE submission.administrator = $1
        AND ($2::text = '' OR submission.event = $2::text)
        AND ($3::text = '' OR submission.assignment = $3::text)
        AND ($4::text = '' OR submission.subid = $4::text)
    ), attempt AS (
      SELECT submission.id AS submission_id, result.id AS result_id, submission.event_id, submission.event,
        submission.assignment, submission.subid, result.mode, result.verdict, result.points, result.max_points,
        result.attempt, result.submitted_at, submission.ends_at, submission.best_counts,
        CASE WHEN submission.failure_mode = result.mode AND submission.failed_at
          > max(result.finished_at) OVER (PARTITION BY result.submission_id, result.mode)
          THEN submission.failure_class END AS failure_class
      FROM submission
      JOIN submitter.results AS result ON result.submission_id = submission.id
      WHERE $5::text = '' OR result.mode = $5::text
      UNION ALL
      SELECT submission.id, NULL, submission.event_id, submission.event,
        submission.assignment, submission.subid, submission.failure_mode, NULL, NULL, NULL,
        NULL, submission.submitted_at, submission.ends_at, submission.best_counts,
        submission.failure_class
      FROM submission
      WHERE submission.failure_mode IS NOT NULL
        AND ($5::text = '' OR submission.failure_mode = $5::text)
        AND NOT EXISTS (SELECT FROM submitter.results AS result
          WHERE result.submission_id = submission.id AND result.mode = submission.failure_mode)
    ), ranked AS (
      SELECT attempt.*, owner.student_id,
        count(attempt.result_id) OVER (PARTITION BY attempt.event, attempt.assignment, attempt.mode, owner.student_id,
          CASE WHEN owner.student_id IS NULL THEN attempt.subid END) AS attempts,
        row_number() OVER (PARTITION BY attempt.event, attempt.assignment, attempt.mode, owner.student_id,
          CASE WHEN owner.student_id IS NULL THEN attempt.subid END
          ORDER BY attempt.result_id IS NULL,
            (attempt.verdict = 'REJ' AND attempt.submitted_at > attempt.ends_at) IS TRUE,
            CASE WHEN attempt.best_counts THEN attempt.points END DESC NULLS LAST,
            CASE WHEN attempt.best_counts THEN attempt.submitted_at END,
            CASE WHEN attempt.best_counts THEN attempt.attempt END,
            CASE WHEN attempt.best_counts THEN attempt.result_id END,
            attempt.submitted_at DESC, attempt.attempt DESC, attempt.result_id DESC, attempt.submission_id DESC
        ) AS place
      FROM attempt
      LEFT JOIN LATERAL (
        -- Who handed in what was never graded is known by its results in the other mode.
        SELECT DISTINCT token.student_id
        FROM submitter.results AS result
        JOIN submitter.teams AS team ON team.result_id = result.id
        JOIN submitter.tokens AS token ON token.token = lower(team.token) AND token.event_id = attempt.event_id
        WHERE result.submission_id = attempt.submission_id
          AND (attempt.result_id IS NULL OR result.id = attempt.result_id)
      ) AS owner ON true
    ), asked AS (
      SELECT DISTINCT wanted.event_id, wanted.event, wanted.assignment,
        COALESCE(NULLIF($5::text, ''), known.mode, 'test') AS mode
      FROM (
        SELECT event.id AS event_id, event.name AS event, assignment.name AS assignment
        FROM event
        JOIN submitter.assignments AS assignment ON assignment.event_id = event.id
        WHERE $3::text = '' OR assignment.name = $3::text
        UNION
        -- Whose cases are in the bucket. A submission for one that is nowhere makes no row for each student.
        SELECT submission.event_id, submission.event, submission.assignment
        FROM submission
        WHERE submission.event_id IS NOT NULL
          AND EXISTS (SELECT FROM submitter.results AS result WHERE result.submission_id = submission.id)
      ) AS wanted
      LEFT JOIN (SELECT DISTINCT event, assignment, mode FROM attempt) AS known
        ON known.event = wanted.event AND known.assignment = wanted.assignment
    ), missing AS (
      SELECT token.student_id, asked.event, asked.assignment, asked.mode
      FROM asked
      JOIN submitter.tokens AS token ON token.event_id = asked.event_id
      WHERE $4::text = ''
      EXCEPT
      SELECT ranked.student_id, ranked.event, ranked.assignment, ranked.mode
      FROM ranked
    )
    SELECT student.email, student.name, ranked.event, ranked.assignment, ranked.mode, ranked.verdict, ranked.points,
      ranked.max_points, ranked.attempt, ranked.attempts, ranked.submitted_at,
      ranked.submitted_at > ranked.ends_at AS late, ranked.subid, ranked.failure_class, team.tokens,
      team.unknown_tokens
    FROM ranked
    LEFT JOIN submitter.students AS student ON student.id = ranked.student_id
    LEFT JOIN LATERAL (
      SELECT count(DISTINCT lower(team.token)) AS tokens,
        count(DISTINCT lower(team.token)) FILTER (WHERE token.token IS NULL) AS unknown_tokens
      FROM submitter.teams AS team
      LEFT JOIN submitter.tokens AS token ON token.token = lower(team.token) AND token.event_id = ranked.event_id
      WHERE team.result_id = ranked.result_id
      HAVING count(*) > 0
    ) AS team ON true
    WHERE ranked.place = 1
    UNION ALL
    SELECT student.email, student.name, missing.event, missing.assignment, missing.mode, NULL, NULL,
      NULL, NULL, 0, NULL,
      NULL, NULL, NULL, NULL,
      NULL
    FROM missing
    JOIN submitter.students AS student ON student.id = missing.student_id
  ]],
}
