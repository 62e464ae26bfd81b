--- One service of one session: signs a request, sends it, judges the answer, and tries again where the SDKs' standard mode
--- would (retry.lua, errors.lua). What a request means is the business of the service's own file (s3.lua, sqs.lua).
---
--- Three things are put right once a call, at once and outside the retries' quota: a clock that is off (skew.lua), credentials
--- that have expired, an access key that was replaced. Every attempt is signed anew with the time of now. Neither bodies nor
--- headers nor keys come into a message or a log line.

local answer = require "submitter.aws.answer"
local errors = require "submitter.aws.errors"
local host = require "submitter.host"
local retry = require "submitter.aws.retry"
local schema = require "submitter.schema"
local skew = require "submitter.aws.skew"

local client = {}

local MAX_ATTEMPTS = 3
local TIMEOUT_MS = 60 * 1000
local CONNECT_TIMEOUT_MS = 5 * 1000
local STALL_MS = 20 * 1000
local ANSWER_LIMIT_BYTES = 4 << 20
-- Of what a service or a library says, in a message.
local TEXT_LIMIT_BYTES = 300

---@class AwsFailure why an attempt came to nothing
---@field code string the service's error code, or a class
---@field text string
---@field kind "throttling"|"transient"|nil nil: the same again would fail again
---@field status integer|nil
---@field response table|nil
---@field about table|nil what read_error found beside code and message
---@field ambiguous boolean it may have been carried out all the same

---@class AwsClient
---@field service "s3"|"sqs"|"sts"
---@field session AwsSession
---@field quota Quota
---@field skew Skew
local Client = {}
Client.__index = Client

-- ---- one attempt ----

-- What others said: not too much of it, on one line, without what steers a terminal.
local function plain(text)
  if #text <= TEXT_LIMIT_BYTES then
    return host.text.escape(text)
  end
  -- A character isn't cut in two.
  local cut = text:sub(1, TEXT_LIMIT_BYTES):gsub("[\xC0-\xFF][\x80-\xBF]*$", "")
  return ("%s… (%d bytes)"):format(host.text.escape(cut), #text)
end

-- Without a status the words are this program's own, and what to do stands at their end.
local function failure(code, text, status)
  text = tostring(text)
  text = status and plain(text) or host.text.escape(text)
  return { code = code, text = text, status = status, kind = errors.kind(code, status),
    ambiguous = errors.is_ambiguous(code, status) }
end

-- The headers that SDKs add: they let a service tell retries from new requests.
local function with_attempt(self, request, progress)
  local headers = {}
  for _, pair in ipairs(request.headers or {}) do
    headers[#headers + 1] = pair
  end
  headers[#headers + 1] = { "amz-sdk-invocation-id", progress.invocation_id }
  headers[#headers + 1] = { "amz-sdk-request", ("attempt=%d; max=%d"):format(progress.attempts, self.max_attempts) }
  return headers
end

local function sign(self, request, progress)
  local region, message, code = request.region or self.region
  if not region then
    region, message, code = self.session:region()
    if not region then
      return nil, message, code or "configuration"
    end
  end
  progress.signed_offset_s = self.skew.offset_s
  return self.sign {
    credentials = progress.snapshot.keys, method = request.method, url = request.url,
    headers = with_attempt(self, request, progress), body = request.body, payload_hash = request.payload_hash,
    region = region, service = self.service, time = self:now_s() + self.skew.offset_s,
  }
end

-- The name is not signed: proxies write their own into it.
local function user_agent(signed)
  local headers = { table.unpack(signed.headers) }
  headers[#headers + 1] = { "User-Agent", "submitter/" .. host.system.version() }
  return headers
end

local function send(self, request, progress)
  local signed, message, code = sign(self, request, progress)
  if not signed then
    return nil, message, code or "configuration"
  end
  return self.http.request {
    method = request.method, url = signed.url, headers = user_agent(signed), body = request.body,
    timeout_ms = request.timeout_ms or TIMEOUT_MS, connect_timeout_ms = CONNECT_TIMEOUT_MS,
    stall_ms = request.stall_ms or STALL_MS, limit_bytes = request.limit_bytes or ANSWER_LIMIT_BYTES,
    ca_file = self.ca_file,
  }
end

local function is_good(request, response)
  return (response.status >= 200 and response.status < 300)
    or (request.expected ~= nil and request.expected[response.status] == true)
end

-- What an answer means: nil when it is a good one.
local function judge(request, response)
  local found
  if is_good(request, response) then
    local code, message = nil, nil
    if request.verify then
      code, message = request.verify(response)
    end
    if not code then
      return nil
    end
    found = failure(code, message or code, response.status)
    found.kind = found.kind or "transient"
  else
    local code, message, about
    if request.read_error then
      code, message, about = request.read_error(response)
    end
    code = code or ("HTTP %d"):format(response.status)
    found = failure(code, message and message ~= "" and code .. ": " .. message or code, response.status)
    found.about = about
    if request.retried_codes and request.retried_codes[code] then
      found.kind = found.kind or "transient"
    end
  end
  found.response = response
  return found
end

-- Learns the service's time from a good answer. A refusal's is looked at when it is judged.
local function learn(self, response)
  local date_s = answer.date_s(response)
  if date_s and self.skew:accepted(date_s, self:now_s()) then
    host.log.warn("aws_clock_corrected", { service = self.service, offset_s = self.skew.offset_s })
  end
end

local function attempt(self, request, progress)
  local snapshot, message, code = self.session:credentials()
  if not snapshot then
    return nil, failure(code or "no_credentials", message)
  end
  progress.attempts, progress.snapshot = progress.attempts + 1, snapshot
  local response
  response, message, code = send(self, request, progress)
  if not response then
    return nil, failure(code == "url" and "configuration" or code, message)
  end
  response.request_id = answer.request_id(response)
  -- Sent once more by host.http, because a kept connection ended without a word: as good as an attempt whose answer was lost.
  progress.ambiguous = progress.ambiguous or response.resent == true
  local found = judge(request, response)
  if found then
    return nil, found
  end
  learn(self, response)
  return response
end

-- ---- what to do about a failure ----

-- A clock that is off: whether another time will be signed now, at once. That is so once a call; a service whose hosts don't
-- agree about the time is then asked again like one that fails for a moment.
local function corrects_clock(self, progress, found)
  if not found.response or not errors.is_skew(found.code) then
    return false
  end
  local date_s = found.about and found.about.server_time_s or answer.date_s(found.response)
  local before_s = self.skew.offset_s
  if not date_s or not self.skew:refused(date_s, self:now_s(), progress.signed_offset_s) then
    return false
  end
  if self.skew.offset_s ~= before_s then
    host.log.warn("aws_clock_corrected", { service = self.service, offset_s = self.skew.offset_s })
  end
  if progress.clock_corrected then
    found.kind = found.kind or "transient"
    return false
  end
  progress.clock_corrected = true
  return true
end

-- Credentials that are over, or a key that was replaced: whether there are others now.
local function renews_credentials(self, progress, found)
  local is_expired, is_unknown = errors.is_expired(found.code), errors.is_unknown_key(found.code)
  if progress.renewed or not (found.response and (is_expired or is_unknown)) then
    return false
  end
  progress.renewed = true
  self.session:expired(progress.snapshot)
  if is_expired then
    return true
  end
  local fresh = self.session:credentials()
  return fresh ~= nil and fresh.access_key_id ~= progress.snapshot.access_key_id
end

-- An ordinary retry: the delay, or nil when it isn't to be.
local function grants_retry(self, request, progress, found)
  if not found.kind or progress.retries + 1 >= self.max_attempts then
    return nil
  end
  local delay_ms = retry.delay_ms(progress.retries, self.random, found.response, self:now_s() + self.skew.offset_s)
  local cost = retry.cost(found.code)
  if not self.quota:acquire(cost) then
    progress.without_quota = true
    -- Whoever polls would otherwise be back at once.
    if request.long_poll then
      self.clock.sleep_ms(delay_ms)
    end
    return nil
  end
  progress.retries, progress.acquired = progress.retries + 1, cost
  return delay_ms
end

local function waits_to_try_again(self, request, progress, found)
  if corrects_clock(self, progress, found) or renews_credentials(self, progress, found) then
    return true
  end
  local delay_ms = grants_retry(self, request, progress, found)
  if not delay_ms then
    return false
  end
  host.log.debug("aws_retry", { service = self.service, operation = request.operation, code = found.code,
    attempt = progress.attempts, delay_ms = delay_ms })
  self.clock.sleep_ms(delay_ms)
  return true
end

local function describe(self, request, progress, found)
  local notes = {}
  if found.status then
    notes[#notes + 1] = ("HTTP %d"):format(found.status)
  end
  if found.response and found.response.request_id then
    notes[#notes + 1] = "request " .. plain(found.response.request_id)
  end
  local extended = found.response and answer.header(found.response, "x-amz-id-2")
  if extended then
    notes[#notes + 1] = "extended request " .. plain(extended)
  end
  if progress.attempts > 1 then
    notes[#notes + 1] = ("%d attempts"):format(progress.attempts)
  end
  if progress.without_quota then
    notes[#notes + 1] = "not tried again because most requests have been failing"
  end
  return ("%s %s: %s%s"):format(self.service:upper(), request.operation, found.text,
    #notes > 0 and (" (%s)"):format(table.concat(notes, ", ")) or "")
end

local function invocation_id()
  local digits = host.digest.random(16)
  return ("%s-%s-4%s-a%s-%s"):format(digits:sub(1, 8), digits:sub(9, 12), digits:sub(14, 16), digits:sub(18, 20),
    digits:sub(21))
end

local call_names = { operation = true, method = true, url = true, headers = true, body = true, payload_hash = true,
  limit_bytes = true, timeout_ms = true, stall_ms = true, region = true, read_error = true, verify = true,
  long_poll = true, expected = true, retried_codes = true }
local call_form = "client:call{ operation = …, method = …, url = … }"

---@class AwsCall
---@field operation string the API's name for it, for messages: "GetObject"
---@field method string
---@field url string whole, as it goes on the wire
---@field headers string[][]|nil pairs of name and value
---@field body string|nil
---@field payload_hash string|nil what is signed for the body: hexadecimal SHA-256, or "UNSIGNED-PAYLOAD"; nil: taken of body
---@field limit_bytes integer|nil most that is read of an answer's body; default 4 MiB
---@field timeout_ms integer|nil of one attempt; default 60000
---@field stall_ms integer|nil longest silence of an attempt; default 20000. A long poll is silent for as long as it waits
---@field region string|nil to sign for; default the client's
---@field read_error nil|fun(response:table):string|nil,string|nil,table|nil code, message and more of an answer that isn't good
---@field verify nil|fun(response:table):string|nil,string|nil code and message when a good answer can't be true; tried again
---@field expected table<integer, true>|nil statuses that are answers beside 2xx
---@field retried_codes table<string, true>|nil codes of the service that are tried again in this call beside the usual ones
---@field long_poll boolean|nil sleeps the back-off even when the quota for retries is empty

---@class AwsDetails
---@field status integer|nil
---@field request_id string|nil
---@field attempts integer
---@field retryable boolean the same may succeed later
---@field ambiguous boolean an attempt may have been carried out although no good answer came
---@field about table|nil of read_error

--- Makes one call. Waits, also between attempts.
---@async
---@param request AwsCall
---@return table|nil response of http.request, and `request_id`
---@return string|nil message with HTTP status and request ids
---@return string|nil code the service's ("NoSuchKey"), "HTTP 418" where it gave none, or a class: "connect", "tls", "timeout",
---"cut", "too_large", "library" (libcurl isn't there), "no_credentials", "unavailable" (credentials), "configuration"
---@return AwsDetails|nil details of a failure
function Client:call(request)
  schema.check_options(request, call_names, call_form)
  if not (request.operation and request.method and request.url) then
    error("expected " .. call_form, 2)
  end
  local progress = { attempts = 0, retries = 0, ambiguous = false, invocation_id = invocation_id() }
  while true do
    local response, found = attempt(self, request, progress)
    if response then
      self.quota:release(progress.acquired)
      return response
    end
    progress.ambiguous = progress.ambiguous or found.ambiguous
    if not waits_to_try_again(self, request, progress, found) then
      return nil, describe(self, request, progress, found), found.code, {
        status = found.status, request_id = found.response and found.response.request_id,
        attempts = progress.attempts, retryable = found.kind ~= nil, ambiguous = progress.ambiguous,
        about = found.about,
      }
    end
  end
end

--- Where the service is: what the operator configured, or what the session finds.
---@param region string|nil default the client's
---@return {url:string, custom:boolean}|nil
---@return string|nil message
---@return string|nil code
function Client:find_endpoint(region)
  return self.session:endpoint(self.service, { region = region or self.region, endpoint = self.endpoint })
end

--- This machine's time, uncorrected.
---@return integer seconds since the epoch
function Client:now_s()
  return self.clock.now_ms() // 1000
end

local new_names = { session = true, service = true, region = true, endpoint = true, max_attempts = true, http = true,
  sign = true, clock = true, random = true, ca_file = true }
local new_form = 'client.new{ session = …, service = "s3" }'

--- A client of one service. It has a clock correction and a quota for retries of its own, so one is made for a service and kept.
---@param options {session:AwsSession, service:"s3"|"sqs"|"sts", region:string|nil, endpoint:string|nil,
---max_attempts:integer|nil, ca_file:string|nil, http:table|nil, sign:function|nil, clock:table|nil, random:function|nil}
---the last four stand in for host.http, host.sigv4.sign, host.clock and math.random in specs
---@return AwsClient
function client.new(options)
  schema.check_options(options, new_names, new_form)
  if not options.session or type(options.service) ~= "string" then
    error("expected " .. new_form, 2)
  end
  return setmetatable({
    session = options.session, service = options.service, region = options.region, endpoint = options.endpoint,
    max_attempts = options.max_attempts or MAX_ATTEMPTS, ca_file = options.ca_file,
    http = options.http or host.http, sign = options.sign or host.sigv4.sign,
    clock = options.clock or host.clock, random = options.random or math.random,
    quota = retry.quota(), skew = skew.new(),
  }, Client)
end

return client
