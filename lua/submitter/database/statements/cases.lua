--- Statements about cases: reading those of an assignment, and replacing them.
return {
  --- $1 administrator, $2 event, $3 assignment, $4 mode; $5, $6 assignment and version that are known already (0 for none);
  --- $7 how many at most. One row at least: it tells what is there. One with the same assignment and version means that
  --- nothing has changed; then no case comes along. By the LIMIT within, which keeps the subquery one of its own, its last
  --- condition is looked at once and before any case; beside a plain join all cases of all assignments may be read for it.
  read_cases = [[
    SELECT administrators.id IS NOT NULL AS has_administrator, events.id IS NOT NULL AS has_event,
      assignments.id AS assignment_id, assignments.cases_version AS version,
      cases.position, cases.name, cases.form, cases.input, cases.expected, cases.points, cases.visibility
    FROM (VALUES (1)) AS asked (once)
    LEFT JOIN submitter.administrators ON administrators.name = $1::text
    LEFT JOIN submitter.events ON events.administrator_id = administrators.id AND events.name = $2::text
    LEFT JOIN submitter.assignments ON assignments.event_id = events.id AND assignments.name = $3::text
    LEFT JOIN LATERAL (
      SELECT one.position, one.name, one.form, one.input, one.expected, one.points, one.visibility
      FROM submitter.cases AS one
      WHERE one.assignment_id = assignments.id AND one.mode = $4::text
        AND (assignments.id <> $5::bigint OR assignments.cases_version <> $6::bigint)
      ORDER BY one.position
      LIMIT $7::bigint
    ) AS cases ON true
    ORDER BY cases.position
  ]],

  --- $1 administrator.
  make_administrator = [[
    INSERT INTO submitter.administrators (name) VALUES ($1::text) ON CONFLICT (name) DO NOTHING
  ]],

  --- $1 administrator, $2 event.
  make_event = [[
    INSERT INTO submitter.events (administrator_id, name)
    SELECT administrators.id, $2::text FROM submitter.administrators WHERE administrators.name = $1::text
    ON CONFLICT (administrator_id, name) DO NOTHING
  ]],

  --- $1 administrator, $2 event, $3 assignment.
  make_assignment = [[
    INSERT INTO submitter.assignments (event_id, name)
    SELECT events.id, $3::text FROM submitter.events
    JOIN submitter.administrators ON administrators.id = events.administrator_id
    WHERE administrators.name = $1::text AND events.name = $2::text
    ON CONFLICT (event_id, name) DO NOTHING
  ]],

  --- $1 administrator, $2 event, $3 assignment: its id, and nobody else replaces its cases meanwhile. Whoever records a
  --- submission of it refers to the row, and needn't wait.
  lock_assignment = [[
    SELECT assignments.id FROM submitter.assignments
    JOIN submitter.events ON events.id = assignments.event_id
    JOIN submitter.administrators ON administrators.id = events.administrator_id
    WHERE administrators.name = $1::text AND events.name = $2::text AND assignments.name = $3::text
    FOR NO KEY UPDATE OF assignments
  ]],

  --- $1 assignment's id, $2 mode, $3 how many at most: the rows that stand, with hashes in the place of texts that may be large.
  standing_cases = [[
    SELECT position, name, form, encode(sha256(convert_to(input, 'UTF8')), 'hex') AS input_sha256,
      encode(sha256(convert_to(expected, 'UTF8')), 'hex') AS expected_sha256, points, visibility
    FROM submitter.cases WHERE assignment_id = $1::bigint AND mode = $2::text ORDER BY position LIMIT $3::bigint
  ]],

  --- $1 assignment's id, $2 mode. A trigger raises the assignment's version; after the copy as well.
  delete_cases = [[
    DELETE FROM submitter.cases WHERE assignment_id = $1::bigint AND mode = $2::text
  ]],

  copy_cases = [[
    COPY submitter.cases (assignment_id, mode, position, name, form, input, expected, points, visibility) FROM STDIN
  ]],
}
