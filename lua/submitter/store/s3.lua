--- A bucket on Amazon S3, or on what speaks like it: the same calls and codes as submitter.store.directory. What S3 asks and
--- answers is submitter.aws.s3's business.
---
--- Here "/a" and "a" are two objects. Whatever only passes, or an operator has to put right, is "unavailable", with what to do.

local conditions = require "submitter.store.conditions"
local key = require "submitter.key"
local s3 = require "submitter.aws.s3"
local s3_address = require "submitter.aws.s3_address"
local s3_errors = require "submitter.aws.s3_errors"
local schema = require "submitter.schema"
local units = require "submitter.units"
local url = require "submitter.aws.url"

local s3_store = {}

local any_size_bytes = 256 << 20

---@class S3Store
---@field bucket S3Bucket
---@field conditional_writes boolean whether the server keeps conditions; else they are looked at before the write
local Store = {}
Store.__index = Store

-- A key is shown whole: its end says which object it is.
local function quote(object_key)
  return units.format_text(object_key, key.limit_bytes)
end

local function check(object_key)
  local good, message, code = key.check(object_key)
  if good and not utf8.len(object_key) then
    good, message, code = nil, ("the key %s isn't UTF-8, as S3 wants it"):format(quote(object_key)), "invalid_key"
  end
  return good, message, code
end

local classes = {
  NoSuchKey = "not_found", NotFound = "not_found",
  PreconditionFailed = "conflict", ConditionalRequestConflict = "conflict", OperationAborted = "conflict",
  EntityTooLarge = "too_large", too_large = "too_large",
  KeyTooLongError = "invalid_key", InvalidURI = "invalid_key",
}

-- Whether the bucket's name stands before a host that the operator chose, by rule and not by choice: there may be no such host.
local function is_before_host(bucket)
  local endpoint = bucket.path_style == nil and bucket.client:find_endpoint()
  local parts = endpoint and endpoint.custom and url.parse(endpoint.url)
  return parts and not s3_address.is_path_style(parts, bucket.name)
end

-- nil, message, code in the words of stores. `what` names the object, `deed` what could not be done to it.
local function failure(self, what, deed, operation, message, code)
  local class = classes[code] or "unavailable"
  local remedy = s3_errors.remedy(code, operation, self.bucket.name)
  if code == "connect" and is_before_host(self.bucket) then
    remedy = "where the endpoint has no names for buckets (bucket.host), set path_style = true"
  end
  return nil, ("%s can't be %s: %s%s"):format(what, deed, message, remedy and "; " .. remedy or ""), class
end

-- A student may read this: the bucket's name is none of his business.
local function absent(object_key)
  return nil, ("there is no object %s in the bucket"):format(quote(object_key)), "not_found"
end

--- Reads an object, checked against its checksums.
---@async
---@param object_key string
---@param options {limit_bytes:integer|nil}|nil code "too_large" when it holds more; default 256 MiB
---@return string|nil data
---@return {etag:string, size_bytes:integer, modified_ms:integer}|string metadata or message
---@return "not_found"|"too_large"|"invalid_key"|"unavailable"|nil code
function Store:get(object_key, options)
  schema.check_options(options, { limit_bytes = true }, "store:get(key, { limit_bytes = … })")
  local good, message, code = check(object_key)
  if not good then
    return nil, message, code
  end
  local limit_bytes = options and options.limit_bytes or any_size_bytes
  local data, about
  data, about, code = self.bucket:get(object_key, { limit_bytes = limit_bytes })
  if data then
    return data, { etag = about.etag, size_bytes = about.size_bytes, modified_ms = about.modified_ms }
  elseif code == "NoSuchKey" then
    return absent(object_key)
  elseif code == "too_large" then
    return nil, ("the object %s has more bytes than the %d that are read here"):format(quote(object_key),
      limit_bytes), code
  end
  return failure(self, "the object " .. quote(object_key), "read", "GetObject", about, code)
end

--- Says that an object is there, without reading it.
---@async
---@param object_key string
---@return {etag:string, size_bytes:integer, modified_ms:integer}|nil metadata
---@return string|nil message
---@return "not_found"|"invalid_key"|"unavailable"|nil code
function Store:head(object_key)
  local good, message, code = check(object_key)
  if not good then
    return nil, message, code
  end
  local about
  about, message, code = self.bucket:head(object_key)
  if about then
    return { etag = about.etag, size_bytes = about.size_bytes, modified_ms = about.modified_ms }
  elseif classes[code] == "not_found" then
    return absent(object_key)
  end
  return failure(self, "the object " .. quote(object_key), "looked at", "HeadObject", message, code)
end

-- What a browser or the front end should take it for.
local content_types = { json = "application/json", out = "text/csv; charset=utf-8", csv = "text/csv; charset=utf-8",
  py = "text/x-python; charset=utf-8", lua = "text/plain; charset=utf-8", txt = "text/plain; charset=utf-8",
  ["in"] = "text/plain; charset=utf-8" }

local function conflict(object_key, options, code)
  local name = quote(object_key)
  if options.if_none_match then
    return nil, ("the object %s stands already"):format(name), "conflict"
  elseif code == "NoSuchKey" then
    return nil, ("the object %s is gone; expected the one with the ETag %s"):format(name, options.if_match), "conflict"
  end
  return nil, ("the object %s has changed: its ETag isn't %s any longer"):format(name, options.if_match), "conflict"
end

-- A condition on a server that keeps none: looked at before the write, so that whoever writes in between is overwritten.
local function holds(self, object_key, options)
  local about, message, code = self:head(object_key)
  if about then
    return about.etag == options.if_match, nil, "PreconditionFailed"
  elseif code == "not_found" then
    return options.if_none_match == true, nil, "NoSuchKey"
  end
  return nil, message, code
end

local function put_checked(self, object_key, data, options, content_type)
  if options.if_match or options.if_none_match then
    local good, message, code = holds(self, object_key, options)
    if good == nil then
      return nil, message, code
    elseif not good then
      return conflict(object_key, options, code)
    end
  end
  local written, message, code = self.bucket:put(object_key, data, { content_type = content_type })
  if written then
    return written
  end
  return failure(self, quote(object_key), "written", "PutObject", message, code)
end

--- Writes an object, atomically. With a condition it succeeds only if the object that stands has that ETag (`if_match`), or if
--- none stands (`if_none_match = true`); else the code is "conflict".
---@async
---@param object_key string
---@param data string
---@param options {if_match:string|nil, if_none_match:true|nil}|nil
---@return string|nil etag
---@return string|nil message
---@return "conflict"|"too_large"|"invalid_key"|"unavailable"|nil code
function Store:put(object_key, data, options)
  options = options or {}
  local etag, is_new = conditions.check(options)
  local good, message, code = check(object_key)
  if not good then
    return nil, message, code
  end
  local content_type = content_types[object_key:match("%.(%w+)$")]
  if not self.conditional_writes then
    return put_checked(self, object_key, data, options, content_type)
  end
  local written
  written, message, code = self.bucket:put(object_key, data, { if_match = etag, if_none_match = is_new,
    content_type = content_type })
  if written then
    return written
  elseif (etag or is_new) and (classes[code] == "conflict" or (etag and code == "NoSuchKey")) then
    return conflict(object_key, options, code)
  end
  return failure(self, quote(object_key), "written", "PutObject", message, code)
end

--- Removes an object. True also when there was none.
---@async
---@param object_key string
---@return true|nil
---@return string|nil message
---@return "invalid_key"|"unavailable"|nil code
function Store:delete(object_key)
  local good, message, code = check(object_key)
  if not good then
    return nil, message, code
  end
  local deleted
  deleted, message, code = self.bucket:delete(object_key)
  if deleted then
    return true
  end
  return failure(self, "the object " .. quote(object_key), "deleted", "DeleteObject", message, code)
end

local function check_prefix(prefix)
  if #prefix > key.limit_bytes or not utf8.len(prefix) or prefix:find("\0", 1, true) then
    return nil, ("no key can begin with %s: it is too long, isn't UTF-8 or has a NUL byte"):format(quote(prefix)),
      "invalid_key"
  end
  local folder = prefix:match("^/?(.*)/[^/]*$") or ""
  if folder == "" then
    return true
  end
  return check(folder)
end

--- All objects whose keys begin with a prefix, sorted by their bytes. What other programs keep under keys that no store of
--- this project can hold ("folders" that end in "/", say) isn't among them.
---@async
---@param prefix string may be empty
---@return {key:string, size_bytes:integer, modified_ms:integer}[]|nil
---@return string|nil message
---@return "too_large"|"invalid_key"|"unavailable"|nil code
function Store:list(prefix)
  if type(prefix) ~= "string" then
    error("expected store:list(prefix), a text that may be empty", 2)
  end
  local good, message, code = check_prefix(prefix)
  if not good then
    return nil, message, code
  end
  local entries
  entries, message, code = self.bucket:list(prefix)
  if not entries then
    return failure(self, "what begins with " .. quote(prefix), "listed", "ListObjectsV2", message, code)
  end
  local found = {}
  for _, entry in ipairs(entries) do
    if key.check(entry.key) then
      found[#found + 1] = { key = entry.key, size_bytes = entry.size_bytes, modified_ms = entry.modified_ms }
    end
  end
  return found
end

--- Opens a bucket. Nothing is asked yet.
---@param options {client:AwsClient, name:string, path_style:boolean|nil, conditional_writes:boolean|nil}
--- conditional_writes: default true; false for a server that can't, where only one worker may write
---@return S3Store|nil
---@return string|nil message
---@return "configuration"|nil code the name can't be a bucket's
function s3_store.open(options)
  schema.check_options(options, { client = true, name = true, path_style = true, conditional_writes = true },
    'store.open{ client = AwsClient, name = "bucket" }')
  local bucket, message, code = s3.open { client = options.client, bucket = options.name,
    path_style = options.path_style }
  if not bucket then
    return nil, message, code
  end
  return setmetatable({ bucket = bucket, conditional_writes = options.conditional_writes ~= false }, Store)
end

return s3_store
