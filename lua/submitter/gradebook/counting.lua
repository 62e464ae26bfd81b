--- Which attempt of an assignment counts: its policy's `counts`.
local host = require "submitter.host"
local policy = require "submitter.policy"
local policy_beside = require "submitter.policy.beside"
local submissions = require "submitter.submissions"

local counting = {}

-- The policy beside the cases, under either spelling of its key, where the operator lets it count.
local function from_bucket(services, location)
  for _, root in ipairs(submissions.roots(services.store)) do
    local name = ("%s%s/%s/%s/grading/policy.lua"):format(root, location.admin, location.event, location.assignment)
    local files, message, code = policy_beside(services.configuration, services.store, name)
    if not files or #files > 0 then return files, message, code end
  end
  return {}
end

--- The rule of one assignment; the latest where no policy says it.
---@async
---@param services table configuration, store, policy_directory
---@param location {admin:string, event:string, assignment:string}
---@return "latest"|"best"|nil
---@return string|nil message
---@return string|nil code "policy" where a file is wrong; "unavailable"
function counting.rule(services, location)
  local files, message, code = from_bucket(services, location)
  if not files then return nil, message, code end
  local loaded
  loaded, message, code = policy.load {
    directory = services.policy_directory, location = location, files = files,
    ceilings = services.configuration.policy.limits, runners = services.configuration.policy.runners,
  }
  if not loaded then
    return nil, ("which attempt counts can't be told: %s"):format(host.text.repair(message)), code
  end
  return loaded.counts or "latest"
end

return counting
