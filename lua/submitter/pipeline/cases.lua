--- cases: what the program is to be run on, and whether the result that stands answers all this already.
local cases = require "submitter.cases"
local host = require "submitter.host"
local truth = require "submitter.pipeline.truth"

local PRIVATE_MODE = tonumber("600", 8)

-- The job directory holds what was fetched: two files of lines, or a folder of pairs.
local function files_of(job, found)
  if found.input_text then
    return { [job.mode .. ".in"] = found.input_text, [job.mode .. ".out"] = found.expected_text }
  end
  local files = {}
  for _, case in ipairs(found.cases) do
    files[("%s/%s.in"):format(job.mode, case.name)] = case.input
    files[("%s/%s.out"):format(job.mode, case.name)] = case.expected
  end
  return files
end

local function keep_copies(job, found)
  if not job.folder then return true end
  local options = { mode = PRIVATE_MODE, parents = found.input_text == nil }
  for name, text in pairs(files_of(job, found)) do
    local written, message = job.folder.directory:write(name, text, options)
    if not written then
      return nil, ("can't write %s into the job directory: %s"):format(name, message), "unavailable"
    end
  end
  return true
end

---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
return function(job)
  local found, message, code = cases.bucket(job.store, job.names)
  if not found then return nil, message, code end
  if found.notice then host.log.warn("cases_ambiguous", { assignment = job.location.base, notice = found.notice }) end
  job.cases, job.cases_sha256 = found.cases, found.sha256
  if truth.answers(job) then
    job.standing = job.truth
    return true
  end
  truth.forget_cases(job)
  return keep_copies(job, found)
end
