--- The Security Token Service, as strict as its API reference: POST of a form to "/", the version, names and lengths of the
--- parameters, AssumeRole signed and for the region that the host stands for, AssumeRoleWithWebIdentity not signed at all.
--- Signatures are those of spec.fake.sigv4.
---
--- Fields that a spec may change: `life_s`, `tokens` (web identity tokens that count), `failures` ({status, code} to answer
--- first), `now_s`. `calls` holds the forms that came, each with `access_key_id` and `region` of its signature.
local host = require "submitter.host"
local instance_metadata = require "spec.fake.instance_metadata"

local header, response = instance_metadata.header, instance_metadata.response

local Service = {}
Service.__index = Service

local namespace = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'

local function failure(status, code, message)
  return response(status, ("<ErrorResponse %s><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>"
    .. "<RequestId>4f5c</RequestId></ErrorResponse>"):format(namespace, code, message or "said so"),
    { { "x-amzn-requestid", "4f5c" } })
end

local function decode(text)
  return (text:gsub("%+", " "):gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function read_form(body)
  local form = {}
  for name, value in body:gmatch "([^&=]+)=([^&]*)" do
    if form[name] then return nil, name .. " comes twice" end
    form[name] = decode(value)
  end
  return form
end

local shared = { Action = true, Version = true, RoleArn = true, RoleSessionName = true, DurationSeconds = true }
local own = { AssumeRole = { ExternalId = true }, AssumeRoleWithWebIdentity = { WebIdentityToken = true } }

local function check(form)
  if form.Version ~= "2011-06-15" then return "NoSuchVersion", "no such version" end
  if not own[form.Action] then return "InvalidAction", "no such action" end
  for name in pairs(form) do
    if not shared[name] and not own[form.Action][name] then return "ValidationError", name end
  end
  if not (form.RoleArn or ""):find "^arn:[%w-]+:iam::%d+:role/[%w+=,.@/_-]+$" then
    return "ValidationError", "RoleArn"
  end
  local name = form.RoleSessionName or ""
  if #name < 2 or #name > 64 or not name:find "^[%w_+=,.@-]+$" then return "ValidationError", "RoleSessionName" end
  local seconds = form.DurationSeconds and tonumber(form.DurationSeconds) or 3600
  if seconds < 900 or seconds > 43200 then return "ValidationError", "DurationSeconds" end
end

-- Who signs, or which error.
function Service:authenticate(request, form)
  local authorization = header(request, "authorization")
  if form.Action == "AssumeRoleWithWebIdentity" then
    if authorization then return "a signature that nobody asked for" end
    if not self.tokens[form.WebIdentityToken or ""] then return "InvalidIdentityToken" end
    return nil
  end
  local key, region, service = (authorization or ""):match "^FAKE (%S+) (%S+) (%S+)$"
  if not key then return "MissingAuthenticationToken" end
  form.access_key_id, form.region = key, region
  if service ~= "sts" or region ~= self.region then return "SignatureDoesNotMatch" end
  return nil
end

local function answer(self, form)
  local number = #self.calls
  local seconds = form.DurationSeconds and tonumber(form.DurationSeconds) or self.life_s
  return response(200, ([[<%sResponse %s>
  <%sResult>
    <AssumedRoleUser><Arn>%s</Arn><AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser>
    <Credentials>
      <AccessKeyId>ASIAROLE%d</AccessKeyId>
      <SecretAccessKey>role-secret-%d</SecretAccessKey>
      <SessionToken>role-token-%d</SessionToken>
      <Expiration>%s</Expiration>
    </Credentials>
  </%sResult>
  <ResponseMetadata><RequestId>4f5c</RequestId></ResponseMetadata>
</%sResponse>]]):format(form.Action, namespace, form.Action, form.RoleArn, number, number, number,
    host.clock.utc((self.now_s() + seconds) * 1000), form.Action, form.Action))
end

--- Answers as host.http would; path is the part behind the host.
function Service:request(request, path)
  if request.method ~= "POST" or path ~= "/" then return response(404) end
  if not (header(request, "content-type") or ""):find "^application/x%-www%-form%-urlencoded" then
    return failure(400, "MalformedInput")
  end
  local form, problem = read_form(request.body)
  if not form then return failure(400, "MalformedInput", problem) end
  self.calls[#self.calls + 1] = form
  local first = table.remove(self.failures, 1)
  if first then return failure(first[1], first[2]) end
  local code, message = check(form)
  if code then return failure(400, code, message) end
  code = self:authenticate(request, form)
  if code then return failure(403, code) end
  return answer(self, form)
end

return {
  ---@param now_s fun():integer
  ---@param region string
  open = function(now_s, region)
    return setmetatable({
      region = region, life_s = 3600, tokens = {}, failures = {}, calls = {}, now_s = now_s,
    }, Service)
  end,
}
