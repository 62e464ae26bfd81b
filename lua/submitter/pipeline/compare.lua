--- compare: what each case's ending and output mean, and what they mean together.
local report_case = require "submitter.report.case"
local units = require "submitter.units"

local step = {}

-- What ended a program, from the sandbox's evidence; nil where its output decides.
local function ending(result, limits)
  if result.ending == "cpu" then
    return "TLE", ("CPU limit of %d ms"):format(limits.cpu_ms)
  elseif result.ending == "wall" then
    return "TLE", ("wall clock limit of %d ms"):format(limits.wall_ms)
  elseif result.ending == "memory" then
    return "MLE", ("memory limit of %s"):format(units.format_bytes(limits.memory_bytes))
  elseif result.ending == "output" or result.stdout_truncated then
    return "OLE", ("output limit of %s"):format(units.format_bytes(limits.output_bytes))
  elseif result.ending == "signal" then
    return "RTE", ("ended by %s"):format(result.signal)
  elseif result.exit_code ~= 0 then
    return "RTE", ("exit code %d"):format(result.exit_code)
  end
end

-- Sums of tenths must not show what binary fractions make of them.
local function rounded(sum)
  local value = math.floor(sum * 1000000 + 0.5) / 1000000
  return math.tointeger(value) or value
end

-- A policy that failed: what its students may know of that is kept for whoever tells them.
local function failure(job, message, code, told)
  job.told = told
  return nil, message, code
end

--- Judges a case that has just run, and keeps of it what the report needs.
---@param job table
---@param case table a case record
---@param result SandboxResult
---@return true|nil
---@return string|nil message
---@return string|nil code "policy"
function step.case(job, case, result)
  local worth, message, code, told = job.policy:points(case, job.mode)
  if not worth then return failure(job, message, code, told) end
  local verdict, note = ending(result, job.policy.limits)
  local pass = false
  if not verdict then
    pass, note, code, told = job.policy:compare(result.stdout, case.expected, case, job.mode)
    if pass == nil then return failure(job, note, code, told) end
    verdict = pass and "AC" or "WA"
  end
  job.held = job.held or { actual_bytes = 0, stderr_bytes = 0 }
  local record = report_case.record(case, result, {
    pass = pass, verdict = verdict, note = note, points = pass and worth or 0,
  }, job.held)
  job.results[#job.results + 1] = record
  job.passed = (job.passed or 0) + (pass and 1 or 0)
  job.points = (job.points or 0) + record.points
  job.max_points = (job.max_points or 0) + worth
  -- The note of a wrong answer quotes it; a reason is only one line of many in a list.
  if verdict ~= "AC" and not job.first_failure then
    job.first_failure = { verdict = verdict, reason = ("case %d: %s"):format(
      case.number, verdict == "WA" and "wrong answer" or note) }
  end
  return true
end

--- The verdict of the whole: the first case's that isn't passed, else `AC`; and the sums.
---@param job table
---@return true
function step.whole(job)
  if job.standing then return true end
  job.verdict = job.first_failure and job.first_failure.verdict or "AC"
  job.reason = job.first_failure and job.first_failure.reason
  job.points, job.max_points = rounded(job.points or 0), rounded(job.max_points or 0)
  return true
end

return step
