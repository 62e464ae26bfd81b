--- The metadata service of an EC2 instance, version 2, as strict as the published contract (Amazon EC2 User Guide, "Use the
--- Instance Metadata Service"): a token comes by PUT with a time to live from 1 to 21600 seconds, never through a proxy, and no
--- further than the hop limit; whatever is read without a token that counts is answered 401.
---
--- Fields that a spec may change: `role`, `credentials` (the JSON object), `region`, `is_off` (403), `hops` (how far away the
--- one who asks is), `hop_limit`, `now_s`, `answer` (function(path) that may give another response).
local host = require "submitter.host"

local Service = {}
Service.__index = Service

local roles = "/latest/meta-data/iam/security-credentials/"

local function header(request, name)
  local found
  for _, pair in ipairs(request.headers or {}) do
    if pair[1]:lower() == name then
      if found then error("the header " .. name .. " comes twice", 0) end
      found = pair[2]
    end
  end
  return found
end

local function response(status, body, headers)
  return { status = status, headers = headers or {}, body = body or "", version = "1.1", reused = false }
end

function Service:issue(request)
  local seconds = math.tointeger(tonumber(header(request, "x-aws-ec2-metadata-token-ttl-seconds") or ""))
  if request.method ~= "PUT" then return response(405) end
  if header(request, "x-forwarded-for") then return response(403) end
  if not seconds or seconds < 1 or seconds > 21600 then return response(400) end
  local token = "token-" .. host.digest.random(8)
  self.tokens[token] = self.now_s() + seconds
  if self.hops > self.hop_limit then return nil, "nothing came within 1000 ms", "timeout" end
  return response(200, token, { { "x-aws-ec2-metadata-token-ttl-seconds", tostring(seconds) } })
end

function Service:read(path)
  if path == roles then
    return self.role and response(200, self.role) or response(404)
  elseif self.role and path == roles .. self.role then
    return response(200, host.json.encode(self.credentials))
  elseif path == "/latest/meta-data/placement/region" and self.region then
    return response(200, self.region)
  end
  return response(404)
end

--- Answers as host.http would; path is the part behind the host.
function Service:request(request, path)
  self.requests[#self.requests + 1] = request.method .. " " .. path
  if request.proxy ~= false then error("the metadata service is asked through a proxy", 0) end
  if request.timeout_ms ~= 1000 then error("the metadata service has one second", 0) end
  local other = self.answer and self.answer(path)
  if other then return other end
  if self.is_off then return response(403) end
  if path == "/latest/api/token" then return self:issue(request) end
  local until_s = self.tokens[header(request, "x-aws-ec2-metadata-token") or ""]
  if request.method ~= "GET" then return response(405) end
  if not until_s or until_s <= self.now_s() then return response(401) end
  return self:read(path)
end

return {
  --- An instance with the role "worker".
  ---@param now_s fun():integer
  open = function(now_s)
    return setmetatable({
      role = "worker", region = nil, is_off = false, hops = 1, hop_limit = 1, tokens = {}, requests = {}, now_s = now_s,
      credentials = {
        Code = "Success", LastUpdated = "2026-11-24T05:00:00Z", Type = "AWS-HMAC", AccessKeyId = "ASIAINSTANCE",
        SecretAccessKey = "instance-secret", Token = "instance-token", Expiration = "2026-11-24T12:00:00Z",
      },
    }, Service)
  end,
  response = response,
  header = header,
}
