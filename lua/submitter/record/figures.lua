--- A result document as rows: every figure in its column, every text legible. What isn't there, or can't be what it says, is
--- NULL or nothing where the column allows that, and else refused before anything is asked of the database.
local host = require "submitter.host"
local legible = require "submitter.record.legible"

local figures = {}

local case_verdicts = { AC = true, WA = true, TLE = true, MLE = true, OLE = true, RTE = true, SKIP = true }

--- Tokens in lower case, each once, sorted: what is written as several may be one.
---@param tokens string[]|nil
---@return string[]
function figures.tokens(tokens)
  local list, seen = {}, {}
  for _, token in ipairs(tokens or {}) do
    token = token:lower()
    if not seen[token] then
      seen[token] = true
      list[#list + 1] = token
    end
  end
  table.sort(list)
  return list
end

---@class RecordedResult a result's row and what belongs to it
---@field administrator string
---@field event string
---@field assignment string
---@field subid string
---@field mode "test"|"grade"
---@field attempt integer
---@field run integer
---@field verdict string
---@field reason string|nil
---@field passed integer
---@field total integer
---@field points number
---@field max_points number
---@field source_sha256 string
---@field submitted_at string RFC 3339, as the next two
---@field started_at string
---@field finished_at string
---@field report string JSON
---@field cases table[] the document's
---@field tokens string[]

local function refuse(location, field)
  return nil, ("the result of %s/%s in the bucket has no usable %s, so it can't be recorded; remove it there and have "
    .. "the submission graded anew"):format(legible.name(location.base), location.subid, field), "invalid"
end

local function count(value, least)
  local whole = legible.integer(value, 32)
  return whole and whole >= least and whole or nil
end

-- A hash, or nil where there is none.
local function hash(value)
  return type(value) == "string" and #value == 64 and not value:find "[^0-9a-f]" and value or nil
end

local sources = { postgres = true, bucket = true, files = true }

-- The figures that a result can't be without.
local function required(job, document)
  local finished_at = legible.moment(document.finished_at)
  local started_at = legible.moment(document.started_at) or finished_at
  return {
    mode = document.mode == job.mode and document.mode or nil,
    attempt = count(document.attempt, 1), run = count(document.run, 1),
    verdict = (case_verdicts[document.verdict] or document.verdict == "REJ") and document.verdict or nil,
    passed = count(document.passed, 0), total = count(document.total, 0),
    points = legible.number(document.points), max_points = legible.number(document.max_points),
    source_sha256 = hash(document.source_sha256), finished_at = finished_at, started_at = started_at,
    -- Of a submission whose document isn't there nobody knows when it was handed in.
    submitted_at = legible.moment(document.submitted_at) or started_at,
  }
end

local needed = {
  "mode", "attempt", "run", "verdict", "passed", "total", "points", "max_points", "source_sha256", "finished_at",
}

local left_out = { cases = true }

--- What a document says, in the form of the columns.
---@param job table location, mode; optional: document (its tokens)
---@param document table the whole truth
---@return RecordedResult|nil
---@return string|nil message
---@return "invalid"|nil code
function figures.result(job, document)
  local location = job.location
  local result = required(job, document)
  for _, field in ipairs(needed) do
    if result[field] == nil then return refuse(location, field) end
  end
  local policy = type(document.policy) == "table" and document.policy or {}
  result.administrator, result.event, result.assignment = legible.place(location)
  result.subid = location.subid
  result.reason, result.regrade = legible.optional(document.reason), legible.optional(document.regrade)
  result.cases_sha256, result.policy_sha256 = hash(document.cases_sha256), hash(policy.sha256)
  result.cases_source = sources[document.cases_source] and document.cases_source or nil
  result.report = legible.json(document, left_out)
  result.cases = type(document.cases) == "table" and document.cases or {}
  result.tokens = figures.tokens(job.document and job.document.tokens)
  return result
end

local function or_null(value)
  if value == nil then return host.postgres.null end
  return value
end

--- The parameters of the statement `put_result`.
---@param submission_id integer
---@param result RecordedResult
---@return table
function figures.result_row(submission_id, result)
  return {
    submission_id, result.mode, result.attempt, result.run, result.verdict, or_null(result.reason), result.passed,
    result.total, result.points, result.max_points, result.source_sha256, or_null(result.cases_sha256),
    or_null(result.cases_source), or_null(result.policy_sha256), or_null(result.regrade), result.submitted_at,
    result.started_at, result.finished_at, result.report,
  }
end

--- A row of the statement `copy_case_results`.
---@param result_id integer
---@param run integer
---@param last integer the number of the case before: numbers only grow
---@param case table of a document
---@return table row its third element is the case's number
function figures.case_row(result_id, run, last, case)
  local number = legible.integer(case.number, 32)
  if not number or number <= last then number = last + 1 end
  return {
    result_id, run, number, case_verdicts[case.verdict] and case.verdict or "SKIP", case.pass == true,
    legible.number(case.points) or 0,
    legible.optional(case.input) or "", legible.optional(case.expected) or "", legible.optional(case.actual) or "",
    case.actual_truncated == true, legible.optional(case.stderr) or "", or_null(legible.optional(case.note)),
    or_null(legible.integer(case.exit_code, 32)), or_null(legible.optional(case.signal)),
    or_null(legible.integer(case.cpu_ms, 64)), or_null(legible.integer(case.wall_ms, 64)),
    or_null(legible.integer(case.memory_bytes, 64)),
  }
end

return figures
