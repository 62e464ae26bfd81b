--- Where a database is, as libpq is told: a URI ("postgresql://…") or words ("host=… dbname=…"). libpq reads it; here it is read
--- only to tell people what it says, and to keep its password out of what they are told. Source: PostgreSQL's documentation,
--- libpq, "Connection Strings".
local address = {}

local secrets = { password = true, sslpassword = true }

-- ---- words ----

-- One value of `name = value`: 'quoted', or up to a space; a backslash makes the next character plain.
local function read_value(text, at)
  local quoted = text:sub(at, at) == "'"
  local ends = quoted and "'" or "%s"
  if quoted then at = at + 1 end
  local pieces = {}
  while at <= #text do
    local character = text:sub(at, at)
    if character:find(ends) then break end
    if character == "\\" then
      at = at + 1
      character = text:sub(at, at)
    end
    pieces[#pieces + 1] = character
    at = at + 1
  end
  return table.concat(pieces), quoted and at + 1 or at
end

local function read_words(text)
  local settings, at = {}, 1
  while true do
    local _, after, name = text:find("^%s*([%w_]+)%s*=%s*", at)
    if not name then return settings end
    settings[name], at = read_value(text, after + 1)
  end
end

-- ---- URI ----

local function decode(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function read_query(settings, query)
  for pair in query:gmatch "[^&]+" do
    local name, value = pair:match "^([^=]*)=(.*)$"
    if name then settings[decode(name)] = decode(value) end
  end
end

-- user:password@host:port,host:port
local function read_authority(settings, authority)
  local user, hosts = authority:match "^(.*)@(.*)$"
  hosts = hosts or authority
  if user then
    local name, password = user:match "^([^:]*):(.*)$"
    settings.user, settings.password = decode(name or user), password and decode(password)
  end
  if hosts ~= "" then settings.hosts = decode(hosts) end
end

local function read_uri(text)
  local settings = {}
  local rest = text:match "^postgres[ql]*://(.*)$"
  local before, query = rest:match "^([^?]*)%?(.*)$"
  local authority, name = (before or rest):match "^([^/]*)/?(.*)$"
  read_authority(settings, authority)
  if name ~= "" then settings.dbname = decode(name) end
  if query then read_query(settings, query) end
  return settings
end

--- What a conninfo says, by libpq's names; of a URI the hosts with their ports as one text, `hosts`. A wrong one isn't refused:
--- that is for libpq to say.
---@param url string|nil
---@return table<string, string> settings
function address.read(url)
  url = url or ""
  return url:find "^postgres[ql]*://" and read_uri(url) or read_words(url)
end

--- For people, without secrets.
---@param url string|nil
---@return string
function address.describe(url)
  local settings = address.read(url)
  local pieces = { settings.dbname and ("database %s"):format(settings.dbname) or "a database" }
  local where = settings.hosts or settings.host or settings.hostaddr
  if where then
    pieces[#pieces + 1] = settings.port and ("at %s, port %s"):format(where, settings.port) or "at " .. where
  end
  if settings.user then pieces[#pieces + 1] = "as " .. settings.user end
  if settings.service then pieces[#pieces + 1] = "of the service " .. settings.service end
  if not (settings.dbname or where or settings.service) then pieces[#pieces + 1] = "of the PG… variables" end
  return table.concat(pieces, " ")
end

-- ---- secrets ----

local function replace_plain(text, what, by)
  if what == "" then return text end
  return (text:gsub((what:gsub("%p", "%%%0")), (by:gsub("%%", "%%%%"))))
end

-- libpq quotes pieces of a conninfo that it can't read, and a password with a space in it is such pieces.
local unreadable = { "connection info string", "connection option", "URI", "percent%-encoded", "percent%-sign" }

--- A message of libpq without what is secret in the conninfo.
---@param message string
---@param url string|nil
---@return string
function address.redact(message, url)
  message = tostring(message)
  if not url or url == "" then return message end
  message = replace_plain(message, url, "…")
  for name, value in pairs(address.read(url)) do
    if secrets[name] then message = replace_plain(message, value, "…") end
  end
  -- With an "@" in a password that should be %40, libpq takes what follows it for the host.
  local raw = url:match "^postgres[ql]*://[^/?]-:([^/?]*)@" or ""
  for piece in raw:gmatch "[^@]+" do message = replace_plain(message, piece, "…") end
  for _, pattern in ipairs(unreadable) do
    if message:find(pattern) then return (message:gsub('"[^"]*"', '"…"')) end
  end
  return message
end

return address
