--- `submitter cases export`: the cases that count, into files from which they can be imported again.
local desk = require "submitter.cli.desk"
local lines = require "submitter.cases.lines"
local options = require "submitter.cli.options"
local output = require "submitter.cli.cases.output"
local pairing = require "submitter.cases.pairs"
local place = require "submitter.cli.cases.place"
local terminal = require "submitter.cli.terminal"
local units = require "submitter.units"

local action = { name = "export", summary = "write the cases that count into files" }

--- Longer lists of points are nothing to show.
local MOST_POINTS = 20

function action.describe(parser)
  parser:description("Writes the cases of an assignment, from where the configuration says that cases are, into two "
    .. "files of lines, or into a folder of pairs where a case is a whole file or has line breaks. Importing the files "
    .. "gives the same cases again; what the files can't hold is told.\n\n"
    .. "Example: submitter cases export m.soltys/labs/sum --mode grade --in grade.in --out grade.out")
  place.argument(parser)
  parser:option("--in"):target("input"):argname("FILE"):count(1)
    :description "the file for the inputs, - for standard output; or a folder (one that is there, or FOLDER/)"
  parser:option("--out"):target("expected"):argname("FILE")
    :description "the file for the expected outputs, - for standard output (not with a folder)"
  place.mode(parser)
end

local function are_in_order(names)
  local sorted = pairing.sort(table.move(names, 1, #names, 1, {}))
  for index, name in ipairs(names) do
    if sorted[index] ~= name then return false end
  end
  return true
end

-- What each case's two files are called: by their names where every case has one and they are in their order, else by numbers.
local function names_of(list)
  local names, numbers = {}, {}
  for index, case in ipairs(list) do
    names[#names + 1] = case.name
    numbers[index] = tostring(case.number)
  end
  if #names == #list and are_in_order(names) then return names, true end
  return numbers, false
end

-- A value that all have, or nil; and whether any has one.
local function common(list, field)
  local is_common, any = true, false
  for _, case in ipairs(list) do
    is_common = is_common and case[field] == list[1][field]
    any = any or case[field] ~= nil
  end
  return is_common and list[1][field] or nil, any
end

-- What every case is worth, for --points; or nil.
local function worths(list)
  local one = common(list, "points")
  if one then return tostring(one) end
  local values = {}
  for index, case in ipairs(list) do
    if not case.points then return nil end
    values[index] = case.points
  end
  return #list <= MOST_POINTS and table.concat(values, ",") or nil
end

-- What importing needs so that it makes the same cases, where the files alone don't tell.
local function note(list, usual_form, has_names)
  local flags, lost = {}, {}
  local function say(text, option, what)
    if text then flags[#flags + 1] = option .. text else lost[#lost + 1] = what end
  end
  local form = common(list, "form")
  if form ~= usual_form then say(form, "--form ", "which of them are lines and which whole files") end
  if not has_names then flags[#flags + 1] = "--unnamed" end
  if not has_names and select(2, common(list, "name")) then lost[#lost + 1] = "their names" end
  if select(2, common(list, "points")) then say(worths(list), "--points ", "their points") end
  local visibility, any = common(list, "visibility")
  if any then say(visibility, "--visibility ", "their visibility") end
  if #flags > 0 then io.stderr:write("submitter cases: import them with ", table.concat(flags, " "), "\n") end
  if #lost > 0 then io.stderr:write("submitter cases: the files can't hold ", table.concat(lost, ", "), "\n") end
end

local function tell(arguments, found, where)
  local stream = (arguments.input == "-" or arguments.expected == "-") and io.stderr or io.stdout
  stream:write(("exported   %s of %s from the %s to %s\n"):format(
    units.count(#found.cases, arguments.mode .. " case"), terminal.escape(arguments.place.text),
    found.source == "postgres" and "database" or "bucket", terminal.escape(where)))
end

-- Old cases would be mixed with new ones.
local function check_free(path)
  if not desk.is_folder(path) then return true end
  local halves, message, code = desk.halves(path)
  if not halves then return nil, message, code end
  if next(halves) == nil then return true end
  return nil, ("the folder %s holds cases already; name an empty one"):format(path), "usage"
end

local function to_folder(arguments, found)
  if arguments.expected and arguments.expected ~= arguments.input then
    return nil, "--in names a folder, which gets the expected outputs too: leave --out away", "usage"
  end
  local path = arguments.input
  local free, message, code = check_free(path)
  if not free then return nil, message, code end
  local names, are_own = names_of(found.cases)
  local files = {}
  for index, case in ipairs(found.cases) do
    files[names[index] .. ".in"], files[names[index] .. ".out"] = case.input, case.expected
  end
  local written
  written, message, code = output.write_all(path, files)
  if not written then return nil, message, code end
  tell(arguments, found, path)
  note(found.cases, "file", are_own)
  return 0
end

-- The two texts; as they were read where they lay in files of lines.
local function texts_of(found)
  if found.input_text then return found.input_text, found.expected_text end
  for _, case in ipairs(found.cases) do
    if case.name then return nil, ("case %d is a pair of files, and its name is %s"):format(case.number, case.name) end
  end
  return lines.write(found.cases)
end

local function named(path)
  return path == "-" and "standard output" or path
end

local function to_files(arguments, found)
  if not arguments.expected then return nil, "--out FILE is missing: for the expected outputs", "usage" end
  if arguments.input == arguments.expected then
    return nil, "--in and --out name the same file; name two", "usage"
  end
  local input_text, expected_text = texts_of(found)
  if not input_text then
    return nil, ("these cases aren't lines: %s; name a folder: --in FOLDER/"):format(expected_text), "usage"
  end
  local written, message, code = output.write(arguments.input, input_text)
  if not written then return nil, message, code end
  written, message, code = output.write(arguments.expected, expected_text)
  if not written then return nil, message, code end
  tell(arguments, found, ("%s and %s"):format(named(arguments.input), named(arguments.expected)))
  note(found.cases, "line", true)
  return 0
end

---@async
---@param arguments table what argparse made
---@return integer|nil exit code
---@return string|nil message
---@return string|nil code
function action.run(arguments)
  return options.with_services(arguments, { "cases" }, function(services)
    local found, message, code = place.read(services.cases, arguments.place, arguments.mode)
    if not found then return nil, message, place.code(code) end
    if found.notice then io.stderr:write("submitter cases: ", terminal.escape(found.notice), "\n") end
    if arguments.input:find "/$" or desk.is_folder(arguments.input) then return to_folder(arguments, found) end
    return to_files(arguments, found)
  end)
end

return action
