--- run: the program once per case, in one sandbox. Each output is judged as soon as it is there (`compare.case`), so
--- that only one is ever held whole.
local compare = require "submitter.pipeline.compare"
local session = require "submitter.pipeline.session"

-- Before anything runs: a case that can't be given to a program is the instructor's to mend, and no student should wait
-- for nine others to learn that. What each is given isn't kept: splitting a line twice costs less than thousands of
-- lists.
local function check(job)
  for _, case in ipairs(job.cases) do
    local given, message = job.policy:arguments(case)
    if not given then return nil, message, "instructor" end
  end
  return true
end

---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
return function(job)
  if job.standing then return true end
  local checked, message, code = check(job)
  if not checked then return nil, message, code end
  local sandbox
  sandbox, message, code = session.take(job)
  if not sandbox then return nil, message, code end
  job.runner_description = sandbox:describe()
  local submitted
  submitted, message, code = sandbox:submit {
    name = (job.location and job.location.subid or "program") .. ".py", source = job.source, limits = job.policy.limits,
  }
  if not submitted then return nil, message, code end

  job.results = {}
  for index, case in ipairs(job.cases) do
    local given = job.policy:arguments(case)
    local result
    result, message, code = sandbox:case {
      number = case.number, arguments = given.arguments, stdin = given.stdin,
    }
    if not result then return nil, ("case %d: %s"):format(case.number, message), code end
    local judged
    judged, message, code = compare.case(job, case, result)
    if not judged then return nil, message, code end
    if job.progress then job.progress(index, #job.cases) end
  end
  session.finish(job)
  return true
end
