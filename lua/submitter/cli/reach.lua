--- What bucket, queue and database answer, for `submitter doctor`, by trying them. Each finding is
--- { state = "ok"|"warn"|"fail", name, text, remedy = text or nil }.
local address = require "submitter.database.address"
local host = require "submitter.host"
local migrations = require "submitter.database.migrations"
local services = require "submitter.services"
local sql = require "submitter.database.statements.doctor"

local reach = {}

local function finding(state, name, text, remedy)
  return { state = state, name = name, text = text, remedy = remedy }
end

local CONDITIONS_IGNORED = "it writes although the condition isn't met (If-None-Match, If-Match): of two workers one "
  .. "could put an older report over a newer one"

-- Is this bucket's word worth anything: does it refuse to write over what stands, or over something else than was read, and
-- write over what was read?
local function try_conditions(store, name)
  local first, message = store:put(name, "probe 1\n", { if_none_match = true })
  if not first then return nil, message end
  for _, condition in ipairs { { if_none_match = true }, { if_match = ("0"):rep(32) } } do
    local written, problem, code = store:put(name, "probe 2\n", condition)
    if written then return nil, CONDITIONS_IGNORED end
    if code ~= "conflict" then return nil, problem end
  end
  local second
  second, message = store:put(name, "probe 3\n", { if_match = first })
  if not second then return nil, message end
  return store:get(name)
end

--- Tries what the worker will do, whatever the bucket holds: listing it could take hours.
---@async
---@param opened Services with store
---@return table finding
function reach.bucket(opened)
  -- Not what an earlier one left that was killed.
  local name = ("doctor-%s"):format(host.digest.random(8))
  local done, message = try_conditions(opened.store, name)
  local deleted, problem = opened.store:delete(name)
  if done and not deleted then done, message = nil, problem end
  local settings = opened.configuration.bucket
  if message == CONDITIONS_IGNORED then
    return finding("fail", "bucket", message, "use a server that keeps conditions; or, with a single worker, set "
      .. "conditional_writes = false in s3 { … }")
  elseif not done then
    return finding("fail", "bucket", message, settings.kind == "directory" and "look at bucket/ below var"
      or "see bucket in the configuration, the credentials and their rights")
  elseif settings.conditional_writes == false then
    return finding("warn", "bucket", services.describe(settings) .. "; conditions are looked at before each write "
      .. "(conditional_writes = false)", "see that only one worker runs")
  end
  return finding("ok", "bucket", services.describe(settings) .. "; an object was put there, read and deleted; "
    .. "it keeps conditions")
end

-- What is wrong with the queue's redrive policy, the net below everything, and what to do: both nil where there need be none.
local function net(depth)
  if not depth.least_receives or (depth.max_receives or 0) >= depth.least_receives then return nil end
  local problem = depth.max_receives and ("its redrive policy takes messages away after %d receipts"):format(
    depth.max_receives) or "it has no redrive policy"
  return problem, ("give it one with a maxReceiveCount of %d or more"):format(depth.least_receives)
end

--- Asks the queue for its counts; so does `submitter status`.
---@async
---@param opened Services with queue
---@return table finding
function reach.queue(opened)
  local settings = opened.configuration.queue
  local depth, message = opened.queue:depth()
  if not depth then
    return finding("fail", "queue", message, settings.kind == "directory" and "look at queue/ below var"
      or "see queue in the configuration, the credentials and their rights")
  end
  local text = ("%s: %d ready, %d held"):format(services.describe(settings), depth.ready, depth.held)
  if depth.dead_problem then
    -- Who may only send to it can do all that a worker does.
    return finding("warn", "queue", ("%s; %s"):format(text, depth.dead_problem),
      "see dead_letter_url in the configuration: what is given up may have nowhere to go")
  elseif not depth.dead then
    return finding("warn", "queue", text .. ", no dead_letter_url in the configuration",
      "set it: without it what is given up comes again until the queue's redrive policy takes it, without a reason")
  end
  text = ("%s, %d dead"):format(text, depth.dead)
  if depth.dead > 0 then return finding("warn", "queue", text, "submitter deadletters list") end
  local problem, remedy = net(depth)
  if problem then return finding("warn", "queue", text .. "; " .. problem, remedy) end
  return finding("ok", "queue", text)
end

-- ---- database ----

local MIGRATE = "run \"submitter database migrate\" as the schema's owner"
-- Of the rights that are missing, so many are named.
local RIGHTS_SHOWN = 4

-- Whether anybody between here and there could listen, or be it himself: what is wrong, and what to do. sslmode=require encrypts
-- for whoever answers (libpq, "SSL Support"); what a service file says isn't known here.
local function eavesdropping(server, settings, getenv)
  if server.is_local then return nil end
  local remedy = "set sslmode=verify-full and sslrootcert in the database's url, or PGSSLMODE and PGSSLROOTCERT"
  if not server.tls then return "not encrypted", remedy end
  local mode = settings.sslmode or getenv "PGSSLMODE"
  local is_unknown = not mode and (settings.service or getenv "PGSERVICE")
  if is_unknown or mode == "verify-full" or mode == "verify-ca" then return nil end
  return ("%s, but whose server that is isn't checked"):format(server.tls), remedy
end

local function connection(opened, server, getenv)
  local settings = address.read(opened.configuration.database.url)
  local where = settings.hosts or settings.host or settings.hostaddr
  local problem, remedy = eavesdropping(server, settings, getenv)
  local text = ("database %s%s as %s, PostgreSQL %s, %s"):format(server.database, where and " at " .. where or "",
    server.user, server.version, problem or server.tls or "on this machine")
  if server.is_standby then
    return finding("fail", "database", text .. "; it is a standby and takes no results",
      "let the url name the primary too, and set target_session_attrs=read-write")
  end
  return finding(problem and "warn" or "ok", "database", text, remedy)
end

-- Whether its tables are those of this program. And whether there are any, to ask for rights.
local function schema_state(database)
  local pending, message = migrations.pending(database)
  if not pending then return finding("fail", "schema", message) end
  if #pending == 0 then return finding("ok", "schema", "up to date"), true end
  return finding("fail", "schema", "lacks " .. table.concat(pending, ", "), MIGRATE)
end

local function name_rights(rows)
  local named = {}
  for index = 1, math.min(#rows, RIGHTS_SHOWN) do
    named[index] = ("%s on %s %s"):format(rows[index].privilege, rows[index].kind, rows[index].name)
  end
  if #rows > RIGHTS_SHOWN then named[#named + 1] = ("%d more"):format(#rows - RIGHTS_SHOWN) end
  return table.concat(named, ", ")
end

local function rights(database, server)
  if server.is_superuser then
    return finding("warn", "rights", server.user .. " is a superuser, and a worker needs very little",
      "make a user for workers: CREATE ROLE … LOGIN; GRANT submitter_worker TO …")
  end
  local result, message = database:query(sql.read_missing_rights, {}, { safe = true })
  if not result then return finding("fail", "rights", message) end
  if not result.rows[1].has_role then
    return finding("warn", "rights", "there is no role submitter_worker, so nobody knows what a worker needs", MIGRATE)
  elseif result.rows[1].name then
    return finding("fail", "rights", ("%s lacks %s"):format(server.user, name_rights(result.rows)),
      ("GRANT submitter_worker TO %s"):format(server.user))
  end
  return finding("ok", "rights", server.user .. " has all that a worker needs")
end

--- Asks the database who it is, whether its tables are those of this program, and whether a worker may use them.
---@async
---@param opened Services with database, where one is configured
---@param getenv (fun(name:string):string|nil)|nil default os.getenv
---@return table[] findings
function reach.database(opened, getenv)
  if not opened.database then
    return { finding("ok", "database", "none configured: cases, students and results are in the bucket alone") }
  end
  local result, message, code = opened.database:query(sql.read_server, {}, { safe = true })
  if not result then
    -- What else could be wrong says what to do by itself.
    return { finding("fail", "database", ("%s: %s"):format(opened.database:describe(), message),
      code == "unavailable" and "see that it runs, and whether database in the configuration, SUBMITTER_DATABASE_URL "
        .. "and the PG… variables name it" or nil) }
  end
  local server = result.rows[1]
  local schema_finding, has_tables = schema_state(opened.database)
  local findings = { connection(opened, server, getenv or os.getenv), schema_finding }
  if has_tables then findings[#findings + 1] = rights(opened.database, server) end
  return findings
end

--- Connects to the mail server and logs in; sends nothing.
---@async
---@param settings table of configuration.mail
---@param mailer table|nil stands in for submitter.mail.mailer in specs
---@return table finding
function reach.mail(settings, mailer)
  local host_name = settings.url:match "^%w+://([^/]+)"
  local good, message = (mailer or require "submitter.mail.mailer").check(settings)
  if not good then
    return finding("fail", "mail", message, "see mail in the configuration; mails wait until it can be reached")
  end
  local taken = settings.user and ", and takes user and password" or ""
  return finding("ok", "mail", ("%s answers%s"):format(host_name, taken))
end

return reach
