--- Credentials that the platform of a container offers over HTTP: Amazon ECS, the pod identities of Amazon EKS, and what
--- speaks like them (AWS SDKs and Tools Reference Guide, "Container credential provider").

local keys = require "submitter.aws.credentials.keys"
local host = require "submitter.host"
local profiles = require "submitter.aws.profiles"
local url = require "submitter.aws.url"

local container = { name = "container" }

local relative_host = "http://169.254.170.2"
local attempts, pause_ms, timeout_ms = 3, 1000, 2000
local limit_bytes = 64 << 10

-- Where secrets may travel in the clear, because they don't leave the machine: loopback, ECS, EKS.
local link_local = { ["169.254.170.2"] = true, ["169.254.170.23"] = true, ["fd00:ec2::23"] = true }

local function is_loopback(name)
  local rest = name:match("^127%.(%d+%.%d+%.%d+)$")
  if rest then
    for part in rest:gmatch("%d+") do
      if tonumber(part) > 255 then return false end
    end
    return true
  end
  return name == "localhost" or name:find("^[0:]*:0*1$") ~= nil
end

-- The address to ask, and whether it lies in this machine.
local function address_of(context)
  local relative = context:variable "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
  local full = context:variable "AWS_CONTAINER_CREDENTIALS_FULL_URI"
  if not relative and not full then
    return nil, "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set", "absent"
  end
  local where = relative and "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" or "AWS_CONTAINER_CREDENTIALS_FULL_URI"
  if relative and relative:sub(1, 1) ~= "/" then
    return nil, where .. " must begin with a /", "configuration"
  end
  local parts, message = url.parse(relative and relative_host .. relative or full)
  if not parts then
    return nil, ("%s can't be used: %s"):format(where, message), "configuration"
  end
  local is_near = is_loopback(parts.host) or link_local[parts.host] or false
  if parts.scheme == "http" and not is_near then
    return nil, ("%s: over plain http only this machine and the addresses of ECS and EKS are asked, not %s; use https")
      :format(where, parts.host), "configuration"
  end
  local path = parts.path == "" and "/" or parts.path
  return ("%s://%s%s%s"):format(parts.scheme, parts.authority, path, parts.query and "?" .. parts.query or ""),
    nil, nil, is_near
end

-- Read anew each time: Kubernetes replaces the file long before the token in it expires.
local function read_token(context)
  local path = context:variable "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
  local token, where = context:variable "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"
  if path then
    where = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
    local message, code
    path, message, code = profiles.path(context, path, where)
    if not path then return nil, message, code end
    token, message = context.read_file(path)
    if not token then
      return nil, ("%s: %s can't be read: %s"):format(where, path, message), "unavailable"
    end
  end
  if not token then return nil end
  if token:find("[\r\n]") then
    return nil, where .. ": the token holds a line break, which can't stand in a header; write it without one",
      "configuration"
  elseif token == "" or token:find("[%c\127]") then
    return nil, where .. ": the token is empty or holds control characters", "configuration"
  end
  return token
end

local function ask(context, address, is_near)
  local token, message, code = read_token(context)
  if code then return nil, message, code end
  local headers = { { "Accept", "application/json" } }
  if token then headers[2] = { "Authorization", token } end
  local proxy
  if is_near then proxy = false end
  local response
  response, message = context.http.request {
    method = "GET", url = address, headers = headers, timeout_ms = timeout_ms, connect_timeout_ms = timeout_ms,
    stall_ms = timeout_ms, limit_bytes = limit_bytes, proxy = proxy, ca_file = context.ca_file,
  }
  if not response then
    return nil, ("nobody answers there: %s"):format(message), "again"
  elseif response.status ~= 200 then
    local reason = keys.error_text((host.json.decode(response.body)))
    return nil, ("status %d, %s"):format(response.status, reason),
      (response.status >= 500 or response.status == 429) and "again" or "unavailable"
  end
  return response
end

--- Fetches them.
---@async
---@param context AwsContext
---@return FoundCredentials|nil
---@return string|nil message
---@return "absent"|"configuration"|"unavailable"|nil code
function container.fetch(context)
  local address, message, code, is_near = address_of(context)
  if not address then return nil, message, code end
  -- The query may be a secret of the platform's.
  local shown = "the container's credential endpoint " .. address:gsub("%?.*", "")
  local response
  for attempt = 1, attempts do
    response, message, code = ask(context, address, is_near)
    if response or code ~= "again" then break end
    if attempt < attempts then context.sleep_ms(pause_ms) end
  end
  if not response then
    return nil, ("%s: %s"):format(shown, message), code == "again" and "unavailable" or code
  end
  return keys.read(response.body, shown, { token = "Token", source = "container" })
end

return container
