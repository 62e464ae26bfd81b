--- Amazon S3 on the wire: one bucket, the operations that a store needs, each as S3's API reference has it. What a bucket is to
--- the worker is submitter.store.s3. Least rights: s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket.
---
--- What is read is checked against every checksum that came with it, what is written goes with its MD5 and CRC-32; a mismatch
--- is tried again as a fault on the way. A bucket of another region is followed to that region's endpoint, unless the
--- endpoint is the operator's own.

local answer = require "submitter.aws.answer"
local host = require "submitter.host"
local percent = require "submitter.percent"
local s3_address = require "submitter.aws.s3_address"
local s3_errors = require "submitter.aws.s3_errors"
local schema = require "submitter.schema"
local time = require "submitter.time"
local url = require "submitter.aws.url"
local xml = require "submitter.aws.xml"

local s3 = {}

-- An error's XML must fit in however little is wanted of an object.
local ERROR_LIMIT_BYTES = 64 << 10
local OBJECT_LIMIT_BYTES = 256 << 20
local LIST_LIMIT_BYTES = 8 << 20
local LIST_LIMIT = 100000
-- Another is writing the same key at this moment.
local contended = { ConditionalRequestConflict = true, OperationAborted = true }

---@class S3Bucket
---@field client AwsClient
---@field name string
---@field path_style boolean|nil
---@field region string|nil where the bucket turned out to be
---@field bare_etags boolean whether the server wants If-Match without quotes
local Bucket = {}
Bucket.__index = Bucket

-- ---- calls ----

local function read_error(response)
  return s3_errors.read(response)
end

local function read_head_error(response)
  return s3_errors.read(response, true)
end

local function used_region(self, request)
  return request.region or self.client.region or self.client.session:region()
end

-- Where the bucket is by what an answer says, if that is news. Another region's host is only asked where Amazon's own
-- endpoints are used: nobody's answer may send signed requests elsewhere.
local function finds_region(self, request, code, details, custom)
  local region = details.about and details.about.region
  local status = details.status
  if not region or not (status == 301 or status == 307 or status == 400) then
    return false
  elseif not region:find("^%l[%l%d-]+$") or #region > 32 or region == used_region(self, request) then
    return false
  elseif custom and code ~= "AuthorizationHeaderMalformed" then
    return false
  end
  if self.region ~= region then
    host.log.info("s3_region_found", { bucket = self.name, region = region })
  end
  self.region = region
  return true
end

-- One request to the bucket or an object, in the region where it is.
local function call(self, request, key, query)
  local was_ambiguous = false
  local followed = false
  while true do
    local endpoint, message, code = self.client:find_endpoint(self.region)
    if not endpoint then
      return nil, message, code
    end
    request.url, message = s3_address.url(endpoint.url, self.name, key, query, self.path_style)
    if not request.url then
      return nil, message, "configuration"
    end
    request.region = self.region
    request.read_error = request.read_error or read_error
    local response, details
    response, message, code, details = self.client:call(request)
    if response then
      return response
    end
    details.ambiguous = details.ambiguous or was_ambiguous
    if followed or not finds_region(self, request, code, details, endpoint.custom) then
      return nil, message, code, details
    end
    followed, was_ambiguous = true, details.ambiguous
  end
end

-- ---- ETags and checksums ----

-- ETags go without their quotes here; a weak one keeps its form, and matches nothing that is written.
local function unquote(etag)
  return etag and (etag:match('^"(.*)"$') or etag)
end

local function quote(etag, level)
  if not etag:find("^%g+$") then
    error("expected an ETag as get or put gave it", level + 1)
  end
  return etag:find('^W/"') and etag or '"' .. etag .. '"'
end

-- The MD5 that an answer states by its ETag: not of uploads in parts ("…-2") nor where S3 encrypts with keys of KMS or the
-- customer's (API reference, "Object": ETag).
local function stated_md5(response)
  local encryption = answer.header(response, "x-amz-server-side-encryption") or "AES256"
  if encryption ~= "AES256" or answer.header(response, "x-amz-server-side-encryption-customer-algorithm") then
    return nil
  end
  local etag = unquote(answer.header(response, "etag"))
  return etag and #etag == 32 and not etag:find("[^%x]") and etag:lower() or nil
end

local function mismatch(what)
  return "corrupt", ("the %s that came doesn't belong to what came"):format(what)
end

-- A checksum of parts' checksums ends in "-" and their number, and says nothing about the whole.
local function stated_checksum(response, name)
  local text = answer.header(response, "x-amz-checksum-" .. name)
  return text and not text:find("-", 1, true) and text or nil
end

local function verify_object(response)
  local body = response.body
  local length = tonumber(answer.header(response, "content-length"))
  if length and length ~= #body then
    return mismatch("length")
  elseif response.status ~= 200 then
    return nil
  end
  local crc32, sha256 = stated_checksum(response, "crc32"), stated_checksum(response, "sha256")
  if crc32 and crc32 ~= host.digest.crc32(body, "base64") then
    return mismatch("CRC-32")
  elseif sha256 and sha256 ~= host.digest.sha256(body, "base64") then
    return mismatch("SHA-256")
  end
  local md5 = stated_md5(response)
  if md5 and md5 ~= host.digest.md5(body) then
    return mismatch("ETag")
  end
  return nil
end

local function modified_ms(response)
  local modified_s = answer.http_date_s(answer.header(response, "last-modified"))
  return modified_s and modified_s * 1000 or 0
end

local function metadata(response, size_bytes)
  return {
    etag = unquote(answer.header(response, "etag")), size_bytes = size_bytes, modified_ms = modified_ms(response),
    content_type = answer.header(response, "content-type"),
  }
end

-- ---- objects ----

local get_form = "bucket:get(key, { limit_bytes = …, range = { first, last }, if_none_match = etag })"
local get_names = { limit_bytes = true, range = true, if_none_match = true }

local function get_headers(options)
  local headers = { { "x-amz-checksum-mode", "ENABLED" } }
  local range = options.range
  if range then
    if math.type(range[1]) ~= "integer" or math.type(range[2]) ~= "integer" or range[1] < 0 or range[2] < range[1] then
      error("expected " .. get_form .. ", offsets in bytes from 0, both included", 3)
    end
    headers[#headers + 1] = { "Range", ("bytes=%d-%d"):format(range[1], range[2]) }
  end
  if options.if_none_match then
    headers[#headers + 1] = { "If-None-Match", quote(options.if_none_match, 3) }
  end
  return headers
end

-- The part that was asked for, also from a server that sends the whole; and how large the whole is.
local function part_of(response, range)
  local body = response.body
  if not range then
    return body, #body
  elseif response.status ~= 206 then
    return body:sub(range[1] + 1, range[2] + 1), #body
  end
  local whole = (answer.header(response, "content-range") or ""):match("/(%d+)$")
  return body, whole and math.tointeger(tonumber(whole)) or #body
end

-- Whether a part is the one that was asked for: an end beyond the object's is cut.
local function verify_part(response, range)
  if not range then
    return mismatch("range")
  end
  local first, last = (answer.header(response, "content-range") or ""):match("^bytes (%d+)%-(%d+)/")
  if tonumber(first) ~= range[1] or tonumber(last) > range[2] or tonumber(last) - range[1] + 1 ~= #response.body then
    return mismatch("range")
  end
  return nil
end

--- Reads an object, or a range of it.
---@async
---@param key string any bytes
---@param options {limit_bytes:integer|nil, range:integer[]|nil, if_none_match:string|nil}|nil range: first and last byte from 0,
---both included. limit_bytes: default 256 MiB
---@return string|nil data
---@return {etag:string, size_bytes:integer, modified_ms:integer, content_type:string|nil}|string metadata or message; size_bytes
---is the whole object's
---@return string|nil code S3's ("NoSuchKey"), client:call's, "too_large", "corrupt", or "not_modified"
---@return AwsDetails|nil details
function Bucket:get(key, options)
  schema.check_options(options, get_names, get_form)
  options = options or {}
  local limit_bytes = options.limit_bytes or OBJECT_LIMIT_BYTES
  local response, message, code, details = call(self, {
    operation = "GetObject", method = "GET", headers = get_headers(options),
    limit_bytes = math.max(limit_bytes, ERROR_LIMIT_BYTES), expected = options.if_none_match and { [304] = true },
    verify = function(response)
      if response.status == 304 then
        return nil
      elseif response.status == 206 then
        local wrong, reason = verify_part(response, options.range)
        if wrong then
          return wrong, reason
        end
      end
      return verify_object(response)
    end,
  }, key)
  if not response then
    return nil, message, code, details
  elseif response.status == 304 then
    return nil, "the object has not changed", "not_modified"
  end
  local data, size_bytes = part_of(response, options.range)
  if #data > limit_bytes then
    return nil, ("it has %d bytes; at most %d are read here"):format(size_bytes, limit_bytes), "too_large"
  end
  return data, metadata(response, size_bytes)
end

-- HEAD says only that something is wrong. The first byte of the same object tells what, and has it put right if that is in
-- the client's power: a clock, credentials, a region.
local unexplained = { BadRequest = true, Forbidden = true }

--- Says that an object is there.
---@async
---@param key string
---@return {etag:string, size_bytes:integer, modified_ms:integer, content_type:string|nil}|nil metadata
---@return string|nil message
---@return string|nil code "NotFound" when there is none
---@return AwsDetails|nil details
function Bucket:head(key)
  local function ask()
    return call(self, { operation = "HeadObject", method = "HEAD", read_error = read_head_error }, key)
  end
  local response, message, code, details = ask()
  if not response and unexplained[code] then
    local data
    data, message, code, details = self:get(key, { range = { 0, 0 } })
    -- An object without a byte has no first one.
    if not data and code ~= "InvalidRange" then
      return nil, message, code, details
    end
    response, message, code, details = ask()
  end
  if not response then
    return nil, message, code, details
  end
  return metadata(response, math.tointeger(tonumber(answer.header(response, "content-length"))) or 0)
end

-- Whether what stands there is what was to be written, byte for byte: its ETag and true; false when it is something else.
local function look(self, key, data)
  local present, about, code, details = self:get(key, { limit_bytes = #data })
  if present then
    return about.etag, present == data
  elseif code == "too_large" or code == "NoSuchKey" then
    return nil, false
  end
  return nil, nil, about, details
end

-- A condition that wasn't met, after an attempt that may have been carried out: it may be that attempt's own object that
-- stands in the way.
local function resolve(self, key, data, message, failed_code, details)
  local etag, is_ours, problem, look_details = look(self, key, data)
  if is_ours == nil then
    return nil, ("an attempt to write it may have succeeded, and what stands can't be read: %s"):format(problem),
      "unknown", look_details
  elseif is_ours then
    return etag
  end
  return nil, message, failed_code, details
end

local put_form = "bucket:put(key, data, { if_match = etag } or { if_none_match = true }, content_type = …)"
local put_names = { if_match = true, if_none_match = true, content_type = true }

local function put_headers(data, options, bare)
  local headers = {
    { "Content-Type", options.content_type or "application/octet-stream" },
    { "Content-MD5", host.digest.md5(data, "base64") },
    { "x-amz-checksum-crc32", host.digest.crc32(data, "base64") },
  }
  if options.if_match then
    local quoted = quote(options.if_match, 4)
    headers[#headers + 1] = { "If-Match", bare and options.if_match or quoted }
  elseif options.if_none_match then
    headers[#headers + 1] = { "If-None-Match", "*" }
  end
  return headers
end

local function verify_put(response, md5)
  local wrong, reason = s3_errors.read_good(response)
  if wrong then
    return wrong, reason
  end
  local stated = stated_md5(response)
  if stated and stated ~= md5 then
    return mismatch("ETag")
  end
  return nil
end

local function put_once(self, key, data, options, bare)
  local md5 = host.digest.md5(data)
  local response, message, code, details = call(self, {
    operation = "PutObject", method = "PUT", headers = put_headers(data, options, bare), body = data,
    retried_codes = contended, verify = function(response) return verify_put(response, md5) end,
  }, key)
  if response then
    return unquote(answer.header(response, "etag")) or md5
  elseif (code == "PreconditionFailed" or contended[code]) and details.ambiguous then
    return resolve(self, key, data, message, code, details)
  end
  return nil, message, code, details
end

-- Some servers (Ceph's gateway, and what is built on it) compare If-Match with the bare ETag, so that the quotes that RFC 9110
-- wants make every condition fail. They are told by an object that has the very ETag.
local function refuses_quotes(self, key, options, code)
  if code ~= "PreconditionFailed" or not options.if_match or self.bare_etags then
    return false
  end
  local endpoint = self.client:find_endpoint(self.region)
  if not endpoint or not endpoint.custom then
    return false
  end
  local about = self:head(key)
  return about ~= nil and about.etag == options.if_match
end

--- Writes an object, at once and whole. With a condition it succeeds only if the object that stands has that ETag
--- (`if_match`), or if none stands (`if_none_match = true`).
---@async
---@param key string
---@param data string
---@param options {if_match:string|nil, if_none_match:true|nil, content_type:string|nil}|nil
---@return string|nil etag
---@return string|nil message
---@return string|nil code "PreconditionFailed" when the condition isn't met, "ConditionalRequestConflict" when another is
---writing, "unknown" when it may have been written and that can't be found out now
---@return AwsDetails|nil details
function Bucket:put(key, data, options)
  schema.check_options(options, put_names, put_form)
  options = options or {}
  local etag, message, code, details = put_once(self, key, data, options, self.bare_etags)
  if not etag and refuses_quotes(self, key, options, code) then
    etag, message, code, details = put_once(self, key, data, options, true)
    self.bare_etags = etag ~= nil
  end
  return etag, message, code, details
end

--- Removes an object. True also when there was none.
---@async
---@param key string
---@return true|nil
---@return string|nil message
---@return string|nil code
---@return AwsDetails|nil details
function Bucket:delete(key)
  local response, message, code, details = call(self, { operation = "DeleteObject", method = "DELETE",
    verify = s3_errors.read_good }, key)
  if not response and code ~= "NoSuchKey" then
    return nil, message, code, details
  end
  return true
end

-- ---- lists ----

-- One page of ListObjectsV2, read; or code and message of what is wrong with it.
local function read_page(body)
  local root, message = xml.parse(body)
  if not root then
    return nil, "BadAnswer", message
  elseif root.name == "Error" then
    return nil, xml.text(root, "Code") or "InternalError", xml.text(root, "Message")
  elseif root.name ~= "ListBucketResult" then
    return nil, "BadAnswer", "the answer is no list of objects"
  end
  local is_encoded = xml.text(root, "EncodingType") == "url"
  local goes_on = xml.text(root, "IsTruncated") == "true"
  local page = { next_token = goes_on and xml.text(root, "NextContinuationToken") or nil }
  if goes_on and (page.next_token or "") == "" then
    return nil, "BadAnswer", "the list goes on, and the answer doesn't say where"
  end
  for _, element in ipairs(root) do
    if element.name == "Contents" then
      local key, size_bytes = xml.text(element, "Key"), math.tointeger(tonumber(xml.text(element, "Size")))
      key = key and is_encoded and percent.decode_form(key) or not is_encoded and key
      if not key or not size_bytes then
        return nil, "BadAnswer", "the list has an object without a readable key or size"
      end
      page[#page + 1] = { key = key, size_bytes = size_bytes, etag = unquote(xml.text(element, "ETag")),
        modified_ms = (time.parse(xml.text(element, "LastModified")) or 0) * 1000 }
    end
  end
  return page
end

local function list_page(self, prefix, start_after, token)
  local query = { { "list-type", "2" }, { "encoding-type", "url" }, { "max-keys", "1000" }, { "prefix", prefix } }
  if token then
    query[#query + 1] = { "continuation-token", token }
  elseif start_after then
    query[#query + 1] = { "start-after", start_after }
  end
  local page
  local response, message, code, details = call(self, {
    operation = "ListObjectsV2", method = "GET", limit_bytes = LIST_LIMIT_BYTES,
    verify = function(response)
      local wrong, reason
      page, wrong, reason = read_page(response.body)
      return wrong, reason
    end,
  }, nil, url.query(query))
  if not response then
    return nil, message, code, details
  end
  return page
end

local list_form = "bucket:list(prefix, { limit = …, start_after = key })"
local list_names = { limit = true, start_after = true }

--- All objects whose keys begin with a prefix, sorted by their bytes.
---@async
---@param prefix string may be empty
---@param options {limit:integer|nil, start_after:string|nil}|nil limit: most objects, default 100000
---@return {key:string, size_bytes:integer, modified_ms:integer, etag:string|nil}[]|nil
---@return string|nil message
---@return string|nil code "too_large" when there are more
---@return AwsDetails|nil details
function Bucket:list(prefix, options)
  schema.check_options(options, list_names, list_form)
  options = options or {}
  local limit = options.limit or LIST_LIMIT
  local found, token = {}, nil
  repeat
    local page, message, code, details = list_page(self, prefix, options.start_after, token)
    if not page then
      return nil, message, code, details
    elseif #found + #page > limit then
      return nil, ("more than %d objects begin with that prefix"):format(limit), "too_large"
    elseif page.next_token and page.next_token == token then
      return nil, "S3 ListObjectsV2: the list goes on where it was before", "BadAnswer"
    end
    table.move(page, 1, #page, #found + 1, found)
    token = page.next_token
  until not token
  table.sort(found, function(left, right) return left.key < right.key end)
  return found
end

local open_names = { client = true, bucket = true, path_style = true }
local open_form = 'expected s3.open{ client = AwsClient, bucket = "name" }'

--- A bucket of a client. Nothing is asked yet.
---@param options {client:AwsClient, bucket:string, path_style:boolean|nil} path_style: nil: by the SDKs' rules
---@return S3Bucket|nil
---@return string|nil message
---@return "configuration"|nil code
function s3.open(options)
  schema.check_options(options, open_names, open_form)
  if not options.client then
    error(open_form, 2)
  end
  local good, message = s3_address.check_bucket(options.bucket)
  if not good then
    return nil, message, "configuration"
  end
  return setmetatable({
    client = options.client, name = options.bucket, path_style = options.path_style, bare_etags = false,
  }, Bucket)
end

return s3
