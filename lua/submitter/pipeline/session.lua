--- The sandbox of a job: its walls are built while the submission is fetched, and taken down while the result is
--- published.
local host = require "submitter.host"

local session = {}

-- Whose it is, and which of the operator's runners the policy chose.
local function start(job)
  local about = { subid = job.location and job.location.subid, runner = job.policy.runner }
  return job.runner:start(job.policy.limits, about)
end

--- Begins to build it.
---@param job table
function session.prepare(job)
  job.sandbox_starting = host.task.spawn("sandbox of " .. job.location.subid, start, job)
end

--- Waits until it stands. Builds it where nobody began to.
---@async
---@param job table
---@return table|nil session
---@return string|nil message
---@return string|nil code
function session.take(job)
  local started, message, code
  if job.sandbox_starting then
    local ended
    ended, started, message, code = job.sandbox_starting:join()
    job.sandbox_starting = nil
    if not ended then return nil, "the sandbox didn't start: " .. tostring(started), "sandbox" end
  else
    started, message, code = start(job)
  end
  if not started then return nil, message, code end
  job.sandbox = started
  return started
end

--- Begins to take it down: nothing runs in it any more.
---@param job table
function session.finish(job)
  local sandbox = job.sandbox
  job.sandbox = nil
  job.sandbox_closing = host.task.spawn("end of a sandbox", function() return sandbox:close() end)
end

--- Takes it down, in whatever state it is, and waits until it is gone. May be called again, also where a cancellation
--- interrupted it: what isn't gone yet is still in the job.
---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
function session.close(job)
  if job.sandbox_starting then
    job.sandbox_starting:cancel("not needed")
    local ended, started = job.sandbox_starting:join()
    job.sandbox_starting = nil
    if ended and started then job.sandbox = started end
  end
  if job.sandbox then session.finish(job) end
  if not job.sandbox_closing then return true end
  local ended, closed, message, code = job.sandbox_closing:join()
  job.sandbox_closing = nil
  if not ended then return nil, closed, message end
  if not closed then return nil, message, code end
  return true
end

return session
