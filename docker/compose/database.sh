#!/bin/sh
# Run once by PostgreSQL's image when it has made the database, as its owner: the user that workers log in as. The roles are named
# here, and get their rights by `submitter database migrate`.
set -eu
: "${GRADER_PASSWORD:?set it in database.env}"
psql -v ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv password GRADER_PASSWORD
CREATE ROLE submitter_worker NOLOGIN;
CREATE ROLE submitter_instructor NOLOGIN;
CREATE ROLE grader LOGIN PASSWORD :'password' IN ROLE submitter_worker;
SQL
