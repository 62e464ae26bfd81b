--- students: who is behind the tokens of a submission. Tokens that nobody was given are counted, and a policy may insist
--- that there are none.
local host = require "submitter.host"
local units = require "submitter.units"

local students = {}

--- Looks them up, where there is a database and a document was read: sets `team`.
---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
function students.find(job)
  if not job.recorder or not job.document or job.team then return true end
  local team, message, code = job.recorder:team(job.location, job.document.tokens)
  if not team then return nil, message, code end
  job.team = team
  return true
end

-- What a token is never reaches a log: whoever has it can hand in as its student.
local function log_unknown(job)
  host.log.info("tokens_unknown", {
    subid = job.location.subid, assignment = job.location.base, known = job.team.known, unknown = job.team.unknown,
  })
end

local function refuse(job)
  local location, team = job.location, job.team
  local number = team.known + team.unknown
  local count = number == 1 and "its token isn't" or ("%d of %d tokens %s"):format(team.unknown, number,
    team.unknown == 1 and "isn't" or "aren't")
  return nil, ("%s known for %s; register with the course, then hand in again"):format(count,
    units.format_text(location.admin .. "/" .. location.event)), "rejected"
end

---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code "rejected" where the policy insists on known tokens; "policy" where nobody can know them
function students.step(job)
  if job.policy.tokens == "known" and not job.recorder then
    return nil, "the policy says tokens = \"known\", but no database is configured that could know them", "policy"
  end
  local done, message, code = students.find(job)
  if not done then return nil, message, code end
  if not job.team or job.team.unknown == 0 then return true end
  log_unknown(job)
  if job.policy.tokens == "known" then return refuse(job) end
  return true
end

return students
