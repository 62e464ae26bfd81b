--- The whole truth that stands in the bucket: reading it, and whether it answers a job already.
local host = require "submitter.host"

local truth = {}

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
  return good and document or nil
end

--- Reads what stands: sets `truth` (nil if none) and `truth_etag` (nil if no object is there).
---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
function truth.read(job)
  local text, metadata, code = job.store:get(job.names.truth)
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
