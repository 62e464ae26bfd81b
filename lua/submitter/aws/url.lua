--- Reads the addresses that an operator, an environment or a profile gives, into their parts (RFC 3986, as far as http
--- has use for it), and writes queries. What doesn't fit is refused with what is wrong: a part of it may become part of a
--- signature.

local percent = require "submitter.percent"
local units = require "submitter.units"

local url = {}

local default_ports = { http = 80, https = 443 }

---@class Url
---@field scheme "http"|"https"
---@field host string in lower case, without the brackets of an IPv6 address
---@field port integer
---@field authority string as it goes on the wire: host, brackets, and the port unless it is the scheme's own
---@field path string "" or "/…", as it was given
---@field query string|nil without the "?"

local function is_name(host)
  if #host > 253 then return false end
  for label in (host:gsub("%.$", "") .. "."):gmatch("([^.]*)%.") do
    if #label > 63 or not label:find("^[%w_][%w_-]*$") then return false end
  end
  return host ~= "" and host ~= "."
end

local function split_authority(authority)
  local host, port = authority:match("^%[([%x:.]+)%]:?(%d*)$")
  if host then
    return host:find(":", 1, true) and host, port, true
  end
  host, port = authority:match("^([^:]+):?(%d*)$")
  return host and is_name(host) and host, port, false
end

--- Takes an http or https URL apart.
---@param text string
---@return Url|nil
---@return string|nil message what is wrong with it, without the text itself
function url.parse(text)
  if text:find("[%c%s\127-\255\"<>\\^`{|}]") then
    return nil, "a URL has no white space, control characters, quotes, backslashes or bytes that aren't ASCII"
  end
  local scheme, authority, rest = text:match("^(%a[%w+.-]*)://([^/?#]*)(.*)$")
  scheme = scheme and scheme:lower()
  if not default_ports[scheme] then
    return nil, "it must begin with http:// or https://"
  elseif authority:find("@", 1, true) then
    return nil, "it must not hold a user's name or password before the host"
  elseif rest:find("#", 1, true) then
    return nil, "it must not have a fragment (#)"
  end
  local host, port_text, is_address = split_authority(authority)
  local port = port_text ~= "" and tonumber(port_text) or default_ports[scheme]
  if not host then
    return nil, "it names no valid host"
  elseif port < 1 or port > 65535 then
    return nil, "its port isn't from 1 to 65535"
  end
  host = host:lower()
  local shown = is_address and "[" .. host .. "]" or host
  local path, query = rest:match("^([^?]*)%??(.*)$")
  return {
    scheme = scheme, host = host, port = port, path = path, query = rest:find("?", 1, true) and query or nil,
    authority = port == default_ports[scheme] and shown or ("%s:%d"):format(shown, port),
  }
end

--- Reads the address of a service: no query, and no "/" at its end, so that a path can be appended.
---@param text string
---@param where string what gave it, for messages: "AWS_ENDPOINT_URL"
---@return string|nil address "https://host:port/path"
---@return string|nil message
---@return "configuration"|nil code
function url.endpoint(text, where)
  local parts, message = url.parse(text)
  if parts and parts.query then
    parts, message = nil, "it must not have a query (?)"
  end
  if not parts then
    -- What stands before an "@" may be a password.
    local shown = text:find("@", 1, true) and "an endpoint" or units.format_text(text)
    return nil, ("%s: %s is no endpoint that can be used: %s; expected something like \"https://s3.example.org\"")
      :format(where, shown, message), "configuration"
  end
  return ("%s://%s%s"):format(parts.scheme, parts.authority, (parts.path:gsub("/+$", "")))
end

--- A query from pairs, in their order.
---@param pairs_of_query string[][] name and value
---@return string without "?"
function url.query(pairs_of_query)
  local parts = {}
  for index, pair in ipairs(pairs_of_query) do
    parts[index] = percent.encode(pair[1]) .. "=" .. percent.encode(pair[2])
  end
  return table.concat(parts, "&")
end

--- Whether a host is a number: IPv4, or IPv6 with or without brackets.
---@param name string
---@return boolean
function url.is_address(name)
  return name:find(":", 1, true) ~= nil or name:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
end

return url
