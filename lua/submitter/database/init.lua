--- PostgreSQL for everything that asks it: a pool of connections (pool.lua). See README.md.
return require "submitter.database.pool"
