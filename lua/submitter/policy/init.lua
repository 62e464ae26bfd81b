--- How a submission is graded: what an instructor's Lua files say, laid one over the other, checked, behind a few
--- methods. The files are read anew for every submission; what a file remembers in its own variables lives as long as
--- that submission.
local arguments = require "submitter.cases.arguments"
local compare = require "submitter.compare"
local environment = require "submitter.policy.environment"
local host = require "submitter.host"
local lookup = require "submitter.policy.lookup"
local policy_schema = require "submitter.policy.schema"

local policy = {}

--- How much of a policy's own note is kept.
local NOTE_BYTES = 500

---@class Policy
---@field name string the most specific file that counted
---@field sha256 string over all files that counted, names and contents
---@field limits SandboxLimits
---@field publish string[]
---@field input "words"|"line"|"stdin"
---@field late "grade"|"refuse"
---@field tokens "any"|"known"
---@field counts "latest"|"best"
---@field runner string|nil one of the operator's runners
local Policy = {}
Policy.__index = Policy

local shipped_file

local function read_layer(file, options)
  local value, message = environment.load(file.text, file.name)
  if not value then return nil, message end
  local checked
  checked, message = policy_schema.check(value, options.ceilings, options.runners)
  if not checked then return nil, ("%s: %s"):format(file.name, message) end
  return checked
end

-- The shipped default is part of the program: read once. It holds no functions, so sharing it shares nothing.
local function read_shipped()
  if shipped_file then return shipped_file end
  local directory, message = host.file.directory(host.system.lua_directory() .. "/policy")
  if not directory then
    return nil, "the shipped policy is missing; install the program again: " .. message, "environment"
  end
  local text
  text, message = directory:read("default.lua")
  directory:close()
  if not text then
    return nil, "the shipped policy is missing; install the program again: " .. message, "environment"
  end
  local file = { name = "shipped default", text = text }
  local layer
  layer, message = read_layer(file, {})
  if not layer then return nil, message, "environment" end
  file.layer = layer
  shipped_file = file
  return file
end

local function lay_over(merged, layer)
  for field, value in pairs(layer) do
    if field == "limits" or field == "show" then
      for name, part in pairs(value) do merged[field][name] = part end
    else
      merged[field] = value
    end
  end
end

-- What no file chose is lowered to the ceilings without a word; what a file chose beyond them was refused before.
local function base_of(shipped, ceilings)
  local base = { limits = {}, show = {} }
  lay_over(base, shipped.layer)
  base.limits = policy_schema.lower(base.limits, ceilings)
  return base
end

-- The folder is opened anew each time: it may have been replaced as a whole since, or the link to it. In one that was
-- deleted there would be no files any more, and everything would be graded by the shipped default without a word.
local function read_directory(kept, location)
  local directory, message = host.file.directory(kept:path())
  if not directory then return nil, "the policy directory can't be opened: " .. message, "unavailable" end
  local files, code
  files, message, code = lookup.read(directory, location)
  directory:close()
  return files, message, code
end

local options_allowed = { directory = true, location = true, files = true, ceilings = true, runners = true }

--- Loads what counts for a submission: the shipped default, the files of the policy directory from `default.lua` to
--- the assignment's own, then `files` in their order; what comes later wins, field by field.
---@async
---@param options {directory:Directory|nil, location:Location|nil, files:table[]|nil, ceilings:SandboxLimits|nil,
--- runners:string[]|nil} files: `{ name, text }` each; runners: those that a file may choose from, nil for any
---@return Policy|nil
---@return string|nil message names file and field
---@return string|nil code "policy"; "unavailable" when a file could not be read
function policy.load(options)
  for name in pairs(options) do
    if not options_allowed[name] then
      error(("unknown option %q; expected policy.load{ directory =, location =, files =, ceilings =, runners = }")
        :format(tostring(name)), 2)
    end
  end
  local shipped, message, code = read_shipped()
  if not shipped then return nil, message, code end
  local files = {}
  if options.directory then
    files, message, code = read_directory(options.directory, options.location)
    if not files then return nil, message, code end
  end
  for _, file in ipairs(options.files or {}) do files[#files + 1] = file end

  local merged = base_of(shipped, options.ceilings)
  local identity = { string.pack("<s4s4", shipped.name, shipped.text) }
  for _, file in ipairs(files) do
    local layer
    layer, message = read_layer(file, options)
    if not layer then return nil, message, "policy" end
    lay_over(merged, layer)
    identity[#identity + 1] = string.pack("<s4s4", file.name, file.text)
  end
  return setmetatable({
    name = (files[#files] or shipped).name,
    sha256 = host.digest.sha256(table.concat(identity)),
    limits = merged.limits,
    input = merged.input,
    publish = merged.publish,
    late = merged.late,
    tokens = merged.tokens,
    counts = merged.counts,
    runner = merged.runner,
    comparison = merged.compare,
    worth = merged.points,
    rules = merged.show,
  }, Policy)
end

--- The shipped default alone.
---@async
---@return Policy|nil
---@return string|nil message
function policy.shipped()
  return policy.load {}
end

local function call(self, field, body, ...)
  return environment.call(("policy %s: %s"):format(self.name, field), body, ...)
end

-- What a function of a policy gets to know of a case. Fresh each time: it may write into it.
local function describe(case, mode)
  return {
    number = case.number, name = case.name, form = case.form, mode = mode, input = case.input, expected = case.expected,
    points = case.points, visibility = case.visibility,
  }
end

-- A policy that failed while it judged a case. What it says itself may hold what it was given, a hidden expectation for
-- instance; so there is a second, shorter message for students.
local function failure(self, field, message, said)
  local told = said and ("policy %s: %s: it failed for a case; its author finds the reason in the log"):format(
    self.name, field) or message
  return nil, message, "policy", told
end

--- Is the output right? A policy's own function gets output and expectation as they are reported, without white space
--- at their ends; the untouched output is `case.output`.
---@param actual string
---@param expected string
---@param case table a case record
---@param mode "test"|"grade"
---@return boolean|nil pass nil when the policy failed
---@return string|nil note for a wrong answer; or what went wrong
---@return string|nil code "policy"
---@return string|nil told the message for students
function Policy:compare(actual, expected, case, mode)
  local chosen = self.comparison
  if type(chosen) == "function" then
    local copy = describe(case, mode)
    copy.output = actual
    local done, pass, note = call(self, "compare", chosen, host.text.trim_end(actual), host.text.trim(expected), copy)
    if not done then return failure(self, "compare", pass, note) end
    if type(pass) ~= "boolean" or (note ~= nil and type(note) ~= "string") then
      return failure(self, "compare",
        ("policy %s: compare: returned %s, %s; expected true or false, and a text or nothing"):format(
          self.name, type(pass), type(note)))
    end
    return pass, note and note:sub(1, NOTE_BYTES)
  end
  if compare.named(chosen)(actual, expected) then return true end
  if chosen == "exact" then return false, compare.difference(actual, expected) end
  return false, compare.difference(host.text.trim_end(actual), host.text.trim(expected))
end

--- What a case is worth: what the policy says; where it says nothing what stands beside the case, else 1.
---@param case table a case record
---@param mode "test"|"grade"
---@return number|nil
---@return string|nil message
---@return string|nil code "policy"
---@return string|nil told the message for students
function Policy:points(case, mode)
  local worth = self.worth
  if worth == nil then return case.points or 1 end
  if type(worth) ~= "function" then return worth end
  local done, points, said = call(self, "points", worth, describe(case, mode))
  if not done then return failure(self, "points", points, said) end
  if type(points) ~= "number" or points ~= points or points < 0 or points > 1000000 then
    return failure(self, "points", ("policy %s: points: returned %s for case %d; expected a number from 0 to 1000000")
      :format(self.name, tostring(points), case.number), true)
  end
  return math.tointeger(points) or points
end

-- What students see of the cases of a mode of which nobody says anything.
local usual_rules = { test = "visible", grade = "hidden" }

local all_parts = { "input", "expected", "actual", "stderr" }

local function parts_of(rule)
  -- No due date is known yet, so it hasn't passed.
  if rule == false or rule == "hidden" or rule == "after_due" then return false end
  local seen = {}
  for _, part in ipairs(all_parts) do seen[part] = type(rule) ~= "table" or rule[part] ~= false end
  return seen
end

--- What students see of a case: false (the verdict only), or which parts. Where the policy says nothing, what stands beside the
--- case counts, else test cases are visible and grade cases hidden.
---@param case table a case record, with its `verdict`
---@param mode "test"|"grade"
---@return {input:boolean, expected:boolean, actual:boolean, stderr:boolean}|false|nil
---@return string|nil message
---@return string|nil code "policy"
---@return string|nil told the message for students
function Policy:show(case, mode)
  local rule = self.rules[mode]
  if rule == nil then
    rule = case.visibility or usual_rules[mode]
  elseif type(rule) == "function" then
    local copy = describe(case, mode)
    copy.verdict = case.verdict
    local done, answer, said = call(self, "show", rule, copy)
    if not done then return failure(self, "show", answer, said) end
    local message
    rule, message = policy_schema.check_answer(answer)
    if rule == nil then
      return failure(self, "show", ("policy %s: show: for case %d: %s"):format(self.name, case.number, message), true)
    end
  end
  return parts_of(rule)
end

--- The same where it is one rule for every case; nil where a function decides, or what stands beside each.
---@param mode "test"|"grade"
---@param cases table[] case records
---@return {input:boolean, expected:boolean, actual:boolean, stderr:boolean}|false|nil
function Policy:show_every(mode, cases)
  local rule = self.rules[mode]
  if type(rule) == "function" then return nil end
  if rule == nil then
    for _, case in ipairs(cases) do
      if case.visibility then return nil end
    end
    rule = usual_rules[mode]
  end
  return parts_of(rule)
end

--- What a case gives the program.
---@param case table a case record
---@return {arguments:string[], stdin:string|nil}|nil
---@return string|nil message
function Policy:arguments(case)
  return arguments.of(case, self.input)
end

--- Is a report to be published?
---@param form "csv"|"json"
---@return boolean
function Policy:publishes(form)
  for _, name in ipairs(self.publish) do
    if name == form then return true end
  end
  return false
end

return policy
