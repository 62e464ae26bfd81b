--- Reads the format of the shared files, `~/.aws/config` and `~/.aws/credentials` (AWS SDKs and Tools Reference Guide,
--- "Shared config and credentials files"; the details are those of the parser tests that the SDKs share):
---
---  - a line that begins with `#` or `;` is a comment, and so is what follows ` #` or ` ;` on a section's or property's line
---  - `[section]`, then `name = value`; names count in lower case, the last of two values wins, white space around is dropped
---  - a line that is indented more than the property before it continues that one's value; after an empty value such lines
---    are properties of their own: `s3 =`, then ` addressing_style = path`
---  - a section's first property may be indented, and those after it as far (botocore reads such files, and people have them)
---
--- Messages say the line's number and never what stands there: it may be a secret.

local ini = {}

---@class IniSection
---@field name string what stands between the brackets, without white space around it
---@field properties table<string, string|table<string, string>>

local function trim(text)
  return (text:match("^%s*(.-)%s*$"))
end

local function without_comment(text)
  local first = text:find("%s[#;]")
  return first and text:sub(1, first - 1) or text
end

local function is_comment(text)
  return text:find("^%s*[#;]") ~= nil
end

-- A name of other characters belongs to somebody else's extension: skipped with its value.
local function is_property_name(name)
  return name:find("^[%w_.%%@:/+-]+$") ~= nil
end

local function read_section(line)
  -- Here a comment may follow the bracket at once.
  local name, rest = line:match("^%[([^%]]*)%](.*)$")
  if not name or not (rest:find("^%s*$") or is_comment(rest)) then
    return nil, "a section is written [name], with nothing but a comment behind it"
  end
  return trim(name)
end

local function indent_of(line)
  return #line:match("^%s*")
end

local function read_property(reader, line)
  local name, value = line:match("^([^=]*)=(.*)$")
  if not reader.section then
    return "a property must stand in a section such as [default]"
  elseif not name then
    return "expected name = value"
  end
  name = trim(name):lower()
  if name == "" then return "a property has no name before its =" end
  reader.property, reader.indent = name, indent_of(line)
  -- The comment may begin right behind the "=", whose white space belongs to it.
  reader.section.properties[name] = trim(without_comment(value))
  reader.ignored = not is_property_name(name)
  if reader.ignored then reader.section.properties[name] = nil end
end

local function read_nested(properties, text)
  local name, value = text:match("^([^=]*)=(.*)$")
  if not name then return "expected name = value, because the property above is empty" end
  name = trim(name):lower()
  if name == "" then return "a property has no name before its =" end
  properties[name] = trim(without_comment(value))
end

local function read_continuation(reader, line)
  if reader.ignored then
    return nil
  end
  local properties, name, text = reader.section.properties, reader.property, trim(line)
  local value = properties[name]
  if value == "" then
    value = {}
    properties[name] = value
  end
  if type(value) == "table" then return read_nested(value, text) end
  properties[name] = value .. "\n" .. text
end

local function read_line(reader, line)
  if line:find("^%s*$") or is_comment(line) then
    return nil
  elseif line:find("^%[") then
    local name, message = read_section(line)
    if not name then return message end
    reader.section = { name = name, properties = {} }
    reader.property, reader.ignored = nil, nil
    reader.sections[#reader.sections + 1] = reader.section
    return nil
  elseif reader.property and indent_of(line) > reader.indent then
    return read_continuation(reader, line)
  end
  return read_property(reader, line)
end

--- Reads a file's text.
---@param text string
---@return IniSection[]|nil sections in their order; one name may come more than once
---@return string|nil message "line 7: …"
function ini.parse(text)
  local reader = { sections = {} }
  local number = 0
  for line in (text:gsub("^\239\187\191", "") .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    local message = read_line(reader, (line:gsub("\r$", "")))
    if message then return nil, ("line %d: %s"):format(number, message) end
  end
  return reader.sections
end

return ini
