--- Statements about mails: the outbox that results fill and mailers empty.
return {
  --- $1 for how many milliseconds it is this mailer's: one mail that is due, and all that is known of it; no row when none is. Of
  --- two mailers that ask at once each gets another. has_newer: the same student has one about a later attempt or run.
  claim_mail = [[
    WITH due AS MATERIALIZED (
      SELECT mails.id FROM submitter.mails
      WHERE mails.ended_at IS NULL AND mails.next_try_at <= now()
      ORDER BY mails.next_try_at, mails.id
      LIMIT 1
      FOR UPDATE SKIP LOCKED
    )
    UPDATE submitter.mails SET tries = mails.tries + 1, next_try_at = now() + $1::bigint * interval '1 millisecond'
    FROM due, submitter.results, submitter.submissions, submitter.students
    WHERE mails.id = due.id AND results.id = mails.result_id AND submissions.id = results.submission_id
      AND students.id = mails.student_id
    RETURNING mails.id, mails.run, mails.tries, mails.uncertain, mails.created_at,
      (extract(epoch FROM now() - mails.created_at) * 1000)::bigint AS age_ms,
      students.email, students.name, submissions.administrator, submissions.event, submissions.assignment,
      submissions.subid, results.mode, results.attempt, results.verdict, results.passed, results.total, results.points,
      results.max_points, results.submitted_at, results.finished_at,
      EXISTS (
        SELECT FROM submitter.mails AS newer JOIN submitter.results AS result ON result.id = newer.result_id
        WHERE newer.student_id = mails.student_id AND result.submission_id = results.submission_id
          AND result.mode = results.mode AND (result.attempt, newer.run) > (results.attempt, mails.run)
      ) AS has_newer
  ]],

  --- $1 mail's id, $2 which try, $3 outcome, $4 problem or "": it is done with. Nothing where another mailer has it by now.
  end_mail = [[
    UPDATE submitter.mails SET ended_at = now(), outcome = $3::text, problem = nullif($4::text, '')
    WHERE id = $1::bigint AND tries = $2::integer AND ended_at IS NULL
  ]],

  --- $1 mail's id, $2 which try, $3 after how many milliseconds it is tried again, $4 problem, $5 it may have arrived.
  put_mail_off = [[
    UPDATE submitter.mails SET next_try_at = now() + $3::bigint * interval '1 millisecond', problem = $4::text,
      uncertain = uncertain + $5::boolean::integer
    WHERE id = $1::bigint AND tries = $2::integer AND ended_at IS NULL
  ]],
}
