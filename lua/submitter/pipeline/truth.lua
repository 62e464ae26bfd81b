--- The whole truth that stands in the bucket: reading it, and whether it answers a job already.
local host = require "submitter.host"

local truth = {}

--- The largest document that is read again: all cases of an assignment, however their bytes are escaped.
truth.LIMIT_BYTES = 1 << 30

local function plain(value)
  if value == host.json.null then return nil end
  return value
end

-- Whatever lies there that isn't a result of this schema is replaced like a result, but counts for nothing.
local function parse(text)
  local document = host.json.decode(text)
  local good = type(document) == "table" and document.schema == 1 and type(document.cases) == "table"
    and math.type(document.attempt) == "integer" and math.type(document.run) == "integer"
    and type(document.verdict) == "string"
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

--- Lets go of the cases of a truth that doesn't answer the job: what counts of it is its head.
---@param job table
function truth.forget_cases(job)
  if job.truth then job.truth.cases = {} end
end

--- Counts: sets `attempt`, which only another submission raises, and `run`, which every grading raises.
---@param job table
function truth.count(job)
  local document = job.truth
  if not document then
    job.attempt, job.run = 1, 1
    return
  end
  job.attempt = document.attempt + (document.source_sha256 == job.source_sha256 and 0 or 1)
  job.run = document.run + 1
end

return truth
