--- What a worker that serves does by itself when an event is over: queues its submissions for the grade cases, once.
---
--- Of many workers one does it: it holds an advisory lock while it queues, and then notes in the same transaction that it is
--- done. A crash half-way leaves no note, and the next does all of it again with the same regrade id, under which nothing is
--- graded twice (`pipeline/truth.lua`).
local assignments = require "submitter.database.statements.gradebook"
local host = require "submitter.host"
local key = require "submitter.key"
local path = require "submitter.path"
local regrade = require "submitter.regrade"
local schema = require "submitter.schema"
local sql = require "submitter.database.statements.final_grading"
local submissions = require "submitter.submissions"

local final_grading = {}

-- For so long an end has to be over: what was uploaded just before it must be in the bucket, by whichever clock.
local GRACE_MS = 10000
-- How often it is asked for events that have ended, and how often while the database or the queue is away.
local ASK_MS = 60000
local TROUBLE_FIRST_MS, TROUBLE_LONGEST_MS = 5000, 5 * 60 * 1000
-- So many messages between two signs of life on the connection that holds the lock.
local SLICE = 200

---@class FinalGrading
local FinalGrading = {}
FinalGrading.__index = FinalGrading

local form = "final_grading.new{ database =, store =, queue =, cases =, log = }"
local names = { database = true, store = true, queue = true, cases = true, log = true, grace_ms = true }

--- What queues the final gradings of all events in the database.
---@param options {database:table, store:table, queue:table, cases:table, log:table|nil, grace_ms:integer|nil} cases: a source;
--- grace_ms: how long after its end an event is graded, default 10 s; log and grace_ms are for specs
---@return FinalGrading
function final_grading.new(options)
  schema.check_options(options, names, form)
  for _, name in ipairs { "database", "store", "queue", "cases" } do
    if not options[name] then error(("%s is missing; expected %s"):format(name, form), 2) end
  end
  return setmetatable({
    database = options.database, store = options.store, queue = options.queue, cases = options.cases,
    log = options.log or host.log, grace_s = (options.grace_ms or GRACE_MS) / 1000, stopping = false,
    woken = host.task.event(),
  }, FinalGrading)
end

---@class DueEvent
---@field id integer
---@field administrator string
---@field event string
---@field ends_ms integer
---@field ends_us integer the same in microseconds, exactly as it is stored
---@field regrade string the id that its messages have

local function to_events(result)
  local events = {}
  for index, row in ipairs(result.rows) do
    events[index] = {
      id = row.id, administrator = row.administrator, event = row.event, ends_ms = row.ends_at, ends_us = row.ends_us,
      regrade = ("final-%d-%d"):format(row.id, row.ends_us),
    }
  end
  return events
end

--- The events that are over and have not been queued, the earliest end first.
---@async
---@return DueEvent[]|nil
---@return string|nil message
---@return string|nil code
function FinalGrading:due()
  local result, message, code = self.database:query(sql.read_due, { 0, self.grace_s }, { safe = true })
  if not result then return nil, message, code end
  return to_events(result)
end

-- Whether the assignment of a submission has grade cases; unreadable ones are there, and their instructor is told by the grading.
local function has_cases(self, location)
  local found, message, code = self.cases:read {
    location = location, mode = "grade", names = key.names(location, "grade"),
  }
  if found or code == "instructor" then return true end
  if code == "not_found" then return false, message end
  return nil, message, code
end

-- All that lies below a path. Where that is more than one list takes: what lies below its assignments that the database knows.
local function below(self, event)
  local base = event.administrator .. "/" .. event.event
  local where, message, code = path.parse(base)
  if not where then return nil, message, code end
  local found
  found, message, code = submissions.below(self.store, where)
  if found or code ~= "too_large" then return found, message, code end
  local known
  known, message, code = self.database:query(assignments.read_assignments, { event.administrator, event.event, "" },
    { safe = true })
  if not known then return nil, message, code end
  local all = {}
  for _, one in ipairs(known.rows) do
    where, message, code = path.parse(base .. "/" .. one.assignment)
    if not where then return nil, message, code end
    found, message, code = submissions.below(self.store, where)
    if not found then return nil, message, code end
    table.move(found, 1, #found, #all + 1, all)
  end
  return all
end

-- The event's submissions, without those of assignments that have no grade cases.
local function gather(self, event)
  local found, message, code = below(self, event)
  if not found then return nil, message, code end
  local wanted, answers = {}, {}
  for _, one in ipairs(found) do
    local assignment = one.location.root .. one.location.base
    if answers[assignment] == nil then
      answers[assignment], message, code = has_cases(self, one.location)
      if answers[assignment] == nil then return nil, message, code end
      if not answers[assignment] then
        self.log.info("final_grading_skipped", { assignment = one.location.base, reason = message,
          hint = "when the cases are there: submitter regrade ADMIN/EVENT/ASSIGNMENT --mode grade" })
      end
    end
    if answers[assignment] then wanted[#wanted + 1] = one end
  end
  return wanted
end

local function send(self, transaction, event, wanted)
  for first = 1, #wanted, SLICE do
    if self.stopping then return nil, "the worker stops", "stopped" end
    local here, message, code = transaction:query(sql.stay)
    if not here then return nil, message, code end
    local slice = table.move(wanted, first, math.min(first + SLICE - 1, #wanted), 1, {})
    local sent
    sent, message, code = regrade.send { queue = self.queue, submissions = slice, mode = "grade", id = event.regrade }
    if not sent then return nil, message, code end
  end
  return true
end

-- Queues under the lock, unless another worker has it or was here before. True and how many; false when it was another's.
local function queue_once(self, event, wanted)
  return self.database:transaction(function(transaction)
    local taken, message, code = transaction:query(sql.take, { event.id })
    if not taken then return nil, message, code end
    if not taken.rows[1].taken then return false end
    local due
    due, message, code = transaction:query(sql.read_due, { event.id, self.grace_s })
    if not due then return nil, message, code end
    if not due.rows[1] or due.rows[1].ends_us ~= event.ends_us then return false end
    local sent
    sent, message, code = send(self, transaction, event, wanted)
    if not sent then return nil, message, code end
    local noted
    noted, message, code = transaction:query(sql.insert_grading, { event.id, event.ends_us, event.regrade, #wanted })
    if not noted then return nil, message, code end
    return true
  end)
end

local function grade(self, event)
  local wanted, message, code = gather(self, event)
  if not wanted then return nil, message, code end
  local queued
  queued, message, code = queue_once(self, event, wanted)
  if queued == nil then return nil, message, code end
  if queued then
    self.log.info("final_grading_queued", { admin = event.administrator, event_name = event.event, queued = #wanted,
      regrade = event.regrade, ended = host.clock.utc(event.ends_ms) })
  end
  return queued
end

--- Queues the submissions of every event that is over and was not queued yet. One with which it can't be done doesn't keep the
--- others from it.
---@async
---@return integer|nil events that were queued by this call
---@return string|nil message of the first that couldn't be
---@return string|nil code
function FinalGrading:run_once()
  local events, message, code = self:due()
  if not events then return nil, message, code end
  local count, problem, class = 0, nil, nil
  for _, event in ipairs(events) do
    if self.stopping then break end
    local queued
    queued, message, code = grade(self, event)
    if queued == nil then
      problem = problem or ("%s/%s can't be queued for its final grading: %s"):format(event.administrator, event.event,
        message)
      class = class or code or "unavailable"
    elseif queued then
      count = count + 1
    end
  end
  if problem then return nil, problem, class end
  return count
end

-- How long until it is worth asking again: when the next event's end is over, at the latest after the usual time. With jitter, so
-- that many workers don't list the bucket together.
local function pause_ms(self)
  local jitter_ms = math.random(0, ASK_MS // 10)
  local result = self.database:query(sql.read_next, {}, { safe = true })
  local left_ms = result and result.rows[1] and result.rows[1].left_ms
  local next_ms = left_ms and left_ms + math.ceil(self.grace_s * 1000) or ASK_MS
  return math.min(next_ms, ASK_MS) + math.min(jitter_ms, next_ms // 10)
end

-- Told once, until it goes well again.
local function trouble(self, message, code)
  if not self.trouble_ms then
    self.log.warn("final_grading_unavailable", { reason = message, class = code,
      hint = "it is tried again by itself; submissions are graded meanwhile" })
  end
  local longest_ms = math.min(TROUBLE_LONGEST_MS, (self.trouble_ms or TROUBLE_FIRST_MS // 2) * 2)
  self.trouble_ms = longest_ms
  return longest_ms // 2 + math.random(0, longest_ms // 2)
end

--- Does it whenever an event ends, until told to stop or cancelled. An outage of database, bucket or queue is outlasted.
---@async
function FinalGrading:loop()
  while not self.stopping do
    local count, message, code = self:run_once()
    local wait_ms
    if self.stopping then return end
    if count then
      if self.trouble_ms then self.log.info("final_grading_available", {}) end
      self.trouble_ms = nil
      wait_ms = pause_ms(self)
    else
      wait_ms = trouble(self, message, code)
    end
    self.woken:wait(wait_ms)
  end
end

--- Ends the loop. What is being queued just now is left, and done anew by the next.
function FinalGrading:stop()
  self.stopping = true
  self.woken:set()
end

return final_grading
