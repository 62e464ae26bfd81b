---@meta submitter.core.postgres
--- Connections to PostgreSQL by libpq (of PostgreSQL 12 or newer), which is loaded at the first connect. A connection serves one
--- task at a time; submitter.database shares several of them out.
---
--- Values, from Lua: a string stands for text, and for every type by what PostgreSQL reads from it (numeric, jsonb, uuid,
--- timestamptz "2026-11-24 12:00:00+00"); integers, floats and booleans as they are; postgres.null for NULL; postgres.bytea(…) for
--- bytes; a list of strings (with postgres.null among them) for an array. What type a parameter has is said by the place where it
--- stands: in doubt write a cast, `$1::text[]`. A time in milliseconds is
--- `timestamptz 'epoch' + $1::bigint * interval '1 millisecond'`.
---
--- To Lua: NULL is absent (nil); boolean; smallint, integer, bigint and oid are integers; real and double precision are floats (also
--- infinite, and NaN); bytea is the string of its bytes; timestamptz and timestamp (taken for UTC) are integers, milliseconds since
--- 1970, what is finer cut off downwards, or ±math.huge for infinity; text[], varchar[] and name[] of one dimension are lists, their
--- NULLs postgres.null; everything else (numeric, jsonb, uuid, date, other arrays) is the string that PostgreSQL writes.
---
--- Each session has UTF-8, DateStyle ISO, TimeZone UTC, IntervalStyle postgres and bytea_output hex, whatever the server, the role or
--- PG* variables say. What the server remarks (NOTICE, WARNING) goes to the log, at the level debug, as postgres_notice.
local postgres = {}

--- SQL's NULL among parameters, in rows of a copy and in lists; the same value as json.null.
postgres.null = nil ---@type lightuserdata

---@class Bytea
---@field bytes string

--- Bytes, for a place of the type bytea.
---@param bytes string
---@return Bytea
function postgres.bytea(bytes) end

--- A connection. All of libpq's settings count: PG* variables, PGSERVICE and PGSERVICEFILE, PGPASSFILE, sslmode and certificates,
--- several hosts with target_session_attrs. Of several hosts each has connect_timeout (libpq's, in seconds), or else its share of
--- connect_timeout_ms, until the next one's turn; also one that accepts connections and then says nothing.
---
--- Connecting has a thread of its own; when the time is over, or the task is cancelled, it isn't waited for.
---
--- Codes: "connect" (may pass: refused, no route, no such name, a server that starts, stops or is full, a descriptor or thread that this
--- process can't have), "refused" (until somebody
--- changes something: password, role, database, TLS, a setting or connection string that can't be used), "timeout", "library" (libpq isn't
--- there or doesn't fit). No message holds the connection string or a password.
---@async
---@param options {url:string|nil, connect_timeout_ms:integer|nil, application_name:string|nil}|nil
--- url: "host=… dbname=…" or "postgresql://…"; "" or nil: all from the environment and libpq's files.
--- connect_timeout_ms: the whole, names and all hosts included (default 5000).
--- application_name: default "submitter"; one in url or PGAPPNAME wins.
---@return Connection|nil connection
---@return string|nil message
---@return "connect"|"refused"|"timeout"|"library"|nil code
function postgres.connect(options) end

---@class PostgresResult
---@field columns string[] names, in order
---@field rows table<string, any>[] values by column; of two columns with one name the last
---@field count integer rows returned or affected

---@class PostgresDetails
---@field sent boolean whether the statement may have been carried out: false is certain
---@field sqlstate string|nil of the server's error, as the following: five characters, "23505"
---@field constraint string|nil
---@field table string|nil
---@field column string|nil
---@field detail string|nil it may quote values
---@field hint string|nil
---@field context string|nil

--- To be closed as well (`local connection <close> = …`). Two tasks that use one at the same time are an error that is thrown.
---@class Connection
local Connection = {}

--- One statement. From its second use on this connection it is prepared there (the 64 last used, of at most 32 KiB); when tables
--- change under it, it is prepared anew.
---
--- When the time is over, or the task is cancelled, the server is asked to cancel, and its answer awaited: the connection can be used
--- afterwards, unless the server doesn't answer within 2 s; then it is closed (state "broken"). A statement that ended well
--- nevertheless is a success.
---
--- Codes: "refused" (the server's error; a transaction has failed by it), "lost" (the connection broke, or what came makes no sense:
--- it is closed), "timeout", "too_large" (more than
--- limit_bytes; or parameters of more than 512 MiB), "invalid" (a NUL byte in a string, which names the parameter and sends nothing; or a
--- value that can't be read because the session's settings were changed), "closed". All come with details (but not the last kind of "invalid").
---@async
---@param sql string without NUL
---@param parameters any[]|nil for $1, $2, …: see above; NULL is postgres.null, never nil; 65535 at most
---@param options {timeout_ms:integer|nil, limit_bytes:integer|nil}|nil
--- timeout_ms: default 30000.
--- limit_bytes: of the values as PostgreSQL writes them, with 5 for each, or for a row without any (default 64 MiB). One row
--- more than that may be held.
---@return PostgresResult|nil result
---@return string|nil message
---@return "refused"|"lost"|"timeout"|"too_large"|"invalid"|"closed"|nil code
---@return PostgresDetails|nil details
function Connection:query(sql, parameters, options) end

--- Several statements in one go, without parameters: migrations, BEGIN, COMMIT, ROLLBACK. Outside of a transaction block they are one
--- transaction. The first error ends it. Rows are dropped; the result's rows are empty, and its count is the last statement's.
---@async
---@param text string
---@param options {timeout_ms:integer|nil, limit_bytes:integer|nil}|nil as query
---@return PostgresResult|nil, string|nil, string|nil, PostgresDetails|nil
function Connection:script(text, options) end

--- Rows in bulk. The message of the server's error says where: "… (COPY cases, line 3, column points: …)".
--- "invalid" names row and column of a NUL byte, and nothing was sent; "too_large": more than 1 GiB of rows.
---@async
---@param sql string COPY … FROM STDIN, without FORMAT: the text format; anything else throws, carried out or not
---@param rows any[][] each with as many values as the first: strings, numbers, booleans, postgres.null, postgres.bytea(…)
---@param options {timeout_ms:integer|nil, limit_bytes:integer|nil}|nil as query
---@return integer|nil count
---@return string|nil message
---@return string|nil code
---@return PostgresDetails|nil details
function Connection:copy(sql, rows, options) end

--- "failed": a transaction that can only be rolled back. "broken": it is gone, or closed; a server that ended it between statements is
--- noticed here. While a task waits for a statement: "transaction".
---@return "idle"|"transaction"|"failed"|"broken"
function Connection:state() end

--- 150018 is 15.18.
---@return integer
function Connection:server_version() end

--- Ends it and waits for nothing; the server rolls back what it was at. A statement that another task waits for ends with the code
--- "closed". More than once does nothing more.
function Connection:close() end

return postgres
