--- Queues submissions once more: one message each, all with one regrade id. A grading of an id is content only with a result of
--- that id (`pipeline/truth.lua`), so each submission is graded once anew, and an id that is sent again grades nothing twice.
local host = require "submitter.host"
local parallel = require "submitter.parallel"
local request = require "submitter.notify.request"
local schema = require "submitter.schema"
local submission = require "submitter.submission"

local regrade = {}

--- So many messages are on their way at a time: SQS answers a single one in some 10 ms, and a class has hundreds.
local AT_ONCE = 10

--- A fresh id: when, and what nobody else has.
---@return string "20261124T055534Z-1f2e3d4c"
function regrade.id()
  local moment = host.clock.utc():gsub("%.%d+", ""):gsub("[-:]", "")
  return moment .. "-" .. host.digest.random(4)
end

--- Is this an id that messages can carry?
---@type fun(id:any):boolean
regrade.is_id = request.is_regrade

local form = 'regrade.send{ queue =, submissions = { … }, mode = "test" or "grade", id =, on_sent = }'
local names = { queue = true, submissions = true, mode = true, id = true, on_sent = true }

local function check(options)
  schema.check_options(options, names, form, 3)
  if not options.queue or type(options.submissions) ~= "table" or (options.mode ~= "test" and options.mode ~= "grade")
    or not regrade.is_id(options.id) then
    error("expected " .. form, 3)
  end
end

--- Queues a message for each submission. After a failure nothing more is begun; the same id may be sent once more.
---@async
---@param options {queue:table, submissions:FoundSubmission[], mode:"test"|"grade", id:string, on_sent:fun(sent:integer)|nil}
---@return integer|nil sent
---@return string|nil message
---@return string|nil code of the queue's send
---@return integer|nil sent so many are queued nevertheless
function regrade.send(options)
  check(options)
  local sent = 0
  local done, message, code = parallel.each(options.submissions, AT_ONCE, function(one)
    local body = submission.message { key = one.location.key, mode = options.mode, regrade = options.id }
    local id, problem, class = options.queue:send(body)
    if not id then return nil, problem, class end
    sent = sent + 1
    if options.on_sent then options.on_sent(sent) end
    return true
  end)
  if not done then return nil, message, code, sent end
  return sent
end

return regrade
