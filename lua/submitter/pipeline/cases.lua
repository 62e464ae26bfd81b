--- cases: what the program is to be run on, and whether the result that stands answers all this already.
local cases = require "submitter.cases"
local host = require "submitter.host"
local lines = require "submitter.cases.lines"
local truth = require "submitter.pipeline.truth"

local PRIVATE_MODE = tonumber("600", 8)

-- The job directory holds what was fetched, two files of lines, or a folder of pairs where a case can't be a line.
local function files_of(job, found)
  local input_text, expected_text = found.input_text, found.expected_text
  if not input_text and found.source == "postgres" then input_text, expected_text = lines.write(found.cases) end
  if input_text then
    return { [job.mode .. ".in"] = input_text, [job.mode .. ".out"] = expected_text }
  end
  local files = {}
  for _, case in ipairs(found.cases) do
    -- A name in the bucket is a part of a key, and was checked as such; one in the database may be anything.
    local name = found.source == "postgres" and case.number or case.name
    files[("%s/%s.in"):format(job.mode, name)] = case.input
    files[("%s/%s.out"):format(job.mode, name)] = case.expected
  end
  return files
end

local function keep_copies(job, found)
  if not job.folder then return true end
  local options = { mode = PRIVATE_MODE, parents = true }
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
  local source = job.case_source or cases.bucket_source { store = job.store }
  local found, message, code = source:read { location = job.location, mode = job.mode, names = job.names }
  if not found then return nil, message, code end
  if found.notice then host.log.warn("cases_ambiguous", { assignment = job.location.base, notice = found.notice }) end
  job.cases, job.cases_sha256, job.cases_source = found.cases, found.sha256, found.source
  if truth.answers(job) then
    job.standing = job.truth
    return true
  end
  local recorded
  recorded, message, code = truth.record(job)
  if not recorded then return nil, message, code end
  truth.forget_cases(job)
  return keep_copies(job, found)
end
