--- Result documents, schema 1: the whole truth of a grading, what its students see of it, and their table.
local csv = require "submitter.report.csv"
local host = require "submitter.host"
local report_case = require "submitter.report.case"
local verdicts = require "submitter.report.verdicts"

local report = {}

local SCHEMA = 1

local order = {
  "schema", "subid", "admin", "event", "assignment", "tokens", "mode", "verdict", "reason", "passed", "total",
  "points", "max_points", "cases", "limits", "policy", "source_sha256", "cases_sha256", "cases_source", "runner",
  "attempt", "run", "submitted_at", "started_at", "finished_at",
}
local tokens_order = { "known", "unknown" }
local limits_order = { "memory_bytes", "cpu_ms", "wall_ms", "output_bytes", "processes", "file_bytes" }
local policy_order = { "name", "sha256" }
local runner_order = { "kind", "language", "version", "accounting", "image", "image_id" }
local error_order = { "schema", "subid", "admin", "event", "assignment", "mode", "verdict", "reason", "class", "at" }

local everything = { input = true, expected = true, actual = true, stderr = true }

local function pick(names, source)
  if source == nil or source == host.json.null then return host.json.null end
  local picked = {}
  for _, name in ipairs(names) do
    if source[name] == nil then picked[name] = host.json.null else picked[name] = source[name] end
  end
  return host.json.ordered(names, picked)
end

local function moment(epoch_ms)
  return epoch_ms and host.clock.utc(epoch_ms) or host.json.null
end

local function text(value)
  return value and host.text.repair(value) or host.json.null
end

-- A key may hold any bytes; a document must not.
local function identify(job)
  local location = job.location or {}
  return {
    schema = SCHEMA, subid = text(location.subid), admin = text(location.admin), event = text(location.event),
    assignment = text(location.assignment), mode = job.mode,
  }
end

--- The whole truth about a job that was graded or rejected.
---@param job table README.md of `submitter.pipeline` has the fields
---@return table document ready for `host.json.encode`
function report.document(job)
  local document = identify(job)
  document.tokens = pick(tokens_order, job.team)
  document.verdict = job.verdict
  document.reason = text(job.reason)
  document.passed = job.passed or 0
  document.total = job.results and #job.results or 0
  document.points = job.points or 0
  document.max_points = job.max_points or 0
  document.cases = host.json.array(job.results or {})
  document.limits = pick(limits_order, job.policy and job.policy.limits)
  document.policy = pick(policy_order, job.policy and {
    name = host.text.repair(job.policy.name), sha256 = job.policy.sha256,
  })
  document.source_sha256 = job.source_sha256 or host.json.null
  document.cases_sha256 = job.cases_sha256 or host.json.null
  document.cases_source = job.cases_source or host.json.null
  document.runner = pick(runner_order, job.runner_description)
  document.attempt = job.attempt or 1
  document.run = job.run or 1
  document.submitted_at = moment(job.submitted_ms)
  document.started_at = moment(job.started_ms)
  document.finished_at = moment(host.clock.now_ms())
  -- Which regrade it answers, so that its message isn't answered twice; only there when one was asked for.
  document.regrade = job.regrade
  return host.json.ordered(order, document)
end

--- The same result under other numbers.
---@param document table of `report.document`, or one that was read from JSON
---@param attempt integer
---@param run integer
---@return table document another
function report.renumbered(document, attempt, run)
  local copy = {}
  for name, value in pairs(document) do copy[name] = value end
  copy.tokens, copy.limits = pick(tokens_order, document.tokens), pick(limits_order, document.limits)
  copy.policy, copy.runner = pick(policy_order, document.policy), pick(runner_order, document.runner)
  copy.cases = host.json.array {}
  for index, record in ipairs(document.cases) do copy.cases[index] = report_case.view(record, everything) end
  copy.attempt, copy.run = attempt, run
  return host.json.ordered(order, copy)
end

--- Why a submission couldn't be graded, where that wasn't its own fault.
---@param job table
---@param class string the failure's code
---@param reason string
---@return table document
function report.failure(job, class, reason)
  local document = identify(job)
  document.verdict = "IE"
  document.reason = text(reason)
  document.class = class
  document.at = moment(host.clock.now_ms())
  return host.json.ordered(error_order, document)
end

-- What a policy is asked about. Of a record that was read from JSON less is known, and its points are those that were earned.
local function subject(case, record)
  local about = case or record
  return {
    number = about.number, name = about.name, form = about.form, input = about.input, expected = about.expected,
    points = case and case.points, visibility = case and case.visibility, verdict = record.verdict,
  }
end

--- What its students see of a result.
---@param truth table a document of `report.document`, or one that was read from JSON
---@param policy Policy|nil without one nothing is hidden; only right where there are no cases
---@param cases table[]|nil the case records, for what the document doesn't hold of them: also who may see each, where that
--- stands beside the case
---@return table|nil document
---@return string|nil message
---@return string|nil code "policy"
---@return string|nil told the message for students
function report.view(truth, policy, cases)
  local view, seen_reason = {}, truth.reason
  for _, field in ipairs(order) do view[field] = truth[field] end
  view.tokens = pick(tokens_order, truth.tokens)
  view.limits = pick(limits_order, truth.limits)
  view.policy = pick(policy_order, truth.policy)
  view.runner = pick(runner_order, truth.runner)
  view.cases = host.json.array {}
  local every = everything
  if policy then every = policy:show_every(truth.mode, cases or {}) end
  local decided, has_hidden_cases = false, false
  for index, record in ipairs(truth.cases) do
    local shown = every
    if shown == nil then
      local message, code, told
      shown, message, code, told = policy:show(subject(cases and cases[index], record), truth.mode)
      if shown == nil then return nil, message, code, told end
    end
    has_hidden_cases = has_hidden_cases or not (shown and shown.input and shown.expected)
    view.cases[index] = report_case.view(record, shown)
    if not decided and record.verdict ~= "AC" and record.verdict ~= "SKIP" then
      decided = true
      if not (shown and shown.expected and shown.actual) then
        -- No clock, exit code or signal, by which a program could tell what it was given.
        seen_reason = ("case %d: %s"):format(record.number, verdicts[record.verdict] or record.verdict)
      end
    end
  end
  view.reason = seen_reason
  -- Whoever knows most of the cases could guess the rest and see by the hash whether he is right.
  if has_hidden_cases then view.cases_sha256 = host.json.null end
  return host.json.ordered(order, view)
end

--- The table of a document.
---@param document table
---@return string
function report.csv(document)
  return csv.render(document)
end

return report
