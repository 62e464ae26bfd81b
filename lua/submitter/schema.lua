--- One description that validates, fills in defaults and documents what an operator or an admin writes in Lua.
---
--- A description is a plain table:
---
---     { type = "table", fields = {
---       { name = "slots", type = "integer", default = 2, range = { 1, 256 }, text = "How many at once." },
---       { name = "visibility", type = "duration_ms", default = "30s", range = { "1s", "12h" } },
---       { name = "show", type = "union", of = { { type = "boolean" }, { type = "function" } }, text = "Who sees." },
---     } }
---
--- Every description may have: `name` (within `fields`), `text` (one line), `default` (as a person would write
--- it, or a function that returns that), `default_text` (how the documentation shows it), `required` (true: no
--- default, must be given), `as` (the name in the result). The types, and what belongs to each:
---
---  - `string`: `match` (a Lua pattern), `expected` (what the pattern means, for messages), `length` (`{least, most}`
---    in bytes; default 1 to any)
---  - `boolean`, `function`
---  - `integer`, `number`: `range` (`{least, most}`, either may be nil)
---  - `enum`: `values` (array of texts)
---  - `duration_ms`: `"5s"` read into milliseconds; `range` in durations. The result is called `<name>_ms`
---  - `size_bytes`: `"256M"` read into bytes; `range` in sizes. The result is called `<name>_bytes`
---  - `list`: `of` (description of an element), `length` (`{least, most}`)
---  - `map`: elements by names that the writer chooses: `of`, `length`; `match` (a Lua pattern for a name), `expected`
---  - `table`: `fields` (array of descriptions); absent, it stands with its fields' defaults unless `optional = true`
---  - `union`: `of` (array of descriptions); the first that fits counts
---  - `choice`: `of` (array of `{ name =, fields =, text = }`): a table whose `kind` names one of them, as the
---    functions of schema.constructors make them, so that a person writes `bucket = s3 { name = "…" }`. One with `list`
---    (description of a list) instead of fields holds elements: `cases = first { postgres {}, bucket {} }`
---
--- Tables are read raw: metamethods of what is validated are never called.

local units = require "submitter.units"

local schema = {}

local suffixes = { duration_ms = "_ms", size_bytes = "_bytes" }

local function result_name(description)
  return description.as or description.name .. (suffixes[description.type] or "")
end

local function found(value)
  local kind = type(value)
  if kind == "string" then
    return units.format_text(value, 60)
  elseif kind == "number" or kind == "boolean" then
    return ("the %s %s"):format(kind, tostring(value))
  elseif kind == "nil" then
    return "nothing"
  end
  return "a " .. kind
end

-- A bound may be written as a person would ("12h") or as a number in the unit of the result.
local function bound(value, read)
  if value == nil or math.type(value) == "integer" or not read then
    return value
  end
  return assert(read(value))
end

local function range_text(range, write)
  write = write or tostring
  local least, most = range[1], range[2]
  if least and most then
    return ("from %s to %s"):format(write(least), write(most))
  elseif least then
    return "from " .. write(least)
  end
  return "up to " .. write(most)
end

local function in_range(value, range, read)
  local least, most = bound(range[1], read), bound(range[2], read)
  return (not least or value >= least) and (not most or value <= most)
end

-- A bound of a range for people: the written form stays, a number is written with its unit.
local function writer(format)
  return function(value)
    return type(value) == "string" and value or format(value)
  end
end

local write_duration, write_size = writer(units.format_ms), writer(units.format_bytes)

--- What a person may write here, in a few words: `a duration from 1s to 12h`. For messages and documentation.
---@param description table
---@return string
function schema.expected(description)
  local kind, range = description.type, description.range
  if kind == "string" then
    return description.expected or "a text"
  elseif kind == "boolean" then
    return "true or false"
  elseif kind == "function" then
    return "a function"
  elseif kind == "integer" then
    return "a whole number" .. (range and " " .. range_text(range) or "")
  elseif kind == "number" then
    return "a number" .. (range and " " .. range_text(range) or "")
  elseif kind == "duration_ms" then
    return 'a duration such as "5s"' .. (range and ", " .. range_text(range, write_duration) or "")
  elseif kind == "size_bytes" then
    return 'a size such as "64M"' .. (range and ", " .. range_text(range, write_size) or "")
  elseif kind == "enum" then
    local quoted = {}
    for index, value in ipairs(description.values) do
      quoted[index] = ('"%s"'):format(value)
    end
    return (#quoted > 1 and "one of " or "") .. table.concat(quoted, ", ")
  elseif kind == "list" then
    return "a list of " .. schema.expected(description.of)
  elseif kind == "map" then
    return ("a table of names, each with %s"):format(schema.expected(description.of))
  elseif kind == "table" then
    return "a table"
  elseif kind == "union" then
    local parts = {}
    for index, part in ipairs(description.of) do
      parts[index] = schema.expected(part)
    end
    return table.concat(parts, ", or ")
  elseif kind == "choice" then
    local parts = {}
    for index, part in ipairs(description.of) do
      parts[index] = part.name .. ((part.list or #part.fields > 0) and " { … }" or " {}")
    end
    return table.concat(parts, " or ")
  end
  error(("a schema has no type %q"):format(tostring(kind)), 2)
end

-- How many single-letter changes (insert, drop, replace, swap of neighbours) lie between two words.
local function distance(left, right)
  local before, last = {}, {}
  for column = 0, #right do
    last[column] = column
  end
  for row = 1, #left do
    local current = { [0] = row }
    for column = 1, #right do
      local same = left:byte(row) == right:byte(column)
      local best = math.min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (same and 0 or 1))
      if row > 1 and column > 1 and left:byte(row) == right:byte(column - 1)
        and left:byte(row - 1) == right:byte(column) then
        best = math.min(best, before[column - 2] + 1)
      end
      current[column] = best
    end
    before, last = last, current
  end
  return last[#right]
end

-- "warning" for "warn", "vis" for "visibility".
local function is_begun(left, right)
  return math.min(#left, #right) >= 3 and left:sub(1, #right) == right:sub(1, #left)
end

--- The known name that is nearest to a mistyped one, or nil when none is near.
---@param word string
---@param names string[]
---@return string|nil
function schema.nearest(word, names)
  if #word > 64 then
    return nil
  end
  word = word:lower()
  local best, best_distance
  for _, name in ipairs(names) do
    local steps = is_begun(word, name:lower()) and 1 or distance(word, name:lower())
    if steps <= math.max(1, #name // 3) and (not best or steps < best_distance) then
      best, best_distance = name, steps
    end
  end
  return best
end

local check

-- Nobody reads more, and a file that is wrong in a hundred thousand places must not cost seconds and megabytes to
-- refuse.
local most_errors = 20

local function report(errors, path, message)
  if #errors < most_errors then
    errors[#errors + 1] = { path = path, message = message }
  else
    errors.more = true
  end
end

local function join(path, name)
  return path == "" and name or path .. "." .. name
end

local function default_of(description)
  local default = description.default
  if type(default) == "function" and description.type ~= "function" then
    return default()
  end
  return default
end

-- A name that nobody knows may be anything, also megabytes or what steers a terminal.
local function name_text(name)
  if #name <= 60 and name:find("^[%w_.-]+$") then
    return name
  end
  return ("[%s]"):format(units.format_text(name, 60))
end

-- Of a key that may be of any type.
local function key_text(key)
  if type(key) == "string" then
    return name_text(key)
  end
  return ("[%s]"):format(math.type(key) and tostring(key) or "a " .. type(key))
end

local function check_unknown(description, value, path, errors)
  local known, names = {}, {}
  for index, field in ipairs(description.fields) do
    known[field.name], names[index] = true, field.name
  end
  local strangers, others = {}, {}
  for name in next, value do
    if type(name) ~= "string" then
      others[#others + 1] = key_text(name)
    elseif not known[name] then
      strangers[#strangers + 1] = name
    end
  end
  table.sort(strangers)
  table.sort(others)
  for index = 1, #strangers + #others do
    if errors.more then
      break
    end
    local name = strangers[index]
    local near = name and schema.nearest(name, names)
    local advice = near and ('did you mean "%s"?'):format(near) or "known are " .. table.concat(names, ", ")
    report(errors, join(path, name and name_text(name) or others[index - #strangers]), "unknown field; " .. advice)
  end
end

local function check_table(description, value, path, errors, options)
  if type(value) ~= "table" then
    return report(errors, path, ("expected a table, found %s"):format(found(value)))
  end
  local result = {}
  for _, field in ipairs(description.fields) do
    local given = rawget(value, field.name)
    local field_path = join(path, field.name)
    if given == nil and options.defaults then
      given = default_of(field)
      if given == nil and field.type == "table" and not field.optional then
        given = {}
      end
      if given == nil and field.required then
        report(errors, field_path, ("is missing; expected %s"):format(schema.expected(field)))
      end
    end
    if given ~= nil then
      result[result_name(field)] = check(field, given, field_path, errors, options)
    end
  end
  check_unknown(description, value, path, errors)
  return result
end

local function check_list(description, value, path, errors, options)
  if type(value) ~= "table" then
    return report(errors, path, ("expected %s, found %s"):format(schema.expected(description), found(value)))
  end
  local count = rawlen(value)
  for index in next, value do
    if math.type(index) ~= "integer" or index < 1 or index > count then
      return report(errors, path, ("expected %s, found a table with the field %s"):format(
        schema.expected(description), units.format_text(tostring(index), 60)))
    end
  end
  local length = description.length
  if length and not in_range(count, length) then
    return report(errors, path, ("expected %s elements, found %d"):format(range_text(length), count))
  end
  local result = {}
  for index = 1, count do
    if errors.more then
      break
    end
    result[index] = check(description.of, rawget(value, index), ("%s[%d]"):format(path, index), errors, options)
  end
  return result
end

local function check_map(description, value, path, errors, options)
  if type(value) ~= "table" then
    return report(errors, path, ("expected %s, found %s"):format(schema.expected(description), found(value)))
  end
  local names = {}
  for name in next, value do
    if type(name) == "string" and name:find(description.match) then
      names[#names + 1] = name
    else
      report(errors, join(path, key_text(name)), ("expected %s as its name"):format(description.expected))
    end
  end
  local length = description.length
  if length and not in_range(#names, length) then
    return report(errors, path, ("expected %s elements, found %d"):format(range_text(length), #names))
  end
  table.sort(names)
  local result = {}
  for _, name in ipairs(names) do
    if errors.more then
      break
    end
    result[name] = check(description.of, rawget(value, name), join(path, name), errors, options)
  end
  return result
end

-- Where a table was given and just one alternative is a table, that one's own messages say more than "expected this
-- or that".
local function check_union(description, value, path, errors, options)
  local closest -- false when there are several
  for _, part in ipairs(description.of) do
    local own = {}
    local result = check(part, value, path, own, options)
    if #own == 0 then
      return result
    end
    if type(value) == "table" and (part.type == "table" or part.type == "list") then
      closest = closest == nil and own
    end
  end
  if closest then
    for _, one in ipairs(closest) do
      report(errors, one.path, one.message)
    end
    errors.more = errors.more or closest.more
    return nil
  end
  return report(errors, path, ("expected %s, found %s"):format(schema.expected(description), found(value)))
end

-- The table that a constructor made: its kind, and whether it is one of the choices.
local function chosen(description, value)
  local kind = type(value) == "table" and rawget(value, "kind")
  for _, part in ipairs(description.of) do
    if part.name == kind then
      return part
    end
  end
end

local function check_choice(description, value, path, errors, options)
  local part = chosen(description, value)
  if not part then
    return report(errors, path, ("expected %s, found %s"):format(schema.expected(description), found(value)))
  end
  local given = {}
  for name, inner in next, value do
    given[name] = inner
  end
  given.kind = nil
  local check_part = part.list and check_list or check_table
  local result = check_part(part.list or part, given, path, errors, options)
  if result then
    result.kind = part.name
  end
  return result
end

local function check_string(description, value, path, errors)
  local length = description.length or { 1 }
  if type(value) ~= "string" or (description.match and not value:find(description.match)) then
    return report(errors, path, ("expected %s, found %s"):format(schema.expected(description), found(value)))
  elseif value:find("\0", 1, true) then
    return report(errors, path, ("expected %s without NUL bytes, found %s"):format(schema.expected(description),
      found(value)))
  elseif value == "" and (length[1] or 0) > 0 then
    return report(errors, path, ("expected %s, found an empty text"):format(schema.expected(description)))
  elseif not in_range(#value, length) then
    return report(errors, path, ("expected %s bytes, found %d"):format(range_text(length), #value))
  end
  return value
end

local function check_number(description, value, path, errors)
  local number = value
  if description.type == "integer" then
    number = math.type(value) and math.tointeger(value)
  elseif not math.type(value) or value ~= value then
    number = nil
  end
  if not number or (description.range and not in_range(number, description.range)) then
    return report(errors, path, ("expected %s, found %s"):format(schema.expected(description), found(value)))
  end
  return number
end

local function check_amount(description, value, path, errors, read)
  local amount, message = read(value)
  if not amount then
    return report(errors, path, message)
  elseif description.range and not in_range(amount, description.range, read) then
    return report(errors, path, ("expected %s, found %s"):format(schema.expected(description), found(value)))
  end
  return amount
end

local function check_enum(description, value, path, errors)
  for _, allowed in ipairs(description.values) do
    if value == allowed then
      return value
    end
  end
  local near = type(value) == "string" and schema.nearest(value, description.values)
  return report(errors, path, ("expected %s, found %s%s"):format(schema.expected(description), found(value),
    near and ('; did you mean "%s"?'):format(near) or ""))
end

function check(description, value, path, errors, options)
  local kind = description.type
  if kind == "table" then
    return check_table(description, value, path, errors, options)
  elseif kind == "list" then
    return check_list(description, value, path, errors, options)
  elseif kind == "map" then
    return check_map(description, value, path, errors, options)
  elseif kind == "union" then
    return check_union(description, value, path, errors, options)
  elseif kind == "choice" then
    return check_choice(description, value, path, errors, options)
  elseif kind == "string" then
    return check_string(description, value, path, errors)
  elseif kind == "integer" or kind == "number" then
    return check_number(description, value, path, errors)
  elseif kind == "duration_ms" then
    return check_amount(description, value, path, errors, units.milliseconds)
  elseif kind == "size_bytes" then
    return check_amount(description, value, path, errors, units.bytes)
  elseif kind == "enum" then
    return check_enum(description, value, path, errors)
  elseif kind == "boolean" or kind == "function" then
    if type(value) ~= kind then
      return report(errors, path, ("expected %s, found %s"):format(schema.expected(description), found(value)))
    end
    return value
  end
  error(("a schema has no type %q"):format(tostring(kind)))
end

local option_names = { defaults = true, path = true }

--- Validates a value. Returns a fresh copy of it with units read and defaults filled in; or what is wrong with it, the
--- first twenty faults, each as `path: what`, and the same as an array.
---@param description table
---@param value any
---@param options {defaults:boolean|nil, path:string|nil}|nil defaults = false: only what is given is checked and
--- returned, for files that are merged later. path: what stands before the fields' names in messages.
---@return any|nil value
---@return string|nil message
---@return "schema"|nil code
---@return {path:string, message:string}[]|nil errors
function schema.check(description, value, options)
  for name in pairs(options or {}) do
    if not option_names[name] then
      error(("unknown option %q; expected schema.check(description, value, { defaults =, path = })"):format(
        tostring(name)), 2)
    end
  end
  local defaults = not options or options.defaults ~= false
  local errors = {}
  local result = check(description, value, options and options.path or "", errors, { defaults = defaults })
  if #errors == 0 then
    return result
  end
  local lines = {}
  for index, one in ipairs(errors) do
    lines[index] = one.path == "" and one.message or one.path .. ": " .. one.message
  end
  if errors.more then
    lines[#lines + 1] = "and more that is wrong"
  end
  return nil, table.concat(lines, "; "), "schema", errors
end

local function default_text(description)
  if description.default_text then
    return description.default_text
  end
  local default = default_of(description)
  if default == nil then
    return description.required and "must be given" or "none"
  elseif type(default) == "string" then
    return ('"%s"'):format(default)
  elseif description.type == "choice" and type(default) == "table" then
    return default.kind .. " {}"
  elseif description.type == "map" and next(default) == nil then
    return "none"
  elseif type(default) == "table" or type(default) == "function" then
    return "a " .. type(default)
  end
  return tostring(default)
end

local function document_choice(field, path, rows)
  rows[#rows + 1] =
    { path = path, expected = schema.expected(field), default = default_text(field), text = field.text or "" }
  for _, part in ipairs(field.of) do
    local below = part.fields and schema.document(part, ("%s = %s"):format(path, part.name)) or {}
    table.move(below, 1, #below, #rows + 1, rows)
  end
end

--- The functions with which a person writes the tables of a description's choices: `s3 { name = "…" }` is
--- `{ kind = "s3", name = "…" }`, a copy. Choices of one name in several places share their function.
---@param description table
---@return table<string, fun(fields:table|nil):table>
function schema.constructors(description)
  local result = {}
  for _, field in ipairs(description.fields) do
    local choice = field.type == "map" and field.of or field
    for _, part in ipairs(choice.type == "choice" and choice.of or {}) do
      result[part.name] = function(fields)
        if fields ~= nil and type(fields) ~= "table" then
          error(("expected %s { … }, found %s"):format(part.name, found(fields)), 2)
        end
        local made = {}
        for name, value in next, fields or {} do
          made[name] = value
        end
        if made.kind ~= nil then
          error(("%s { … } has no field kind: its name says that"):format(part.name), 2)
        end
        made.kind = part.name
        return made
      end
    end
  end
  return result
end

--- The rows of a reference: one per field, those of nested tables by their path, in the order of the description.
---@param description table
---@param path string|nil
---@return {path:string, expected:string, default:string, text:string}[]
function schema.document(description, path)
  local rows = {}
  for _, field in ipairs(description.fields) do
    local field_path = join(path or "", field.name)
    if field.type == "table" then
      rows[#rows + 1] =
        { path = field_path, expected = "a table", default = "its fields' own", text = field.text or "" }
      local below = schema.document(field, field_path)
      table.move(below, 1, #below, #rows + 1, rows)
    elseif field.type == "choice" then
      document_choice(field, field_path, rows)
    else
      rows[#rows + 1] = {
        path = field_path,
        expected = schema.expected(field),
        default = default_text(field),
        text = field.text or "",
      }
    end
  end
  return rows
end

--- For functions that take a table of options: an unknown one is misuse, told to the caller of who calls this.
---@param options table|nil
---@param known table<string, true>
---@param expected string the call that was expected
---@param level integer|nil whom to tell, as for error: 1 is who calls this, default 2, who calls that
function schema.check_options(options, known, expected, level)
  for name in pairs(options or {}) do
    if not known[name] then
      error(("unknown option %q; expected %s"):format(tostring(name), expected), (level or 2) + 1)
    end
  end
end

return schema
