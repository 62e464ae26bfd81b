--- What the error codes of AWS mean for the one who asked. Sources: the AWS SDKs and Tools Reference Guide ("Retry behavior"),
--- botocore/retries/standard.py, @smithy/service-error-classification (JavaScript), aws/request/retryer.go (Go), and S3's page
--- "Error responses".

local errors = {}

local function set(names)
  local result = {}
  for _, name in ipairs(names) do
    result[name] = true
  end
  return result
end

-- The service didn't get to it, or not to its end.
local transient = set {
  "RequestTimeout", "RequestTimeoutException", "InternalError", "PriorRequestNotComplete",
  -- Classes of host.http: nothing came, or not all of it. The SDKs count failed handshakes too.
  "connect", "tls", "timeout", "cut",
}

local transient_status = { [500] = true, [502] = true, [503] = true, [504] = true }

-- The service has had enough for now.
local throttling = set {
  "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException", "TooManyRequestsException",
  "ProvisionedThroughputExceededException", "TransactionInProgressException", "RequestLimitExceeded",
  "BandwidthLimitExceeded", "LimitExceededException", "RequestThrottled", "SlowDown", "PriorRequestNotComplete",
  "EC2ThrottledException",
}

-- The clocks may disagree; the Date of the answer tells.
local skew = set {
  "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "InvalidSignatureException", "SignatureDoesNotMatch",
  "AuthFailure",
}

-- The session behind the keys is over. TokenRefreshRequired and InvalidToken are S3's.
local expired = set {
  "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "InvalidToken",
}

-- The service doesn't know the key (any longer): S3, the query protocol, the JSON protocol.
local unknown_key = set { "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException" }

-- Before the request was whole on its way, nothing can have come of it.
local never_sent = set { "connect", "url", "library", "configuration", "no_credentials", "unavailable" }

--- Whether the same request may succeed if it is sent again, and of which kind the trouble is.
---@param code string|nil the service's error code, or a class of host.http
---@param status integer|nil of the answer
---@return "throttling"|"transient"|nil kind nil: it would fail again
function errors.kind(code, status)
  if throttling[code] or status == 429 then
    return "throttling"
  elseif transient[code] or transient_status[status] then
    return "transient"
  end
  return nil
end

--- Whether a clock that is off explains this answer.
---@param code string|nil
---@return boolean
function errors.is_skew(code)
  return skew[code] or false
end

--- Whether fresh credentials may help because the used ones have expired.
---@param code string|nil
---@return boolean
function errors.is_expired(code)
  return expired[code] or false
end

--- Whether the access key was refused as unknown: deleted, or replaced by another that isn't known here yet.
---@param code string|nil
---@return boolean
function errors.is_unknown_key(code)
  return unknown_key[code] or false
end

--- Whether the service may have carried out what it was asked although no good answer came.
---@param code string|nil
---@param status integer|nil
---@return boolean
function errors.is_ambiguous(code, status)
  if status then
    return status >= 500 or status < 300
  end
  return not never_sent[code]
end

return errors
