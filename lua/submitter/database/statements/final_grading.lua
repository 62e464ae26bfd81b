--- SQL of the final grading: what is queued once when an event has ended.
return {
  -- Events that have ended and whose submissions weren't queued for that end. One that had ended before it was made known was
  -- somebody's to grade who knew. The end is also given in microseconds, which is all that PostgreSQL keeps.
  -- $1 one event's id, or 0 for all; $2 for how long, in seconds, an end has to be over
  read_due = [[
    SELECT event.id, administrator.name AS administrator, event.name AS event, event.ends_at,
      (extract(epoch FROM event.ends_at) * 1000000)::bigint AS ends_us
    FROM submitter.events AS event
    JOIN submitter.administrators AS administrator ON administrator.id = event.administrator_id
    WHERE ($1::bigint = 0 OR event.id = $1::bigint)
      AND isfinite(event.ends_at)
      AND event.ends_at <= now() - make_interval(secs => $2::float8)
      AND event.ends_at >= event.created_at
      AND NOT EXISTS (SELECT FROM submitter.final_gradings AS grading
        WHERE grading.event_id = event.id AND grading.ends_at = event.ends_at)
    ORDER BY event.ends_at, event.id
  ]],

  -- In how many milliseconds the next event ends.
  read_next = [[
    SELECT ceil(extract(epoch FROM min(ends_at) - now()) * 1000)::bigint AS left_ms
    FROM submitter.events
    WHERE ends_at > now() AND isfinite(ends_at)
  ]],

  -- Of many workers one gets it, until its transaction ends. $1 the event's id
  take = [[
    SELECT pg_try_advisory_xact_lock(hashtextextended('submitter.final_gradings', $1::bigint)) AS taken
  ]],

  -- A transaction in which nothing is asked for long may be ended by the server (idle_in_transaction_session_timeout).
  stay = [[
    SELECT 1 AS here
  ]],

  -- The end is taken from the event, so that no digit of it is lost; nothing where it was moved meanwhile.
  -- $1 the event's id, $2 its end in microseconds, $3 the regrade's id, $4 how many were queued
  insert_grading = [[
    INSERT INTO submitter.final_gradings (event_id, ends_at, regrade, queued)
    SELECT event.id, event.ends_at, $3::text, $4::integer
    FROM submitter.events AS event
    WHERE event.id = $1::bigint AND (extract(epoch FROM event.ends_at) * 1000000)::bigint = $2::bigint
    ON CONFLICT DO NOTHING
  ]],
}
