--- The endpoint by which a platform hands credentials to a container (ECS task roles, EKS pod identities): one path, GET
--- only, and where a token is set only for who shows it, byte for byte, as Authorization.
---
--- Fields that a spec may change: `path`, `token`, `credentials`, `failures` (statuses or {nil, message, code} to answer first).
local host = require "submitter.host"
local instance_metadata = require "spec.fake.instance_metadata"

local Service = {}
Service.__index = Service

local function failure(status, code)
  return instance_metadata.response(status, host.json.encode { code = code, message = "said so" })
end

--- Answers as host.http would; path is the part behind the host.
function Service:request(request, path)
  self.requests[#self.requests + 1] = request
  local first = table.remove(self.failures, 1)
  if type(first) == "table" then return nil, first[2], first[3] end
  if first then return failure(first, "NotNow") end
  if request.method ~= "GET" then return failure(405, "MethodNotAllowed") end
  if path ~= self.path then return failure(404, "NoSuchPath") end
  if instance_metadata.header(request, "authorization") ~= self.token then return failure(401, "AccessDenied") end
  return instance_metadata.response(200, host.json.encode(self.credentials))
end

return {
  open = function()
    return setmetatable({
      path = "/v2/credentials/task", token = nil, failures = {}, requests = {},
      credentials = {
        AccessKeyId = "ASIACONTAINER", SecretAccessKey = "container-secret", Token = "container-token",
        Expiration = "2026-11-24T12:00:00Z", RoleArn = "arn:aws:iam::123456789012:role/task",
      },
    }, Service)
  end,
}
