--- What failures of a connection mean for the one who asked: a code that callers branch on, what to do about it, and whether
--- the same may be sent again. Source of the classes: PostgreSQL's documentation, "PostgreSQL Error Codes" (SQLSTATE).
local host = require "submitter.host"

local failures = {}

-- Of what a server or a library says, in a message.
local TEXT_LIMIT_BYTES = 500

---@class DatabaseFailure
---@field message string
---@field code "unavailable"|"environment"|"conflict"|"invalid"|"too_large"
---@field details table what the connection said, and `ambiguous`: the statement may have been carried out
---@field again "always"|"safe"|nil may be sent again: whatever it does, as nothing came of it; or if that does no harm
---@field spoils boolean the connection is better not used again

local MIGRATE = "run \"submitter database migrate\" as the schema's owner"
local GRANT = "the role of this connection lacks a right: GRANT submitter_worker TO a role for workers, "
  .. "submitter_instructor to one that imports cases or purges; if it is that, " .. MIGRATE
local PASSWORD = "check the password file (PGPASSFILE, or ~/.pgpass, for this user alone), and the role's password"

-- By SQLSTATE, else by its class (the first two characters). again, spoils: as in DatabaseFailure.
local states = {
  -- A statement that was prepared before a table changed ("cached plan must not change result type"), or that somebody between
  -- here and the server has forgotten. The connection prepares it anew, but a transaction has failed by it.
  ["0A000"] = { code = "unavailable", again = "safe" },
  ["26000"] = { code = "unavailable", again = "safe" },
  -- Only a standby is there, or the primary has become one.
  ["25006"] = { code = "unavailable", again = "always", spoils = true },
  ["40001"] = { code = "unavailable", again = "safe" }, -- serialization failure
  ["40P01"] = { code = "unavailable", again = "safe" }, -- deadlock
  -- The server is going, has crashed, is coming.
  ["57P01"] = { code = "unavailable", again = "safe", spoils = true, ambiguous = true },
  ["57P02"] = { code = "unavailable", again = "safe", spoils = true, ambiguous = true },
  ["57P03"] = { code = "unavailable", again = "safe", spoils = true },
  ["42501"] = { code = "environment", remedy = GRANT },
  ["08"] = { code = "unavailable", again = "safe", spoils = true, ambiguous = true },
  ["22"] = { code = "invalid" },
  ["23"] = { code = "conflict" },
  ["28"] = { code = "environment", remedy = "see the role, its password and pg_hba.conf" },
  ["3D"] = { code = "environment", remedy = "make the database (createdb), then " .. MIGRATE },
  ["3F"] = { code = "environment", remedy = MIGRATE },
  ["42"] = { code = "environment", remedy = MIGRATE },
  ["53"] = { code = "unavailable", remedy = "the server is short of room, memory or connections" },
  ["54"] = { code = "too_large" },
}
local UNKNOWN_STATE = { code = "unavailable" }

-- What the connection itself found, beside the server's errors.
local own = {
  lost = { code = "unavailable", spoils = true },
  closed = { code = "unavailable", again = "always", spoils = true },
  timeout = { code = "unavailable", remedy = "see statement_timeout in the configuration, and why it takes so long" },
  too_large = { code = "too_large" },
  invalid = { code = "invalid" },
}

-- By words of libpq and of a server that speaks English; the first that fits. A connection that is refused has no SQLSTATE.
local refusals = {
  { "certificate", "see sslmode and sslrootcert" },
  { "SSL", "see sslmode" },
  { "password", PASSWORD },
  { "database .- does not exist", "make it (createdb), then " .. MIGRATE },
  { "role .- does not exist", "make it (CREATE ROLE … LOGIN), and GRANT submitter_worker TO it" },
  { "pg_hba%.conf", "let this role and address in: pg_hba.conf of the server" },
  { "permission denied", GRANT },
}
local REFUSED = "see database in the configuration, SUBMITTER_DATABASE_URL and the PG… variables"

-- What others said: on one line, not too much of it, without what steers a terminal.
local function plain(text)
  text = tostring(text):gsub("%s+$", ""):gsub("%s*\n%s*", "; ")
  if #text > TEXT_LIMIT_BYTES then
    -- A character isn't cut in two.
    text = text:sub(1, TEXT_LIMIT_BYTES):gsub("[\xC0-\xFF][\x80-\xBF]*$", "") .. "…"
  end
  return host.text.escape(text)
end

local function with_remedy(text, remedy)
  return remedy and ("%s; %s"):format(text, remedy) or text
end

local function refusal_remedy(message)
  for _, one in ipairs(refusals) do
    if message:find(one[1]) then return one[2] end
  end
  return REFUSED
end

--- Why there is no connection.
---@param message string of postgres.connect, without secrets
---@param code string
---@return string message with what to do where somebody has to do something
---@return "unavailable"|"environment" code
function failures.connect(message, code)
  local text = ("can't connect to PostgreSQL: %s"):format(plain(message))
  if code == "connect" or code == "timeout" then return text, "unavailable" end
  return with_remedy(text, code == "refused" and refusal_remedy(message) or nil), "environment"
end

local function meaning(code, sqlstate)
  if code ~= "refused" then return own[code] or UNKNOWN_STATE end
  sqlstate = sqlstate or ""
  return states[sqlstate] or states[sqlstate:sub(1, 2)] or UNKNOWN_STATE
end

-- A statement that was sent and has no answer, or one that says nothing about it. Where a connection lives on after a time-out,
-- the server has agreed to break the statement off.
local function is_ambiguous(found, code, details, state)
  if code == "lost" then return details.sent ~= false end
  if code == "timeout" then return (state or "broken") == "broken" and details.sent ~= false end
  return found.ambiguous == true
end

--- Why a statement came to nothing.
---@param message string of the connection, as code and details
---@param code string
---@param details table|nil
---@param state string|nil of the connection afterwards; nil: unknown
---@return DatabaseFailure
function failures.statement(message, code, details, state)
  local copied = {}
  for name, value in pairs(details or {}) do copied[name] = value end
  local found = meaning(code, copied.sqlstate)
  local text = ("PostgreSQL: %s"):format(plain(message))
  if copied.sqlstate then text = ("%s (SQLSTATE %s)"):format(text, plain(copied.sqlstate)) end
  local failure = {
    message = with_remedy(text, found.remedy), code = found.code, details = copied, again = found.again,
    spoils = found.spoils == true,
  }
  copied.ambiguous = is_ambiguous(found, code, copied, state)
  if code == "lost" then failure.again = copied.ambiguous and "safe" or "always" end
  return failure
end

return failures
