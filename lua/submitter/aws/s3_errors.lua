--- What S3 says when it refuses (S3's API reference, "Error responses"), and what the operator can do about it.

local answer = require "submitter.aws.answer"
local time = require "submitter.time"
local xml = require "submitter.aws.xml"

local s3_errors = {}

-- An answer to HEAD has no body, and some servers leave it out elsewhere too: what the status alone says.
local by_status = { [304] = "NotModified", [307] = "TemporaryRedirect", [412] = "PreconditionFailed",
  [416] = "InvalidRange" }
local head_by_status = { [301] = "PermanentRedirect", [400] = "BadRequest", [403] = "Forbidden", [404] = "NotFound" }

-- Errors quote keys, and keys hold what XML 1.0 can't: S3 writes a control character as "&#x1;" all the same, other servers
-- write HTML's entities. Then code and message, which stand before the key, are read from the text.
local function salvage(body)
  local code, rest = body:match("^%s*<%?xml[^>]*%?>%s*<Error[^>]*>%s*<Code>([%w._-]+)</Code>(.*)$")
  if not code then
    return nil
  end
  local message = rest:match("^%s*<Message>([^<&]*)</Message>")
  return { name = "Error", text = "", { name = "Code", text = code }, message and { name = "Message", text = message } }
end

-- The root of a body that may be an error's XML.
local function error_document(body)
  if not body or not body:sub(1, 512):find("<Error", 1, true) then
    return nil
  end
  local root = xml.parse(body)
  if root then
    return root.name == "Error" and root or nil
  end
  return salvage(body)
end

-- The region in the name of an endpoint that a redirect names: "bucket.s3.eu-west-1.amazonaws.com", "s3-eu-west-1…".
local function region_of(endpoint)
  return endpoint and endpoint:match("s3[.-](%l%l[%l-]*%-%d+)%.amazonaws%.")
end

local function about(response, document)
  return {
    region = answer.header(response, "x-amz-bucket-region") or (document and xml.text(document, "Region"))
      or region_of(document and xml.text(document, "Endpoint")),
    server_time_s = time.parse(document and xml.text(document, "ServerTime")),
  }
end

--- Takes the error out of an answer: client:call's `read_error`.
---@param response table
---@param is_head boolean|nil
---@return string|nil code
---@return string|nil message
---@return {region:string|nil, server_time_s:integer|nil} about
function s3_errors.read(response, is_head)
  local document = error_document(response.body)
  if document then
    local code = xml.text(document, "Code")
    return code ~= "" and code or nil, xml.text(document, "Message"), about(response, document)
  end
  return by_status[response.status] or (is_head and head_by_status[response.status]) or nil, nil, about(response)
end

--- The same of an answer whose status is good: S3 may find out that it can't after it has begun to answer (API reference,
--- "CopyObject"; the SDKs look for it in every answer without an object in it).
---@param response table
---@return string|nil code nil when there is none
---@return string|nil message
function s3_errors.read_good(response)
  local document = error_document(response.body)
  if not document then
    return nil
  end
  return xml.text(document, "Code") or "InternalError", xml.text(document, "Message")
end

-- What each call needs of IAM.
local actions = { GetObject = "s3:GetObject", HeadObject = "s3:GetObject", PutObject = "s3:PutObject",
  DeleteObject = "s3:DeleteObject", ListObjectsV2 = "s3:ListBucket" }

local credential_codes = { InvalidAccessKeyId = true, SignatureDoesNotMatch = true, ExpiredToken = true,
  InvalidToken = true, TokenRefreshRequired = true }
local refusals = { AccessDenied = true, Forbidden = true, AllAccessDisabled = true, AccountProblem = true }
local wrong_place = { PermanentRedirect = true, TemporaryRedirect = true, AuthorizationHeaderMalformed = true,
  IllegalLocationConstraintException = true }

--- What the operator can do about a failure; nil when there is nothing but to wait.
---@param code string
---@param operation string
---@param bucket string
---@return string|nil
function s3_errors.remedy(code, operation, bucket)
  if code == "NoSuchBucket" then
    return ("the bucket %s doesn't exist: create it, or correct its name in the configuration"):format(bucket)
  elseif refusals[code] then
    local action = actions[operation] or "the action"
    return ("allow %s on the bucket %s to these credentials%s"):format(action, bucket,
      action == "s3:GetObject" and ", and s3:ListBucket: without it S3 refuses to say that an object is absent" or "")
  elseif credential_codes[code] then
    return "check the credentials: submitter doctor says where they come from"
  elseif code == "RequestTimeTooSkewed" then
    return "set this machine's clock"
  elseif wrong_place[code] then
    return ("set the region of the bucket %s in the configuration"):format(bucket)
  elseif code == "NotImplemented" then
    return "this endpoint lacks what is needed of S3: conditional writes (If-Match, If-None-Match); use one that has "
      .. "them or, with a single worker, set conditional_writes = false in s3 { … }"
  elseif code == "HTTP 404" or code == "HTTP 405" then
    return "no S3 answers so: check the endpoint"
  end
  return nil
end

return s3_errors
