--- Percent-encoding as signatures need it: RFC 3986, only its unreserved characters kept, upper-case digits, no normalisation.

local uri = {}

local function escape(character)
  return ("%%%02X"):format(character:byte())
end

--- Encodes every byte but `A-Z a-z 0-9 - . _ ~`: the name or value of a query.
---@param text string
---@return string
function uri.encode(text)
  return (text:gsub("[^%w%-._~]", escape))
end

--- Encodes a path and keeps its slashes, however many meet: a key of S3, which is bytes and not a path of folders. "a//b",
--- "a/../b" and "/a" are keys of their own, and arrive as they are.
---@param path string
---@return string
function uri.encode_path(path)
  return (path:gsub("[^%w%-._~/]", escape))
end

--- Decodes what S3 encodes in listings (`encoding-type=url`) and events: percent-encoding, with "+" for a space.
---@param text string
---@return string|nil decoded nil when a "%" isn't followed by two hexadecimal digits
function uri.decode_form(text)
  if text:gsub("%%%x%x", ""):find("%", 1, true) then
    return nil
  end
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- A query from pairs, in their order.
---@param pairs_of_query string[][] name and value
---@return string without "?"
function uri.query(pairs_of_query)
  local parts = {}
  for index, pair in ipairs(pairs_of_query) do
    parts[index] = uri.encode(pair[1]) .. "=" .. uri.encode(pair[2])
  end
  return table.concat(parts, "&")
end

--- Whether a host is a number: IPv4, or IPv6 with or without brackets.
---@param name string
---@return boolean
function uri.is_address(name)
  return name:find(":", 1, true) ~= nil or name:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
end

return uri
