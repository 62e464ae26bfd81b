--- Removes what was handed in before a day, with all that came of it: from the bucket the submission's own objects and its whole
--- truths, from the database its row and what hangs on it. Never cases, students, tokens.
---
--- Order, for each submission: reports and truths; the row; the program; at last the document, by which all of it is found
--- again when this ended half-way. A newer upload saves a submission, also one that comes while this works: whether the program
--- and the document are still those that were found is looked at just before they are removed. Stores remove without
--- conditions, so that between that look and the removal a few milliseconds remain.
local key = require "submitter.key"
local legible = require "submitter.record.legible"
local parallel = require "submitter.parallel"
local schema = require "submitter.schema"
local sql = require "submitter.database.statements.purge"
local submissions = require "submitter.submissions"

local purge = {}

local AT_ONCE = 8
-- After so many failures in a row nothing else is tried.
local FAILURES = 5

---@class Purge
local Purge = {}
Purge.__index = Purge

local form = "purge.new{ store =, database =, path =, before_ms = }"
local names = { store = true, database = true, path = true, before_ms = true }

---@param options {store:table, database:table|nil, path:Path, before_ms:integer} before_ms: not in the future, for what is being
--- handed in is told by being newer
---@return Purge
function purge.new(options)
  schema.check_options(options, names, form)
  if not options.store or not options.path or math.type(options.before_ms) ~= "integer" then
    error("expected " .. form, 2)
  end
  return setmetatable({
    store = options.store, database = options.database, path = options.path, before_ms = options.before_ms,
  }, Purge)
end

---@class PurgeCandidate
---@field admin string
---@field event string
---@field assignment string
---@field subid string
---@field submitted_ms integer when it was uploaded, by whatever knows the latest
---@field objects integer how many the bucket holds of it
---@field places Location[] where it lies in the bucket; two where both spellings of its keys are in use
---@field has_row boolean whether the database knows it

local function candidate_of(found, parts)
  local name = ("%s/%s/%s"):format(parts.event, parts.assignment, parts.subid)
  local one = found.by_name[name]
  if not one then
    one = {
      admin = parts.admin, event = parts.event, assignment = parts.assignment, subid = parts.subid, submitted_ms = 0,
      objects = 0, places = {}, by_root = {}, has_row = false,
    }
    found.by_name[name], found[#found + 1] = one, one
  end
  return one
end

-- What was handed in is as old as the later of document and program; where neither is left, as the latest of the rest.
local function note_object(found, object)
  local one = candidate_of(found, object.location)
  local root = object.location.root
  local place = one.by_root[root]
  if not place then
    place = { location = object.location, rest_ms = 0 }
    one.by_root[root], one.places[#one.places + 1] = place, object.location
  end
  one.objects = one.objects + 1
  if object.part == "document" or object.part == "source" then
    place.handed_ms = math.max(place.handed_ms or 0, object.modified_ms)
  else
    place.rest_ms = math.max(place.rest_ms, object.modified_ms)
  end
end

local function read_rows(self, found)
  if not self.database then return true end
  local path = self.path
  local administrator, event, assignment = legible.place(path)
  local result, message, code = self.database:query(sql.read_submissions,
    { administrator, event, assignment, path.subid or "" }, { safe = true })
  if not result then return nil, message, code end
  for _, row in ipairs(result.rows) do
    local one = candidate_of(found, {
      admin = path.admin, event = row.event, assignment = row.assignment, subid = row.subid,
    })
    one.has_row = true
    one.submitted_ms = math.max(one.submitted_ms, row.submitted_at)
  end
  return true
end

local function describe(one)
  return ("%s/%s/%s/%s"):format(one.admin, one.event, one.assignment, one.subid)
end

--- What would be removed.
---@async
---@return PurgeCandidate[]|nil sorted by their paths
---@return string|integer message, or how many submissions are too new
---@return string|nil code
function Purge:find()
  local found = { by_name = {} }
  local done, message, code = submissions.objects(self.store, self.path, function(object)
    note_object(found, object)
    return true
  end)
  if not done then return nil, message, code end
  for _, one in ipairs(found) do
    for _, place in pairs(one.by_root) do
      one.submitted_ms = math.max(one.submitted_ms, place.handed_ms or place.rest_ms)
    end
    one.by_root = nil
  end
  done, message, code = read_rows(self, found)
  if not done then return nil, message, code end
  local old = {}
  for _, one in ipairs(found) do
    if one.submitted_ms < self.before_ms then old[#old + 1] = one end
  end
  table.sort(old, function(left, right) return describe(left) < describe(right) end)
  return old, #found - #old
end

local function refuse_role(role)
  return nil, ("the database role %s may not remove submissions: purge as a role that is a member of "
    .. "submitter_instructor (GRANT submitter_instructor TO …); database.url or SUBMITTER_DATABASE_URL says which one "
    .. "is used"):format(role), "environment"
end

-- Before anything is removed from the bucket whose row would then stay.
local function check_right(self)
  if not self.database then return true end
  local result, message, code, details = self.database:query(sql.read_right, {}, { safe = true })
  if not result then
    if details and details.sqlstate == "42501" then return refuse_role "in use" end
    return nil, message, code
  end
  local row = result.rows[1]
  if not row.may_delete then return refuse_role(row.role) end
  return true
end

-- What is there of an object now; false when there is none.
local function look(store, name)
  local about, message, code = store:head(name)
  if about then return about end
  if code == "not_found" then return false end
  return nil, message, code
end

local function is_same(before, now)
  return before and before.modified_ms == now.modified_ms and before.size_bytes == now.size_bytes
    and before.etag == now.etag
end

local NEWER = "uploaded anew meanwhile"

-- Program and document as they are; false when either is too new.
local function look_at_place(self, location)
  local own = key.names(location, "test")
  local place = { location = location }
  for _, name in ipairs { "source", "document" } do
    local about, message, code = look(self.store, own[name])
    if about == nil then return nil, message, code end
    if about and about.modified_ms >= self.before_ms then return false end
    place[name] = { key = own[name], about = about }
  end
  return place
end

local function delete(self, name, outcome)
  local done, message, code = self.store:delete(name)
  if not done then return nil, message, code end
  outcome.objects = outcome.objects + 1
  return true
end

local function delete_reports(self, place, outcome)
  local objects, message, code = submissions.of(self.store, place.location)
  if not objects then return nil, message, code end
  for _, object in ipairs(objects) do
    if object.part ~= "document" and object.part ~= "source" then
      local done
      done, message, code = delete(self, object.key, outcome)
      if not done then return nil, message, code end
    end
  end
  return true
end

local function delete_row(self, one, outcome)
  if not one.has_row then return true end
  local administrator, event, assignment = legible.place(one)
  local result, message, code = self.database:query(sql.delete_submission,
    { administrator, event, assignment, one.subid, self.before_ms / 1000 }, { safe = true })
  if not result then return nil, message, code end
  for _, count in pairs(result.rows[1]) do outcome.rows = outcome.rows + count end
  return true
end

-- True, also when somebody else has done it; false when another lies there by now.
local function delete_unchanged(self, object, outcome)
  local now, message, code = look(self.store, object.key)
  if now == nil then return nil, message, code end
  if not now then return true end
  if not is_same(object.about, now) then return false end
  return delete(self, object.key, outcome)
end

-- The document is looked at twice: a new upload is its program first, and it last.
local function delete_handed_in(self, place, outcome)
  local now, message, code = look(self.store, place.document.key)
  if now == nil then return nil, message, code end
  if now and not is_same(place.document.about, now) then return false end
  for _, name in ipairs { "source", "document" } do
    local done
    done, message, code = delete_unchanged(self, place[name], outcome)
    if not done then return done, message, code end
  end
  return true
end

---@class PurgeOutcome
---@field objects integer removed from the bucket
---@field rows integer removed from the database: the submission, results, cases of results, teams, mails
---@field kept string|nil why it, or what of it is newer, is still there

local function remove(self, one, outcome)
  local places, message, code = {}
  for index, location in ipairs(one.places) do
    places[index], message, code = look_at_place(self, location)
    if places[index] == nil then return nil, message, code end
    if not places[index] then
      outcome.kept = NEWER
      return true
    end
  end
  local done
  for _, place in ipairs(places) do
    done, message, code = delete_reports(self, place, outcome)
    if not done then return nil, message, code end
  end
  done, message, code = delete_row(self, one, outcome)
  if not done then return nil, message, code end
  for _, place in ipairs(places) do
    done, message, code = delete_handed_in(self, place, outcome)
    if done == nil then return nil, message, code end
    if not done then outcome.kept = NEWER .. "; the reports on what was there before are gone" end
  end
  return true
end

--- Removes what `find` found. What can't be removed doesn't keep the others from it, unless one after the other fails.
---@async
---@param list PurgeCandidate[]
---@param tell fun(one:PurgeCandidate, outcome:PurgeOutcome, message:string|nil) what became of each; a message when it failed
---@return {submissions:integer, objects:integer, rows:integer, kept:integer, failed:integer, untried:integer}|nil total
---@return string|nil message why nothing was removed
---@return string|nil code
function Purge:remove(list, tell)
  local total = { submissions = 0, objects = 0, rows = 0, kept = 0, failed = 0 }
  local allowed, message, code = check_right(self)
  if not allowed then return nil, message, code end
  local in_a_row = 0
  parallel.each(list, AT_ONCE, function(one)
    local outcome = { objects = 0, rows = 0 }
    local done, problem = remove(self, one, outcome)
    total.objects, total.rows = total.objects + outcome.objects, total.rows + outcome.rows
    in_a_row = done and 0 or in_a_row + 1
    local counter = not done and "failed" or outcome.kept and "kept" or "submissions"
    total[counter] = total[counter] + 1
    tell(one, outcome, not done and problem or nil)
    if in_a_row >= FAILURES then return nil, problem, "unavailable" end
    return true
  end)
  total.untried = #list - total.submissions - total.kept - total.failed
  return total
end

--- For people: which submission.
---@type fun(one:PurgeCandidate):string
purge.describe = describe

return purge
