--- The whole truth that stands in the bucket: reading it, and whether it answers a job already.
local host = require "submitter.host"
local time = require "submitter.time"

local truth = {}

--- The largest document that is read again: all cases of an assignment, however their bytes are escaped.
truth.LIMIT_BYTES = 1 << 30

local function plain(value)
  if value == host.json.null then return nil end
  return value
end

-- Numbers that go on for longer than any database counts are nobody's.
local LARGEST = 0x7FFFFFFF

local function is_count(value)
  return math.type(value) == "integer" and value >= 1 and value < LARGEST
end

-- Whatever lies there that isn't a result of this schema is replaced like a result, but counts for nothing.
local function parse(text)
  local document = host.json.decode(text)
  local good = type(document) == "table" and document.schema == 1 and type(document.cases) == "table"
    and is_count(document.attempt) and is_count(document.run) and type(document.verdict) == "string"
  if not good then return nil end
  for _, case in ipairs(document.cases) do
    if type(case) ~= "table" then return nil end
  end
  return document
end

--- Reads what stands: sets `truth` (nil if none) and `truth_etag` (nil if no object is there).
---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
function truth.read(job)
  local text, metadata, code = job.store:get(job.names.truth, { limit_bytes = truth.LIMIT_BYTES })
  if text then
    job.truth, job.truth_etag = parse(text), metadata.etag
  elseif code == "not_found" then
    job.truth, job.truth_etag = nil, nil
  else
    return nil, metadata, code
  end
  job.truth_was_read = true
  return true
end

-- A program that is missing, too large or empty has one and the same hash, for nothing of it was read: what tells such
-- refusals apart is their reason.
local function is_same_refusal(document, job)
  return document.verdict == "REJ" and document.reason == (host.text.repair(job.reason))
end

--- Is what stands a grading of this very submission, with these cases, by this policy? A message that asks for no
--- regrade is content with the answer to one.
---@param job table
---@return boolean
function truth.answers(job)
  local document = job.truth
  if not document then return false end
  local policy = plain(document.policy)
  return document.mode == job.mode
    and document.source_sha256 == job.source_sha256
    and plain(document.cases_sha256) == job.cases_sha256
    and (policy and policy.sha256) == (job.policy and job.policy.sha256)
    and (job.regrade == nil or document.regrade == job.regrade)
    and (job.verdict ~= "REJ" or is_same_refusal(document, job))
end

-- Failures of the database itself; all others are the document's.
local passing = { unavailable = true, environment = true }

--- Sees that the result that stands is recorded, before another takes its place: a worker may have ended between bucket and
--- database, and since then something else was handed in. Where it can't be recorded, because its numbers are another's or
--- it is no result, it is let go.
---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
function truth.record(job)
  if not job.truth or not job.recorder then return true end
  local former = { location = job.location, mode = job.mode, document = job.document, standing = job.truth }
  local done, message, code = job.recorder:result(former, job.truth)
  if done then return true end
  if passing[code] then return nil, message, code end
  host.log.warn("former_result_not_recorded", {
    subid = job.location.subid, assignment = job.location.base, mode = job.mode, reason = message, class = code,
  })
  return true
end

--- Does a result stand that must not give way to the refusal of what was handed in after an event's end? Where the bucket has
--- none, because it was emptied, the database knows. Only the refusal of something that was late as well gives way.
---@async
---@param job table
---@param ends_ms integer
---@return boolean|nil
---@return string|nil message
---@return string|nil code
function truth.outlasts_refusal(job, ends_ms)
  local verdict, submitted_ms
  if job.truth then
    verdict, submitted_ms = job.truth.verdict, time.parse_ms(job.truth.submitted_at)
  else
    local standing, message, code = job.recorder:standing(job.location, job.mode)
    if not standing then return standing, message, code end
    verdict, submitted_ms = standing.verdict, standing.submitted_ms
  end
  return verdict ~= "REJ" or submitted_ms ~= nil and submitted_ms <= ends_ms
end

--- Lets go of the cases of a truth that doesn't answer the job: what counts of it is its head.
---@param job table
function truth.forget_cases(job)
  if job.truth then job.truth.cases = {} end
end

local function count_on(job, standing, source_sha256)
  job.attempt = standing.attempt + (standing.source_sha256 == source_sha256 and 0 or 1)
  job.run = standing.run + 1
end

--- Counts: sets `attempt`, which only another submission raises, and `run`, which every grading raises. Where the bucket
--- has no result, because it was emptied or is another, what the database knows goes on.
---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
function truth.count(job)
  local standing = job.truth
  if not standing and job.recorder then
    local message, code
    standing, message, code = job.recorder:standing(job.location, job.mode)
    if standing == nil then return nil, message, code end
  end
  if standing then
    count_on(job, standing, job.source_sha256)
  else
    job.attempt, job.run = 1, 1
  end
  return true
end

--- Counts anew for a result whose numbers are another's in the database.
---@async
---@param job table
---@param document table the result
---@return true|nil
---@return string|nil message
---@return string|nil code
function truth.recount(job, document)
  local standing, message, code = job.recorder:standing(job.location, job.mode)
  if standing == nil then return nil, message, code end
  -- The rows were deleted this moment: then the numbers are free.
  standing = standing or document
  count_on(job, standing, document.source_sha256)
  job.run = math.max(job.run, document.run)
  return true
end

return truth
