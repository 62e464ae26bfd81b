--- What a policy file may say: the one description that validates it and documents it.
local compare = require "submitter.compare"
local schema = require "submitter.schema"
local units = require "submitter.units"

local policy_schema = {}

local limits = {
  name = "limits", type = "table", optional = true,
  text = "What one case may use, the program and all that it starts together.",
  fields = {
    { name = "cpu", type = "duration_ms", range = { "10ms", "1h" }, text = "CPU time." },
    { name = "wall", type = "duration_ms", range = { "10ms", "2h" },
      text = "Time on the wall clock; keep it above cpu." },
    { name = "memory", type = "size_bytes", range = { "4M", "64G" }, text = "Memory." },
    { name = "output", type = "size_bytes", range = { 1, "256M" }, text = "What it may print." },
    { name = "processes", type = "integer", range = { 1, 4096 }, text = "Processes and threads at the same time." },
    { name = "files", type = "size_bytes", as = "file_bytes", range = { 0, "16G" },
      text = "What it may write to files." },
  },
}

local words = { type = "enum", values = { "visible", "hidden", "after_due" } }

local parts = {
  type = "table",
  fields = {
    { name = "input", type = "boolean", text = "What the program got." },
    { name = "expected", type = "boolean", text = "What was expected." },
    { name = "actual", type = "boolean", text = "What came, how it ended and what it used." },
    { name = "stderr", type = "boolean", text = "What it wrote to standard error." },
  },
}

-- What a function may answer, and what may stand in a file.
local answer = { type = "union", of = { { type = "boolean" }, words, parts } }
local rule = { type = "union", of = { { type = "boolean" }, words, { type = "function" }, parts } }

local function named(name, description, text)
  local copy = { name = name, text = text }
  for key, value in pairs(description) do copy[key] = value end
  return copy
end

local function file_of(show)
  return {
    type = "table",
    fields = {
      limits,
      { name = "input", type = "enum", values = { "words", "line", "stdin" },
        text = "What a line of cases becomes: words of a command line, one argument, or a line of standard input." },
      { name = "compare", type = "union", of = { { type = "enum", values = compare.names() }, { type = "function" } },
        text = "When an output is right: a comparison's name, or function(actual, expected, case) → pass[, note]." },
      { name = "points", type = "union", of = { { type = "number", range = { 0, 1000000 } }, { type = "function" } },
        text = "What a passed case is worth: a number, or function(case) → number." },
      named("show", show, "What students see of a case: a rule, or { test = rule, grade = rule }."),
      { name = "late", type = "enum", values = { "grade", "refuse" },
        text = "What becomes of a submission after the event's end: graded on the grade cases, or refused." },
      { name = "tokens", type = "enum", values = { "any", "known" },
        text = "Whether every token of a submission must be a student's of the event." },
      { name = "counts", type = "enum", values = { "latest", "best" },
        text = "Which attempt the grade book shows." },
      { name = "runner", type = "string", match = "^[%w_-]+$", length = { 1, 255 }, expected = "the name of a runner",
        text = "Where the program runs: one of the runners that the operator names, or \"default\"." },
      { name = "publish", type = "list", of = { type = "enum", values = { "csv", "json" } },
        text = "The reports beside the submission: csv is <subid>.out, json is <subid>.result.json." },
    },
  }
end

local with_rule = file_of(rule)
local with_modes = file_of {
  type = "table", optional = true,
  fields = { named("test", rule, "Test cases."), named("grade", rule, "Grade cases.") },
}

--- Everything that a file may say, for documentation.
policy_schema.description = with_modes

-- The name and the unit of each limit, for messages about ceilings.
local ceilings_of = {
  { field = "cpu_ms", name = "limits.cpu", format = units.format_ms },
  { field = "wall_ms", name = "limits.wall", format = units.format_ms },
  { field = "memory_bytes", name = "limits.memory", format = units.format_bytes },
  { field = "output_bytes", name = "limits.output", format = units.format_bytes },
  { field = "processes", name = "limits.processes", format = tostring },
  { field = "file_bytes", name = "limits.files", format = units.format_bytes },
}

--- Limits no larger than the ceilings: what nobody chose is lowered without a word.
---@param chosen table
---@param ceilings table|nil by the same names; a name that is missing has no ceiling
---@return table
function policy_schema.lower(chosen, ceilings)
  local lowered = {}
  for _, limit in ipairs(ceilings_of) do
    local ceiling = ceilings and ceilings[limit.field]
    lowered[limit.field] = ceiling and math.min(chosen[limit.field], ceiling) or chosen[limit.field]
  end
  return lowered
end

local function check_ceilings(chosen, ceilings)
  for _, limit in ipairs(ceilings_of) do
    local value, ceiling = chosen[limit.field], ceilings[limit.field]
    if value and ceiling and value > ceiling then
      return nil, ("%s: %s is more than the %s that the operator allows (policy.limits in the configuration)"):format(
        limit.name, limit.format(value), limit.format(ceiling))
    end
  end
  return true
end

local function check_runner(name, runners)
  for _, allowed in ipairs(runners) do
    if name == allowed then return true end
  end
  return nil, ("runner: %s is none that the operator allows (runners in the configuration); known are %s"):format(
    units.format_text(name), table.concat(runners, ", "))
end

--- Checks what a file returned. The result holds only what the file says, with units read; `show` always has a rule
--- per mode.
---@param value table
---@param ceilings table|nil the largest limits that a file may choose
---@param runners string[]|nil the runners that a file may choose from; nil: any
---@return table|nil
---@return string|nil message names the field
function policy_schema.check(value, ceilings, runners)
  local show = rawget(value, "show")
  local has_modes = type(show) == "table" and (rawget(show, "test") ~= nil or rawget(show, "grade") ~= nil)
  local checked, message = schema.check(has_modes and with_modes or with_rule, value, { defaults = false })
  if not checked then return nil, message end
  if checked.show ~= nil and not has_modes then checked.show = { test = checked.show, grade = checked.show } end
  if checked.limits and ceilings then
    local allowed
    allowed, message = check_ceilings(checked.limits, ceilings)
    if not allowed then return nil, message end
  end
  if checked.runner and runners then
    local allowed
    allowed, message = check_runner(checked.runner, runners)
    if not allowed then return nil, message end
  end
  return checked
end

--- Checks what a `show` function returned.
---@param value any
---@return boolean|string|table|nil
---@return string|nil message
function policy_schema.check_answer(value)
  local checked, message = schema.check(answer, value, { defaults = false })
  if checked == nil then return nil, message end
  return checked
end

return policy_schema
