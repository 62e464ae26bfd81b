--- Cases in PostgreSQL: the rows of `submitter.cases` of an assignment and mode. They are kept with the version that the
--- assignment had: while that is the same, only it is asked for.
local identity = require "submitter.cases.identity"
local legible = require "submitter.record.legible"
local limits = require "submitter.cases.limits"
local schema = require "submitter.schema"
local shared_reads = require "submitter.cases.shared_reads"
local sql = require "submitter.database.statements.cases"
local units = require "submitter.units"

local postgres = {}

--- What is kept of all assignments together: room for the largest, and for many of the usual size.
local CACHE_BYTES = 192 * 1024 * 1024
--- What a record takes beside its texts, about.
local RECORD_BYTES = 256
--- What a row takes on its way beside its texts, at most.
local ROW_BYTES = 512

---@class PostgresCases
local Source = {}
Source.__index = Source

local function forget(self, key)
  local set = self.sets[key]
  if not set then return end
  self.sets[key] = nil
  self.held_bytes = self.held_bytes - set.bytes
end

local function touch(self, set)
  self.uses = self.uses + 1
  set.used = self.uses
end

local function least_used(self)
  local oldest
  for key, set in pairs(self.sets) do
    if not oldest or set.used < self.sets[oldest].used then oldest = key end
  end
  return oldest
end

local function keep(self, key, set)
  forget(self, key)
  if set.bytes > self.cache_bytes then return end
  while self.held_bytes + set.bytes > self.cache_bytes do forget(self, least_used(self)) end
  self.sets[key] = set
  self.held_bytes = self.held_bytes + set.bytes
  touch(self, set)
end

local function path_of(location)
  return units.format_text(("%s/%s/%s"):format(location.admin, location.event, location.assignment))
end

-- What the database lacks, the outermost first.
local function missing(row, location, mode)
  local admin, event = units.format_text(location.admin), units.format_text(location.event)
  local what = ("assignment %s has no cases of mode %s"):format(path_of(location), mode)
  if not row.has_administrator then
    what = "there is no administrator " .. admin
  elseif not row.has_event then
    what = ("administrator %s has no event %s"):format(admin, event)
  elseif not row.assignment_id then
    what = ("event %s of %s has no assignment %s"):format(event, admin, units.format_text(location.assignment))
  end
  return nil, ("in the database %s; import its cases with submitter cases import"):format(what), "not_found"
end

local function too_many(location, mode, what, remedy)
  return nil, ("the %s cases of %s in the database are %s: that is the most; %s"):format(mode,
    path_of(location), what, remedy), "instructor"
end

local function too_many_bytes(location, mode)
  return too_many(location, mode, ("more than %d bytes together"):format(limits.all_bytes),
    "make them smaller, or fewer")
end

local function record(row)
  return {
    number = row.position, name = row.name, form = row.form, input = row.input, expected = row.expected,
    -- One of 2.0 is worth what a policy calls 2, and is written like it.
    points = row.points and (math.tointeger(row.points) or row.points), visibility = row.visibility,
  }
end

-- Lets go of each row at once, so that a hundred thousand aren't held in two forms.
local function records(rows)
  local list, text_bytes = {}, 0
  for index = 1, #rows do
    list[index] = record(rows[index])
    rows[index] = false
    text_bytes = text_bytes + #list[index].input + #list[index].expected
  end
  return list, text_bytes
end

local function ask(self, key, location, mode)
  local held = self.sets[key]
  local administrator, event, assignment = legible.place(location)
  local result, message, code = self.database:query(sql.read_cases, {
    administrator, event, assignment, mode,
    held and held.assignment_id or 0, held and held.version or 0, limits.cases + 1,
  }, { safe = true, limit_bytes = limits.all_bytes + limits.cases * ROW_BYTES })
  if not result then
    if code == "too_large" then return too_many_bytes(location, mode) end
    return nil, message, code
  end
  local row = result.rows[1]
  if held and row.assignment_id == held.assignment_id and row.version == held.version then
    touch(self, held)
    return held.found
  end
  forget(self, key)
  if not row.position then return missing(row, location, mode) end
  if #result.rows > limits.cases then
    return too_many(location, mode, ("more than %d"):format(limits.cases), "make several assignments of it")
  end
  local list, text_bytes = records(result.rows)
  if text_bytes > limits.all_bytes then return too_many_bytes(location, mode) end
  local found = { cases = list, sha256 = identity.sha256(list), source = self.name }
  keep(self, key, {
    assignment_id = row.assignment_id, version = row.version, found = found, bytes = text_bytes + #list * RECORD_BYTES,
  })
  return found
end

--- Reads the cases of a mode. Version and cases come in one query, and therefore belong together. What is returned is shared
--- with others who ask for the same: nobody writes into it.
---@async
---@param asked {location:Location, mode:"test"|"grade"}
---@return {cases:table[], sha256:string, source:"postgres"}|nil found
---@return string|nil message
---@return "not_found"|"instructor"|"unavailable"|"environment"|string|nil code
function Source:read(asked)
  local location, mode = asked.location, asked.mode
  local key = ("%s/%s/%s/%s"):format(location.admin, location.event, location.assignment, mode)
  return self.reads:read(key, function() return ask(self, key, location, mode) end)
end

--- A source over a database.
---@param options {database:table, cache_bytes:integer|nil} database: a pool of submitter.database. cache_bytes: how much is kept
--- at most, of all assignments (default 192 MiB)
---@return PostgresCases
function postgres.source(options)
  local expected = "cases.postgres_source { database = pool, cache_bytes = … }"
  if type(options) ~= "table" or not options.database then error("expected " .. expected, 2) end
  schema.check_options(options, { database = true, cache_bytes = true }, expected)
  return setmetatable({
    name = "postgres", database = options.database, cache_bytes = options.cache_bytes or CACHE_BYTES, sets = {},
    held_bytes = 0, uses = 0, reads = shared_reads.new "the cases of an assignment",
  }, Source)
end

return postgres
