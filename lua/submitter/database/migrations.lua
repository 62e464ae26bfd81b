--- The schema in a database, brought up to date: the numbered files of docker/postgres, each applied once, in a transaction
--- with the row in submitter.migrations that says so; then rights.sql, each time. See docker/postgres/README.md.
local address = require "submitter.database.address"
local failures = require "submitter.database.failures"
local host = require "submitter.host"
local schema = require "submitter.schema"
local sql = require "submitter.database.statements.migrations"

local migrations = {}

--- The oldest server with all that the files use: gen_random_uuid came with 13.
local OLDEST_VERSION = 130000
local FILE_LIMIT_BYTES = 1 << 20
local CONNECT_TIMEOUT_MS = 5000
-- How long another migrator is waited for.
local LOCK_TIMEOUT_MS = 10 * 60 * 1000
-- A file may have to wait for workers, and to write a large table anew.
local FILE_TIMEOUT_MS = 24 * 60 * 60 * 1000

-- Beside the Lua modules, by where they are: in the tree, installed by make, installed by LuaRocks.
local places = { "../docker/postgres", "../postgres", "postgres" }
local RIGHTS = "rights.sql"

---@class Migration
---@field number integer
---@field name string the file's name without .sql
---@field sha256 string of its text
---@field text string

---@class MigrationFiles
---@field list Migration[] by number, from 1, without a gap
---@field rights string the text of rights.sql

-- ---- the files ----

---@async
local function open_folder(path)
  if path then
    local directory, message = host.file.directory(path)
    if directory then return directory end
    return nil, ("the folder of migrations %s can't be opened: %s"):format(path, message), "environment"
  end
  for _, place in ipairs(places) do
    local directory = host.file.directory(host.system.lua_directory() .. "/" .. place)
    if directory and directory:stat(RIGHTS) then return directory end
    if directory then directory:close() end
  end
  return nil, ("the SQL files of the schema are missing: none of %s beside %s holds %s; install with `make install`")
    :format(table.concat(places, ", "), host.system.lua_directory(), RIGHTS), "environment"
end

---@async
local function read_file(directory, name)
  local text, message = directory:read(name, { limit_bytes = FILE_LIMIT_BYTES })
  if text then return text end
  return nil, ("%s/%s can't be read: %s"):format(directory:path(), name, message), "environment"
end

local function check_number(directory, list, number, name)
  if number == #list + 1 then return true end
  local path = directory:path()
  if number <= #list then
    return nil, ("%s holds two migrations of number %04d, %s.sql and %s.sql: give one of them the next free number")
      :format(path, number, list[#list].name, name), "environment"
  end
  return nil, ("%s holds no migration %04d, but %s.sql: numbers have no gaps; install Submitter anew"):format(path,
    #list + 1, name), "environment"
end

---@async
local function read_list(directory)
  local entries, message = directory:list "."
  if not entries then
    return nil, ("%s can't be listed: %s"):format(directory:path(), message), "environment"
  end
  local list = {}
  for _, entry in ipairs(entries) do
    local number, name = tonumber(entry.name:match "^(%d%d%d%d)_"), entry.name:match "^(%d%d%d%d_[%w_]+)%.sql$"
    if name then
      local good, problem, code = check_number(directory, list, number, name)
      if not good then return nil, problem, code end
      local text
      text, problem, code = read_file(directory, entry.name)
      if not text then return nil, problem, code end
      list[number] = { number = number, name = name, sha256 = host.digest.sha256(text), text = text }
    elseif entry.name:find "%.sql$" and entry.name ~= RIGHTS then
      return nil, ("%s/%s is no migration: expected NNNN_name.sql or %s"):format(directory:path(), entry.name, RIGHTS),
        "environment"
    end
  end
  return list
end

--- Reads the files of a folder.
---@async
---@param path string|nil default: the folder that came with this program
---@return MigrationFiles|nil
---@return string|nil message
---@return "environment"|nil code
function migrations.read(path)
  local directory, message, code = open_folder(path)
  if not directory then return nil, message, code end
  local list, rights
  list, message, code = read_list(directory)
  if list then rights, message, code = read_file(directory, RIGHTS) end
  directory:close()
  if not rights then return nil, message, code end
  return { list = list, rights = rights }
end

-- ---- files and rows ----

local NEWER = "this database was migrated by a newer Submitter: migration %04d, %s, isn't known here; use that one, or "
  .. "a newer"
local CHANGED = "migration %s was changed after it had been applied (%s): put the file back as it was, and write what "
  .. "is to change into a new one"
local RENAMED = "migration %04d is %s here, but %s in the database: that was migrated by another Submitter; use that"
local MISSING_ROW = "submitter.migrations says that %04d was applied, but not %04d: somebody has removed that row; "
  .. "restore the table from a backup"

--- Do the rows of submitter.migrations tell of these files? Pure.
---@param list Migration[]
---@param rows {number:integer, name:string, sha256:string, applied_at:integer}[] by number
---@return Migration[]|nil pending those that aren't applied yet
---@return string|nil message
---@return "environment"|nil code
function migrations.compare(list, rows)
  for index, row in ipairs(rows) do
    local file = list[index]
    if row.number ~= index then return nil, MISSING_ROW:format(row.number, index), "environment" end
    if not file then return nil, NEWER:format(row.number, row.name), "environment" end
    if file.name ~= row.name then return nil, RENAMED:format(index, file.name, row.name), "environment" end
    if file.sha256 ~= row.sha256 then
      return nil, CHANGED:format(file.name, host.clock.utc(row.applied_at)), "environment"
    end
  end
  return table.move(list, #rows + 1, #list, 1, {})
end

-- The rows of a database; none where it has no such table. `query(text, parameters)` of a connection or a pool.
---@async
local function read_rows(asked)
  local result, message, code, details = asked:query(sql.has_table, {}, {})
  if not result then return nil, message, code, details end
  if not result.rows[1].is_there then return {} end
  result, message, code, details = asked:query(sql.read_applied, {}, {})
  if not result then return nil, message, code, details end
  return result.rows
end

local function names_of(list)
  local names = {}
  for index, one in ipairs(list) do names[index] = one.name end
  return names
end

--- The migrations that a database lacks. One that was migrated by a newer Submitter lacks none.
---@async
---@param pool table of submitter.database
---@return string[]|nil names
---@return string|nil message
---@return string|nil code
function migrations.pending(pool)
  local files, message, code = migrations.read()
  if not files then return nil, message, code end
  local rows
  rows, message, code = read_rows(pool)
  if not rows then return nil, message, code end
  local applied, pending = {}, {}
  for _, row in ipairs(rows) do applied[row.number] = true end
  for _, file in ipairs(files.list) do
    if not applied[file.number] then pending[#pending + 1] = file.name end
  end
  return pending
end

-- ---- one connection ----

-- Who migrates isn't who works: rights are the owner's.
local OWNER = "; migrate as the owner of the schema submitter and its tables. For the first time that is somebody who "
  .. "may make it: GRANT CREATE ON DATABASE … TO …, or CREATE SCHEMA submitter AUTHORIZATION …"
local READ_ONLY = "; this server only reads: connect to the primary"

local remedies = { ["42501"] = OWNER, ["25006"] = READ_ONLY }

-- What a statement of the migrator failed of. Its own words, since here nobody else can migrate.
local function failed(what, message, code, details)
  local sqlstate = details and details.sqlstate
  if code ~= "refused" then
    local failure = failures.statement(message, code, details)
    return nil, ("%s: %s; migrate once more when the server answers"):format(what, failure.message), failure.code
  end
  local said = sqlstate and ("%s (SQLSTATE %s)"):format(message, sqlstate) or message
  return nil, ("%s: %s%s"):format(what, host.text.escape(said), remedies[sqlstate] or ""), "environment"
end

---@async
local function query(connection, what, text, parameters, timeout_ms)
  local result, message, code, details = connection:query(text, parameters or {}, { timeout_ms = timeout_ms })
  if result then return result end
  return failed(what, message, code, details)
end

---@async
local function script(connection, what, text, timeout_ms)
  local result, message, code, details = connection:script(text, timeout_ms and { timeout_ms = timeout_ms })
  if result then return true end
  return failed(what, message, code, details)
end

---@async
local function connect(options)
  local connection, message, code = (options.postgres or host.postgres).connect {
    url = options.url, connect_timeout_ms = options.connect_timeout_ms or CONNECT_TIMEOUT_MS,
    application_name = "submitter database migrate",
  }
  if connection then return connection end
  return nil, failures.connect(address.redact(message, options.url), code)
end

-- What has to be so before anything is done: { database, user }.
---@async
local function check_server(connection)
  local version = connection:server_version()
  if version < OLDEST_VERSION then
    return nil, ("the server is PostgreSQL %d; Submitter needs 13 or newer"):format(version // 10000), "environment"
  end
  local result, message, code = query(connection, "the server can't be asked what it is", sql.read_server)
  if not result then return nil, message, code end
  local server = result.rows[1]
  if server.encoding ~= "UTF8" then
    return nil, ("the database %s is encoded as %s; make one that is UTF-8: createdb --template=template0 "
      .. "--encoding=UTF8 NAME"):format(server.database, server.encoding), "environment"
  elseif server.stranger then
    return nil, ("the schema submitter, or something in it, belongs to %s, and this is %s; migrate as %s")
      :format(server.stranger, server.user, server.stranger), "environment"
  end
  return server
end

-- ---- applying ----

-- Waits until no other migrator is at work in this database.
---@async
local function lock(connection, tell)
  local what = "another migrate in this database can't be waited for"
  local result, message, code = query(connection, what, sql.try_lock)
  if not result then return nil, message, code end
  if result.rows[1].is_mine then return true end
  tell("waiting")
  result, message, code = query(connection, what, sql.lock, nil, LOCK_TIMEOUT_MS)
  if not result then return nil, message, code end
  return true
end

-- Does something in a transaction, alone in this database. A failure leaves nothing.
---@async
local function alone(connection, tell, body)
  local good, message, code = script(connection, "a transaction can't be begun", sql.begin)
  if not good then return nil, message, code end
  good, message, code = script(connection, "a transaction can't be set up", sql.settle)
  if good then good, message, code = lock(connection, tell) end
  local result
  if good then result, message, code = body() end
  if result == nil then
    -- Where even this fails the connection is closed next, and the server rolls back by itself.
    if connection:state() ~= "broken" then connection:script(sql.rollback) end
    return nil, message, code
  end
  good, message, code = script(connection, "the transaction wasn't committed, or nobody knows", sql.commit)
  if not good then return nil, message, code end
  return result
end

---@async
local function apply_file(connection, file)
  local what = ("migration %s wasn't applied, and nothing of it was kept"):format(file.name)
  local good, message, code = script(connection, what, file.text, FILE_TIMEOUT_MS)
  if not good then return nil, message, code end
  if connection:state() ~= "transaction" then
    return nil, ("migration %s ends the transaction that it is applied in: a file holds no BEGIN, COMMIT or ROLLBACK")
      :format(file.name), "environment"
  end
  return query(connection, what, sql.insert_applied, { file.number, file.name, file.sha256 })
end

-- The next one that is missing: its name; false when there is none.
---@async
local function apply_next(connection, files)
  local rows, message, code, details = read_rows(connection)
  if not rows then return failed("submitter.migrations can't be read", message, code, details) end
  local pending
  pending, message, code = migrations.compare(files.list, rows)
  if not pending then return nil, message, code end
  local file = pending[1]
  if not file then return false end
  local done
  done, message, code = apply_file(connection, file)
  if not done then return nil, message, code end
  return file.name
end

---@async
local function read_missing_roles(connection)
  local result, message, code = query(connection, "the server's roles can't be read", sql.read_missing_roles)
  if not result then return nil, message, code end
  return names_of(result.rows)
end

local function quiet() end

local migrate_options = { url = true, connect_timeout_ms = true, directory = true, tell = true, postgres = true }
local expected = "{ url =, connect_timeout_ms =, directory =, tell =, postgres = }"

---@async
local function apply_all(connection, files, tell)
  local applied = {}
  repeat
    local name, message, code = alone(connection, tell, function() return apply_next(connection, files) end)
    if name == nil then return nil, message, code end
    if name then
      applied[#applied + 1] = name
      tell("applied", name)
    end
  until not name
  local granted, message, code = alone(connection, tell, function()
    return script(connection, "the rights weren't granted", files.rights, FILE_TIMEOUT_MS)
  end)
  if not granted then return nil, message, code end
  return applied
end

-- Reads the files, connects, and does something with both; and with the server, { database, user }.
---@async
local function with_server(options, body)
  local files, problem, kind = migrations.read(options.directory)
  if not files then return nil, problem, kind end
  local connection <close>, message, code = connect(options)
  if not connection then return nil, message, code end
  local server
  server, message, code = check_server(connection)
  if not server then return nil, message, code end
  return body(connection, files, server)
end

---@class MigrateResult
---@field database string its name
---@field user string as whom
---@field applied string[] the migrations that were applied just now
---@field total integer how many there are
---@field missing_roles string[] those that this user couldn't make: migrations.role_statements says how

--- Brings a database up to date. May be called again, and by several at once: they take turns.
---@async
---@param options {url:string|nil, connect_timeout_ms:integer|nil, directory:string|nil, tell:(fun(event:string,
--- name:string|nil))|nil, postgres:table|nil} url: of a user who may; directory: other files; tell: hears "applied" with a
--- migration's name, and "waiting" when another migrator is at work; postgres: in host.postgres's place
---@return MigrateResult|nil
---@return string|nil message
---@return "environment"|"unavailable"|nil code
function migrations.apply(options)
  schema.check_options(options, migrate_options, "migrations.apply" .. expected)
  return with_server(options, function(connection, files, server)
    local applied, message, code = apply_all(connection, files, options.tell or quiet)
    if not applied then return nil, message, code end
    local missing
    missing, message, code = read_missing_roles(connection)
    if not missing then return nil, message, code end
    return { database = server.database, user = server.user, applied = applied, total = #files.list,
      missing_roles = missing }
  end)
end

---@class MigrationState
---@field database string
---@field user string
---@field applied {number:integer, name:string, sha256:string, applied_at:integer}[] applied_at: milliseconds since 1970
---@field pending string[]
---@field missing_roles string[]

--- What `apply` would find, without changing anything; fails where that would, too.
---@async
---@param options table as for `apply`
---@return MigrationState|nil
---@return string|nil message
---@return "environment"|"unavailable"|nil code
function migrations.state(options)
  schema.check_options(options, migrate_options, "migrations.state" .. expected)
  return with_server(options, function(connection, files, server)
    local rows, message, code, details = read_rows(connection)
    if not rows then return failed("submitter.migrations can't be read", message, code, details) end
    local pending, missing
    pending, message, code = migrations.compare(files.list, rows)
    if pending then missing, message, code = read_missing_roles(connection) end
    if not missing then return nil, message, code end
    return { database = server.database, user = server.user, applied = rows, pending = names_of(pending),
      missing_roles = missing }
  end)
end

--- What an administrator of the server runs to make roles, as one line of SQL.
---@param roles string[]
---@return string
function migrations.role_statements(roles)
  local statements = {}
  for index, name in ipairs(roles) do statements[index] = ("CREATE ROLE %s NOLOGIN;"):format(name) end
  return table.concat(statements, " ")
end

return migrations
