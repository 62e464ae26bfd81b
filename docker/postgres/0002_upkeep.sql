-- What follows from something else is kept by triggers, so that it is right whoever writes: a worker, a command, somebody in psql.
-- They run with the rights of the schema's owner, since whoever may change cases needn't be able to change assignments.

CREATE FUNCTION submitter.assignment_of(administrator text, event text, assignment text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT assignments.id
    FROM submitter.administrators
    JOIN submitter.events ON events.administrator_id = administrators.id
    JOIN submitter.assignments ON assignments.event_id = events.id
   WHERE administrators.name = $1 AND events.name = $2 AND assignments.name = $3
$$;
COMMENT ON FUNCTION submitter.assignment_of(text, text, text) IS
  'The id of an assignment by the names of administrator, event and assignment; NULL: there is none.';

-- ---- the version of an assignment's cases ----

-- Higher than before, and never one that there was, also not after the database was restored from a backup: so it is the time in
-- microseconds, unless clocks went backwards. A worker that outlived the restoring would else take cases that it knows for these.

CREATE FUNCTION submitter.raise_cases_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  changed bigint[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    changed := ARRAY(SELECT DISTINCT assignment_id FROM inserted);
  ELSIF TG_OP = 'DELETE' THEN
    changed := ARRAY(SELECT DISTINCT assignment_id FROM deleted);
  ELSIF TG_OP = 'UPDATE' THEN
    -- A case that was moved changes where it came from as well.
    changed := ARRAY(SELECT assignment_id FROM inserted UNION SELECT assignment_id FROM deleted);
  ELSE
    -- Nobody says whose cases were truncated.
    changed := ARRAY(SELECT id FROM submitter.assignments);
  END IF;
  -- In the same order everywhere, so that two who change cases of the same assignments wait and don't deadlock.
  PERFORM FROM submitter.assignments WHERE id = ANY (changed) ORDER BY id FOR NO KEY UPDATE;
  UPDATE submitter.assignments
     SET cases_version = greatest(cases_version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint),
         cases_changed_at = clock_timestamp()
   WHERE id = ANY (changed);
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION submitter.raise_cases_version() IS 'Of triggers: raises cases_version of the assignments whose cases changed.';

CREATE TRIGGER cases_inserted AFTER INSERT ON submitter.cases REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION submitter.raise_cases_version();
CREATE TRIGGER cases_updated AFTER UPDATE ON submitter.cases REFERENCING OLD TABLE AS deleted NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION submitter.raise_cases_version();
CREATE TRIGGER cases_deleted AFTER DELETE ON submitter.cases REFERENCING OLD TABLE AS deleted
  FOR EACH STATEMENT EXECUTE FUNCTION submitter.raise_cases_version();
CREATE TRIGGER cases_truncated AFTER TRUNCATE ON submitter.cases
  FOR EACH STATEMENT EXECUTE FUNCTION submitter.raise_cases_version();

-- ---- the assignment of a submission ----

CREATE FUNCTION submitter.link_submission() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.assignment_id := submitter.assignment_of(NEW.administrator, NEW.event, NEW.assignment);
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION submitter.link_submission() IS 'Of a trigger: finds the assignment of a submission by its names.';

CREATE TRIGGER submission_linked BEFORE INSERT OR UPDATE ON submitter.submissions
  FOR EACH ROW EXECUTE FUNCTION submitter.link_submission();

-- Submissions may be older than the row of their assignment: it was in the bucket alone.
CREATE FUNCTION submitter.link_submissions_of_new() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE submitter.submissions SET assignment_id = inserted.id
    FROM inserted
    JOIN submitter.events ON events.id = inserted.event_id
    JOIN submitter.administrators ON administrators.id = events.administrator_id
   WHERE submissions.administrator = administrators.name AND submissions.event = events.name
     AND submissions.assignment = inserted.name;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION submitter.link_submissions_of_new() IS
  'Of a trigger: gives submissions that are already there to an assignment that is new.';

CREATE TRIGGER assignments_inserted AFTER INSERT ON submitter.assignments REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION submitter.link_submissions_of_new();

CREATE FUNCTION submitter.link_submissions_anew() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE submitter.submissions SET assignment_id = named.assignment_id
    FROM (
      SELECT submissions.id, assignments.id AS assignment_id
        FROM submitter.submissions
        LEFT JOIN submitter.administrators ON administrators.name = submissions.administrator
        LEFT JOIN submitter.events ON events.administrator_id = administrators.id AND events.name = submissions.event
        LEFT JOIN submitter.assignments ON assignments.event_id = events.id AND assignments.name = submissions.assignment
    ) AS named
   WHERE submissions.id = named.id AND submissions.assignment_id IS DISTINCT FROM named.assignment_id;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION submitter.link_submissions_anew() IS
  'Of triggers: finds the assignments of all submissions again, after something was given another name.';

-- FOR EACH ROW, because only then can it be told beforehand that no name changed.
CREATE TRIGGER assignment_renamed AFTER UPDATE ON submitter.assignments
  FOR EACH ROW WHEN (OLD.name <> NEW.name OR OLD.event_id <> NEW.event_id) EXECUTE FUNCTION submitter.link_submissions_anew();
CREATE TRIGGER event_renamed AFTER UPDATE ON submitter.events
  FOR EACH ROW WHEN (OLD.name <> NEW.name OR OLD.administrator_id <> NEW.administrator_id)
  EXECUTE FUNCTION submitter.link_submissions_anew();
CREATE TRIGGER administrator_renamed AFTER UPDATE ON submitter.administrators
  FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION submitter.link_submissions_anew();
