-- Who may what. Applied by `submitter database migrate` each time, after the migrations: a role that is missing today may be there
-- tomorrow. What isn't granted here is taken away.
--
-- The roles belong to the whole server and log in nowhere: GRANT submitter_worker TO the user that the workers log in as.

-- Somebody else may be making them this moment for another database, or this user may not make roles: then an administrator does.
DO $$
BEGIN
  BEGIN
    IF to_regrole('submitter_worker') IS NULL THEN
      CREATE ROLE submitter_worker NOLOGIN;
    END IF;
  EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
    NULL;
  END;
  BEGIN
    IF to_regrole('submitter_instructor') IS NULL THEN
      CREATE ROLE submitter_instructor NOLOGIN;
    END IF;
  EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
    NULL;
  END;
END
$$;

REVOKE ALL ON SCHEMA submitter FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA submitter FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA submitter FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA submitter FROM PUBLIC;

-- Workers read what is asked and of whom, and write what came of it.
DO $$
BEGIN
  IF to_regrole('submitter_worker') IS NULL THEN
    RETURN;
  END IF;
  REVOKE ALL ON SCHEMA submitter FROM submitter_worker;
  REVOKE ALL ON ALL TABLES IN SCHEMA submitter FROM submitter_worker;
  REVOKE ALL ON ALL SEQUENCES IN SCHEMA submitter FROM submitter_worker;
  REVOKE ALL ON ALL FUNCTIONS IN SCHEMA submitter FROM submitter_worker;
  GRANT USAGE ON SCHEMA submitter TO submitter_worker;
  GRANT SELECT ON
    submitter.migrations, submitter.administrators, submitter.events, submitter.assignments, submitter.cases, submitter.students,
    submitter.tokens, submitter.grade_book
    TO submitter_worker;
  GRANT SELECT, INSERT, UPDATE ON
    submitter.submissions, submitter.results, submitter.case_results, submitter.teams, submitter.mails, submitter.final_gradings
    TO submitter_worker;
  GRANT EXECUTE ON FUNCTION submitter.is_segment(text), submitter.assignment_of(text, text, text) TO submitter_worker;
END
$$;

-- Instructors and front ends set up classes, write cases, read the grade book and remove what is old.
DO $$
BEGIN
  IF to_regrole('submitter_instructor') IS NULL THEN
    RETURN;
  END IF;
  REVOKE ALL ON SCHEMA submitter FROM submitter_instructor;
  REVOKE ALL ON ALL TABLES IN SCHEMA submitter FROM submitter_instructor;
  REVOKE ALL ON ALL SEQUENCES IN SCHEMA submitter FROM submitter_instructor;
  REVOKE ALL ON ALL FUNCTIONS IN SCHEMA submitter FROM submitter_instructor;
  GRANT USAGE ON SCHEMA submitter TO submitter_instructor;
  GRANT SELECT ON submitter.migrations, submitter.grade_book TO submitter_instructor;
  GRANT SELECT, INSERT, UPDATE, DELETE ON
    submitter.administrators, submitter.events, submitter.assignments, submitter.cases, submitter.students, submitter.tokens,
    submitter.submissions, submitter.results, submitter.case_results, submitter.teams, submitter.mails, submitter.final_gradings
    TO submitter_instructor;
  GRANT EXECUTE ON FUNCTION
    submitter.is_segment(text), submitter.assignment_of(text, text, text), submitter.make_event(text, text),
    submitter.schedule(text, text, timestamptz, timestamptz), submitter.enrol(text, text, text, text, text)
    TO submitter_instructor;
END
$$;
