--- publish: the truth by compare-and-swap, then the database, then what the student sees. A crash at any point is healed
--- by the message's next delivery, which finds the truth standing, records what isn't recorded, and puts whatever beside
--- the submission doesn't agree with it.
local fetch = require "submitter.pipeline.fetch"
local host = require "submitter.host"
local report = require "submitter.report"
local students = require "submitter.pipeline.students"
local truth = require "submitter.pipeline.truth"

local publish = {}

-- The reports beside a submission: what a policy calls each, and which key of `job.names` it has.
local forms = {
  { name = "json", key = "result", render = host.json.encode },
  { name = "csv", key = "out", render = report.csv },
}

-- A document, and what students see of it.
local function render(job, document)
  local view, message, code, told = report.view(document, job.policy, job.cases)
  job.told = told
  return view and document, view or message, code
end

-- What stands already, or what this job made of it. Rendered before anything is written: a policy that fails at it must
-- leave things as they are.
local function prepare(job)
  if job.standing then return render(job, job.standing) end
  local counted, message, code = truth.count(job)
  if not counted then return nil, message, code end
  return render(job, report.document(job))
end

-- Puts the truth in the place of what was read at the start. Where somebody was faster, his result counts if it
-- answers this job.
local function put_truth(job, document)
  local condition = job.truth_etag and { if_match = job.truth_etag } or { if_none_match = true }
  local etag, message, code = job.store:put(job.names.truth, host.json.encode(document), condition)
  if etag then
    job.truth_etag = etag
    return true
  elseif code ~= "conflict" then
    return nil, message, code
  end
  local read, read_message, read_code = truth.read(job)
  if not read then return nil, read_message, read_code end
  if truth.answers(job) then
    job.standing = job.truth
    return true
  end
  return nil, ("another result was published meanwhile, so this one is graded anew: %s"):format(message), "conflict"
end

-- Where the bucket was emptied, or is another, its numbers are those of other results in the database: then this one gets
-- the next that are free, in the bucket first.
local function renumber(job, document)
  local counted, message, code = truth.recount(job, document)
  if not counted then return nil, message, code end
  document = report.renumbered(document, job.attempt, job.run)
  local etag
  etag, message, code = job.store:put(job.names.truth, host.json.encode(document), { if_match = job.truth_etag })
  if not etag then return nil, message, code end
  job.truth_etag = etag
  return document
end

-- The document as it is recorded, which is the same but for its numbers.
local function record(job, document)
  if not job.recorder then return document end
  local done, message, code = job.recorder:result(job, document)
  if not done and code == "attempt_taken" then
    document, message, code = renumber(job, document)
    if not document then return nil, message, code end
    done, message, code = job.recorder:result(job, document)
    -- Somebody else took that number as well.
    if code == "attempt_taken" then code = "conflict" end
  end
  if not done then return nil, message, code end
  return document
end

local function rendered(job, form, view)
  if job.policy and not job.policy:publishes(form.name) then return nil end
  return form.render(view)
end

-- What has to be written where nothing stood before.
local function first_writes(job, view)
  local writes = {}
  for _, form in ipairs(forms) do
    local text = rendered(job, form, view)
    if text then
      writes[#writes + 1] = { key = job.names[form.key], text = text, condition = { if_none_match = true } }
    end
  end
  return writes
end

-- What has to be written, over what stands there now; what agrees is left alone.
local function needed_writes(job, view)
  local writes = {}
  for _, form in ipairs(forms) do
    local object_key, text = job.names[form.key], rendered(job, form, view)
    local present, metadata, code = job.store:get(object_key, { limit_bytes = truth.LIMIT_BYTES })
    if not present and code ~= "not_found" then return nil, metadata, code end
    if present ~= text then
      writes[#writes + 1] = {
        key = object_key, text = text,
        condition = present and { if_match = metadata.etag } or { if_none_match = true },
      }
    end
  end
  return writes
end

local function write(job, writes)
  for _, one in ipairs(writes) do
    local done, message, code
    if one.text then
      done, message, code = job.store:put(one.key, one.text, one.condition)
    else
      done, message, code = job.store:delete(one.key)
    end
    if not done then return nil, message, code end
  end
  return true
end

local function check_still_stands(job)
  local text, metadata, code = job.store:get(job.names.truth, { limit_bytes = truth.LIMIT_BYTES })
  if not text and code ~= "not_found" then return nil, metadata, code end
  if text and metadata.etag == job.truth_etag then return true end
  return nil, "another result was published at the same moment, so the reports are rendered anew", "conflict"
end

-- Also a worker that was stopped for longer than its lease must not put an old report over a newer one, although he
-- can be stopped anywhere. So: look what stands, then see that the truth is still this one, then write over exactly what
-- was seen. Whoever publishes a newer truth looks after that, and either writes over this report or makes this fail.
local function put_views(job, view)
  local writes, message, code = needed_writes(job, view)
  if not writes then return nil, message, code end
  if #writes == 0 then return true end
  local done
  done, message, code = check_still_stands(job)
  if not done then return nil, message, code end
  return write(job, writes)
end

local function remove(job, object_key)
  local present, message, code = job.store:head(object_key)
  if not present then
    if code == "not_found" then return true end
    return nil, message, code
  end
  return job.store:delete(object_key)
end

---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
function publish.step(job)
  local document, view, code = prepare(job)
  if not document then return nil, view, code end
  local done, message
  local is_first = job.truth_etag == nil and not job.standing
  if not job.standing then
    done, message, code = put_truth(job, document)
    if not done then return nil, message, code end
    if job.standing then
      document, view, code = prepare(job)
      if not document then return nil, view, code end
      is_first = false
    end
  end
  local recorded
  recorded, message, code = record(job, document)
  if not recorded then return nil, message, code end
  if recorded ~= document then
    document, view, code = render(job, recorded)
    if not document then return nil, view, code end
  end
  job.published = document
  -- Where no truth stood hardly ever a report does: that is worth trying before looking.
  if is_first then done, message, code = write(job, first_writes(job, view)) end
  if not is_first or code == "conflict" then done, message, code = put_views(job, view) end
  if not done then return nil, message, code end
  return remove(job, job.names.error)
end

--- Is it to be left at the result that stands, whatever the reason for which this submission is refused? So it is with what
--- comes after the end of an event whose policy takes nothing then.
---@async
---@param job table as far as its steps came
---@return boolean|nil
---@return string|nil message
---@return string|nil code
function publish.leaves_result(job)
  local ends_ms = job.event and job.event.ends_ms
  if not ends_ms or not job.policy or job.policy.late ~= "refuse" then return false end
  local done, message, code = fetch.complete(job)
  if not done then return nil, message, code end
  if job.submitted_ms <= ends_ms then return false end
  return truth.outlasts_refusal(job, ends_ms)
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
  if done then done, message, code = students.find(job) end
  if not done then return nil, message, code end
  job.cases, job.cases_sha256, job.cases_source, job.results = nil, nil, nil, nil
  job.passed, job.points, job.max_points = 0, 0, 0
  job.verdict, job.reason = "REJ", reason
  job.runner_description = job.runner_description or job.runner:describe()
  if truth.answers(job) then
    job.standing = job.truth
  else
    done, message, code = truth.record(job)
    if not done then return nil, message, code end
  end
  return publish.step(job)
end

-- Failures whose reasons are made of keys, numbers and the policy's own text. All others may name paths, processes and
-- settings of this machine, which are no student's business.
local open = { instructor = true, late = true, missing = true, not_found = true, policy = true, rejected = true }

local function told(job, class, reason)
  if open[class] then return job.told or reason end
  return ("the grading service failed (%s), not the program; its log says why to whoever runs it. Hand in again later")
    :format(class)
end

-- That a failure can't be noted must not hide the failure itself.
local function record_failure(job, class, reason)
  if not job.recorder then return end
  local done, message, code = job.recorder:failure(job, class, reason)
  if done then return end
  host.log.warn("failure_not_recorded", {
    subid = job.location.subid, assignment = job.location.base, mode = job.mode, reason = message, class = code,
  })
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
  local document = report.failure(job, class, told(job, class, reason))
  record_failure(job, class, reason)
  local etag, message, code = job.store:put(job.names.error, host.json.encode(document))
  if not etag then return nil, message, code end
  return true
end

return publish
