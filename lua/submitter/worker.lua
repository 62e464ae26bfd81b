--- The worker: takes messages from the queue, as many as it has slots for, has each graded in a task of its own while
--- its lease is kept beside it, and decides what becomes of the message. It ends when told to, never through a
--- submission.
local cases = require "submitter.cases"
local duties = require "submitter.duties"
local grading = require "submitter.grading"
local heartbeat = require "submitter.heartbeat"
local host = require "submitter.host"
local lease = require "submitter.lease"
local needs = require "submitter.needs"
local notify = require "submitter.notify"
local outage = require "submitter.outage"
local pipeline = require "submitter.pipeline"
local retry = require "submitter.retry"
local services = require "submitter.services"
local submission = require "submitter.submission"

local worker = {}

-- How long one wait for messages lasts; it ends as soon as one comes, so this only bounds how stale a connection
-- gets.
local RECEIVE_MS = 20000
-- How often `once` looks whether others have finished what they hold.
local ONCE_FIRST_MS, ONCE_LONGEST_MS = 20, 500
-- For so long `once` waits for what every submission needs and went away: the database, an engine of containers.
local ONCE_AWAY_MS = 30000
-- After so many answers in a row that only somebody else's change could better (a right, a key, a queue that isn't there)
-- `once` gives up.
local ONCE_REFUSALS = 5
-- When the queue can't be reached; and when it won't be before somebody changes something.
local TROUBLE_FIRST_MS, TROUBLE_LONGEST_MS, PERMANENT_LONGEST_MS = 200, 10000, 60000
-- How often word is left of the last good poll.
local TELL_MS = 5000
-- A queue whose counts are exact is empty when one look says so. Others have rules of their own (`queue.once`).
local EXACT = { wait_ms = 0, looks = 1 }

---@class Worker
---@field last_poll_ms integer|nil when the queue last answered a poll; wall clock
local Worker = {}
Worker.__index = Worker

--- A worker over the opened parts of a configuration (`services.open`).
---@async
---@param parts table configuration, store, queue, jobs; optional: cases (default: those of the bucket), database, duties
--- (of submitter.duties), policy_directory, runner (default: those of the configuration), steps (default:
--- `pipeline.steps()`)
---@return Worker|nil
---@return string|nil message
---@return string|nil code
function worker.new(parts)
  for _, name in ipairs { "configuration", "store", "queue", "jobs" } do
    if not parts[name] then
      error(("worker.new: %s is missing; it takes what services.open returns"):format(name), 2)
    end
  end
  local runner = parts.runner
  if not runner then
    local message, code
    runner, message, code = require("submitter.runner").open(parts.configuration, parts)
    if not runner then return nil, message, code end
  end
  local recorder = parts.database and require("submitter.record").new {
    database = parts.database, mail = parts.configuration.mail and parts.configuration.mail.modes or false,
  }
  return setmetatable({
    configuration = parts.configuration, store = parts.store, queue = parts.queue, jobs = parts.jobs,
    cases = parts.cases or cases.bucket_source { store = parts.store }, recorder = recorder,
    database = parts.database, duties = parts.duties or duties.new {},
    policy_directory = parts.policy_directory, runner = runner, steps = parts.steps or pipeline.steps(),
    needs = needs.of(parts.database, runner),
    in_flight = 0, stopping = false, waits_for_messages = false, changed = host.task.event(), graded = {},
    outage = outage.new(),
  }, Worker)
end

-- Only one grading of a submission at a time, of whichever mode: after the end of an event the one becomes the other. The
-- next waits, its lease kept by the task beside it.
function Worker:alone(request, action)
  local name = request.location.base .. "/" .. request.location.subid
  while self.graded[name] do self.graded[name]:wait() end
  local finished = host.task.event()
  self.graded[name] = finished
  local returned, outcome = xpcall(action, debug.traceback)
  self.graded[name] = nil
  finished:set()
  if not returned then error(outcome, 0) end
  return outcome
end

-- Which of several outcomes decides about the message that announced them all.
local weight = { done = 0, dead = 1, retry = 2, lost = 3 }

-- Two outcomes of one message. Of what is given up nothing goes unsaid.
local function merge(decisive, outcome)
  if weight[outcome.kind] > weight[decisive.kind] then return outcome end
  if outcome.kind == "dead" and decisive.kind == "dead" then
    decisive.reason = ("%s; %s: %s"):format(decisive.reason, outcome.subid, outcome.reason)
  end
  return decisive
end

-- A record that can't be read never will be: the message is put away for it, once there is nothing left to try. What was
-- graded stands.
local function with_failed_records(outcome, failed)
  if #failed == 0 or outcome.kind == "retry" or outcome.kind == "lost" then return outcome end
  local reason = notify.reason(failed)
  if outcome.kind == "done" then return { kind = "dead", reason = reason, class = "message" } end
  outcome.reason = outcome.reason .. "; " .. reason
  return outcome
end

-- Whether a message that fails once more is given up: never for what isn't its fault.
function Worker:is_last(message)
  return message.failures + 1 >= self.configuration.failure_limit and not self.outage.is_on
    and not self.needs:problem()
end

function Worker:grade(message, kept)
  local requests, skipped, failed = submission.parse_message(message.body)
  if not requests then return { kind = "dead", reason = skipped, class = failed } end
  if #requests == 0 and #failed == 0 then
    local reason = skipped[1] and skipped[1].reason or "it has no records"
    host.log.debug("message_announces_nothing", { id = message.id, reason = reason })
  end
  -- Asked when something failed: it is then that what all need may be known to be away.
  local function is_last() return self:is_last(message) end
  local decisive = { kind = "done" }
  for _, request in ipairs(requests) do
    local outcome = self:alone(request, function() return grading.grade(self, request, kept, is_last) end)
    decisive = merge(decisive, outcome)
    if outcome.kind == "lost" then break end
  end
  if decisive.kind == "retry" and is_last() then decisive.kind = "dead" end
  decisive.was_tried = #requests > 0
  return with_failed_records(decisive, failed)
end

-- What isn't the message's fault isn't counted against it: it is given back. A worker that is to end with the queue has no
-- other end for what can't be graded than to give it up; but while something that all need is away that ends the worker
-- (`serve_once`).
function Worker:notice(message, outcome)
  local is_known = self.needs:problem() ~= nil
  if self.once then
    if is_known and outcome.kind == "retry" and outage.may_explain(outcome) then outcome.kind = "put_off" end
    return
  end
  local change = self.outage:note(message.id, outcome, is_known)
  if change == "began" then
    host.log.error("outage_began", { reason = outcome.reason, class = outcome.class,
      hint = "one message at a time is tried until one can be graded; none of them counts it as a failure" })
  elseif change == "ended" then
    host.log.info("outage_ended", {})
  end
  local reason = outcome.reason or self.outage_problem
  self.outage_problem = self.outage.is_on and "nothing can be graded: " .. reason or nil
  if outcome.kind == "retry" and self.outage:explains(outcome) then outcome.kind = "put_off" end
end

-- The queue's answer to what was decided; when it can't take it, the message comes again by itself.
function Worker:settle(message, outcome)
  local failed = outcome.kind == "dead" or outcome.kind == "retry"
  local fields = {
    id = message.id, reason = outcome.reason, class = outcome.class, failures = message.failures + (failed and 1 or 0),
    subid = outcome.subid, mode = outcome.mode, assignment = outcome.assignment,
  }
  local done, problem, code
  if outcome.kind == "lost" then
    host.log.warn("lease_lost", fields)
    return
  elseif outcome.kind == "done" then
    done, problem, code = self.queue:delete(message)
  elseif outcome.kind == "dead" then
    host.log.warn("submission_failed", fields)
    done, problem, code = self.queue:dead_letter(message, outcome.reason, outcome.class)
  elseif outcome.kind == "put_off" then
    fields.delay_ms = retry.delay_ms(message.receives - 1, self.configuration.retry_delay_ms)
    host.log.info("submission_put_off", fields)
    done, problem, code = self.queue:release(message, fields.delay_ms)
  else
    fields.delay_ms = retry.delay_ms(message.failures, self.configuration.retry_delay_ms)
    host.log.info("submission_retried", fields)
    done, problem, code = self.queue:fail(message, fields.delay_ms)
  end
  if not done then
    host.log.warn("message_not_settled", { id = message.id, kind = outcome.kind, reason = problem, class = code })
  end
end

function Worker:attend(message)
  local this = host.task.current()
  local kept = lease.keep {
    queue = self.queue, message = message, visibility_ms = self.configuration.visibility_ms,
    on_lost = function(reason) this:cancel(reason) end,
  }
  local returned, outcome = xpcall(self.grade, debug.traceback, self, message, kept)
  -- A cancellation that comes as late as this hits the wait for the lease's own end; the lease says what it meant.
  if not pcall(kept.stop, kept) then kept:stop() end
  if kept.lost then
    outcome = { kind = "lost", reason = "the message belongs to another worker by now", class = "lease_lost" }
  elseif not returned then
    host.log.error("submission_error", { id = message.id, traceback = outcome })
    local is_last = message.failures + 1 >= self.configuration.failure_limit
    outcome = {
      kind = is_last and "dead" or "retry", reason = "internal error: " .. outcome:match("^[^\n]*"), class = "internal",
    }
  end
  self:notice(message, outcome)
  self:settle(message, outcome)
  self.duties:wake()
end

function Worker:begin(message)
  self.in_flight = self.in_flight + 1
  host.task.spawn("message " .. message.id, function()
    local returned, problem = xpcall(self.attend, debug.traceback, self, message)
    if not returned then
      host.log.error("submission_error", { id = message.id, traceback = problem })
    end
    self.in_flight = self.in_flight - 1
    self.changed:set()
  end)
end

-- Waits until a submission ended or the worker is told to stop.
function Worker:wait_for_change(timeout_ms)
  self.changed:wait(timeout_ms)
  self.changed:clear()
end

-- Leaves word of the last poll for `submitter status`: at once when the queue falls silent or answers again, else now and
-- then.
function Worker:tell(problem)
  local now_ms = host.clock.monotonic_ms()
  if problem == self.told_problem and now_ms < (self.told_ms or -TELL_MS) + TELL_MS then return end
  self.told_problem, self.told_ms = problem, now_ms
  local told, message = self.jobs:tell { last_poll_ms = self.last_poll_ms, problem = problem }
  if not told then host.log.warn("worker_state_not_written", { reason = message }) end
end

-- How many submissions may be in flight now. In an outage one is enough to find out whether it is over.
function Worker:slots()
  return self.outage.is_on and 1 or self.configuration.slots
end

-- Messages for the free slots. A wait for them, and nothing else, is cut short by `stop`.
function Worker:receive(wait_ms)
  local options = {
    max = self:slots() - self.in_flight, wait_ms = wait_ms,
    visibility_ms = self.configuration.visibility_ms,
  }
  self.waits_for_messages = wait_ms > 0
  local returned, messages, problem, code = pcall(self.queue.receive, self.queue, options)
  self.waits_for_messages = false
  if not returned then
    if self.stopping and wait_ms > 0 then return {} end
    error(messages, 0)
  end
  if messages then self.last_poll_ms = host.clock.now_ms() end
  self:tell(not messages and problem or self.outage_problem or self.needs:problem())
  return messages, problem, code
end

-- Waits, whatever ends meanwhile, and with jitter, so that many workers don't come back together.
function Worker:pause(longest_ms)
  local until_ms = host.clock.monotonic_ms() + longest_ms // 2 + math.random(0, longest_ms // 2)
  while not self.stopping and host.clock.monotonic_ms() < until_ms do
    self:wait_for_change(math.max(1, until_ms - host.clock.monotonic_ms()))
  end
end

-- The queue gave no answer: waits longer and longer.
function Worker:trouble(problem, code)
  local longest_ms = code == "environment" and PERMANENT_LONGEST_MS or TROUBLE_LONGEST_MS
  self.pause_ms = math.min((self.pause_ms or TROUBLE_FIRST_MS // 2) * 2, longest_ms)
  host.log.warn("queue_unavailable", { reason = problem, class = code, pause_ms = self.pause_ms,
    last_poll = self.last_poll_ms and host.clock.utc(self.last_poll_ms) or "none yet" })
  self:pause(self.pause_ms)
end

-- Begins what one poll brings.
function Worker:take()
  local messages, problem, code = self:receive(RECEIVE_MS)
  if not messages then return self:trouble(problem, code) end
  self.pause_ms = nil
  for _, message in ipairs(messages) do self:begin(message) end
end

-- Polls until told to stop.
function Worker:serve()
  while not self.stopping do
    if self.in_flight >= self:slots() then
      self:wait_for_change()
    else
      if self.outage.is_on then self:pause(self.outage:next_pause_ms()) end
      if not self.stopping then self:take() end
    end
  end
end

-- Polls until the queue holds nothing, also nothing that another worker has or that waits for its next try. Returns why it
-- gave up, where the queue goes on refusing or something that all submissions need stays away.
function Worker:serve_once()
  local rules = self.queue.once or EXACT
  local pause_ms, found_nothing, refusals = ONCE_FIRST_MS, 0, 0
  while not self.stopping do
    local lacking, class = self.needs:lacking(ONCE_AWAY_MS)
    if lacking then return lacking, class end
    if self.in_flight >= self.configuration.slots then
      self:wait_for_change()
    else
      local messages, problem, code = self:receive(rules.wait_ms)
      local depth
      if messages and #messages == 0 then
        depth, problem, code = self.queue:depth()
        local empty = depth and self.in_flight == 0 and depth.ready + depth.held == 0
        found_nothing = empty and found_nothing + 1 or 0
        if found_nothing >= rules.looks then return end
      end
      if not messages or #messages == 0 and not depth then
        refusals = code == "environment" and refusals + 1 or 0
        if refusals >= ONCE_REFUSALS then return problem, code end
        self:trouble(problem, code)
      elseif #messages > 0 then
        self.pause_ms, pause_ms, found_nothing = nil, ONCE_FIRST_MS, 0
        for _, message in ipairs(messages) do self:begin(message) end
      else
        self:wait_for_change(pause_ms)
        pause_ms = math.min(pause_ms * 2, ONCE_LONGEST_MS)
      end
    end
  end
end

--- Takes nothing new from now on. `run` returns when what is in flight has ended.
function Worker:stop()
  if self.stopping then return end
  self.stopping = true
  self.changed:set()
  if self.once then self.duties:hurry() end
  if self.waits_for_messages then self.poller:cancel("the worker stops") end
end

-- Where nothing can be graded, messages are better left in the queue than taken and failed. What is only away may come
-- back: that is waited for, but not by a worker that ends with the queue.
function Worker:prepare(once)
  local warm, message, code = self.runner:warm(self.configuration.slots)
  if not warm and (once or code ~= "unavailable") then return nil, message, code end
  if not warm then host.log.error("runner_not_ready", { reason = message, class = code }) end
  if once then
    message, code = self.needs:lacking(0)
    if message then return nil, message, code end
  end
  return true
end

function Worker:work(once)
  local prepared, message, code = self:prepare(once)
  if not prepared then return nil, message, code end
  local description = self.runner:describe()
  host.log.info("worker_started", {
    slots = self.configuration.slots, once = once, runner = description.kind, image = description.image,
    python = description.version,
    accounting = description.accounting, processors = self.configuration.processors,
    bucket = services.describe(self.configuration.bucket), queue = services.describe(self.configuration.queue),
    database = self.database and self.database:describe(),
  })
  if once then self.duties:once "before" else self.duties:start() end
  local returned, problem, class = xpcall(once and self.serve_once or self.serve, debug.traceback, self)
  -- When messages came at the moment of `stop`, its cancellation is delivered at the next wait: let it be this one.
  pcall(host.clock.sleep_ms, 1)
  while self.in_flight > 0 do self:wait_for_change() end
  if once then self.duties:once "after" else self.duties:stop() end
  if not returned then return nil, "the worker failed: " .. problem, "internal" end
  if problem then return nil, problem, class end
  host.log.info("worker_stopped", {})
  return true
end

--- Grades what comes, until SIGTERM, SIGINT or `stop`; with `once`, until the queue holds no message, visible or not.
--- What is in flight is always finished.
---@async
---@param options {once:boolean|nil}|nil
---@return true|nil
---@return string|nil message
---@return string|nil code
function Worker:run(options)
  self.poller, self.once = host.task.current(), options ~= nil and options.once == true
  local handles = {}
  for _, signal in ipairs { "TERM", "INT" } do
    handles[#handles + 1] = host.task.on_signal(signal, function(name)
      host.log.info("worker_stopping", { signal = name, in_flight = self.in_flight })
      self:stop()
    end)
  end
  local life = heartbeat.start(self)
  local done, message, code = self:work(self.once)
  life:stop()
  self.runner:close()
  for _, handle in ipairs(handles) do handle:close() end
  return done, message, code
end

return worker
