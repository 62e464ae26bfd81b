--- One submission from its announcement to its report: makes the job, runs the pipeline, publishes what its failure
--- calls for, and cleans up whatever happened. What then becomes of the message is the worker's.
local host = require "submitter.host"
local key = require "submitter.key"
local pipeline = require "submitter.pipeline"
local publish = require "submitter.pipeline.publish"

local grading = {}

-- Whose fault a failure is, and whether it can pass. What isn't named here is ours and may pass.
local kinds = {
  rejected = { permanent = true, is_submissions = true },
  late = { permanent = true, is_submissions = true },
  missing = { is_submissions = true },
  instructor = { permanent = true },
  policy = { permanent = true },
}
local ours = {}

local function with_traceback(problem)
  return debug.traceback(tostring(problem), 2)
end

-- A cancellation is delivered once, wherever the task waits next; when that is in the middle of cleaning up, cleaning
-- up is simply done again.
local function thoroughly(what, action)
  local finished, done, message = pcall(action)
  if not finished then finished, done, message = pcall(action) end
  if not finished then message = done end
  if not finished or not done then
    host.log.error("cleanup_failed", { what = what, reason = tostring(message) })
  end
end

local function log_published(job)
  local document = job.published
  host.log.info("submission_published", {
    subid = job.location.subid, admin = job.location.admin, event_name = job.location.event,
    assignment = job.location.assignment, mode = job.mode, verdict = document.verdict, passed = document.passed,
    total = document.total, attempt = document.attempt, run = document.run, stood = job.standing ~= nil,
    duration_ms = host.clock.now_ms() - job.started_ms,
  })
end

local function run_steps(job, parts)
  local message, code
  job.folder, message = parts.jobs:make(job.location.subid)
  if not job.folder then return nil, "can't make a job directory: " .. tostring(message), "unavailable" end
  local done
  done, message, code = pipeline.run(job, parts.steps)
  if not done then return nil, message, code end
  log_published(job)
  return true
end

-- Runs something that may throw; a Lua error is ours, is logged here with its traceback, and becomes a failure like
-- others.
local function guarded(job, lease, action)
  local finished, done, message, code = xpcall(action, with_traceback)
  if finished then return done, message, code end
  if lease.lost then return nil, "the message belongs to another worker by now", "lease_lost" end
  host.log.error("submission_error", { subid = job.location.subid, mode = job.mode, traceback = done })
  return nil, "internal error: " .. done:match("^[^\n]*"), "internal"
end

-- What is told, and to whom, when nothing more will be tried.
local function tell(job, kind, reason, class)
  if not kind.is_submissions then return publish.failure(job, class, reason) end
  -- What was handed in in time keeps its result when something is refused that came afterwards.
  local leaves, message, code = publish.leaves_result(job)
  if leaves == nil then return nil, message, code end
  if leaves then return publish.failure(job, class, reason) end
  local done
  done, message, code = publish.rejection(job, reason)
  if done then log_published(job) end
  return done, message, code
end

local function fail(job, lease, is_last, reason, class)
  if lease.lost or class == "lease_lost" then return { kind = "lost", reason = reason, class = "lease_lost" } end
  local kind = kinds[class] or ours
  if not kind.permanent and not is_last() then return { kind = "retry", reason = reason, class = class } end
  local told, message, code = guarded(job, lease, function() return tell(job, kind, reason, class) end)
  if lease.lost then return { kind = "lost", reason = reason, class = "lease_lost" } end
  if not told then
    if not is_last() then return { kind = "retry", reason = message, class = code } end
    reason = ("%s; this couldn't be published: %s"):format(reason, message)
  end
  return { kind = "dead", reason = reason, class = class }
end

--- Grades one submission.
---@async
---@param parts {configuration:table, store:table, cases:table, jobs:table, runner:table, recorder:table|nil,
--- policy_directory:table|nil, steps:table}
---@param request Request what the message asks for
---@param lease {lost:boolean} of the message; once lost, nothing more is published
---@param is_last fun():boolean when this has failed: won't it be tried again?
---@return {kind:"done"|"dead"|"retry"|"lost", reason:string|nil, class:string|nil, subid:string, mode:string} outcome
function grading.grade(parts, request, lease, is_last)
  local job = {
    location = request.location, mode = request.mode, regrade = request.regrade,
    configuration = parts.configuration, store = parts.store, case_source = parts.cases, runner = parts.runner,
    recorder = parts.recorder,
    policy_directory = parts.policy_directory, names = key.names(request.location, request.mode),
    started_ms = host.clock.now_ms(),
  }
  local done, message, code = guarded(job, lease, function() return run_steps(job, parts) end)
  local outcome = done and { kind = "done" } or fail(job, lease, is_last, message, code)
  outcome.subid, outcome.mode, outcome.assignment = job.location.subid, job.mode, job.location.base
  thoroughly("sandbox", function() return pipeline.close(job) end)
  if job.folder then thoroughly("job directory", function() return job.folder:remove() end) end
  return outcome
end

return grading
