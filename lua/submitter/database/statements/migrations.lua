--- Statements of the migrator, beside the files of docker/postgres.
return {
  begin = [[ BEGIN ]],
  -- What roles and databases may have set counts for nothing here: a migration may wait and take as long as it must, and sees
  -- only what it names in full. And what it sees is as of each statement: what another migrator did before the lock came free.
  settle = [[
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SET LOCAL search_path = pg_catalog, pg_temp;
    SET LOCAL statement_timeout = 0;
    SET LOCAL lock_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL client_min_messages = warning
  ]],
  commit = [[ COMMIT ]],
  rollback = [[ ROLLBACK ]],

  -- One migrator at a time in a database; the number is "submit" in ASCII. Of the transaction and not of the session, so that it
  -- holds behind a pooler of connections as well.
  try_lock = [[ SELECT pg_catalog.pg_try_advisory_xact_lock(126943972911476) AS is_mine ]],
  lock = [[ SELECT pg_catalog.pg_advisory_xact_lock(126943972911476) ]],

  -- Where this is, and what hinders: another encoding, or something in the schema that is another's (NULL: nothing is).
  read_server = [[
    SELECT current_database()::text AS database, current_user::text AS "user",
      current_setting('server_encoding') AS encoding,
      (SELECT pg_get_userbyid(stranger.owner)::text
         FROM (SELECT nspowner AS owner FROM pg_catalog.pg_namespace WHERE nspname = 'submitter'
               UNION
               SELECT relowner FROM pg_catalog.pg_class
                WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'submitter')) AS stranger
        WHERE NOT pg_has_role(stranger.owner, 'USAGE')
        LIMIT 1) AS stranger
  ]],

  -- Not by to_regclass, which fails where the schema is there and may not be used.
  has_table = [[
    SELECT EXISTS (
      SELECT FROM pg_catalog.pg_class
        JOIN pg_catalog.pg_namespace ON pg_namespace.oid = pg_class.relnamespace
       WHERE pg_namespace.nspname = 'submitter' AND pg_class.relname = 'migrations') AS is_there
  ]],

  read_applied = [[ SELECT number, name, sha256, applied_at FROM submitter.migrations ORDER BY number ]],

  -- $1 number, $2 name, $3 sha256
  insert_applied = [[
    INSERT INTO submitter.migrations (number, name, sha256) VALUES ($1::integer, $2::text, $3::text)
  ]],

  -- Of the roles that rights.sql gives their rights, those that aren't there.
  read_missing_roles = [[
    SELECT role.name FROM unnest(ARRAY['submitter_worker', 'submitter_instructor']) AS role (name)
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role.name)
     ORDER BY role.name
  ]],
}
