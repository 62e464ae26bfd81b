--- The grade book from the bucket alone: a row for each submission and mode. The bucket knows no students, no end of an event,
--- and of each submission the latest attempt only.
local host = require "submitter.host"
local key = require "submitter.key"
local parallel = require "submitter.parallel"
local submission = require "submitter.submission"
local submissions = require "submitter.submissions"
local time = require "submitter.time"
local truth = require "submitter.pipeline.truth"

local bucket = {}

local AT_ONCE = 8
local ERROR_LIMIT_BYTES = 1 << 20
local modes = { "test", "grade" }

-- What lies there, by submission, in the order in which it was found.
local function gather(store, path)
  local groups, by_name = {}, {}
  local good, message, code = submissions.objects(store, path, function(object)
    local name = object.location.key
    local group = by_name[name]
    if not group then
      group = { location = object.location, present = {} }
      by_name[name], groups[#groups + 1] = group, group
    end
    -- Of what lies beside a submission, the errors alone say something about it.
    if object.part ~= "beside" or object.key:find("error.json", -10, true) then group.present[object.key] = true end
    return true
  end)
  if not good then return nil, message, code end
  return groups
end

local function failure_note(store, name)
  local text, message, code = store:get(name, { limit_bytes = ERROR_LIMIT_BYTES })
  if not text and code ~= "not_found" then return nil, message, code end
  local document = text and host.json.decode(text)
  local class = type(document) == "table" and document.class
  return "last grading failed" .. (type(class) == "string" and ": " .. class or "")
end

local function count_tokens(store, group)
  if not group.present[group.location.key] then return false end
  local text, message, code = store:get(group.location.key, { limit_bytes = submission.document_limit_bytes })
  if not text and code ~= "not_found" and code ~= "too_large" then return nil, message, code end
  local document = text and submission.parse(text, group.location)
  return document and #document.tokens or false
end

local function plain(value, kind)
  if type(value) == kind then return value end
  return nil
end

local function fill(row, document)
  row.verdict, row.points, row.max_points = document.verdict, plain(document.points, "number"),
    plain(document.max_points, "number")
  row.attempt, row.attempts = document.attempt, document.attempt
  row.submitted_ms = time.parse_ms(document.submitted_at)
end

local function read_row(store, group, mode)
  local location, names = group.location, key.names(group.location, mode)
  local row, notes = {
    event = location.event, assignment = location.assignment, mode = mode, attempts = 0, subid = location.subid,
    tokens = group.tokens or nil,
  }, {}
  if group.present[names.truth] then
    local job = { store = store, names = names }
    local done, message, code = truth.read(job)
    if not done and code ~= "too_large" then return nil, message, code end
    if job.truth then fill(row, job.truth) else notes[1] = "the result can't be read" end
  elseif not group.present[names.error] then
    notes[1] = "not graded yet"
  end
  if group.present[names.error] then
    local note, message, code = failure_note(store, names.error)
    if not note then return nil, message, code end
    notes[#notes + 1] = note
  end
  if not group.present[location.key] then notes[#notes + 1] = "its document is gone" end
  row.note = #notes > 0 and table.concat(notes, "; ") or nil
  return row
end

-- The modes that a submission has rows of: those asked for, else those in which something came of it.
local function modes_of(group, mode)
  if mode then return { mode } end
  local found = {}
  for _, one in ipairs(modes) do
    local names = key.names(group.location, one)
    if group.present[names.truth] or group.present[names.error] then found[#found + 1] = one end
  end
  return #found > 0 and found or { "test" }
end

--- The rows, in no order.
---@async
---@param options {store:table, path:Path, mode:"test"|"grade"|nil}
---@return GradebookRow[]|nil
---@return string|nil message
---@return string|nil code
function bucket.rows(options)
  local store = options.store
  local groups, message, code = gather(store, options.path)
  if not groups then return nil, message, code end
  local rows, done = {}
  done, message, code = parallel.each(groups, AT_ONCE, function(group)
    local problem, class
    group.tokens, problem, class = count_tokens(store, group)
    if group.tokens == nil then return nil, problem, class end
    for _, mode in ipairs(modes_of(group, options.mode)) do
      local row
      row, problem, class = read_row(store, group, mode)
      if not row then return nil, problem, class end
      rows[#rows + 1] = row
    end
    return true
  end)
  if not done then return nil, message, code end
  return rows
end

return bucket
