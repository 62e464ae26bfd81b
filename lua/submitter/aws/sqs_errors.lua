--- SQS's errors: read out of an answer, sorted by what the project does about them, and told with a remedy. Pure.
local answer = require "submitter.aws.answer"
local host = require "submitter.host"

local sqs_errors = {}

-- What the query protocol calls some of them, and the suffix that some carry (the API model's awsQueryError traits).
local aliases = {
  NonExistentQueue = "QueueDoesNotExist", QueueAlreadyExists = "QueueNameExists",
  AccessDeniedException = "AccessDenied", InvalidParameterValueException = "InvalidParameterValue",
  ["KMS.AccessDeniedException"] = "KmsAccessDenied", ["KMS.DisabledException"] = "KmsDisabled",
  ["KMS.InvalidKeyUsageException"] = "KmsInvalidKeyUsage", ["KMS.InvalidStateException"] = "KmsInvalidState",
  ["KMS.NotFoundException"] = "KmsNotFound", ["KMS.OptInRequired"] = "KmsOptInRequired",
  ["KMS.ThrottlingException"] = "KmsThrottled",
}

--- One name for an error, whichever protocol's name was given: `com.amazonaws.sqs#QueueDoesNotExist` and
--- `AWS.SimpleQueueService.NonExistentQueue;Sender` are both `QueueDoesNotExist`.
---@param code any
---@return string
function sqs_errors.canonical(code)
  if type(code) ~= "string" or code == "" then return "unknown" end
  -- Longer than any, and not to be trusted in a log line.
  code = code:match("^[^;]*"):match("[^#]*$"):match("^[^:]*"):sub(1, 100)
  code = code:gsub("^AWS%.SimpleQueueService%.", "")
  return aliases[code] or code
end

local function text(value)
  return type(value) == "string" and value ~= "" and value or nil
end

--- The error that an answer holds. The query protocol's code in the header comes first, because only it tells what the
--- body's type leaves out.
---@param response {headers:string[][], body:string}
---@return string|nil code nil when the answer isn't SQS's
---@return string|nil message
function sqs_errors.read(response)
  local body = host.json.decode(response.body)
  if type(body) ~= "table" then body = {} end
  local code = text(answer.header(response, "x-amzn-query-error")) or text(body.__type) or text(body.code)
    or text(answer.header(response, "x-amzn-errortype"))
  if not code then return nil end
  return sqs_errors.canonical(code), text(body.message) or text(body.Message)
end

-- Trying again won't help before somebody changes something.
local permanent = {}
for _, code in ipairs {
  "AccessDenied", "QueueDoesNotExist", "QueueDeletedRecently", "InvalidClientTokenId", "UnrecognizedClientException",
  "SignatureDoesNotMatch", "InvalidSignatureException", "InvalidAccessKeyId", "AuthFailure", "InvalidSecurity",
  "InvalidAddress", "InvalidAction", "MissingAction", "MissingAuthenticationToken",
  "MissingAuthenticationTokenException", "IncompleteSignature", "OptInRequired", "UnsupportedOperation",
  "KmsAccessDenied", "KmsDisabled", "KmsInvalidKeyUsage", "KmsInvalidState", "KmsNotFound", "KmsOptInRequired",
  "InvalidParameterValue", "MissingParameter", "InvalidAttributeName", "no_credentials", "configuration",
} do
  permanent[code] = true
end

--- What an error means in the words of lua/submitter/README.md.
---@param code string|nil canonical, or a class of the client
---@param message string|nil AWS's; some different errors share one code
---@param details table|nil of the client
---@return "unavailable"|"environment"|"lease_lost"|"too_large"|"message"
function sqs_errors.class(code, message, details)
  message = message or ""
  if code == "ReceiptHandleIsInvalid" or code == "MessageNotInflight" then return "lease_lost" end
  if code == "InvalidParameterValue" then
    -- "Value AQ… for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", "… Reason: Message
    -- does not exist or is not available for visibility timeout change.", "… Reason: Total VisibilityTimeout for the
    -- message is beyond the limit [43200 seconds]".
    if message:find("parameter ReceiptHandle", 1, true) or message:find("Total VisibilityTimeout", 1, true) then
      return "lease_lost"
    elseif message:find("must be shorter than", 1, true) then
      return "too_large"
    end
  elseif code == "InvalidMessageContents" then
    return "message"
  elseif code == "BatchRequestTooLong" or code == "RequestEntityTooLarge" then
    return "too_large"
  end
  return permanent[code] and not (details and details.retryable) and "environment" or "unavailable"
end

--- Why a message can't be acted on any more, from what SQS says about one entry.
---@param reason string
---@return string
function sqs_errors.lost(reason)
  if reason:find("Total VisibilityTimeout", 1, true) then
    return "the message was received 12 hours ago, and SQS hides none for longer: it comes again"
  end
  return "the message is not held any more: its visibility time-out passed, it was given back or deleted; another "
    .. "worker may have it"
end

local key_remedy = "the queue is encrypted with a key of KMS: in KMS, see that the key is enabled and exists in this "
  .. "region"

-- By code; each gets the IAM action and the queue.
local remedies = {
  AccessDenied = function(action, queue)
    return ("allow %s on this queue (%s) to the role or user of these credentials, in its IAM policy and, where there "
      .. "is one, the queue's own; SQS may say the same of a queue that doesn't exist"):format(action, queue.url)
  end,
  QueueDoesNotExist = function(_, queue)
    return ("there is no queue %s%s; check the URL in the configuration, or make the queue"):format(
      queue.url, queue.region and " in " .. queue.region or "")
  end,
  QueueDeletedRecently = function()
    return "a queue can be made again 60 seconds after it was deleted"
  end,
  KmsAccessDenied = function(action)
    return ("the queue is encrypted with a key of KMS: allow %s on that key to the role or user of these credentials")
      :format(action == "sqs:SendMessage" and "kms:GenerateDataKey and kms:Decrypt" or "kms:Decrypt")
  end,
  KmsDisabled = function() return key_remedy end,
  KmsInvalidState = function() return key_remedy end,
  KmsNotFound = function() return key_remedy end,
  KmsInvalidKeyUsage = function() return key_remedy end,
  OverLimit = function()
    return "too many messages are received and not deleted yet (SQS allows 120,000 a queue): run more workers or fewer "
      .. "slots"
  end,
  InvalidAddress = function(_, queue)
    return ("check the URL in the configuration: %s"):format(queue.url)
  end,
  InvalidSecurity = function()
    return "SQS wants https: check the scheme of the queue's URL and of the endpoint"
  end,
  tls = function()
    return "check the certificates: AWS_CA_BUNDLE, SSL_CERT_FILE, or what stands between"
  end,
}

for _, code in ipairs { "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId",
  "SignatureDoesNotMatch", "InvalidSignatureException" } do
  remedies[code] = function()
    return "check the credentials and the region: submitter doctor says where they come from"
  end
end

-- What servers say that don't know the operation by its header or the type of the body: those of before 2023 take forms only.
local not_understood = { MissingAction = true, InvalidAction = true, UnknownOperation = true,
  UnknownOperationException = true, ["HTTP 404"] = true, ["HTTP 405"] = true }

--- What to do about an error, or nil where there is nothing that an operator could.
---@param code string|nil
---@param operation string AWS's name of it
---@param queue {url:string, region:string|nil}
---@param status integer|nil of the answer
---@return string|nil
function sqs_errors.remedy(code, operation, queue, status)
  if status and (not_understood[code] or status == 415) then
    return "check the endpoint: it isn't SQS, or an older server that doesn't speak SQS's JSON protocol"
  end
  local remedy = remedies[code]
  -- A batch needs the right to its single operation.
  return remedy and remedy("sqs:" .. operation:gsub("Batch$", ""), queue) or nil
end

return sqs_errors
