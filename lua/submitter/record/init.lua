--- The grade book's pen: writes what came of submissions into PostgreSQL, each run once however often its message comes, and
--- answers what the pipeline has to know of a submission's event, team and earlier attempts. README.md has the rules.
local figures = require "submitter.record.figures"
local host = require "submitter.host"
local legible = require "submitter.record.legible"
local schema = require "submitter.schema"
local sql = require "submitter.database.statements.record"

local record = {}

-- So long may an event that was moved count as it was before; and so many are remembered.
local EVENT_MS, EVENTS = 5000, 256
-- Case results are copied so many at a time: a row of a report takes ten times its size while it is under way.
local COPY_ROWS = 1000
-- Whatever is asked or written here may be sent again: twice is as good as once.
local SAFE = { safe = true }

---@class Recorder
local Recorder = {}
Recorder.__index = Recorder

local function key_of(location)
  local administrator, event, assignment = legible.place(location)
  return administrator, event, assignment, location.subid
end

-- ---- what there is to know ----

local function remember(self, key, event)
  if self.event_count >= EVENTS then self.events, self.event_count = {}, 0 end
  if not self.events[key] then self.event_count = self.event_count + 1 end
  self.events[key] = { event = event, until_ms = host.clock.monotonic_ms() + EVENT_MS }
end

--- When the submission's event is. What is known is a few seconds old at most.
---@async
---@param location Location
---@param is_asked_anew boolean|nil what is known doesn't count
---@return {starts_ms:integer|nil, ends_ms:integer|nil}|false|nil event false: it isn't in the database
---@return string|nil message
---@return string|nil code
function Recorder:event(location, is_asked_anew)
  local administrator, event = key_of(location)
  local key = administrator .. "\0" .. event
  local known = self.events[key]
  if known and not is_asked_anew and host.clock.monotonic_ms() < known.until_ms then return known.event end
  local found, message, code = self.database:query(sql.event, { administrator, event }, SAFE)
  if not found then return nil, message, code end
  local row = found.rows[1]
  local answer = row and { starts_ms = row.starts_at, ends_ms = row.ends_at } or false
  remember(self, key, answer)
  return answer
end

---@class Team
---@field students {id:integer, email:string, name:string}[] each once, however many of the tokens are his
---@field known integer how many of the tokens are a student's of the event
---@field unknown integer how many aren't

--- The students behind a submission's tokens. A token of another event is nobody's here.
---@async
---@param location Location
---@param tokens string[] as written
---@return Team|nil
---@return string|nil message
---@return string|nil code
function Recorder:team(location, tokens)
  local asked = figures.tokens(tokens)
  local administrator, event = key_of(location)
  local found, message, code = self.database:query(sql.team, { administrator, event, asked }, SAFE)
  if not found then return nil, message, code end
  local team = { students = {}, known = #found.rows, unknown = #asked - #found.rows }
  local last
  for _, row in ipairs(found.rows) do
    if row.id ~= last then
      last = row.id
      team.students[#team.students + 1] = { id = row.id, email = row.email, name = row.name }
    end
  end
  return team
end

--- What is recorded of a submission: the highest attempt in a mode, and the highest run of all its attempts.
---@async
---@param location Location
---@param mode "test"|"grade"
---@return {attempt:integer, run:integer, source_sha256:string, submitted_ms:integer, verdict:string}|false|nil
---@return string|nil message
---@return string|nil code
function Recorder:standing(location, mode)
  local administrator, event, assignment, subid = key_of(location)
  local found, message, code = self.database:query(sql.standing,
    { administrator, event, assignment, subid, mode }, SAFE)
  if not found then return nil, message, code end
  local row = found.rows[1]
  return row and {
    attempt = row.attempt, run = row.run, source_sha256 = row.source_sha256, submitted_ms = row.submitted_at,
    verdict = row.verdict,
  } or false
end

--- When just this was first handed in, in whichever mode it was graded.
---@async
---@param location Location
---@param source_sha256 string
---@return integer|false|nil submitted_ms false: it isn't in the database
---@return string|nil message
---@return string|nil code
function Recorder:submitted(location, source_sha256)
  local administrator, event, assignment, subid = key_of(location)
  local found, message, code = self.database:query(sql.submitted,
    { administrator, event, assignment, subid, source_sha256 }, SAFE)
  if not found then return nil, message, code end
  return found.rows[1].submitted_at or false
end

-- ---- what is written ----

-- A failure is healed by what was graded after it; also by a result that was found standing by a job that began after it.
-- Moments of this form are ordered as texts.
local function healed_until(job, result)
  local began_at = job.started_ms and host.clock.utc(job.started_ms) or result.finished_at
  return began_at > result.finished_at and began_at or result.finished_at
end

-- What a pool or a transaction knows of the row that has a result's attempt.
local function ask_recorded(asked, result, options)
  return asked:query(sql.recorded, {
    result.administrator, result.event, result.assignment, result.subid, result.mode, result.attempt, result.run,
    result.source_sha256, result.finished_at, result.healed_until,
  }, options)
end

local function taken(result)
  return nil, ("another result of %s/%s/%s/%s stands in the database as attempt %d of mode %s: the bucket was emptied, "
    .. "or is another"):format(result.administrator, result.event, result.assignment, result.subid, result.attempt,
    result.mode), "attempt_taken"
end

-- A redelivered message's result hardly ever lacks anything.
local function stands_whole(self, result)
  local found, message, code = ask_recorded(self.database, result, SAFE)
  if not found then return nil, message, code end
  local row = found.rows[1]
  return row ~= nil and row.stands and not row.has_failed
end

local function copy_cases(transaction, id, result)
  local rows = {}
  local function flush()
    local count, message, code = transaction:copy(sql.copy_case_results, rows)
    rows = {}
    return count, message, code
  end
  local last = 0
  for _, case in ipairs(result.cases) do
    rows[#rows + 1] = figures.case_row(id, result.run, last, case)
    last = rows[#rows][3]
    if #rows == COPY_ROWS then
      local count, message, code = flush()
      if not count then return nil, message, code end
    end
  end
  if #rows == 0 then return true end
  return flush()
end

local function mail_is_wanted(self, result)
  return self.mail == true or type(self.mail) == "table" and self.mail[result.mode]
end

-- All that a result's row is not.
local function write_rest(self, transaction, id, result)
  local done, message, code = copy_cases(transaction, id, result)
  if not done then return nil, message, code end
  if #result.tokens == 0 then return true end
  done, message, code = transaction:query(sql.put_team, { id, result.tokens })
  if not done then return nil, message, code end
  if not mail_is_wanted(self, result) then return true end
  return transaction:query(sql.put_mails, {
    id, result.run, result.verdict, result.passed, result.points, result.administrator, result.event, result.tokens,
  })
end

local function write(self, transaction, result)
  local put, message, code = transaction:query(sql.put_submission, {
    result.administrator, result.event, result.assignment, result.subid, result.submitted_at, result.mode,
    result.healed_until,
  })
  if not put then return nil, message, code end
  put, message, code = transaction:query(sql.put_result, figures.result_row(put.rows[1].id, result))
  if not put then return nil, message, code end
  if put.rows[1] then
    local done
    done, message, code = write_rest(self, transaction, put.rows[1].id, result)
    if not done then return nil, message, code end
    return true
  end
  local found
  found, message, code = ask_recorded(transaction, result)
  if not found then return nil, message, code end
  if not (found.rows[1] and found.rows[1].stands) then return taken(result) end
  return true
end

--- Records a result: the submission, the result, its cases, its team and the mails that are due, all or nothing. What is
--- recorded already, or was replaced by a later run, stays as it is.
---@async
---@param job table as the pipeline has it: location, mode; optional: document (its tokens), standing, started_ms
---@param document table the whole truth, as it stands in the bucket
---@return true|nil
---@return string|nil message
---@return string|nil code "attempt_taken": attempt and run are those of another result; "invalid": it isn't a result
function Recorder:result(job, document)
  local result, message, code = figures.result(job, document)
  if not result then return nil, message, code end
  result.healed_until = healed_until(job, result)
  if job.standing then
    local stands
    stands, message, code = stands_whole(self, result)
    if stands ~= false then return stands, message, code end
  end
  local done
  done, message, code = self.database:transaction(function(transaction)
    return write(self, transaction, result)
  end, SAFE)
  if not done then return nil, message, code end
  return true
end

--- Notes that a submission couldn't be graded, through no fault of its own. Results stay as they are.
---@async
---@param job table location, mode; optional: submitted_ms
---@param class string the failure's code
---@param reason string the whole of it: instructors read this
---@return true|nil
---@return string|nil message
---@return string|nil code
function Recorder:failure(job, class, reason)
  local administrator, event, assignment, subid = key_of(job.location)
  local submitted_at = job.submitted_ms and host.clock.utc(job.submitted_ms) or host.postgres.null
  local done, message, code = self.database:query(sql.put_failure, {
    administrator, event, assignment, subid, submitted_at, host.clock.utc(host.clock.now_ms()), job.mode,
    legible.text(class), legible.text(reason),
  }, SAFE)
  if not done then return nil, message, code end
  return true
end

local form = "record.new { database = POOL, mail = true or false or { \"grade\" } }"

--- One for a worker: it remembers the events of a few seconds.
---@param options {database:table, mail:boolean|string[]|nil} database: a pool of `submitter.database`; mail: whether mails are
--- noted for the students of a result, or of which modes
---@return Recorder
function record.new(options)
  schema.check_options(options, { database = true, mail = true }, form)
  if type(options) ~= "table" or not options.database then error("expected " .. form, 2) end
  local mail = options.mail
  if type(mail) == "table" then
    local modes = {}
    for _, mode in ipairs(mail) do modes[mode] = true end
    mail = modes
  end
  return setmetatable({ database = options.database, mail = mail or false, events = {}, event_count = 0 }, Recorder)
end

return record
