--- What a worker does beside grading: queues an event's submissions when it is over, sends mails. Each duty runs in a task of its
--- own, takes care of its own outages, and never keeps a submission waiting.
local host = require "submitter.host"

local duties = {}

-- How long a duty may take to end before it is interrupted. What it was about is done by the next worker.
local END_MS = 5000

---@class Duty
---@field name string
---@field body table with `loop`, `stop` and `run_once`, as submitter.final_grading and submitter.mail.mailer have them; perhaps
--- `wake`
---@field comes_first boolean|nil whether a worker that ends with the queue does it before it grades, else afterwards

---@class Duties
---@field list Duty[]
---@field is_hurried boolean|nil `once` does no more
local Duties = {}
Duties.__index = Duties

local function log_failure(duty, reason, code)
  host.log.warn("duty_failed", { duty = duty.name, reason = reason, class = code })
end

-- A duty that fails ends alone.
local function guarded(duty, method)
  local returned, done, message, code = xpcall(duty.body[method], debug.traceback, duty.body)
  if not returned then
    log_failure(duty, done, "internal")
  elseif done == nil and message then
    log_failure(duty, message, code)
  end
end

--- Begins all of them, for a worker that serves.
function Duties:start()
  for _, duty in ipairs(self.list) do
    duty.task = host.task.spawn(duty.name, function() guarded(duty, "loop") end)
  end
end

--- A submission was graded: who does something about that needn't wait until he looks again.
function Duties:wake()
  for _, duty in ipairs(self.list) do
    if duty.task and duty.body.wake then duty.body:wake() end
  end
end

--- Ends them, and waits until they have ended.
---@async
function Duties:stop()
  for _, duty in ipairs(self.list) do
    if duty.task then duty.body:stop() end
  end
  local until_ms = host.clock.monotonic_ms() + END_MS
  for _, duty in ipairs(self.list) do
    while duty.task and not duty.task:done() and host.clock.monotonic_ms() < until_ms do host.clock.sleep_ms(5) end
    if duty.task then
      if not duty.task:done() then duty.task:cancel("the worker ends") end
      duty.task:join()
      duty.task = nil
    end
  end
end

--- Does each of them once, for a worker that ends with the queue: what makes messages before it, all else after it.
---@async
---@param when "before"|"after"
function Duties:once(when)
  for _, duty in ipairs(self.list) do
    if (when == "before") == (duty.comes_first == true) and not self.is_hurried then guarded(duty, "run_once") end
  end
end

--- Cuts short what `once` is about. Waits for nothing.
function Duties:hurry()
  self.is_hurried = true
  for _, duty in ipairs(self.list) do
    if not duty.task then duty.body:stop() end
  end
end

--- Duties of a list.
---@param list Duty[]
---@return Duties
function duties.new(list)
  return setmetatable({ list = list }, Duties)
end

--- What the configuration asks for; none without a database.
---@param services Services with store, queue, cases, database
---@return Duties
function duties.of(services)
  local list = {}
  local settings = services.configuration
  if services.database and settings.database.final_grading then
    list[#list + 1] = { name = "final grading", comes_first = true, body = require("submitter.final_grading").new {
      database = services.database, store = services.store, queue = services.queue, cases = services.cases,
    } }
  end
  if services.database and settings.mail then
    list[#list + 1] = { name = "mail", body = assert(require("submitter.mail.mailer").new {
      database = services.database, store = services.store, settings = settings.mail,
    }) }
  end
  return duties.new(list)
end

return duties
