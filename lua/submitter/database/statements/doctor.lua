--- What `submitter doctor` asks a database about itself.
return {
  -- Who answers whom, and over what. Without a client's address it is a socket of this machine.
  read_server = [[
    SELECT current_setting('server_version') AS version, current_database()::text AS database,
      current_user::text AS "user", pg_is_in_recovery() AS is_standby, pg_roles.rolsuper AS is_superuser,
      pg_stat_ssl.version AS tls,
      coalesce(inet_client_addr() <<= inet '127.0.0.0/8' OR inet_client_addr() = inet '::1', true) AS is_local
    FROM pg_catalog.pg_roles
    LEFT JOIN pg_catalog.pg_stat_ssl ON pg_stat_ssl.pid = pg_backend_pid()
    WHERE pg_roles.rolname = current_user
  ]],

  -- What the role submitter_worker may and this one may not: kind, name, privilege. has_role: whether there is such a role.
  -- One row at least.
  read_missing_rights = [[
    WITH worker AS (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = 'submitter_worker'),
    here AS (SELECT oid, nspname, nspacl FROM pg_catalog.pg_namespace WHERE nspname = 'submitter'),
    missing AS (
      SELECT 'schema' AS kind, here.nspname::text AS name, given.privilege_type AS privilege
      FROM here, aclexplode(here.nspacl) AS given
      WHERE given.grantee IN (SELECT oid FROM worker) AND NOT has_schema_privilege(here.oid, given.privilege_type)
      UNION ALL
      SELECT 'table', pg_class.relname::text, given.privilege_type
      FROM here
      JOIN pg_catalog.pg_class ON pg_class.relnamespace = here.oid AND pg_class.relkind IN ('r', 'p', 'v', 'm'),
        aclexplode(pg_class.relacl) AS given
      WHERE given.grantee IN (SELECT oid FROM worker) AND NOT has_table_privilege(pg_class.oid, given.privilege_type)
      UNION ALL
      SELECT 'function', pg_proc.proname::text, given.privilege_type
      FROM here JOIN pg_catalog.pg_proc ON pg_proc.pronamespace = here.oid, aclexplode(pg_proc.proacl) AS given
      WHERE given.grantee IN (SELECT oid FROM worker) AND NOT has_function_privilege(pg_proc.oid, given.privilege_type)
    )
    SELECT EXISTS (SELECT FROM worker) AS has_role, missing.kind, missing.name, missing.privilege
    FROM (VALUES (1)) AS once (number) LEFT JOIN missing ON true
    ORDER BY missing.kind, missing.name, missing.privilege
  ]],
}
