--- publish: the truth by compare-and-swap, then what the student sees. A crash at any point is healed by the
--- message's next delivery, which finds the truth standing and puts whatever beside the submission doesn't agree with
--- it.
local fetch = require "submitter.pipeline.fetch"
local host = require "submitter.host"
local report = require "submitter.report"
local truth = require "submitter.pipeline.truth"

local publish = {}

-- Puts the truth in the place of what was read at the start. Where somebody was faster, his result counts if it
-- answers this job.
local function put_truth(job)
  truth.count(job)
  local document = report.document(job)
  local condition = job.truth_etag and { if_match = job.truth_etag } or { if_none_match = true }
  local etag, message, code = job.store:put(job.names.truth, host.json.encode(document), condition)
  if etag then
    job.truth_etag = etag
    return document
  elseif code ~= "conflict" then
    return nil, message, code
  end
  local read, read_message, read_code = truth.read(job)
  if not read then return nil, read_message, read_code end
  if truth.answers(job) then return job.truth end
  return nil, ("another result was published meanwhile, so this one is graded anew: %s"):format(message), "conflict"
end

-- Fresh views replace what stands unseen; when an old result is only looked after, what agrees is left alone.
local function put_view(job, object_key, text)
  if job.standing then
    local present, message, code = job.store:get(object_key, { limit_bytes = math.max(1, #text) })
    if present == text then return true end
    if not present and code ~= "not_found" and code ~= "too_large" then return nil, message, code end
  end
  local etag, message, code = job.store:put(object_key, text)
  if not etag then return nil, message, code end
  return true
end

local function remove(job, object_key)
  local present, message, code = job.store:head(object_key)
  if not present then
    if code == "not_found" then return true end
    return nil, message, code
  end
  return job.store:delete(object_key)
end

local function put_views(job, document)
  local view, message, code = report.view(document, job.policy, job.cases)
  if not view then return nil, message, code end
  local forms = {
    { name = "json", key = job.names.result, render = host.json.encode },
    { name = "csv", key = job.names.out, render = report.csv },
  }
  for _, form in ipairs(forms) do
    local done
    if not job.policy or job.policy:publishes(form.name) then
      done, message, code = put_view(job, form.key, form.render(view))
    else
      done, message, code = remove(job, form.key)
    end
    if not done then return nil, message, code end
  end
  return remove(job, job.names.error)
end

-- Two workers may have published one after the other and put their views in the other order. Whoever looks last sees
-- it.
local function check_still_stands(job)
  local _, metadata, code = job.store:get(job.names.truth)
  if type(metadata) == "table" and metadata.etag == job.truth_etag then return true end
  if code and code ~= "not_found" then return nil, metadata, code end
  return nil, "another result was published at the same moment, so the reports are rendered anew", "conflict"
end

---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
function publish.step(job)
  if job.standing then
    job.published = job.standing
  else
    local document, message, code = put_truth(job)
    if not document then return nil, message, code end
    job.published = document
  end
  local done, message, code = put_views(job, job.published)
  if not done then return nil, message, code end
  return check_still_stands(job)
end

--- Publishes that a submission can't be graded through its own fault: `REJ` with the reason, as a result like any
--- other.
---@async
---@param job table as far as its steps came
---@param reason string
---@return true|nil
---@return string|nil message
---@return string|nil code
function publish.rejection(job, reason)
  local done, message, code = fetch.complete(job)
  if not done then return nil, message, code end
  job.cases, job.cases_sha256, job.results = nil, nil, nil
  job.passed, job.points, job.max_points = 0, 0, 0
  job.verdict, job.reason = "REJ", reason
  job.runner_description = job.runner_description or job.runner:describe()
  if truth.answers(job) and job.truth.verdict == "REJ" then job.standing = job.truth end
  return publish.step(job)
end

--- Publishes that a submission can't be graded and that this isn't its fault. No result that stands is touched.
---@async
---@param job table as far as its steps came
---@param class string the failure's code
---@param reason string
---@return true|nil
---@return string|nil message
---@return string|nil code
function publish.failure(job, class, reason)
  local etag, message, code = job.store:put(job.names.error, host.json.encode(report.failure(job, class, reason)))
  if not etag then return nil, message, code end
  return true
end

return publish
