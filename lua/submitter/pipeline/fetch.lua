--- fetch: the result that stands, the submission document, the policy, and the program. The walls of the sandbox are
--- begun as soon as the policy's limits are known.
local fingerprint = require "submitter.fingerprint"
local host = require "submitter.host"
local key = require "submitter.key"
local policy = require "submitter.policy"
local policy_beside = require "submitter.policy.beside"
local session = require "submitter.pipeline.session"
local source_check = require "submitter.pipeline.source"
local submission = require "submitter.submission"
local time = require "submitter.time"
local truth = require "submitter.pipeline.truth"
local units = require "submitter.units"

local PRIVATE_MODE = tonumber("600", 8)

local function write(job, name, data)
  if not job.folder then return true end
  local written, message = job.folder.directory:write(name, data, { mode = PRIVATE_MODE })
  if not written then return nil, ("can't write %s into the job directory: %s"):format(name, message), "unavailable" end
  return true
end

-- What can't be read is told apart by why: a program that is too large isn't the one that was missing before. No program
-- that is read begins like this and gets a result: one with a NUL byte is refused.
local UNREAD = "\0unread: "

-- One object of the student's. What isn't there may be on its way.
local function get(job, object_key, limit_bytes)
  local data, metadata, code = job.store:get(object_key, { limit_bytes = limit_bytes })
  if data then return data, metadata end
  if code == "not_found" then return nil, metadata .. "; hand it in again, the program first", "missing" end
  if code == "too_large" then return nil, metadata, "rejected" end
  return nil, metadata, code
end

-- The result that stands is read before anything of the submission: only then is what it is replaced by never older than
-- itself. Else a worker could read an old program, see the result of a newer one published, and put his own in its place.
local function read_both(job)
  local done, message, code = truth.read(job)
  if not done then return nil, message, code end
  return get(job, job.names.document, job.configuration.document_limit_bytes)
end

-- The message's key as it stands, then once more with the leading slash there or not there: on S3 these are two keys.
-- All other keys of the submission follow the one that was found.
local function fetch_document(job)
  local data, metadata, code = read_both(job)
  if not data and code == "missing" then
    local location, names, standing, etag = job.location, job.names, job.truth, job.truth_etag
    job.location = location:with_root()
    job.names = key.names(job.location, job.mode)
    local other_data, other_metadata, other_code = read_both(job)
    if other_data or other_code ~= "missing" then
      data, metadata, code = other_data, other_metadata, other_code
    else
      job.location, job.names, job.truth, job.truth_etag = location, names, standing, etag
    end
  end
  if not data then
    job.unread = UNREAD .. metadata
    return nil, metadata, code
  end
  job.document_text, job.document_ms = data, metadata.modified_ms
  return true
end

local function load_policy(job)
  local files, message, code = policy_beside(job.configuration, job.store, job.names.policy)
  if not files then return nil, message, code == "too_large" and "policy" or code end
  local loaded
  loaded, message, code = policy.load {
    directory = job.policy_directory, location = job.location, files = files,
    ceilings = job.configuration.policy.limits, runners = job.configuration.policy.runners,
  }
  if not loaded then return nil, message, code end
  job.policy = loaded
  return true
end

local function parse_document(job)
  local limit_bytes = job.configuration.document_limit_bytes
  local document, message, code = submission.parse(job.document_text, job.location, limit_bytes)
  if not document then return nil, message, code end
  job.document = document
  return true
end

local function begin_walls(job)
  session.prepare(job)
  return true
end

-- The event, where the database knows it: when it ends.
local function find_event(job, is_asked_anew)
  if not job.recorder then return true end
  local event, message, code = job.recorder:event(job.location, is_asked_anew)
  if event == nil then return nil, message, code end
  job.event = event or nil
  return true
end

local function fetch_source(job)
  local data, metadata, code = get(job, job.names.source, job.configuration.source_limit_bytes)
  if not data then
    local message = metadata
    if code == "rejected" then message = ("the program %s.py is too large: %s"):format(job.location.subid, message) end
    job.unread = UNREAD .. message
    return nil, message, code
  end
  job.source, job.source_ms = data, metadata.modified_ms
  return true
end

local function check_source(job)
  return source_check.check(job.source, job.location.subid .. ".py")
end

local function keep_copies(job)
  local subid = job.location.subid
  local written, message, code = write(job, subid .. ".json", job.document_text)
  if not written then return nil, message, code end
  return write(job, subid .. ".py", job.source)
end

-- When it was handed in: when the later of its two objects was uploaded, for only then it was whole. Not the time of an
-- event's notification: that is of the upload which caused it, and another may lie there by now. Of what was graded before
-- the time stays, whatever touched the objects since (a bucket that was copied, the same program handed in again).
local function note_time(job)
  job.submitted_ms = math.max(job.document_ms or 0, job.source_ms or 0)
  if job.submitted_ms == 0 then job.submitted_ms = job.started_ms end
  local standing = job.truth
  if standing and standing.source_sha256 == job.source_sha256 then
    local before_ms = time.parse_ms(standing.submitted_at)
    if before_ms then job.submitted_ms = math.min(job.submitted_ms, before_ms) end
  end
  if job.recorded_ms then job.submitted_ms = math.min(job.submitted_ms, job.recorded_ms) end
end

--- What a result says of what was handed in, and the result that stands. Also for what is rejected, of which perhaps
--- not everything could be fetched.
---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
local function complete(job)
  job.source_sha256 = fingerprint.of(job.document_text or "", job.source or job.unread or "")
  if not job.truth_was_read then
    local done, message, code = truth.read(job)
    if not done then return nil, message, code end
  end
  note_time(job)
  return true
end

local function is_late(job)
  local ends_ms = job.event and job.event.ends_ms
  return ends_ms ~= nil and job.submitted_ms > ends_ms
end

-- After the end of its event a submission is graded for the final mark, or not at all. What is known to have been handed in
-- before counts as that, wherever its objects were copied since.
local function after_the_end(job)
  if not is_late(job) then return true end
  -- An end that was put off a moment ago keeps nobody out.
  local done, message, code = find_event(job, true)
  if not done then return nil, message, code end
  if not is_late(job) then return true end
  local before_ms
  local ends_ms = job.event.ends_ms
  before_ms, message, code = job.recorder:submitted(job.location, job.source_sha256)
  if before_ms == nil then return nil, message, code end
  if before_ms and before_ms <= ends_ms then
    job.submitted_ms, job.recorded_ms = before_ms, before_ms
    return true
  elseif job.policy.late == "refuse" then
    return nil, ("it was handed in at %s, but the event %s ended at %s"):format(host.clock.utc(job.submitted_ms),
      units.format_text(job.location.event), host.clock.utc(ends_ms)), "late"
  end
  if job.mode == "grade" then return true end
  job.mode, job.names = "grade", key.names(job.location, "grade")
  -- What stands of that mode must be read before what is graded, so all is read anew, and nothing of the first reading may
  -- stand in for what isn't there any more.
  job.document_text, job.document_ms, job.document, job.source, job.source_ms = nil, nil, nil, nil, nil
  job.source_sha256, job.submitted_ms, job.truth, job.truth_etag, job.truth_was_read = nil, nil, nil, nil, nil
  for _, part in ipairs { fetch_document, parse_document, fetch_source, complete } do
    done, message, code = part(job)
    if not done then return nil, message, code end
  end
  return true
end

local parts = {
  find_event, fetch_document, load_policy, parse_document, begin_walls, fetch_source, complete, after_the_end,
  check_source, keep_copies,
}

---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
local function fetch(job)
  for _, part in ipairs(parts) do
    local done, message, code = part(job)
    if not done then return nil, message, code end
  end
  return true
end

return { step = fetch, complete = complete }
