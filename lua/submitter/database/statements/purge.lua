--- SQL of `submitter purge`. A part of a path that is empty asks for all.
return {
  -- May this role do it at all?
  read_right = [[
    SELECT current_user::text AS role, has_table_privilege('submitter.submissions', 'DELETE') AS may_delete
  ]],

  -- What was handed in below a path, and when its newest attempt was.
  -- $1 administrator, $2 event, $3 assignment, $4 subid
  read_submissions = [[
    SELECT event, assignment, subid, submitted_at
    FROM submitter.submissions
    WHERE administrator = $1
      AND ($2::text = '' OR event = $2::text)
      AND ($3::text = '' OR assignment = $3::text)
      AND ($4::text = '' OR subid = $4::text)
    ORDER BY event, assignment, subid
  ]],

  -- One submission with all that came of it, unless its newest attempt isn't older than that. The counts are of what was there
  -- before: a statement doesn't see what it does itself, and the rows that hang on it go by ON DELETE CASCADE.
  -- $1 administrator, $2 event, $3 assignment, $4 subid, $5 seconds since 1970
  delete_submission = [[
    WITH gone AS (
      DELETE FROM submitter.submissions
      WHERE administrator = $1 AND event = $2 AND assignment = $3 AND subid = $4
        AND submitted_at < to_timestamp($5::float8)
      RETURNING id
    ), result AS (
      SELECT result.id FROM submitter.results AS result JOIN gone ON gone.id = result.submission_id
    )
    SELECT
      (SELECT count(*) FROM gone) AS submissions,
      (SELECT count(*) FROM result) AS results,
      (SELECT count(*) FROM submitter.case_results AS one JOIN result ON result.id = one.result_id) AS case_results,
      (SELECT count(*) FROM submitter.teams AS one JOIN result ON result.id = one.result_id) AS teams,
      (SELECT count(*) FROM submitter.mails AS one JOIN result ON result.id = one.result_id) AS mails
  ]],
}
