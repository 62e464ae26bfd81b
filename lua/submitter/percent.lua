--- Percent-encoding (RFC 3986, 2.1) as keys of objects and signatures need it: only the unreserved characters kept, digits in
--- upper case, no normalisation. Pure.

local percent = {}

local function escape(character)
  return ("%%%02X"):format(character:byte())
end

--- Encodes every byte but `A-Z a-z 0-9 - . _ ~`: the name or value of a query.
---@param text string
---@return string
function percent.encode(text)
  return (text:gsub("[^%w%-._~]", escape))
end

--- Encodes a path and keeps its slashes, however many meet: a key of S3, which is bytes and not a path of folders. "a//b",
--- "a/../b" and "/a" are keys of their own, and arrive as they are.
---@param path string
---@return string
function percent.encode_path(path)
  return (path:gsub("[^%w%-._~/]", escape))
end

--- Decodes what S3 encodes in listings (`encoding-type=url`) and events: percent-encoding, with "+" for a space.
---@param text string
---@return string|nil decoded nil when a "%" isn't followed by two hexadecimal digits
function percent.decode_form(text)
  if text:gsub("%%%x%x", ""):find("%", 1, true) then
    return nil
  end
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

return percent
